"""Runs of a sweep to what its page shows: the answer, variants, front, matrix, curves over delay, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from vla_sim.report.answer import Answer, find_answer
from vla_sim.report.comparisons import Comparison, compare, comparison_table, outcomes_of
from vla_sim.report.matrix import Matrix, build_matrix
from vla_sim.report.pareto import Front, find_front, front_table
from vla_sim.report.parts import Table
from vla_sim.report.variants import Variant, build_variants, references_of, variant_table
from vla_sim.telemetry.store import RunRecords

ALL_PAIRS_UP_TO = 8  # variants; above that only comparisons with the reference are listed
SHOWN_AT_MOST = 12  # variants in a figure; all of them are in a second one, to be opened


@dataclass(frozen=True)
class SweepData:
    """All that a sweep's page shows."""

    title: str
    headline: str
    summary: str
    answer: Answer
    reference: str
    against: str  # what variants are compared with, in words
    total_limit_ms: float
    delay_varies: bool
    variants: tuple[Variant, ...]
    shown: tuple[str, ...]  # labels of the variants to look at first
    front: Front | None
    matrix: Matrix | None
    comparisons: tuple[Comparison, ...]  # each variant with the reference
    tables: tuple[Table, ...]
    unread: tuple[str, ...]  # why some folders are missing here

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def build_sweep(title: str, runs: Sequence[RunRecords], unread: Sequence[str] = ()) -> SweepData:
    """Everything a sweep's page shows; `runs` is not empty."""
    variants = build_variants(runs)
    delays = {variant.delay_ms for variant in variants if variant.delay_ms is not None}
    references = references_of(runs)
    tasks = set(references)  # one reference each
    outcomes = [outcomes_of(run) for run in runs]
    pairs = [(i, other) for i, other in enumerate(references) if i != other]
    every = [(j, i) for i, j in combinations(range(len(runs)), 2) if references[i] == references[j]]
    every = every if len(runs) <= ALL_PAIRS_UP_TO else []
    reference = variants[references[0]].label
    against = reference if len(tasks) == 1 else "the first of its task"
    comparisons = compare(variants, outcomes, pairs)
    limit_ms = float(runs[0].metrics["budget"]["total"]["limit_ms"])
    answer = find_answer(runs, variants, limit_ms)
    deployable = [variant for variant in variants if variant.label not in answer.references]
    front = find_front(deployable)
    tables = [
        variant_table(variants),
        comparison_table("comparisons", comparisons),
        comparison_table("pairs", compare(variants, outcomes, every)),
    ]
    tables += [front_table(deployable, front)] if front is not None else []
    tables += [answer.table] if answer.table is not None else []
    return SweepData(
        title=title,
        headline=answer.headline,
        summary=" ".join(filter(None, (answer.note, _summary(variants)))),
        answer=answer,
        reference=reference,
        against=against,
        total_limit_ms=limit_ms,
        delay_varies=len(delays) > 1,
        variants=variants,
        shown=_shown(variants, reference, front, answer),
        front=front,
        matrix=build_matrix(deployable, limit_ms, answer.meets),
        comparisons=comparisons,
        tables=tuple(tables),
        unread=tuple(unread),
    )


def _summary(variants: Sequence[Variant]) -> str:
    episodes = sum(v.success.episodes for v in variants)
    if len(variants) == 1:
        return f"One variant, {episodes:,} episodes."
    return (
        f"{len(variants)} variants, {episodes:,} episodes in all. Episode i starts from the same seed in every "
        "variant, so variants are compared pair by pair."
    )


def _shown(variants: Sequence[Variant], reference: str, front: Front | None, answer: Answer) -> tuple[str, ...]:
    """All variants where there are few; else the reference, the front, those that meet the question, the worst."""
    labels = [variant.label for variant in variants]
    if len(labels) <= SHOWN_AT_MOST:
        return tuple(labels)
    by_rate = sorted(variants, key=lambda v: v.success.rate if v.success.rate is not None else -1.0)
    wanted = [reference, by_rate[0].label]
    wanted += {number: label for label, number in front.best.items()}.values() if front is not None else []
    wanted += [label for label in labels if answer.meets.get(label) == "yes"]
    wanted += [variant.label for variant in reversed(by_rate)]
    chosen = set(list(dict.fromkeys(wanted))[:SHOWN_AT_MOST])
    return tuple(label for label in labels if label in chosen)
