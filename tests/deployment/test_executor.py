from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.clock import VirtualClock, to_ns
from vla_sim.deployment.executor import REJECTION_BYTES, VirtualExecutor
from vla_sim.deployment.link import Link, LinkSpec, Path
from vla_sim.deployment.placement import Placement
from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.deployment.site import Site
from vla_sim.deployment.span import Answer, Span
from vla_sim.deployment.wire import Message, Wire
from vla_sim.errors import ConfigError, PlanInvalid, Refused
from vla_sim.rng import stream
from vla_sim.types import Frame, Intrinsics

STEADY = LinkSpec("radio", 8.0, 80.0, 20.0, 0.0, 0.0, 1.0, "a test")  # 1 and 10 bytes a microsecond, 10 ms each way
SPREAD = LatencyProfile(8.0, 14.0, 30.0, "given", "a test", max_ms=60.0)
EDGE = {"safety": "robot", "control": "robot", "near": "robot"}


def ignore(span: Span) -> None:
    """For executors that are only looked at."""


class Sized:
    """A codec under which a number is a message of that many bytes."""

    def encode(self, value: int) -> Message:
        return Message(value, value)

    def decode(self, message: Message) -> Any:
        return message.body


class World:
    """A robot of 10 ms a call, a cloud of 5 ms a call behind a radio, and what was heard of them."""

    def __init__(
        self,
        spec: LinkSpec = STEADY,
        robot: LatencyProfile | None = None,
        delays_s: Mapping[str, float] | None = None,
        seed: int = 0,
        **site: Any,
    ) -> None:
        self.clock = VirtualClock()
        rngs = partial(stream, seed, 0)
        self.link = Link(spec, rngs("up"), rngs("down"))
        robot = robot or LatencyProfile.constant(10.0, "a test")
        cloud = LatencyProfile.constant(5.0, "a test")
        sites = {
            "robot": Site("robot", Device("chip", default=robot), self.clock, rngs, **site),
            "cloud": Site("cloud", Device("gpu", default=cloud), self.clock, rngs, path=Path((self.link,)), **site),
        }
        placement = Placement("cloud", {name: one.on_robot for name, one in sites.items()}, stages=EDGE)
        self.spans: list[Span] = []
        self.answers: list[tuple[float, Answer[Any]]] = []
        self.expiries: list[tuple[float, int]] = []
        self.seen: list[tuple[float, Any]] = []
        self.executor = VirtualExecutor(
            self.clock, placement, sites, self.spans.append, delay_override=delays_s, codec=Sized()
        )

    def ask(
        self,
        stage: str,
        value: Any = 0,
        deadline_s: float | None = None,
        call: Callable[[Any], Any] | None = None,
        t_origin_s: float | None = None,
        wire: Any = None,
    ) -> int:
        def work(given: Any) -> Any:
            self.seen.append((self.clock.now_s, given))
            return call(given) if call else given

        return self.executor.submit(
            stage,
            work,
            value,
            deadline_s=deadline_s,
            on_done=lambda answer: self.answers.append((self.clock.now_s, answer)),
            on_deadline=lambda number: self.expiries.append((self.clock.now_s, number)),
            t_origin_s=t_origin_s,
            wire=wire,
        )

    def at(self, when_s: float, event: Callable[[], Any]) -> None:
        self.clock.call_at_ns(to_ns(when_s), event)

    def run(self) -> World:
        self.clock.run(lambda: False)
        return self

    @property
    def answer(self) -> Answer[Any]:
        ((_, answer),) = self.answers
        return answer


def parts(span: Span) -> tuple[float, float, float, float]:
    return span.uplink_s, span.queue_s, span.compute_s, span.downlink_s


# Where the time goes


def test_on_the_robot_an_answer_takes_its_compute_time() -> None:
    world = World()
    assert world.ask("near", 7, call=lambda x: x + 1) == 0
    assert world.seen == [(0.0, 7)]  # computed at once
    assert world.answers == []
    world.run()
    assert world.answer.value == 8
    assert parts(world.answer.span) == (0.0, 0.0, 0.010, 0.0)
    assert (world.answer.span.site, world.answer.span.bytes_up, world.answer.span.bytes_down) == ("robot", 0, 0)
    assert world.spans == [world.answer.span]


def test_off_the_robot_messages_are_serialised_and_travel() -> None:
    world = World()
    world.ask("far", 4000, call=lambda x: 2 * x)
    world.run()
    assert parts(world.answer.span) == pytest.approx((0.014, 0.0, 0.005, 0.0108))
    assert (world.answer.span.bytes_up, world.answer.span.bytes_down, world.answer.value) == (4000, 8000, 8000)
    assert world.seen == [(0.014, 4000)]


