"""Every registered environment: gymnasium's checker, determinism, observation modes, verdicts, bad settings."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import yaml
from gymnasium.utils.env_checker import check_env

import envs
from envs import scene
from envs.actions import action_of, command_of
from envs.scene import SPACING_M
from envs.task_env import TaskEnv
from vla_sim.errors import ConfigError
from vla_sim.rng import stream
from vla_sim.types import Array, Command, Mode

IDS = sorted(envs.ENTRY_POINTS)
PICTURES = [(i, {"obs_mode": m}) for i in ("VlaSim/PickPlace-v0", "VlaSim/Fetch-v0") for m in ("rgb", "rgbd")]
VARIANTS = [*((i, {"obs_mode": "state"}) for i in IDS), *PICTURES]


def bare(env: gym.Env[Any, Any]) -> TaskEnv:
    inner = env.unwrapped
    assert isinstance(inner, TaskEnv)
    return inner


def hold(env: gym.Env[Any, Any]) -> dict[str, Any]:
    still = Command(np.zeros(17), np.ones(2), mode=Mode.HOLD)
    return action_of(still, bare(env).robot_spec)


@pytest.mark.parametrize(("env_id", "settings"), VARIANTS)
def test_check_env_has_nothing_to_say(env_id: str, settings: dict) -> None:
    env = gym.make(env_id, render_mode="rgb_array", disable_env_checker=True, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=False)
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_two_envs_with_one_seed_roll_out_alike(env_id: str) -> None:
    first, second = (gym.make(env_id, obs_mode="rgbd", disable_env_checker=True) for _ in range(2))
    second.reset(seed=5)
    second.step(second.action_space.sample())  # a past must not show
    a, b = first.reset(seed=11), second.reset(seed=11)
    first.action_space.seed(3)
    assert_same(a[0], b[0])
    for _ in range(12):
        action = first.action_space.sample()
        one, other = first.step(action), second.step(action)
        assert_same(one[0], other[0])
        assert one[1:] == other[1:]
    first.close()
    second.close()


def assert_same(a: dict, b: dict) -> None:
    assert a.keys() == b.keys()
    for key in a:
        assert np.array_equal(a[key], b[key]), key


def test_different_seeds_differ() -> None:
    env = envs.make("VlaSim/PickPlace-v0")
    first = env.reset(seed=1)[0]["target_position"]
    assert not np.array_equal(first, env.reset(seed=2)[0]["target_position"])
    env.close()


def test_actions_and_commands_convert_both_ways() -> None:
    env = envs.make(IDS[0])
    command = Command(env.robot_spec.lower_rad * 0.3, np.array([0.2, 0.7]), mode=Mode.DAMP)
    back = command_of(action_of(command, env.robot_spec), env.robot_spec)
    assert back.joints_rad == pytest.approx(command.joints_rad)
    assert np.array_equal(back.grips, command.grips)
    assert back.mode is Mode.DAMP
    env.close()


@pytest.mark.parametrize("seed", range(200))
def test_layouts_leave_room(seed: int) -> None:
    layout = scene.draw_pick_place(stream(seed, 0, "layout"))
    names = [str(p.query) for p in layout.placements]
    assert len(set(names)) == len(names)
    assert layout.tray is not None
    assert all(p.query.colour != layout.tray.query.colour for p in layout.placements)
    for i, a in enumerate(layout.placements):
        for b in layout.placements[:i]:
            assert np.hypot(a.x - b.x, a.y - b.y) >= SPACING_M


def test_difficulty_says_how_many_and_how_alike() -> None:
    for seed in range(20):
        easy, hard = (scene.draw_pick_place(stream(seed, 0, "layout"), None, level) for level in ("easy", "hard"))
        assert len(easy.placements) == 2
        assert len(hard.placements) == 5
        target = hard.target.query
        assert all(p.query.shape == target.shape or p.query.colour == target.colour for p in hard.placements)
        speeds = [
            (scene.draw_pick_moving(stream(seed, 0, "layout"), 0.1, 0.0, None, level).belt or scene.Belt(0.0)).speed_m_s
            for level in ("easy", "hard")
        ]
        assert speeds[0] == 0.1
        assert abs(speeds[1] - 0.1) <= 0.025 + 1e-9


def test_a_command_that_is_not_a_number_is_taken_as_hold() -> None:
    env = gym.make("VlaSim/PickPlace-v0", disable_env_checker=True)
    env.reset(seed=1)
    env.step(hold(env))
    before = bare(env).robot_state().commanded_rad[12:].copy()
    bad = {**hold(env), "joints": np.full(17, np.nan), "mode": np.int64(Mode.TRACK.value)}
    env.step(bad)
    assert np.array_equal(bare(env).robot_state().commanded_rad[12:], before)
    env.close()


def test_out_of_range_targets_are_clipped() -> None:
    env = envs.make("VlaSim/PickPlace-v0")
    env.reset(seed=1)
    sent = env.advance(Command(np.full(17, 99.0), np.full(2, 7.0)))
    assert np.array_equal(sent.joints_rad, env.robot_spec.upper_rad)
    assert np.array_equal(sent.grips, np.ones(2))
    env.close()


def test_time_runs_out_as_a_truncation() -> None:
    env = gym.make("VlaSim/PickPlace-v0", disable_env_checker=True)
    bare(env).time_limit_s = 0.05
    env.reset(seed=1)
    for _ in range(5):
        _, reward, ended, timed_out, info = env.step(hold(env))
    assert (reward, ended, timed_out, info["reason"], info["success"]) == (0.0, False, True, "time_out", False)
    env.close()


def test_the_belt_carries_the_object_at_its_speed() -> None:
    env = envs.make("VlaSim/PickMoving-v0", speed_m_s=0.1)
    env.reset(seed=2)
    still = Command(np.zeros(17), np.ones(2), mode=Mode.HOLD)
    for _ in range(50):
        env.advance(still)
    start = env.world.pose(env.world.objects[0])[0][1]
    for _ in range(200):
        env.advance(still)
    belt = env.world.layout.belt
    assert belt is not None
    moved = env.world.pose(env.world.objects[0])[0][1] - start
    assert moved == pytest.approx(2.0 * belt.speed_m_s, rel=0.05)
    env.close()


def test_an_object_with_a_lead_comes_later_and_stays_on_the_belt() -> None:
    starts = []
    for lead_m in (0.0, 0.2):
        env = envs.make("VlaSim/PickMoving-v0", lead_m=lead_m)
        env.reset(seed=2)
        starts.append(env.world.pose(env.world.objects[0])[0][1])
        for _ in range(100):
            env.advance(Command(np.zeros(17), np.ones(2), mode=Mode.HOLD))
        assert env.verdict is None
        env.close()
    assert starts[0] - starts[1] == pytest.approx(0.2)


def test_an_object_left_alone_rides_out_of_reach() -> None:
    env = envs.make("VlaSim/PickMoving-v0", speed_m_s=0.2)
    env.reset(seed=2)
    still = Command(np.zeros(17), np.ones(2), mode=Mode.HOLD)
    while env.verdict is None:
        env.advance(still)
    assert env.verdict.reason == "out_of_reach"
    assert not env.verdict.success
    env.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"obs_mode": "rgdb"}, "rgbd"),
        ({"control_rate_hz": -1.0}, "positive"),
        ({"control_rate_hz": 70.0}, "does not divide"),
        ({"physics_rate_hz": 0.0}, "positive"),
        ({"speed_m_s": -0.1}, "0.5 m/s"),
        ({"wobble": 2.0}, "0-1"),
        ({"lead_m": 0.5}, "env.lead_m: the object starts 0 to 0.2 m earlier"),
    ],
)
def test_bad_settings_are_named(settings: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        envs.make("VlaSim/PickMoving-v0", **settings)


def test_asking_for_an_unknown_camera_names_the_nearest() -> None:
    env = envs.make("VlaSim/PickPlace-v0")
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="did you mean 'head'"):
        env.capture("heat")
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_an_episode_does_not_depend_on_the_one_before(env_id: str) -> None:
    env = envs.make(env_id)
    env.restart(7)
    first = [track(env) for _ in range(3)]
    env.restart(8)
    track(env)
    env.restart(7)
    again = [track(env) for _ in range(3)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    env.close()


def track(env: TaskEnv) -> Array:
    """Ten ticks later: joints, and where everything that moves is."""
    for _ in range(10):
        env.advance(Command(np.zeros(len(env.robot_spec.upper_joints)), np.ones(2), mode=Mode.HOLD))
    people = [person.pose() for person in env.world.people]
    return np.concatenate(
        [env.robot_state().joints_rad, *(env.world.pose(body)[0] for body in env.world.objects), *people]
    )


@pytest.mark.parametrize("env_id", IDS)
def test_two_run_side_by_side_in_processes_of_their_own(env_id: str) -> None:
    vector = gym.make_vec(env_id, num_envs=2, vectorization_mode="async", vector_kwargs={"shared_memory": True})
    alone = envs.make(env_id)
    obs, _ = vector.reset(seed=3)
    assert_same({name: value[1] for name, value in obs.items()}, alone.reset(seed=4)[0])
    vector.action_space.seed(0)
    action = vector.action_space.sample()
    obs, reward, ended, timed_out, info = vector.step(action)
    assert obs["joints"].shape == (2, len(alone.robot_spec.joints))
    assert not ended.any()
    assert not timed_out.any()
    assert reward.shape == (2,)
    assert len(info["instruction"]) == 2
    vector.close()
    alone.close()


def test_without_pictures_no_mesh_is_loaded() -> None:
    program = (
        "import envs, numpy as np; from envs import cameras; from vla_sim.types import Array, Command, Mode\n"
        "cameras.load_visuals = None\n"
        "env = envs.make('VlaSim/PickPlace-v0'); env.reset(seed=1); env.scan()\n"
        "env.advance(Command(np.zeros(17), np.ones(2), mode=Mode.HOLD)); env.close()\n"
        "import sys; assert 'envs.rendering.raster' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True, capture_output=True)


def test_every_task_has_a_configuration_that_makes_it() -> None:
    folder = Path(__file__).parents[2] / "conf" / "env"
    made = set()
    for path in sorted(folder.glob("*.yaml")):
        settings = yaml.safe_load(path.read_text())
        assert settings.pop("_target_") == "envs.make"
        assert settings.pop("body") == "${body}"
        env = envs.make(**settings)
        made.add(settings["id"])
        env.close()
    assert made == set(IDS)
