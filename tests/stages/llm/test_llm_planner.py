"""The planner against a real server on the loopback: what it asks, and what becomes of every kind of answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.stages.llm.server import BODIES, LoopbackServer, closed_port, serving
from tests.stages.test_planner import intents
from vla_sim.errors import PlanInvalid, Refused
from vla_sim.stages.llm.planner import LlmPlanner, Outcome
from vla_sim.stages.places import check_places
from vla_sim.stages.planner import SCHEMA, RulePlanner, validate
from vla_sim.types import Intent, ObjectQuery, Region, SiteMap

CUBE, TRAY = ObjectQuery("cube", "red"), ObjectQuery("tray")
PLACE, PICK = Intent("place", CUBE, TRAY), Intent("pick", CUBE)
KITCHEN, LAB, HALL, OFFICE = (Intent("go", place=place) for place in ("kitchen", "lab", "hall", "office"))
by_rule = RulePlanner()


@contextmanager
def planning(
    *script: str, now_s: Callable[[], float] | None = None, **more: Any
) -> Iterator[tuple[LoopbackServer, LlmPlanner]]:
    """A server that does what the script says, and a planner that asks it."""
    with serving(*script) as server:
        planner = LlmPlanner(now_s=now_s, **{"base_url": server.base_url, "backoff_s": 0.01, **more})
        try:
            yield server, planner
        finally:
            server.go_on()
            planner.close()


def counted(planner: LlmPlanner) -> dict[str, int]:
    """What was counted, without what was not."""
    return {name: n for name, n in planner.counts.items() if n}


def outcome_of(planner: LlmPlanner, intent: Intent = PLACE, priority: int = 5) -> Outcome:
    outcome = planner.plan(intent, priority)
    validate(outcome.plan)
    return outcome


# An endpoint that works


def test_asks_as_the_protocol_says_and_takes_the_plan() -> None:
    with planning(model="tiny", seed=7, json_mode=True) as (server, planner):
        assert planner(PLACE) == by_rule(PLACE)
        (outcome,) = planner.take_outcomes()
        assert (outcome.source, outcome.reason, outcome.requests) == ("endpoint", "", 1)
        assert planner.take_outcomes() == []
        assert counted(planner) == {"calls": 1, "asked": 1, "requests": 1}
        assert server.paths == ["/v1/chat/completions"]
        (body,) = server.requests
        sent = {name: body[name] for name in body if name != "messages"}
        assert sent == {
            "model": "tiny", "temperature": 0.0, "max_tokens": 1024, "seed": 7,
            "response_format": {"type": "json_object"},
        }  # fmt: skip
        roles = [message["role"] for message in body["messages"]]
        assert roles == ["system", *["user", "assistant"] * ((len(roles) - 2) // 2), "user"]
        assert json.dumps(SCHEMA, separators=(",", ":")) in body["messages"][0]["content"]
        cube, tray = {"shape": "cube", "colour": "red"}, {"shape": "tray", "colour": None}
        wanted = {"verb": "place", "target": cube, "destination": tray, "place": "", "deliver_to": ""}
        assert server.asked() == [wanted]
        assert "authorization" not in server.headers[0]


@pytest.fixture(scope="module")
def live() -> Iterator[LlmPlanner]:
    with planning(requests_per_min=10_000, cache_size=1) as (_, planner):
        yield planner


@settings(max_examples=40)
@given(intents)
def test_whatever_is_wanted_is_planned_by_an_endpoint_that_can(live: LlmPlanner, intent: Intent) -> None:
    outcome = outcome_of(live, intent)
    assert outcome.plan == by_rule(intent)
    assert outcome.source in ("endpoint", "cache") or intent.verb == "stop"


@pytest.mark.parametrize("behaviour", ["fenced", "chatty", "thinking", "in_parts"])
def test_an_answer_is_found_in_its_wrapping(behaviour: str) -> None:
    with planning(behaviour) as (server, planner):
        outcome = outcome_of(planner)
        assert (outcome.source, outcome.repaired) == ("endpoint", False)
        assert len(server.requests) == 1


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_KEY", "sk-secret")
    with planning("good", "http_401", key_variable="PLANNER_KEY") as (server, planner):
        planner(PLACE)
        assert server.headers[0]["authorization"] == "Bearer sk-secret"
        refused = outcome_of(planner, KITCHEN)
        assert (refused.reason, refused.source) == ("http_error", "rules")
        assert refused.problem.startswith("HTTP 401")
        assert "***" in refused.problem  # the server quoted it back
        shown = [repr(planner.settings), repr(refused), repr(vars(planner)), json.dumps(server.requests)]
        assert not any("sk-secret" in text for text in shown)


# Answers that are no plan


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ("nonsense", "no JSON object in"),
        ("truncated", "no JSON object in"),
        ("off_schema", "the plan: unknown key 'plan'; choose one of: steps"),
        ("extra_key", "unknown key 'hurry'"),
        ("no_locate", "the cube was not located"),
        ("to_the_stove", "the user did not ask to go_to 'stove'"),
    ],
)
def test_a_bad_answer_is_sent_back_once_with_what_is_wrong_with_it(behaviour: str, problem: str) -> None:
    with planning(behaviour) as (server, planner):
        outcome = outcome_of(planner)
        assert (outcome.source, outcome.repaired, outcome.requests) == ("endpoint", True, 2)
        assert outcome.plan == by_rule(PLACE)
        first, second = (body["messages"] for body in server.requests)
        assert second[: len(first)] == first
        assert [message["role"] for message in second[len(first) :]] == ["assistant", "user"]
        assert problem in second[-1]["content"]
        assert problem in outcome.problem
        assert counted(planner) == {"calls": 1, "asked": 1, "requests": 2, "repaired": 1}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("extra_key", "extra_key", "invalid"),
        ("fenced", "good", ""),
        ("nonsense", "no_locate", "invalid"),
        ("extra_key", "nonsense", "nonsense"),
        ("nonsense", "to_the_stove", "unasked"),
        ("nonsense", "http_400", "http_error"),
        ("nonsense", "no_json", "nonsense"),
    ],
)
def test_a_second_bad_answer_gives_the_plan_by_rule(first: str, second: str, reason: str) -> None:
    with planning(first, second) as (server, planner):
        outcome = outcome_of(planner)
        assert outcome.plan == by_rule(PLACE)
        assert (outcome.source, outcome.reason) == (("rules", reason) if reason else ("endpoint", ""))
        assert not outcome.repaired
        assert len(server.requests) == (2 if reason else 1)
        assert planner.counts["fell_back"] == planner.counts[f"fell_back_{reason}"] == bool(reason)


def test_a_plan_for_another_place_never_reaches_the_robot() -> None:
    """And where the user asked for one that is forbidden, it is refused as the plan by rule is."""
    stove = Region("stove", "hot", np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    room = Region("kitchen", "room", stove.corners + 5.0)
    site = SiteMap(regions=(stove, room))
    with planning("to_the_stove", "to_the_stove") as (_, planner):
        check_places(planner(KITCHEN), site)
        forbidden = Intent("go", place="stove")
        assert outcome_of(planner, forbidden).source == "endpoint"
        with pytest.raises(Refused, match="stove is a hot zone"):
            check_places(planner(forbidden), site)


# Endpoints that do not work


@pytest.mark.parametrize("behaviour", sorted(BODIES))
def test_what_is_no_chat_completion_is_nonsense(behaviour: str) -> None:
    with planning(behaviour) as (server, planner):
        outcome = outcome_of(planner)
        assert (outcome.plan, outcome.reason) == (by_rule(PLACE), "nonsense")
        assert len(outcome.problem) < 300
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "requests", "retried"),
    [
        (("http_429",), 2, 1),
        (("http_429", "http_500"), 3, 2),
        (("http_503",), 2, 1),
        (("hang_up",), 2, 1),
        (("nonsense", "http_429"), 3, 1),
    ],
)
def test_what_passes_is_tried_again(script: tuple[str, ...], requests: int, retried: int) -> None:
    with planning(*script) as (_, planner):
        assert outcome_of(planner).source == "endpoint"
        assert (planner.counts["requests"], planner.counts["retried"]) == (requests, retried)


@pytest.mark.parametrize(
    ("behaviour", "reason", "requests"),
    [
        ("http_500", "http_error", 3),
        ("http_429", "rate_limited", 3),
        ("hang_up", "dropped", 3),
        ("http_404", "http_error", 1),
        ("http_429 after 3600", "rate_limited", 1),
    ],
)
def test_what_does_not_pass_is_given_up(behaviour: str, reason: str, requests: int) -> None:
    """At once where another try would help nothing, or would come too late."""
    with planning(*[behaviour] * 3) as (_, planner):
        outcome = outcome_of(planner)
        assert (outcome.plan, outcome.reason, outcome.requests) == (by_rule(PLACE), reason, requests)
        assert outcome.took_s < 5.0


def test_the_endpoint_says_how_long_to_wait() -> None:
    with planning("http_429 after 1", backoff_s=0.0) as (_, planner):
        outcome = outcome_of(planner)
        assert outcome.source == "endpoint"
        assert outcome.took_s >= 1.0
        assert planner.last_took_s == outcome.took_s


def test_nobody_listens() -> None:
    planner = LlmPlanner(base_url=f"http://127.0.0.1:{closed_port()}/v1")
    outcome = outcome_of(planner)
    assert (outcome.plan, outcome.reason, outcome.requests) == (by_rule(PLACE), "refused", 1)
    assert outcome.took_s < 5.0
    planner.close()


@pytest.mark.parametrize("behaviour", ["wait", "drip"])
def test_the_limit_holds_as_a_whole_even_if_bytes_keep_coming(behaviour: str) -> None:
    with planning(behaviour, timeout_s=0.3) as (_, planner):
        outcome = outcome_of(planner)
        assert (outcome.plan, outcome.reason) == (by_rule(PLACE), "timeout")
        assert 0.3 <= outcome.took_s < 2.0
        assert counted(planner) == {"calls": 1, "asked": 1, "requests": 1, "fell_back": 1, "fell_back_timeout": 1}


# What is not asked at all


@pytest.mark.parametrize("intent", [Intent("dance", CUBE), Intent("go"), Intent("pick"), Intent("pick", TRAY)])
def test_refuses_what_the_rules_refuse_before_asking(intent: Intent) -> None:
    with pytest.raises((Refused, PlanInvalid)) as expected:
        by_rule(intent)
    with planning() as (server, planner):
        with pytest.raises(type(expected.value)) as caught:
            planner(intent)
        assert str(caught.value) == str(expected.value)
        assert server.requests == []


def test_a_stop_waits_for_nobody() -> None:
    with planning() as (server, planner):
        outcome = outcome_of(planner, Intent("stop"))
        assert (outcome.source, outcome.reason) == ("rules", "stop")
        assert server.requests == []
        assert counted(planner) == {"calls": 1}


def test_the_same_question_is_asked_once_in_300_seconds() -> None:
    now = [0.0]
    with planning(now_s=lambda: now[0]) as (_, planner):
        sources = []
        for at_s in (0.0, 1.0, 299.9, 300.1, 301.0):
            now[0] = at_s
            sources.append(outcome_of(planner, Intent("pick", CUBE, confidence=1.0 - at_s / 1e3)).source)
        assert sources == ["endpoint", "cache", "cache", "endpoint", "cache"]
        assert outcome_of(planner, Intent("pick", ObjectQuery("cube"))).source == "endpoint"
        assert counted(planner) == {"calls": 6, "asked": 3, "requests": 3, "cached": 3}


def test_of_many_plans_the_least_recently_used_is_forgotten() -> None:
    with planning(cache_size=2) as (_, planner):
        sources = [outcome_of(planner, intent).source for intent in (KITCHEN, LAB, KITCHEN, HALL, KITCHEN, LAB)]
        assert sources == ["endpoint", "endpoint", "cache", "endpoint", "cache", "endpoint"]


def test_a_plan_by_rule_is_not_kept() -> None:
    with planning("http_400") as (_, planner):
        assert [outcome_of(planner).source for _ in range(3)] == ["rules", "endpoint", "cache"]


def test_no_more_requests_a_minute_than_allowed() -> None:
    now = [0.0]
    with planning(now_s=lambda: now[0], requests_per_min=2, timeout_s=5.0) as (server, planner):
        reasons = []
        for at_s, intent in ((0.0, KITCHEN), (10.0, LAB), (20.0, HALL), (54.0, HALL), (60.0, HALL), (61.0, OFFICE)):
            now[0] = at_s
            reasons.append(outcome_of(planner, intent).reason)
        assert reasons == ["", "", "rate_limited", "rate_limited", "", "rate_limited"]
        assert len(server.requests) == 3


def test_an_endpoint_that_fails_again_and_again_is_left_alone_and_tried_again() -> None:
    now = [0.0]
    bad = ("http_400", "no_json", "nonsense", "nonsense", "http_400")
    with planning(*bad, now_s=lambda: now[0], breaker_failures=3, breaker_rest_s=30.0) as (server, planner):
        told = []
        for at_s in (0.0, 1.0, 2.0, 3.0, 31.9, 32.1, 33.0, 62.0, 62.2, 63.0):
            now[0] = at_s
            outcome = outcome_of(planner, Intent("go", place=f"room {at_s}"))
            told.append(outcome.reason)
        assert told == [
            "http_error", "nonsense", "nonsense", "resting", "resting", "http_error", "resting", "resting", "", "",
        ]  # fmt: skip
        assert len(server.requests) == 7
        assert planner.counts["fell_back_resting"] == 4
        assert planner.counts["asked"] == 6


def test_our_own_limit_is_no_failure_of_the_endpoint() -> None:
    now = [0.0]
    with planning(now_s=lambda: now[0], requests_per_min=1, timeout_s=1.0, breaker_failures=2) as (_, planner):
        reasons = [outcome_of(planner, intent).reason for intent in (KITCHEN, LAB, HALL, OFFICE)]
        now[0] = 61.0
        reasons.append(outcome_of(planner, OFFICE).reason)
        assert reasons == ["", "rate_limited", "rate_limited", "rate_limited", ""]


# Several at once


@contextmanager
def crowd() -> Iterator[Callable[[LlmPlanner, Intent, int], Future[Outcome]]]:
    with ThreadPoolExecutor(12) as pool:
        yield lambda planner, intent, priority: pool.submit(planner.plan, intent, priority)


def wait_until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if true():
            return
        pause.wait(0.005)
    raise AssertionError("it did not come to that")


def test_the_same_question_in_flight_is_asked_once() -> None:
    with planning("wait") as (server, planner), crowd() as submit:
        answers = [submit(planner, PICK, 5) for _ in range(5)]
        wait_until(lambda: planner.counts["calls"] == 5)
        server.go_on()
        outcomes = [answer.result() for answer in answers]
        assert len(server.requests) == 1
        assert {outcome.plan for outcome in outcomes} == {by_rule(PICK)}
        assert sorted(outcome.shared for outcome in outcomes) == [False, True, True, True, True]
        assert sum(outcome.requests for outcome in outcomes) == 1
        assert counted(planner) == {"calls": 5, "asked": 1, "requests": 1, "shared": 4}


def test_at_most_three_at_once_and_the_most_urgent_next() -> None:
    with planning(*["wait"] * 3) as (server, planner), crowd() as submit:
        first = [submit(planner, intent, 5) for intent in (KITCHEN, LAB, HALL)]
        server.arrived(3)
        later = []
        for place, priority in (("attic", 1), ("cellar", 5), ("garage", 9), ("garden", 5)):
            later.append(submit(planner, Intent("go", place=place), priority))
            waiting = len(later)
            wait_until(lambda n=waiting: planner._gate.waiting == n)  # type: ignore[misc]
        assert len(server.requests) == 3
        server.go_on()
        assert all(answer.result().source == "endpoint" for answer in (*first, *later))
        assert server.most_at_once == 3
        order = [wanted["place"] for wanted in server.asked()[3:]]
        assert order.index("garage") == 0
        assert order.index("cellar") < order.index("attic")


def test_one_at_a_time_keeps_the_order_of_urgency_exactly() -> None:
    with planning("wait", max_concurrent=1) as (server, planner), crowd() as submit:
        answers = [submit(planner, KITCHEN, 5)]
        server.arrived(1)
        for place, priority in (("attic", 1), ("cellar", 5), ("garage", 9), ("garden", 5)):
            answers.append(submit(planner, Intent("go", place=place), priority))
            waiting = len(answers) - 1
            wait_until(lambda n=waiting: planner._gate.waiting == n)  # type: ignore[misc]
        server.go_on()
        assert all(answer.result().source == "endpoint" for answer in answers)
        assert [wanted["place"] for wanted in server.asked()] == ["kitchen", "garage", "cellar", "garden", "attic"]
        assert server.most_at_once == 1


def test_waiting_counts_against_the_limit_and_gives_the_place_back() -> None:
    more: dict[str, Any] = {"max_concurrent": 1, "timeout_s": 0.4, "retries": 0}
    with planning("wait", "wait", **more) as (server, planner), crowd() as submit:
        answers = [submit(planner, KITCHEN, 5)]
        server.arrived(1)
        answers.append(submit(planner, LAB, 5))
        outcomes = [answer.result() for answer in answers]
        assert [outcome.reason for outcome in outcomes] == ["timeout", "timeout"]
        assert max(outcome.took_s for outcome in outcomes) < 0.75
        server.script.clear()
        assert outcome_of(planner, HALL).source == "endpoint"


def test_each_thread_has_its_own_last_time() -> None:
    with planning() as (_, planner), crowd() as submit:
        outcome = submit(planner, KITCHEN, 5).result()
        assert outcome.took_s > 0
        assert planner.last_took_s == 0.0
        assert planner.charge == "profile"


def test_a_planner_can_be_closed_and_used_again() -> None:
    with planning() as (server, planner):
        for _ in range(2):
            planner.close()
            planner.close()
            assert outcome_of(planner, KITCHEN).plan == by_rule(KITCHEN)
            planner.close()
        assert len(server.requests) == 1
        assert outcome_of(planner, LAB).source == "endpoint"
