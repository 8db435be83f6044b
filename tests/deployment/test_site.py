from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.clock import NS, VirtualClock, to_ns
from vla_sim.deployment.background import BackgroundSpec, Pace, Squeeze
from vla_sim.deployment.batching import BatchSpec
from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.deployment.resources import Urgency
from vla_sim.deployment.site import Served, Site
from vla_sim.errors import ConfigError
from vla_sim.rng import stream

MEAN_S = 0.010
CONSTANT = LatencyProfile.constant(1e3 * MEAN_S, "a test")
SPREAD = LatencyProfile(8.0, 14.0, 30.0, "given", "a test", max_ms=60.0)

Job = tuple[int, float, float, float]  # index, arrived, started, finished


def serve(
    arrivals_s: np.ndarray, profile: LatencyProfile = CONSTANT, replicas: int = 1, queue_limit: int | None = None
) -> list[Job]:
    """Jobs served, in the order they finished."""
    clock, jobs = VirtualClock(), list[Job]()
    site = Site(
        "chip", Device("d", default=profile), clock, partial(stream, 1, 0), replicas=replicas, queue_limit=queue_limit
    )

    def arrive(index: int) -> None:
        now_s = clock.now_s
        site.offer("s", lambda served: jobs.append((index, now_s, served.started_ns / NS, clock.now_s)))

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


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_a_burst_drains_in_rounds_of_the_number_of_replicas(replicas: int) -> None:
    jobs = serve(np.zeros(12), replicas=replicas)
    assert [finished for *_, finished in jobs] == pytest.approx([MEAN_S * (1 + i // replicas) for i in range(12)])


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


def erlang_c(load: float, replicas: int) -> float:
    """Probability that an arrival waits in M/M/c (Erlang 1917); `load` in servers' worth."""
    terms = [load**k / math.factorial(k) for k in range(replicas)]
    last = load**replicas / math.factorial(replicas) * replicas / (replicas - load)
    return last / (sum(terms) + last)


class Exponential(LatencyProfile):
    """Memoryless service of mean `p50_ms`."""

    def sample_s(self, rng: np.random.Generator) -> float:
        return float(rng.exponential(self.p50_ms / 1e3))


@pytest.mark.parametrize(("replicas", "load"), [(1, 0.7), (2, 0.8), (4, 0.8), (8, 0.9)])
def test_replicas_wait_as_the_m_m_c_queue_says(replicas: int, load: float) -> None:
    service = Exponential(1e3 * MEAN_S, 1e3 * MEAN_S, 1e3 * MEAN_S, "given", "a test")
    jobs = serve(poisson(load * replicas, 60_000, MEAN_S), service, replicas)
    theory_s = erlang_c(load * replicas, replicas) * MEAN_S / (replicas * (1 - load))
    assert mean_wait_s(jobs) == pytest.approx(theory_s, rel=0.08)


gaps = st.lists(st.floats(0.0, 0.03), min_size=1, max_size=40)


@given(gaps, st.integers(1, 3))
def test_first_come_first_served_and_no_replica_idles_while_one_waits(gaps_s: list[float], replicas: int) -> None:
    jobs = sorted(serve(np.cumsum(gaps_s), SPREAD, replicas))
    starts = [started for _, _, started, _ in jobs]
    assert starts == sorted(starts)
    ends = {finished for *_, finished in jobs}
    assert all(started == arrived or started in ends for _, arrived, started, _ in jobs)
    for _, _, started, _ in jobs:
        assert sum(begun <= started < finished for _, _, begun, finished in jobs) <= replicas


def test_a_full_queue_rejects() -> None:
    assert [job[0] for job in serve(np.array([0.0, 0.001, 0.002, 0.003, 0.011]), queue_limit=2)] == [0, 1, 2, 4]
    assert [job[0] for job in serve(np.array([0.0, 0.001, 0.011]), queue_limit=0)] == [0, 2]


def test_the_next_in_the_queue_starts_before_a_newcomer_at_the_same_instant() -> None:
    clock, order = VirtualClock(), list[str]()
    site = Site("chip", Device("d", default=CONSTANT), clock, partial(stream, 0, 0))

    def first_done(_: Served) -> None:
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

    def record(stage: str, served: Served) -> None:
        spent.setdefault(stage, []).append((clock.now_ns - served.started_ns) / NS)

    for stage in stages:
        site.offer(stage, partial(record, stage))
    clock.run(lambda: False)
    return spent


def test_each_stage_draws_from_a_stream_of_its_own() -> None:
    alone, mixed = compute_times_s(["a"] * 5), compute_times_s(["a", "b", "b", "a", "a", "b", "a", "a"])
    assert mixed["a"] == alone["a"]
    assert mixed["b"] != mixed["a"][:3]


@pytest.mark.parametrize(("replicas", "limit", "key"), [(0, None, "chip.replicas"), (1, -1, "chip.queue_limit")])
def test_a_bad_site_is_refused(replicas: int, limit: int | None, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        Site("chip", Device("d"), VirtualClock(), partial(stream, 0, 0), replicas=replicas, queue_limit=limit)


# Urgency


def test_the_more_urgent_go_first_and_nobody_is_interrupted() -> None:
    clock, order = VirtualClock(), list[str]()
    urgency: dict[str, Urgency] = {"walk": "urgent", "chat": "background"}
    site = Site("chip", Device("d", default=CONSTANT), clock, partial(stream, 0, 0), urgency=urgency)
    for stage in ("chat", "chat", "see", "walk", "see", "walk"):
        site.offer(stage, lambda _, stage=stage: order.append(stage))  # type: ignore[misc]
    clock.run(lambda: False)
    assert order == ["chat", "walk", "walk", "see", "see", "chat"]


# Batches


class Batched:
    """A site with batches of one stage, and what came of each request: (index, started, finished, batch)."""

    def __init__(self, spec: BatchSpec, arrivals_s: list[float], replicas: int = 1, stages: str = "s") -> None:
        self.clock, self.done = VirtualClock(), dict[int, tuple[float, float, int]]()
        batches = dict.fromkeys("sz", spec)
        site = Site("chip", Device("d", default=CONSTANT), self.clock, partial(stream, 0, 0), replicas=replicas,
                    batches=batches)  # fmt: skip
        for i, when_s in enumerate(arrivals_s):
            self.clock.call_at_ns(to_ns(when_s), partial(self._ask, site, stages[i % len(stages)], i))
        self.clock.run(lambda: False)

    def _ask(self, site: Site, stage: str, index: int) -> None:
        site.offer(stage, partial(self._note, index))

    def _note(self, index: int, served: Served) -> None:
        self.done[index] = served.started_ns / NS, self.clock.now_s, served.batch


def test_a_full_batch_starts_at_once_and_takes_what_the_curve_says() -> None:
    made = Batched(BatchSpec(4, 50.0, 0.25), [0.0, 0.001, 0.002, 0.003])
    assert set(made.done.values()) == {(0.003, 0.0205, 4)}


def test_a_batch_that_does_not_fill_starts_when_its_first_has_waited_long_enough() -> None:
    made = Batched(BatchSpec(4, 5.0, 0.0), [0.0, 0.004, 0.006])
    assert made.done[0] == (0.005, 0.015, 2)
    assert made.done[1] == made.done[0]
    assert made.done[2][0] == pytest.approx(0.005 + MEAN_S)  # its time has passed when the replica is free


def test_without_a_wait_batches_form_only_while_the_replica_is_busy() -> None:
    made = Batched(BatchSpec(8, 0.0, 0.1), [0.0, 0.001, 0.002, 0.003])
    assert [made.done[i][2] for i in range(4)] == [1, 3, 3, 3]


def test_stages_do_not_share_a_batch_and_one_does_not_hold_up_the_other() -> None:
    made = Batched(BatchSpec(2, 20.0, 0.0), [0.0, 0.001, 0.002, 0.003], stages="szs")
    assert [made.done[i][2] for i in (0, 2)] == [2, 2]
    assert made.done[0][0] == 0.002
    assert made.done[1][2] == 1


@given(st.lists(st.floats(0.0, 0.01), min_size=1, max_size=30), st.integers(1, 4), st.integers(1, 3))
def test_every_request_is_served_once_and_no_batch_is_too_large(gaps_s: list[float], size: int, n: int) -> None:
    arrivals = np.cumsum(gaps_s).tolist()
    made = Batched(BatchSpec(size, 4.0 if size > 1 else 0.0, 0.5), arrivals, n, "sz")
    assert sorted(made.done) == list(range(len(arrivals)))
    for index, (started, finished, batch) in made.done.items():
        assert 1 <= batch <= size
        assert started >= arrivals[index] - 1e-9
        assert finished - started == pytest.approx(MEAN_S * (1 + 0.5 * (batch - 1)))


def test_batches_carry_more_than_single_requests_could() -> None:
    """At 2.5 requests in the time of one, single service would fall behind without bound."""
    arrivals = (np.arange(400) * MEAN_S / 2.5).tolist()
    made = Batched(BatchSpec(8, 0.0, 0.1), arrivals)
    waits = [made.done[i][0] - arrivals[i] for i in range(len(arrivals))]
    assert max(waits) < 2 * MEAN_S
    assert np.mean([made.done[i][2] for i in range(100, 400)]) > 2


# Other load


def waits_beside(background: list[BackgroundSpec], probes: int = 4000, gap_s: float = 0.2) -> list[float]:
    """Waiting times of rare requests at a site that other robots use."""
    clock, waits = VirtualClock(), list[float]()
    site = Site("chip", Device("d", default=CONSTANT), clock, partial(stream, 5, 0), background=background)

    def probe() -> None:
        now_s = clock.now_s
        site.offer("probe", lambda served: waits.append(served.started_ns / NS - now_s))

    gaps_s = np.random.default_rng(2).exponential(gap_s, probes)
    for when_s in np.cumsum(gaps_s).tolist():
        clock.call_at_ns(to_ns(when_s), probe)
    clock.run(lambda: len(waits) == probes)
    return waits


def test_poisson_background_makes_a_stranger_wait_as_m_d_1_says() -> None:
    """A rare Poisson probe sees the queue as it is on average (PASTA); it adds 5 % to the load itself."""
    load = 0.6 + MEAN_S / 0.2
    waits = waits_beside([BackgroundSpec("other", 12, 5.0)])
    assert float(np.mean(waits)) == pytest.approx(load * MEAN_S / (2 * (1 - load)), rel=0.1)


def test_background_draws_do_not_shift_the_robots_own() -> None:
    def computed(background: list[BackgroundSpec]) -> list[float]:
        clock, spent = VirtualClock(), list[float]()
        site = Site("chip", Device("d", default=SPREAD), clock, partial(stream, 0, 0), replicas=50,
                    background=background)  # fmt: skip

        def ask() -> None:
            site.offer("mine", lambda served: spent.append((clock.now_ns - served.started_ns) / NS))

        for i in range(20):
            clock.call_at_ns(to_ns(0.2 * i), ask)
        clock.run(lambda: len(spent) == 20)
        return spent

    assert computed([]) == computed([BackgroundSpec("other", 3, 10.0)])


def test_load_is_the_share_of_the_last_second_spent_in_service() -> None:
    clock, seen = VirtualClock(), list[float]()
    site = Site("chip", Device("d", default=CONSTANT), clock, partial(stream, 0, 0),
                background=[BackgroundSpec("other", 1, 40.0, "periodic")])  # fmt: skip
    clock.call_at_ns(to_ns(10.0), lambda: seen.append(site.load()[0]))
    clock.run(lambda: bool(seen))
    assert seen[0] == pytest.approx(40 * MEAN_S, rel=0.02)


# Squeezes


@given(st.floats(0.0, 12.0), st.floats(0.0, 6.0))
def test_work_through_a_squeeze_agrees_with_small_steps(start_s: float, work_s: float) -> None:
    squeezes = [Squeeze(2.0, 3.0, 4.0), Squeeze(7.0, 1.0, 2.0)]
    step_s, now_s, left_s = 0.001, start_s, work_s
    while left_s > 0:
        pace = next((s.slowdown for s in squeezes if s.start_s <= now_s < s.start_s + s.duration_s), 1.0)
        now_s, left_s = now_s + step_s, left_s - step_s / pace
    assert Pace(squeezes).end_s(start_s, work_s) == pytest.approx(now_s, abs=0.02)


def test_what_a_squeeze_leaves_goes_to_control_first_when_it_is_reserved() -> None:
    fair, reserve = (Pace([Squeeze(1.0, 2.0, 4.0)], reserve=on) for on in (False, True))
    assert [fair.slowdown(stage, 1.5) for stage in ("control", "perception")] == [4.0, 4.0]
    assert reserve.slowdown("control", 1.5) == 1.0
    assert reserve.slowdown("perception", 1.5) == pytest.approx(70 / (25 - 13))
    assert reserve.slowdown("perception", 3.5) == 1.0


def test_work_that_gets_nothing_waits_for_the_end_of_the_squeeze() -> None:
    pace = Pace([Squeeze(1.0, 2.0, 8.0)], reserve=True)  # 12.5 % are left, of which control takes all
    assert pace.end_s(0.9, 0.3, "perception") == pytest.approx(3.2)
    assert pace.end_s(1.0, 0.0125, "control") == pytest.approx(1.0 + 0.0125 * 13 / 12.5)


def test_squeezes_may_not_overlap() -> None:
    with pytest.raises(ConfigError, match="before another has ended"):
        Pace([Squeeze(0.0, 2.0, 2.0), Squeeze(1.0, 2.0, 2.0)])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BatchSpec(0), "at least 1"),
        (lambda: BatchSpec(1, 5.0), "nothing to wait for"),
        (lambda: BatchSpec(4, -1.0), "must not be negative"),
        (lambda: BatchSpec(4, 1.0, 1.5), "must lie between"),
        (lambda: BackgroundSpec("s", 0, 1.0), "at least 1"),
        (lambda: BackgroundSpec("s", 1, 0.0), "must be positive"),
        (lambda: Squeeze(0.0, 1.0, 1.0), "greater than 1"),
        (lambda: Squeeze(0.0, -1.0, 2.0), "must be positive"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()
