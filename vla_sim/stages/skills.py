"""What the skills share: the arm's working state, the context of one tick, and how a skill ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vla_sim.catalogue import SHAPES
from vla_sim.spec import RobotSpec
from vla_sim.stages import anchoring, planar
from vla_sim.stages.ik import ArmIK
from vla_sim.stages.servo import ArmServo, ServoConfig
from vla_sim.stages.tracking import Estimate
from vla_sim.types import Array, Detection, Detections, Grasp, GraspRequest, ObjectQuery, RobotState


@dataclass(frozen=True)
class MotionConfig:
    """How the hands work. Lengths m, times s, speeds m/s."""

    servo: ServoConfig = field(default_factory=ServoConfig)
    max_attempts: int = 3
    look_s: float = 0.4  # of steady sight before the first move
    not_seen_s: float = 5.0
    hold_after_s: float = 3.0  # older sight than this is not acted on
    stale_after_s: float = 0.25  # older sight than this counts as stale
    standoff_m: float = 0.09
    descend_m_s: float = 0.20
    close_s: float = 0.45
    empty_m: float = 0.012  # finger position below which nothing is between the fingers
    lift_m: float = 0.12
    lift_hold_s: float = 1.5
    posture_rad_s: float = 1.2  # of each joint on the way to a posture
    staging_m: float = 0.45  # from a table's edge to the feet, where the robot looks before it steps up
    edge_m: float = 0.19  # from a table's edge to the feet at work
    hand_side_m: float = 0.25  # to the side of the middle is where a hand works best
    tray_x_m: float = 0.30  # ahead of the feet is where a tray is best
    step_back_m: float = 0.40


@dataclass(frozen=True)
class Tick:
    """What a skill sees in one control period."""

    now_s: float
    state: RobotState
    estimates: dict[str, Estimate | None]  # by the words of an `ObjectQuery`
    newest_in_odom: Detections | None = None

    @property
    def others(self) -> tuple[Detection, ...]:
        """Everything in the newest image, in base, to keep clear of."""
        if self.newest_in_odom is None:
            return ()
        here = planar.of_pose(self.state.pose_base_in_odom)
        return anchoring.detections_in_base(self.newest_in_odom, here).items


@dataclass(frozen=True)
class Outcome:
    """How a skill ended."""

    success: bool
    reason: str = ""


class Arms:
    """The targets of the whole upper body, and the servo of the arm at work."""

    def __init__(self, spec: RobotSpec, config: MotionConfig) -> None:
        self.spec, self.config = spec, config
        self.ik = ArmIK(spec)
        self.period_s = 1.0 / spec.control_rate_hz
        self._upper = spec.upper_index
        self.servo: ArmServo | None = None
        self.targets_rad = np.zeros(len(spec.joints))
        self.grips = np.ones(len(spec.hands))
        self.held_height_m = 0.0  # of the tool above the foot of what is held
        self.holding = False

    def reset(self, state: RobotState) -> None:
        """Start from where the robot is."""
        self.servo, self.holding = None, False
        self.targets_rad = state.commanded_rad.copy()
        self.grips = np.ones(len(self.spec.hands))

    def use(self, hand: str, state: RobotState) -> ArmServo:
        """The servo of `hand`, fresh when the hand changes."""
        if self.servo is None or self.servo.hand != hand:
            self.servo = ArmServo(hand, self.spec, self.ik, state, self.config.servo)
        return self.servo

    @property
    def hand_index(self) -> int:
        assert self.servo is not None
        return self.spec.hands.index(self.servo.hand)

    def approach(self, posture_rad: Array) -> bool:
        """One period of all upper joints towards a posture [n]; whether they are there."""
        off = posture_rad[self._upper] - self.targets_rad[self._upper]
        step = self.config.posture_rad_s * self.period_s
        self.targets_rad[self._upper] += np.clip(off, -step, step)
        return bool(np.abs(off).max() <= step)

    @property
    def tucked_rad(self) -> Array:
        """[n] the posture to walk in."""
        kinematics = self.spec.kinematics
        assert kinematics is not None
        return kinematics.ready_rad if kinematics.tucked_rad is None else kinematics.tucked_rad

    @property
    def ready_rad(self) -> Array:
        """[n] the posture to begin work in."""
        assert self.spec.kinematics is not None
        return self.spec.kinematics.ready_rad

    def begin_anew(self, state: RobotState) -> None:
        """Let the servo take the arm where a posture has brought it."""
        if self.servo is not None:
            self.servo = ArmServo(self.servo.hand, self.spec, self.ik, state, self.config.servo)

    def ready_tool(self, hand: str) -> tuple[Array, Array]:
        """Position [3] and rotation [3, 3] of a tool in base in the ready posture."""
        assert self.spec.kinematics is not None
        pose = self.ik.tool_in_base(hand, self.spec.kinematics.ready_rad)
        return pose.translation.copy(), pose.rotation.copy()

    def move_grip(self, goal: float) -> None:
        """One period towards an opening of `goal` (0 closed, 1 open) at the gripper's speed."""
        assert self.servo is not None and self.spec.kinematics is not None
        arm = self.spec.kinematics.arms[self.servo.hand]
        step = arm.closing_m_s / arm.opening_m * self.period_s
        i = self.hand_index
        self.grips[i] += float(np.clip(goal - self.grips[i], -step, step))

    def empty(self, state: RobotState) -> bool:
        """Whether the closed fingers met."""
        assert self.servo is not None and self.spec.kinematics is not None
        opening = self.spec.kinematics.arms[self.servo.hand].opening_m
        return bool(state.grips[self.hand_index] * opening / 2 < self.config.empty_m)


