"""Fallbacks, hedges and health: where a request goes when its site does not answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.clock import VirtualClock, to_ns
from vla_sim.deployment import cache
from vla_sim.deployment.cache import CacheSpec
from vla_sim.deployment.executor import VirtualExecutor
from vla_sim.deployment.interruptions import InterruptionSpec, Window
from vla_sim.deployment.link import Link, LinkSpec, Path
from vla_sim.deployment.placement import Placement
from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.deployment.routing import Fallback, Health, HealthSpec, Hop, Routes
from vla_sim.deployment.site import Site
from vla_sim.deployment.span import Answer, Span
from vla_sim.errors import ConfigError
from vla_sim.rng import stream

RADIO = LinkSpec("radio", None, None, 20.0, 0.0, 0.0, 1.0, "a test")
OUT = InterruptionSpec(outages=(Window(1.0, 10.0),))
ROBOT = {"sees": 40.0, "sees_simplified": 8.0, "thinks": 40.0}
TO_ROBOT = {"cloud": Fallback("robot", "simplified", 100.0)}


class World:
    """A cloud of 5 ms a call behind a radio, a slower robot, and what was heard of them."""

    def __init__(
        self,
        fallbacks: dict[str, Fallback] | None = None,
        health: HealthSpec | None = None,
        link: LinkSpec = RADIO,
        cloud_ms: float = 5.0,
        cloud_limit: int | None = None,
        seed: int = 0,
    ) -> None:
        self.clock = VirtualClock()
        rngs = partial(stream, seed, 0)
        robot = Device("chip", {name: LatencyProfile.constant(ms, "a test") for name, ms in ROBOT.items()})
        cloud = Device("gpu", default=LatencyProfile.constant(cloud_ms, "a test"))
        path = Path((Link(link, rngs("up"), rngs("down")),))
        self.sites = {
            "robot": Site("robot", robot, self.clock, rngs),
            "cloud": Site("cloud", cloud, self.clock, rngs, path=path, queue_limit=cloud_limit),
        }
        on_robot = {name: site.on_robot for name, site in self.sites.items()}
        self.spans: list[Span] = []
        self.answers: list[tuple[float, Answer[Any]]] = []
        self.missed: list[float] = []
        self.executor = VirtualExecutor(
            self.clock,
            Placement("cloud", on_robot, stages={"safety": "robot", "control": "robot"}),
            self.sites,
            self.spans.append,
            routes=Routes(fallbacks or {}, self.sites),
            health=Health(health, self.clock, {name: site.path for name, site in self.sites.items()}),
        )

    def ask(self, at_s: float, stage: str = "sees", deadline_s: float | None = 1.0, light: bool = True) -> None:
        def submit() -> None:
            self.executor.submit(
                stage,
                lambda x: f"full {x}",
                "x",
                deadline_s=deadline_s,
                on_done=lambda answer: self.answers.append((self.clock.now_s, answer)),
                on_deadline=lambda _: self.missed.append(self.clock.now_s),
                simplified=(lambda x: f"light {x}") if light else None,
            )

        self.clock.call_at_ns(to_ns(at_s), submit)

    def submit_call(self, call: Callable[[Any], Any], **how: Any) -> None:
        """Ask now, with a stage of the test's own."""
        self.executor.submit(
            "sees", call, "x", deadline_s=None, simplified=lambda x: f"light {x}",
            on_done=lambda answer: self.answers.append((self.clock.now_s, answer)), **how,
        )  # fmt: skip

    def run(self, until_s: float = 60.0) -> World:
        self.clock.call_at_ns(to_ns(until_s), lambda: None)
        self.clock.run(lambda: self.clock.now_s >= until_s)
        return self

    @property
    def last(self) -> Any:
        when_s, answer = self.answers[-1]
        return when_s, answer.value, answer.span.status


def test_while_the_cloud_answers_in_time_nobody_else_is_asked() -> None:
    world = World(TO_ROBOT)
    world.ask(0.0)
    world.run()
    assert world.last == (pytest.approx(0.025), "full x", "ok")
    assert [(span.site, span.attempt, span.mode) for span in world.spans] == [("cloud", 0, "full")]


