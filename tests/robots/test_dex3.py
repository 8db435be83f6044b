"""Dex3 on the G1: one grip and seven joints, the grasp point, the mass, and real grasps by friction alone."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pybullet as p
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robots.articulated import Articulated
from robots.body import Start
from robots.g1 import G1, model
from robots.g1.dex3 import LEFT_SIGN, LOWER_RAD, UPPER_RAD, Dex3
from robots.g1.urdf import SOURCE, g1_files
from robots.urdf_parts import example_robot_data
from vla_sim.catalogue import SHAPES
from vla_sim.kinematics import BodyModel
from vla_sim.spec import ArmSpec, RobotSpec
from vla_sim.stages.grasp import GraspConfig, GraspPlanner
from vla_sim.stages.motion import Motion
from vla_sim.stages.skills import MotionConfig, Tick
from vla_sim.stages.tracking import Estimate
from vla_sim.types import Array, Command, Detection, Grasp, GraspRequest, ObjectQuery, Plan, PlanStep

HAND, SPEC = Dex3(), G1("dex3").spec()
RATE_HZ, TABLE_M, TABLE_EDGE_X = 500.0, 0.70, 0.19
hands = st.sampled_from(model.HANDS)


@cache
def source() -> ET.Element:
    return ET.parse(example_robot_data(SOURCE, "g1") / "urdf/g1_29dof_with_hand_rev_1_0.urdf").getroot()


def source_limits(hand: str, key: str) -> Array:
    """[7] lower, upper or effort of the finger joints in the manufacturer's file."""
    limits = {j.get("name"): j.find("limit") for j in source().findall("joint")}
    found = [limits[name] for name in HAND.joints(hand)]
    return np.array([float(limit.get(key, "nan")) for limit in found if limit is not None])


def arm(hand: str, spec: RobotSpec = SPEC) -> ArmSpec:
    assert spec.kinematics is not None
    return spec.kinematics.arms[hand]


# -- one grip, seven joints -----------------------------------------------------------------------------------------
def test_joints_limits_and_efforts_are_the_manufacturers() -> None:
    names = [j.get("name", "") for j in source().findall("joint") if j.get("type") == "revolute"]
    assert [n for n in names if "_hand_" in n] == [n for hand in model.HANDS for n in HAND.joints(hand)]
    for hand in model.HANDS:
        ends = np.array([LOWER_RAD, UPPER_RAD]) * (LEFT_SIGN if hand == "left" else 1.0)
        assert source_limits(hand, "lower") == pytest.approx(ends.min(axis=0))
        assert source_limits(hand, "upper") == pytest.approx(ends.max(axis=0))
        assert np.all([HAND.efforts(hand)[n] for n in HAND.joints(hand)] <= source_limits(hand, "effort"))


@given(hands, st.floats(-0.5, 1.5))
def test_no_grip_bends_a_joint_past_its_limits(hand: str, grip: float) -> None:
    ends = np.array([LOWER_RAD, UPPER_RAD]) * (LEFT_SIGN if hand == "left" else 1.0)
    positions = HAND.positions(hand, grip)
    assert np.all(positions >= ends.min(axis=0))
    assert np.all(positions <= ends.max(axis=0))


@given(hands, st.floats(0, 1))
def test_the_measured_grip_is_the_commanded_one(hand: str, grip: float) -> None:
    assert HAND.grip(hand, HAND.positions(hand, grip)) == pytest.approx(grip, abs=1e-9)


def test_a_finger_that_passes_over_a_low_object_does_not_make_the_hand_look_empty() -> None:
    positions = HAND.positions("right", 0.7)
    positions[5:] = HAND.positions("right", 0.0)[5:]
    assert HAND.grip("right", positions) == pytest.approx(0.7)


@given(st.floats(0, 1))
def test_the_hands_are_mirror_images(grip: float) -> None:
    left, right = (fingertips(hand, grip) for hand in model.HANDS)
    assert left == pytest.approx(right * [1, -1, 1], abs=2e-3)


@cache
def with_fingers() -> BodyModel:
    fingers = tuple(name for hand in model.HANDS for name in HAND.joints(hand))
    return BodyModel(g1_files("dex3").kinematics, (*model.JOINT_NAMES, *fingers), model.FOOT_LINKS, model.SOLE_M)


