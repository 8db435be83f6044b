"""Shares of a computer: properties of every allocation, and cases worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.deployment.resources import (
    COMPONENT_OF,
    COMPONENTS,
    Allocation,
    Component,
    Urgency,
    Usage,
    allocate,
    component_of,
    urgency_of,
)
from vla_sim.errors import ConfigError

NAMES = ("a", "b", "c", "d", "e")
EPS = 1e-6


def usages(most_cpu: float = 150.0, most_mb: float = 1200.0) -> st.SearchStrategy[Usage]:
    return st.builds(Usage, st.floats(0, most_cpu), st.floats(0, most_mb))


@st.composite
def markets(draw: st.DrawFn) -> tuple[dict[str, Usage], Usage, list[Component]]:
    """Some components, few priorities so that there are equals, and a computer that is often too small."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    ranks, cpus, mbs = st.sampled_from([0, 5, 10]), st.floats(0.1, 150), st.sampled_from([100.0, 1000.0])
    components = [Component(name, draw(ranks), draw(cpus), draw(mbs)) for name in names]
    asked = draw(st.lists(st.sampled_from(names), unique=True))
    return {name: draw(usages()) for name in asked}, draw(usages(150.0, 1500.0)), components


def cpu(allocation: Allocation) -> dict[str, float]:
    return {name: usage.cpu_percent for name, usage in allocation.grants.items()}


def no_memory(demand: dict[str, Usage]) -> dict[str, Usage]:
    """The same demands of processor time: then everything can be loaded."""
    return {name: replace(usage, memory_mb=0.0) for name, usage in demand.items()}


# Properties


@given(markets())
def test_nobody_gets_more_than_there_is_than_asked_for_or_than_allowed(market: Any) -> None:
    demand, capacity, components = market
    grants = allocate(demand, capacity, components).grants
    assert set(grants) == set(demand)
    for key in ("cpu_percent", "memory_mb"):
        assert sum(getattr(usage, key) for usage in grants.values()) <= getattr(capacity, key) + EPS
        for component in components:
            if component.name in grants:
                given_ = getattr(grants[component.name], key)
                assert 0 <= given_ <= getattr(demand[component.name], key)
                assert given_ <= getattr(component, key)


@given(markets())
def test_the_processor_is_left_idle_only_when_everybody_has_all_he_may_have(market: Any) -> None:
    demand, capacity, components = market
    got = allocate(demand, capacity, components)
    if sum(cpu(got).values()) >= capacity.cpu_percent - EPS:
        return
    for component in components:
        if component.name in demand and component.name not in got.unloaded:
            wanted = min(demand[component.name].cpu_percent, component.cpu_percent)
            assert cpu(got)[component.name] == pytest.approx(wanted, abs=EPS)


@given(markets(), st.data())
def test_who_comes_first_never_gets_less_because_another_asks(market: Any, data: st.DataObject) -> None:
    demand, capacity, components = market
    chosen = data.draw(st.sampled_from(components))
    before = allocate({n: u for n, u in demand.items() if n != chosen.name}, capacity, components)
    after = allocate({**demand, chosen.name: data.draw(usages())}, capacity, components)
    for other in components:
        if other.name in before.grants and other.priority > chosen.priority:
            assert after.grants[other.name] == before.grants[other.name]
            assert after.unloaded.get(other.name) == before.unloaded.get(other.name)


@given(markets(), st.floats(0, 100))
def test_on_a_larger_computer_nobody_gets_less_time(market: Any, more: float) -> None:
    demand, capacity, components = market
    larger = replace(capacity, cpu_percent=capacity.cpu_percent + more)
    before, after = (cpu(allocate(demand, size, components)) for size in (capacity, larger))
    assert all(after[name] >= before[name] - EPS for name in before)


@given(markets(), st.floats(0, 100), st.data())
def test_who_asks_for_more_time_does_not_get_less_and_the_others_do_not_get_more(
    market: Any, more: float, data: st.DataObject
) -> None:
    demand, capacity, components = market
    if not demand:
        return
    demand, name = no_memory(demand), data.draw(st.sampled_from(sorted(demand)))
    greedier = {**demand, name: Usage(demand[name].cpu_percent + more, 0.0)}
    before, after = (cpu(allocate(wanted, capacity, components)) for wanted in (demand, greedier))
    assert after[name] >= before[name] - EPS
    assert all(after[other] <= before[other] + EPS for other in before if other != name)


@given(markets())
def test_the_order_in_which_components_are_listed_is_no_matter(market: Any) -> None:
    demand, capacity, components = market
    backwards = dict(reversed(demand.items()))
    one, other = allocate(demand, capacity, components), allocate(backwards, capacity, components[::-1])
    assert one.grants == other.grants
    assert one.unloaded == other.unloaded


@given(markets())
def test_of_equals_who_gets_less_gets_all_he_wants(market: Any) -> None:
    """Max-min fairness: no one is short while an equal has more."""
    demand, capacity, components = market
    demand = no_memory(demand)
    got = cpu(allocate(demand, capacity, components))
    asking = [c for c in components if c.name in demand]
    for one in asking:
        wanted = min(demand[one.name].cpu_percent, one.cpu_percent)
        for other in asking:
            if one.priority == other.priority and got[one.name] < got[other.name] - EPS:
                assert got[one.name] == pytest.approx(wanted, abs=EPS)