def test_silence_sends_the_request_to_the_robots_lighter_version() -> None:
    world = World(TO_ROBOT, link=replace(RADIO, interruptions=OUT))
    world.ask(2.0)
    world.run()
    assert world.last == (pytest.approx(2.108), "light x", "ok")
    assert [(s.site, s.status, s.attempt, s.mode) for s in world.spans] == [
        ("robot", "ok", 1, "simplified"),
        ("cloud", "lost", 0, "full"),
    ]
    used = world.spans[0]
    assert used.t_start_s == 2.0
    assert [used.uplink_s, used.compute_s] == pytest.approx([0.1, 0.008])
    assert world.missed == []


def test_a_stage_without_a_lighter_version_falls_back_to_itself() -> None:
    world = World(TO_ROBOT, link=replace(RADIO, interruptions=OUT))
    world.ask(2.0, "thinks", light=False)
    world.run()
    assert world.last == (pytest.approx(2.140), "full x", "ok")
    assert world.spans[0].mode == "full"


def test_the_first_answer_counts_and_the_other_is_superseded() -> None:
    world = World({"cloud": Fallback("robot", "full", 10.0)}, cloud_ms=15.0)
    world.ask(0.0)
    world.run()
    assert world.last == (pytest.approx(0.035), "full x", "ok")
    assert [(s.site, s.status) for s in world.spans] == [("cloud", "ok"), ("robot", "superseded")]
    assert len(world.answers) == 1
    assert world.executor.in_flight("sees") == 0


def test_a_full_site_hands_on_at_once() -> None:
    world = World({"cloud": Fallback("robot")}, cloud_ms=500.0, cloud_limit=0)
    world.ask(0.0)
    world.ask(0.001)
    world.run()
    when_s, _, status = min(((t, a.value, a.span.status) for t, a in world.answers), key=lambda row: row[0])
    assert when_s == pytest.approx(0.001 + 0.020 + 0.040)
    assert status == "ok"
    assert sorted(s.status for s in world.spans) == ["ok", "ok", "rejected"]


def test_without_a_fallback_a_lost_request_ends_at_its_deadline() -> None:
    world = World(link=replace(RADIO, interruptions=OUT))
    world.ask(2.0)
    world.run()
    assert world.last == (pytest.approx(3.0), None, "lost")
    assert world.missed == [pytest.approx(3.0)]


def test_when_all_are_silent_it_ends_once_at_the_deadline() -> None:
    lost = replace(RADIO, interruptions=OUT)
    world = World({"cloud": Fallback("robot", "full", 100.0)}, link=lost)
    world.sites["robot"].path = Path((Link(lost, stream(0, 0, "a"), stream(0, 0, "b")),))
    world.ask(2.0)
    world.run()
    assert len(world.answers) == 1
    assert world.last == (pytest.approx(3.0), None, "lost")
    assert sorted((s.site, s.status) for s in world.spans) == [("cloud", "lost"), ("robot", "lost")]


def test_a_site_that_is_known_to_be_down_is_not_waited_for() -> None:
    world = World(TO_ROBOT, HealthSpec(100.0, 300.0, 2), replace(RADIO, interruptions=OUT))
    for at_s in (0.9, 1.1, 2.0, 12.0):
        world.ask(at_s)
    world.run(20.0)
    took = [(s.site, round(s.t_end_s - s.t_start_s, 3), s.attempt) for s in world.spans if s.status == "ok"]
    assert took == [("cloud", 0.025, 0), ("robot", 0.108, 1), ("robot", 0.008, 1), ("cloud", 0.025, 0)]


