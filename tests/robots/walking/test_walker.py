"""The walker in a world: it stands, walks, stops, is pushed and falls, and says so; the same bits every time."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from experiments.walking.world import Ground, World
from robots.g1.model import JOINT_NAMES, ready_posture
from robots.g1.urdf import g1_files
from robots.g1.walking import SensorNoise, Walker
from vla_sim.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
AHEAD, STILL = (0.4, 0.0, 0.0), (0.0, 0.0, 0.0)


@contextmanager
def standing(seed: int = 0, **settings: float) -> Iterator[World]:
    world = World(Ground(), seed, **settings)  # type: ignore[arg-type]
    yield world
    world.close()


def go(world: World, seconds: float, velocity: tuple[float, float, float] = STILL, halt: bool = False) -> None:
    for _ in range(round(seconds * Walker.rate_hz)):
        world.step(velocity, halt)


def errors(world: World) -> tuple[float, float]:
    """(m, rad) by which the estimated pelvis is wrong."""
    x, y, _, yaw = world.true_pose()
    pose = world.walker.pose_pelvis_in_odom
    turned = math.atan2(pose[1, 0], pose[0, 0]) - yaw
    return math.hypot(pose[0, 3] - x, pose[1, 3] - y), abs((turned + math.pi) % (2 * math.pi) - math.pi)


def digest(world: World) -> str:
    return hashlib.sha256(world.walker.truth.joints.tobytes() + world.walker.pose_pelvis_in_odom.tobytes()).hexdigest()


def test_it_stands_where_it_was_put_and_feet_stay_while_an_arm_reaches_out() -> None:
    with standing(yaw=0.8, payload_kg=1.0) as world:
        go(world, 0.2)
        feet = world.true_feet()
        out = world.upper.copy()
        out[[10, 11, 12, 13]] = -0.6, -0.2, 0.0, 0.3
        ready = world.upper
        for part in np.linspace(0, 1, 300):
            world.upper = ready + (out - ready) * part
            world.step(STILL)
        go(world, 1.0)
        assert world.walker.steps == 0
        assert np.abs(world.true_feet() - feet).max() < 0.01
        assert world.walker.standing
        assert world.walker.heading_in_odom == pytest.approx([0, 0, 0.8], abs=0.02)
        assert 0.03 < world.walker.support_margin_m < 0.1
        assert not world.fallen()


def test_it_walks_turns_and_stops_on_its_own_estimate() -> None:
    with standing(seed=3) as world:
        go(world, 0.3)
        go(world, 4.0, AHEAD)
        ahead = world.true_pose()
        assert ahead[0] > 0.9
        assert abs(ahead[1]) < 0.15
        assert world.walker.phase == "step"
        assert world.walker.velocity_of_pelvis[0] > 0.15
        go(world, 2.5, (0.0, 0.0, 0.5))
        assert world.true_pose()[3] - ahead[3] > 0.5
        go(world, 2.5)
        steps, feet = world.walker.steps, world.true_feet()
        go(world, 0.6)
        assert world.walker.steps == steps > 10
        assert np.abs(world.true_feet() - feet).max() < 0.005
        assert not world.walker.fallen
        metres, radians = errors(world)
        assert metres < 0.06
        assert radians < math.radians(1)
        x, y, _, _ = world.true_pose()
        assert world.walker.heading_in_odom[:2] == pytest.approx([x, y], abs=0.12)


def test_perfect_sensors_see_the_truth_of_a_robot_at_rest() -> None:
    with standing(noise=SensorNoise.none()) as world:  # type: ignore[arg-type]
        go(world, 0.5)
        metres, radians = errors(world)
        assert metres < 1e-3
        assert radians < 1e-3


def test_an_emergency_stop_ends_the_walk_though_the_command_goes_on() -> None:
    with standing(seed=1) as world:
        go(world, 4.0, AHEAD)
        go(world, 1.0, AHEAD, halt=True)
        steps, before = world.walker.steps, world.true_pose()
        go(world, 0.5, AHEAD, halt=True)
        assert world.walker.steps == steps
        assert math.dist(world.true_pose()[:2], before[:2]) < 0.03
        assert not world.fallen()


def test_a_push_is_caught_by_steps() -> None:
    with standing() as world:
        go(world, 0.8)
        world.push = 0.0, 150.0
        go(world, 0.1)
        world.push = None
        go(world, 3.0)
        assert world.walker.steps > 0
        assert not world.fallen()
        assert not world.walker.fallen


def test_a_fall_is_noticed() -> None:
    with standing() as world:
        go(world, 0.4)
        assert not world.walker.fallen
        world.push = -900.0, 0.0
        go(world, 0.2)
        world.push = None
        go(world, 1.5)
        assert world.fallen()
        assert world.walker.fallen


def walked(seed: int) -> str:
    with standing(seed) as world:
        go(world, 1.5, AHEAD)
        return digest(world)


def test_the_same_seed_gives_the_same_bits_alone_interleaved_and_in_another_process() -> None:
    alone = walked(7)
    with standing(7) as one, standing(8) as other:
        for _ in range(round(1.5 * Walker.rate_hz)):
            one.step(AHEAD)
            other.step((0.0, 0.1, 0.2))
        assert digest(one) == alone
        assert digest(other) != alone
    folder = Path(__file__).parent
    program = (
        f"import sys; sys.path[:0] = [{str(folder)!r}]; import test_walker; sys.stdout.write(test_walker.walked(7))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(alone)


def test_a_reset_forgets_what_was_before() -> None:
    walker = Walker(g1_files().kinematics, JOINT_NAMES)
    first = walker.reset(ready_posture(), 4, 1.0, -2.0, 0.5)
    for _ in range(20):
        walker.tick(ready_posture()[12:], np.array([0.3, 0.0, 0.0]))
    again = walker.reset(ready_posture(), 4, 1.0, -2.0, 0.5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert walker.time_s == walker.steps == 0
    assert walker.heading_in_odom == pytest.approx([first[1][0], first[1][1], 0.5])


def test_commanded_arms_pass_through_and_legs_carry_them() -> None:
    walker = Walker(g1_files().kinematics, JOINT_NAMES, noise=SensorNoise.none())
    walker.reset(ready_posture(), 0)
    before = walker.tick(ready_posture()[12:], np.zeros(3)).copy()
    upper = ready_posture()[12:]
    upper[3] -= 0.5
    for _ in range(5):
        after = walker.tick(upper, np.zeros(3)).copy()
    assert np.array_equal(after[12:], upper)
    assert np.abs(after[:12] - before[:12]).max() > 1e-3


def test_a_posture_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="28 joint angles for 29"):
        Walker(g1_files().kinematics, JOINT_NAMES).reset(np.zeros(28), 0)
