"""How well the G1 walks: `python -m experiments.walking.trials KIND --n 50 --seed 5000 [--workers 2] [--out FILE.csv]`.

One row a trial, then a summary with 95 % Wilson intervals. Kinds: see `KINDS`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from experiments.walking.plans import STILL, Velocity, arms, at, course
from experiments.walking.world import Ground, World
from robots.g1.walking import SensorNoise, Walker, WalkerConfig
from vla_sim.rng import stream

Row = dict[str, Any]
STILL_M = 0.005  # of sliding in the last second of a stop
PUSH_S = 0.1
LOOK_EVERY = 10  # ticks


class Follower:
    """Compares estimate and truth while a trial runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path_m = self.turned_rad = self.worst_m = self.worst_yaw_rad = self.worst_tilt_rad = 0.0
        self.error_m = self.error_yaw_rad = 0.0
        self._last: tuple[float, float, float] | None = None

    def look(self) -> None:
        x, y, _, yaw = self.world.true_pose()
        pose = self.world.walker.pose_pelvis_in_odom
        if self._last is not None:
            self.path_m += math.hypot(x - self._last[0], y - self._last[1])
            self.turned_rad += abs(wrap(yaw - self._last[2]))
        self._last = x, y, yaw
        self.error_m = math.hypot(x - pose[0, 3], y - pose[1, 3])
        self.error_yaw_rad = wrap(math.atan2(pose[1, 0], pose[0, 0]) - yaw)
        qx, qy, qz, qw = self.world.walker.truth.quaternion
        up = np.array([2 * (qx * qz + qy * qw), 2 * (qy * qz - qx * qw), 1 - 2 * (qx * qx + qy * qy)])
        self.worst_m = max(self.worst_m, self.error_m)
        self.worst_yaw_rad = max(self.worst_yaw_rad, abs(self.error_yaw_rad))
        self.worst_tilt_rad = max(self.worst_tilt_rad, math.acos(min(1.0, float(up @ pose[:3, 2]))))

    def row(self) -> Row:
        return {
            "fell": self.world.fallen(),
            "time_s": round(self.world.walker.time_s, 3),
            "steps": self.world.walker.steps,
            "path_m": round(self.path_m, 3),
            "turned_deg": round(math.degrees(self.turned_rad), 1),
            "error_m": round(self.error_m, 4),
            "error_percent": round(100 * self.error_m / max(self.path_m, 1e-9), 2),
            "yaw_error_deg": round(math.degrees(self.error_yaw_rad), 3),
            "worst_yaw_deg": round(math.degrees(self.worst_yaw_rad), 3),
            "worst_tilt_deg": round(math.degrees(self.worst_tilt_rad), 3),
        }


