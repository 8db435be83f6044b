"""What a robot that walks is asked for: go, fetch, bring, hand over, reach, follow."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_sim.catalogue import COLOURS, GRASPABLE
from vla_sim.errors import PlanInvalid, Refused
from vla_sim.stages import vocabulary as v
from vla_sim.stages.intent import IntentGrammar
from vla_sim.stages.place_words import (
    FURNITURE,
    FURNITURE_WORDS,
    NAMES,
    NOWHERE,
    PERSON,
    PERSON_PHRASES,
    ROOMS,
    START,
    START_PHRASES,
    SYNONYMS,
    Spot,
    join_places,
    merge,
    normalise,
    spot_of,
)
from vla_sim.stages.planner import RulePlanner, from_dict, to_dict, validate
from vla_sim.types import Intent, ObjectQuery, Utterance

MUG, BOTTLE, BALL = ObjectQuery("mug", "red"), ObjectQuery("bottle", "blue"), ObjectQuery("ball")
CUBE, TRAY = ObjectQuery("cube", "red"), ObjectQuery("tray")
GRAMMAR = IntentGrammar()


def understand(text: str) -> Intent:
    return GRAMMAR(Utterance(text))


def fetch(target: ObjectQuery, place: str = "", deliver_to: str = "", tray: ObjectQuery | None = None) -> Intent:
    return Intent("fetch", target, tray, place=place, deliver_to=deliver_to)


# What it understands

GO = {
    "go to the kitchen": "kitchen",
    "walk to the living room table": "living room table",
    "please head over to the bedroom": "bedroom",
    "could you walk over to the lounge, please?": "living room",
    "I want you to go into the hallway": "hall",
    "enter the office": "office",
    "robot, move to the laboratory": "lab",
    "get to the dining table": "dining room table",
    "to the workshop, please go": "workshop",
    "go to the table in the kitchen": "kitchen table",
    "go to the kitchen's table": "kitchen table",
    "go up to the shelf in the storage room": "storage shelf",
    "approach the workbench": "workbench",
    "go to the kitchen and walk to the table in the kitchen": "kitchen table",
    "go back to where you started": "start",
    "go back to the place where you started": "start",
    "come back": "start",
    "return": "start",
    "go home": "start",
    "go back to the kitchen": "kitchen",
    "come to me": "person",
    "come back to me": "person",
    "come here": "person",
    "come over here now": "person",
    "get over here": "person",
    "come": "person",
    "approach me": "person",
    "go to the person": "person",
    "walk to where I am": "person",
}


@pytest.mark.parametrize(("text", "place"), GO.items())
def test_goes(text: str, place: str) -> None:
    intent = understand(text)
    assert (intent.verb, intent.place, intent.deliver_to) == ("go", place, "")
    assert intent.target is None
    assert intent.destination is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("go to the kitchen and pick up the red mug", fetch(MUG, "kitchen")),
        ("Go to the kitchen and pick up the red cup!", fetch(MUG, "kitchen")),
        ("pick up the red mug in the kitchen", fetch(MUG, "kitchen")),
        ("grab the red mug on the table in the kitchen", fetch(MUG, "kitchen table")),
        ("go to the kitchen and pick up the red mug from the table", fetch(MUG, "kitchen table")),
        ("go to the shelf and get the ball", fetch(BALL, "shelf")),
        ("bring me the red mug from the kitchen", fetch(MUG, "kitchen", "person")),
        ("from the kitchen bring me the red mug", fetch(MUG, "kitchen", "person")),
        ("get me the red mug from the kitchen", fetch(MUG, "kitchen", "person")),
        ("bring the red mug from the kitchen to me", fetch(MUG, "kitchen", "person")),
        ("go to the kitchen, pick up the red mug and hand it to me", fetch(MUG, "kitchen", "person")),
        ("go to the kitchen, pick up the red mug and come back to me", fetch(MUG, "kitchen", "person")),
        ("bring me the red cube", fetch(CUBE, "", "person")),
        ("hand me the red cube", fetch(CUBE, "", "person")),
        ("give the red cube to me", fetch(CUBE, "", "person")),
        ("give the man the red cube", fetch(CUBE, "", "person")),
        ("hand over the red cube", fetch(CUBE, "", "person")),
        ("hand the red cube over to the person", fetch(CUBE, "", "person")),
        ("pass me the red cube please", fetch(CUBE, "", "person")),
        ("go to the kitchen, pick up the red mug and bring it back", fetch(MUG, "kitchen", "start")),
        ("go to the kitchen, take the red mug and come back with it", fetch(MUG, "kitchen", "start")),
        ("fetch the red mug from the kitchen", fetch(MUG, "kitchen", "start")),
        ("take the ball from the kitchen table to the bedroom", fetch(BALL, "kitchen table", "bedroom")),
        ("take the ball off the kitchen table and carry it to the bedroom", fetch(BALL, "kitchen table", "bedroom")),
        ("pick up the ball and go to the bedroom", fetch(BALL, "", "bedroom")),
        ("deliver the ball to the lab", fetch(BALL, "", "lab")),
        (
            "fetch the blue bottle from the kitchen and put it in the tray on the living room table",
            fetch(BOTTLE, "kitchen", "living room table", TRAY),
        ),
        (
            "go to the kitchen, take the blue bottle, go to the living room and put it in the tray on the table",
            fetch(BOTTLE, "kitchen", "living room table", TRAY),
        ),
        ("fetch the blue bottle from the lab and put it in the tray", fetch(BOTTLE, "lab", "start", TRAY)),
        ("go to the lab and put the blue bottle in the tray", fetch(BOTTLE, "lab", "", TRAY)),
        ("put the red cube in the tray in the kitchen", fetch(CUBE, "", "kitchen", TRAY)),
        ("move the red cube from the kitchen into the tray on the desk", fetch(CUBE, "kitchen", "", TRAY)),
        ("take the red cube to the lab and put it in the tray", fetch(CUBE, "", "lab", TRAY)),
        ("return the red cube to me", fetch(CUBE, "", "person")),
        ("touch the red cube", Intent("reach", CUBE)),
        ("reach for the red mug", Intent("reach", MUG)),
        ("reach out and touch the red mug", Intent("reach", MUG)),
        ("touch the red cube in the tray", Intent("reach", CUBE)),
        ("touch the red mug on the kitchen table", Intent("reach", MUG, place="kitchen table")),
        ("in the kitchen, touch the red mug", Intent("reach", MUG, place="kitchen")),
        ("go to the kitchen and touch the red mug", Intent("reach", MUG, place="kitchen")),
        ("touch the red cube and pick it up", Intent("pick", CUBE)),
        ("go pick up the red cube", Intent("pick", CUBE)),
        ("get me the red cube", Intent("pick", CUBE)),
        ("take the red cube from the table", Intent("pick", CUBE)),
        ("follow me", Intent("follow")),
        ("please follow that person", Intent("follow")),
        ("come with me", Intent("follow")),
        ("come along", Intent("follow")),
        ("walk behind the man", Intent("follow")),
    ],
)
def test_accepts(text: str, meant: Intent) -> None:
    assert understand(text) == meant


# Every sentence the grammar is made for comes back as what it was made from

rooms, furniture = st.sampled_from(sorted(ROOMS)), st.sampled_from(sorted(FURNITURE))
surfaces = st.builds(lambda room, thing: f"{room} {thing}", rooms, furniture)
named_places = rooms | surfaces
queries = st.builds(ObjectQuery, st.sampled_from(GRASPABLE), st.sampled_from([None, *COLOURS]))
trays = st.builds(ObjectQuery, st.just("tray"), st.sampled_from([None, *COLOURS]))
ends = named_places | st.just("start") | st.just("person")


def spoken(draw: st.DrawFn, place: str) -> str:
    """One of the ways to say a place."""
    if place == "start":
        return draw(st.sampled_from(["the start", "where you started", "your starting point"]))
    if place == "person":
        return draw(st.sampled_from(["me", "the person", "that man"]))
    ways = sorted(words for words, name in SYNONYMS.items() if name == place)
    spot = spot_of(place)
    assert spot is not None
    if spot.furniture:
        ways.append(f"{spot.furniture} in the {spot.room}")
    return "the " + draw(st.sampled_from(ways))


def pick_words(draw: st.DrawFn, query: ObjectQuery) -> str:
    verb = draw(
        st.sampled_from(["pick up the {}", "grab the {}", "take the {}", "lift the {} up", "get hold of the {}"])
    )
    return verb.format(query)


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, Intent]:
    """A sentence of the new grammar, and what it means."""
    kind = draw(st.sampled_from(["go", "fetch", "bring", "carry", "hand", "tray", "reach", "follow"]))
    place, end, query, tray = draw(named_places), draw(ends), draw(queries), draw(trays)
    there = spoken(draw, place)
    at = draw(st.sampled_from([f"go to {there} and ", f"walk over to {there}, then "]))
    if kind == "go":
        verb = draw(st.sampled_from(["go to", "walk to", "head over to", "run to", "move to", "come to", "approach"]))
        return f"{verb} {spoken(draw, end)}", Intent("go", place=end)
    if kind == "fetch":
        return at + pick_words(draw, query), fetch(query, place)
    if kind == "bring":
        to = draw(st.sampled_from(["bring me the {} from {}", "bring the {1} from {0} to me", "get me the {} from {}"]))
        words = to.format(there, query) if "{1}" in to else to.format(query, there)
        return words, fetch(query, place, "person")
    if kind == "carry":
        if end == place:
            end = "start"
        verb = draw(st.sampled_from(["bring it to", "carry it to", "take it to", "walk to"]))
        return f"{at}{pick_words(draw, query)} and {verb} {spoken(draw, end)}", fetch(query, place, end)
    if kind == "hand":
        form = draw(st.sampled_from(["hand me the {}", "give the {} to me", "pass the {} over to the person"]))
        return form.format(query), fetch(query, "", "person")
    if kind == "tray":
        table = draw(surfaces)
        verb = draw(st.sampled_from(["put it in", "place it into", "drop it onto", "set it down on"]))
        words = f"{at}{pick_words(draw, query)} and {verb} the {tray} on {spoken(draw, table)}"
        return words, fetch(query, place, table, tray)
    if kind == "reach":
        verb = draw(st.sampled_from(["touch", "reach for", "tap", "reach out to"]))
        return at + f"{verb} the {query}", Intent("reach", query, place=place)
    verb = draw(st.sampled_from(["follow", "come with", "accompany", "walk behind", "go along with"]))
    return f"{verb} {spoken(draw, 'person')}", Intent("follow")


@given(commands(), st.sampled_from(["{}", "please {}", "Could you {}?", "robot, {} now!", "{}, thank you."]))
@settings(max_examples=400)
def test_every_command_means_what_it_was_made_from_and_has_a_valid_plan(said: tuple[str, Intent], manner: str) -> None:
    text, meant = said
    intent = understand(manner.format(text))
    assert intent == meant
    plan = RulePlanner()(intent)
    validate(plan)
    assert from_dict(to_dict(plan)) == plan


def test_every_word_for_a_place_leads_there() -> None:
    for words, name in SYNONYMS.items():
        verb = "go" if words == "home" else "go to"
        assert understand(f"{verb} {words}").place == name
    for word, kind in FURNITURE_WORDS.items():
        assert understand(f"walk to the {word}").place == kind
    for words in START_PHRASES:
        assert understand(f"come back to {words}").place == "start"
    for words in PERSON_PHRASES:
        assert understand(f"come to {words}").place == "person"


def test_every_verb_of_going_and_touching_is_understood() -> None:
    for verb in v.VERBS["go"]:
        assert understand(f"{verb} to the kitchen") == Intent("go", place="kitchen")
    for verb in v.VERBS["reach"]:
        assert understand(f"{verb} the red cube") == Intent("reach", CUBE)
    for verb in v.VERBS["fetch"]:
        assert understand(f"{verb} me the red cube") == fetch(CUBE, "", "person")
    for verb in v.VERBS["follow"]:
        assert understand(f"{verb} me") == Intent("follow")


# What it refuses


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("go", "'go' where?", "kitchen"),
        ("go there", "'go' where?", "kitchen"),
        ("pick up the cube and go", "'go' where?", "kitchen"),
        ("go to the kichen", "unknown place 'kichen'", "did you mean 'kitchen'"),
        ("go to the garden", "unknown place 'garden'", "bathroom, bedroom"),
        ("go to the hallwai", "unknown place 'hallwai'", "did you mean 'hall'"),
        ("go to the red cube", "the cube is no place", "room"),
        ("go to the kitchen or the lab", "leaves a choice", "which one?"),
        ("go to the kitchen and the lab", "two places: kitchen and lab", "which one first?"),
        ("go to the kitchen and then to the lab", "two places: kitchen and lab", "which one first?"),
        ("go to the kitchen and come back", "two places at once", "which one first?"),
        ("go to all rooms", "'all' means several", "which one first?"),
        ("go behind the table", "'behind the table'", "say where to"),
        ("go from the kitchen to the lab", "'from the kitchen'", "say where to"),
        ("walk into the table", "'into the table'", "say 'to the table'"),
        ("go onto the kitchen table", "'onto the kitchen table'", "say 'to the kitchen table'"),
        ("go to the kitchen with the red cube", "nothing was picked up", "bring"),
        ("go to the kitchen and put it in the tray", "'put it' refers to nothing", "which object?"),
        ("go to the lab and get the cup from the kitchen", "two places at once: lab and kitchen", "which one first?"),
        ("get the cup from the kitchen from the lab", "two places: kitchen and lab", "in which of them"),
        ("take the cup to the lab to the kitchen", "two destinations", "to the lab or to the kitchen?"),
        ("take the cup from me", "'from me'", "bring it to me"),
        ("take the cup from the start", "not taken from the start", "name the room"),
        ("put the red cube on the kitchen table", "cannot be put on the kitchen table", "in the tray on the kitchen"),
        ("put the red cube in the tray and come back", "two tasks", "which one first?"),
        ("bring me the cup and put it in the tray", "two tasks", "which one first?"),
        ("pick up the cup and touch it", "two tasks", "which one first?"),
        ("touch the cup and go to the kitchen", "two tasks", "which one first?"),
        ("follow me and pick up the cube", "two tasks", "which one first?"),
        ("pick up the cube and follow me", "two tasks", "which one first?"),
        ("follow", "'follow' whom?", "follow me"),
        ("follow the ball", "'ball' cannot be followed", "follow me"),
        ("follow me to the kitchen", "'to the kitchen'", "follow me"),
        ("bring me the tray from the kitchen", "tray cannot be picked up", "ball, bottle, cube, mug"),
        ("touch the tray", "tray cannot be reached for", "ball, bottle, cube, mug"),
        ("touch the banana", "object 'banana'", "ball, bottle, cube, mug"),
        ("bring me the red kitchen mug", "'kitchen' does not describe", "say 'from the kitchen'"),
        ("come back the ball", "the ball is no place", "room"),
        ("step back", "unknown verb 'step'", "go"),
        ("go with", "'go with' whom?", "follow me"),
        ("hand me", "'hand' what?", "ball, bottle, cube, mug"),
        ("pick up the cube with your left hand", "'with your'", "colour and shape"),
        ("take me to the kitchen", "'take' what?", "ball, bottle, cube, mug"),
    ],
)
def test_refuses(text: str, reason: str, hint: str) -> None:
    with pytest.raises(Refused) as caught:
        understand(text)
    assert caught.value.stage == "intent"
    assert reason in caught.value.reason
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


SALAD = sorted({
    *v.word_set("the a red cube mug tray to from in on with over back here where you started and then or me it person"),
    *v.word_set("go walk come bring hand give touch follow pick up put take kitchen living room table shelf lab start"),
})  # fmt: skip


@given(st.lists(st.sampled_from(SALAD), min_size=1, max_size=12))
@settings(max_examples=800)
def test_a_word_salad_is_refused_or_has_a_plan_made_of_its_words(words: list[str]) -> None:
    try:
        intent = understand(" ".join(words))
        plan = RulePlanner()(intent)
    except Refused:
        return
    except PlanInvalid as error:
        raise AssertionError(f"{' '.join(words)}: {error}") from error
    validate(plan)
    assert intent.verb in v.VERBS
    for place in {intent.place, intent.deliver_to} - {"", "start", "person"}:
        assert set(place.split()) <= set(words)
    assert (intent.target is None) == (intent.verb in ("go", "follow", "stop"))
    assert intent.target is None or intent.target.shape in words
    assert "or" not in words


# Words for places

spots = st.sampled_from([NOWHERE, *NAMES.values(), *(Spot(furniture=thing) for thing in FURNITURE), PERSON, START])


@given(spots, spots)
def test_two_places_merge_when_neither_says_what_the_other_denies(a: Spot, b: Spot) -> None:
    both = merge(a, b)
    assert both == merge(b, a)
    assert merge(a, a) == a
    assert merge(a, NOWHERE) == a
    differ = (a.room and b.room and a.room != b.room) or (a.furniture and b.furniture and a.furniture != b.furniture)
    apart = (a.special or b.special) and a != b and a.name and b.name
    assert (both is None) == bool(differ or apart)
    if both is not None:
        assert set(both.name.split()) == set(a.name.split()) | set(b.name.split())


def test_rooms_that_differ_do_not_merge() -> None:
    for a, b in itertools.combinations(ROOMS, 2):
        assert merge(Spot(a), Spot(b)) is None
        assert merge(Spot(a), Spot(b, "table")) is None
    assert merge(PERSON, Spot(furniture="table")) is None
    assert merge(Spot("kitchen"), Spot(furniture="table")) == Spot("kitchen", "table")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("kitchen", "kitchen"),
        ("The Lounge", "living room"),
        ("the table in the sitting room", "living room table"),
        ("dining table", "dining room table"),
        ("Kitchen worktop", "kitchen counter"),
        ("bench", "workbench"),
        ("loading dock", "loading dock"),
        ("the loading dock", "loading dock"),
        ("stove", "stove"),
        ("me", "person"),
        ("where you started", "start"),
        ("", ""),
    ],
)
def test_normalises(text: str, name: str) -> None:
    assert normalise(text) == name
    assert normalise(name) == name


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.lists(st.sampled_from(SALAD), max_size=10))
def test_joining_keeps_every_other_word(words: list[str]) -> None:
    joined = join_places(words)
    assert [w for w in words if w in ("cube", "tray", "touch")] == [w for w in joined if w in ("cube", "tray", "touch")]
    assert join_places(joined) == joined or any(" " in word for word in joined)
