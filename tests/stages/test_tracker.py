"""The tracker: late, missing and disordered sightings of one object."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.stages.tracking import Estimate, ObjectTracker, TrackerConfig
from vla_sim.types import Detection, Detections, ObjectQuery

CUBE = ObjectQuery("cube", "red")
PERIOD_S = 0.05
SPEEDS = st.floats(-0.3, 0.3)


def cube(x: float = 0.3, y: float = 0.2, **other: Any) -> Detection:
    given_ = {"shape": "cube", "colour": "red", "yaw_rad": 0.0, "top_m": 0.75, "confidence": 0.9, "visible": 1.0}
    return Detection(position_in_base=np.array([x, y, 0.725]), **{**given_, **other})


def image(time_s: float, *items: Detection) -> Detections:
    return Detections(time_s, items)


def moving(k: int, vx: float, vy: float) -> Detections:
    """The k-th image of a cube in steady motion."""
    return image(k * PERIOD_S, cube(0.3 + vx * k * PERIOD_S, 0.2 + vy * k * PERIOD_S))


def tracker(*images: Detections, query: ObjectQuery = CUBE, **config: Any) -> ObjectTracker:
    made = ObjectTracker(query, TrackerConfig(**config))
    for detections in images:
        made.update(detections)
    return made


def estimate(made: ObjectTracker, now_s: float) -> Estimate:
    found = made.estimate(now_s)
    assert found is not None
    return found


@given(vx=SPEEDS, vy=SPEEDS, count=st.integers(4, 30), delay_s=st.floats(0, 1.5))
def test_prediction_undoes_the_delay_at_constant_velocity(vx: float, vy: float, count: int, delay_s: float) -> None:
    last_s = (count - 1) * PERIOD_S
    now_s = last_s + delay_s
    got = estimate(tracker(*(moving(k, vx, vy) for k in range(count)), predict=True), now_s)
    speed = np.hypot(vx, vy)
    assert got.age_s == pytest.approx(delay_s)
    assert got.speed_m_s == pytest.approx(speed, abs=1e-9)
    if abs(speed - 0.008) < 1e-6:
        return
    seen_at_s = now_s if speed > 0.008 else last_s  # what stands still is not extrapolated
    assert got.position_in_base == pytest.approx([0.3 + vx * seen_at_s, 0.2 + vy * seen_at_s, 0.725], abs=1e-7)
    assert got.velocity_in_base == pytest.approx([vx, vy, 0] if speed > 0.008 else np.zeros(3), abs=1e-9)


@given(vx=SPEEDS, vy=SPEEDS, order=st.permutations(range(14)), predict=st.booleans())
def test_the_order_of_arrival_does_not_matter(vx: float, vy: float, order: list[int], predict: bool) -> None:
    images = [moving(k, vx, vy) for k in range(14)]
    straight = estimate(tracker(*images, predict=predict), 1.0)
    mixed = estimate(tracker(*(images[k] for k in order), predict=predict), 1.0)
    assert np.array_equal(mixed.position_in_base, straight.position_in_base)
    assert np.array_equal(mixed.velocity_in_base, straight.velocity_in_base)
    assert (mixed.observed_s, mixed.speed_m_s, mixed.moving) == (
        straight.observed_s, straight.speed_m_s, straight.moving,
    )  # fmt: skip


@given(order=st.permutations(range(60)))
def test_a_long_history_forgets_the_oldest_in_any_order(order: list[int]) -> None:
    images = [moving(k, 0.1, 0.0) for k in range(60)]
    got = estimate(tracker(*(images[k] for k in order), predict=True, history=16), 3.0)
    assert got.position_in_base[0] == pytest.approx(0.3 + 0.1 * 3.0, abs=1e-7)


def test_without_prediction_the_newest_sighting_is_what_is_known() -> None:
    got = estimate(tracker(*(moving(k, 0.1, 0.0) for k in range(10))), 2.0)
    assert got.position_in_base[0] == pytest.approx(0.3 + 0.1 * 9 * PERIOD_S)
    assert np.array_equal(got.velocity_in_base, np.zeros(3))
    assert got.moving
    assert got.age_s == pytest.approx(2.0 - 9 * PERIOD_S)


def test_a_change_of_speed_is_forgotten_after_the_window() -> None:
    first = [image(k * PERIOD_S, cube(0.3 + 0.1 * k * PERIOD_S)) for k in range(10)]
    rest = [image((10 + k) * PERIOD_S, cube(first[-1].items[0].position_in_base[0])) for k in range(13)]
    got = estimate(tracker(*first, *rest), 2.0)
    assert got.speed_m_s == pytest.approx(0.0, abs=1e-9)
    assert not got.moving


@pytest.mark.parametrize(("count", "period_s"), [(3, 0.1), (5, 0.03)])
def test_too_few_or_too_close_sightings_give_no_velocity(count: int, period_s: float) -> None:
    got = estimate(tracker(*(image(k * period_s, cube(0.3 + k * 0.01)) for k in range(count))), 1.0)
    assert (got.speed_m_s, got.moving) == (0.0, False)


def test_noise_on_a_resting_object_is_not_motion() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        images = [image(k * PERIOD_S, cube(*(np.array([0.3, 0.2]) + rng.normal(0, 0.0006, 2)))) for k in range(20)]
        assert not estimate(tracker(*images), 1.0).moving


def test_nothing_is_known_before_the_first_sighting() -> None:
    made = tracker(image(0.0), image(0.05, cube(colour="blue")), image(0.1, cube(shape="ball")))
    assert made.estimate(0.2) is None


def test_any_colour_will_do_when_none_was_named() -> None:
    assert estimate(tracker(image(0.0, cube(colour="blue")), query=ObjectQuery("cube")), 0.0).detection.colour == "blue"


def test_of_two_alike_the_surest_is_taken_first_and_then_the_nearest() -> None:
    left, right = cube(y=0.2, confidence=0.8), cube(y=-0.2, confidence=0.9)
    made = tracker(image(0.0, left, right))
    assert estimate(made, 0.0).position_in_base[1] == -0.2
    made.update(image(0.05, cube(y=0.2, confidence=0.99), cube(y=-0.19, confidence=0.6)))
    assert estimate(made, 0.05).position_in_base[1] == -0.19


def test_an_occluded_sighting_is_not_believed() -> None:
    made = tracker(*(image(k * PERIOD_S, cube()) for k in range(4)))
    made.update(image(0.2, cube(x=0.33, visible=0.5)))
    made.update(image(0.25, cube(x=0.33, top_m=0.78)))
    got = estimate(made, 0.3)
    assert got.position_in_base[0] == 0.3
    assert got.observed_s == pytest.approx(0.15)


def test_what_stays_changed_is_believed_in_the_end() -> None:
    made = tracker(*(image(k * PERIOD_S, cube()) for k in range(4)), lost_after=5)
    fallen = [image(1.0 + k * PERIOD_S, cube(x=0.35, top_m=0.72)) for k in range(5)]
    for detections in fallen[:-1]:
        made.update(detections)
        assert estimate(made, 2.0).position_in_base[0] == 0.3
    made.update(fallen[-1])
    assert estimate(made, 2.0).position_in_base[0] == 0.35


def test_reset_forgets_everything() -> None:
    made = tracker(*(moving(k, 0.1, 0.1) for k in range(6)))
    made.reset()
    assert made.estimate(1.0) is None
