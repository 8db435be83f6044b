"""What was seen stays where it is while the robot moves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.stages import anchoring, planar
from vla_sim.stages.tracking import ObjectTracker
from vla_sim.types import Array, Detection, Detections, ObjectQuery

poses = st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3)).map(np.array)


def cube(x: float, y: float, yaw: float = 0.1) -> Detection:
    return Detection("cube", "red", np.array([x, y, 0.725]), yaw, 0.75, 1.0, 1.0)


@given(poses, st.floats(-0.7, 0.7))
def test_into_odom_and_back_is_where_it_was(pose: Array, yaw: float) -> None:
    seen = Detections(0.0, (cube(0.3, 0.2, yaw),))
    item = anchoring.detections_in_base(anchoring.detections_in_odom(seen, pose), pose).items[0]
    np.testing.assert_allclose(item.position_in_base, [0.3, 0.2, 0.725], atol=1e-9)
    assert abs(item.yaw_rad - yaw) < 1e-9


@given(poses, poses)
def test_an_object_stays_in_the_world_while_the_robot_walks(first: Array, then: Array) -> None:
    tracker = ObjectTracker(ObjectQuery("cube", "red"))
    tracker.update(anchoring.detections_in_odom(Detections(0.0, (cube(0.4, -0.1),)), first))
    estimate = tracker.estimate(1.0)
    assert estimate is not None
    seen_from_there = anchoring.estimate_in_base(estimate, then)
    in_world = planar.apply(first, np.array([0.4, -0.1]))
    np.testing.assert_allclose(planar.apply(then, seen_from_there.position_in_base[:2]), in_world, atol=1e-9)
    assert seen_from_there.position_in_base[2] == 0.725


def test_the_velocity_turns_with_the_robot() -> None:
    tracker = ObjectTracker(ObjectQuery("cube", "red"))
    for k in range(8):
        tracker.update(Detections(0.05 * k, (cube(0.3, -0.2 + 0.01 * k),)))
    estimate = tracker.estimate(0.4)
    assert estimate is not None
    assert estimate.moving
    turned = anchoring.estimate_in_base(estimate, np.array([0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(turned.velocity_in_base[0], estimate.velocity_in_base[1], atol=1e-9)


def test_round_things_have_no_heading_to_turn() -> None:
    ball = Detection("ball", "red", np.array([0.3, 0.2, 0.73]), 0.0, 0.76, 1.0, 1.0)
    moved = anchoring.detections_in_odom(Detections(0.0, (ball,)), np.array([0.0, 0.0, 1.0]))
    assert moved.items[0].yaw_rad == 0.0
