"""What a sweep answers, in one sentence: which variants meet its question, else what varied most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vla_sim.harness.verdicts import DeploymentVerdict, cheapest, deployment, deployments_meeting
from vla_sim.report.parts import Column, Table, block
from vla_sim.report.text import dollars, milliseconds, percent
from vla_sim.report.variants import Variant
from vla_sim.telemetry.store import RunRecords

if TYPE_CHECKING:
    import pandas as pd


SHARE = 0.9  # of the success at zero latency


@dataclass(frozen=True)
class Answer:
    """The headline, what has to be known with it, and for each label whether it meets the question (if one was)."""

    headline: str
    note: str = ""
    rule: str = ""  # what was asked of each variant, in words
    meets: dict[str, str] = field(default_factory=dict)  # label -> "yes" | "no" | "undecided"
    references: tuple[str, ...] = ()  # variants at zero latency: compared with, no deployments themselves
    table: Table | None = None


def find_answer(runs: Sequence[RunRecords], variants: Sequence[Variant], limit_ms: float) -> Answer:
    """The answer of a sweep.

    With a run at zero latency (`delay_ms=0`) among deployments as they are: which of these are quick and able enough.
    Without one, or where the delay itself is swept: how far success falls.
    """
    delays = {variant.delay_ms for variant in variants if variant.delay_ms is not None}
    asked = [i for i, variant in enumerate(variants) if variant.delay_ms is None]
    zero = [i for i, variant in enumerate(variants) if variant.delay_ms == 0]
    if not asked or delays != {0.0}:
        return Answer(spread_in_words(variants, len(delays) > 1))
    rows = [
        deployment(variants[i].label, runs[i].episodes, _zero_latency(runs, variants, i, zero), _priced(runs[i]))
        for i in asked
    ]
    verdicts = deployments_meeting(rows, limit_ms, SHARE)
    return Answer(
        headline=_headline(verdicts, limit_ms),
        note=_note(verdicts),
        rule=_rule(limit_ms),
        meets={verdict.label: verdict.meets for verdict in verdicts},
        references=tuple(variants[i].label for i in zero),
        table=_table(verdicts),
    )


def _zero_latency(
    runs: Sequence[RunRecords], variants: Sequence[Variant], index: int, zero: Sequence[int]
) -> pd.DataFrame | None:
    """Episodes of the run at zero latency that is most like a variant, of those with the same task and body."""
    own = runs[index].config
    alike = [i for i in zero if all(runs[i].config.get(key) == own.get(key) for key in ("env", "body", "command"))]
    if not alike:
        return None
    choices = variants[index].choices
    best = max(alike, key=lambda i: (sum(variants[i].choices[key] == value for key, value in choices.items()), -i))
    return runs[best].episodes


def _priced(run: RunRecords) -> dict[str, Any]:
    """The metrics with places for prices, also when they are unknown or the records lack them."""
    cost, energy = block(run.metrics, "cost"), block(run.metrics, "energy")
    return {
        "cost": {key: cost.get(key) for key in ("usd_per_hour", "usd_per_success")},
        "energy": {"wh_per_success": energy.get("wh_per_success")},
    }


def _headline(verdicts: Sequence[DeploymentVerdict], limit_ms: float) -> str:
    """How many meet both limits by estimate, how many of them for sure, and the cheapest of those."""
    sure = [verdict for verdict in verdicts if verdict.meets == "yes"]
    met = [verdict for verdict in verdicts if _by_estimate(verdict, limit_ms)]
    told = (
        f"{len(met) or 'None'} of {len(verdicts)} deployments {'meets' if len(met) == 1 else 'meet'} the "
        f"{milliseconds(limit_ms)} ms budget and {percent(SHARE)} of the zero-latency success"
    )
    if not met:
        return f"{told}."
    told += f", {len(sure) or 'none'} of them with 95\u00a0% confidence"
    candidates = sorted(sure or met, key=lambda verdict: -(verdict.kept or 0.0))  # of equally cheap ones the ablest
    best = cheapest([replace(verdict, meets="yes") for verdict in candidates])
    if best is None:
        return f"{told}."
    price = (best.usd_per_hour, best.usd_per_success)
    equal = sum((verdict.usd_per_hour, verdict.usd_per_success) == price for verdict in candidates) - 1
    others = f" (and {equal} at the same price)" if equal else ""
    an_hour = f"{dollars(best.usd_per_hour)} an hour" if best.usd_per_hour is not None else "a price not known"
    return f"{told}; the cheapest is {best.label}{others}, at {an_hour}."


def _by_estimate(verdict: DeploymentVerdict, limit_ms: float) -> bool:
    """Whether the figures as measured meet both limits, however sure that is; one that surely does not, does not."""
    quick = verdict.ttfa_p95_ms is not None and verdict.ttfa_p95_ms <= limit_ms
    return verdict.meets == "yes" or (verdict.meets == "undecided" and quick and _able(verdict))


def _able(verdict: DeploymentVerdict) -> bool:
    return verdict.kept is not None and verdict.kept >= SHARE


def _note(verdicts: Sequence[DeploymentVerdict]) -> str:
    no, open_ = (sum(verdict.meets == said for verdict in verdicts) for said in ("no", "undecided"))
    told = f"{no or 'None'} surely {'does' if no == 1 else 'do'} not"
    return f"{told}; for {open_ or 'none'} these episodes are too few to be sure. Rent is of computers off the robot."


def _rule(limit_ms: float) -> str:
    return (
        f"Asked of each: 95 % of commands lead to a first action within {milliseconds(limit_ms)} ms, and it succeeds "
        f"at least {percent(SHARE)} as often as the same robot at zero latency on the same episodes. \u201cyes\u201d "
        "and \u201cno\u201d hold with 95 % confidence each, one-sided; \u201cundecided\u201d asks for more episodes."
    )


def _table(verdicts: Sequence[DeploymentVerdict]) -> Table:
    columns = (
        Column("label", "Deployment"),
        Column("meets", "Meets both"),
        Column("budget", "In time"),
        Column("ttfa_p95_ms", "First action p95, ms", "ms"),
        Column("ttfa_p95_high_ms", "Its upper bound, ms", "ms"),
        Column("success", "Able"),
        Column("kept", "Of zero-latency success", "percent"),
        Column("kept_low", "90 % from", "percent"),
        Column("kept_high", "to", "percent"),
        Column("usd_per_hour", "Rent an hour", "dollars"),
        Column("usd_per_success", "Rent a success", "dollars"),
        Column("wh_per_success", "Wh a success", "short"),
    )
    order = {"yes": 0, "undecided": 1, "no": 2}
    ranked = sorted(
        verdicts,
        key=lambda v: (order[v.meets], not _able(v), _price(v.usd_per_success), _price(v.usd_per_hour), -(v.kept or 0)),
    )
    rows = tuple({column.key: getattr(verdict, column.key) for column in columns} for verdict in ranked)
    return Table("deployments", columns, rows)


def _price(value: float | None) -> float:
    return math.inf if value is None else value


def spread_in_words(variants: Sequence[Variant], delay_varies: bool) -> str:
    """How far success falls along the delay, or from the best variant to the worst."""
    known = [v for v in variants if v.success.rate is not None]
    if not known:
        return "No episode was run."
    if delay_varies:
        drops = [drop for curve in dict.fromkeys(v.curve for v in known) if (drop := _drop(known, curve)) is not None]
        if drops:
            lost, first, last = max(drops, key=lambda drop: drop[0])
            where = f"{first.curve}: " if len(drops) > 1 else ""
            verb = "falls from" if lost > 0 else "goes from"
            ends = f"{_rate(first)} at {first.delay_ms:g} ms"
            told = f"{where}success {verb} {ends} to {_rate(last)} at {last.delay_ms:g} ms."
            return told[0].upper() + told[1:]
    best, worst = (choose(known, key=lambda v: v.success.rate or 0.0) for choose in (max, min))
    if len(known) == 1 or best.success.rate == worst.success.rate:
        return f"Success {_rate(best)} in every variant."
    return f"From {_rate(best)} ({best.label}) to {_rate(worst)} ({worst.label})."


def _rate(variant: Variant) -> str:
    """A rate with its interval: `83 % [55 to 95]`."""
    found = variant.success
    return f"{percent(found.rate)} [{found.low * 100:.0f} to {found.high * 100:.0f}]"


def _drop(variants: Sequence[Variant], curve: str) -> tuple[float, Variant, Variant] | None:
    """Success lost between the shortest and the longest delay of a curve."""
    points = sorted(
        (v for v in variants if v.curve == curve and v.delay_ms is not None), key=lambda v: v.delay_ms or 0.0
    )
    if len(points) < 2:
        return None
    return (points[0].success.rate or 0.0) - (points[-1].success.rate or 0.0), points[0], points[-1]
