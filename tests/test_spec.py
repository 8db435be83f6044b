"""A robot's promise: which joints a command drives, and which commands fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.errors import SpecMismatch
from vla_sim.spec import RobotSpec
from vla_sim.types import Command

JOINTS = ("hip", "waist", "shoulder", "elbow", "wrist")


def robot(upper_joints: tuple[str, ...] = ("shoulder", "elbow"), hands: tuple[str, ...] = ("right",)) -> RobotSpec:
    n_upper = len(upper_joints)
    return RobotSpec(
        name="toy",
        control_rate_hz=100.0,
        joints=JOINTS,
        upper_joints=upper_joints,
        hands=hands,
        lower_rad=np.full(n_upper, -1.0),
        upper_rad=np.full(n_upper, 1.0),
        velocity_rad_s=np.full(n_upper, 2.0),
        cameras={},
    )


@given(st.permutations(JOINTS), st.integers(0, len(JOINTS)))
def test_upper_index_finds_each_upper_joint_in_its_order(order: list[str], n_upper: int) -> None:
    upper = tuple(order[:n_upper])
    index = robot(upper).upper_index
    assert tuple(JOINTS[i] for i in index) == upper


def test_upper_index_picks_from_an_array_even_when_no_joint_is_driven() -> None:
    joints_rad = np.arange(5.0)
    assert joints_rad[robot(("wrist", "waist")).upper_index].tolist() == [4.0, 1.0]
    assert joints_rad[robot(()).upper_index].shape == (0,)


@given(st.integers(0, 4), st.integers(0, 3))
def test_check_accepts_exactly_the_promised_shapes(n_joints: int, n_hands: int) -> None:
    spec = robot()
    command = Command(joints_rad=np.zeros(n_joints), grips=np.zeros(n_hands))
    if (n_joints, n_hands) == (2, 1):
        spec.check(command)
    else:
        with pytest.raises(SpecMismatch):
            spec.check(command)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"joints_rad": np.zeros((2, 1))}, "command.joints_rad: expected (2,), got (2, 1)"),
        ({"grips": np.zeros(2)}, "command.grips: expected (1,), got (2,)"),
        ({"base_velocity": np.zeros(2)}, "command.base_velocity: expected (3,), got (2,)"),
    ],
)
def test_check_names_the_part_that_does_not_fit(change: dict[str, Any], text: str) -> None:
    fits = Command(joints_rad=np.zeros(2), grips=np.zeros(1))
    with pytest.raises(SpecMismatch) as caught:
        robot().check(dataclasses.replace(fits, **change))
    assert str(caught.value) == text


def test_check_leaves_values_to_the_safety_stage() -> None:
    robot().check(Command(joints_rad=np.array([99.0, np.nan]), grips=np.array([2.0])))


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        robot().name = "other"  # type: ignore[misc]
