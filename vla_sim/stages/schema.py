"""Checks plain data against the part of JSON Schema that plans need, with an error a person or a model can act on."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from vla_sim.errors import VlaSimError, nearest

_TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "null": type(None)}
_NAMES = {"object": "an object", "array": "a list", "string": "a text", "null": "null"}

LONGEST_WORD = 80  # compared with valid choices
LARGEST_SHOWN = 10**18

Schema = Mapping[str, Any]


class SchemaViolation(VlaSimError):
    """Data does not fit a schema; `path` says where: keys and indices from the top."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{'.'.join(map(str, path)) or 'data'}: {problem}")


def check(data: Any, schema: Schema, path: tuple[str | int, ...] = ()) -> None:
    """Raise SchemaViolation where `data` does not fit.

    Understands `type` (one name or a list of them), `const`, `enum`, `required`, `properties`, `items`, `oneOf`,
    `minItems`, `maxItems`, `minLength` and `maxLength`. Properties that are not named are never allowed. Of `oneOf`,
    the branch is told by the property that `discriminator` names, a `const` in each branch.
    """
    if "oneOf" in schema:
        check(data, _branch(data, schema, path), path)
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(isinstance(data, _TYPES[kind]) for kind in kinds):
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        raise SchemaViolation(path, f"must be {wanted}, got {_show(data)}")
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices is not None and data not in choices:
        names = [str(choice) for choice in choices if choice is not None]
        what = f"unknown {_show(data)}" if isinstance(data, str) else f"must be a text, got {_show(data)}"
        raise SchemaViolation(path, f"{what}; {nearest(_word(data), names)}")
    if isinstance(data, dict):
        _check_object(data, schema, path)
    elif isinstance(data, list):
        _check_size(len(data), schema.get("minItems"), schema.get("maxItems"), "items", path)
        for i, item in enumerate(data):
            check(item, schema["items"], (*path, i))
    elif isinstance(data, str):
        _check_size(len(data), schema.get("minLength"), schema.get("maxLength"), "characters", path)


def _branch(data: Any, schema: Schema, path: tuple[str | int, ...]) -> Schema:
    key = schema["discriminator"]["propertyName"]
    if not isinstance(data, dict):
        raise SchemaViolation(path, f"must be an object, got {_show(data)}")
    if key not in data:
        raise SchemaViolation(path, f"{key!r} is missing")
    branches = {branch["properties"][key]["const"]: branch for branch in schema["oneOf"]}
    check(data[key], {"enum": list(branches)}, (*path, key))
    return branches[data[key]]


def _check_object(data: Mapping[Any, Any], schema: Schema, path: tuple[str | int, ...]) -> None:
    properties = schema.get("properties", {})
    for key in data:
        if key not in properties:
            raise SchemaViolation(path, f"unknown key {_show(key)}; {nearest(_word(key), properties)}")
    for key in schema.get("required", ()):
        if key not in data:
            raise SchemaViolation(path, f"{key!r} is missing")
    for key, value in data.items():
        check(value, properties[key], (*path, key))


def _check_size(size: int, least: int | None, most: int | None, unit: str, path: tuple[str | int, ...]) -> None:
    if least is not None and size < least:
        raise SchemaViolation(path, f"needs at least {least} {unit}, got {size}")
    if most is not None and size > most:
        raise SchemaViolation(path, f"may have at most {most} {unit}, got {size}")


def _show(data: Any) -> str:
    """A short picture of a value, whatever its size and depth."""
    if isinstance(data, dict | list):
        return _NAMES["object" if isinstance(data, dict) else "array"]
    if isinstance(data, int) and abs(data) > LARGEST_SHOWN:
        return "a huge number"
    return reprlib.repr(data)


def _word(data: Any) -> str:
    return data[:LONGEST_WORD] if isinstance(data, str) else ""
