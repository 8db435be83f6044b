"""The tables of an analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vla_sim.analysis import load, models
from vla_sim.analysis.changes import TRIAL_S, Change
from vla_sim.analysis.document import Cell, Column, Pair, Section
from vla_sim.analysis.figure import Figure, digits
from vla_sim.analysis.latency import Floor, Spread
from vla_sim.analysis.load import Reliability, SiteLoad
from vla_sim.analysis.models import StageModel
from vla_sim.analysis.rehearsal import EPISODE_S, SECONDS
from vla_sim.analysis.scenario import COMMAND, Scenario
from vla_sim.analysis.traffic import COMMANDS_HZ, KINDS, LinkLoad, parcels
from vla_sim.analysis.verdicts import MET, TOTAL, Evaluation
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.profile import LatencyProfile
from vla_sim.deployment.sensing import cost_of
from vla_sim.harness.cost import hardware_of, on_robot, rent

PLAYED = (
    f"the deployment's own executor played for {SECONDS:g} s without a robot, seed 0, as episodes of {EPISODE_S:g} s: "
    "a command, images at their full rate, a grasp; queues, losses and other load included"
)
WAITED = f"on the way longer than the floor's median, when {PLAYED}"
ADDED = "sensor + uplink + compute + downlink of an empty deployment, added as distributions"
TRIED = f"the same, played for {TRIAL_S:g} s"
CARRIED = f"messages above x their rate, commands {COMMANDS_HZ:g} times a second"
ASKED = "the group `budget`"
FITTED = "fits of vla_sim.deployment.sensing to this project's images"


def latency(found: Evaluation) -> Section:
    """Where each stage's time goes, against its limit."""
    rows = [(*_parts(found, stage), *_judged(found, stage)) for stage in found.floors]
    rows.append((TOTAL, *[""] * 7, *_judged(found, TOTAL)))
    loop = " + ".join(stage for stage in COMMAND if stage in found.floors)
    return Section(
        "latency",
        "Latency, ms: median / 95 % quantile",
        _columns(
            "stage", "on", "sensor", "uplink", "queue", "compute", "downlink", "link_wait", "floor", "expected", "limit"
        )
        + (Column("in_time", "in time"), Column("verdict", "verdict")),
        tuple(rows),
        f"floor: an empty deployment that loses nothing; expected: as it is used. total: {loop} and the wait for a "
        f"control tick; grasp has a budget of its own. A limit is met when {100 * MET:g} % are in time."
        f"{_without(found)}",
        unit="ms",
    )


def _without(found: Evaluation) -> str:
    """Limits of stages that this stack does not have."""
    absent = [stage for stage in found.scenario.budget.stages_ms if stage not in found.floors]
    return f" Not in this stack: {', '.join(absent)}." if absent else ""


def _parts(found: Evaluation, stage: str) -> tuple[Cell, ...]:
    least, played, scenario = found.floors[stage], found.rehearsed.get(stage), found.scenario
    links = scenario.links(least.site)
    none = Pair(0.0, 0.0, "ms", "on the robot: no link")
    queue = None if played is None else played.queue
    return (
        stage,
        least.site,
        Figure(least.sensor_ms, "ms", "cameras.latency_ms, or the lidar's latency of stack.agent"),
        _pair(least.uplink, _link_source(links)) if links else none,
        Pair(0.0, 0.0, "ms", "in the control loop, which waits for nobody") if played is None else _pair(queue, PLAYED),
        _pair(least.compute, _profile_source(scenario.charged(stage).profile)),
        _pair(least.downlink, _link_source(links)) if links else none,
        none if not links else _pair(None if played is None else played.link_wait, WAITED),
    )


def _judged(found: Evaluation, stage: str) -> tuple[Cell, ...]:
    verdict = found.verdicts.get(stage)
    if verdict is None:
        played = found.rehearsed.get(stage)
        expected = None if played is None else played.total
        return _pair(found.floors[stage].total, ADDED), _pair(expected, PLAYED), "", "", "no limit"
    return (
        _pair(verdict.floor, ADDED),
        _pair(verdict.expected, PLAYED),
        Figure(verdict.limit_ms, "ms", ASKED),
        Figure(100 * verdict.within, "%", PLAYED),
        verdict.state,
    )


def _pair(spread: Spread | None, source: str) -> Pair:
    return Pair(None, None, "ms", source) if spread is None else Pair(spread.p50_ms, spread.p95_ms, "ms", source)


