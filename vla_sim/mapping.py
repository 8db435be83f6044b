"""Plain mappings, as YAML gives them, into frozen dataclasses: every key and type is checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from vla_sim.errors import ConfigError, nearest

T = TypeVar("T")


def read(kind: type[T], data: Any, key: str = "config") -> T:
    """Build the dataclass `kind` from a mapping; `key` is where it stands, for messages.

    Fields may be dataclasses, scalars, Literals, `X | None`, `dict[str, X]` and `tuple[X, ...]`.
    Raises ConfigError naming the key for an unknown, missing or mistyped entry, and whatever `kind` itself refuses.
    """
    if isinstance(data, kind):
        return data
    if not isinstance(data, Mapping):
        raise ConfigError(key, f"must be a mapping, got {data!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    for name in data:
        if name not in fields:
            raise ConfigError(f"{key}.{name}", "there is no such key", nearest(str(name), fields))
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise ConfigError(f"{key}.{name}", "is missing")
    values = {name: _value(hints[name], value, f"{key}.{name}") for name, value in data.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{key}.{error.key}", error.problem, error.hint) from error


def _value(kind: Any, data: Any, key: str) -> Any:
    origin, choices = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return read(kind, data, key)  # type: ignore[arg-type]
    if NoneType in choices:
        (other,) = (choice for choice in choices if choice is not NoneType)
        return None if data is None else _value(other, data, key)
    if origin is dict:
        return {name: _value(choices[1], item, f"{key}.{name}") for name, item in _as(Mapping, data, key).items()}
    if origin is tuple:
        return tuple(_value(choices[0], item, f"{key}.{i}") for i, item in enumerate(_as(Sequence, data, key)))
    if origin is Literal:
        if data not in choices:
            raise ConfigError(key, f"unknown {data!r}", nearest(str(data), choices))
        return data
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if type(data) is not kind:
        raise ConfigError(key, f"must be {_NAMES.get(kind, kind)}, got {data!r}")
    return data


def _as(kind: Any, data: Any, key: str) -> Any:
    if not isinstance(data, kind) or isinstance(data, str):
        raise ConfigError(key, f"must be {_NAMES[kind]}, got {data!r}")
    return data


_NAMES: dict[Any, str] = {
    float: "a number",
    int: "a whole number",
    str: "a text",
    bool: "true or false",
    Mapping: "a mapping",
    Sequence: "a list",
}
