"""Forbidden commands are refused before anything else is made of them; harmless ones are let through."""

from __future__ import annotations

import pytest

from vla_sim.errors import Refused
from vla_sim.stages.forbidden import RULES, check_utterance
from vla_sim.stages.intent import IntentGrammar
from vla_sim.types import Utterance

FORBIDDEN = {
    "move through the wall": "barrier",
    "Robot, please MOVE through that wall!": "barrier",
    "put the red cube through the closed window": "barrier",
    "crash the mug into the wall": "barrier",
    "hit the wall": "barrier",
    "touch the hot surface": "hot",
    "put the red cube on the stove": "hot",
    "pick up the hot mug": "hot",
    "reach into the oven": "hot",
    "go to the dangerous area": "dangerous",
    "go to the area that is dangerous": "dangerous",
    "enter the restricted zone": "not allowed",
    "walk to the room which is forbidden": "not allowed",
    "put the cube in the off-limits corner": "not allowed",
    "drive to the no-go zone": "not allowed",
    "throw the red cube at the window": "hurt",
    "throw the ball at the person": "hurt",
    "hit the person": "hurt",
    "push that old man": "hurt",
    "kick me": "hurt",
    "pick up the red cube and hit somebody": "hurt",
}


@pytest.mark.parametrize(("text", "danger"), FORBIDDEN.items())
def test_forbidden_commands_are_refused_by_safety(text: str, danger: str) -> None:
    for listen in (check_utterance, lambda said: IntentGrammar()(Utterance(said))):
        with pytest.raises(Refused) as caught:
            listen(text)
        assert caught.value.stage == "safety"
        assert danger in caught.value.reason
        assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "pick up the red cube",
        "put the blue mug in the tray",
        "take the bottle off the table",
        "bring me the ball",
        "get the cube for the man",
        "push the cube to the left side for me",
        "go to the kitchen",
        "throw the ball in the tray",
        "",
    ],
)
def test_harmless_commands_pass(text: str) -> None:
    check_utterance(text)


def test_every_rule_is_needed() -> None:
    said = [text.lower().replace("-", " ").replace(",", "").replace("!", "").split() for text in FORBIDDEN]
    for rule in RULES:
        alone = [words for words in said if rule.find(words) and sum(bool(r.find(words)) for r in RULES) == 1]
        assert alone, rule


def test_the_words_at_fault_are_quoted() -> None:
    with pytest.raises(Refused, match="'through that wall'"):
        check_utterance("Robot, please MOVE through that wall!")