def fingertips(hand: str, grip: float) -> Array:
    """[3, 3] thumb, middle and index fingertip in the base frame, both hands at `grip`, arms mirror images."""
    body = with_fingers()
    body.update(np.concatenate([model.ready_posture(), HAND.positions("left", grip), HAND.positions("right", grip)]))
    side = -1.0 if hand == "left" else 1.0
    ends = {"thumb_2": [0, side * 0.045, 0], "middle_1": [0.045, 0, 0], "index_1": [0.045, 0, 0]}
    frames = {name: body.pose_link_in_base(body.frame(f"{hand}_hand_{name}_link")) for name in ends}
    return np.array([frames[name].act(np.array(end, float)) for name, end in ends.items()])


# -- the grasp point ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("hand", model.HANDS)
def test_thumb_and_fingers_close_across_the_approach(hand: str) -> None:
    """The tool lies between them, and they come together along its y axis, which is level in a grasp."""
    side = 1.0 if hand == "right" else -1.0
    tips = {}
    for grip in (1.0, 0.0):
        points = fingertips(hand, grip)
        tool = with_fingers().pose_link_in_base(with_fingers().frame(f"{hand}_tool"))
        tips[grip] = np.array([tool.actInv(point) for point in points])
    widest = max(shape.width_m for shape in SHAPES.values() if shape.kind != "tray")
    assert side * tips[1.0][0, 1] > widest / 2
    assert side * tips[1.0][1:, 1].max() < -widest / 2
    across = [side * (tips[grip][0, 1] - tips[grip][1:, 1].mean()) for grip in (1.0, 0.0)]
    assert across[0] > arm(hand).opening_m
    assert across[1] < 0.03
    assert np.abs(tips[1.0][:, 1]).max() < arm(hand).half_width_m
    assert tips[1.0][:, 0].max() < arm(hand).tip_ahead_m


@pytest.mark.parametrize("hand", model.HANDS)
def test_palm_and_tool_frames_lie_to_each_other_as_on_the_gripper(hand: str) -> None:
    for name in ("gripper", "dex3"):
        body = BodyModel(g1_files(name).kinematics, model.JOINT_NAMES, model.FOOT_LINKS, model.SOLE_M)
        body.update(model.ready_posture())
        palm, tool = (body.pose_link_in_base(body.frame(f"{hand}_{part}")) for part in ("palm", "tool"))
        ahead = palm.actInv(tool)
        assert ahead.translation == pytest.approx([model.GRIPPER.tool_x, 0, 0], abs=1e-6)
        assert np.abs(ahead.rotation - np.eye(3)).max() < 1e-6


# -- the body -------------------------------------------------------------------------------------------------------
class Table:
    """The robot before a table, in a client of its own."""

    def __init__(self) -> None:
        self.client = p.connect(p.DIRECT)
        self.on = {"physicsClientId": self.client}
        p.setGravity(0, 0, -9.81, **self.on)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1 / RATE_HZ, numSolverIterations=50, deterministicOverlappingPairs=1, **self.on
        )
        floor = p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, **self.on), **self.on)
        p.changeDynamics(floor, -1, lateralFriction=0.9, **self.on)
        top = p.createCollisionShape(p.GEOM_BOX, halfExtents=[0.3, 0.6, 0.02], **self.on)
        p.createMultiBody(0, top, -1, [TABLE_EDGE_X + 0.3, 0, TABLE_M - 0.02], **self.on)
        self.body: Articulated = G1("dex3").build(self.client, SPEC, RATE_HZ)
        self.body.reset(Start())
        self.ticks = 0

    def put(self, name: str, x: float, y: float) -> int:
        shape = SHAPES[name]
        half, height = shape.width_m / 2, shape.height_m
        if shape.kind == "box":
            form = p.createCollisionShape(p.GEOM_BOX, halfExtents=[half, half, height / 2], **self.on)
        else:
            form = p.createCollisionShape(p.GEOM_CYLINDER, radius=half, height=height, **self.on)
        thing = p.createMultiBody(shape.mass_kg, form, -1, [x, y, TABLE_M + height / 2], **self.on)
        p.changeDynamics(thing, -1, lateralFriction=0.8, spinningFriction=0.005, **self.on)
        return int(thing)

    def step(self, command: Command) -> None:
        self.body.apply(command)
        for _ in range(5):
            self.body.before_step()
            p.stepSimulation(**self.on)
        self.ticks += 1

    def gap_m(self, hand: str, joints_rad: Array) -> float:
        """From the upper arm to the chest with the robot's joints at `joints_rad` [29], at most 0.1 m."""
        for motor, value in zip(self.body.motors, joints_rad, strict=False):
            p.resetJointState(self.body.id, motor, value, **self.on)
        links = (self.body.links[name] for name in (f"{hand}_shoulder_yaw_link", "torso_link"))
        near = p.getClosestPoints(self.body.id, self.body.id, 0.1, *links, **self.on)
        return min((point[8] for point in near), default=0.1)


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table()
    yield table
    p.disconnect(table.client)


