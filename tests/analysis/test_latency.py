"""The floor of a stage, against closed forms and against the executor's own spans over many draws."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.analysis.scenarios import RADIO, SPREAD, constant, device, scenario
from vla_sim.analysis.latency import Spread, floors, tick_wait_ms
from vla_sim.analysis.scenario import Scenario
from vla_sim.analysis.traffic import parcels
from vla_sim.clock import VirtualClock
from vla_sim.deployment.config import build
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.span import Span
from vla_sim.deployment.wire import Message

FAR = LinkSpec("far", 100.0, 100.0, 80.0, 20.0, 0.0, 1.0, "a test")
STEADY = replace(RADIO, jitter_ms=0.0)


class Sized:
    """A codec under which a number is a message of that many bytes."""

    def encode(self, value: int) -> Message:
        return Message(value, value)

    def decode(self, message: Message) -> Any:
        return message.body


def spans_of(what: Scenario, stage: str, count: int) -> list[Span]:
    """Requests far enough apart never to wait, through the executor a run would use."""
    clock, spans = VirtualClock(), list[Span]()
    executor = build(what.deployment, clock, 3, 0, spans.append)
    sent = parcels(what)[stage]

    def ask() -> None:
        executor.submit(
            stage, lambda _: sent.down_bytes, sent.up_bytes, deadline_s=None, on_done=lambda _: None, wire=Sized()
        )

    for i in range(count):
        clock.call_in(2.0 * i, partial(ask))
    clock.run(until=lambda: False)
    assert len(spans) == count
    return spans


@pytest.mark.parametrize("stage", ["perception", "intent"])
@pytest.mark.parametrize("leg", [None, FAR])
def test_the_floor_is_what_the_executor_does_when_nothing_waits(stage: str, leg: LinkSpec | None) -> None:
    cloud = device("cloud", 5.0, perception=SPREAD, intent=SPREAD)
    what = scenario(cloud=cloud, images=(320, 240))
    what = what.with_site("cloud", replace(what.sites["cloud"], leg=leg))
    least = floors(what)[stage]
    spans = spans_of(what, stage, 3000)
    assert all(span.queue_s == 0 for span in spans)
    for part, field in ((least.uplink, "uplink_s"), (least.compute, "compute_s"), (least.downlink, "downlink_s")):
        seen = Spread.of(np.array([1e3 * getattr(span, field) for span in spans]))
        assert part.p50_ms == pytest.approx(seen.p50_ms, rel=0.03), field
        assert part.p95_ms == pytest.approx(seen.p95_ms, rel=0.05), field
    whole = Spread.of(np.array([1e3 * (span.t_end_s - span.t_start_s) for span in spans]) + least.sensor_ms)
    assert least.total.p50_ms == pytest.approx(whole.p50_ms, rel=0.02)
    assert least.total.p95_ms == pytest.approx(whole.p95_ms, rel=0.03)


def test_steady_parts_add_up_exactly() -> None:
    what = scenario(STEADY, cloud=device("cloud", 5.0, perception=constant(25.0)))
    least, sent = floors(what)["perception"], parcels(what)["perception"]
    up_ms, down_ms = 15.0 + sent.up_bytes * 8e-3 / 20.0, 15.0 + sent.down_bytes * 8e-3 / 50.0
    assert (least.uplink.p50_ms, least.uplink.p95_ms) == pytest.approx((up_ms, up_ms))
    assert (least.downlink.p50_ms, least.downlink.p95_ms) == pytest.approx((down_ms, down_ms))
    assert least.sensor_ms == 15.0
    assert least.total.p95_ms == pytest.approx(15.0 + up_ms + 25.0 + down_ms)


def test_a_link_without_limit_takes_half_its_round_trip() -> None:
    what = scenario(replace(STEADY, up_mbps=None, down_mbps=None))
    assert floors(what)["perception"].uplink.p50_ms == pytest.approx(15.0)


def test_on_the_robot_there_is_no_link() -> None:
    least = floors(scenario(at="robot"))
    assert least["perception"].uplink == least["perception"].downlink == Spread(0.0, 0.0)
    assert least["perception"].total.p50_ms == pytest.approx(15.0 + 10.0)
    assert least["control"].total.p50_ms == pytest.approx(10.0)


def test_quantiles_of_a_sum_are_not_sums_of_quantiles() -> None:
    least = floors(scenario(cloud=device("cloud", 5.0, perception=SPREAD)))["perception"]
    summed = least.sensor_ms + least.uplink.p95_ms + least.compute.p95_ms + least.downlink.p95_ms
    assert least.compute.p95_ms == pytest.approx(SPREAD.p95_ms, rel=1e-3)
    assert least.total.p50_ms < least.total.p95_ms < summed - 5.0


def test_the_next_tick_is_up_to_a_period_away() -> None:
    wait = tick_wait_ms(100.0)
    assert 0 < wait.min() < 0.01 < 9.99 < wait.max() < 10
    assert wait.mean() == pytest.approx(5.0)


def test_the_same_scenario_has_the_same_floor() -> None:
    one, other = (floors(scenario())["perception"] for _ in range(2))
    assert np.array_equal(one.samples_ms, other.samples_ms)
