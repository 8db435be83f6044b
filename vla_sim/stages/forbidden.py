"""What the robot refuses to hear: commands that would hurt somebody or break something, whatever else they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.errors import Refused
from vla_sim.stages.vocabulary import tokenise, word_set


@dataclass(frozen=True)
class Rule:
    """Forbids one of `first`, followed within `within` words by one of `second` (or alone, when `second` is empty)."""

    danger: str
    first: frozenset[str]
    second: frozenset[str] = frozenset()
    within: int = 4

    def find(self, words: Sequence[str]) -> str:
        """The forbidden words as they were said; empty when there are none."""
        for i, word in enumerate(words):
            if word not in self.first:
                continue
            if not self.second:
                return word
            for j, other in enumerate(words[i + 1 : i + 1 + self.within], i + 1):
                if other in self.second:
                    return " ".join(words[i : j + 1])
        return ""


_BARRIERS = word_set("wall walls window windows fence fences barrier barriers partition")
_AREAS = word_set("area areas zone zones room region place space section corridor site")
_CLOSED = word_set("restricted forbidden prohibited")
_PEOPLE = word_set(
    "person persons people human humans man men woman women child children kid kids boy girl baby user operator worker "
    "someone somebody anyone anybody everyone everybody me him her them us crowd dog cat pet animal"
)
_VIOLENCE = word_set(
    "hit strike punch kick slap push shove hurt harm attack stab injure kill crush poke squeeze choke shoot smash cut "
    "burn ram"
)

RULES = (
    Rule("it would run into a barrier", word_set("through into against"), _BARRIERS),
    Rule("it would run into a barrier", word_set("hit ram crash smash punch kick break"), _BARRIERS),
    Rule("it would touch something hot", word_set("hot burning boiling scalding hotplate")),
    Rule("it would touch something hot", word_set("stove oven hob cooktop burner heater radiator fire flame flames")),
    Rule("it would go where it is dangerous", word_set("dangerous danger hazardous hazard unsafe")),
    Rule("it would go where it is not allowed", _CLOSED, _AREAS),
    Rule("it would go where it is not allowed", _AREAS, _CLOSED),
    Rule("it would go where it is not allowed", word_set("off"), word_set("limits"), within=1),
    Rule("it would go where it is not allowed", word_set("no"), word_set("go"), within=1),
    Rule("it would hurt somebody", _VIOLENCE, _PEOPLE, within=3),
    Rule("it would hurt somebody", word_set("throw toss hurl fling chuck launch"), word_set("at"), within=8),
)
HINT = "the robot picks up objects and puts them in a tray, for example 'put the red cube in the tray'"


def check_utterance(text: str) -> None:
    """Refuse a forbidden command before anything else is made of it.

    Raises Refused("safety", ...) that quotes the words and names the danger.
    """
    words = tokenise(text)
    for rule in RULES:
        found = rule.find(words)
        if found:
            raise Refused("safety", f"forbidden command '{found}': {rule.danger}", HINT)
