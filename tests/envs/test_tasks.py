"""Each task's judge, asked about states that are put together by hand."""

import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pybullet as p
import pytest

import envs
from envs import checks
from envs.emergency_stop import STAY_S
from envs.fetch import FetchEnv
from envs.floor_plan import floor_plan
from envs.navigate import NavigateEnv, seen_from
from envs.site import standing_point
from envs.task_env import TaskEnv
from robots.talos import Talos
from vla_sim.catalogue import SHAPES
from vla_sim.errors import ConfigError
from vla_sim.types import Array, Command, Mode, Verdict


def made(env_id: str, **settings: Any) -> Any:
    return envs.make(f"VlaSim/{env_id}-v0", **settings)


def wait(env: TaskEnv, seconds: float) -> Verdict | None:
    still = Command(np.zeros(len(env.robot_spec.upper_joints)), np.ones(2), mode=Mode.HOLD)
    for _ in range(round(seconds * env.robot_spec.control_rate_hz)):
        env.advance(still)
    return env.verdict


def put(env: TaskEnv, body: int, position: Array, turn: tuple[float, float, float] = (0, 0, 0)) -> None:
    on = env.world.on
    p.resetBasePositionAndOrientation(body, list(position), p.getQuaternionFromEuler(turn), **on)
    p.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0], **on)


def start_at(env: TaskEnv, seed: int, pose: Array) -> None:
    """An episode in which the robot begins at a pose of its own."""
    env.restart(seed)
    draw = env.draw
    layout = draw(np.random.default_rng(seed))
    moved = type(layout)(**{**vars(layout), "start": (float(pose[0]), float(pose[1]), float(pose[2]))})
    env.draw = lambda rng: moved  # type: ignore[method-assign]
    env.restart(seed)
    env.draw = draw  # type: ignore[method-assign]


# Reach


@pytest.fixture(scope="module")
def reach() -> Iterator[Any]:
    env = made("Reach")
    yield env
    env.close()


def test_reach_wants_a_finger_at_the_object(reach: Any) -> None:
    reach.restart(1)
    assert reach.instruction == f"touch the {reach.world.layout.target.query}"
    assert wait(reach, 0.5) is None
    robot = reach.world.robot
    finger = robot.links[robot.hands["right"].fingers[0]]
    tip = robot.link_poses_in_world([finger])[0][:3, 3]
    target = reach.world.objects[0]
    shape = SHAPES[reach.world.layout.target.query.shape]
    reach._placed = None
    reach.judge()
    beside = tip + [shape.width_m / 2 + 0.055, 0.0, 0.0]
    verdict = None
    for _ in range(60):
        put(reach, target, beside)
        reach._placed = np.array(beside)
        verdict = verdict or reach.judge()
    assert verdict == Verdict(True, "reached")
    assert reach._info()["distance_m"] < 0.03


@pytest.mark.parametrize("how", ["shifted", "toppled"])
def test_reach_refuses_to_push(reach: Any, how: str) -> None:
    reach.restart(3)  # a cube
    assert reach.world.layout.target.query.shape != "ball"
    assert wait(reach, 0.5) is None
    position, _ = reach.world.pose(reach.world.objects[0])
    off = np.array([0.04, 0.0, 0.0]) if how == "shifted" else np.zeros(3)
    put(reach, reach.world.objects[0], position + off, (0.4, 0, 0) if how == "toppled" else (0, 0, 0))
    assert reach.judge() == Verdict(False, "pushed")


# PickPlace and PickMoving


def test_pick_place_wants_the_object_in_the_tray() -> None:
    env = made("PickPlace")
    env.restart(2)
    tray = env.world.pose(env.world.tray)[0]
    height = SHAPES[env.world.layout.target.query.shape].height_m
    put(env, env.world.objects[0], tray + [0, 0, height / 2])
    assert wait(env, 1.0) == Verdict(True, "placed")
    env.restart(2)
    put(env, env.world.objects[1], env.world.pose(env.world.tray)[0] + [0, 0, 0.1])
    assert wait(env, 1.0) is None  # not the one that was named
    put(env, env.world.objects[0], np.array([0.6, 0.9, 0.3]))
    assert wait(env, 0.6) == Verdict(False, "object_fell")
    env.close()


