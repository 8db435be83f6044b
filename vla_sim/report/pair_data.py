"""Two runs on the same episodes: the difference in numbers, and one episode of both on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vla_sim.errors import RecordError
from vla_sim.harness.effects import paired_shift
from vla_sim.harness.power import advice
from vla_sim.harness.statistics import PairedDifference, paired_difference
from vla_sim.report.asked import asked_of
from vla_sim.report.data import check_metrics
from vla_sim.report.parts import Column, Success, Table, block, success_of
from vla_sim.report.run_tables import USABLE
from vla_sim.report.text import Value, points, words
from vla_sim.report.timeline import (
    JOINTS_SHOWN,
    JointCurve,
    Timeline,
    build_timeline,
    busiest_joints,
    joint_curves,
    thumbnails,
)
from vla_sim.report.variants import build_variants
from vla_sim.telemetry.store import RunRecords

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """One of the two runs, and its half of the episode shown."""

    name: str
    success: Success
    deployment: str
    timeline: Timeline
    joints: tuple[JointCurve, ...]  # the same ones on both sides
    outcome: str  # of the episode, in words


@dataclass(frozen=True)
class PairData:
    """All that the page of two runs shows."""

    headline: str
    summary: str
    first: Side
    second: Side
    seed: int
    why: str  # why this episode was chosen
    end_s: float
    tables: tuple[Table, ...]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both, in the order they were named."""
        return self.first, self.second

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def build_pair(first: RunRecords, second: RunRecords, episode: int | None = None) -> PairData:
    """Everything the page of two runs shows. `episode` is a number in `first`; None chooses a telling one.

    Raises RecordError when the runs share no episode, or not this one.
    """
    for run in (first, second):
        check_metrics(run)
    seeds = _shared(first, second)
    if not seeds:
        raise RecordError(second.folder, f"shares no episode with {first.folder}; the seeds of their worlds differ")
    seed, why = _choose(first, second, seeds) if episode is None else (_seed_of(first, episode, seeds), "asked for")
    names = _names(first, second)
    joints = _joints(first, second, seed)
    sides = tuple(_side(run, name, seed, joints) for run, name in zip((first, second), names, strict=True))
    won = [_column(run, seeds, "success").astype(bool) for run in (first, second)]
    difference = paired_difference(won[1], won[0])
    return PairData(
        headline=_headline(names, won, difference),
        summary=f"{_first_upper(advice(difference))}.",
        first=sides[0],
        second=sides[1],
        seed=seed,
        why=why,
        end_s=max(side.timeline.end_s for side in sides),
        tables=(_numbers(first, second, seeds, won), _episodes(first, second, seeds)),
    )


def _headline(names: Sequence[str], won: Sequence[NDArray[np.bool_]], difference: PairedDifference) -> str:
    first, second = (f"{name} did its job in {int(found.sum())}" for name, found in zip(names, won, strict=True))
    return (
        f"Of the same {difference.pairs} episodes {first} and {second}: a difference of "
        f"{points(difference.difference)} points, 95\u00a0% interval {points(difference.low)} to "
        f"{points(difference.high)}."
    )


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _names(first: RunRecords, second: RunRecords) -> tuple[str, str]:
    """What each run is called: by what differs in its overrides, else by its folder."""
    found = build_variants((first, second))
    names = [
        variant.label if variant.overrides != other.overrides else run.folder.resolve().name
        for variant, other, run in zip(found, reversed(found), (first, second), strict=True)
    ]
    return (names[0], names[1]) if names[0] != names[1] else (f"{names[0]} (first)", f"{names[1]} (second)")


def _shared(first: RunRecords, second: RunRecords) -> list[int]:
    """Seeds of the episodes that both runs have, in the order of the first."""
    other = set(second.episodes["seed"].tolist())
    return [int(seed) for seed in first.episodes["seed"].tolist() if seed in other]


def _seed_of(run: RunRecords, episode: int, seeds: Sequence[int]) -> int:
    found = run.episodes.loc[run.episodes["episode"] == episode, "seed"].tolist()
    if not found or int(found[0]) not in seeds:
        numbers = [_episode(run, seed) for seed in seeds]
        raise RecordError(run.folder, f"has no episode {episode} in common; there are {min(numbers)} to {max(numbers)}")
    return int(found[0])


def _episode(run: RunRecords, seed: int) -> int:
    return int(run.episodes.loc[run.episodes["seed"] == seed, "episode"].iloc[0])


def _choose(first: RunRecords, second: RunRecords, seeds: Sequence[int]) -> tuple[int, str]:
    """Where the outcomes differ, with camera images if there are any; else where the durations differ most."""
    apart = dict(zip(seeds, _column(first, seeds, "success") != _column(second, seeds, "success"), strict=True))
    longer = dict(zip(seeds, np.abs(_column(first, seeds, "sim_s") - _column(second, seeds, "sim_s")), strict=True))
    seen = {seed: sum(bool(thumbnails(run.folder, _episode(run, seed))) for run in (first, second)) for seed in seeds}
    best = max(seeds, key=lambda seed: (bool(apart[seed]), seen[seed], float(longer[seed])))
    if apart[best]:
        return best, "the two ended differently" if sum(apart.values()) == 1 else "one of those that ended differently"
    return best, "one with camera images of both" if seen[best] == 2 else "the one whose durations differ most"


def _column(run: RunRecords, seeds: Sequence[int], column: str) -> Values:
    """A column of the episodes with these seeds, in this order; NaN where there is no value."""
    found: Values = run.episodes.set_index("seed")[column].loc[list(seeds)].to_numpy(np.float64)
    return found


def _ticks_of(run: RunRecords, seed: int) -> pd.DataFrame:
    return run.ticks[run.ticks["episode"] == _episode(run, seed)]