def wrap(angle: float) -> float:
    """The same angle in -pi...pi."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def friction_of(random: np.random.Generator) -> float:
    """Of a floor, 0.5-1.0."""
    return round(float(random.uniform(0.5, 1.0)), 3)


def walk(
    world: World, end_s: float, velocity: Callable[[float], Velocity], posture: Callable[[float], Any] | None = None,
    halt_from_s: float = math.inf, each: Callable[[float], None] | None = None,
) -> Follower:  # fmt: skip
    """Run until `end_s` or a fall."""
    follower, ticks = Follower(world), 0
    while (t := world.walker.time_s) < end_s - 1e-9 and not world.fallen():
        if posture is not None:
            world.upper = posture(t)
        world.step(velocity(t), halt=t >= halt_from_s)
        ticks += 1
        if ticks % LOOK_EVERY == 0:
            follower.look()
        if each is not None:
            each(t)
    follower.look()
    return follower


class Stops:
    """Whether the feet stand still at the end of each stop: no step in its last second, and no sliding."""

    def __init__(self, world: World, ends_s: list[float]) -> None:
        self.world, self.ends_s, self.worst_m, self.restless = world, ends_s, 0.0, 0
        self._before: dict[float, tuple[int, Any]] = {}

    def look(self, t: float) -> None:
        for end in self.ends_s:
            if abs(t - (end - 1.0)) < 0.002:
                self._before[end] = self.world.walker.steps, self.world.true_feet()
            elif abs(t - (end - 0.008)) < 0.002 and end in self._before:
                steps, feet = self._before[end]
                slid = float(np.abs(self.world.true_feet() - feet).max())
                self.worst_m = max(self.worst_m, slid)
                self.restless += slid > STILL_M or self.world.walker.steps != steps


def courses(seed: int, settings: Row) -> Row:
    """A random course on a floor of random friction, arms moving, self-collision on."""
    random = stream(seed, 0, "course")
    end_s = settings.get("end_s", 30.0)
    ground = Ground(friction_of(random), **settings.get("ground", {}))
    segments, motion = course(random, end_s), arms(stream(seed, 0, "arms"), end_s)
    world = _world(ground, seed, settings, yaw=float(random.uniform(-math.pi, math.pi)))
    stops = Stops(world, [s.end_s for s in segments if s.kind == "stop" and s.end_s - s.begin_s > 3.0])
    moves = motion if settings.get("arms", True) else None
    row = walk(world, end_s, partial(at, segments), moves, each=stops.look).row()
    world.close()
    return {
        "seed": seed, "friction": ground.friction, "payload_kg": settings.get("payload_kg", 0.0), **row,
        "stops": len(stops.ends_s),
        "restless_stops": stops.restless, "stop_slid_m": round(stops.worst_m, 4),
        "ok": not row["fell"] and stops.restless == 0,
    }  # fmt: skip


def payload(seed: int, settings: Row) -> Row:
    """Courses with 2 kg fixed in the right hand, of which the controller knows nothing."""
    return courses(seed, {"payload_kg": 2.0, **settings})


def rough(seed: int, settings: Row) -> Row:
    """Courses on tiles of +-1 cm."""
    return courses(seed, {"ground": {"rough_m": 0.01, "rough_seed": seed}, **settings})


def bumps(seed: int, settings: Row) -> Row:
    """Courses on a smooth height field of +-1 cm."""
    return courses(seed, {"ground": {"rough_m": 0.01, "rough_seed": seed, "bumps": True}, **settings})


def threshold(seed: int, settings: Row) -> Row:
    """Straight ahead across a bar 2 cm high, from a random distance, at a random angle and speed."""
    random = stream(seed, 0, "threshold")
    ground = Ground(
        friction_of(random), threshold_m=0.02, threshold_at_m=float(random.uniform(0.7, 1.1)),
        threshold_length_m=float(random.uniform(0.05, 0.30)),
    )  # fmt: skip
    angle, speed = float(random.uniform(-0.4, 0.4)), float(random.uniform(0.25, 0.5))
    world = _world(ground, seed, settings, yaw=angle)
    motion = arms(stream(seed, 0, "arms"), 12.0)
    row = walk(world, 12.0, lambda t: (speed, 0.0, 0.0) if 0.3 <= t < 9 else STILL, motion).row()
    across = bool(world.true_pose()[0] > ground.threshold_at_m + 0.2)
    world.close()
    return {"seed": seed, "friction": ground.friction, **row, "length_m": ground.threshold_length_m, "angle_rad": angle,
            "speed_m_s": speed, "across": across, "ok": not row["fell"] and across}  # fmt: skip


def push(seed: int, settings: Row) -> Row:
    """A push of 0.1 s at the torso in a random direction, walking or standing."""
    random = stream(seed, 0, "push")
    friction, direction = friction_of(random), float(random.uniform(0, 2 * math.pi))
    impulse, stand = settings.get("impulse", 15.0), settings.get("stand", False)
    begin = 1.0 + float(random.uniform(0, 0.5)) if stand else float(random.uniform(3, 5))
    command = STILL if stand else ((0.3, 0.0, 0.0), (0.15, 0.1, 0.0), (0.1, 0.0, 0.4), (0.5, 0.0, 0.0))[seed % 4]
    world = _world(Ground(friction), seed, settings)
    force = (impulse / PUSH_S * math.cos(direction), impulse / PUSH_S * math.sin(direction))

    def shove(t: float) -> None:
        world.push = force if begin <= t < begin + PUSH_S - 1e-9 else None

    row = walk(world, begin + 5.0, lambda t: command if t >= 0.3 else STILL, each=shove).row()
    world.close()
    return {"seed": seed, "friction": friction, "impulse_ns": impulse, "standing": stand,
            "direction_deg": round(math.degrees(direction), 1), "begin_s": round(begin, 3), **row,
            "ok": not row["fell"]}  # fmt: skip


def speed(seed: int, settings: Row) -> Row:
    """Straight at a commanded velocity; the mean true speed from 4 s on."""
    random = stream(seed, 0, "speed")
    friction = settings.get("friction", friction_of(random))
    command = tuple(settings.get("velocity", (0.6, 0.0, 0.0)))
    world = _world(Ground(friction), seed, settings)
    marks: list[tuple[float, float, float]] = []
    end_s = settings.get("end_s", 14.0)

    def mark(t: float) -> None:
        if t >= 4.0:
            marks.append((t, *world.true_pose()[:2]))

    row = walk(world, end_s, lambda t: command if t >= 0.3 else STILL, each=mark).row()
    (t0, x0, y0), (t1, x1, y1) = (marks[0], marks[-1]) if len(marks) > 1 else ((0, 0, 0), (1, 0, 0))
    reached = math.hypot(x1 - x0, y1 - y0) / (t1 - t0)
    world.close()
    return {"seed": seed, "friction": friction, "commanded": json.dumps(command), **row,
            "reached_m_s": round(reached, 3), "ok": not row["fell"]}  # fmt: skip


def halt(seed: int, settings: Row) -> Row:
    """An emergency stop of a walk ahead and round a bend: when feet and pelvis have come to rest, for good."""
    random = stream(seed, 0, "halt")
    friction, begin = friction_of(random), 5.0 + float(random.uniform(0, 0.8))
    command = float(random.uniform(0.3, 0.6)), 0.0, float(random.uniform(-0.4, 0.4))
    world = _world(Ground(friction), seed, settings)
    places: list[tuple[float, float, float]] = []
    feet: list[Any] = []

    def watch(t: float) -> None:
        if t >= begin - 0.4:
            places.append((t, *world.true_pose()[:2]))
            feet.append(world.true_feet())

    row = walk(world, begin + 4.0, lambda t: command if t >= 0.3 else STILL, None, begin, watch).row()
    world.close()
    at, stood = np.array(places), np.array(feet)
    before = float(np.hypot(*(at[100, 1:] - at[0, 1:])) / 0.4)
    planted = _rest_after(at[:, 0], stood.reshape(len(stood), 2, 3), 0.05, begin)
    slow, still = (_rest_after(at[:, 0], at[:, None, 1:], m_s, begin) for m_s in (0.1, 0.05))
    return {"seed": seed, "friction": friction, **row, "from_m_s": round(before, 3), "feet_rest_after_s": planted,
            "slow_after_s": slow, "rest_after_s": still,
            "ok": not row["fell"] and planted < 1.0 and slow < 1.0}  # fmt: skip


def _rest_after(times_s: Any, points: Any, m_s: float, begin_s: float) -> float:
    """When every point [t, k, 2 or 3] has come to move less than `m_s` over a tenth of a second, for good."""
    window = round(0.1 / Walker.period_s)
    pace = np.linalg.norm(points[window:] - points[:-window], axis=2).max(axis=1) / (window * Walker.period_s)
    moving = times_s[window:][pace >= m_s]
    return round(float(moving[-1] - begin_s), 3) if len(moving) else 0.0


def reach(seed: int, settings: Row) -> Row:
    """Standing, one arm stretched out over a table with a load in it, and back: feet stay where they are."""
    random = stream(seed, 0, "reach")
    load = settings.get("payload_kg", float(random.choice([0.35, 1.0, 2.0])))
    world = _world(Ground(friction_of(random)), seed, {**settings, "payload_kg": load})
    ready = world.upper.copy()
    out = ready.copy()
    out[[10, 11, 12, 13]] = -0.6, -0.2, 0.0, 0.3  # right shoulder pitch, roll, yaw, elbow: the hand 0.4 m ahead
    out[2] = float(random.uniform(0.0, 0.2))
    pace = float(random.uniform(0.6, 1.5))

    def posture(t: float) -> Any:
        a = np.clip((t - 1.0) / pace, 0, 1) - np.clip((t - 5.0) / pace, 0, 1)
        return ready + (out - ready) * a * a * (3 - 2 * a)

    row = walk(world, 9.0, lambda t: STILL, posture).row()
    world.close()
    return {"seed": seed, "payload_kg": load, "pace_s": pace, **row, "ok": not row["fell"] and row["steps"] == 0}


KINDS: dict[str, Callable[[int, Row], Row]] = {
    f.__name__: f for f in (courses, payload, rough, bumps, threshold, push, speed, halt, reach)
}


def _world(ground: Ground, seed: int, settings: Row, yaw: float = 0.0) -> World:
    config = replace(WalkerConfig(), **settings.get("config", {}))
    noise = SensorNoise.none() if settings.get("perfect") else SensorNoise()
    return World(
        ground, seed, config, noise, settings.get("payload_kg", 0.0), yaw, settings.get("self_collision", True)
    )


def wilson(good: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a proportion."""
    part, spread = good / n, z * z / n
    middle, half = part + spread / 2, z * math.sqrt(part * (1 - part) / n + spread / (4 * n))
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def _one(kind: str, settings: Row, seed: int) -> Row:
    return KINDS[kind](seed, settings)


