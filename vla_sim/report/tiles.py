"""The numbers worth reading first, each with what it has to be read with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vla_sim.report.parts import Success, Tile, block
from vla_sim.report.text import NONE, dollars, interval, milliseconds, number, percent, significant, words

MET_AT_LEAST = 0.95  # of commands within the budget
MISSED_AT_MOST = 0.01  # of control deadlines


def run_tiles(metrics: Mapping[str, Any], success: Success, ticks: int) -> tuple[Tile, ...]:
    """Tiles of a run's page; those of blocks its metrics lack are left out."""
    total, ttfa, reaction = metrics["budget"]["total"], metrics["ttfa_ms"], metrics["reaction_ms"]
    queue, loop, safety = metrics["queue"], metrics["control"], metrics["safety"]
    met = f"p95 {milliseconds(ttfa['p95'])} · {milliseconds(total['limit_ms'])} ms met in {percent(total['met_ratio'])}"
    starved = queue["starved_ticks"] / ticks if ticks else None
    tiles = (
        Tile("Success", percent(success.rate), "", f"95 % interval {interval(success.low, success.high)}"),
        Tile("Command to first motion", milliseconds(ttfa["p50"]), "ms", met, _below(total["met_ratio"], MET_AT_LEAST)),
        Tile("Image to reaction", milliseconds(reaction["p50"]), "ms", f"p95 {milliseconds(reaction['p95'])} ms"),
        Tile("Nothing to act on", percent(starved), "", f"{number(queue['starved_ticks'])} of {number(ticks)} ticks"),
        Tile(
            "Control deadlines missed",
            percent(loop["deadline_miss_ratio"]),
            "",
            f"longest run {number(loop['longest_miss_run'])} · {number(loop['rate_hz'])} Hz",
            (loop["deadline_miss_ratio"] or 0.0) > MISSED_AT_MOST,
        ),
        Tile(
            "Falls",
            number(metrics["falls"]),
            "",
            f"{number(safety['violations'])} safety violations · {number(safety['interventions'])} interventions",
            metrics["falls"] > 0 or safety["violations"] > 0,
        ),
    )
    more = (_cost(block(metrics, "cost")), _energy(block(metrics, "energy")), _fallback(block(metrics, "fallback")))
    return tiles + tuple(tile for tile in more if tile is not None)


def _below(value: float | None, least: float) -> bool:
    return value is not None and value < least


def _cost(cost: Mapping[str, Any]) -> Tile | None:
    if not cost:
        return None
    hour, success = cost.get("usd_per_hour"), cost.get("usd_per_success")
    if hour is None and success is None:
        return Tile("Cost", NONE, "", "no price is known for this deployment")
    note = "price an hour not known" if hour is None else f"{dollars(hour)} an hour, rented off the robot"
    return Tile("Cost of a success", dollars(success), "", note)


def _energy(energy: Mapping[str, Any]) -> Tile | None:
    if not energy:
        return None
    watts = [(name, energy.get(f"{name}_w")) for name in ("robot", "compute")]
    facts = [f"{name} {significant(value)} W" for name, value in watts if value is not None]
    if energy.get("battery_h") is not None:
        facts.append(f"battery lasts {significant(energy['battery_h'], 2)}\u00a0h")
    each = energy.get("wh_per_success")
    return Tile("Energy of a success", significant(each), "Wh" if each is not None else "", " · ".join(facts))


def _fallback(fallback: Mapping[str, Any]) -> Tile | None:
    if not fallback:
        return None
    count = fallback.get("requests") or 0
    held, stops = fallback.get("hold_s") or 0.0, fallback.get("safe_stops") or 0
    note = f"{number(count)} requests · held {significant(held)} s · {number(stops)} safe stop{'s' * (stops != 1)}"
    share = fallback.get("share")
    return Tile("Answered by a fallback", percent(share), "", note, stops > 0)


def degradation_in_words(metrics: Mapping[str, Any]) -> str:
    """What fallbacks and adaptation did, in one or two sentences; "" when nothing happened or nothing is known."""
    fallback = block(metrics, "fallback")
    count, degraded = fallback.get("requests") or 0, fallback.get("degraded_s") or 0.0
    told = []
    if count:
        stages = block(fallback, "by_stage")
        where = ", ".join(f"{words(str(stage))} {number(n)}" for stage, n in stages.items() if n)
        told.append(f"{number(count)} requests were answered by another attempt than the first{_of(where)}")
    for key, what in (
        ("simplified", "answered in a simplified mode"),
        ("cached", "answered from a cache"),
        ("superseded", "computed but superseded by another attempt"),
    ):
        if fallback.get(key):
            told.append(f"{number(fallback[key])} {what}")
    if fallback.get("hold_s"):
        told.append(f"the robot held still for want of an answer for {significant(fallback['hold_s'])} s")
    if fallback.get("safe_stops"):
        stops = fallback["safe_stops"]
        told.append(f"it stopped for good in {number(stops)} episode{'s' * (stops != 1)}")
    if degraded:
        told.append(f"adaptation ran it below full quality for {significant(degraded)} s")
    text = "; ".join(told)
    return text[:1].upper() + text[1:] + "." if text else ""


def _of(where: str) -> str:
    return f" ({where})" if where else ""