def _link_source(links: Sequence[LinkSpec]) -> str:
    names = " and ".join(link.name for link in links)
    return f"bytes / rate + half a round trip of {names}; bytes and links as below"


def _profile_source(profile: LatencyProfile) -> str:
    return f"{profile.provenance}: {profile.source}"


def _columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name.replace("_", " ")) for name in names)


# -- compute ----------------------------------------------------------------------------------------------------


def compute(stages: Mapping[str, StageModel], floors: Mapping[str, Floor]) -> Section:
    """What each stage computes, and what the rule by memory recommends for it."""
    rows = tuple(
        (
            name, stage.name, stage.flops, stage.parameters, stage.memory,
            Figure(floors[name].compute.p50_ms, "ms", "median of the latency it is charged, as above"), stage.roofline,
            stage.recommended,
        )
        for name, stage in stages.items()
    )  # fmt: skip
    titles = ("stage", "network", "flops", "parameters", "memory", "charged", "roofline", "recommended")
    return Section(
        "compute",
        "Compute of one inference",
        _columns(*titles),
        rows,
        f"recommended {models.RULE}. roofline: what its computer would need at least, by arithmetic or memory.",
    )


def sites(scenario: Scenario, loads: Mapping[str, SiteLoad], stages: Mapping[str, StageModel]) -> Section:
    """Each computer: what it holds, how busy it is, what it costs."""
    rows: list[tuple[Cell, ...]] = []
    for name, site in scenario.sites.items():
        machine, price = hardware_of(site, scenario.deployment), rent(name, site, scenario.deployment)
        held = memory_on(name, stages)
        cost = Figure(None, "USD/h", "on the robot: bought, no purchase price is known")
        if not on_robot(site):
            cost = Figure(price.usd_per_hour, "USD/h", price.source)
        rows.append(
            (
                name,
                ", ".join(stage for stage in stages if scenario.site_of(stage) == name) or "nothing",
                f"{site.replicas} x {machine.title if machine else scenario.deployment.devices[site.device].name}",
                Figure(held, "GB", "networks placed here, each once; classical code is not counted"),
                Figure(machine.memory_gb if machine else None, "GB", machine.source if machine else _UNKNOWN),
                Figure(100 * loads[name].offered, "%", loads[name].source),
                models.recommended_hardware(held),
                cost,
            )
        )
    titles = ("site", "stages", "hardware", "networks", "memory", "offered_load", "recommended", "rent")
    return Section("sites", "Computers", _columns(*titles), tuple(rows), f"recommended {models.RULE}.")


_UNKNOWN = "the device does not say what hardware it is"


def memory_on(site: str, stages: Mapping[str, StageModel]) -> float:
    """GB of all networks on a site; one that serves two stages counts once."""
    held = {stage.name: stage.memory.value or 0.0 for stage in stages.values() if stage.site == site}
    return sum(held.values())


# -- network ----------------------------------------------------------------------------------------------------


def links(found: Sequence[LinkSpec]) -> Section:
    """What is known of each link."""
    rows: list[tuple[Cell, ...]] = []
    for link in found:
        values = (
            (link.up_mbps, "Mbit/s"), (link.down_mbps, "Mbit/s"), (link.rtt_ms, "ms"), (link.jitter_ms, "ms"),
            (100 * link.loss, "%"), (link.burst_length, ""), (float(link.retransmissions), ""),
        )  # fmt: skip
        rows.append((link.name, *(Figure(value, unit, link.source) for value, unit in values)))
    titles = ("link", "up", "down", "round_trip", "jitter", "loss", "burst", "retransmissions")
    return Section(
        "links", "Links", _columns(*titles), tuple(rows), "– = without limit; burst: messages lost in a row, mean."
    )


def messages(scenario: Scenario) -> Section:
    """What is sent for one request of each stage that runs elsewhere."""
    rows: list[tuple[Cell, ...]] = []
    for stage, parcel in parcels(scenario).items():
        if scenario.remote(stage):
            up, down = (Figure(float(n), "B", parcel.source) for n in (parcel.up_bytes, parcel.down_bytes))
            rate = "on command" if parcel.rate_hz is None else f"{parcel.rate_hz:g} Hz"
            rows.append((stage, parcel.kind, rate, up, down))
    return Section("messages", "Messages", _columns("stage", "kind", "rate", "request", "answer"), tuple(rows))