def run(kind: str, seeds: list[int], settings: Row, workers: int = 1, console: Console | None = None) -> list[Row]:
    """The rows of some trials, in the order of their seeds."""
    rows = []
    work = partial(_one, kind, settings)
    with get_context("spawn").Pool(workers) as pool:
        for row in pool.imap(work, seeds) if workers > 1 else map(work, seeds):
            rows.append(row)
            if console is not None:
                console.print(json.dumps(row), highlight=False, markup=False, soft_wrap=True)
    return rows


def summary(kind: str, rows: list[Row]) -> str:
    """One line: how many went well, how far the estimate was off."""
    good, n = sum(row["ok"] for row in rows), len(rows)
    low, high = wilson(good, n)
    means = []
    for key in (
        "error_percent",
        "yaw_error_deg",
        "worst_yaw_deg",
        "reached_m_s",
        "rest_after_s",
        "stop_slid_m",
        "worst_tilt_deg",
    ):
        values = [abs(row[key]) for row in rows if key in row and not row["fell"]]
        if values:
            means.append(f"{key} mean {np.mean(values):.3f} worst {np.max(values):.3f}")
    walked = [row for row in rows if not row["fell"]]
    drift = 100 * sum(r["error_m"] for r in walked) / max(sum(r["path_m"] for r in walked), 1e-9)
    falls = [row["seed"] for row in rows if row["fell"]]
    return (
        f"{kind}: {good}/{n} ok ({100 * low:.0f}-{100 * high:.0f} %), falls {len(falls)} {falls}; "
        f"drift {drift:.2f} % of the path; {'; '.join(means)}"
    )


def main() -> None:
    """From the command line's words to rows and a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--set", type=json.loads, default={}, help='settings of the trial, JSON: {"impulse": 20}')
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args()
    console = Console()
    seeds = list(range(asked.seed, asked.seed + asked.n))
    rows = run(asked.kind, seeds, asked.set, asked.workers, None if asked.quiet else console)
    if asked.out:
        with asked.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    console.print(summary(asked.kind, rows), highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
