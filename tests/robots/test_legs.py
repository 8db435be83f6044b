"""The walker under the G1's body: what is commanded, what is estimated, and what is true."""

from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest

from robots.articulated import Articulated
from robots.body import Actuation, Start
from robots.g1 import G1
from vla_sim.errors import ConfigError
from vla_sim.types import Array, Command, Mode

RATE_HZ, STEPS = 100.0, 5


class Floor:
    """A floor with one G1 on it."""

    def __init__(self, actuation: Actuation | None = None) -> None:
        self.client = p.connect(p.DIRECT)
        on = {"physicsClientId": self.client}
        p.setGravity(0, 0, -9.81, **on)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1 / (RATE_HZ * STEPS), numSolverIterations=50, deterministicOverlappingPairs=1, **on
        )
        floor = p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, **on), **on)
        p.changeDynamics(floor, -1, lateralFriction=0.9, **on)
        kind = G1()
        self.body: Articulated = kind.build(self.client, kind.spec(RATE_HZ), RATE_HZ * STEPS, actuation)

    def go(self, velocity: tuple[float, float, float], time_s: float, mode: Mode = Mode.TRACK) -> Array:
        """Heights of the pelvis, one a control period."""
        arms = self.body.commanded_rad[self.body.spec.upper_index].copy()
        heights = []
        for _ in range(round(time_s * RATE_HZ)):
            self.body.apply(Command(arms, np.ones(2), np.array(velocity), mode))
            for _ in range(STEPS):
                self.body.before_step()
                p.stepSimulation(physicsClientId=self.client)
            heights.append(self.body.root_in_world()[0][2])
        return np.array(heights)


@pytest.fixture
def floor() -> Iterator[Floor]:
    made = Floor()
    yield made
    p.disconnect(made.client)


def planar(pose: Array) -> Array:
    return np.array([pose[0, 3], pose[1, 3], np.arctan2(pose[1, 0], pose[0, 0])])


def test_it_starts_where_it_is_put_and_knows_it(floor: Floor) -> None:
    floor.body.reset(Start(1.0, -2.0, 0.7, seed=1))
    floor.go((0, 0, 0), 0.5)
    np.testing.assert_allclose(planar(floor.body.pose_base_in_world()), [1.0, -2.0, 0.7], atol=0.004)
    state = floor.body.state(0.5)
    np.testing.assert_allclose(planar(state.pose_base_in_odom), [1.0, -2.0, 0.7], atol=0.01)
    np.testing.assert_allclose(state.heading_in_odom, [1.0, -2.0, 0.7], atol=0.02)
    assert state.standing
    assert state.support_margin_m is not None
    assert 0.02 < state.support_margin_m < 0.2


def test_it_walks_turns_and_comes_to_rest_standing(floor: Floor) -> None:
    floor.body.reset(Start(seed=2))
    floor.go((0, 0, 0), 0.3)
    floor.go((0.3, 0, 0.3), 4.0)
    assert not floor.body.state(0.0).standing
    heights = floor.go((0, 0, 0), 3.5)  # it stops, and rises
    state, true = floor.body.state(0.0), planar(floor.body.pose_base_in_world())
    assert 0.7 < np.hypot(*true[:2]) < 1.4
    assert 0.7 < true[2] < 1.6
    assert state.standing
    assert not floor.body.fallen
    np.testing.assert_allclose(planar(state.pose_base_in_odom)[:2], true[:2], atol=0.08)
    assert np.ptp(heights[-50:]) < 0.003


def test_hold_ends_the_walk(floor: Floor) -> None:
    floor.body.reset(Start(seed=3))
    floor.go((0.4, 0, 0), 2.0)
    floor.go((0.4, 0, 0), 1.5, Mode.HOLD)
    before = planar(floor.body.pose_base_in_world())
    floor.go((0.4, 0, 0), 0.5, Mode.HOLD)
    np.testing.assert_allclose(planar(floor.body.pose_base_in_world()), before, atol=0.004)


def test_damped_it_gives_way_and_says_that_it_has_fallen(floor: Floor) -> None:
    floor.body.reset(Start(seed=4))
    floor.go((0, 0, 0), 1.5, Mode.DAMP)
    assert floor.body.fallen


def test_motors_that_are_late_and_soft_still_stand() -> None:
    late = Floor(Actuation(gain=0.95, delay_s=0.004))
    late.body.reset(Start(seed=5))
    late.go((0, 0, 0), 1.5)
    assert not late.body.fallen
    p.disconnect(late.client)


def test_a_physics_rate_the_walker_cannot_share_is_refused() -> None:
    client = p.connect(p.DIRECT)
    kind = G1()
    body = kind.build(client, kind.spec(RATE_HZ), 300.0)
    with pytest.raises(ConfigError, match="250"):
        body.reset(Start())
    p.disconnect(client)


def test_two_bodies_in_turn_are_each_as_one_alone() -> None:
    """No state is shared between bodies of one process, and the noise is each body's own."""

    def play(others: int) -> Array:
        floors = [Floor() for _ in range(1 + others)]
        for i, one in enumerate(floors):
            one.body.reset(Start(seed=7 + i))
        for _ in range(15):
            for one in floors:
                one.go((0.2, 0, 0.1), 0.1)
        state = floors[0].body.state(0.0)
        for one in floors:
            p.disconnect(one.client)
        return np.concatenate([state.joints_rad, state.pose_base_in_odom.ravel()])

    assert (play(0) == play(1)).all()
