"""Dex3 on the G1: one grip and seven joints, the grasp point, the mass, and real grasps by friction alone."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robots.articulated import Articulated
from robots.body import Start
from robots.g1 import G1, model
from robots.g1.dex3 import JOINTS, LEFT_SIGN, LOWER_RAD, UPPER_RAD, Dex3
from robots.g1.urdf import SOURCE, g1_files
from robots.urdf_parts import example_robot_data
from vla_sim.catalogue import SHAPES
from vla_sim.kinematics import BodyModel
from vla_sim.stages.grasp import GraspConfig, GraspPlanner
from vla_sim.stages.motion import Motion
from vla_sim.stages.skills import MotionConfig, Tick
from vla_sim.stages.tracking import Estimate
from vla_sim.types import Array, Command, Detection, ObjectQuery, Plan, PlanStep

HAND = Dex3()
SPEC = G1("dex3").spec()
RATE_HZ, TABLE_M, TABLE_EDGE_X = 500.0, 0.70, 0.19
hands = st.sampled_from(model.HANDS)


def source() -> ET.Element:
    return ET.parse(example_robot_data(SOURCE, "g1") / "urdf/g1_29dof_with_hand_rev_1_0.urdf").getroot()


# -- one grip, seven joints -----------------------------------------------------------------------------------------
@given(hands, st.floats(-0.5, 1.5))
def test_no_grip_bends_a_joint_past_the_manufacturers_limits(hand: str, grip: float) -> None:
    limits = {j.get("name"): j.find("limit") for j in source().findall("joint")} if not LIMITS else LIMITS
    LIMITS.update(limits)
    for name, value in zip(HAND.joints(hand), HAND.positions(hand, grip), strict=True):
        limit = limits[name]
        assert limit is not None
        assert float(limit.get("lower", "nan")) <= value <= float(limit.get("upper", "nan"))


LIMITS: dict[str | None, ET.Element | None] = {}


def test_limits_and_efforts_are_the_manufacturers() -> None:
    for hand in model.HANDS:
        found = {j.get("name"): j.find("limit") for j in source().findall("joint")}
        limits = [found[name] for name in HAND.joints(hand)]
        lower, upper, effort = (
            np.array([float(limit.get(key, "nan")) for limit in limits if limit is not None])
            for key in ("lower", "upper", "effort")
        )
        ends = np.array([LOWER_RAD, UPPER_RAD]) * (LEFT_SIGN if hand == "left" else 1.0)
        assert lower == pytest.approx(ends.min(axis=0))
        assert upper == pytest.approx(ends.max(axis=0))
        assert all(HAND.efforts(hand)[name] <= most for name, most in zip(HAND.joints(hand), effort, strict=True))


@given(hands, st.floats(0, 1))
def test_the_measured_grip_is_the_commanded_one(hand: str, grip: float) -> None:
    assert HAND.grip(hand, HAND.positions(hand, grip)) == pytest.approx(grip, abs=1e-9)


@given(st.floats(0, 1))
def test_the_hands_are_mirror_images(grip: float) -> None:
    """Fingertips of the left hand lie where a mirror at the robot's middle shows those of the right."""
    tips = {hand: fingertips(hand, grip) for hand in model.HANDS}
    assert tips["left"] == pytest.approx(tips["right"] * [1, -1, 1], abs=2e-3)


def fingertips(hand: str, grip: float) -> Array:
    """[3, 3] thumb, middle and index fingertip in the base frame, arms in a symmetrical posture."""
    finger_joints = tuple(name for side in model.HANDS for name in HAND.joints(side))
    key = "tips"
    if key not in MODELS:
        MODELS[key] = BodyModel(
            g1_files("dex3").kinematics, (*model.JOINT_NAMES, *finger_joints), model.FOOT_LINKS, model.SOLE_M
        )
    body = MODELS[key]
    body.update(np.concatenate([model.ready_posture(), HAND.positions("left", grip), HAND.positions("right", grip)]))
    links = [f"{hand}_hand_{name}_link" for name in ("thumb_2", "middle_1", "index_1")]
    side = -1.0 if hand == "left" else 1.0
    ends = np.array([[0, side * 0.045, 0], [0.045, 0, 0], [0.045, 0, 0]])  # along the last joint's link
    return np.array(
        [body.pose_link_in_base(body.frame(link)).act(end) for link, end in zip(links, ends, strict=True)]
    )


