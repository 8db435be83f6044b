"""Domain randomisation: what of the physical world is drawn anew in each episode. Everything is off by default."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from robots.body import Actuation
from vla_sim.errors import ConfigError
from vla_sim.mapping import read
from vla_sim.rng import stream
from vla_sim.types import Array

Range = tuple[float, ...]
LIMITS: dict[str, tuple[float, float]] = {  # of what still is a world the robot can stand in
    "friction": (0.2, 3.0),
    "mass": (0.1, 10.0),
    "light": (0.2, 2.0),
    "actuator_gain": (0.3, 2.0),
    "actuator_delay_s": (0.0, 0.1),
    "sensor_noise": (0.0, 10.0),
}
MOST = {"light_turn_deg": 60.0, "camera_shift_m": 0.1, "camera_turn_deg": 15.0}


@dataclass(frozen=True)
class Randomisation:
    """Ranges [low, high] of factors, uniform; and the most by which something is off, in any direction."""

    friction: Range = (1.0, 1.0)  # of floor, furniture and objects, one factor for all
    mass: Range = (1.0, 1.0)  # of each object, one factor each
    light: Range = (1.0, 1.0)  # brightness
    light_turn_deg: float = 0.0  # of its direction
    camera_shift_m: float = 0.0  # of the head camera from where the robot believes it to be
    camera_turn_deg: float = 0.0
    actuator_gain: Range = (1.0, 1.0)
    actuator_delay_s: Range = (0.0, 0.0)
    sensor_noise: Range = (1.0, 1.0)  # of camera and lidar

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            span = getattr(self, name)
            if len(span) != 2 or not span[0] <= span[1]:
                raise ConfigError(name, f"must be [low, high], got {list(span)}")
            if not (least <= span[0] and span[1] <= most):
                raise ConfigError(name, f"must lie within {least:g}-{most:g}, got {list(span)}")
        for name, most in MOST.items():
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(name, f"must lie within 0-{most:g}, got {getattr(self, name):g}")


@dataclass(frozen=True)
class Drawn:
    """What one episode got. The defaults are the model as it is."""

    friction: float = 1.0
    mass: tuple[float, ...] = ()  # factors of the objects, in their order; 1 for those beyond
    light: float = 1.0
    light_turn: tuple[float, float] = (0.0, 0.0)  # rad about x and y
    camera_shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)  # in the optical frame
    camera_turn_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)
    actuation: Actuation = field(default_factory=Actuation)
    sensor_noise: float = 1.0

    def mass_of(self, index: int) -> float:
        """Factor of object `index`."""
        return self.mass[index] if index < len(self.mass) else 1.0

    @property
    def camera_offset(self) -> Array:
        """[4, 4] from where the robot believes the camera's optical frame to be to where it is."""
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn_matrix(self.camera_turn_rad), self.camera_shift_m
        return pose

    def as_info(self) -> dict[str, float]:
        """Plain figures."""
        shift, turn = np.linalg.norm(self.camera_shift_m), np.linalg.norm(self.camera_turn_rad)
        return {
            "friction": self.friction,
            "mass": self.mass_of(0),
            "light": self.light,
            "camera_shift_m": float(shift),
            "camera_turn_deg": math.degrees(float(turn)),
            "actuator_gain": self.actuation.gain,
            "actuator_delay_s": self.actuation.delay_s,
            "sensor_noise": self.sensor_noise,
        }


OBJECTS = 8  # factors are drawn for so many, whatever the scene holds


def draw(ranges: Randomisation, seed: int) -> Drawn:
    """What the episode of `seed` gets; every figure is drawn whether it is used or not, so that one setting moves
    nothing else."""
    rng = stream(seed, 0, "randomise")

    def within(span: Range) -> float:
        share = float(rng.uniform())
        return span[0] + share * (span[1] - span[0])

    def off(most: float, count: int) -> tuple[float, ...]:
        return tuple(most * float(x) for x in rng.uniform(-1.0, 1.0, count))

    friction = within(ranges.friction)
    mass = tuple(within(ranges.mass) for _ in range(OBJECTS))
    light = within(ranges.light)
    turn = off(math.radians(ranges.light_turn_deg), 2)
    shift, camera = off(ranges.camera_shift_m, 3), off(math.radians(ranges.camera_turn_deg), 3)
    actuation = Actuation(within(ranges.actuator_gain), within(ranges.actuator_delay_s))
    return Drawn(
        friction, mass, light, (turn[0], turn[1]), (shift[0], shift[1], shift[2]), (camera[0], camera[1], camera[2]),
        actuation, within(ranges.sensor_noise),
    )  # fmt: skip


def load(source: Randomisation | Mapping[str, Any] | None, key: str = "env.randomise") -> Randomisation:
    """From configuration; None = everything off."""
    return Randomisation() if source is None else read(Randomisation, source, key)


def turn_matrix(angles_rad: tuple[float, float, float]) -> Array:
    """[3, 3] turn about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = (np.cos(angles_rad), np.sin(angles_rad))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


assert {f.name for f in fields(Randomisation)} == {*LIMITS, *MOST}