def test_mass_is_that_of_the_manufacturers_model_with_hands(table: Table) -> None:
    theirs = sum(float(m.get("value", 0)) for link in source().findall("link") for m in link.iter("mass"))
    count = p.getNumJoints(table.body.id, **table.on)
    ours = sum(p.getDynamicsInfo(table.body.id, i, **table.on)[0] for i in range(-1, count))
    assert ours == pytest.approx(theirs, abs=0.01)


def test_a_hand_that_turns_outwards_keeps_its_arm_off_the_chest(table: Table) -> None:
    """A cube that stands askew: with the whole range of the shoulder the arm would go into the chest."""
    assert SPEC.kinematics is not None
    whole = {hand: replace(own, working_rad=()) for hand, own in SPEC.kinematics.arms.items()}
    anyhow = replace(SPEC, kinematics=replace(SPEC.kinematics, arms=whole))
    gaps = [table.gap_m("left", cube_posture(spec)) for spec in (anyhow, SPEC)]
    assert gaps[0] < 0 < 0.01 < gaps[1]


def test_it_can_set_down_before_the_middle_of_the_robot() -> None:
    for hand, side in (("left", 1.0), ("right", -1.0)):
        spot = np.array([0.30, side * 0.03, TABLE_M + 0.09])
        assert plan(SPEC, hand, spot, (0.25 * side, 0.0, -0.25 * side)).error_m < 0.006


def cube_posture(spec: RobotSpec) -> Array:
    return plan(spec, "left", np.array([0.25, 0.22, TABLE_M + 0.033]), (0.6,)).posture_rad


def plan(spec: RobotSpec, hand: str, point: Array, yaws_rad: tuple[float, ...]) -> Grasp:
    assert spec.kinematics is not None
    ready = spec.kinematics.ready_rad
    request = GraspRequest(hand, point, yaws_rad, 0.12, ready, TABLE_M, np.zeros((0, 4)))
    return GraspPlanner(spec)(request)


def test_an_empty_hand_closes_until_it_is_known_to_be_empty(table: Table) -> None:
    ready = model.ready_posture()[12:]
    for _ in range(70):
        table.step(Command(ready, np.array([0.0, 1.0])))
    closed, opened = table.body.state(0.7).grips
    assert closed * arm("left").opening_m / 2 < MotionConfig().empty_m
    assert opened == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("name", "x", "y"), [("cube", 0.31, 0.22), ("bottle", 0.33, -0.28)])
def test_it_takes_an_object_by_friction_alone(table: Table, name: str, x: float, y: float) -> None:
    thing = table.put(name, x, y)
    assert take(table, ObjectQuery(name, "red"), thing) == 1
    lifted = p.getBasePositionAndOrientation(thing, **table.on)[0][2] - SHAPES[name].height_m / 2 - TABLE_M
    assert lifted > 0.08
    touching = {contact[3] for contact in p.getContactPoints(table.body.id, thing, **table.on)}
    hand = table.body.hands["left" if y > 0 else "right"]
    assert len(touching & {table.body.links[link] for link in (hand.palm, *hand.fingers)}) >= 2
    assert p.getNumConstraints(**table.on) == 0


def take(table: Table, query: ObjectQuery, thing: int) -> int:
    """The stack's own hands, guided by the truth; then half a second of holding. Returns the attempts."""
    motion, planner, shape = Motion(SPEC), GraspPlanner(SPEC, GraspConfig()), SHAPES[query.shape]
    motion.reset(table.body.state(0.0))
    motion.start(Plan((PlanStep("perceive", "locate", query), PlanStep("manipulate", "pick", query))))
    while motion.outcome is None and table.ticks < 1000:
        now_s = table.ticks / 100
        place = np.array(p.getBasePositionAndOrientation(thing, **table.on)[0])
        pose = np.linalg.inv(table.body.pose_base_in_world())
        place = pose[:3, :3] @ place + pose[:3, 3]
        seen = Detection(query.shape, "red", place, 0.0, float(place[2]) + shape.height_m / 2, 1.0, 1.0)
        estimate = Estimate(seen, place, np.zeros(3), now_s, 0.0, moving=False, speed_m_s=0.0)
        motion.tick(Tick(now_s, table.body.state(now_s), {str(query): estimate}))
        if motion.request is not None:
            motion.answer(planner(motion.request))
        table.step(motion.command())
    assert motion.outcome is not None
    assert motion.outcome.success, motion.outcome.reason
    for _ in range(50):
        table.step(motion.command())
    return motion.attempts