def test_table_tasks_can_be_played_at_any_table() -> None:
    env = made("PickPlace", scene="apartment", table="living room table")
    obs, _ = env.reset(seed=2)
    x, y, yaw = env.world.layout.start
    assert (x, y, abs(yaw)) == pytest.approx((0.70 + 0.19, 2.0, math.pi))
    assert 0.2 < obs["target_position"][0] < 0.45
    assert obs["tray_position"] == pytest.approx((0.30, 0.0, 0.715), abs=0.01)
    assert wait(env, 0.5) is None
    moving = made("PickMoving", scene="apartment", table="living room table", speed_m_s=0.2)
    moving.reset(seed=2)
    before = moving.from_start(moving.world.pose(moving.world.objects[0])[0])
    wait(moving, 2.0)
    after = moving.from_start(moving.world.pose(moving.world.objects[0])[0])
    assert after[1] - before[1] == pytest.approx(0.4, abs=0.1)
    assert abs(after[0] - before[0]) < 0.02
    for each in (env, moving):
        each.close()


# Navigate


@pytest.fixture(scope="module")
def navigate() -> Iterator[NavigateEnv]:
    env = made("Navigate", difficulty="easy", goal="living room table")
    yield env
    env.close()


def test_navigate_wants_the_robot_at_rest_before_the_table(navigate: NavigateEnv) -> None:
    goal = standing_point(navigate.scene, "living room table")
    start_at(navigate, 1, goal + [0.2, 0.2, 0.5])
    assert navigate.instruction == "go to the living room table"
    assert wait(navigate, 0.3) is None  # not yet for long enough
    assert wait(navigate, 1.0) == Verdict(True, "arrived")
    start_at(navigate, 1, goal + [0.5, 0.2, 0.0])
    assert wait(navigate, 1.5) is None  # too far away


def test_a_room_is_reached_anywhere_inside() -> None:
    env = made("Navigate", difficulty="easy", goal="bedroom")
    start_at(env, 1, np.array([4.0, 4.8, 0.0]))
    assert wait(env, 1.0) == Verdict(True, "arrived")
    env.close()


def test_the_goal_is_told_in_the_base_frame(navigate: NavigateEnv) -> None:
    obs, _ = navigate.reset(seed=7)
    goal = standing_point(navigate.scene, "living room table")
    base, rel = obs["base_in_site"], obs["goal_in_base"]
    c, s = math.cos(base[2]), math.sin(base[2])
    assert base[:2] + np.array([[c, -s], [s, c]]) @ rel[:2] == pytest.approx(goal[:2])
    assert seen_from(base, base) == pytest.approx(np.zeros(3))


@pytest.mark.parametrize("difficulty", ["easy", "normal", "hard"])
@pytest.mark.parametrize("scene", ["apartment", "office"])
def test_navigate_draws_what_can_be_done(scene: str, difficulty: str) -> None:
    env = cast(NavigateEnv, made("Navigate", scene=scene, difficulty=difficulty))
    counts = set()
    for seed in range(4):
        env.restart(seed)
        layout = env.world.layout
        counts.add((len(layout.obstacles), len(layout.people)))
        plan = floor_plan(env.scene, zones=True)
        for box in layout.obstacles:
            plan = plan.having(box)
        assert plan.reachable(layout.start, env.target, checks.ROBOT_RADIUS_M)
        assert plan.clearance_m(*layout.start[:2]) > 0.3
        assert math.dist(layout.start[:2], env.target[:2]) > 2.0
        for person in layout.people:
            checks.check_person(person, plan, "drawn")
            assert math.dist(person.route[0], layout.start[:2]) > 1.4
        assert env.place in env.instruction
    boxes, people = {"easy": (0, 0), "normal": (2, 1), "hard": (4, 2)}[difficulty]
    assert min(counts)[0] >= boxes
    assert {n for _, n in counts} == {people}
    env.close()


