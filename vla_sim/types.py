"""What flows through the stack: frozen dataclasses with units and frames in their names.

Frames of reference
    `base`    the point on the floor midway between the ankles, x forward, y left, z up.
    `camera`  optical frame: x right, y down, z forward.
    `odom`    fixed on the floor; where the robot believes to be in it drifts. It starts as the frame of the `SiteMap`.
Poses are 4x4 homogeneous matrices `pose_<what>_in_<frame>`; quaternions are `quat_xyzw`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Mode(Enum):
    """What the embodiment does with a command."""

    TRACK = 0  # follow the targets
    HOLD = 1  # keep the pose it has; targets are ignored
    DAMP = 2  # give way softly; targets are ignored


@dataclass(frozen=True, slots=True)
class Command:
    """One control period's order to the robot."""

    joints_rad: Array  # [n_upper] upper-body targets, in the order of `RobotSpec.upper_joints`
    grips: Array  # [n_hands] 0 = closed, 1 = open, in the order of `RobotSpec.hands`
    base_velocity: Array = field(default_factory=lambda: np.zeros(3))  # [3] vx m/s, vy m/s, wz rad/s
    mode: Mode = Mode.TRACK


@dataclass(frozen=True, slots=True)
class RobotState:
    """Proprioception at one instant."""

    time_s: float
    joints_rad: Array  # [n] measured, in the order of `RobotSpec.joints`
    joints_rad_s: Array  # [n]
    grips: Array  # [n_hands] 0 = closed, 1 = open, measured
    commanded_rad: Array  # [n] what the robot's own control is tracking, legs included
    pose_base_in_odom: Array = field(default_factory=lambda: np.eye(4))  # [4, 4] estimated; jumps with each step
    heading_in_odom: Array = field(default_factory=lambda: np.zeros(3))  # [3] x m, y m, yaw rad of the trunk; smooth
    base_velocity: Array = field(default_factory=lambda: np.zeros(3))  # [3] vx m/s, vy m/s, wz rad/s, estimated
    standing: bool = True  # both feet on the floor and no step under way
    support_margin_m: float | None = None  # capture point inside the support area, negative = outside; None = unknown


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """Pinhole camera. Pixel (u, v) = (column, row) has its centre at (u + 0.5, v + 0.5)."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def from_fov(cls, width: int, height: int, fov_y_rad: float) -> Intrinsics:
        """Square pixels, principal point in the middle; `fov_y_rad` is the vertical field of view, rad."""
        focal = 0.5 * height / math.tan(0.5 * fov_y_rad)
        return cls(width, height, focal, focal, 0.5 * width, 0.5 * height)


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera image. `time_s` is when the light fell, not when it arrived."""

    camera: str
    time_s: float
    rgb: NDArray[np.uint8]  # [H, W, 3]
    intrinsics: Intrinsics
    pose_camera_in_base: Array  # [4, 4] from the robot's own kinematics at `time_s`
    depth_m: NDArray[np.float32] | None = None  # [H, W] along the optical axis, inf where nothing was hit
    segmentation: NDArray[np.int32] | None = None  # [H, W] simulator labels; never shown to the stack
    pose_base_in_odom: Array = field(default_factory=lambda: np.eye(4))  # [4, 4] of the robot at `time_s`


@dataclass(frozen=True, slots=True)
class Scan:
    """One turn of a lidar. Points lie where rays ended: on something, or at full range in the air."""

    time_s: float
    points_in_base: NDArray[np.float32]  # [n, 3] m
    hit: NDArray[np.bool_]  # [n] false where the ray met nothing
    origin_in_base: Array  # [3] m, of all rays
    pose_base_in_odom: Array  # [4, 4] of the robot at `time_s`


@dataclass(frozen=True, slots=True)
class Observation:
    """What the robot perceives at one instant: its state, and the images and scans that were asked for."""

    state: RobotState
    frames: dict[str, Frame] = field(default_factory=dict)
    scan: Scan | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A named part of the floor. `corners` go round it, in the frame of the site."""

    name: str  # as people call it: kitchen, living room, stove
    kind: str  # room | forbidden | hot
    corners: Array  # [k, 2] m


@dataclass(frozen=True, slots=True)
class Surface:
    """A table or counter to stand at: a rectangle whose front is its -x side, in the frame of the site."""

    name: str  # as people call it: kitchen table
    room: str  # the region it stands in; empty when there are no rooms
    pose: Array  # [3] x m, y m of its middle, yaw rad
    size_m: Array  # [2] along its own x and y
    height_m: float


@dataclass(frozen=True, slots=True)
class SiteMap:
    """What the operator has told the robot about the place: a floor plan with names, no movable things."""

    walls: Array = field(default_factory=lambda: np.zeros((0, 4)))  # [k, 4] segments x0, y0, x1, y1, m
    regions: tuple[Region, ...] = ()
    surfaces: tuple[Surface, ...] = ()


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the user said."""

    text: str


