from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.clock import NS, VirtualClock, to_ns
from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.deployment.site import Site
from vla_sim.errors import ConfigError
from vla_sim.rng import stream

MEAN_S = 0.010
CONSTANT = LatencyProfile.constant(1e3 * MEAN_S, "a test")
SPREAD = LatencyProfile(8.0, 14.0, 30.0, "given", "a test", max_ms=60.0)

Job = tuple[int, float, float, float]  # index, arrived, started, finished


def serve(
    arrivals_s: np.ndarray, profile: LatencyProfile = CONSTANT, servers: int = 1, queue_limit: int | None = None
) -> list[Job]:
    """Jobs served, in the order they finished."""
    clock, jobs = VirtualClock(), list[Job]()
    site = Site(
        "chip", Device("d", default=profile), clock, partial(stream, 1, 0), servers=servers, queue_limit=queue_limit
    )

    def arrive(index: int) -> None:
        now_s = clock.now_s
        site.offer("s", lambda started_ns: jobs.append((index, now_s, started_ns / NS, clock.now_s)))

    for i, when_s in enumerate(arrivals_s):
        clock.call_at_ns(to_ns(float(when_s)), partial(arrive, i))
    clock.run(lambda: False)
    return jobs


def mean_wait_s(jobs: list[Job]) -> float:
    return float(np.mean([started - arrived for _, arrived, started, _ in jobs]))


def poisson(load: float, n: int, service_s: float) -> np.ndarray:
    return np.cumsum(np.random.default_rng(3).exponential(service_s / load, n))


def test_evenly_spaced_requests_below_capacity_never_wait() -> None:
    jobs = serve(np.arange(100) * MEAN_S * 1.01)
    assert [job[0] for job in jobs] == list(range(100))
    assert all(
        started == arrived and finished - started == pytest.approx(MEAN_S) for _, arrived, started, finished in jobs
    )


@pytest.mark.parametrize("servers", [1, 2, 3])
def test_a_burst_drains_in_rounds_of_the_number_of_servers(servers: int) -> None:
    jobs = serve(np.zeros(12), servers=servers)
    assert [finished for *_, finished in jobs] == pytest.approx([MEAN_S * (1 + i // servers) for i in range(12)])


def test_evenly_spaced_requests_above_capacity_wait_longer_and_longer() -> None:
    jobs = serve(np.arange(50) * MEAN_S / 2)
    assert [started - arrived for _, arrived, started, _ in jobs] == pytest.approx([MEAN_S / 2 * i for i in range(50)])


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_random_arrivals_wait_as_the_m_d_1_queue_says(load: float) -> None:
    theory_s = load * MEAN_S / (2 * (1 - load))
    assert mean_wait_s(serve(poisson(load, 40_000, MEAN_S))) == pytest.approx(theory_s, rel=0.05)


def test_random_service_waits_as_pollaczek_and_khinchine_say() -> None:
    service_s = np.array([SPREAD.quantile_ms(u) / 1e3 for u in (np.arange(20_000) + 0.5) / 20_000])
    mean_s, load = float(service_s.mean()), 0.6
    theory_s = load / mean_s * float(np.mean(service_s**2)) / (2 * (1 - load))
    assert mean_wait_s(serve(poisson(load, 40_000, mean_s), SPREAD)) == pytest.approx(theory_s, rel=0.05)


gaps = st.lists(st.floats(0.0, 0.03), min_size=1, max_size=40)


@given(gaps, st.integers(1, 3))
def test_first_come_first_served_and_no_server_idles_while_one_waits(gaps_s: list[float], servers: int) -> None:
    jobs = sorted(serve(np.cumsum(gaps_s), SPREAD, servers))
    starts = [started for _, _, started, _ in jobs]
    assert starts == sorted(starts)
    ends = {finished for *_, finished in jobs}
    assert all(started == arrived or started in ends for _, arrived, started, _ in jobs)
    for _, _, started, _ in jobs:
        assert sum(begun <= started < finished for _, _, begun, finished in jobs) <= servers


def test_a_full_queue_rejects() -> None:
    assert [job[0] for job in serve(np.array([0.0, 0.001, 0.002, 0.003, 0.011]), queue_limit=2)] == [0, 1, 2, 4]
    assert [job[0] for job in serve(np.array([0.0, 0.001, 0.011]), queue_limit=0)] == [0, 2]


def test_the_next_in_the_queue_starts_before_a_newcomer_at_the_same_instant() -> None:
    clock, order = VirtualClock(), list[str]()
    site = Site("chip", Device("d", default=CONSTANT), clock, partial(stream, 0, 0))

    def first_done(_: int) -> None:
        order.append("first")
        site.offer("s", lambda _: order.append("newcomer"))

    site.offer("s", first_done)
    site.offer("s", lambda _: order.append("second"))
    assert site.waiting == 1
    clock.run(lambda: False)
    assert order == ["first", "second", "newcomer"]


def compute_times_s(stages: list[str]) -> dict[str, list[float]]:
    clock, spent = VirtualClock(), dict[str, list[float]]()
    site = Site("chip", Device("d", default=SPREAD), clock, partial(stream, 0, 0))

    def record(stage: str, started_ns: int) -> None:
        spent.setdefault(stage, []).append((clock.now_ns - started_ns) / NS)

    for stage in stages:
        site.offer(stage, partial(record, stage))
    clock.run(lambda: False)
    return spent


def test_each_stage_draws_from_a_stream_of_its_own() -> None:
    alone, mixed = compute_times_s(["a"] * 5), compute_times_s(["a", "b", "b", "a", "a", "b", "a", "a"])
    assert mixed["a"] == alone["a"]
    assert mixed["b"] != mixed["a"][:3]


@pytest.mark.parametrize(("servers", "limit", "key"), [(0, None, "chip.servers"), (1, -1, "chip.queue_limit")])
def test_a_bad_site_is_refused(servers: int, limit: int | None, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        Site("chip", Device("d"), VirtualClock(), partial(stream, 0, 0), servers=servers, queue_limit=limit)
