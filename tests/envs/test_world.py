"""A command that comes late in its control period."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from robots.body import BodyKind
from robots.g1 import G1
from robots.talos import Talos
from vla_sim.types import Array, Command

STEPS = 12


def commands(ready_rad: Array) -> list[Command]:
    """An arm on the move, so that every period matters."""
    moved = np.linspace(0.0, 0.3, STEPS)
    return [Command(ready_rad + x * (np.arange(len(ready_rad)) == 4), np.ones(2)) for x in moved]


def joints(body: BodyKind, late_s: float, periods_before: int = 0) -> list[Array]:
    """[n] joints after every control period."""
    env = envs.make("VlaSim/Reach-v0", body)
    try:
        env.restart(3)
        upper = env.robot_spec.upper_index
        still = env.robot_state().commanded_rad[upper].copy()
        for _ in range(periods_before):
            env.world.step()
        seen = []
        for command in commands(still):
            env.advance(command, late_s)
            seen.append(env.robot_state().joints_rad.copy())
        return seen
    finally:
        env.close()


@pytest.mark.parametrize("body", [G1(), Talos()], ids=["g1", "talos"])
def test_a_command_a_whole_period_late_is_the_one_before(body: BodyKind) -> None:
    late, on_time = joints(body, 0.01), joints(body, 0.0, periods_before=1)
    np.testing.assert_array_equal(np.array(late)[1:], np.array(on_time)[:-1])


def test_the_later_a_command_comes_the_less_it_has_moved() -> None:
    ends = [joints(G1(), late_s)[-1] for late_s in (0.0, 0.002, 0.004, 0.006, 0.008)]
    start = joints(G1(), 0.0)[0]
    moved = [float(np.abs(end - start).max()) for end in ends]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > moved[-1] + 0.005


def test_less_than_half_a_physics_step_is_nothing() -> None:
    np.testing.assert_array_equal(np.array(joints(G1(), 0.0009)), np.array(joints(G1(), 0.0)))