def _joints(first: RunRecords, second: RunRecords, seed: int) -> list[str]:
    """The joints that either run moved most in this episode, of those both have."""
    travel = [busiest_joints(_ticks_of(run, seed)) for run in (first, second)]
    both = [name for name in travel[0] if name in travel[1]]
    return sorted(both, key=lambda name: -max(travel[0][name], travel[1][name]))[:JOINTS_SHOWN]


def _side(run: RunRecords, name: str, seed: int, joints: Sequence[str]) -> Side:
    timeline = build_timeline(run, _episode(run, seed))
    if timeline is None:
        raise RecordError(run.folder, f"recorded no control ticks of episode {_episode(run, seed)}")
    row = run.episodes[run.episodes["seed"] == seed].iloc[0]
    outcome = f"{'succeeded' if row['success'] else 'failed'} after {row['sim_s']:.1f} s: {words(str(row['reason']))}"
    curves = joint_curves(_ticks_of(run, seed), joints)
    return Side(name, success_of(run), asked_of(run).deployment, timeline, curves, outcome)


def _numbers(first: RunRecords, second: RunRecords, seeds: Sequence[int], won: Sequence[NDArray[np.bool_]]) -> Table:
    """Quantities of both runs over the shared episodes and the paired difference, second less first."""
    rows = [_success_row(won)]
    step_s = [1.0 / float(run.manifest["control_rate_hz"]) for run in (first, second)]
    for label, column, factors in (
        ("Command to first motion, ms", "ttfa_s", (1e3, 1e3)),
        ("Duration, s", "sim_s", (1.0, 1.0)),
        ("Nothing to act on, s", "starved_ticks", step_s),
        ("Acting on a stale view, s", "stale_ticks", step_s),
        ("Held for want of an answer, s", "hold_s", (1.0, 1.0)),
        ("Fallbacks", "fallbacks", (1.0, 1.0)),
        ("Interventions of the safety stage", "interventions", (1.0, 1.0)),
    ):
        a, b = (_column(run, seeds, column) * f for run, f in zip((first, second), factors, strict=True))
        rows.append(_shift_row(label, a, b))
    for stage in ("perception", "planning", "policy"):
        a, b = (_latency_ms(run, seeds, stage) for run in (first, second))
        if np.isfinite(a).any() and np.isfinite(b).any():
            rows.append(_shift_row(f"{stage.capitalize()}, median of an episode, ms", a, b))
    for label, group, key in (
        ("Rent off the robot, $ an hour", "cost", "usd_per_hour"),
        ("From the battery, Wh a success", "energy", "wh_per_success"),
    ):
        known = [value for run in (first, second) if (value := block(run.metrics, group).get(key)) is not None]
        if len(known) == 2:
            rows.append(_row(label, known[0], known[1], known[1] - known[0]))
    columns = (
        Column("quantity", "Mean of an episode"),
        Column("first", "First", "short"),
        Column("second", "Second", "short"),
        Column("difference", "Typical difference", "short"),
        Column("low", "95 % from", "short"),
        Column("high", "to", "short"),
        Column("p_value", "p", "p"),
        Column("pairs", "Pairs", "int"),
    )
    return Table("numbers", columns, tuple(rows))


def _row(
    label: str,
    first: float | None,
    second: float | None,
    difference: float | None,
    low: float | None = None,
    high: float | None = None,
    p_value: float | None = None,
    pairs: int | None = None,
) -> dict[str, Value]:
    return {
        "quantity": label, "first": first, "second": second, "difference": difference, "low": low, "high": high,
        "p_value": p_value, "pairs": pairs,
    }  # fmt: skip


def _success_row(won: Sequence[NDArray[np.bool_]]) -> dict[str, Value]:
    found = paired_difference(won[1], won[0])
    first, second = (float(each.mean()) * 100 for each in won)
    low, high = 100 * found.low, 100 * found.high
    return _row("Success, %", first, second, 100 * found.difference, low, high, found.p_value, found.pairs)


def _shift_row(label: str, first: Values, second: Values) -> dict[str, Value]:
    found = paired_shift(second, first)
    a, b = (float(np.nanmean(each)) if np.isfinite(each).any() else None for each in (first, second))
    return _row(label, a, b, found.shift, found.low, found.high, found.p_value, found.pairs)


def _latency_ms(run: RunRecords, seeds: Sequence[int], stage: str) -> Values:
    """Median latency of a stage's answers in each episode, NaN where it gave none."""
    spans = run.spans[(run.spans["stage"].astype(str) == stage) & run.spans["status"].isin(USABLE)]
    took = ((spans["t_end_s"] - spans["t_start_s"]) * 1e3).groupby(spans["episode"]).median()
    return np.array([float(took.get(_episode(run, seed), np.nan)) for seed in seeds])


def _episodes(first: RunRecords, second: RunRecords, seeds: Sequence[int]) -> Table:
    columns = [Column("episode", "Episode", "int"), Column("seed", "Seed")]
    for key, name in (("first", "First"), ("second", "Second")):
        columns += [
            Column(f"{key}_success", name, "yes"),
            Column(f"{key}_reason", "how", "words"),
            Column(f"{key}_sim_s", "took, s", "float"),
        ]
    rows: list[dict[str, Value]] = []
    for seed in seeds:
        row: dict[str, Value] = {"episode": _episode(first, seed), "seed": seed}
        for key, run in (("first", first), ("second", second)):
            found = run.episodes[run.episodes["seed"] == seed].iloc[0]
            row |= {f"{key}_success": bool(found["success"]), f"{key}_reason": str(found["reason"])}
            row[f"{key}_sim_s"] = float(found["sim_s"])
        rows.append(row)
    return Table("episodes", tuple(columns), tuple(rows))