@given(markets())
def test_what_is_not_loaded_is_named_and_gets_nothing(market: Any) -> None:
    demand, capacity, components = market
    got = allocate(demand, capacity, components)
    used = sum(usage.memory_mb for usage in got.grants.values())
    limits = {c.name: c.memory_mb for c in components}
    for name, wanted in demand.items():
        if name in got.unloaded:
            assert got.grants[name] == Usage(0.0, 0.0)
            assert got.slow_down(name) == math.inf
            assert wanted.memory_mb > limits[name] or used + wanted.memory_mb > capacity.memory_mb - EPS
        else:
            assert got.grants[name].memory_mb == wanted.memory_mb


@given(markets())
def test_the_slow_down_is_what_was_asked_for_over_what_was_given(market: Any) -> None:
    demand, capacity, components = market
    got = allocate(demand, capacity, components)
    for name in set(demand) - set(got.unloaded):
        wanted, given_ = demand[name].cpu_percent, got.grants[name].cpu_percent
        slower = got.slow_down(name)
        assert slower >= 1
        if math.isfinite(slower):
            assert slower * given_ == pytest.approx(wanted, rel=1e-6)
        else:
            assert wanted > 1e300 * given_  # nothing, or too little to be divided by


# By hand


def test_language_yields_to_perception_and_perception_to_control() -> None:
    demand = {"control": Usage(30, 80), "perception": Usage(60, 900), "language": Usage(50, 3500)}
    got = allocate(demand, Usage(100, 8000))
    assert cpu(got) == {"control": 30, "perception": 60, "language": 10}
    assert [got.slow_down(name) for name in demand] == [1, 1, 5]
    busier = allocate({**demand, "control": Usage(50, 80)}, Usage(100, 8000))
    assert cpu(busier) == {"control": 50, "perception": 50, "language": 0}
    assert busier.slow_down("perception") == pytest.approx(1.2)
    assert busier.slow_down("language") == math.inf


def test_a_limit_holds_on_an_idle_computer() -> None:
    got = allocate({"perception": Usage(100, 500)}, Usage(100, 8000))
    assert cpu(got) == {"perception": 70}
    assert got.slow_down("perception") == pytest.approx(10 / 7)
    assert got.slow_down("language") == 1.0


def test_equals_share_evenly() -> None:
    equals = [Component(name, 5, 100.0, 100.0) for name in "abc"]
    got = allocate({"a": Usage(80, 0), "b": Usage(90, 0), "c": Usage(10, 0)}, Usage(100, 0), equals)
    assert cpu(got) == {"a": 45, "b": 45, "c": 10}


def test_memory_goes_by_priority_and_among_equals_to_the_smallest() -> None:
    parts = [Component(name, 5, 100.0, 1000.0) for name in "abc"] + [Component("first", 9, 100.0, 1000.0)]
    demand = {"a": Usage(1, 500), "b": Usage(1, 300), "c": Usage(1, 200), "first": Usage(1, 600)}
    assert set(allocate(demand, Usage(100, 1100), parts).unloaded) == {"a"}
    assert set(allocate(demand, Usage(100, 800), parts).unloaded) == {"a", "b"}
    assert set(allocate(demand, Usage(100, 599), parts).unloaded) == {"first", "a"}


def test_a_model_that_does_not_fit_is_not_loaded_and_says_so() -> None:
    demand = {"control": Usage(10, 100), "perception": Usage(50, 1000), "language": Usage(90, 3800)}
    got = allocate(demand, Usage(100, 4096))
    assert dict(got.unloaded) == {"language": "needs 3800 MB of memory, 2996 MB are free"}
    over = allocate({"language": Usage(90, 6000)}, Usage(100, 64_000))
    assert dict(over.unloaded) == {"language": "needs 6000 MB of memory, its limit is 4000 MB"}


def test_who_is_not_loaded_leaves_his_time_to_the_others() -> None:
    parts = [Component("big", 9, 100, 9000), Component("small", 1, 100, 100)]
    got = allocate({"big": Usage(100, 5000), "small": Usage(60, 50)}, Usage(100, 4000), parts)
    assert cpu(got) == {"big": 0, "small": 60}


def test_the_components_of_the_specification() -> None:
    limits = {c.name: (c.cpu_percent, c.memory_mb) for c in COMPONENTS}
    assert limits == {
        "control": (80, 100), "navigation": (60, 500), "perception": (70, 1000), "language": (90, 4000),
    }  # fmt: skip
    assert set(COMPONENT_OF.values()) == set(limits)
    assert component_of("safety") == "control"
    urgencies: dict[str, Urgency] = {c.name: c.urgency for c in COMPONENTS}
    assert urgencies == {
        "control": "urgent", "navigation": "urgent", "perception": "normal", "language": "normal",
    }  # fmt: skip


def test_urgency_falls_with_priority() -> None:
    assert [urgency_of(priority) for priority in range(11)] == ["background"] * 4 + ["normal"] * 4 + ["urgent"] * 3


# What cannot be


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Component("x", 11, 1, 1), r"x\.priority: must lie in 0\.\.10, got 11"),
        (lambda: Component("x", 1, 0, 1), r"x\.cpu_percent: a limit must be a positive number, got 0"),
        (lambda: Component("x", 1, 1, math.inf), r"x\.memory_mb: a limit must be a positive number, got inf"),
        (lambda: Usage(-1, 0), "cpu_percent: must be a number and not negative, got -1"),
        (lambda: Usage(0, math.nan), "memory_mb: must be a number and not negative, got nan"),
        (lambda: component_of("perceptoin"), "unknown stage 'perceptoin'; did you mean 'perception'"),
        (lambda: allocate({"vision": Usage(1, 1)}, Usage(1, 1)), "there is no component 'vision'"),
        (lambda: allocate({}, Usage(1, 1), [Component("x", 1, 1, 1)] * 2), "x: is given"),
    ],
)
def test_what_cannot_be_is_one_line(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
