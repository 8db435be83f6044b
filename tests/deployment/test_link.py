from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vla_sim.clock import VirtualClock, to_ns
from vla_sim.deployment.link import Direction, Link, LinkSpec, Path, Transfer, one_way_sigma
from vla_sim.errors import ConfigError
from vla_sim.rng import stream

SPEC = LinkSpec("cell", 80.0, 500.0, 25.0, 6.0, 0.0, 1.0, "a test")
STEADY = replace(SPEC, jitter_ms=0.0)


def link(spec: LinkSpec, seed: int = 0, role: str = "access") -> Link:
    return Link(spec, stream(seed, 0, f"{role}/up"), stream(seed, 0, f"{role}/down"))


def delays_s(spec: LinkSpec, n: int) -> list[float]:
    one = link(spec)
    return [arrived.propagation_s for i in range(n) if (arrived := one.transfer(float(i), 0, "up"))]


@given(st.floats(0.1, 500.0), st.floats(0.0, 3.0))
def test_one_way_delay_has_the_stated_median_and_deviation(rtt_ms: float, ratio: float) -> None:
    jitter_ms = ratio * rtt_ms
    delay = stats.lognorm(s=max(one_way_sigma(rtt_ms, jitter_ms), 1e-12), scale=rtt_ms / 2)
    assert delay.median() == pytest.approx(rtt_ms / 2)
    assert delay.std() == pytest.approx(jitter_ms / math.sqrt(2), rel=1e-6, abs=1e-6 * rtt_ms)


def test_sampled_delays_agree_with_the_closed_form() -> None:
    sampled = np.array(delays_s(SPEC, 40_000))
    assert np.median(sampled) == pytest.approx(12.5e-3, rel=0.01)
    assert np.std(sampled) == pytest.approx(6e-3 / math.sqrt(2), rel=0.03)


def test_without_jitter_the_delay_is_half_the_round_trip() -> None:
    assert set(delays_s(STEADY, 10)) == {0.0125}


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 1.0), (0.05, 4.0), (0.3, 2.5), (0.5, 1.0)])
def test_losses_have_the_stated_rate_and_come_in_bursts_of_the_stated_length(loss: float, burst: float) -> None:
    one, n = link(replace(SPEC, loss=loss, burst_length=burst)), 60_000
    lost = np.array([one.transfer(0.0, 0, "up") is None for _ in range(n)])
    bursts = np.count_nonzero(np.diff(np.concatenate([[False], lost]).astype(int)) == 1)
    # Four standard errors: of a two-state chain with this autocorrelation, and of a geometric length.
    correlation = 1 - 1 / burst - loss / burst / (1 - loss)
    rate_error = math.sqrt(loss * (1 - loss) / n * (1 + correlation) / (1 - correlation))
    assert lost.mean() == pytest.approx(loss, abs=4 * rate_error)
    assert lost.sum() / bursts == pytest.approx(burst, abs=4 * math.sqrt(burst * (burst - 1) / bursts) + 1e-12)


def test_burst_lengths_are_geometric() -> None:
    one = link(replace(SPEC, loss=0.2, burst_length=3.0))
    text = "".join("x" if one.transfer(0.0, 0, "up") is None else " " for _ in range(60_000))
    lengths = np.array([len(run) for run in text.split()])
    for longer_than in (1, 3, 6):
        assert np.mean(lengths > longer_than) == pytest.approx((2 / 3) ** longer_than, rel=0.1)


def test_the_first_message_is_lost_as_often_as_any() -> None:
    spec = replace(SPEC, loss=0.3, burst_length=5.0)
    assert np.mean([link(spec, seed).transfer(0.0, 0, "up") is None for seed in range(1500)]) == pytest.approx(
        0.3, abs=0.04
    )


def arrived(transfer: Transfer | None) -> Transfer:
    assert transfer is not None
    return transfer


def test_serialisation_takes_bytes_over_rate_and_the_directions_differ() -> None:
    one = link(STEADY)
    up, down = arrived(one.transfer(1.0, 50_000, "up")), arrived(one.transfer(1.0, 50_000, "down"))
    assert (up.serialisation_s, down.serialisation_s) == pytest.approx((400e3 / 80e6, 400e3 / 500e6))
    assert up.arrival_s == pytest.approx(1.0 + 0.005 + 0.0125)
    assert down.arrival_s == pytest.approx(1.0 + 0.0008 + 0.0125)


def test_messages_in_one_direction_wait_for_each_other() -> None:
    one = link(STEADY)
    arrivals = [arrived(one.transfer(0.0, 50_000, "up")).arrival_s for _ in range(3)]
    assert arrivals == pytest.approx([0.0125 + 0.005 * k for k in (1, 2, 3)])
    assert arrived(one.transfer(10.0, 50_000, "up")).arrival_s == pytest.approx(10.0 + 0.0175)


def test_a_lost_message_takes_its_turn_on_the_link() -> None:
    spec = replace(STEADY, loss=0.5, burst_length=1.0)  # with these two, losses alternate
    one = link(spec)
    outcomes = [one.transfer(0.0, 50_000, "up") for _ in range(4)]
    received = [(i, t.arrival_s) for i, t in enumerate(outcomes) if t]
    assert len(received) == 2
    assert all(at == pytest.approx(0.0125 + 0.005 * (i + 1)) for i, at in received)


