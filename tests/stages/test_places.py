"""Names of places against a floor plan: which is meant, what is not there, where nobody may go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.errors import Refused
from vla_sim.stages.intent import IntentGrammar
from vla_sim.stages.place_words import FURNITURE, ROOMS
from vla_sim.stages.places import check_places, check_zones, distance_m, inside, resolve, surface_in, surfaces_in
from vla_sim.stages.planner import RulePlanner
from vla_sim.types import Array, Plan, PlanStep, Region, SiteMap, Surface, Utterance


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Array:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def table(name: str, room: str, x: float, y: float) -> Surface:
    return Surface(name, room, np.array([x, y, 0.0]), np.array([0.6, 1.2]), 0.72)


# Two rooms of 4 m x 4 m with a table each, a lab with two, a hall with none, and two zones.
KITCHEN, LIVING = Region("kitchen", "room", rectangle(0, 0, 4, 4)), Region("lounge", "room", rectangle(4, 0, 8, 4))
LAB, HALL = Region("lab", "room", rectangle(0, 4, 4, 8)), Region("hall", "room", rectangle(4, 4, 8, 8))
STORAGE = Region("storage", "forbidden", rectangle(8, 0, 10, 4))
STOVE = Region("stove", "hot", rectangle(0, 0, 1, 1))
KITCHEN_TABLE, LIVING_TABLE = table("kitchen table", "kitchen", 3.0, 2.0), table("table", "living room", 7.0, 2.0)
LAB_DESK, LAB_BENCH = table("lab desk", "lab", 1.0, 7.0), table("lab workbench", "lab", 3.0, 7.0)
SHELF = table("storage shelf", "storage", 9.0, 2.0)
EVERYTHING = "hall, kitchen, kitchen table, lab, lab desk, lab workbench, living room table, lounge, storage shelf"
SITE = SiteMap(
    regions=(KITCHEN, LIVING, LAB, HALL, STORAGE, STOVE),
    surfaces=(KITCHEN_TABLE, LIVING_TABLE, LAB_DESK, LAB_BENCH, SHELF),
)


def plan_of(text: str) -> Plan:
    return RulePlanner()(IntentGrammar()(Utterance(text)))


def refusal(text: str, site: SiteMap = SITE) -> Refused:
    with pytest.raises(Refused) as caught:
        check_places(plan_of(text), site)
    assert "\n" not in str(caught.value)
    return caught.value


# Which is meant


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("kitchen", KITCHEN),
        ("The Kitchen", KITCHEN),
        ("living room", LIVING),
        ("lounge", LIVING),
        ("sitting room", LIVING),
        ("kitchen table", KITCHEN_TABLE),
        ("the table in the kitchen", KITCHEN_TABLE),
        ("living room table", LIVING_TABLE),
        ("lounge table", LIVING_TABLE),
        ("table", LIVING_TABLE),  # the one that is called just so
        ("desk", LAB_DESK),
        ("bench", LAB_BENCH),
        ("laboratory bench", LAB_BENCH),
        ("stove", STOVE),
    ],
)
def test_resolves(name: str, place: Region | Surface) -> None:
    assert resolve(name, SITE) is place


def test_a_bare_name_for_several_asks_back() -> None:
    site = SiteMap(surfaces=(KITCHEN_TABLE, table("dining table", "dining room", 0, 0)))
    with pytest.raises(Refused) as caught:
        resolve("table", site)
    assert (caught.value.stage, caught.value.hint) == ("planning", "which one: kitchen table or dining table?")


def test_tables_of_one_name_are_told_apart_by_their_rooms() -> None:
    tables = table("table", "kitchen", 0, 0), table("table", "lounge", 5, 0)
    site = SiteMap(surfaces=tables)
    assert resolve("kitchen table", site) is tables[0]
    assert resolve("the table in the living room", site) is tables[1]
    with pytest.raises(Refused, match="which one: kitchen table or lounge table"):
        resolve("table", site)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bathroom", f"choose one of: {EVERYTHING}"),
        ("kitchen counter", "did you mean 'kitchen table'?"),
        ("kichen", "did you mean 'kitchen'?"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(name: str, hint: str) -> None:
    with pytest.raises(Refused, match=f"there is no '{name}' here") as caught:
        resolve(name, SITE)
    assert caught.value.stage == "planning"
    assert caught.value.hint.startswith(hint)


def test_an_empty_site_says_so() -> None:
    with pytest.raises(Refused, match="no named places"):
        resolve("kitchen", SiteMap())


def test_surfaces_of_a_room() -> None:
    assert surface_in("kitchen", SITE) is KITCHEN_TABLE
    assert surface_in("lounge", SITE) is LIVING_TABLE
    assert surface_in("lab desk", SITE) is LAB_DESK
    assert surface_in("lab", SITE) is None
    assert surface_in("hall", SITE) is None
    assert surfaces_in("lab", SITE) == (LAB_DESK, LAB_BENCH)
    nameless = table("kitchen table", "", 3.0, 2.0)  # its room is told by where it stands
    assert surface_in("kitchen", SiteMap(regions=(KITCHEN, LIVING), surfaces=(nameless,))) is nameless


# What a plan may do


@pytest.mark.parametrize(
    "text",
    [
        "go to the kitchen",
        "go to the lab",
        "go to the hall",
        "go to the kitchen and pick up the red mug",
        "fetch the blue bottle from the kitchen and put it in the tray on the living room table",
        "bring me the red cube from the lab desk",
        "take the ball from the kitchen table to the hall",
        "come to me",
        "go back to where you started",
        "put the red cube in the tray",
        "follow me",
        "stop",
    ],
)
def test_plans_that_may_be_carried_out(text: str) -> None:
    check_places(plan_of(text), SITE)


@pytest.mark.parametrize(
    ("text", "stage", "reason", "hint"),
    [
        ("go to the bathroom", "planning", "there is no 'bathroom' here", "kitchen"),
        ("bring me the mug from the office", "planning", "there is no 'office' here", "kitchen"),
        ("take the mug to the bedroom", "planning", "there is no 'bedroom' here", "kitchen"),
        ("get the mug from the kitchen counter", "planning", "no 'kitchen counter' here", "'kitchen table'"),
        ("pick up the mug in the lab", "planning", "the lab has several", "which one: lab desk or lab workbench?"),
        ("pick up the mug in the hall", "planning", "in the hall: it has none", "kitchen table"),
        ("take the mug to the hall and put it in the tray", "planning", "in the hall: it has none", "kitchen table"),
        ("go to the storage room", "safety", "the storage is a forbidden zone", "kitchen"),
        ("bring me the ball from the storage shelf", "safety", "the storage is a forbidden zone", "kitchen"),
        ("take the red cube to the store room", "safety", "the storage is a forbidden zone", "kitchen"),
    ],
)
def test_plans_that_are_refused(text: str, stage: str, reason: str, hint: str) -> None:
    error = refusal(text)
    assert error.stage == stage
    assert reason in error.reason
    assert hint in error.hint


def test_a_hot_place_is_refused_though_a_plan_names_it() -> None:
    with pytest.raises(Refused, match="the stove is a hot zone") as caught:
        check_places(Plan((PlanStep("navigate", "go_to", place="stove"),)), SITE)
    assert caught.value.stage == "safety"
    assert "stove" not in caught.value.hint


def test_a_surface_in_a_zone_is_refused_whatever_its_room() -> None:
    hob = table("kitchen counter", "kitchen", 0.5, 0.5)
    site = SiteMap(regions=SITE.regions, surfaces=(*SITE.surfaces, hob))
    assert "the stove is a hot zone" in refusal("go to the kitchen counter", site).reason


@pytest.mark.parametrize(
    ("xy", "margin_m", "zone"),
    [
        ((3.0, 2.0), 0.0, ""),
        ((0.5, 0.5), 0.0, "stove"),
        ((1.2, 0.5), 0.0, ""),
        ((1.2, 0.5), 0.3, "stove"),
        ((9.0, 2.0), 0.0, "storage"),
        ((7.8, 2.0), 0.25, "storage"),
        ((7.8, 2.0), 0.1, ""),
    ],
)
def test_goals_in_zones_are_refused(xy: tuple[float, float], margin_m: float, zone: str) -> None:
    if not zone:
        check_zones(np.array(xy), SITE, margin_m)
        return
    with pytest.raises(Refused, match=f"the {zone} is a") as caught:
        check_zones(np.array(xy), SITE, margin_m)
    assert caught.value.stage == "safety"


# Geometry, by a second method

L_SHAPE = Region("l", "room", np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [2.0, 2.0], [2.0, 4.0], [0.0, 4.0]]))
coordinates = st.floats(-1.0, 5.0, allow_nan=False)


@given(coordinates, coordinates, st.booleans())
def test_inside_an_l_shape(x: float, y: float, reverse: bool) -> None:
    corners = L_SHAPE.corners[::-1] if reverse else L_SHAPE.corners
    distances = [max(-x, x - 4, -y, y - 2), max(-x, x - 2, -y, y - 4)]  # of two boxes; negative inside
    if min(abs(d) for d in distances) < 1e-9:
        return
    assert inside(Region("l", "room", corners), np.array([x, y])) == (min(distances) < 0)


@given(coordinates, coordinates)
def test_distance_is_that_to_the_nearer_of_two_boxes(x: float, y: float) -> None:
    far = [np.hypot(max(-x, x - w, 0), max(-y, y - h, 0)) for w, h in ((4.0, 2.0), (2.0, 4.0))]
    assert distance_m(L_SHAPE, np.array([x, y])) == pytest.approx(min(far), abs=1e-9)


# Whatever is said, in whatever scene: a plan, or a refusal

names = st.sampled_from([*ROOMS, *(f"{room} {thing}" for room in ROOMS for thing in FURNITURE), *FURNITURE])


@given(st.lists(names, max_size=4, unique=True), names, st.sampled_from(["room", "forbidden", "hot"]))
def test_any_place_in_any_site_is_found_or_refused(known: list[str], asked: str, kind: str) -> None:
    site = SiteMap(
        regions=tuple(Region(name, kind, rectangle(0, 0, 1, 1)) for name in known if name in ROOMS),
        surfaces=tuple(table(name, "", 5, 5) for name in known if name not in ROOMS),
    )
    plan = plan_of(f"go to the {asked}")
    fitting = [name for name in known if name == asked] or [name for name in known if name.split()[-1] == asked]
    if len(fitting) != 1:
        with pytest.raises(Refused, match=r"no named places|there is no|several places"):
            check_places(plan, site)
    elif asked in ROOMS and kind != "room":
        with pytest.raises(Refused, match="zone"):
            check_places(plan, site)
    else:
        check_places(plan, site)
        assert resolve(asked, site).name == fitting[0]
