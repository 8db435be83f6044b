"""Randomisation: off by default, within its ranges, and felt by the world."""

from typing import Any

import numpy as np
import pybullet as p
import pytest
from hypothesis import given
from hypothesis import strategies as st

import envs
from envs import randomise
from envs.randomise import Drawn, Randomisation
from vla_sim.errors import ConfigError
from vla_sim.types import Command, Mode

EVERYTHING: dict[str, Any] = {
    "friction": [0.7, 0.9],
    "mass": [1.2, 1.5],
    "light": [0.6, 0.8],
    "light_turn_deg": 30.0,
    "camera_shift_m": 0.02,
    "camera_turn_deg": 2.0,
    "actuator_gain": [0.8, 0.9],
    "actuator_delay_s": [0.004, 0.008],
    "sensor_noise": [2.0, 3.0],
}


def test_off_changes_nothing() -> None:
    drawn = randomise.draw(Randomisation(), 3)
    assert (drawn.friction, drawn.light, drawn.sensor_noise, drawn.mass_of(0)) == (1.0, 1.0, 1.0, 1.0)
    assert np.array_equal(drawn.camera_offset, np.eye(4))
    assert drawn.actuation == Drawn().actuation


@given(st.integers(0, 10_000))
def test_everything_lies_within_its_range(seed: int) -> None:
    drawn = randomise.draw(randomise.load(EVERYTHING), seed)
    assert 0.7 <= drawn.friction <= 0.9
    assert all(1.2 <= factor <= 1.5 for factor in drawn.mass)
    assert 0.6 <= drawn.light <= 0.8
    assert 0.8 <= drawn.actuation.gain <= 0.9
    assert 0.004 <= drawn.actuation.delay_s <= 0.008
    assert 2.0 <= drawn.sensor_noise <= 3.0
    assert np.abs(drawn.camera_shift_m).max() <= 0.02
    assert np.abs(drawn.camera_turn_rad).max() <= np.radians(2.0)
    turn = drawn.camera_offset[:3, :3]
    assert turn @ turn.T == pytest.approx(np.eye(3))
    assert drawn == randomise.draw(randomise.load(EVERYTHING), seed)


def test_one_range_moves_nothing_of_the_others() -> None:
    alone, all_on = (randomise.draw(randomise.load(r), 5) for r in ({"mass": [1.2, 1.5]}, EVERYTHING))
    assert alone.mass == all_on.mass
    assert alone.friction == 1.0


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"frction": [1, 1]}, "did you mean 'friction'"),
        ({"friction": [1.0]}, r"\[low, high\]"),
        ({"friction": [2.0, 1.0]}, r"\[low, high\]"),
        ({"mass": [0.0, 1.0]}, "within 0.1-10"),
        ({"camera_turn_deg": -1.0}, "within 0-15"),
        ({"actuator_delay_s": [0.0, 1.0]}, "within 0-0.1"),
    ],
)
def test_bad_ranges_are_named(ranges: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        randomise.load(ranges)


def test_the_world_is_built_as_drawn_and_says_so() -> None:
    plain = envs.make("VlaSim/PickPlace-v0")
    other = envs.make("VlaSim/PickPlace-v0", randomise=EVERYTHING)
    for env in (plain, other):
        env.restart(4)
    one, two = plain.world, other.world
    drawn = two.drawn
    masses = [p.getDynamicsInfo(w.objects[1], -1, **w.on)[0] for w in (one, two)]
    assert masses[1] / masses[0] == pytest.approx(drawn.mass_of(1))
    for body in (one.floor, one.objects[0], one.furniture["table"]):
        rough = [p.getDynamicsInfo(body, -1, **w.on)[1] for w in (one, two)]
        assert rough[1] / rough[0] == pytest.approx(drawn.friction)
    assert two.layout == one.layout
    info = other.reset(seed=4)[1]["drawn"]
    assert info["friction"] == drawn.friction
    assert info["mass"] == drawn.mass_of(0)
    dark, bright = (env.cameras.capture("head", noise=False).rgb.mean() for env in (other, plain))
    assert dark < 0.95 * bright
    spec = plain.camera_specs["head"]
    known = two.robot.pose_camera_in_world("head")
    off = np.linalg.inv(known) @ other.cameras.pose_in_world(spec)
    assert off == pytest.approx(drawn.camera_offset)
    for env in (plain, other):
        env.close()


def test_weak_late_motors_follow_later() -> None:
    angles = []
    for settings in ({}, {"actuator_gain": [0.5, 0.5], "actuator_delay_s": [0.05, 0.05]}):
        env = envs.make("VlaSim/PickPlace-v0", randomise=settings)
        env.restart(1)
        upper = env.robot_spec.upper_index
        start = env.robot_state().commanded_rad[upper]
        target = start.copy()
        target[env.robot_spec.upper_joints.index("left_elbow_joint")] += 0.3
        for _ in range(10):
            env.advance(Command(target, np.ones(2), mode=Mode.TRACK))
        angles.append(float(np.abs(env.robot_state().joints_rad[upper] - start).max()))
        env.close()
    assert angles[1] < 0.8 * angles[0]
