from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from vla_sim.errors import ConfigError
from vla_sim.mapping import read


@dataclass(frozen=True)
class Inner:
    size: float

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ConfigError("size", "must not be negative")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    count: int = 1
    flag: bool = False
    kind: Literal["slow", "fast"] = "slow"
    limit: int | None = 3
    sizes: tuple[Inner, ...] = ()
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)


MINIMAL = {"name": "x", "inner": {"size": 1}}


def test_defaults_fill_in() -> None:
    assert read(Outer, MINIMAL) == Outer("x", Inner(1.0))


def test_everything_nested_is_built() -> None:
    data = {
        **MINIMAL,
        "count": 2,
        "flag": True,
        "kind": "fast",
        "limit": None,
        "sizes": [{"size": 2}, {"size": 0.5}],
        "words": {"a": ["b", "c"]},
    }
    expected = Outer("x", Inner(1.0), 2, True, "fast", None, (Inner(2.0), Inner(0.5)), {"a": ("b", "c")})
    assert read(Outer, data) == expected


def test_whole_numbers_become_numbers_where_a_number_is_due() -> None:
    assert type(read(Inner, {"size": 3}).size) is float


def test_what_is_built_already_is_kept() -> None:
    inner = Inner(1.0)
    assert read(Outer, {"name": "x", "inner": inner}).inner is inner


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuont": 1}, "top.cuont: there is no such key; did you mean 'count'"),
        ({"count": 1.5}, "top.count: must be a whole number, got 1.5"),
        ({"count": True}, "top.count: must be a whole number, got True"),
        ({"flag": 1}, "top.flag: must be true or false, got 1"),
        ({"name": 5}, "top.name: must be a text, got 5"),
        ({"name": None}, "top.name: must be a text, got None"),
        ({"kind": "fats"}, "top.kind: unknown 'fats'; did you mean 'fast'"),
        ({"kind": ["fast"]}, "top.kind: unknown ['fast']"),
        ({"limit": "3"}, "top.limit: must be a whole number, got '3'"),
        ({"inner": 5}, "top.inner: must be a mapping, got 5"),
        ({"inner": {}}, "top.inner.size: is missing"),
        ({"inner": {"size": True}}, "top.inner.size: must be a number, got True"),
        ({"inner": {"size": -1}}, "top.inner.size: must not be negative"),
        ({"sizes": {"size": 1}}, "top.sizes: must be a list"),
        ({"sizes": [{"size": 1}, {"size": -1}]}, "top.sizes.1.size: must not be negative"),
        ({"words": ["a"]}, "top.words: must be a mapping"),
        ({"words": {"a": "bc"}}, "top.words.a: must be a list, got 'bc'"),
    ],
)
def test_a_mistake_is_named_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(Outer, {**MINIMAL, **change}, "top")
    assert message in str(caught.value)


def test_not_a_mapping_at_all() -> None:
    with pytest.raises(ConfigError, match="config: must be a mapping, got None"):
        read(Outer, None)