@dataclass(frozen=True, slots=True)
class ObjectQuery:
    """An object as words describe it. `colour` None = any."""

    shape: str  # a key of `vla_sim.catalogue.SHAPES`
    colour: str | None = None  # a key of `vla_sim.catalogue.COLOURS`

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}" if self.colour else self.shape


@dataclass(frozen=True, slots=True)
class Intent:
    """What the user wants."""

    verb: str  # pick | place | reach | go | fetch | follow | stop
    target: ObjectQuery | None = None
    destination: ObjectQuery | None = None  # of the object: a tray
    confidence: float = 1.0  # 0-1
    place: str = ""  # a room or surface to go to, or where the object is: "kitchen"; empty = here
    deliver_to: str = ""  # fetch: a room or surface, "person" (hand it over), "start" (where the robot stood); or empty


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of a plan. Kinds and their fields are in `vla_sim.stages.planner.SCHEMA`."""

    kind: str  # navigate | perceive | manipulate | communicate
    action: str  # go_to | follow | locate | pick | place | hand_over | reach | stop | say
    target: ObjectQuery | None = None
    text: str = ""
    place: str = ""  # of go_to: a room or surface of the site map, "person" or "start"


@dataclass(frozen=True, slots=True)
class Plan:
    """An ordered list of steps."""

    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """One object seen in one frame."""

    shape: str
    colour: str
    position_in_base: Array  # [3] m, centre of the body
    yaw_rad: float  # about z of base; 0 for round objects; a cube's is in (-pi/4, pi/4]
    top_m: float  # height of its highest surface above the floor
    confidence: float  # 0-1
    visible: float  # 0-1, share of the expected area that was seen
    lying: bool = False  # on its side
    bbox_px: tuple[int, int, int, int] = (0, 0, 0, 0)  # u0, v0, width, height


@dataclass(frozen=True, slots=True)
class Detections:
    """All objects seen in one frame, best first."""

    time_s: float  # when the image was taken
    items: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class GraspRequest:
    """Where a hand should close (or open), from where it may come, and the posture the search starts from."""

    hand: str  # left | right
    point_in_base: Array  # [3] m, of the tool
    yaws_rad: tuple[float, ...]  # allowed directions of approach about z of base, preferred first
    lift_m: float  # free way needed straight up afterwards
    joints_rad: Array  # [n] all joints of the robot
    support_m: float  # height of what the object stands on
    obstacles: Array  # [k, 4] upright discs the hand must not touch: x, y, radius, height of the top, m in base
    tried_rad: tuple[float, ...] = ()  # directions that did not work before


@dataclass(frozen=True, slots=True)
class Grasp:
    """How to take an object: which hand, from where, in which posture."""

    hand: str  # left | right
    yaw_rad: float  # direction of approach about z of base
    rotation_in_base: Array  # [3, 3] of the tool frame; its x axis is the approach direction
    posture_rad: Array  # [n] joints of the whole robot at the grasp
    error_m: float  # residual of the inverse kinematics over the whole motion


@dataclass(frozen=True, slots=True)
class NavigationRequest:
    """Where to walk, and what was seen of the way."""

    scan: Scan
    heading_in_odom: Array  # [3] x, y, yaw of the robot now
    velocity: Array  # [3] vx, vy, wz now
    goal_in_site: Array  # [3] x, y, yaw; ignored by "follow", which keeps a distance to a person
    mode: str = "go_to"  # go_to | dock (walk right up to it, in small steps, to the exact pose) | follow
    person_hint_in_site: Array | None = None  # [2] where the person was last, for "follow"


@dataclass(frozen=True, slots=True)
class NavigationAnswer:
    """How to walk until the next answer."""

    time_s: float  # of the scan it was made from
    velocity: Array  # [3] vx m/s, vy m/s, wz rad/s in the robot's heading
    status: str  # moving | arrived | blocked (waiting for the way to clear) | no_way | lost (nobody to follow)
    route_in_site: Array  # [k, 2] m, the way ahead
    pose_odom_in_site: Array  # [3] x, y, yaw: where odometry's frame lies by what was recognised of the walls
    clearance_m: float  # from the robot's outline to the nearest thing
    person_in_site: Array | None = None  # [2] m, of the person followed
    people_in_site: Array = field(default_factory=lambda: np.zeros((0, 4)))  # [k, 4] x, y m, vx, vy m/s of who walks


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an episode ended, said by the world or by the robot itself."""

    success: bool
    reason: str  # snake case: placed, lifted, robot_fell, object_fell, out_of_reach, time_out, refused, ...