def bandwidth(loads: Sequence[LinkLoad]) -> Section:
    """What each link is asked to carry, up and down."""
    rows: list[tuple[Cell, ...]] = []
    for item in loads:
        for way, by_kind, total, rate in (
            ("up", item.up_mbps, item.up, item.link.up_mbps),
            ("down", item.down_mbps, item.down, item.link.down_mbps),
        ):
            rows.append(
                (
                    f"{item.link.name}{f' to {item.site}' if item.site else ''}",
                    way,
                    *(Figure(by_kind[kind], "Mbit/s", CARRIED) for kind in KINDS),
                    Figure(total, "Mbit/s", CARRIED),
                    Figure(None if rate is None else 100 * total / rate, "%", CARRIED),
                    load.recommended_connection(total),
                )
            )
    titles = ("link", "way", *KINDS, "all", "used", "recommended")
    return Section(
        "bandwidth",
        "Bandwidth, Mbit/s, with all requests at their full rate",
        _columns(*titles),
        tuple(rows),
        f"recommended {load.RULE}. Seeing and walking are counted as though they happened at once.",
        unit="Mbit/s",
    )


def cameras(scenario: Scenario) -> Section:
    """What each image stream takes, wherever it goes."""
    rows: list[tuple[Cell, ...]] = []
    for name, stream in (scenario.cameras.streams or {"detection": scenario.stream}).items():
        cost = cost_of(stream, scenario.jpeg_quality)
        values = (
            (cost.raw_mbps, "Mbit/s"),
            (cost.sent_mbps, "Mbit/s"),
            (cost.memory_mb, "MB"),
            (cost.cpu_percent, "%"),
        )
        size = f"{stream.width} x {stream.height} at {stream.images_hz:g} Hz"
        rows.append((name, stream.camera, size, *(Figure(value, unit, FITTED) for value, unit in values)))
    titles = ("stream", "camera", "images", "raw", "compressed", "memory", "cpu")
    return Section(
        "cameras", "Image streams", _columns(*titles), tuple(rows), "cpu: of one core, copying and encoding."
    )


def getting_through(found: Sequence[Reliability]) -> Section:
    """How often a request and its answer get through."""
    rows = tuple((item.site, item.again, item.lost, item.handovers, item.out) for item in found)
    titles = ("site", "sent_again", "never_answered", "handovers", "outages")
    return Section("reliability", "Reliability of a request and its answer", _columns(*titles), rows)


def networks(found: Mapping[str, Evaluation]) -> Section:
    """The same deployment over other networks."""
    rows: list[tuple[Cell, ...]] = []
    for name, item in found.items():
        perception, command = item.verdicts.get("perception"), item.verdicts[TOTAL]
        network = item.scenario.deployment.network
        rows.append(
            (
                name,
                Figure(network.up_mbps, "Mbit/s", network.source),
                *((_pair(perception.expected, PLAYED), Figure(100 * perception.within, "%", PLAYED))
                  if perception is not None else ("", "")),
                _pair(command.expected, PLAYED),
                Figure(100 * command.within, "%", PLAYED),
                ", ".join(f"{stage} {item.verdicts[stage].state}" for stage in item.failing) or "met",
            )
        )  # fmt: skip
    columns = (
        Column("network", "network"),
        Column("uplink", "uplink"),
        Column("perception", "perception ms"),
        Column("perception_in_time", "in time"),
        Column("command", "command ms"),
        Column("command_in_time", "in time"),
        Column("verdict", "verdict"),
    )
    return Section("networks", "The same over other networks, expected: median / 95 % quantile", columns, tuple(rows))


# -- changes ----------------------------------------------------------------------------------------------------


def proposals(found: Sequence[Change], words: Mapping[Change, str]) -> Section:
    """What was tried and is enough."""
    rows = tuple(
        (
            change.text,
            ", ".join(f"{stage} {digits(p95_ms)} ms" for stage, p95_ms in change.repaired.items()),
            _pair(change.then.verdicts[TOTAL].expected, TRIED),
            ", ".join(change.then.failing) or "nothing",
            words[change],
        )
        for change in found
    )
    columns = (
        Column("change", "change"),
        Column("repaired", "then met, 95 % quantile"),
        Column("command", "command ms"),
        Column("still_failing", "still over budget"),
        Column("words", "on the command line"),
    )
    return Section("changes", "What would have to change", columns, rows, "Each was tried by itself.")