def test_stages_on_one_chip_wait_for_each_other() -> None:
    world = World()
    for stage in ("near", "safety", "control"):
        world.ask(stage)
    world.run()
    assert [(span.stage, span.queue_s) for span in world.spans] == [
        ("near", 0.0),
        ("safety", 0.010),
        ("control", 0.020),
    ]


def test_stages_on_different_sites_do_not() -> None:
    world = World()
    world.ask("near")
    world.ask("far")
    world.run()
    assert [span.queue_s for span in world.spans] == [0.0, 0.0]


def test_answers_may_overtake_each_other() -> None:
    world = World(replace(STEADY, jitter_ms=40.0), replicas=50)
    for i in range(50):
        world.at(0.005 * i, lambda: world.ask("far"))
    world.run()
    assert sorted(span.request for span in world.spans) == list(range(50))
    assert [span.request for span in world.spans] != list(range(50))


def test_a_request_starts_when_its_input_was_measured() -> None:
    world = World()
    world.at(1.0, lambda: world.ask("near", t_origin_s=0.985))
    world.run()
    assert (world.answer.span.t_start_s, world.answer.span.t_end_s) == (0.985, 1.010)
    assert parts(world.answer.span) == pytest.approx((0.015, 0.0, 0.010, 0.0))


def test_the_future_has_not_been_measured() -> None:
    with pytest.raises(ValueError, match="lies in the future"):
        World().ask("near", t_origin_s=0.1)


@pytest.mark.parametrize("deadline_s", [0.0, -1.0, math.nan])
def test_a_deadline_must_be_positive(deadline_s: float) -> None:
    with pytest.raises(ValueError, match="a deadline must be positive"):
        World().ask("near", deadline_s=deadline_s)


def test_a_request_may_bring_its_own_codec() -> None:
    class Twice(Sized):
        def encode(self, value: int) -> Message:
            return Message(-value, 2 * value)

    world = World()
    world.ask("far", 500, wire=Twice(), call=lambda x: -x)
    world.run()
    assert (world.answer.span.bytes_up, world.answer.span.bytes_down, world.answer.value) == (1000, 1000, -500)
    assert world.seen[0][1] == -500


# Imposed delays


def test_an_imposed_delay_is_exact_from_the_image_to_the_answer() -> None:
    world = World(replace(STEADY, loss=0.4, burst_length=2.0), delays_s={"far": 0.3}, queue_limit=0)
    for i in range(20):
        world.at(0.05 * i + 0.015, partial(world.ask, "far", 10**6, None, None, 0.05 * i))
    world.run()
    starts_s = [0.05 * i for i in range(20)]
    assert [span.t_start_s for span in world.spans] == pytest.approx(starts_s, abs=1e-9)
    assert [when_s for when_s, _ in world.answers] == pytest.approx([s + 0.3 for s in starts_s], abs=1e-9)
    assert all(parts(span) == pytest.approx((0.0, 0.0, 0.3, 0.0), abs=1e-9) for span in world.spans)
    assert [when_s for when_s, _ in world.seen] == pytest.approx([0.05 * i + 0.015 for i in range(20)])
    assert {span.status for span in world.spans} == {"ok"}


def test_an_imposed_delay_that_is_over_already_delivers_now_but_not_inside_submit() -> None:
    world = World(delays_s={"far": 0.0})
    heard_inside: list[int] = []

    def ask() -> None:
        world.ask("far", t_origin_s=0.01)
        heard_inside.append(len(world.answers))

    world.at(0.02, ask)
    world.run()
    assert heard_inside == [0]
    assert [when_s for when_s, _ in world.answers] == [0.02]


def test_an_imposed_delay_equal_to_the_deadline_is_in_time() -> None:
    world = World(delays_s={"far": 0.3})
    world.ask("far", deadline_s=0.3)
    world.run()
    assert world.answer.span.status == "ok"
    assert world.expiries == []


def test_an_imposed_delay_leaves_the_other_stages_alone() -> None:
    def compute_s(delays_s: Mapping[str, float]) -> list[float]:
        world = World(robot=SPREAD, delays_s=delays_s)
        for stage in ("near", "far", "near", "far"):
            world.ask(stage)
        return [span.compute_s for span in world.run().spans if span.stage == "near"]

    assert compute_s({"far": 0.3}) == compute_s({})


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ConfigError, match="delay of far: must not be negative"):
        World(delays_s={"far": -0.1})


# Answers that come late, or not


