"""A search sees every variant that meets the conditions before any that does not, and those by how far they miss."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.errors import ConfigError
from vla_sim.harness.objective import PENALTY, Objective

CHEAP = Objective(minimise="cost.usd_per_hour", subject_to=("success_rate >= 0.9", "budget.total.met_ratio >= 0.95"))
RATES = st.one_of(st.none(), st.floats(0, 1))


def metrics(rate: float | None, met: float | None, usd: float | None) -> dict[str, Any]:
    return {"success_rate": rate, "budget": {"total": {"met_ratio": met}}, "cost": {"usd_per_hour": usd}}


def test_without_a_word_it_is_the_success_rate() -> None:
    assert Objective().score(metrics(0.75, None, None)) == 0.75


def test_what_meets_the_conditions_counts_as_it_is() -> None:
    assert CHEAP.score(metrics(0.9, 0.95, 2.5)) == 2.5
    assert Objective(maximise="success_rate").score(metrics(0.4, None, None)) == 0.4


def test_of_those_that_miss_the_one_that_misses_less_comes_first() -> None:
    worse, bad = CHEAP.score(metrics(0.2, 1.0, 0.1)), CHEAP.score(metrics(0.8, 1.0, 9.0))
    assert worse > bad > PENALTY
    assert bad == pytest.approx(PENALTY + 0.1, rel=1e-12)
    assert CHEAP.score(metrics(0.8, 0.5, 9.0)) == pytest.approx(PENALTY + 0.55, rel=1e-12)


def test_large_limits_are_missed_relatively() -> None:
    slow = Objective(minimise="cost.usd_per_hour", subject_to=("ttfa_ms.p50 <= 500",))
    score = slow.score({"ttfa_ms": {"p50": 750.0}, "cost": {"usd_per_hour": 1.0}})
    assert score - PENALTY == pytest.approx(0.5, abs=1e-6)


def test_a_price_that_nobody_knows_is_not_cheap() -> None:
    assert CHEAP.score(metrics(1.0, 1.0, None)) > PENALTY


@given(st.booleans(), st.lists(st.tuples(RATES, RATES, st.one_of(st.none(), st.floats(0, 1e12))), min_size=2))
def test_no_variant_that_misses_is_ever_preferred(small: bool, cases: list[tuple[Any, Any, Any]]) -> None:
    key = "cost.usd_per_hour"
    wanted = Objective(key if small else None, None if small else key, CHEAP.subject_to)
    sign = 1 if small else -1
    scores = {True: [], False: []}  # type: dict[bool, list[float]]
    for rate, met, usd in cases:
        good = rate is not None and rate >= 0.9 and met is not None and met >= 0.95 and usd is not None
        scores[good].append(sign * wanted.score(metrics(rate, met, usd)))
    assert all(math.isfinite(score) for score in [*scores[True], *scores[False]])
    assert max(scores[True], default=-math.inf) < min(scores[False], default=math.inf)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"minimise": "cost.usd_per_hor"}, ["minimise", "'cost.usd_per_hour'"]),
        ({"maximise": "sucess_rate"}, ["maximise", "'success_rate'"]),
        ({"minimise": "falls", "maximise": "success_rate"}, ["objective", "choose one"]),
        ({"subject_to": ("success_rate > often",)}, ["subject_to", "'often'"]),
        ({"subject_to": ("success >= 0.9",)}, ["subject_to", "success_rate"]),
    ],
)
def test_what_cannot_be_sought_is_named(how: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Objective(**how)
    assert str(caught.value).startswith(words[0])
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)
