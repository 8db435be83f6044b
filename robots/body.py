"""What a world needs of a robot: a kind that describes it, and the body the kind puts on the world's floor."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from vla_sim.kinematics import BodyModel
from vla_sim.spec import RobotSpec
from vla_sim.types import Array, Command, RobotState


@dataclass(frozen=True)
class Start:
    """Where a body begins, in the world: feet's middle x m, y m, and heading yaw rad; its own noise from `seed`."""

    x: float = 0.0
    y: float = 0.0
    yaw_rad: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Actuation:
    """How far the motors are from what the model says. 1.0 and 0.0 are the model."""

    gain: float = 1.0  # factor on every position gain
    delay_s: float = 0.0  # from a target to the motor; rounded to physics steps


@dataclass(frozen=True)
class Hand:
    """Links of one hand that touch what it holds."""

    palm: str
    fingers: tuple[str, ...]


class Body(Protocol):
    """A robot in a PyBullet client. Everything it is told or tells is in its own frames; `*_in_world` is the truth."""

    id: int  # PyBullet body
    links: dict[str, int]  # PyBullet link index by name; the root is -1
    model: BodyModel
    hands: dict[str, Hand]

    def reset(self, start: Start) -> None:
        """Stand at `start` in the ready posture, at rest, grippers open."""

    def apply(self, command: Command) -> Command:
        """Take up a command for one control period; returns the command in force (the held one in HOLD mode)."""

    def before_step(self) -> None:
        """Called before each physics step: the robot's own fast control."""

    def state(self, time_s: float) -> RobotState:
        """What the robot knows of itself now; its pose is its own estimate."""

    def targets(self) -> list[float]:
        """What each motor is told to do at present, for a replay without control."""

    def drive(self, targets: list[float]) -> None:
        """Hand such targets to the motors until told otherwise."""

    def pose_camera_in_base(self, camera: str, joints_rad: Array) -> Array:
        """[4, 4] optical frame of one of the robot's cameras from joint angles [n], as the robot itself knows it."""

    def pose_camera_in_world(self, camera: str) -> Array:
        """[4, 4] optical frame of one of the robot's cameras in truth."""

    def link_poses_in_world(self, links: list[int]) -> Array:
        """[len(links), 4, 4] true frames of links (-1 = root)."""

    def pose_base_in_world(self) -> Array:
        """[4, 4] true base frame."""

    @property
    def fallen(self) -> bool:
        """Whether it lies on the floor, or is past saving."""


class BodyKind(Protocol):
    """A robot model before it stands anywhere. Made from configuration (`conf/robot`, top-level key `body`)."""

    @property
    def name(self) -> str:
        """As configuration calls it."""

    @property
    def looks(self) -> Path:
        """URDF with visuals."""

    def spec(self, control_rate_hz: float) -> RobotSpec:
        """What it promises to the stack; cameras are its own ones."""

    def build(self, client: int, spec: RobotSpec, physics_rate_hz: float, actuation: Actuation = Actuation()) -> Body:
        """Put one into a PyBullet client whose time step is 1 / `physics_rate_hz`; call `reset` next."""

    def reach_zone(self) -> ReachZone:
        """Where things must lie for its hands to reach them while it stands at a table."""


@dataclass(frozen=True)
class ReachZone:
    """A table as this robot needs it. Lengths m in the base frame."""

    table_top_m: float = 0.70
    table_edge_x: float = 0.19
    object_x: tuple[float, float] = (0.25, 0.39)
    object_y: tuple[float, float] = field(default=(0.18, 0.35))  # on either side of the middle
    eye_xz: tuple[float, float] = (0.06, 1.24)
