"""The grammar: what it understands, what it refuses, and that it says why."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.errors import ConfigError, Refused
from vla_sim.stages import vocabulary as v
from vla_sim.stages.intent import MAX_WORDS, IntentGrammar, says_stop
from vla_sim.stages.place_words import FURNITURE_WORDS, SYNONYMS
from vla_sim.types import Intent, ObjectQuery, Utterance

RED_CUBE, BLUE_MUG, TRAY = ObjectQuery("cube", "red"), ObjectQuery("mug", "blue"), ObjectQuery("tray")
GRASPABLE_WORDS = [word for word, shape in v.SHAPE_WORDS.items() if shape in GRASPABLE]
TRAY_WORDS = [word for word, shape in v.SHAPE_WORDS.items() if shape not in GRASPABLE]


def understand(text: str) -> Intent:
    return IntentGrammar()(Utterance(text))


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        understand(text)
    assert "\n" not in str(caught.value)
    return caught.value


# What it understands


def test_every_pick_sentence_means_what_it_says() -> None:
    grammar = IntentGrammar()
    wrong = []
    for verb, colour, shape in itertools.product(v.VERBS["pick"], v.COLOUR_WORDS, GRASPABLE_WORDS):
        text = f"{verb} the {colour} {shape}"
        meant = Intent("pick", ObjectQuery(v.SHAPE_WORDS[shape], v.COLOUR_WORDS[colour]))
        if grammar(Utterance(text)) != meant:
            wrong.append(text)
    assert not wrong


def test_every_place_sentence_means_what_it_says() -> None:
    grammar = IntentGrammar()
    wrong = []
    for verb, colour, shape, tray in itertools.product(v.VERBS["place"], COLOURS, GRASPABLE_WORDS, TRAY_WORDS):
        text = f"{verb} the {colour} {shape} in the {tray}"
        if grammar(Utterance(text)) != Intent("place", ObjectQuery(v.SHAPE_WORDS[shape], colour), TRAY):
            wrong.append(text)
    assert not wrong


@pytest.mark.parametrize("stop", v.VERBS["stop"])
@pytest.mark.parametrize("form", ["{}", "{}!", "robot, {} now", "pick up the red cube and {}", "{} before the wall"])
def test_stop_is_heard_everywhere(stop: str, form: str) -> None:
    assert understand(form.format(stop.upper())) == Intent("stop")
    assert says_stop(form.format(stop))


@pytest.mark.parametrize("text", ["", "go to the kitchen", "don't stop", "never halt", "pick up the stopper", "stops"])
def test_nothing_else_is_a_stop(text: str) -> None:
    assert not says_stop(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Pick the red cube up!", Intent("pick", RED_CUBE)),
        ("pick up the cube", Intent("pick", ObjectQuery("cube"))),
        ("Could you please pick up the red cube, robot?", Intent("pick", RED_CUBE)),
        ("I’d like you to fetch the navy cup", Intent("pick", BLUE_MUG)),
        ("go and get me the crimson block", Intent("pick", RED_CUBE)),
        ("take the red cube out of the tray", Intent("pick", RED_CUBE)),
        ("pick up the red cube on the table", Intent("pick", RED_CUBE)),
        ("grab and lift the red cube", Intent("pick", RED_CUBE)),
        ("put the red cube on to the tray", Intent("place", RED_CUBE, TRAY)),
        ("put the red cube on top of the tray", Intent("place", RED_CUBE, TRAY)),
        ("put the red cube from the table into the tray", Intent("place", RED_CUBE, TRAY)),
        ("take the blue mug and put it in the tray", Intent("place", BLUE_MUG, TRAY)),
        ("Take the blue mug, then place the mug onto the tray.", Intent("place", BLUE_MUG, TRAY)),
        ("pick and place the red cube in the tray", Intent("place", RED_CUBE, TRAY)),
        ("take the blue mug to the tray", Intent("place", BLUE_MUG, TRAY)),
        ("drop the red cube in the green dish", Intent("place", RED_CUBE, ObjectQuery("tray", "green"))),
    ],
)
def test_accepts(text: str, meant: Intent) -> None:
    assert understand(text) == meant


@pytest.mark.parametrize(
    ("text", "skipped", "words"),
    [("pick up the shiny red cube", 1, 6), ("um quickly grab the red cube", 2, 6), ("get the cube that is red", 1, 6)],
)
def test_skipped_words_cost_confidence(text: str, skipped: int, words: int) -> None:
    intent = understand(text)
    assert (intent.verb, intent.target) == ("pick", RED_CUBE)
    assert intent.confidence == pytest.approx(1 - skipped / words)


def test_too_many_skipped_words_are_refused() -> None:
    text = "um so like pick up the uh red cube"
    assert "56% of the words" in refusal(text).reason
    assert IntentGrammar(min_confidence=0.5)(Utterance(text)).target == RED_CUBE


# What it refuses, each with the word at fault and something better to say


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("", "empty", "pick up the red cube"),
        (" \n ", "empty", "pick up the red cube"),
        ("?!", "empty", "pick up the red cube"),
        ("please", "empty", "pick up the red cube"),
        ("up", "no verb in 'up'", "pick up the red cube"),
        ("um quickly", "no verb in 'um quickly'", "pick up the red cube"),
        ("pick up the banana", "object 'banana'", "ball, bottle, cube, mug"),
        ("pick up the cubbe", "object 'cubbe'", "did you mean 'cube'"),
        ("pick up the flaskk", "object 'flaskk'", "did you mean 'bottle'"),
        ("pick up the bottle opener", "object 'bottle opener'", "ball, bottle"),
        ("take a photo of the red cube", "object 'photo'", "ball, bottle"),
        ("pick up the glass", "object 'glass'", "ball, bottle"),
        ("put the cube in the shelf", "object 'shelf'", "tray"),
        ("pick up the orange cube", "colour 'orange'", "blue, cyan"),
        ("pick up the gren red cube", "colour 'gren'", "did you mean 'green'"),
        ("pick up the scarlett mug", "colour 'scarlett'", "did you mean 'red'"),
        ("pick up the fluffy cube", "colour 'fluffy'", "blue, cyan"),
        ("put the red cube in the pink tray", "colour 'pink'", "blue, cyan"),
        ("paint the red cube", "verb 'paint'", "pick, place, reach, stop"),
        ("pikc up the red cube", "verb 'pikc'", "did you mean 'pick'"),
        ("pretend to pick up the red cube", "verb 'pretend'", "pick, place, reach, stop"),
        ("the red cube", "no verb", "what is to be done with the cube?"),
        ("pick up", "'pick up' what?", "ball, bottle, cube, mug"),
        ("pick up the red one", "'red one' names no object", "which object?"),
        ("place it in the tray", "'place it' refers to nothing", "which object?"),
        ("put that in the tray", "'put that' refers to nothing", "which object?"),
        ("pick up the cube or the mug", "leaves a choice", "which one?"),
        ("pick up the red cube and the blue mug", "two objects", "which one"),
        ("pick up the red and blue cube", "two colours", "the red cube or the blue cube?"),
        ("pick up the red cube and put the blue mug in the tray", "two objects", "the red cube or the blue mug?"),
        ("put the red cube in the tray and pick it up", "two tasks", "which one first?"),
        ("pick up the cubes", "'cubes' means several", "which one first?"),
        ("pick up all boxes", "'all' means several", "which one first?"),
        ("pick up the tray", "tray cannot be picked up", "ball, bottle, cube, mug"),
        ("put the tray in the tray", "tray cannot be picked up", "ball, bottle, cube, mug"),
        ("put the red cube", "'put' needs a destination", "where is the red cube to go?"),
        ("put the red cube in it", "'put' needs a destination", "where is the red cube to go?"),
        ("put the red cube on the table", "on the table", "in the tray"),
        ("put the red cube on the blue mug", "on the blue mug", "in the tray"),
        ("put the cube in the red tray and in the blue tray", "two destinations", "the red tray or the blue tray?"),
        ("take the red cube in the tray", "can mean two things", "into the tray, or take the red cube from the tray?"),
        ("pick up the red cube next to the mug", "'beside the mug'", "colour and shape"),
        ("don't pick up the red cube", "'don't'", "pick up the red cube"),
        ("don't stop", "'don't'", "pick up the red cube"),
        ("pick up the " + "very " * MAX_WORDS + "red cube", f"{MAX_WORDS + 5} words", "pick up the red cube"),
    ],
)
def test_refuses(text: str, reason: str, hint: str) -> None:
    error = refusal(text)
    assert error.stage == "intent"
    assert reason in error.reason
    assert hint in error.hint


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        intent = understand(text)
    except Refused:
        return
    assert intent.verb in v.VERBS


MANNERS = {word for phrase in v.POLITE for word in phrase if len(phrase) == 1}  # "me" is among them

SALAD = v.word_set(
    "the a red blue cube mug tray table in on to from beside it and then or put pick shiny quickly zebra"
)


@given(st.sampled_from(["pick up", "put", "take"]), st.lists(st.sampled_from(sorted(SALAD)), max_size=9))
@settings(max_examples=500)
def test_a_word_salad_is_refused_or_means_words_in_it(verb: str, words: list[str]) -> None:
    try:
        intent = understand(" ".join([verb, *words]))
    except Refused:
        return
    assert intent.verb in ("pick", "place")
    assert intent.target is not None
    assert intent.target.shape in {"cube", "mug"} & set(words)
    assert intent.target.colour in {None, *({"red", "blue"} & set(words))}
    assert (intent.verb == "place") == (intent.destination is not None)
    assert 0.6 <= intent.confidence <= 1.0
    assert not {"or", "beside"} & set(words)


# The tables


def test_words_lead_to_what_the_catalogue_knows() -> None:
    assert set(v.SHAPE_WORDS.values()) == set(SHAPES)
    assert set(v.COLOUR_WORDS.values()) == set(COLOURS)


def test_no_word_has_two_meanings() -> None:
    tables = {
        "shape": set(v.SHAPE_WORDS), "colour": set(v.COLOUR_WORDS), "other colour": set(v.OTHER_COLOURS),
        "plural": set(v.PLURALS), "skipped": set(v.SKIPPED), "preposition": set(v.PREPOSITIONS),
        "particle": set(v.PARTICLES), "quantity": set(v.QUANTITIES), "generic": set(v.GENERIC),
        "negation": set(v.NEGATIONS), "surface": set(v.SURFACES), "determiner": set(v.DETERMINERS),
        "person": set(v.PEOPLE) - set(MANNERS),
        "place": {word for word in (*SYNONYMS, *FURNITURE_WORDS) if " " not in word} - set(v.SURFACES),
        "verb": {phrase[0] for phrase in v.VERB_PHRASES if len(phrase) == 1},
        "polite": {phrase[0] for phrase in v.POLITE if len(phrase) == 1},
    }  # fmt: skip
    shared = [(a, b, tables[a] & tables[b]) for a, b in itertools.combinations(tables, 2) if tables[a] & tables[b]]
    assert not shared


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_impossible_confidence_is_a_configuration_error(share: float) -> None:
    with pytest.raises(ConfigError, match="min_confidence"):
        IntentGrammar(min_confidence=share)
