"""What was asked of a run: the task, the robot, and where each stage was computed, over what and on what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vla_sim.report.parts import Column, Table, block, stage_order
from vla_sim.report.text import Value, number, words
from vla_sim.telemetry.store import RunRecords

ALWAYS_ON_ROBOT = ("control", "safety")
ROBOT = "robot"


@dataclass(frozen=True)
class Site:
    """A place to compute: `how` says the way there, "" on the robot."""

    name: str
    device: str
    how: str
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """The question a run answers, in words."""

    instructions: tuple[str, ...]
    robot: str
    task: str
    sites: tuple[Site, ...]  # where requests went first
    fallbacks: tuple[Site, ...]  # where else they went when no answer came
    delay_ms: float | None  # imposed from image to answer; None = as the deployment has it
    deployment: str  # all of the deployment in one sentence


def asked_of(run: RunRecords) -> Asked:
    """What was asked, from the configuration and from where requests really went."""
    told = tuple(dict.fromkeys(str(text) for text in run.episodes["instruction"]))
    sites = _sites(run, _used(run, first=True))
    delay = run.config.get("delay_ms")
    delay_ms = None if delay is None else float(delay)
    primary = {(stage, site.name) for site in sites for stage in site.stages}
    other = _sites(run, [use for use in _used(run) if use[:2] not in primary])
    return Asked(told, _robot(run.config), _task(run.config), sites, other, delay_ms, _sentence(sites, other, delay_ms))


def placement_table(run: RunRecords) -> Table:
    """Each stage and site: the device there, the way to it, and the latency its profile gives."""
    columns = (
        Column("stage", "Stage"),
        Column("site", "Site"),
        Column("device", "Device"),
        Column("how", "Over"),
        Column("requests", "Requests", "int"),
        Column("profile_ms", "Profile p50, ms", "ms"),
        Column("provenance", "Provenance"),
    )
    rows: list[dict[str, Value]] = []
    for stage, site, count in _used(run):
        profile = _profile(run.config, stage, site)
        rows.append(
            {
                "stage": stage,
                "site": site,
                "device": _device(run.config, site),
                "how": _way(run.config, site) or None,
                "requests": count,
                "profile_ms": profile.get("p50_ms"),
                "provenance": profile.get("provenance"),
            }
        )
    return Table("placement", columns, tuple(rows))


def _used(run: RunRecords, first: bool = False) -> list[tuple[str, str, int]]:
    """(stage, site, requests) that happened, in the order a command meets the stages; `first`: first attempts alone."""
    spans = run.spans[run.spans["attempt"] == 0] if first else run.spans
    counts = spans.groupby([spans["stage"].astype(str), spans["site"].astype(str)]).size()
    used = [(str(stage), str(site), int(count)) for (stage, site), count in counts.items()]
    used += [(stage, ROBOT, len(run.ticks)) for stage in ALWAYS_ON_ROBOT if len(run.ticks)]
    return sorted(used, key=lambda item: (stage_order(item[0]), item[1] != ROBOT, item[1]))


def _sites(run: RunRecords, used: list[tuple[str, str, int]]) -> tuple[Site, ...]:
    stages: dict[str, list[str]] = {}
    for stage, site, _ in used:
        stages.setdefault(site, []).append(stage)
    ordered = sorted(stages, key=lambda site: (site != ROBOT, site))
    return tuple(
        Site(site, _device(run.config, site) or "", _way(run.config, site), tuple(stages[site])) for site in ordered
    )


def _sentence(sites: tuple[Site, ...], fallbacks: tuple[Site, ...], delay_ms: float | None) -> str:
    if not sites:
        return ""
    alone = len(sites) == 1 and not fallbacks
    told = [_told(site, "everything" if alone else _list(site.stages)) for site in sites]
    told += [f"when no answer came, {_told(site, _list(site.stages))}" for site in fallbacks]
    if delay_ms is not None:
        told.append(f"answers held back to {number(delay_ms)} ms after their image")
    text = "; ".join(told) + "."
    return text[0].upper() + text[1:]


def _told(site: Site, what: str) -> str:
    device = f" ({site.device})" if site.device else ""
    return f"{what} on the {site.name}{device}" + (f" over {site.how}" if site.how else "")


def _list(items: tuple[str, ...]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _device(config: Mapping[str, Any], site: str) -> str | None:
    """What a site computes on, by the name of its device."""
    key = block(block(block(config, "deploy"), "sites"), site).get("device")
    device = block(block(config, "devices"), str(key))
    name = device.get("name", key)
    return None if name is None else str(name)


def _way(config: Mapping[str, Any], site: str) -> str:
    """The links between the robot and a site: `wifi6 (560/800 Mbit/s, 6 ms) and cloud near (20 ms)`."""
    place = block(block(block(config, "deploy"), "sites"), site)
    legs = [block(config, "network")] if place.get("over_network") else []
    legs += [block(place, "leg")]
    return " and ".join(filter(None, map(_leg, legs)))


def _leg(leg: Mapping[str, Any]) -> str:
    if not leg.get("name"):
        return ""
    facts = []
    if leg.get("up_mbps") is not None and leg.get("down_mbps") is not None:
        facts.append(f"{leg['up_mbps']:,g}/{leg['down_mbps']:,g} Mbit/s")
    if leg.get("rtt_ms") is not None:
        facts.append(f"{leg['rtt_ms']:g} ms round trip")
    if leg.get("loss"):
        facts.append(f"{leg['loss'] * 100:g} % lost")
    return words(str(leg["name"])) + (f" ({', '.join(facts)})" if facts else "")


def _profile(config: Mapping[str, Any], stage: str, site: str) -> Mapping[str, Any]:
    key = block(block(block(config, "deploy"), "sites"), site).get("device")
    return block(block(block(block(config, "devices"), str(key)), "profiles"), stage)


def _robot(config: Mapping[str, Any]) -> str:
    """`G1, gripper`: the body's class and its hand; the robot's own class when it has no body."""
    body = block(config, "body")
    target = str(body.get("_target_") or block(config, "robot").get("_target_") or "")
    name = target.rpartition(".")[2]
    hand = body.get("hand")
    return f"{name}, {words(hand)}" if name and isinstance(hand, str) else name


def _task(config: Mapping[str, Any]) -> str:
    """`Pick place, table, normal`: the environment's id in words, its scene and its difficulty."""
    env = config.get("env")
    if not isinstance(env, Mapping):
        return words(str(env)) if env else ""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(env.get("id", "")).rpartition("/")[2].partition("-v")[0]).lower()
    return ", ".join(words(str(text)) for text in (name.capitalize(), env.get("scene"), env.get("difficulty")) if text)