def test_walking_into_something_is_a_collision() -> None:
    env = made("Navigate", difficulty="easy", goal="living room table")
    wall = np.array([4.2, 1.7, 0.0])  # the kitchen wall is 0.55 m ahead
    start_at(env, 1, wall)
    ahead = Command(env.robot_state().commanded_rad[env.robot_spec.upper_index], np.ones(2), np.array([0.4, 0, 0]))
    for _ in range(500):
        env.advance(ahead)
        if env.verdict is not None:
            break
    assert env.verdict == Verdict(False, "collision")
    info = env._info()
    assert info["pressed_on"] == "kitchen wall"
    assert info["pressed_n"] > env.collision_n
    env.close()


# Fetch


@pytest.mark.parametrize(
    ("deliver", "words"),
    [
        ("tray", "go to the kitchen, pick up the {} and put it in the tray on the living room table"),
        ("person", "bring me the {} from the kitchen"),
        ("none", "go to the kitchen and pick up the {}"),
    ],
)
def test_fetch_wants_the_object_where_it_was_asked_for(deliver: str, words: str) -> None:
    env = cast(FetchEnv, made("Fetch", deliver=deliver))
    env.restart(3)
    world, target = env.world, env.world.layout.target
    assert env.instruction == words.format(target.query)
    assert env.scene.room_at(*world.layout.start[:2]) == "living room"
    assert env.scene.room_at(target.x, target.y) == "kitchen"
    assert env.judge() is None
    tray = world.tray_pose()
    if deliver == "none":
        assert tray is None
        world.held = lambda body: True  # type: ignore[method-assign]
        verdict = None
        for _ in range(105):
            put(env, world.objects[0], np.array([target.x, target.y, target.support_m + 0.2]))
            verdict = verdict or env.judge()
        assert verdict == Verdict(True, "lifted")
    else:
        assert tray is not None
        assert env.scene.room_at(tray[0, 3], tray[1, 3]) == "living room"
        put(env, world.objects[0], tray[:3, 3] + [0, 0, SHAPES[target.query.shape].height_m / 2])
        reason = {"tray": "placed", "person": "handed_over"}[deliver]
        assert wait(env, 1.2) == Verdict(True, reason)
    env.restart(3)
    put(env, env.world.objects[0], np.array([3.5, 2.5, 0.05]))
    assert env.judge() == Verdict(False, "object_fell")
    env.close()


def test_who_waits_for_the_object_faces_the_robot() -> None:
    env = made("Fetch", deliver="person")
    for seed in range(5):
        env.restart(seed)
        x, y, yaw = env.world.layout.start
        person = env.world.people[0].pose()
        assert math.dist((x, y), person[:2]) == pytest.approx(1.1)
        assert seen_from(np.array([x, y, yaw]), person) == pytest.approx((1.1, 0.0, -math.pi), abs=1e-6) or (
            seen_from(np.array([x, y, yaw]), person)[2] == pytest.approx(math.pi)
        )
        tray = np.linalg.inv(env.world.robot.pose_base_in_world()) @ env.world.tray_pose()
        assert tray[:2, 3] == pytest.approx((1.1 - 0.34, 0.0), abs=0.02)
    env.close()


# FollowPerson


def test_follow_is_lost_when_the_person_is_gone_and_won_when_it_is_near() -> None:
    env = made("FollowPerson")
    env.restart(1)
    assert env.instruction == "follow me"
    person = env.world.people[0]
    assert math.dist(env.world.layout.start[:2], person.pose()[:2]) == pytest.approx(1.3)
    assert wait(env, 1.0) is None
    base_pose = env.world.base_pose
    env.world.base_pose = lambda: np.array([*(person.pose()[:2] + [0.0, 4.1]), 0.0])
    assert env.judge() == Verdict(False, "left_behind")
    assert env._info()["distance_max_m"] == pytest.approx(4.1)
    env.world.base_pose = base_pose
    env.restart(1)
    env.world.people[0].walked_s = env.world.people[0].route.duration_s
    end = env.world.people[0].route.goal
    for joint, value in enumerate(end):
        p.resetJointState(env.world.people[0].id, joint, float(value), 0.0, **env.world.on)
    env.world.base_pose = lambda: np.array([*(end + [1.5, 0.0]), 0.0])
    verdicts = [env.judge() for _ in range(101)]
    assert verdicts[:99] == [None] * 99
    assert verdicts[-1] == Verdict(True, "followed")
    env.close()