def test_a_late_answer_still_comes_and_the_deadline_is_announced() -> None:
    world = World()
    number = world.ask("near", 5, deadline_s=0.004)
    world.run()
    assert world.expiries == [(0.004, number)]
    assert [(when_s, answer.value, answer.span.status) for when_s, answer in world.answers] == [(0.010, 5, "late")]
    assert world.answer.span.deadline_s == 0.004


def test_an_answer_at_the_deadline_is_in_time() -> None:
    world = World()
    world.ask("near", deadline_s=0.010)
    world.run()
    assert world.answer.span.status == "ok"
    assert world.expiries == []


def test_a_deadline_counts_from_the_start_of_the_request() -> None:
    world = World()
    world.at(0.020, lambda: world.ask("near", t_origin_s=0.005, deadline_s=0.024))
    world.run()
    assert world.expiries == [(0.029, 0)]
    assert world.answer.span.status == "late"


def outcome(direction: str, deadline_s: float | None, lost: bool = True) -> World:
    """One request through a link on which every second message of one direction is lost."""
    spec = replace(STEADY, loss=0.5, burst_length=1.0)
    for seed in range(40):
        world = World(spec, seed=seed)
        world.ask("far", 1000, deadline_s)
        world.run()
        span = world.answer.span
        where = "none" if span.status != "lost" else "up" if span.compute_s == 0 else "down"
        if where == (direction if lost else "none"):
            return world
    raise AssertionError("no seed gives this outcome")


def test_an_input_lost_on_the_way_is_never_computed() -> None:
    world = outcome("up", 0.5)
    assert world.seen == []
    assert [(when_s, answer.value) for when_s, answer in world.answers] == [(0.5, None)]
    assert world.expiries == [(0.5, 0)]
    assert parts(world.answer.span) == (0.5, 0.0, 0.0, 0.0)
    assert (world.answer.span.bytes_up, world.answer.span.bytes_down) == (1000, 0)


def test_a_lost_answer_was_computed_all_the_same() -> None:
    world = outcome("down", 0.5)
    assert len(world.seen) == 1
    assert [(when_s, answer.value) for when_s, answer in world.answers] == [(0.5, None)]
    assert parts(world.answer.span) == pytest.approx((0.011, 0.0, 0.005, 0.484))


def test_without_a_deadline_a_lost_request_is_given_up_in_the_end() -> None:
    world = outcome("up", None)
    assert [when_s for when_s, _ in world.answers] == [5.0]
    assert world.expiries == []
    assert world.answer.span.deadline_s is None


def test_an_answer_lost_after_the_deadline_ends_then() -> None:
    world = outcome("down", 0.012)
    assert world.expiries == [(0.012, 0)]
    assert [when_s for when_s, _ in world.answers] == pytest.approx([0.016])


def test_a_full_site_rejects_without_computing() -> None:
    world = World(queue_limit=1)
    for i in range(3):
        world.ask("near", i)
    assert world.answers == []  # nobody is called inside submit
    world.run()
    assert [(answer.span.request, answer.span.status) for _, answer in world.answers] == [
        (2, "rejected"), (0, "ok"), (1, "ok")
    ]  # fmt: skip
    assert [value for _, value in world.seen] == [0, 1]
    assert parts(world.spans[0]) == (0.0, 0.0, 0.0, 0.0)


def test_the_word_of_a_rejection_travels_back() -> None:
    world = World(queue_limit=0)
    world.ask("far", 1000)
    world.ask("far", 1000)
    world.run()
    span = next(span for span in world.spans if span.status == "rejected")
    assert parts(span) == pytest.approx((0.012, 0.0, 0.0, 0.010 + REJECTION_BYTES / 10e6))
    assert span.bytes_down == REJECTION_BYTES


# Stages that say no


@pytest.mark.parametrize(
    ("error", "status"), [(Refused("planning", "too hot", "let it cool"), "refused"), (PlanInvalid(0, "bad"), "failed")]
)
@pytest.mark.parametrize("stage", ["near", "far"])
def test_an_error_on_purpose_arrives_as_late_as_an_answer(error: Exception, status: str, stage: str) -> None:
    def call(_: Any) -> None:
        raise error

    world = World()
    world.ask(stage, 1000, call=call)
    world.run()
    assert world.answer.error is error
    assert (world.answer.value, world.answer.span.status) == (None, status)
    assert world.answer.span.compute_s == pytest.approx(0.010 if stage == "near" else 0.005)
    assert (world.answer.span.bytes_down > 0) == (stage == "far")


def test_a_bug_in_a_stage_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        World().ask("near", call=lambda x: 1 / x)
    world = World()
    world.ask("far", call=lambda x: 1 / x)
    with pytest.raises(ZeroDivisionError):
        world.run()


