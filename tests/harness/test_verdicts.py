"""Which deployments are good enough: clear cases, cases that only more episodes can tell, and how often it errs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vla_sim.harness.verdicts import (
    Answer,
    Deployment,
    answer,
    cheapest,
    deployment,
    deployments_meeting,
    ttfa_upper_bound_ms,
)

WON = (True,) * 30
QUICK = tuple(np.linspace(700.0, 1100.0, 30).tolist())
GOOD = Deployment("edge, wifi 6", WON, WON, QUICK, usd_per_hour=2.0, usd_per_success=0.02, wh_per_success=1.5)


def verdict(**changes: object) -> tuple[Answer, Answer, Answer, str]:
    (found,) = deployments_meeting([replace(GOOD, **changes)])  # type: ignore[arg-type]
    return found.meets, found.budget, found.success, found.budget_by


def test_a_good_deployment_meets_both() -> None:
    (found,) = deployments_meeting([GOOD])
    assert (found.meets, found.budget, found.success, found.budget_by) == ("yes", "yes", "yes", "log-normal")
    assert found.ttfa_p95_ms == pytest.approx(1080)
    assert found.kept == 1.0
    assert found.kept_low is not None
    assert 0.9 < found.kept_low < 1.0
    assert found.line == (
        "edge, wifi 6: quick enough, 30 of 30 commands began within 2000 ms; "
        "able enough, 100 % of the success at zero latency"
    )


def test_what_is_clearly_bad_is_no_and_one_no_is_enough() -> None:
    assert verdict(ttfa_ms=tuple(3 * t for t in QUICK)) == ("no", "no", "yes", "counted")
    assert verdict(success=WON[:10] + (False,) * 20) == ("no", "yes", "no", "log-normal")
    assert verdict(success=WON[:10] + (False,) * 20, ttfa_ms=()) == ("no", "undecided", "no", "")


def test_what_episodes_cannot_tell_is_undecided() -> None:
    assert verdict(success=WON[:27] + (False,) * 3)[2] == "undecided"  # exactly ninety percent of thirty
    assert verdict(ttfa_ms=(*QUICK[:29], 2400.0)) == ("undecided", "undecided", "yes", "")
    assert verdict(ttfa_ms=(*QUICK[:29], math.inf))[1] == "undecided"  # one command that nothing came of
    assert verdict(zero_latency_success=(), success=())[2] == "undecided"
    assert verdict(zero_latency_success=(False,) * 30, success=(False,) * 30)[2] == "undecided"
    spread = tuple(np.geomspace(80.0, 1900.0, 30).tolist())  # all in time, but who is to say of the next
    assert verdict(ttfa_ms=spread)[1] == "undecided"


def test_enough_commands_in_time_need_no_assumption() -> None:
    spread = tuple(np.geomspace(80.0, 1900.0, 59).tolist())
    assert verdict(ttfa_ms=spread)[3] == "counted"
    assert verdict(ttfa_ms=spread[:58])[3] == ""


@given(st.integers(0, 30), st.floats(100.0, 10_000.0), st.floats(0.3, 1.0))
def test_a_stricter_question_is_never_answered_more_kindly(wins: int, budget_ms: float, share: float) -> None:
    rank = {"no": 0, "undecided": 1, "yes": 2}
    row = replace(GOOD, success=WON[:wins] + (False,) * (30 - wins))
    (lenient,) = deployments_meeting([row], budget_ms, share)
    (strict,) = deployments_meeting([row], 0.9 * budget_ms, min(1.0, 1.05 * share))
    assert rank[strict.budget] <= rank[lenient.budget]
    assert rank[strict.success] <= rank[lenient.success]
    assert rank[lenient.meets] == min(rank[lenient.budget], rank[lenient.success])


def test_the_upper_bound_of_the_times_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(8)
    truth = math.exp(6.5 + 0.3 * stats.norm.ppf(0.95))
    bounds = [ttfa_upper_bound_ms(rng.lognormal(6.5, 0.3, 30).tolist()) for _ in range(2000)]
    held = np.mean([bound is not None and bound >= truth for bound in bounds])
    assert abs(held - 0.95) < 3.5 * math.sqrt(0.95 * 0.05 / 2000)
    assert ttfa_upper_bound_ms([900.0] * 6) == pytest.approx(900.0)
    assert ttfa_upper_bound_ms([900.0] * 4) is None
    assert ttfa_upper_bound_ms([900.0] * 6 + [math.inf]) is None


def test_at_the_limit_of_what_is_asked_yes_is_rarely_said() -> None:
    rng = np.random.default_rng(12)
    rows = []
    for _ in range(600):
        zero = rng.random(60) < 0.95
        now = np.where(rng.random(60) < 0.9, zero, False)  # keeps ninety percent, no more
        rows.append(replace(GOOD, success=tuple(now.tolist()), zero_latency_success=tuple(zero.tolist())))
    said = [found.success for found in deployments_meeting(rows)]
    assert said.count("yes") / 600 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)
    assert said.count("no") / 600 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)


def test_the_cheapest_is_among_those_that_meet_it() -> None:
    slow = replace(GOOD, label="satellite", ttfa_ms=tuple(5 * t for t in QUICK), usd_per_success=0.001)
    dear = replace(GOOD, label="two H100", usd_per_success=0.2)
    unknown = replace(GOOD, label="own board", usd_per_success=None, usd_per_hour=None)
    vague = replace(GOOD, label="4g", ttfa_ms=(*QUICK[:29], 2400.0))
    found = deployments_meeting([slow, dear, GOOD, unknown, vague])
    best = cheapest(found)
    assert best is not None
    assert best.label == "edge, wifi 6"
    assert answer(found) == (
        "3 of 5 deployments meet both limits, 1 does not, of 1 more episodes must tell; "
        "the cheapest that does is edge, wifi 6, at 0.02 USD a success"
    )
    assert cheapest(found[:1]) is None
    assert answer(found[:1]) == "0 of 1 deployments meet both limits, 1 does not"
    hourly = deployments_meeting([replace(GOOD, usd_per_success=None)])
    assert answer(hourly).endswith("at 2 USD an hour")


def test_records_are_paired_by_seed_and_refusals_left_out() -> None:
    own = pd.DataFrame(
        {
            "seed": [3, 1, 2],
            "success": [True, False, True],
            "refused": [False, True, False],
            "ttfa_s": [0.5, math.nan, math.nan],
        }
    )
    zero = pd.DataFrame({"seed": [1, 2, 9], "success": [True, True, True]})
    metrics = {"cost": {"usd_per_hour": 1.0, "usd_per_success": None}, "energy": {"wh_per_success": 3.0}}
    found = deployment("cloud", own, zero, metrics)
    assert (found.success, found.zero_latency_success) == ((False, True), (True, True))
    assert found.ttfa_ms == (500.0, math.inf)
    assert (found.usd_per_hour, found.usd_per_success, found.wh_per_success) == (1.0, None, 3.0)
    assert deployment("cloud", own, None, metrics).success == ()
    with pytest.raises(ValueError, match="budget of 0"):
        deployments_meeting([found], 0)
