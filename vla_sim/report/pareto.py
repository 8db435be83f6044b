"""Which variants are not beaten by another in everything: the Pareto front of success, rent and energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.report.parts import Column, Table
from vla_sim.report.text import Value
from vla_sim.report.variants import Variant

OBJECTIVES = (
    ("success_rate", -1.0),
    ("usd_per_hour", 1.0),
    ("wh_per_success", 1.0),
)  # key, sign that makes less better


@dataclass(frozen=True)
class Front:
    """Labels on the front, of those beaten, and of those that cannot be placed for want of a figure."""

    objectives: tuple[str, ...]
    best: dict[str, int]  # label -> its number in figure and table, cheapest first; equal ones share theirs
    beaten: dict[str, str]  # label -> a variant on the front that beats it
    unplaced: tuple[str, ...]


def find_front(variants: Sequence[Variant]) -> Front | None:
    """The front by point estimates; None when neither a price nor an energy is known of any two variants."""
    used = [
        (key, sign)
        for key, sign in OBJECTIVES
        if key == "success_rate" or len({v.row[key] for v in variants if v.row[key] is not None}) > 1
    ]
    if len(used) < 2:
        return None
    costs: dict[str, tuple[float, ...]] = {}
    for variant in variants:
        values = [(sign, variant.row[key]) for key, sign in used]
        known = tuple(sign * value for sign, value in values if isinstance(value, int | float))
        if len(known) == len(used):
            costs[variant.label] = known
    best = [label for label in costs if not any(_beats(other, costs[label]) for other in costs.values())]
    best.sort(key=lambda label: costs[label][1:])
    beaten = {
        label: next(other for other in best if _beats(costs[other], own))
        for label, own in costs.items()
        if label not in best
    }
    unplaced = tuple(v.label for v in variants if v.label not in costs)
    places = list(dict.fromkeys(costs[label] for label in best))
    numbers = {label: places.index(costs[label]) + 1 for label in best}
    return Front(tuple(key for key, _ in used), numbers, beaten, unplaced)


def _beats(first: Sequence[float], second: Sequence[float]) -> bool:
    """Nowhere worse and somewhere better; less is better."""
    return all(a <= b for a, b in zip(first, second, strict=True)) and tuple(first) != tuple(second)


def front_table(variants: Sequence[Variant], front: Front) -> Table:
    """The front first, by its numbers; then those beaten, by whom."""
    columns = (
        Column("label", "Variant"),
        Column("number", "In the figure", "int"),
        Column("beaten_by", "Beaten by"),
        Column("success_rate", "Success", "percent"),
        Column("interval", "95 % interval"),
        Column("usd_per_hour", "Rent an hour", "dollars"),
        Column("usd_per_success", "Rent a success", "dollars"),
        Column("wh_per_success", "Wh a success", "short"),
        Column("battery_h", "Battery, h", "short"),
    )
    rows: list[dict[str, Value]] = []
    for variant in variants:
        if variant.label not in front.unplaced:
            own = {column.key: variant.row[column.key] for column in columns if column.key in variant.row}
            rows.append({**own, "number": front.best.get(variant.label), "beaten_by": front.beaten.get(variant.label)})
    rows.sort(key=lambda row: (row["number"] is None, row["number"] or 0))
    return Table("front", columns, tuple(rows))