def test_what_is_under_way_and_over_is_counted() -> None:
    world = World(queue_limit=1)
    for _ in range(3):
        world.ask("near", deadline_s=0.015)
    assert world.executor.in_flight("near") == 3
    world.run()
    assert world.executor.in_flight("near") == 0
    assert world.executor.counters == {("near", "ok"): 1, ("near", "late"): 1, ("near", "rejected"): 1}


def test_check_finds_a_stage_that_could_not_be_served() -> None:
    clock = VirtualClock()
    known = Device("chip", {"planning": SPREAD})
    sites = {"robot": Site("robot", known, clock, partial(stream, 0, 0))}
    placement = Placement("robot", {"robot": True})
    executor = VirtualExecutor(clock, placement, sites, ignore, delay_override={"perception": 0.1})
    executor.check(["planning", "perception"])
    with pytest.raises(ConfigError, match=r"profiles.plannin: .* did you mean 'planning'"):
        executor.check(["planning", "plannin"])


def test_a_placement_on_a_site_that_is_not_there_is_refused() -> None:
    placement = Placement("robt", {"robt": True})
    clock = VirtualClock()
    site = Site("robot", Device("chip", default=SPREAD), clock, partial(stream, 0, 0))
    with pytest.raises(ConfigError, match="unknown site 'robt'; did you mean 'robot'"):
        VirtualExecutor(clock, placement, {"robot": site}, ignore).check(["planning"])


def test_a_remote_stage_sees_the_image_that_arrived() -> None:
    world = World()
    rgb = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    labels = np.ones((32, 32), np.int32)
    frame = Frame("head", 0.0, rgb, Intrinsics.from_fov(32, 32, 1.0), np.eye(4), segmentation=labels)
    for stage in ("near", "far"):
        world.ask(stage, frame, wire=Wire(), call=lambda _: None)
    world.run()
    (_, near), (_, far) = world.seen
    assert near is frame
    assert far.segmentation is None
    assert not np.array_equal(far.rgb, rgb)
    assert world.spans[-1].bytes_up > 100


# Properties

requests = st.lists(
    st.tuples(
        st.floats(0.0, 0.2),
        st.sampled_from(["near", "far", "control"]),
        st.integers(0, 20_000),
        st.one_of(st.none(), st.floats(0.001, 0.1)),
        st.floats(0.0, 0.03),
    ),
    max_size=25,
)
ROUGH = replace(STEADY, jitter_ms=15.0, loss=0.2, burst_length=2.0)


def play(asked: list[tuple[float, str, int, float | None, float]], seed: int = 0) -> World:
    world = World(ROUGH, SPREAD, seed=seed, replicas=2, queue_limit=2)
    for when_s, stage, n_bytes, deadline_s, age_s in asked:
        origin_s = max(0.0, when_s - age_s)
        world.at(when_s, partial(world.ask, stage, n_bytes, deadline_s, None, origin_s))
    return world.run()


@given(requests)
def test_every_request_ends_once_and_its_parts_add_up(
    asked: list[tuple[float, str, int, float | None, float]],
) -> None:
    world = play(asked)
    assert sorted(span.request for span in world.spans) == list(range(len(asked)))
    assert [answer.span for _, answer in world.answers] == world.spans
    expired = [number for _, number in world.expiries]
    for (when_s, answer), span in zip(world.answers, world.spans, strict=True):
        assert when_s == span.t_end_s
        assert min(parts(span)) >= 0
        assert sum(parts(span)) == pytest.approx(span.t_end_s - span.t_start_s, abs=1e-9)
        assert (answer.value is not None) == (span.status in ("ok", "late"))
        took_s = span.t_end_s - span.t_start_s
        over = span.deadline_s is not None and took_s > span.deadline_s + 1e-9
        if span.status in ("ok", "late"):
            assert (span.status == "late") == over == (span.request in expired)
        if span.status == "lost":
            assert took_s >= (5.0 if span.deadline_s is None else span.deadline_s) - 1e-9
    assert len(expired) == len(set(expired))
    assert not any(world.executor.in_flight(stage) for stage in ("near", "far", "control"))


@given(requests)
def test_the_same_seed_gives_the_same_spans(asked: list[tuple[float, str, int, float | None, float]]) -> None:
    assert play(asked).spans == play(asked).spans


def test_another_seed_gives_others() -> None:
    asked: list[tuple[float, str, int, float | None, float]] = [(0.01 * i, "far", 100, None, 0.0) for i in range(20)]
    assert play(asked, seed=0).spans != play(asked, seed=1).spans
