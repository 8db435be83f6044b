"""What the robot is told to do in a trial: courses, and arms that move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robots.g1 import model
from vla_sim.types import Array

Velocity = tuple[float, float, float]
STILL: Velocity = (0.0, 0.0, 0.0)
STOP_S = 3.5  # of a stop, the time to come to rest included
KINDS = ("forward", "turn", "side", "arc", "stop")


@dataclass(frozen=True)
class Segment:
    """A stretch of a course."""

    kind: str
    begin_s: float
    end_s: float
    velocity: Velocity


def course(random: np.random.Generator, end_s: float, begin_s: float = 0.3) -> list[Segment]:
    """Random stretches of 2-5 s until a last stop; every kind in `KINDS` is as likely, within the robot's limits."""
    vx, vy, wz = model.BASE_VELOCITY_MAX
    segments, at = [], begin_s
    while at < end_s - STOP_S:
        kind = KINDS[random.integers(len(KINDS))]
        ahead, aside, turn = random.uniform(-0.3, vx), random.uniform(-vy, vy), random.uniform(-wz, wz)
        velocity = {
            "forward": (random.uniform(0.2, vx), 0.0, 0.0),
            "turn": (0.0, 0.0, turn),
            "side": (0.0, aside, 0.0),
            "arc": (ahead, 0.5 * aside, 0.5 * turn),
            "stop": STILL,
        }[kind]
        until = min(at + (STOP_S if kind == "stop" else random.uniform(2, 5)), end_s - STOP_S)
        segments.append(Segment(kind, at, until, velocity))
        at = until
    return [*segments, Segment("stop", at, end_s, STILL)]


def at(segments: list[Segment], time_s: float) -> Velocity:
    """The velocity commanded at a time."""
    return next((s.velocity for s in segments if s.begin_s <= time_s < s.end_s), STILL)


SPREAD_RAD = {
    "waist_yaw": 0.3, "waist_roll": 0.0, "waist_pitch": 0.12, "shoulder_pitch": 0.5, "shoulder_roll": 0.3,
    "shoulder_yaw": 0.4, "elbow": 0.5, "wrist_roll": 0.5, "wrist_pitch": 0.4, "wrist_yaw": 0.4,
}  # fmt: skip


def arms(random: np.random.Generator, end_s: float) -> Callable[[float], Array]:
    """Upper-body targets [17] by time: smooth ways of 1-2.5 s between random postures around the ready one."""
    ready = model.ready_posture()[12:]
    spread = np.array([next(v for k, v in SPREAD_RAD.items() if k in name) for name in model.UPPER_JOINTS])
    low = np.array([joint.lower_rad for joint in model.JOINTS[12:]]) + 0.05
    high = np.array([joint.upper_rad for joint in model.JOINTS[12:]]) - 0.05
    times, postures = [0.0, 0.3], [ready, ready]
    while times[-1] < end_s:
        times.append(times[-1] + random.uniform(1.0, 2.5))
        postures.append(np.clip(ready + spread * random.uniform(-1, 1, 17), low, high))
    return lambda time_s: _between(times, postures, time_s)


def _between(times: list[float], postures: list[Array], time_s: float) -> Array:
    k = int(np.clip(np.searchsorted(times, time_s, side="right") - 1, 0, len(times) - 2))
    a = min((time_s - times[k]) / (times[k + 1] - times[k]), 1.0)
    return postures[k] + (postures[k + 1] - postures[k]) * a**3 * (10 - 15 * a + 6 * a * a)