def test_no_rate_means_no_serialisation() -> None:
    assert arrived(link(replace(STEADY, up_mbps=None)).transfer(0.0, 10**9, "up")).arrival_s == 0.0125


def test_traffic_one_way_does_not_shift_the_draws_of_the_other() -> None:
    quiet, busy = link(SPEC), link(SPEC)
    for _ in range(100):
        busy.transfer(0.0, 0, "down")
    assert [quiet.transfer(9.0, 100, "up") for _ in range(20)] == [busy.transfer(9.0, 100, "up") for _ in range(20)]


def test_losing_some_messages_does_not_shift_the_delays_of_the_others() -> None:
    clean, lossy = link(SPEC), link(replace(SPEC, loss=0.3, burst_length=2.0))
    pairs = [(clean.transfer(float(i), 0, "up"), lossy.transfer(float(i), 0, "up")) for i in range(200)]
    assert 0 < sum(b is None for _, b in pairs) < 200
    assert all(a == b for a, b in pairs if b is not None)


def send(path: Path, n_bytes: int, direction: Direction, at_s: Sequence[float] = (0.0,)) -> list[float]:
    """Times of arrival in the order sent; nan = lost."""
    clock, times = VirtualClock(), [math.nan] * len(at_s)
    for i, when_s in enumerate(at_s):

        def arrive(i: int = i) -> None:
            times[i] = clock.now_s

        def depart(arrive: Any = arrive) -> None:
            path.send(clock, n_bytes, direction, arrive, lambda: None)

        clock.call_at_ns(to_ns(when_s), depart)
    clock.run(lambda: False)
    return times


LEG = LinkSpec("leg", 10_000.0, 1000.0, 20.0, 0.0, 0.0, 1.0, "a test")


def test_links_in_series_add_up_both_ways() -> None:
    path = Path((link(STEADY), link(LEG, role="leg")))
    assert send(path, 50_000, "up") == pytest.approx([0.005 + 0.0125 + 40e-6 + 0.010], abs=2e-9)
    assert send(path, 50_000, "down") == pytest.approx([0.0004 + 0.010 + 0.0008 + 0.0125], abs=2e-9)


class Noted(Link):
    """A link that writes down who was here."""

    def __init__(self, name: str, visits: list[str]) -> None:
        super().__init__(replace(STEADY, name=name), stream(0, 0, "up"), stream(0, 0, "down"))
        self.visits = visits

    def transfer(self, now_s: float, n_bytes: int, direction: Direction) -> Transfer | None:
        self.visits.append(self.spec.name)
        return super().transfer(now_s, n_bytes, direction)


@pytest.mark.parametrize(("direction", "order"), [("up", ["a", "b", "c"]), ("down", ["c", "b", "a"])])
def test_a_series_is_walked_from_the_sender(direction: Direction, order: list[str]) -> None:
    visits: list[str] = []
    send(Path(tuple(Noted(name, visits) for name in "abc")), 100, direction)
    assert visits == order


def test_the_slow_link_of_a_series_sets_the_pace() -> None:
    path = Path((link(STEADY), link(LEG, role="leg")))
    assert np.diff(send(path, 50_000, "up", [0.0] * 5)) == pytest.approx([0.005] * 4, abs=2e-9)


def test_the_second_link_serves_in_the_order_of_arrival_not_of_sending() -> None:
    jittery = replace(SPEC, up_mbps=None, jitter_ms=40.0)
    sent_s = [0.001 * i for i in range(60)]
    alone = send(Path((link(jittery),)), 50_000, "up", sent_s)
    in_series = send(Path((link(jittery), link(replace(LEG, rtt_ms=0.0), role="leg"))), 50_000, "up", sent_s)
    assert np.any(np.diff(alone) < 0)  # they do overtake each other
    extra_s = np.array(in_series) - alone
    assert extra_s.min() >= 40e-6 - 2e-9
    assert extra_s.max() < 10 * 40e-6  # nobody waits behind one still on its way


def test_loss_on_any_link_of_a_series_loses_the_message() -> None:
    lossy = replace(LEG, loss=0.2, burst_length=2.0)
    path = Path((link(replace(STEADY, loss=0.1, burst_length=2.0)), link(lossy, role="leg")))
    lost = np.isnan(send(path, 100, "up", [0.01 * i for i in range(20_000)]))
    assert lost.mean() == pytest.approx(1 - 0.9 * 0.8, rel=0.05)


def test_no_links_take_no_time() -> None:
    assert send(Path(), 10**9, "up", [0.5]) == [0.5]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"up_mbps": 0.0}, "up_mbps: must be a positive rate"),
        ({"down_mbps": -1.0}, "down_mbps: must be a positive rate"),
        ({"rtt_ms": -1.0}, "rtt_ms: must not be negative"),
        ({"jitter_ms": math.nan}, "jitter_ms: must not be negative"),
        ({"rtt_ms": 0.0}, "jitter_ms: needs a round trip to vary"),
        ({"loss": 1.0}, "loss: must be at least 0 and less than 1"),
        ({"burst_length": 0.5}, "burst_length: counts messages lost in a row"),
        ({"loss": 0.9}, "burst_length: is too short for loss 0.9; give at least 9"),
        ({"source": ""}, "source: is empty"),
    ],
)
def test_a_bad_link_is_refused_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(SPEC, **changes)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
