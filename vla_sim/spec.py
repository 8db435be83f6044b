"""What each side of a seam promises. A mismatch is an error at start-up, never a warning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_sim.errors import SpecMismatch
from vla_sim.types import Array, Command, Intrinsics


@dataclass(frozen=True)
class CameraSpec:
    """A camera the robot can be asked for."""

    name: str
    intrinsics: Intrinsics
    depth: bool
    link: str | None  # link it is fixed to; None = fixed in the room


@dataclass(frozen=True)
class LidarSpec:
    """A turning range finder."""

    link: str
    azimuths: int  # rays a ring in a whole turn
    elevations_rad: tuple[float, ...]  # of the rings, positive upwards
    range_m: float
    rate_hz: float  # at which parts of a turn come in
    parts: int = 1  # of a turn: part k holds every `parts`-th azimuth, from the k-th on


@dataclass(frozen=True)
class ArmSpec:
    """One arm with its hand, as inverse kinematics needs it."""

    tool_link: str  # frame whose x axis is the approach direction and whose origin is the grasp point
    joints: tuple[str, ...]  # shoulder to wrist
    opening_m: float  # between the fingers when fully open
    closing_m_s: float  # speed at which the opening may change
    half_width_m: float = 0.065  # of the open hand
    tip_ahead_m: float = 0.02  # of the fingertips, from the tool
    tip_below_m: float = 0.021  # of the fingertips' underside, from the tool, as the hand comes in
    length_m: float = 0.30  # of hand and forearm behind the tool that can touch something
    working_rad: tuple[tuple[str, float, float], ...] = ()  # joint, least, most: narrower limits for reaching


@dataclass(frozen=True)
class LinkCapsule:
    """A part of the body for distances between links: all points within `radius_m` of a segment fixed to a link."""

    link: str
    start_m: tuple[float, float, float]  # in the frame of the link
    end_m: tuple[float, float, float]
    radius_m: float


@dataclass(frozen=True)
class HandSpace:
    """Where the hands of a robot that stands at a table work. Lengths m in the base frame; y to the hand's own side."""

    reach_y_m: float = 0.31  # an object coming closer is reachable from here on
    intercept_y_m: float = 0.12  # where a moving object is best taken
    wait_xy_m: tuple[float, float] = (0.19, 0.12)  # where the hand waits for it, out of the camera's line to it
    aside_xy_m: tuple[float, float] = (0.17, 0.20)  # where the hand goes first when it has let go
    hover_m: float = 0.20  # of the tool above the support while it waits there or goes there
    cross_m: float = 0.21  # of the tool above the support while it crosses the table
    carry_m: float = 0.14  # the same with something in the hand


@dataclass(frozen=True)
class KinematicsSpec:
    """Where the base frame lies on the body, and which joints help the arms."""

    urdf: Path
    foot_links: tuple[str, str]  # left, right ankle frames
    sole_m: float  # height of the ankle frame above the sole
    waist_joints: tuple[str, ...]  # may be moved to extend the reach
    waist_lower_rad: tuple[float, ...]
    waist_upper_rad: tuple[float, ...]
    arms: dict[str, ArmSpec]  # keyed by hand
    ready_rad: Array  # [n] posture to wait in at a table, all joints
    tucked_rad: Array | None = None  # [n] posture to walk in, narrow enough for a door; None = the one to wait in
    capsules: tuple[LinkCapsule, ...] = ()  # the body without feet and shins, for self-collision; empty = not checked
    space: HandSpace = HandSpace()


@dataclass(frozen=True)
class RobotSpec:
    """A robot as the stack sees it: names, order, limits. Angles rad, lengths m, rates Hz."""

    name: str
    control_rate_hz: float
    joints: tuple[str, ...]  # every joint, in the order of `RobotState.joints_rad`
    upper_joints: tuple[str, ...]  # the ones a `Command` drives
    hands: tuple[str, ...]  # order of `Command.grips`
    lower_rad: Array  # [n_upper]
    upper_rad: Array  # [n_upper]
    velocity_rad_s: Array  # [n_upper]
    cameras: dict[str, CameraSpec]
    kinematics: KinematicsSpec | None = None  # for the stack's own forward and inverse kinematics
    base_velocity_max: tuple[float, float, float] = (0.0, 0.0, 0.0)  # m/s, m/s, rad/s; zeros = it stands
    lidar: LidarSpec | None = None
    payload_kg: float = 1.0  # heaviest object a hand may be asked to carry

    @property
    def upper_index(self) -> Array:
        """[n_upper] position of each upper joint among `joints`."""
        return np.array([self.joints.index(name) for name in self.upper_joints], dtype=np.intp)

    def check(self, command: Command) -> None:
        """Raise `SpecMismatch` when a command has the wrong shape (values are the safety stage's business)."""
        for seam, got, want in (
            ("command.joints_rad", command.joints_rad.shape, (len(self.upper_joints),)),
            ("command.grips", command.grips.shape, (len(self.hands),)),
            ("command.base_velocity", command.base_velocity.shape, (3,)),
        ):
            if got != want:
                raise SpecMismatch(seam, want, got)
