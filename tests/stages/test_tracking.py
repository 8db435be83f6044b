"""The tracker: speed recovered, order of arrival forgotten, poor sightings refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.errors import ConfigError
from vla_sim.stages.tracking import Estimate, ObjectTracker, TrackerConfig
from vla_sim.types import Array, Detection, Detections, ObjectQuery

QUERY = ObjectQuery("cube", "red")
PREDICT = TrackerConfig(predict=True)
PERIOD_S = 0.05
speeds = st.floats(-0.12, 0.12)


def cube(x: float, y: float, **changes: object) -> Detection:
    seen = Detection("cube", "red", np.array([x, y, 0.725]), 0.0, 0.75, 0.9, 1.0)
    return dataclasses.replace(seen, **changes)  # type: ignore[arg-type]


def image(time_s: float, *items: Detection) -> Detections:
    return Detections(time_s, items)


def ride(vx: float, vy: float, count: int = 20) -> list[Detections]:
    """An object at constant velocity from (0.3, -0.2)."""
    return [image(k * PERIOD_S, cube(0.3 + vx * k * PERIOD_S, -0.2 + vy * k * PERIOD_S)) for k in range(count)]


def tracked(images: list[Detections], config: TrackerConfig | None = None) -> ObjectTracker:
    tracker = ObjectTracker(QUERY, config)
    for seen in images:
        tracker.update(seen)
    return tracker


def known(tracker: ObjectTracker, now_s: float) -> Estimate:
    estimate = tracker.estimate(now_s)
    assert estimate is not None
    return estimate


def place(estimate: Estimate) -> Array:
    return estimate.position_in_base[:2]


@given(vx=speeds, vy=speeds, delay_s=st.floats(0.0, 1.0))
def test_a_constant_velocity_is_recovered_and_hides_any_delay(vx: float, vy: float, delay_s: float) -> None:
    images = ride(vx, vy)
    now_s = images[-1].time_s + delay_s
    estimate = known(tracked(images, PREDICT), now_s)
    speed = float(np.hypot(vx, vy))
    assert estimate.speed_m_s == pytest.approx(speed, abs=1e-9)
    assert estimate.age_s == pytest.approx(delay_s)
    if abs(speed - 0.008) < 1e-6 or abs(speed - 0.015) < 1e-6:
        return
    assert estimate.moving == (speed > 0.015)
    moving = speed > 0.008
    assert estimate.velocity_in_base == pytest.approx([vx, vy, 0.0] if moving else [0, 0, 0], abs=1e-9)
    at_s = now_s if moving else images[-1].time_s
    assert place(estimate) == pytest.approx([0.3 + vx * at_s, -0.2 + vy * at_s], abs=1e-9)


def test_noise_of_a_millimetre_costs_little() -> None:
    draw = np.random.Generator(np.random.PCG64(0))
    errors = []
    for _ in range(50):
        images = [
            image(seen.time_s, cube(*(seen.items[0].position_in_base[:2] + draw.normal(0, 0.001, 2))))
            for seen in ride(0.0, 0.06)
        ]
        estimate = known(tracked(images, PREDICT), images[-1].time_s + 0.5)
        errors.append(estimate.position_in_base[1] + 0.2 - 0.06 * (images[-1].time_s + 0.5))
    # least squares: sigma of the velocity is sigma / (dt sqrt(n (n^2 - 1) / 12)), n = 12 images in 0.6 s
    n, age_s = 12, 0.5 + 0.5 * 11 * PERIOD_S
    expected = 0.001 * np.sqrt(1 / n + age_s**2 / (PERIOD_S**2 * n * (n**2 - 1) / 12))
    assert np.std(errors) == pytest.approx(expected, rel=0.3)


@given(order=st.permutations(range(14)), vy=speeds, hidden=st.sets(st.integers(2, 13), max_size=4))
def test_the_order_of_arrival_does_not_matter(order: list[int], vy: float, hidden: set[int]) -> None:
    images = ride(0.0, vy, 14)
    for k in hidden:
        images[k] = image(images[k].time_s, dataclasses.replace(images[k].items[0], visible=0.3))
    one, other = (known(tracked(seen, PREDICT), 1.0) for seen in (images, [images[k] for k in order]))
    assert one.observed_s == other.observed_s
    assert one.speed_m_s == other.speed_m_s
    assert one.position_in_base.tobytes() == other.position_in_base.tobytes()


def test_without_prediction_the_newest_image_counts_whenever_it_arrives() -> None:
    images = ride(0.0, 0.06)
    tracker = tracked([*images[:10], images[15], images[12]])
    estimate = known(tracker, 1.0)
    assert estimate.observed_s == images[15].time_s
    assert estimate.detection is images[15].items[0]
    assert estimate.position_in_base is estimate.detection.position_in_base
    assert not estimate.velocity_in_base.any()
    assert estimate.moving
    assert estimate.speed_m_s == pytest.approx(0.06)


@pytest.mark.parametrize(("count", "period_s"), [(3, 0.1), (4, 0.04)])
def test_too_few_or_too_close_sightings_give_no_velocity(count: int, period_s: float) -> None:
    images = [image(k * period_s, cube(0.3, 0.1 * k * period_s)) for k in range(count)]
    estimate = known(tracked(images, PREDICT), 1.0)
    assert (estimate.speed_m_s, estimate.moving) == (0.0, False)
    assert estimate.position_in_base is images[-1].items[0].position_in_base


def test_the_velocity_follows_a_change_within_its_window() -> None:
    images = ride(0.0, 0.06, 20)
    stop = images[-1].items[0]
    images += [image(images[-1].time_s + (k + 1) * PERIOD_S, stop) for k in range(13)]
    estimate = known(tracked(images, PREDICT), images[-1].time_s)
    assert not estimate.moving
    assert place(estimate) == pytest.approx(stop.position_in_base[:2])


@pytest.mark.parametrize("poor", [{"visible": 0.6}, {"top_m": 0.763}, {"top_m": 0.737}])
def test_poor_sightings_are_refused(poor: dict[str, float]) -> None:
    images = [image(k * PERIOD_S, cube(0.3, 0.1)) for k in range(6)]
    shifted = image(6 * PERIOD_S, cube(0.31, 0.1, **poor))
    fair = image(7 * PERIOD_S, cube(0.32, 0.1, visible=0.63, top_m=0.7615))
    tracker = tracked([*images, shifted])
    assert known(tracker, 1.0).observed_s == images[-1].time_s
    tracker.update(fair)
    assert known(tracker, 1.0).observed_s == fair.time_s


def test_the_best_of_the_first_sightings_sets_what_must_be_visible() -> None:
    entering = [image(k * PERIOD_S, cube(0.3, 0.1, visible=share)) for k, share in enumerate((0.3, 1.0, 1.0, 1.0))]
    tracker = tracked([*entering, image(0.2, cube(0.3, 0.1, visible=0.5))])
    assert known(tracker, 1.0).observed_s == entering[-1].time_s


def test_of_two_alike_the_surest_is_taken_and_then_kept() -> None:
    near, far = (0.30, 0.10), (0.30, 0.23)
    images = [image(0.0, cube(*far, confidence=0.7), cube(*near, confidence=0.9))]
    images += [image(k * PERIOD_S, cube(*far, confidence=0.95), cube(*near, confidence=0.6)) for k in range(1, 8)]
    assert place(known(tracked(images), 1.0)) == pytest.approx(near)


def test_a_twin_is_not_taken_for_the_hidden_one() -> None:
    images = [image(k * PERIOD_S, cube(0.3, 0.10), cube(0.3, 0.23)) for k in range(6)]
    images[0] = image(0.0, cube(0.3, 0.10))
    images += [image(k * PERIOD_S, cube(0.3, 0.23)) for k in range(6, 12)]
    assert place(known(tracked(images), 1.0)) == pytest.approx([0.3, 0.10])


def test_the_gate_moves_along_with_the_object() -> None:
    images = ride(0.0, 0.10)
    later_s = images[-1].time_s + 0.9
    passing, same = cube(0.3, -0.2 + 0.10 * images[-1].time_s - 0.05), cube(0.3, -0.2 + 0.10 * later_s)
    estimate = known(tracked([*images, image(later_s, passing, same)]), later_s)
    assert estimate.detection is same


def test_what_stays_different_starts_a_new_track() -> None:
    config = TrackerConfig(lost_after=5)
    images = [image(k * PERIOD_S, cube(0.3, 0.1)) for k in range(6)]
    fallen = [image((6 + k) * PERIOD_S, cube(0.4, 0.2, top_m=0.79)) for k in range(5)]
    assert place(known(tracked([*images, *fallen[:4]], config), 1.0)) == pytest.approx([0.3, 0.1])
    assert place(known(tracked([*images, *fallen], config), 1.0)) == pytest.approx([0.4, 0.2])


def test_only_the_object_asked_for_is_followed() -> None:
    blue, mug = cube(0.3, 0.1, colour="blue"), cube(0.3, 0.1, shape="mug")
    assert tracked([image(0.0, blue, mug), image(0.1)]).estimate(0.2) is None
    any_colour = ObjectTracker(ObjectQuery("cube"))
    any_colour.update(image(0.0, blue, mug))
    assert known(any_colour, 0.1).detection is blue


def test_history_is_bounded_and_what_is_older_is_ignored() -> None:
    config = TrackerConfig(history=10)
    images = ride(0.0, 0.06, 60)
    tracker = tracked(images, config)
    before = known(tracker, 5.0)
    tracker.update(image(images[3].time_s, cube(0.3, 0.3)))
    after = known(tracker, 5.0)
    assert after.detection is before.detection
    assert after.speed_m_s == before.speed_m_s
    assert len(tracker._images) == 10


def test_long_unseen_it_is_still_known_where_it_was() -> None:
    images = [image(k * PERIOD_S, cube(0.3, 0.1)) for k in range(6)]
    blind = [image((6 + k) * PERIOD_S) for k in range(100)]
    estimate = known(tracked([*images, *blind]), 6.0)
    assert place(estimate) == pytest.approx([0.3, 0.1])
    assert estimate.age_s == pytest.approx(6.0 - images[-1].time_s)


def test_reset_forgets() -> None:
    tracker = tracked(ride(0.0, 0.06))
    tracker.reset()
    assert tracker.estimate(2.0) is None
    tracker.update(image(0.0, cube(0.1, 0.1)))
    assert place(known(tracker, 0.0)) == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(("query", "hint"), [(ObjectQuery("cubes"), "cube"), (ObjectQuery("cube", "rad"), "red")])
def test_a_query_outside_the_catalogue_is_refused(query: ObjectQuery, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{hint}'"):
        ObjectTracker(query)
