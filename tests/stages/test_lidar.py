"""Parts of a lidar's turn, joined."""

import numpy as np

from vla_sim.stages.lidar import HELD_M, ScanWindow, levelled, without
from vla_sim.types import Array, Scan


def part(time_s: float, x: float, pose: Array | None = None) -> Scan:
    return Scan(
        time_s, np.array([[x, 0, 1]], np.float32), np.array([True]), np.zeros(3), np.eye(4) if pose is None else pose
    )


def test_a_whole_turn_needs_all_its_parts() -> None:
    window = ScanWindow(parts=2)
    assert window.recent() is None
    assert window.whole() is None
    window.add(part(0.0, 1.0))
    recent = window.recent()
    assert recent is not None
    assert len(recent.points_in_base) == 1
    assert window.whole() is None
    window.add(part(0.1, 2.0))
    window.add(part(0.2, 3.0))
    whole = window.whole()
    assert whole is not None
    assert whole.time_s == 0.2
    assert whole.points_in_base[:, 0].tolist() == [2.0, 3.0]


def test_older_parts_are_moved_into_the_newest_base() -> None:
    """A wall at x = 5 stays at x = 5 of the world while the robot walks 1 m towards it and turns round."""
    window = ScanWindow(parts=2)
    window.add(part(0.0, 5.0))
    turned = np.eye(4)
    turned[:2, :2], turned[0, 3] = [[-1, 0], [0, -1]], 1.0
    window.add(part(0.1, -4.0, turned))
    whole = window.whole()
    assert whole is not None
    np.testing.assert_allclose(whole.points_in_base[:, 0], [-4.0, -4.0], atol=1e-6)


def test_joining_is_done_once() -> None:
    window = ScanWindow(parts=1)
    window.add(part(0.0, 1.0))
    assert window.recent() is window.recent()


def test_what_a_hand_holds_is_not_seen() -> None:
    tool = np.array([[0.3, 0.2, 0.9]])
    points = np.array([[0.3, 0.2, 0.9 + HELD_M - 0.01], [0.3, 0.2, 0.9 + HELD_M + 0.01], [3, 0, 1]], np.float32)
    seen = Scan(0.0, points, np.array([True, True, False]), np.zeros(3), np.eye(4))
    left = without(seen, tool)
    assert left.points_in_base.tolist() == points[1:].tolist()
    assert left.hit.tolist() == [True, False]
    assert without(left, tool) is left


def test_a_tilted_base_frame_does_not_lift_the_floor() -> None:
    """The floor 5 m ahead, seen from a base pitched by 3 degrees and 2 cm up, lies level again."""
    pitch = np.radians(3.0)
    tilted = np.eye(4)
    tilted[0, 0] = tilted[2, 2] = np.cos(pitch)
    tilted[0, 2], tilted[2, 0] = np.sin(pitch), -np.sin(pitch)
    tilted[:3, 3] = 1.0, 2.0, 0.02
    floor, eye = np.array([6.0, 2.0, 0.0]), np.array([1.0, 2.0, 1.2])
    seen = (np.linalg.inv(tilted) @ [*floor, 1])[:3].astype(np.float32)
    assert abs(seen[2]) > 0.2
    origin = (np.linalg.inv(tilted) @ [*eye, 1])[:3]
    flat = levelled(Scan(0.0, seen[None], np.array([True]), origin, tilted))
    np.testing.assert_allclose(flat.points_in_base[0], [5.0, 0.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(flat.origin_in_base, [0.0, 0.0, 1.2], atol=1e-6)
