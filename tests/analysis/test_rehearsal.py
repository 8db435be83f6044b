"""Queues seen in a rehearsal, against what theory says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.scenarios import RADIO, constant, device, scenario
from vla_sim.analysis.latency import floors
from vla_sim.analysis.load import lost_for_good
from vla_sim.analysis.rehearsal import Rehearsed, rehearse
from vla_sim.analysis.scenario import Scenario
from vla_sim.deployment.background import BackgroundSpec
from vla_sim.deployment.config import SiteConfig
from vla_sim.stack import AgentConfig

ONLY_SEEING = ("perception",)


def play(what: Scenario, seconds: float = 60.0) -> Rehearsed:
    return rehearse(what, floors(what), seconds, episode_s=seconds)["perception"]


def test_nothing_waits_where_there_is_time() -> None:
    """D/D/1 below capacity: 20 images a second of 30 ms each."""
    seen = play(scenario(at="robot", robot=device("robot", 30.0), stages=ONLY_SEEING))
    assert seen.queue is not None
    assert seen.queue.p95_ms == 0
    assert seen.asked == seen.answered == pytest.approx(seen.wanted, abs=1)
    assert seen.total is not None
    assert seen.total.p50_ms == pytest.approx(15.0 + 30.0)


@pytest.mark.parametrize("service_ms", [120.0, 152.0, 310.0])
def test_a_full_computer_obeys_littles_law(service_ms: float) -> None:
    """Two requests under way at the rate of one a service: each takes two services, less the wait for an image."""
    seen = play(scenario(at="robot", robot=device("robot", service_ms), stages=ONLY_SEEING), 120.0)
    rate_hz = seen.answered / 120.0
    assert rate_hz == pytest.approx(1e3 / service_ms, rel=0.02)
    # Little: requests under way = rate x time. One place is empty between an answer and the next image, 0 to 50 ms.
    mean_ms = float(np.mean(seen.samples_ms)) - 15.0
    empty_ms = 2e3 / rate_hz - mean_ms
    assert 0 < empty_ms < 15.0 + 50.0
    assert seen.asked < seen.wanted


def test_one_under_way_never_waits_for_itself() -> None:
    agent = AgentConfig(camera_rate_hz=20.0, max_in_flight=1)
    seen = play(scenario(at="robot", robot=device("robot", 152.0), stages=ONLY_SEEING, agent=agent))
    assert seen.queue is not None
    assert seen.queue.p95_ms == 0


def test_random_requests_of_others_are_waited_for_as_queueing_theory_says() -> None:
    """M/D/1 seen by our own few requests: Poisson arrivals of 20 ms at half the capacity wait 10 ms in the mean."""
    busy = SiteConfig("robot", background=(BackgroundSpec("perception", 5, 5.0),))
    what = scenario(at="robot", robot=device("robot", 20.0), stages=ONLY_SEEING, rate_hz=1.0, sites={"robot": busy})
    seen = play(what, 1500.0)
    queue_ms = float(np.mean(seen.samples_ms)) - 15.0 - 20.0
    load = 25.0 * 0.020
    assert queue_ms == pytest.approx(load * 20.0 / (2 * (1 - load)), rel=0.15)


def test_what_is_lost_is_never_answered() -> None:
    lossy = replace(RADIO, loss=0.05, burst_length=2.0, jitter_ms=0.0)
    agent = AgentConfig(camera_rate_hz=20.0, deadlines_s={"perception": 0.2})  # gives up soon, so that many are sent
    seen = play(scenario(lossy, stages=ONLY_SEEING, agent=agent), 300.0)
    assert seen.answered_share == pytest.approx((1 - lost_for_good(lossy)) ** 2, abs=0.015)
    assert seen.within(200.0) == pytest.approx(seen.answered_share)


def test_a_slow_uplink_makes_images_wait_for_it_and_be_skipped() -> None:
    slow = replace(RADIO, up_mbps=0.2, jitter_ms=0.0)
    seen = play(scenario(slow, stages=ONLY_SEEING))
    assert seen.asked < 0.9 * seen.wanted
    assert seen.link_wait is not None
    assert seen.link_wait.p50_ms > 10.0
    free = play(scenario(replace(slow, up_mbps=500.0), stages=ONLY_SEEING))
    assert free.link_wait is not None
    assert free.link_wait.p95_ms == pytest.approx(0.0, abs=0.01)


def test_a_grasp_waits_for_the_image_being_looked_at_and_a_first_command_for_nobody() -> None:
    what = scenario(at="robot", robot=device("robot", 1.0, perception=constant(40.0)))
    played = rehearse(what, floors(what), 400.0)
    grasp, intent = played["grasp"], played["intent"]
    assert grasp.queue is not None
    assert 30.0 < grasp.queue.p95_ms <= 40.0
    assert intent.queue is not None
    assert intent.queue.p95_ms == 0
    assert grasp.answered == grasp.asked == intent.answered == 100


def test_the_same_seed_plays_the_same() -> None:
    what = scenario()
    first, again, other = (rehearse(what, floors(what), 20.0, seed) for seed in (1, 1, 2))
    for stage in first:
        assert np.array_equal(first[stage].samples_ms, again[stage].samples_ms)
    assert not np.array_equal(first["perception"].samples_ms, other["perception"].samples_ms)


def test_walking_is_played_apart_from_seeing() -> None:
    what = scenario(stages=("intent", "planning", "perception", "grasp", "navigation"))
    played = rehearse(what, floors(what), 20.0)
    assert played["navigation"].answered == pytest.approx(200, abs=2)
