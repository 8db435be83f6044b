"""Variants of a sweep compared pair by pair on the same episodes: how large a difference is, and whether it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from vla_sim.harness.effects import EffectSizes, effect_sizes
from vla_sim.harness.power import advice
from vla_sim.harness.statistics import PairedDifference, holm, paired_difference
from vla_sim.report.parts import Column, Table
from vla_sim.report.text import Value
from vla_sim.report.variants import Variant
from vla_sim.telemetry.store import RunRecords


@dataclass(frozen=True)
class Comparison:
    """Success of `first` minus success of `second` on the episodes they share."""

    first: str
    second: str
    result: PairedDifference
    effect: EffectSizes
    p_adjusted: float  # Holm's, for all comparisons listed together
    advice: str  # how many episodes would be enough


def outcomes_of(run: RunRecords) -> dict[int, bool]:
    """Success of each episode, by the seed of its world."""
    return dict(zip(run.episodes["seed"].tolist(), run.episodes["success"].tolist(), strict=True))


def compare(
    variants: Sequence[Variant], outcomes: Sequence[dict[int, bool]], pairs: Sequence[tuple[int, int]]
) -> tuple[Comparison, ...]:
    """Comparisons of the pairs that share at least one seed."""
    found = []
    for i, j in pairs:
        shared = [seed for seed in outcomes[i] if seed in outcomes[j]]
        if shared:
            first, second = [outcomes[i][seed] for seed in shared], [outcomes[j][seed] for seed in shared]
            found.append((i, j, paired_difference(first, second), effect_sizes(first, second)))
    adjusted = holm([result.p_value for _, _, result, _ in found])
    return tuple(
        Comparison(variants[i].label, variants[j].label, result, effect, p_adjusted, advice(result))
        for (i, j, result, effect), p_adjusted in zip(found, adjusted, strict=True)
    )


def comparison_table(name: str, comparisons: Sequence[Comparison]) -> Table:
    """A row a comparison."""
    columns = [
        Column("first", "Variant"),
        Column("second", "Against"),
        Column("pairs", "Pairs", "int"),
        Column("difference", "Difference, points", "points"),
        Column("low", "95 % from", "points"),
        Column("high", "to", "points"),
        Column("only_first", "Only variant succeeded", "int"),
        Column("only_second", "Only other succeeded", "int"),
        Column("cohens_h", "Effect, Cohen's h", "signed"),
        Column("p_value", "McNemar p", "p"),
        Column("p_adjusted", "p, Holm", "p"),
        Column("advice", "Enough episodes?"),
    ]
    if len({comparison.second for comparison in comparisons}) <= 1:
        columns = [column for column in columns if column.key != "second"]
    return Table(name, tuple(columns), tuple(map(_row, comparisons)))


def _row(comparison: Comparison) -> dict[str, Value]:
    return {
        "first": comparison.first,
        "second": comparison.second,
        **asdict(comparison.result),
        "cohens_h": comparison.effect.cohens_h,
        "p_adjusted": comparison.p_adjusted,
        "advice": comparison.advice,
    }