class Skill:
    """A state machine over phases. Subclasses implement one method a phase, `_<phase>(tick) -> next phase | None`."""

    first_phase = ""

    def __init__(self, arms: Arms) -> None:
        self.arms, self.config = arms, arms.config
        self.phase = self.first_phase
        self._since_s: float | None = None
        self.request: GraspRequest | None = None  # set when the skill wants a grasp planned
        self.grasp: Grasp | None = None
        self.outcome: Outcome | None = None
        self.attempts = 0

    def tick(self, tick: Tick) -> None:
        """One control period: moves the targets in `arms`, perhaps changes phase."""
        if self._since_s is None:
            self._since_s = tick.now_s
        following = getattr(self, f"_{self.phase}")(tick)
        if following is not None and following != self.phase:
            self.phase, self._since_s = following, tick.now_s

    def elapsed_s(self, tick: Tick) -> float:
        """Time in this phase."""
        return tick.now_s - (self._since_s or 0.0)

    @property
    def looks(self) -> bool:
        """Whether this phase has use for a camera."""
        return True

    @property
    def waits_for_sight(self) -> bool:
        """Whether this phase acts on what the camera says now (an occluded object is no reason to stop closing)."""
        return False

    def answer(self, grasp: Grasp) -> None:
        """The planner's answer to `request`."""
        self.request, self.grasp = None, grasp

    def end(self, success: bool, reason: str = "") -> None:
        """Finish with an outcome."""
        self.outcome = Outcome(success, reason)


RIM_POINTS = 24


def obstacles(seen: tuple[Detection, ...], *spared: ObjectQuery) -> Array:
    """[k, 4] discs (x, y, radius, top; m in base) of all that was seen but the objects named in `spared`."""
    discs: list[tuple[float, float, float, float]] = []
    for item in seen:
        if any(item.shape == query.shape and item.colour == query.colour for query in spared):
            continue
        x, y = float(item.position_in_base[0]), float(item.position_in_base[1])
        shape = SHAPES[item.shape]
        if shape.kind != "tray":
            radius = shape.width_m / 2 * (1.2 if shape.kind == "box" else 1.0)
            discs.append((x, y, shape.height_m / 2 if item.lying else radius, item.top_m))
            continue
        # A tray's rim counts, its inside does not: a row of small discs round it.
        for px, py in _rim(shape.width_m / 2, shape.depth_m / 2):
            cos, sin = np.cos(item.yaw_rad), np.sin(item.yaw_rad)
            discs.append((x + cos * px - sin * py, y + sin * px + cos * py, 0.01, item.top_m))
    return np.array(discs).reshape(-1, 4)


def _rim(half_x: float, half_y: float) -> list[tuple[float, float]]:
    along = np.linspace(-1, 1, RIM_POINTS // 4, endpoint=False)
    sides = ((along, -1.0), (along, 1.0))
    points = [(half_x * float(a), half_y * b) for row, b in sides for a in row]
    return points + [(half_x * b, half_y * float(a)) for row, b in sides for a in row]


def highest_on_way(discs: Array, start: Array, end: Array, width_m: float) -> float:
    """Height of the highest obstacle within `width_m` of the straight way between two points (x, y), m; 0 if none."""
    if not len(discs):
        return 0.0
    way = end[:2] - start[:2]
    length = max(float(way @ way), 1e-9)
    share = np.clip((discs[:, :2] - start[:2]) @ way / length, 0.0, 1.0)
    foot = start[:2] + share[:, None] * way
    gap = np.hypot(*(discs[:, :2] - foot).T) - discs[:, 2]
    return float(np.where(gap < width_m, discs[:, 3], 0.0).max())
