"""A hash of what tables say, not of how they are stored: two processes with the same seed give the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vla_sim.telemetry.schema import WALL_SUFFIX


def hash_tables(tables: Mapping[str, pa.Table]) -> str:
    """Hex sha256 over table names, column names, types, nulls and values, leaving out wall-time columns."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        digest.update(f"table {name} {tables[name].num_rows}\n".encode())
        for column in tables[name].column_names:
            if not column.endswith(WALL_SUFFIX):
                _add_column(digest, column, tables[name].column(column))
    return digest.hexdigest()


def hash_mapping(value: Mapping[str, Any]) -> str:
    """Hex sha256 of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _add_column(digest: Any, name: str, column: pa.ChunkedArray) -> None:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    digest.update(f"column {name} {column.type}\n".encode())
    digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
    if pa.types.is_string(column.type):
        words = [(word or "").encode() for word in column.to_pylist()]
        digest.update(np.array([len(word) for word in words], "<i8").tobytes() + b"".join(words))
        return
    zero = False if pa.types.is_boolean(column.type) else 0
    values = pc.fill_null(column, zero).to_numpy()
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values).astype(values.dtype)  # one NaN, whatever its payload
    digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
