"""Plans: what the rules make, and what is wrong with plans from elsewhere."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.errors import PlanInvalid, Refused
from vla_sim.stages.planner import MAX_STEPS, MAX_TEXT, RulePlanner, from_dict, to_dict, validate
from vla_sim.stages.schema import SchemaViolation, check
from vla_sim.types import Intent, ObjectQuery, Plan, PlanStep

CUBE, MUG, TRAY = ObjectQuery("cube", "red"), ObjectQuery("mug"), ObjectQuery("tray", "blue")
LOCATE, PICK = PlanStep("perceive", "locate", CUBE), PlanStep("manipulate", "pick", CUBE)
LOCATE_TRAY, PLACE = PlanStep("perceive", "locate", TRAY), PlanStep("manipulate", "place", TRAY)
STOP, SAY = PlanStep("manipulate", "stop"), PlanStep("communicate", "say", text="done")
REACH, HAND_OVER = PlanStep("manipulate", "reach", CUBE), PlanStep("manipulate", "hand_over")
FOLLOW = PlanStep("navigate", "follow")
KITCHEN, LOUNGE, PERSON, START = (
    PlanStep("navigate", "go_to", place=place) for place in ("kitchen", "living room", "person", "start")
)

colours = st.sampled_from([None, *COLOURS])
targets = st.builds(ObjectQuery, st.sampled_from(GRASPABLE), colours)
trays = st.builds(ObjectQuery, st.just("tray"), colours)
rooms = st.sampled_from(["kitchen", "kitchen table", "living room", "person", "start"])
nowhere_or = st.just("") | rooms
intents = st.one_of(
    st.just(Intent("stop")),
    st.just(Intent("follow")),
    st.builds(Intent, st.just("pick"), targets),
    st.builds(Intent, st.just("place"), targets, trays),
    st.builds(Intent, st.just("reach"), targets, place=nowhere_or),
    st.builds(Intent, st.just("go"), place=rooms),
    st.builds(Intent, st.just("fetch"), targets, place=nowhere_or, deliver_to=nowhere_or),
    st.builds(Intent, st.just("fetch"), targets, trays, place=nowhere_or, deliver_to=nowhere_or).filter(
        lambda intent: intent.deliver_to != "person"
    ),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


# The planner


def test_plans_by_rule() -> None:
    planner = RulePlanner()
    assert planner(Intent("pick", CUBE)).steps == (LOCATE, PICK, SAY)
    assert planner(Intent("place", CUBE, TRAY)).steps == (LOCATE, PICK, LOCATE_TRAY, PLACE, SAY)
    assert planner(Intent("stop")).steps == (STOP,)


@pytest.mark.parametrize(
    ("intent", "steps"),
    [
        (Intent("go", place="kitchen"), (KITCHEN, SAY)),
        (Intent("follow"), (FOLLOW,)),
        (Intent("reach", CUBE), (LOCATE, REACH, SAY)),
        (Intent("reach", CUBE, place="kitchen"), (KITCHEN, LOCATE, REACH, SAY)),
        (Intent("fetch", CUBE, place="kitchen"), (KITCHEN, LOCATE, PICK, SAY)),
        (Intent("fetch", CUBE, place="kitchen", deliver_to="start"), (KITCHEN, LOCATE, PICK, START, SAY)),
        (
            Intent("fetch", CUBE, place="kitchen", deliver_to="person"),
            (KITCHEN, LOCATE, PICK, PERSON, HAND_OVER, SAY),
        ),
        (Intent("fetch", CUBE, deliver_to="person"), (LOCATE, PICK, PERSON, HAND_OVER, SAY)),
        (
            Intent("fetch", CUBE, TRAY, place="kitchen", deliver_to="living room"),
            (KITCHEN, LOCATE, PICK, LOUNGE, LOCATE_TRAY, PLACE, SAY),
        ),
        (Intent("fetch", CUBE, TRAY, place="kitchen"), (KITCHEN, LOCATE, PICK, LOCATE_TRAY, PLACE, SAY)),
        (
            Intent("fetch", CUBE, TRAY, place="kitchen", deliver_to="kitchen"),
            (KITCHEN, LOCATE, PICK, LOCATE_TRAY, PLACE, SAY),
        ),
    ],
)
def test_plans_that_walk(intent: Intent, steps: tuple[PlanStep, ...]) -> None:
    assert RulePlanner()(intent).steps == steps


@given(intents)
def test_every_plan_is_valid_and_survives_being_written_down(intent: Intent) -> None:
    plan = RulePlanner()(intent)
    validate(plan)
    assert from_dict(json.loads(json.dumps(to_dict(plan)))) == plan


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (Intent("dance", CUBE), "no plan for the verb 'dance'"),
        (Intent("pick"), "pick needs a target"),
        (Intent("place", CUBE), "place needs a destination"),
        (Intent("go"), "go needs a place"),
        (Intent("fetch", place="kitchen"), "fetch needs a target"),
        (Intent("reach"), "reach needs a target"),
        (Intent("fetch", CUBE, TRAY, deliver_to="person"), "an object is handed over or put in a tray, not both"),
    ],
)
def test_refuses_an_intent_that_lacks_something(intent: Intent, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        RulePlanner()(intent)
    assert caught.value.stage == "planning"
    assert caught.value.reason == reason


def test_an_intent_for_an_impossible_object_makes_no_plan() -> None:
    with pytest.raises(PlanInvalid, match=r"target\.shape: unknown 'tray'"):
        RulePlanner()(Intent("pick", TRAY))


# Order of steps


@pytest.mark.parametrize(
    "steps", [(STOP,), (LOCATE, STOP), (LOCATE_TRAY, LOCATE, PICK, PLACE), (SAY, LOCATE, PICK), (STOP, SAY), (KITCHEN,),
     (KITCHEN, LOUNGE, SAY), (SAY, FOLLOW), (KITCHEN, FOLLOW), (LOCATE, REACH, PICK), (LOCATE, PICK, LOUNGE),
     (LOCATE, PICK, START, PERSON, HAND_OVER, KITCHEN), (LOCATE, PICK, LOCATE_TRAY, PLACE, FOLLOW)],
)  # fmt: skip
def test_orders_that_can_be_done(steps: tuple[PlanStep, ...]) -> None:
    validate(Plan(steps))


@pytest.mark.parametrize(
    ("steps", "index", "problem"),
    [
        ((PICK, LOCATE), 0, "the red cube was not located"),
        ((PlanStep("perceive", "locate", ObjectQuery("cube")), PICK), 1, "the red cube was not located"),
        ((LOCATE, PICK, PLACE), 2, "the blue tray was not located"),
        ((LOCATE_TRAY, PLACE), 1, "nothing was picked"),
        ((LOCATE, LOCATE_TRAY, PLACE, PICK), 2, "nothing was picked"),
        ((LOCATE, PICK, PICK), 2, "red cube was picked before"),
        ((LOCATE, PICK, LOCATE_TRAY, PLACE, PLACE), 4, "was placed before"),
        ((LOCATE, PICK, STOP), 2, "stop stands alone"),
        ((LOCATE, SAY), 1, "does nothing"),
        ((KITCHEN, STOP), 1, "stop stands alone"),
        ((STOP, FOLLOW), 0, "stop stands alone"),
        ((FOLLOW, SAY), 1, "nothing comes after follow"),
        ((FOLLOW, LOCATE, PICK), 1, "nothing comes after follow"),
        ((LOCATE, PICK, FOLLOW), 2, "the red cube is still in the hand"),
        ((LOCATE, KITCHEN, PICK), 2, "the red cube was not located before, at this place"),
        ((LOCATE, PICK, LOCATE_TRAY, LOUNGE, PLACE), 4, "the blue tray was not located before, at this place"),
        ((REACH,), 0, "reach: the red cube was not located"),
        ((LOCATE, PICK, REACH), 2, "reach: the red cube was picked before"),
        ((PERSON, HAND_OVER), 1, "hand_over: nothing was picked before"),
        ((LOCATE, PICK, HAND_OVER), 2, "needs a go_to with the place 'person'"),
        ((LOCATE, PICK, PERSON, KITCHEN, HAND_OVER), 4, "needs a go_to with the place 'person'"),
        ((LOCATE, PICK, PERSON, HAND_OVER, HAND_OVER), 4, "was handed over before"),
        ((LOCATE, PICK, PERSON, HAND_OVER, LOCATE_TRAY, PLACE), 5, "was handed over before"),
    ],
)
def test_orders_that_cannot_be_done(steps: tuple[PlanStep, ...], index: int, problem: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        validate(Plan(steps))
    assert caught.value.step == index
    assert problem in caught.value.problem


# Data nobody vouches for

GOOD = to_dict(Plan((LOCATE, PICK, LOCATE_TRAY, PLACE, SAY)))
WALK = to_dict(Plan((KITCHEN, LOCATE, PICK, PERSON, HAND_OVER)))


def spoilt(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The good plan with one place overwritten."""
    data = copy.deepcopy(GOOD)
    inner: Any = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return data