@pytest.mark.parametrize("spec", [HealthSpec(100.0, 300.0, 2), HealthSpec(50.0, 100.0, 1), HealthSpec(200.0, 500.0, 3)])
def test_an_outage_is_noticed_and_forgotten_as_fast_as_the_heartbeat_allows(spec: HealthSpec) -> None:
    world = World({}, spec, replace(RADIO, interruptions=OUT))
    up: list[tuple[float, bool]] = []
    health = world.executor._health  # what nobody else asks

    def look() -> None:
        up.append((world.clock.now_s, health.up("cloud")))
        world.clock.call_in(0.01, look)

    world.clock.call_at_ns(0, look)
    world.run(15.0)
    down_s = next(t for t, ok in up if not ok)
    back_s = next(t for t, ok in up if ok and t > down_s)
    # The first lost beat leaves at most one period after the outage began (or half a round trip before it).
    noticed = 1.0 + spec.timeout_ms / 1e3 + (spec.failures - 1) * spec.every_ms / 1e3
    assert noticed - 0.03 <= down_s <= noticed + spec.every_ms / 1e3 + 0.03
    assert 11.0 <= back_s <= 11.0 + spec.every_ms / 1e3 + 0.04


def test_without_a_heartbeat_every_site_counts_as_up() -> None:
    assert World().executor._health.up("cloud")


# Routes


def test_the_way_follows_the_fallbacks_and_ends_in_the_lighter_version() -> None:
    routes = Routes({"far": Fallback("near", "full", 50.0), "near": Fallback("robot", "simplified")},
                    {"far": 0, "near": 0, "robot": 0})  # fmt: skip
    assert routes.hops("far") == (
        Hop("far", "full", to_ns(0.05), 0), Hop("near", "full", None, 1), Hop("robot", "simplified", None, 2),
    )  # fmt: skip
    assert routes.hops("robot") == (Hop("robot"),)


def test_a_site_may_fall_back_to_its_own_lighter_version() -> None:
    routes = Routes({"robot": Fallback("robot", "simplified", 80.0)}, {"robot": 0})
    assert [hop.mode for hop in routes.hops("robot")] == ["full", "simplified"]


@pytest.mark.parametrize(
    ("fallbacks", "circle"),
    [
        ({"a": Fallback("a")}, "a -> a"),
        ({"a": Fallback("b"), "b": Fallback("a")}, "a -> b -> a"),
        ({"a": Fallback("b"), "b": Fallback("c"), "c": Fallback("b")}, "b -> c -> b"),
    ],
)
def test_a_circle_is_refused_and_shown(fallbacks: dict[str, Fallback], circle: str) -> None:
    with pytest.raises(ConfigError, match=f"goes round in a circle: {circle}"):
        Routes(fallbacks, dict.fromkeys("abc"))