@pytest.mark.parametrize(("difficulty", "speeds"), [("easy", (0.25, 0.3)), ("hard", (0.4, 0.5))])
def test_the_person_leads_through_rooms(difficulty: str, speeds: tuple[float, float]) -> None:
    env = made("FollowPerson", difficulty=difficulty)
    for seed in range(4):
        env.restart(seed)
        place = env.world.layout.people[0]
        assert speeds[0] <= place.speed_m_s <= speeds[1]
        plan = floor_plan(env.scene, zones=True)
        for box in env.world.layout.obstacles:
            plan = plan.having(box)
        checks.check_person(place, plan, "drawn")
        rooms = {env.scene.room_at(*point) for point in place.route}
        assert len(rooms) >= 2
        assert 8.0 <= env.world.people[0].route.length_m <= 15.0
        assert 20 < env.world.people[0].route.duration_s < env.time_limit_s - 12
    env.close()


@pytest.mark.parametrize("task", ["Navigate", "Fetch", "FollowPerson", "EmergencyStop"])
def test_a_robot_that_stands_is_refused_where_the_task_leads_elsewhere(task: str) -> None:
    with pytest.raises(ConfigError, match=r"^robot: talos stands where it is.*robot=g1 walks"):
        made(task, body=Talos())


# EmergencyStop


def test_stop_is_heard_once_at_its_time_and_standing_still_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.emergency_stop.SAID_S", {"work": (0.3, 0.5)})
    env = made("EmergencyStop", situation="work")
    env.restart(4)
    heard = []
    still = Command(np.zeros(len(env.robot_spec.upper_joints)), np.ones(2), mode=Mode.HOLD)
    while env.verdict is None:
        env.advance(still)
        said = env.heard()
        if said:
            heard.append((env.world.time_s, said))
    assert len(heard) == 1
    assert heard[0][0] == pytest.approx(env.said_s)
    assert env.instruction.startswith("pick up the")
    assert env.verdict == Verdict(True, "stopped")
    info = env._info()
    assert (info["arms_stop_s"], info["base_stop_s"]) == (0.0, 0.0)
    assert env.world.time_s == pytest.approx(env.said_s + STAY_S, abs=0.02)
    env.close()


@pytest.mark.parametrize(("what", "reason"), [("arms", "arms_moved_on"), ("feet", "walked_on")])
def test_what_goes_on_moving_is_caught(what: str, reason: str) -> None:
    env = made("EmergencyStop", situation="walk")
    env.restart(5)
    upper = env.robot_spec.upper_index
    pose = env.robot_state().commanded_rad[upper].copy()
    elbow = env.robot_spec.upper_joints.index("left_elbow_joint")
    env.said_s = 1.0
    while env.verdict is None:
        if what == "arms":
            pose[elbow] += 0.005 * math.cos(env.world.time_s)
        ahead = np.array([0.3 if what == "feet" else 0.0, 0.0, 0.0])
        env.advance(Command(pose.copy(), np.ones(2), ahead))
    assert env.verdict == Verdict(False, reason)
    assert env.world.time_s - 1.0 == pytest.approx({"arms": 0.3, "feet": 1.0}[what], abs=0.06)
    env.close()


# Settings


@pytest.mark.parametrize(
    ("env_id", "settings", "words"),
    [
        ("Navigate", {"goal": "kitchn"}, "did you mean 'kitchen'"),
        ("Navigate", {"goal": "storage"}, "not a place to go to"),
        ("Navigate", {"scene": "table"}, "no rooms"),
        ("Fetch", {"deliver": "trey"}, "did you mean 'tray'"),
        ("Fetch", {"take_from": "kitchen tabel"}, "did you mean 'kitchen table'"),
        ("Fetch", {"put_on": "kitchen table"}, "not in the same one"),
        ("FollowPerson", {"scene": "table"}, "fewer than two rooms"),
        ("EmergencyStop", {"situation": "sit"}, "choose one of"),
        ("EmergencyStop", {"table": "desk"}, "no surface 'desk'"),
        ("PickPlace", {"table": "tabel"}, "did you mean 'table'"),
        ("Reach", {"difficulty": "esay"}, "did you mean 'easy'"),
        ("Reach", {"scene": "apartmant"}, "did you mean 'apartment'"),
    ],
)
def test_bad_settings_are_named(env_id: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(env_id, **settings)
