"""The tables of a run's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vla_sim.report.bars import UNANSWERED
from vla_sim.report.parts import Column, Table, block, stage_order
from vla_sim.report.text import Value, words
from vla_sim.telemetry.schema import PARTS
from vla_sim.telemetry.store import RunRecords

USABLE = ("ok", "late", "refused")  # an answer came, if only to say no


def stage_table(run: RunRecords) -> Table:
    """Latency of each stage, its parts and its limit; all attempts at a request together count as one."""
    columns = [
        Column("stage", "Stage"),
        Column("requests", "Requests", "int"),
        Column("unanswered", "Unanswered", "int"),
    ]
    columns += [Column(key, key, "ms") for key in ("p50", "p95", "p99", "max")]
    columns += [Column(part, part, "ms") for part in PARTS]
    columns += [Column("limit_ms", "Limit", "ms"), Column("met_ratio", "Met", "percent")]
    requests = run.spans.drop_duplicates(["episode", "request"])["stage"].astype(str)
    usable = run.spans[run.spans["status"].isin(USABLE)].drop_duplicates(["episode", "request"])["stage"].astype(str)
    rows: list[dict[str, Value]] = []
    for stage in sorted(set(run.metrics["latency_ms"]) | set(requests), key=stage_order):
        latency, budget = run.metrics["latency_ms"].get(stage, {}), run.metrics["budget"].get(stage, {})
        each_tick = len(run.ticks) if stage in ("control", "safety") else 0
        asked = int((requests == stage).sum())
        row: dict[str, Value] = {"stage": stage, "requests": asked + each_tick}
        row["unanswered"] = asked - int((usable == stage).sum())
        row |= {key: latency.get(key) for key in ("p50", "p95", "p99", "max")}
        row |= {part: latency.get("parts", {}).get(part) for part in PARTS}
        rows.append(row | {key: budget.get(key) for key in ("limit_ms", "met_ratio")})
    return Table("stages", tuple(columns), tuple(rows))


def episode_table(run: RunRecords) -> Table:
    """How each episode went."""
    columns = (
        Column("episode", "Episode", "int"),
        Column("seed", "Seed"),
        Column("success", "Success", "yes"),
        Column("reason", "Reason", "words"),
        Column("error", "Error"),
        Column("ttfa_ms", "First motion, ms", "ms"),
        Column("sim_s", "Duration, s", "float"),
        Column("attempts", "Attempts", "int"),
        Column("starved_ticks", "Starved ticks", "int"),
        Column("hold_s", "Held, s", "float"),
        Column("fallbacks", "Fallbacks", "int"),
        Column("deadline_misses", "Late answers", "int"),
        Column("violations", "Violations", "int"),
    )
    copied = [c.key for c in columns if c.key != "ttfa_ms"]
    rows = []
    for record in run.episodes.to_dict("records"):
        row: dict[str, Value] = {key: record[key] for key in copied}
        row["ttfa_ms"] = None if record["ttfa_s"] != record["ttfa_s"] else record["ttfa_s"] * 1e3
        rows.append(row)
    return Table("episodes", columns, tuple(rows))


def attempt_table(run: RunRecords) -> Table:
    """What became of the requests of each stage and site, one row for each number of attempt and each mode."""
    columns = (
        Column("stage", "Stage"),
        Column("site", "Site"),
        Column("attempt", "Attempt", "int"),
        Column("mode", "Mode"),
        Column("requests", "Asked", "int"),
        Column("answered", "Answered", "int"),
        Column("superseded", "Superseded", "int"),
        Column("lost", "Lost", "int"),
        Column("rejected", "Rejected", "int"),
        Column("failed", "Failed", "int"),
    )
    keys = ["stage", "site", "attempt", "mode"]
    spans = run.spans.assign(**{key: run.spans[key].astype(str) for key in ("stage", "site", "mode", "status")})
    rows: list[dict[str, Value]] = []
    for (stage, site, attempt, mode), group in spans.groupby(keys, sort=True):
        count = group["status"].value_counts()
        row: dict[str, Value] = {"stage": stage, "site": site, "attempt": int(attempt) + 1, "mode": mode}
        row |= {"requests": len(group), "answered": sum(int(count.get(status, 0)) for status in USABLE)}
        row |= {status: int(count.get(status, 0)) for status in ("superseded", *UNANSWERED)}
        rows.append(row)
    rows.sort(key=lambda row: stage_order(str(row["stage"])))
    return Table("attempts", columns, tuple(rows))


def loop_table(metrics: Mapping[str, Any]) -> Table:
    """Timing of the control loop."""
    labels = {"period_error_us": "Period error, µs", "execution_us": "Execution, µs", "lateness_us": "Lateness, µs"}
    rows = [{"quantity": label, **metrics["control"][key]} for key, label in labels.items()]
    columns = (
        Column("quantity", "Quantity"),
        *(Column(key, "p99.9" if key == "p999" else key, "int") for key in ("p50", "p99", "p999", "max")),
    )
    return Table("loop", columns, tuple(rows))


def motion_table(metrics: Mapping[str, Any]) -> Table:
    """Smoothness, stale views and traffic."""
    motion, network, queue = metrics["motion"], metrics["network"], metrics["queue"]
    rows: list[dict[str, Value]] = [
        _fact("Stale view", "% of ticks acting on a detection older than allowed", queue["stale_action_ratio"], 100),
        _fact("Answers too late to use", "computed, never acted on", queue["skipped_actions"]),
        _fact("Jump at seams", "p99, rad, where a new answer takes over", motion["seam_jump_rad_p99"]),
        _fact("Jerk", "root mean square of the commanded joints, rad/s³", motion["jerk"]),
        _fact("Uplink", "mean traffic, Mbit/s", network["up_mbps"]),
        _fact("Downlink", "mean traffic, Mbit/s", network["down_mbps"]),
    ]
    columns = (Column("quantity", "Quantity"), Column("meaning", "What"), Column("value", "Value", "short"))
    return Table("motion", columns, tuple(rows))


def _fact(name: str, meaning: str, value: float | None, factor: float = 1.0) -> dict[str, Value]:
    return {"quantity": name, "meaning": meaning, "value": None if value is None else value * factor}


def cost_table(metrics: Mapping[str, Any]) -> Table:
    """Money and energy, and what is known of where their figures come from."""
    cost, energy = block(metrics, "cost"), block(metrics, "energy")
    rows: list[dict[str, Value]] = [
        {"quantity": label, "value": values.get(key)}
        for label, values, key in (
            ("Rent off the robot, $ an hour", cost, "usd_per_hour"),
            ("Rent off the robot, $ a success", cost, "usd_per_success"),
            ("The robot's body, W", energy, "robot_w"),
            ("Computing on the robot, W", energy, "compute_w"),
            ("From the battery, Wh a success", energy, "wh_per_success"),
            ("The battery lasts, hours", energy, "battery_h"),
            ("Computing off the robot, W", energy, "offboard_w"),
            ("Computing off the robot, Wh a success", energy, "offboard_wh_per_success"),
        )
    ]
    known = tuple(row for row in rows if row["value"] is not None)
    return Table("cost", (Column("quantity", "Quantity"), Column("value", "Value", "short")), known)


def source_table(run: RunRecords) -> Table:
    """Where the modelled figures come from: every part of the configuration that names its source, once a source."""
    found: dict[tuple[str, str], list[str]] = {}
    for where, kind, source in _sources(run.config):
        found.setdefault((kind, source), []).append(where)
    for entry in run.metrics.get("sources") or ():
        where, colon, source = str(entry).partition(": ")
        found.setdefault(("", source if colon else where), []).append(where if colon else "cost and energy")
    rows: list[dict[str, Value]] = [
        {"where": ", ".join(places), "kind": kind, "source": source} for (kind, source), places in found.items()
    ]
    columns = (Column("where", "Configuration"), Column("kind", "Kind"), Column("source", "Source"))
    return Table("sources", columns, tuple(rows))


def _sources(config: Any, where: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(config, Mapping):
        if isinstance(config.get("source"), str) and config["source"]:
            name, kind = config.get("name"), config.get("provenance")
            yield where + (f" ({name})" if name else ""), kind if isinstance(kind, str) else "", config["source"]
        for key, value in config.items():
            yield from _sources(value, f"{where}.{key}" if where else str(key))
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from _sources(value, f"{where}[{index}]")


def identity_table(run: RunRecords) -> Table:
    """What exactly was run."""
    manifest, git, host = run.manifest, run.manifest.get("git"), run.manifest.get("host", {})
    commit = f"{git['commit'][:12]}{' with local changes' if git['modified'] else ''}" if git else None
    rows: list[dict[str, Value]] = [
        {"what": "Overrides", "value": " ".join(manifest.get("overrides", [])) or None},
        {"what": "Records (sha256)", "value": manifest.get("content_hash")},
        {"what": "Configuration (sha256)", "value": manifest.get("config_digest")},
        {"what": "Commit", "value": commit},
        {"what": "Simulated / wall time", "value": f"{run.metrics['sim_s']:,.1f} s / {run.metrics['wall_s']:,.1f} s"},
        {"what": "Host", "value": f"{host.get('cpu')}, {host.get('cores')} cores, {host.get('platform')}"},
        {"what": "Versions", "value": ", ".join(f"{k} {v}" for k, v in manifest.get("versions", {}).items())},
    ]
    return Table("identity", (Column("what", "What"), Column("value", "Value")), tuple(rows))


def reasons_in_words(metrics: Mapping[str, Any]) -> str:
    """How episodes ended, most frequent first: `placed 17, time out 3`."""
    return ", ".join(f"{words(reason)} {count}" for reason, count in metrics["reasons"].items())
