"""Outages, hand-overs and retransmission, against schedules and closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.deployment.interruptions import Interruptions, InterruptionSpec, Window
from vla_sim.deployment.link import Link, LinkSpec
from vla_sim.errors import ConfigError
from vla_sim.rng import stream

PLAIN = LinkSpec("cell", None, None, 20.0, 0.0, 0.0, 1.0, "a test")


def interruptions(spec: InterruptionSpec, seed: int = 0) -> Interruptions:
    return Interruptions(spec, stream(seed, 0, "outages"), stream(seed, 0, "handovers"))


def link(spec: LinkSpec, seed: int = 0) -> Link:
    return Link(spec, stream(seed, 0, "up"), stream(seed, 0, "down"))


def test_a_message_in_a_scheduled_outage_is_lost_in_both_directions() -> None:
    one = link(replace(PLAIN, interruptions=InterruptionSpec(outages=(Window(5.0, 10.0),))))
    for direction in ("up", "down"):
        arrived = [one.transfer(t, 100, direction) is not None for t in (4.99, 5.0, 14.99, 15.0)]
        assert arrived == [True, False, False, True]


def test_what_is_sent_in_a_scheduled_handover_waits_for_its_end() -> None:
    spec = replace(PLAIN, interruptions=InterruptionSpec(handovers=(Window(5.0, 0.5), Window(5.5, 0.5))))
    arrivals = [link(spec).transfer(t, 100, "up") for t in (4.9, 5.0, 5.2, 6.0)]
    assert [transfer.arrival_s for transfer in arrivals if transfer] == pytest.approx([4.91, 6.01, 6.01, 6.01])


def test_a_message_still_being_sent_when_an_outage_begins_is_lost() -> None:
    slow = replace(PLAIN, up_mbps=0.8, interruptions=InterruptionSpec(outages=(Window(5.0, 1.0),)))
    assert link(slow).transfer(4.95, 10_000, "up") is None  # 0.1 s to send
    assert link(slow).transfer(4.85, 10_000, "up") is not None


def test_an_outage_is_outlived_by_sending_again() -> None:
    spec = replace(PLAIN, retransmissions=30, retransmit_after_ms=400.0)
    one = link(replace(spec, interruptions=InterruptionSpec(outages=(Window(5.0, 10.0),))))
    first, second = one.transfer(6.0, 100, "up"), one.transfer(6.1, 100, "up")
    assert first is not None
    assert second is not None
    assert first.sent == 1 + math.ceil(9.0 / 0.4)
    assert first.arrival_s == pytest.approx(6.0 + 0.4 * (first.sent - 1) + 0.01)
    assert second.arrival_s >= first.arrival_s, "what comes after waits"


@pytest.mark.parametrize(("loss", "again"), [(0.3, 0), (0.3, 1), (0.3, 2), (0.5, 3)])
def test_independent_losses_become_rarer_with_each_retransmission(loss: float, again: int) -> None:
    """With losses independent (burst length 1 / (1 - loss)) all of 1 + n sendings are lost with loss^(1 + n)."""
    spec = replace(PLAIN, loss=loss, burst_length=1 / (1 - loss), retransmissions=again, retransmit_after_ms=1.0)
    one, n = link(spec), 30_000
    sent = [one.transfer(float(i), 0, "up") for i in range(n)]
    wanted = loss ** (1 + again)
    lost = sum(transfer is None for transfer in sent) / n
    assert lost == pytest.approx(wanted, abs=4 * math.sqrt(wanted * (1 - wanted) / n))
    tries = [transfer.sent for transfer in sent if transfer]
    share = [loss**k * (1 - loss) / (1 - wanted) for k in range(1 + again)]
    mean = sum((k + 1) * part for k, part in enumerate(share))
    assert np.mean(tries) == pytest.approx(mean, abs=4 * float(np.std(tries)) / math.sqrt(len(tries)) + 1e-12)


def test_the_share_of_time_in_random_outages_is_that_of_a_renewal_process() -> None:
    found = interruptions(InterruptionSpec(outage_every_s=20.0, outage_s=5.0))
    probes = np.arange(0.0, 200_000.0, 1.0)
    share = np.mean([found.is_out(t, t) for t in probes])
    assert share == pytest.approx(5.0 / 25.0, abs=0.01)


def test_a_message_waits_for_a_hand_over_as_long_as_theory_says() -> None:
    """Arrivals at any time wait (share of time in a hand-over) x (half its length) on average."""
    found = interruptions(InterruptionSpec(handover_every_s=2.0, handover_ms=500.0))
    waits = np.array([found.resumes_s(t) - t for t in np.arange(0.0, 40_000.0, 0.5)])
    assert waits.min() == 0.0
    assert waits.max() <= 0.5
    assert waits.mean() == pytest.approx(0.5 / 2.5 * 0.25, rel=0.03)


@given(st.lists(st.floats(0.0, 500.0), min_size=1, max_size=30), st.integers(0, 20))
def test_interruptions_do_not_depend_on_who_asks_when(times: list[float], seed: int) -> None:
    spec = InterruptionSpec((Window(3.0, 4.0),), 10.0, 2.0, 5.0, 300.0)
    one, other = interruptions(spec, seed), interruptions(spec, seed)
    told = {t: (one.is_out(t, t + 0.1), one.resumes_s(t)) for t in times}
    assert told == {t: (other.is_out(t, t + 0.1), other.resumes_s(t)) for t in sorted(times)}


def test_interruptions_and_retransmissions_leave_the_first_sendings_draws_alone() -> None:
    """Two networks are compared on the same draws, message for message."""
    lossy = replace(PLAIN, jitter_ms=5.0, loss=0.2, burst_length=1 / 0.8)
    plain, stubborn = link(lossy), link(replace(lossy, interruptions=InterruptionSpec((Window(1e6, 1.0),), 1e5, 1.0)))
    for i in range(200):
        assert plain.transfer(float(i), 10, "up") == stubborn.transfer(float(i), 10, "up")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Window(-1.0, 2.0), "start_s"),
        (lambda: Window(1.0, 0.0), "duration_s: must be positive"),
        (lambda: InterruptionSpec(outage_every_s=10.0), "outage_s: and outage_every_s say it together"),
        (lambda: InterruptionSpec(handover_ms=50.0), "give both or neither"),
        (lambda: InterruptionSpec(outage_every_s=0.0, outage_s=1.0), "outage_every_s: must be positive"),
        (lambda: InterruptionSpec((Window(1.0, 5.0), Window(4.0, 5.0))), "before another has ended at 6"),
        (lambda: replace(PLAIN, retransmissions=-1), "retransmissions: must not be negative"),
        (lambda: replace(PLAIN, retransmissions=1, retransmit_after_ms=0.0), "retransmit_after_ms: must be positive"),
    ],
)
def test_what_cannot_be_is_refused(made, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=words):
        made()
