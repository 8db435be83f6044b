"""Exceptions carry data, and their text is one line."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim import errors
from vla_sim.errors import (
    ConfigError,
    DeadlineMissed,
    PlanInvalid,
    RecordError,
    Refused,
    SpecMismatch,
    VlaSimError,
    nearest,
)

WORDS = st.lists(st.text("abcdefgh_", min_size=1, max_size=8), min_size=1, max_size=6, unique=True)


@pytest.mark.parametrize(
    ("error", "text", "data"),
    [
        (
            ConfigError("deploy.site", "unknown key", "did you mean 'cloud'?"),
            "deploy.site: unknown key; did you mean 'cloud'?",
            {"key": "deploy.site", "problem": "unknown key", "hint": "did you mean 'cloud'?"},
        ),
        (ConfigError("seed", "must be an integer"), "seed: must be an integer", {"hint": ""}),
        (SpecMismatch("command.grips", (2,), (3,)), "command.grips: expected (2,), got (3,)", {"got": (3,)}),
        (
            RecordError("run/metrics.json", "is truncated"),
            "run/metrics.json: is truncated",
            {"problem": "is truncated"},
        ),
        (Refused("intent", "no such object", "a mug"), "intent refused: no such object; a mug", {"stage": "intent"}),
        (PlanInvalid(2, "pick has no target"), "plan step 2: pick has no target", {"step": 2}),
        (DeadlineMissed("policy", 0.1, 0.25), "policy: took 0.250 s of 0.100 s", {"budget_s": 0.1, "took_s": 0.25}),
    ],
)
def test_error_is_one_line_and_carries_its_data(error: VlaSimError, text: str, data: dict[str, object]) -> None:
    assert str(error) == text
    assert {name: getattr(error, name) for name in data} == data


def test_every_exception_has_the_one_root() -> None:
    raised = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(raised) > 1
    assert all(issubclass(e, VlaSimError) for e in raised)


def test_nearest_example_in_its_docstring() -> None:
    result = doctest.testmod(errors)
    assert (result.attempted, result.failed) == (1, 0)


def test_nearest_lists_every_choice_when_none_is_close() -> None:
    assert nearest("zzz", ["edge", "cloud"]) == "choose one of: cloud, edge"


@given(WORDS.flatmap(lambda words: st.tuples(st.just(words), st.permutations(words))))
def test_nearest_ignores_the_order_of_choices(orders: tuple[list[str], list[str]]) -> None:
    one, other = orders
    assert nearest(one[0], one) == nearest(one[0], other)


@given(WORDS)
def test_nearest_names_a_word_spelt_right(choices: list[str]) -> None:
    assert nearest(choices[0], choices).startswith(f"did you mean '{choices[0]}'?")