MODELS: dict[str, BodyModel] = {}


# -- the grasp point ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("hand", model.HANDS)
def test_fingers_and_thumb_close_across_the_approach(hand: str) -> None:
    """The tool lies between thumb and fingers, which come together along its y axis, level when x points down ahead."""
    body = BodyModel(g1_files("dex3").kinematics, model.JOINT_NAMES, model.FOOT_LINKS, model.SOLE_M)
    body.update(model.ready_posture())
    tool = body.pose_link_in_base(body.frame(f"{hand}_tool"))
    opened, closed = (np.array([tool.actInv(tip) for tip in fingertips(hand, grip)]) for grip in (1.0, 0.0))
    side = 1.0 if hand == "right" else -1.0
    gap = [side * (tips[0, 1] - tips[1:, 1].mean()) for tips in (opened, closed)]
    assert gap[0] > SPEC.kinematics.arms[hand].opening_m  # type: ignore[union-attr]
    assert gap[1] < 0.03
    assert side * opened[0, 1] > 0.034 > -0.034 > side * opened[1:, 1].max()  # a mug fits on either side
    assert np.all(np.abs(closed[:, 1]) < 0.05)


@pytest.mark.parametrize("hand", model.HANDS)
def test_palm_and_tool_frames_lie_as_on_the_gripper(hand: str) -> None:
    for name in ("gripper", "dex3"):
        body = BodyModel(g1_files(name).kinematics, model.JOINT_NAMES, model.FOOT_LINKS, model.SOLE_M)
        body.update(model.ready_posture())
        palm, tool = (body.pose_link_in_base(body.frame(f"{hand}_{part}")) for part in ("palm", "tool"))
        ahead = palm.actInv(tool)
        assert ahead.translation == pytest.approx([model.GRIPPER.tool_x, 0, 0], abs=1e-6)
        assert np.abs(ahead.rotation - np.eye(3)).max() < 1e-6


# -- the body -------------------------------------------------------------------------------------------------------
class Table:
    """The robot before a table with one object on it, in a client of its own."""

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


def test_an_empty_hand_closes_until_it_is_known_to_be_empty(table: Table) -> None:
    ready = model.ready_posture()[12:]
    for _ in range(100):
        table.step(Command(ready, np.array([0.0, 1.0])))
    closed, opened = table.body.state(1.0).grips
    assert SPEC.kinematics is not None
    assert closed * SPEC.kinematics.arms["left"].opening_m / 2 < MotionConfig().empty_m
    assert opened == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("name", "x", "y"), [("cube", 0.31, 0.22), ("bottle", 0.33, -0.28)])
def test_it_takes_an_object_by_friction_alone(table: Table, name: str, x: float, y: float) -> None:
    thing = table.put(name, x, y)
    before = p.getNumConstraints(**table.on)
    take(table, ObjectQuery(name, "red"), thing)
    lifted = p.getBasePositionAndOrientation(thing, **table.on)[0][2] - SHAPES[name].height_m / 2 - TABLE_M
    assert lifted > 0.08
    touching = {contact[3] for contact in p.getContactPoints(table.body.id, thing, **table.on)}
    hand = table.body.hands["left" if y > 0 else "right"]
    assert len(touching & {table.body.links[link] for link in (hand.palm, *hand.fingers)}) >= 2
    assert p.getNumConstraints(**table.on) == before == 0


def take(table: Table, query: ObjectQuery, thing: int) -> None:
    """The stack's own hands, guided by the truth; then a second of holding."""
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
    for _ in range(100):
        table.step(motion.command())


def test_joints_are_named_as_the_manufacturer_does() -> None:
    names = [j.get("name", "") for j in source().findall("joint") if j.get("type") == "revolute"]
    assert [n for n in names if "_hand_" in n] == [n for hand in model.HANDS for n in HAND.joints(hand)]
    assert len(JOINTS) == 7
