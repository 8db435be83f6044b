"""The recorder: cheap appends while the loop runs, three Parquet files when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from vla_sim.telemetry import schema
from vla_sim.telemetry.ring import RowBlocks
from vla_sim.telemetry.store import atomic_write_parquet


class SpanRow(NamedTuple):
    """One request to a stage, from the moment it was asked to the moment its answer (or its loss) was known."""

    episode: int
    request: int
    stage: str
    site: str
    status: str  # one of `schema.STATUSES`
    t_start_s: float  # for perception: when the image was taken
    t_end_s: float
    uplink_s: float
    queue_s: float
    compute_s: float
    downlink_s: float
    bytes_up: int
    bytes_down: int
    deadline_s: float | None = None  # seconds after `t_start_s`; None = it may take as long as it likes
    attempt: int = 0  # 0 = the first site tried; fallbacks and hedges count on
    mode: str = "full"  # one of `schema.MODES`
    batch: int = 1  # requests served together


class EpisodeRow(NamedTuple):
    """How one episode went."""

    episode: int
    seed: int
    instruction: str
    success: bool
    reason: str  # snake case
    error: str  # last line of the traceback, "" when none
    sim_s: float
    wall_s: float
    ttfa_s: float | None  # command to first motion; None = it never moved
    attempts: int
    starved_ticks: int
    stale_ticks: int
    ticks: int
    frames: int
    frames_skipped: int
    deadline_misses: int
    retries: int
    interventions: int
    violations: int
    fell: bool
    refused: bool
    frame_bytes: int
    fallbacks: int = 0  # requests answered by another attempt than the first
    hold_s: float = 0.0  # held for want of an answer
    safe_stops: int = 0  # 1 = it gave up waiting and stopped for good
    degraded_s: float = 0.0  # below full quality by adaptation
    planned_by: str = ""  # how a language model's plans came about, comma-separated; "" without one


class Recorder:
    """Collects spans, ticks and episodes of one run.

    `upper_joints` and `hands` name the columns and their order, as in `RobotSpec`.
    """

    def __init__(self, upper_joints: Sequence[str], hands: Sequence[str]) -> None:
        self._schema = schema.ticks_schema(upper_joints, hands)
        self._n = len(upper_joints)
        self._scalars = RowBlocks(len(schema.TICK_SCALARS), np.float64)  # every integer in it is exact below 2**53
        self._values = RowBlocks(2 * self._n + len(hands), np.float32)
        self._phases: dict[str, int] = {}
        self._spans: list[SpanRow] = []
        self._episodes: list[EpisodeRow] = []

    def span(self, row: SpanRow) -> None:
        """Add one request. Raises ValueError for a status that is not one of `schema.STATUSES`."""
        if row.status not in schema.STATUSES:
            raise ValueError(f"span status {row.status!r}: choose one of {', '.join(schema.STATUSES)}")
        self._spans.append(row)

    def episode(self, row: EpisodeRow) -> None:
        """Add one finished (or crashed) episode."""
        self._episodes.append(row)

    def tick(
        self,
        episode: int,
        tick: int,
        t_s: float,
        phase: str,
        measured_rad: ArrayLike,
        commanded_rad: ArrayLike,
        grips: ArrayLike,
        *,
        detection_age_s: float = float("nan"),
        starved: bool = False,
        stale: bool = False,
        interventions: int = 0,
        control_s: float = 0.0,
        safety_s: float = 0.0,
        step_wall_s: float = 0.0,
    ) -> None:
        """Add one control tick. `measured_rad`, `commanded_rad`: [n_upper]; `grips`: [n_hands], 0-1."""
        code = self._phases.setdefault(phase, len(self._phases))
        self._scalars.append()[:] = (
            episode,
            tick,
            t_s,
            code,
            detection_age_s,
            starved,
            stale,
            interventions,
            control_s,
            safety_s,
            step_wall_s,
        )
        row, n = self._values.append(), self._n
        row[:n] = measured_rad
        row[n : 2 * n] = commanded_rad
        row[2 * n :] = grips

    def tables(self) -> dict[str, pa.Table]:
        """The records so far, keyed by the names in `schema.TABLES`."""
        return {
            "episodes": _from_rows(self._episodes, schema.EPISODES),
            "spans": _from_rows(self._spans, schema.SPANS),
            "ticks": self._ticks(),
        }

    def write(self, folder: Path) -> None:
        """Write `episodes.parquet`, `spans.parquet` and `ticks.parquet`, each whole or not at all."""
        for name, table in self.tables().items():
            atomic_write_parquet(folder / f"{name}.parquet", table)

    def _ticks(self) -> pa.Table:
        scalars, values = self._scalars.table(), self._values.table()
        columns: list[pa.Array] = []
        for i, field in enumerate(schema.TICK_SCALARS):
            if pa.types.is_dictionary(field.type):
                codes = pa.array(scalars[:, i].astype(np.int32))
                columns.append(pa.DictionaryArray.from_arrays(codes, pa.array(list(self._phases), pa.string())))
            else:
                columns.append(pa.array(scalars[:, i].astype(field.type.to_pandas_dtype()), field.type))
        columns += [pa.array(np.ascontiguousarray(values[:, i])) for i in range(values.shape[1])]
        return pa.Table.from_arrays(columns, schema=self._schema)


def _from_rows(rows: Sequence[tuple[Any, ...]], columns: pa.Schema) -> pa.Table:
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [
        pa.array(values, pa.string()).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array(values, field.type)
        for field, values in zip(columns, by_column, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=columns)
