"""From plans to skills: what comes in which order, and where the robot stands for it."""

from dataclasses import replace

import numpy as np
import pytest

from robots.g1.kind import g1_spec
from vla_sim.errors import Refused
from vla_sim.stages import mission
from vla_sim.stages.going import GoTo, staging
from vla_sim.stages.skills import Arms, MotionConfig
from vla_sim.stages.walking import Walk
from vla_sim.types import ObjectQuery, Plan, PlanStep, Region, RobotState, SiteMap, Surface

KITCHEN_TABLE = Surface("kitchen table", "kitchen", np.array([5.0, 2.0, np.pi / 2]), np.array([0.6, 1.4]), 0.7)
SITE = SiteMap(
    regions=(
        Region("kitchen", "room", np.array([[3, 0], [7, 0], [7, 4], [3, 4]], dtype=float)),
        Region("hall", "room", np.array([[-1, -1], [3, -1], [3, 1], [-1, 1]], dtype=float)),
    ),
    surfaces=(KITCHEN_TABLE,),
)
CUP, TRAY = ObjectQuery("mug", "red"), ObjectQuery("tray", "blue")
SPEC = g1_spec()


def walk() -> Walk:
    n = len(SPEC.joints)
    made = Walk(SPEC)
    made.reset(RobotState(0.0, np.zeros(n), np.zeros(n), np.ones(2), np.zeros(n)), SITE)
    return made


def skills(*steps: PlanStep) -> list[str]:
    made = mission.compile(Plan(steps), Arms(SPEC, MotionConfig()), walk())
    return [type(make()).__name__ for make in made.skills]


GO, TAKE, PUT = PlanStep("navigate", "go_to", place="kitchen"), PlanStep("manipulate", "pick", CUP), PlanStep(
    "manipulate", "place", TRAY
)  # fmt: skip
LOCATE = PlanStep("perceive", "locate", CUP)


def test_at_the_table_there_is_nothing_to_walk() -> None:
    assert skills(LOCATE, TAKE, PUT) == ["Pick", "Place"]


def test_across_rooms_it_steps_up_carries_and_steps_back() -> None:
    there_and_back = (GO, LOCATE, TAKE, PlanStep("navigate", "go_to", place="start"), LOCATE, PUT)
    assert skills(*there_and_back) == [
        "GoTo", "StepUp", "Pick", "Carry", "StepBack", "GoTo", "StepUp", "Place",
    ]  # fmt: skip


def test_handing_over_is_placing_in_the_tray_a_person_holds() -> None:
    made = mission.compile(
        Plan((GO, TAKE, PlanStep("navigate", "go_to", place="person"), PlanStep("manipulate", "hand_over"))),
        Arms(SPEC, MotionConfig()), walk(),
    )  # fmt: skip
    assert [type(make()).__name__ for make in made.skills][-2:] == ["StepUp", "Place"]
    assert ObjectQuery("tray") in made.queries


def test_following_and_touching() -> None:
    assert skills(PlanStep("navigate", "follow")) == ["Follow"]
    assert skills(PlanStep("manipulate", "reach", CUP)) == ["Reach"]


def test_a_room_with_a_table_means_the_place_before_it() -> None:
    made = mission.compile(Plan((GO,)), Arms(SPEC, MotionConfig()), walk())
    first = made.skills[0]()
    assert isinstance(first, GoTo)
    goal = first.goal_in_site
    np.testing.assert_allclose(goal, staging(KITCHEN_TABLE, MotionConfig().staging_m))
    np.testing.assert_allclose(goal, [5.0, 2.0 - 0.3 - MotionConfig().staging_m, np.pi / 2], atol=1e-9)


def test_a_room_without_a_table_means_its_middle() -> None:
    made = mission.compile(Plan((PlanStep("navigate", "go_to", place="hall"),)), Arms(SPEC, MotionConfig()), walk())
    first = made.skills[0]()
    assert isinstance(first, GoTo)
    np.testing.assert_allclose(first.goal_in_site[:2], [1.0, 0.0])


def test_a_robot_without_legs_that_walk_refuses() -> None:
    still = Walk(replace(SPEC, base_velocity_max=(0.0, 0.0, 0.0)))
    with pytest.raises(Refused, match="cannot walk"):
        mission.compile(Plan((GO,)), Arms(SPEC, MotionConfig()), still)
