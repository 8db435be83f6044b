"""What the robot knows of its surroundings at one tick, as safety needs it; and where the robot stands in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vla_sim.errors import SpecMismatch
from vla_sim.types import Array, RobotState, Scan, SiteMap

ARRAYS = ("people_in_base", "people_velocity", "pose_odom_in_site", "allowed_box_in_base", "carried_in_base")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that is known; what is not known is left out. Raises SpecMismatch for wrong shapes."""

    scan: Scan | None = None  # the newest
    people_in_base: Array = field(default_factory=lambda: np.zeros((0, 2)))  # [k, 2] m, now
    people_velocity: Array | None = None  # [k, 2] m/s over the floor, along the axes of base; None = not measured
    site: SiteMap | None = None
    pose_odom_in_site: Array = field(default_factory=lambda: np.zeros(3))  # [3] x m, y m, yaw rad
    docking: bool = False  # it walks up to a surface and may come close to what lies in the allowed box
    allowed_box_in_base: Array | None = None  # [2, 2] m, lowest and highest x, y; None = straight ahead
    carried_in_base: Array = field(default_factory=lambda: np.zeros((0, 4)))  # [j, 4] balls x, y, z, radius m: its own
    stop_latched: bool = False  # the emergency stop is on

    def __post_init__(self) -> None:
        k = len(self.people_in_base)
        for name, value, shape in (
            ("people_in_base", self.people_in_base, (k, 2)),
            ("people_velocity", self.people_velocity, (k, 2)),
            ("pose_odom_in_site", self.pose_odom_in_site, (3,)),
            ("allowed_box_in_base", self.allowed_box_in_base, (2, 2)),
            ("carried_in_base", self.carried_in_base, (len(self.carried_in_base), 4)),
        ):
            if value is not None and value.shape != shape:
                raise SpecMismatch(f"surroundings.{name}", shape, value.shape)

    @property
    def unknown(self) -> str:
        """Name of the first field that holds no numbers; empty when all do. Points of the scan are not looked at."""
        if self.scan is not None and not np.isfinite(self.scan.pose_base_in_odom).all():
            return "scan.pose_base_in_odom"
        for name in ARRAYS:
            values = getattr(self, name)
            if values is not None and values.size and not np.isfinite(values).all():
                return name
        return ""


@dataclass(frozen=True, slots=True)
class Place:
    """A pose on the floor: x m, y m, and cosine and sine of the yaw."""

    x: float
    y: float
    cos: float
    sin: float

    def turned(self, velocity: Array) -> tuple[float, float]:
        """The first two numbers of a velocity along the robot's axes, along those of the frame this place is in."""
        ahead, left = float(velocity[0]), float(velocity[1])
        return self.cos * ahead - self.sin * left, self.sin * ahead + self.cos * left

    @property
    def known(self) -> bool:
        """Whether all of it are numbers."""
        return math.isfinite(self.x + self.y + self.cos + self.sin)


NOWHERE = Place(math.nan, math.nan, math.nan, math.nan)


def place_in_odom(state: RobotState) -> Place:
    """Where the robot is: while it stands the middle of its feet, while it walks the trunk, which moves evenly."""
    if state.standing:
        return feet_in_odom(state)
    x, y, yaw = (float(value) for value in state.heading_in_odom)
    return Place(x, y, math.cos(yaw), math.sin(yaw)) if math.isfinite(x + y + yaw) else NOWHERE


def feet_in_odom(state: RobotState) -> Place:
    """Where the base frame is, tilt left out."""
    pose = state.pose_base_in_odom
    cos, sin = float(pose[0, 0]), float(pose[1, 0])
    length = math.hypot(cos, sin)
    if not 0 < length < math.inf:
        return NOWHERE
    return Place(float(pose[0, 3]), float(pose[1, 3]), cos / length, sin / length)


def place_in_site(odom: Place, pose_odom_in_site: Array) -> Place:
    """The same place in the frame of the site map."""
    x, y, yaw = (float(value) for value in pose_odom_in_site)
    if not math.isfinite(x + y + yaw):
        return NOWHERE
    cos, sin = math.cos(yaw), math.sin(yaw)
    return Place(
        x + cos * odom.x - sin * odom.y,
        y + sin * odom.x + cos * odom.y,
        cos * odom.cos - sin * odom.sin,
        sin * odom.cos + cos * odom.sin,
    )