@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("abcd"), max_size=4))
def test_every_way_ends_or_is_refused(after: dict[str, str]) -> None:
    fallbacks = {site: Fallback(other) for site, other in after.items()}
    try:
        routes = Routes(fallbacks, dict.fromkeys("abcd"))
    except ConfigError:
        ends = list[str]()
        for start in "abcd":  # some walk of more steps than there are sites never ends
            site, steps = start, 0
            while site in after and steps < 5:
                site, steps = after[site], steps + 1
            if steps == 5:
                ends.append(start)
        assert ends
    else:
        for site in "abcd":
            names = [hop.site for hop in routes.hops(site)]
            assert len(names) == len(set(names))
            assert [hop.number for hop in routes.hops(site)] == list(range(len(names)))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Fallback("robot", "cached"), "choose one of: full, simplified"),
        (lambda: Fallback("robot", "full", 0.0), "after_ms: must be positive"),
        (lambda: Fallback("robot", "full", math.inf), "after_ms: must be positive"),
        (lambda: HealthSpec(every_ms=0.0), "every_ms: must be positive"),
        (lambda: HealthSpec(failures=0), "at least 1"),
        (lambda: Routes({"robot": Fallback("clod")}, {"robot": 0, "cloud": 0}), "did you mean 'cloud'"),
        (lambda: Routes({"moon": Fallback("robot")}, {"robot": 0}), "unknown site 'moon'"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


@given(st.integers(0, 50), st.lists(st.floats(0.0, 3.0), min_size=1, max_size=12))
def test_every_request_ends_once_and_with_one_answer_at_most(seed: int, gaps_s: list[float]) -> None:
    rough = replace(RADIO, jitter_ms=15.0, loss=0.3, burst_length=3.0,
                    interruptions=InterruptionSpec(outage_every_s=2.0, outage_s=1.0))  # fmt: skip
    world = World({"cloud": Fallback("robot", "simplified", 60.0)}, HealthSpec(), rough, 30.0, 2, seed)
    at_s = 0.0
    for i, gap_s in enumerate(gaps_s):
        at_s += gap_s
        world.ask(at_s, deadline_s=0.5 if i % 2 else None)
    world.run(at_s + 10.0)
    assert len(world.answers) == len(gaps_s)
    by_request: dict[int, list[Span]] = {}
    for span in world.spans:
        by_request.setdefault(span.request, []).append(span)
        parts = span.uplink_s + span.queue_s + span.compute_s + span.downlink_s
        assert parts == pytest.approx(span.t_end_s - span.t_start_s, abs=1e-9)
    for spans in by_request.values():
        assert sum(span.status in ("ok", "late") for span in spans) <= 1
        assert len({span.attempt for span in spans}) == len(spans)
        assert len({span.t_start_s for span in spans}) == 1
    assert world.executor.in_flight("sees") == 0


# Caches, effort and measured work


class Guess:
    """A stage that says what it took, and asks to be charged that."""

    charge = "measured"
    last_took_s = 0.123

    def __call__(self, value: str) -> str:
        return value.upper()


def test_a_stage_can_be_charged_what_it_really_took() -> None:
    world = World()
    world.clock.call_at_ns(0, lambda: world.submit_call(Guess()))
    world.run()
    assert world.last == (pytest.approx(0.020 + 0.123), "X", "ok")


def cached_world(spare: bool = False) -> World:
    world = World()
    caches = {"sees": cache.build(CacheSpec("lru", 4, hit_ms=1.0), lambda: world.clock.now_s)}
    site = world.sites["cloud"]
    setattr(site, "_spare" if spare else "_caches", caches)
    return world


def test_an_answer_known_at_the_site_costs_no_compute_and_no_turn() -> None:
    world = cached_world()
    for at_s in (0.0, 1.0):
        world.ask(at_s)
    world.run()
    first, second = world.spans
    assert (first.mode, second.mode) == ("full", "cached")
    assert second.compute_s == pytest.approx(0.001)
    assert [answer.value for _, answer in world.answers] == ["full x", "full x"]


def test_a_spare_cache_is_asked_only_when_answers_are_used_again() -> None:
    for reuse, modes in ((False, ["full", "full"]), (True, ["full", "cached"])):
        world = cached_world(spare=True)
        world.executor.reuse_answers = reuse
        for at_s in (0.0, 1.0):
            world.ask(at_s)
        world.run()
        assert [span.mode for span in world.spans] == modes


def test_less_effort_takes_less_time() -> None:
    world = World()
    world.clock.call_at_ns(0, lambda: world.submit_call(str, effort=0.25))
    world.run()
    assert world.spans[0].compute_s == pytest.approx(0.25 * 0.005)


def test_the_lighter_version_can_be_asked_for() -> None:
    world = World(TO_ROBOT)
    world.sites["cloud"].device.profiles["sees_simplified"] = LatencyProfile.constant(2.0, "a test")
    world.clock.call_at_ns(0, lambda: world.submit_call(str, light=True))
    world.run()
    assert (world.spans[0].site, world.spans[0].mode) == ("cloud", "simplified")
    assert world.spans[0].compute_s == pytest.approx(0.002)


def test_how_long_answers_take_includes_those_still_waited_for() -> None:
    world = World(link=replace(RADIO, interruptions=OUT))
    seen: list[float | None] = []
    for at_s in (0.0, 0.5, 2.0):
        world.ask(at_s, deadline_s=3.0)
    for at_s in (0.001, 0.8, 1.5, 2.7):
        world.clock.call_at_ns(to_ns(at_s), lambda: seen.append(world.executor.response_s("sees")))
    assert world.executor.response_s("sees") is None
    world.run()
    assert seen == [pytest.approx(0.001), pytest.approx(0.025), None, pytest.approx(0.7)]
