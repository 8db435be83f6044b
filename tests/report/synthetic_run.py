"""A made-up but plausible run and sweep, written through the real recorder. Nothing here runs the stack."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_sim.harness.budgets import Budget
from vla_sim.harness.manifest import build_manifest
from vla_sim.harness.metrics import compute_metrics
from vla_sim.rng import episode_seed, stream
from vla_sim.telemetry.recorder import EpisodeRow, Recorder, SpanRow
from vla_sim.telemetry.store import atomic_write_bytes, atomic_write_json, content_hash, read_tables

JOINTS = ("waist_yaw", "waist_pitch", "shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll")
HANDS = ("left", "right")
RATE_HZ = 100.0
PHASES = (
    ("search", 0.9),
    ("approach", 2.2),
    ("descend", 1.0),
    ("close", 0.6),
    ("lift", 1.1),
    ("move", 2.3),
    ("lower", 0.9),
    ("open", 0.5),
    ("home", 1.5),
)
PINGS = "measured here, 500 pings"
REASONS = ("object_fell", "out_of_reach", "time_out")


def write_run(
    folder: Path,
    *,
    episodes: int = 3,
    deploy: str = "cloud",
    delay_ms: float | None = None,
    success: float = 0.67,
    speed: float = 1.0,
    crash: bool = True,
    frames: tuple[int, ...] = (),
    outage_s: tuple[float, float] | None = None,
    gates: tuple[str, ...] = (),
    prices: tuple[float, float] | None = None,
    overrides: tuple[str, ...] = ("deploy=cloud",),
) -> Path:
    """Write a whole run folder. The last episode crashes when `crash`; `speed` > 1 shortens the episodes.

    `frames`: the episodes with camera images. `outage_s`: from when to when perception falls back to the robot.
    `prices`: $ an hour and W of computing; None = not known.
    """
    recorder, seeds = Recorder(JOINTS, HANDS), [episode_seed(7, i) for i in range(episodes)]
    for index, seed in enumerate(seeds):
        crashed = crash and index == episodes - 1
        _episode(recorder, index, seed, deploy, delay_ms, success, speed, crashed, outage_s)
    recorder.write(folder)
    config: dict[str, Any] = {
        "env": {"id": "VlaSim/PickPlace-v0", "scene": "table", "difficulty": "normal"},
        "seed": 7,
        "episodes": episodes,
        "delay_ms": delay_ms,
        "body": {"_target_": "robots.g1.G1", "hand": "gripper"},
        "deploy": {
            "sites": {
                "robot": {"device": "robot", "servers": 1},
                deploy: {"device": "rack", "over_network": True, "leg": {"name": "cloud_near", "rtt_ms": 20.0}},
            }
        },
        "network": {"name": "wifi", "up_mbps": 560.0, "down_mbps": 800.0, "rtt_ms": 22.0, "source": PINGS},
        "devices": {
            "robot": {"name": "orin", "profiles": {"perception": {"p50_ms": 85.0, "provenance": "measured"}}},
            "rack": {
                "name": "h100",
                "profiles": {"perception": {"p50_ms": 35.0, "provenance": "published", "source": "vendor's table"}},
            },
        },
        "budget": {"total_ms": 2000.0},
        "report": {"gates": list(gates)},
    }
    atomic_write_bytes(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False).encode())
    digest = content_hash(folder)
    manifest = build_manifest(config, digest, seeds, control_rate_hz=RATE_HZ, overrides=overrides)
    atomic_write_json(folder / "manifest.json", manifest)
    tables = {name: table.to_pandas() for name, table in read_tables(folder).items()}
    metrics = compute_metrics(**tables, budget=Budget(), upper_joints=JOINTS, control_rate_hz=RATE_HZ)
    atomic_write_json(folder / "metrics.json", metrics | _priced(prices, metrics))
    for episode in frames:
        _frames(folder / "figures" / "frames", episode, end_s=12.5)
    return folder


def _priced(prices: tuple[float, float] | None, metrics: dict[str, Any]) -> dict[str, Any]:
    """Cost and energy of a robot of 100 W with a battery of 400 Wh, as `metrics.json` has them."""
    usd, watts = prices or (None, None)
    won = (metrics["success_rate"] or 0.0) * metrics["episodes"]
    per_success_h = metrics["sim_s"] / 3600 / won if won else None
    known = usd is not None and watts is not None
    wh = (100.0 + watts) * per_success_h if watts is not None and per_success_h is not None else None
    return {
        "cost": {
            "usd_per_hour": usd,
            "usd_per_success": usd * per_success_h if usd is not None and per_success_h is not None else None,
        },
        "energy": {
            "robot_w": 100.0 if known else None,
            "compute_w": watts,
            "wh_per_success": wh,
            "battery_h": 400.0 / (100.0 + watts) if watts is not None else None,
        },
        "sources": ["list prices of a cloud, June 2026"] if known else [],
    }


def write_variants(folder: Path, *, episodes: int = 24) -> Path:
    """Six variants: two places to compute, three delays."""
    index = 0
    for deploy, drop in (("edge", 0.00012), ("cloud", 0.0011)):
        for delay_ms in (0.0, 200.0, 600.0):
            write_run(
                folder / str(index),
                episodes=episodes,
                deploy=deploy,
                delay_ms=delay_ms,
                success=0.96 - drop * delay_ms,
                speed=4.0,
                crash=False,
                overrides=(f"deploy={deploy}", f"delay_ms={delay_ms:g}"),
            )
            index += 1
    return folder


def _episode(
    recorder: Recorder,
    episode: int,
    seed: int,
    deploy: str,
    delay_ms: float | None,
    success: float,
    speed: float,
    crashed: bool,
    outage_s: tuple[float, float] | None,
) -> None:
    noise = stream(seed, episode, "synthetic")
    good = bool(noise.random() < success) and not crashed
    extra_s = (delay_ms or 0.0) / 1000
    intent_s, plan_s = 0.04 + 0.02 * noise.random(), 0.55 + 0.3 * noise.random()
    ready_s = round((intent_s + plan_s + 0.3 + extra_s) * RATE_HZ) / RATE_HZ
    starts = ready_s + np.cumsum([0.0] + [length / speed for _, length in PHASES])
    end_s = float(starts[4]) if crashed else float(starts[-1])
    _command_spans(recorder, episode, intent_s, plan_s, noise)
    seen, fallbacks = _perception_spans(recorder, episode, deploy, extra_s, end_s, outage_s, noise)
    _grasp_span(recorder, episode, float(starts[1]), noise)
    starved, stale, count = _ticks(recorder, episode, starts, end_s, seen, noise)
    reason = "error" if crashed else ("placed" if good else REASONS[int(noise.integers(3))])
    recorder.episode(
        EpisodeRow(
            episode=episode,
            seed=seed,
            instruction="put the red cube on the tray",
            success=good,
            reason=reason,
            error="ValueError: inverse kinematics <diverged>" if crashed else "",
            sim_s=end_s,
            wall_s=end_s / 9,
            ttfa_s=ready_s,
            attempts=1 if good else 2,
            starved_ticks=starved,
            stale_ticks=stale,
            ticks=count,
            frames=len(seen) + 6,
            frames_skipped=4,
            deadline_misses=2,
            retries=1,
            interventions=1,
            violations=0,
            fell=False,
            refused=False,
            frame_bytes=46_000 * len(seen),
            fallbacks=fallbacks,
            hold_s=0.3 * (fallbacks > 0),
        )
    )


def _command_spans(
    recorder: Recorder, episode: int, intent_s: float, plan_s: float, noise: np.random.Generator
) -> None:
    recorder.span(SpanRow(episode, 0, "intent", "robot", "ok", 0.0, intent_s, 0, 0, intent_s, 0, 0, 0, 0.5))
    up, down, queue = 0.011, 0.012, 0.03 * noise.random()
    compute, end_s = plan_s - up - down - queue, intent_s + plan_s
    recorder.span(
        SpanRow(episode, 1, "planning", "cloud", "ok", intent_s, end_s, up, queue, compute, down, 900, 1800, 5.0)
    )


def _perception_spans(
    recorder: Recorder,
    episode: int,
    deploy: str,
    extra_s: float,
    end_s: float,
    outage_s: tuple[float, float] | None,
    noise: np.random.Generator,
) -> tuple[list[tuple[float, float]], int]:
    """Frames at 5 Hz; returns (taken, delivered) of the ones that arrived, and how many a fallback answered.

    In an outage a frame is lost on its way and, 0.25 s later, answered by the robot's simplified mode; the last one
    before it comes back after all, too late. Then every 20th frame is answered from a cache.
    """
    seen, fallbacks = [], 0
    far = deploy == "cloud"
    begin, until = outage_s or (np.inf, np.inf)
    for i, taken in enumerate(np.arange(0.0, end_s - 0.6, 0.2).tolist()):
        up = (0.035 + 0.02 * noise.random() if far else 0.0) + extra_s / 2
        down = (0.011 if far else 0.0) + extra_s / 2
        queue, compute = 0.02 * noise.random() ** 4, 0.035 if far else 0.085
        out, last_before = begin <= taken < until, begin - 0.2 <= taken < begin
        cached = outage_s is not None and i % 20 == 9 and not out and not last_before
        up, queue, compute = (0.0, 0.0, 0.001) if cached else (up, queue, compute)
        status = "lost" if out or i == 17 else "superseded" if last_before else "late" if i == 31 else "ok"
        late_s = 0.9 if status in ("late", "superseded") else 0.0
        done = taken + (1.0 if status == "lost" else up + queue + compute + down + late_s)
        sizes = (46_000, 700) if far else (0, 0)
        mode = "cached" if cached else "full"
        parts = (up, queue + late_s, compute, down)
        recorder.span(SpanRow(episode, 10 + i, "perception", deploy, status, taken, done, *parts, *sizes, 1.0, 0, mode))
        if out or last_before:
            done, status, fallbacks = taken + 0.31, "ok", fallbacks + 1
            parts = (0.0, 0.0, 0.06, 0.0)
            recorder.span(
                SpanRow(episode, 10 + i, "perception", "robot", "ok", taken, done, *parts, 0, 0, 1.0, 1, "simplified")
            )
        if status == "ok":
            seen.append((taken, done))
    return seen, fallbacks


def _grasp_span(recorder: Recorder, episode: int, at_s: float, noise: np.random.Generator) -> None:
    took = 0.14 + 0.1 * noise.random()
    recorder.span(
        SpanRow(episode, 5, "grasp", "robot", "ok", at_s - took, at_s, 0.0, 0.01, took - 0.01, 0.0, 0, 0, 2.0)
    )


def _ticks(
    recorder: Recorder,
    episode: int,
    starts: np.ndarray,
    end_s: float,
    seen: list[tuple[float, float]],
    noise: np.random.Generator,
) -> tuple[int, int, int]:
    aims = noise.uniform(-1.2, 1.2, (len(PHASES) + 1, len(JOINTS))) * np.linspace(0.3, 1.0, len(JOINTS))
    measured, starved_ticks, stale_ticks, newest = aims[0].copy(), 0, 0, 0
    count = round(end_s * RATE_HZ)
    for tick in range(count):
        t_s = tick / RATE_HZ
        phase_index = int(np.searchsorted(starts, t_s + 1e-9)) - 1
        commanded = aims[0] if phase_index < 0 else _blend(aims, starts, phase_index, t_s)
        measured = measured + 0.12 * (commanded - measured)
        while newest + 1 < len(seen) and seen[newest + 1][1] <= t_s:
            newest += 1
        age = t_s - seen[newest][0] if seen[newest][1] <= t_s else float("nan")
        starved, stale = phase_index < 0 or 540 <= tick % 1000 < 548, age > 0.45
        starved_ticks, stale_ticks = starved_ticks + starved, stale_ticks + stale
        recorder.tick(
            episode,
            tick,
            t_s,
            "wait_plan" if phase_index < 0 else PHASES[min(phase_index, len(PHASES) - 1)][0],
            measured,
            commanded,
            [1.0, 1.0 - 0.5 * (3 <= phase_index < 7)],
            detection_age_s=age,
            starved=starved,
            stale=stale,
            interventions=int(tick == 300),
            control_s=0.0011 + 0.0004 * noise.random(),
            safety_s=0.0004,
            step_wall_s=0.001 * noise.random(),
        )
    return int(starved_ticks), int(stale_ticks), count


def _blend(aims: np.ndarray, starts: np.ndarray, phase: int, t_s: float) -> np.ndarray:
    phase = min(phase, len(PHASES) - 1)
    begin, end = list(pairwise(starts))[phase]
    share = min(1.0, (t_s - begin) / (end - begin))
    smooth = 10 * share**3 - 15 * share**4 + 6 * share**5
    blended: np.ndarray = aims[phase] + (aims[phase + 1] - aims[phase]) * smooth
    return blended


def _frames(folder: Path, episode: int, end_s: float) -> None:
    from matplotlib.image import imsave

    folder.mkdir(parents=True, exist_ok=True)
    for t_s in np.arange(0.0, end_s, 0.8):
        image = np.full((120, 160, 3), (214, 206, 194), np.uint8)
        image[60:] = (150, 118, 86)
        x, y = int(20 + 110 * t_s / end_s), int(70 - 25 * np.sin(np.pi * t_s / end_s))
        image[y : y + 22, x : x + 22] = (205, 45, 40)
        image[84:96, 112:152] = (60, 90, 160)
        imsave(folder / f"e{episode}_t{round(t_s * 1000)}.png", image)
