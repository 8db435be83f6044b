"""Columns of the three record tables, with their types. A column whose name ends in `wall_s` holds wall time."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

WALL_SUFFIX = "wall_s"
TABLES = ("episodes", "spans", "ticks")
STATUSES = ("ok", "late", "lost", "rejected", "refused", "failed", "superseded")
ANSWERED = ("ok", "late", "refused", "failed")  # an answer came back, if only to say no
MODES = ("full", "simplified", "cached")
PARTS = ("uplink", "queue", "compute", "downlink")

_WORD = pa.dictionary(pa.int32(), pa.string())

SPANS = pa.schema(
    [
        pa.field("episode", pa.int32(), nullable=False),
        pa.field("request", pa.int64(), nullable=False),
        pa.field("stage", _WORD, nullable=False),
        pa.field("site", _WORD, nullable=False),
        pa.field("status", _WORD, nullable=False),
        pa.field("t_start_s", pa.float64(), nullable=False),
        pa.field("t_end_s", pa.float64(), nullable=False),
        pa.field("uplink_s", pa.float64(), nullable=False),
        pa.field("queue_s", pa.float64(), nullable=False),
        pa.field("compute_s", pa.float64(), nullable=False),
        pa.field("downlink_s", pa.float64(), nullable=False),
        pa.field("bytes_up", pa.int64(), nullable=False),
        pa.field("bytes_down", pa.int64(), nullable=False),
        pa.field("deadline_s", pa.float64(), nullable=True),
        pa.field("attempt", pa.int16(), nullable=False),
        pa.field("mode", _WORD, nullable=False),
        pa.field("batch", pa.int16(), nullable=False),
    ]
)

EPISODES = pa.schema(
    [
        pa.field("episode", pa.int32(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("instruction", pa.string(), nullable=False),
        pa.field("success", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
        pa.field("sim_s", pa.float64(), nullable=False),
        pa.field("wall_s", pa.float64(), nullable=False),
        pa.field("ttfa_s", pa.float64(), nullable=True),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("starved_ticks", pa.int32(), nullable=False),
        pa.field("stale_ticks", pa.int32(), nullable=False),
        pa.field("ticks", pa.int32(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("frames_skipped", pa.int32(), nullable=False),
        pa.field("deadline_misses", pa.int32(), nullable=False),
        pa.field("retries", pa.int32(), nullable=False),
        pa.field("interventions", pa.int32(), nullable=False),
        pa.field("violations", pa.int32(), nullable=False),
        pa.field("fell", pa.bool_(), nullable=False),
        pa.field("refused", pa.bool_(), nullable=False),
        pa.field("frame_bytes", pa.int64(), nullable=False),
        pa.field("fallbacks", pa.int32(), nullable=False),
        pa.field("hold_s", pa.float64(), nullable=False),
        pa.field("safe_stops", pa.int32(), nullable=False),
        pa.field("degraded_s", pa.float64(), nullable=False),
        pa.field("planned_by", pa.string(), nullable=False),
    ]
)

TICK_SCALARS = pa.schema(
    [
        pa.field("episode", pa.int32(), nullable=False),
        pa.field("tick", pa.int32(), nullable=False),
        pa.field("t_s", pa.float64(), nullable=False),
        pa.field("phase", _WORD, nullable=False),
        pa.field("detection_age_s", pa.float32(), nullable=False),
        pa.field("starved", pa.bool_(), nullable=False),
        pa.field("stale", pa.bool_(), nullable=False),
        pa.field("interventions", pa.int16(), nullable=False),
        pa.field("control_s", pa.float32(), nullable=False),
        pa.field("safety_s", pa.float32(), nullable=False),
        pa.field("step_wall_s", pa.float32(), nullable=False),
    ]
)


def ticks_schema(upper_joints: Sequence[str], hands: Sequence[str]) -> pa.Schema:
    """`TICK_SCALARS`, then `measured.<joint>` and `commanded.<joint>` (rad), then `grip.<hand>` (0-1)."""
    names = [f"measured.{j}" for j in upper_joints] + [f"commanded.{j}" for j in upper_joints]
    names += [f"grip.{h}" for h in hands]
    return pa.schema([*TICK_SCALARS, *(pa.field(n, pa.float32(), nullable=False) for n in names)])