def lacking(step: int, key: str) -> dict[str, Any]:
    data = copy.deepcopy(GOOD)
    del data["steps"][step][key]
    return data


@pytest.mark.parametrize(
    ("data", "index", "problem"),
    [
        (None, 0, "the plan: must be an object, got None"),
        ("pick up the cube", 0, "the plan: must be an object, got 'pick up the cube'"),
        ([GOOD], 0, "the plan: must be an object, got a list"),
        ({}, 0, "the plan: 'steps' is missing"),
        ({"steps": {}}, 0, "steps: must be a list, got an object"),
        ({"steps": []}, 0, "steps: needs at least 1 items, got 0"),
        ({"steps": GOOD["steps"] * 4}, 0, f"steps: may have at most {MAX_STEPS} items, got 20"),
        (spoilt(("step",), 1), 0, "the plan: unknown key 'step'; did you mean 'steps'?"),
        (spoilt(("steps", 1), "pick"), 1, "must be an object, got 'pick'"),
        (spoilt(("steps", 1, "action"), "pik"), 1, "action: unknown 'pik'; did you mean 'pick'?"),
        (
            spoilt(("steps", 1, "action"), ["pick"]),
            1,
            "action: must be a text, got a list; choose one of: follow, go_to, hand_over",
        ),
        (spoilt(("steps", 1, "action"), 7), 1, "action: must be a text, got 7"),
        (spoilt(("steps", 1, "kind"), "perceive"), 1, "kind: unknown 'perceive'; choose one of: manipulate"),
        (spoilt(("steps", 1, "speed"), 3), 1, "unknown key 'speed'; choose one of: action, kind, target"),
        (spoilt(("steps", 1, 5), 3), 1, "unknown key 5; choose one of"),
        (spoilt(("steps", 1, "target"), "red cube"), 1, "target: must be an object, got 'red cube'"),
        (spoilt(("steps", 1, "target"), None), 1, "target: must be an object, got None"),
        (spoilt(("steps", 1, "target"), {"colour": "red"}), 1, "target: 'shape' is missing"),
        (spoilt(("steps", 1, "target", "shape"), "cub"), 1, "target.shape: unknown 'cub'; did you mean 'cube'?"),
        (spoilt(("steps", 1, "target", "shape"), "tray"), 1, "target.shape: unknown 'tray'"),
        (spoilt(("steps", 3, "target", "shape"), "mug"), 3, "target.shape: unknown 'mug'; choose one of: tray"),
        (spoilt(("steps", 1, "target", "colour"), "blu"), 1, "target.colour: unknown 'blu'; did you mean 'blue'?"),
        (spoilt(("steps", 1, "target", "colour"), 3.5), 1, "target.colour: must be a text or null, got 3.5"),
        (spoilt(("steps", 4, "text"), ""), 4, "text: needs at least 1 characters, got 0"),
        (spoilt(("steps", 4, "text"), "a" * 999), 4, f"text: may have at most {MAX_TEXT} characters, got 999"),
        (lacking(0, "action"), 0, "'action' is missing"),
        (lacking(2, "kind"), 2, "'kind' is missing"),
        (lacking(2, "target"), 2, "'target' is missing"),
        (lacking(4, "text"), 4, "'text' is missing"),
        ({"steps": GOOD["steps"][1:]}, 0, "pick: the red cube was not located before"),
        ({"steps": [{"kind": "navigate", "action": "go_to"}]}, 0, "'place' is missing"),
        ({"steps": [{"kind": "navigate", "action": "go_to", "place": ""}]}, 0, "place: needs at least 1 characters"),
        ({"steps": [{"kind": "navigate", "action": "go_to", "place": 3}]}, 0, "place: must be a text, got 3"),
        (
            {"steps": [*WALK["steps"], {"kind": "navigate", "action": "follow", "place": "me"}]},
            5,
            "unknown key 'place'",
        ),
        ({"steps": [{"kind": "manipulate", "action": "go_to", "place": "lab"}]}, 0, "kind: unknown 'manipulate'"),
        ({"steps": [{"kind": "manipulate", "action": "reach", "target": {"shape": "tray"}}]}, 0, "target.shape"),
    ],
)
def test_nonsense_is_named(data: Any, index: int, problem: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        from_dict(data)
    assert caught.value.step == index
    assert caught.value.problem.startswith(problem)
    assert "\n" not in str(caught.value)


def test_a_colour_may_be_left_out() -> None:
    data = to_dict(Plan((PlanStep("perceive", "locate", MUG), PlanStep("manipulate", "pick", MUG))))
    for step in data["steps"]:
        del step["target"]["colour"]
    assert [step.target for step in from_dict(data).steps] == [MUG, MUG]


@given(anything)
def test_no_data_is_worse_than_invalid(data: Any) -> None:
    with pytest.raises(PlanInvalid):
        from_dict(data)


places = st.sampled_from(
    [("steps", i, *rest) for i in range(5) for rest in ((), ("kind",), ("action",), ("target",), ("text",))]
)


@given(places, anything)
def test_a_spoilt_plan_is_invalid_or_means_what_it_says(path: tuple[str | int, ...], value: Any) -> None:
    data = spoilt(path, value)
    try:
        plan = from_dict(data)
    except PlanInvalid:
        return
    assert to_dict(plan) == data


def test_absurd_depth_and_size_are_only_invalid() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, 10**10_000, "x" * 10**6):
        with pytest.raises(PlanInvalid) as caught:
            from_dict(spoilt(("steps", 0, "kind"), value))
        assert len(str(caught.value)) < 200
    while deep:
        deep = deep.pop()  # or its end would be a recursion too


# The schema language itself


@pytest.mark.parametrize(
    ("data", "schema", "fits"),
    [
        ([1, 2], {"type": "array", "items": {}}, True),
        (["a", None], {"type": "array", "items": {"type": ["string", "null"]}}, True),
        (["a", 1], {"type": "array", "items": {"type": ["string", "null"]}}, False),
        ("b", {"enum": ["a", "b"]}, True),
        ("b", {"const": "a"}, False),
        ({"a": "x"}, {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, True),
        ({"b": "x"}, {"type": "object", "properties": {"a": {"type": "string"}}}, False),
    ],
)
def test_schema_keywords(data: Any, schema: dict[str, Any], fits: bool) -> None:
    if fits:
        check(data, schema)
    else:
        with pytest.raises(SchemaViolation):
            check(data, schema)


def test_every_shape_can_be_located() -> None:
    for shape in SHAPES:
        validate(Plan((PlanStep("perceive", "locate", ObjectQuery(shape)), STOP)))
