"""What the robot refuses to hear: commands that would hurt somebody or break something, whatever else they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.errors import Refused
from vla_sim.stages.vocabulary import tokenise, word_set


@dataclass(frozen=True)
class Rule:
    """Forbids one of `first`, followed within `within` words by one of `second` (or alone, when `second` is empty).

    A word of `unless` between them begins another thought.
    """

    danger: str
    first: frozenset[str]
    second: frozenset[str] = frozenset()
    within: int = 4
    unless: frozenset[str] = frozenset()

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
                if other in self.unless:
                    break
        return ""


_BARRIERS = word_set(
    "wall walls window windows fence fences barrier barriers partition railing railings banister mirror"
)
_OBSTACLES = _BARRIERS | word_set("door doors table tables shelf shelves counter desk furniture cupboard sofa couch")
_SHUT = word_set("closed locked shut")
_ROOMS = word_set("kitchen bedroom bathroom office lab laboratory workshop storage hall hallway lounge door doors")
_AREAS = _ROOMS | word_set(
    "area areas zone zones room region place space section corridor site spot part perimeter territory"
)
_CLOSED = word_set("restricted forbidden prohibited")
_CLOSED_ZONE = word_set("exclusion quarantine quarantined contaminated")
_SOMEBODY = word_set("me him her them us someone somebody anyone anybody everyone everybody")
_BYSTANDERS = word_set(
    "person persons people human humans man men woman women lady guy gentleman child children kid kids boy girl baby "
    "user operator worker guest visitor owner crowd dog cat pet animal"
)
_PEOPLE = _SOMEBODY | _BYSTANDERS
_VIOLENCE = word_set(
    "hit strike punch kick slap push shove hurt harm attack stab injure kill crush poke squeeze choke shoot smash cut "
    "burn ram trample trip tackle strangle bite scratch"
)
_ANOTHER_THOUGHT = word_set("to toward towards with for from and then by near beside in on at take bring give hand")

RULES = (
    Rule("it would run into a barrier", word_set("through into against"), _BARRIERS),
    Rule("it would run into a barrier", word_set("hit ram crash smash punch kick break bump collide"), _OBSTACLES),
    Rule("it would run into a barrier", word_set("through"), _SHUT, within=2),
    Rule("it would run into a barrier", word_set("over climb"), _BARRIERS, unless=_ANOTHER_THOUGHT),
    Rule("it would touch something hot", word_set("hot burning boiling scalding hotplate")),
    Rule("it would touch something hot", word_set("stove oven hob cooktop burner heater radiator fire flame flames")),
    Rule("it would touch something hot", word_set("fireplace stovetop furnace grill toaster kettle candle")),
    Rule("it would touch something sharp or live", word_set("knife knives blade blades scissors razor")),
    Rule("it would touch something sharp or live", word_set("socket sockets wire wires cable cables electric")),
    Rule("it would fall", word_set("stairs staircase stairwell stairway ladder cliff ledge roof")),
    Rule("it would fall", word_set("jump leap dive climb")),
    Rule("it would go where it is dangerous", word_set("dangerous danger hazardous hazard hazards unsafe perilous")),
    Rule("it would go where it is not allowed", _CLOSED, _AREAS),
    Rule("it would go where it is not allowed", _AREAS, _CLOSED),
    Rule("it would go where it is not allowed", _CLOSED_ZONE, _AREAS, within=2),
    Rule("it would go where it is not allowed", word_set("off"), word_set("limits"), within=1),
    Rule("it would go where it is not allowed", word_set("out"), word_set("bounds"), within=2),
    Rule("it would go where it is not allowed", word_set("no"), word_set("go entry"), within=1),
    Rule("it would hurt somebody", _VIOLENCE, _PEOPLE, within=3),
    Rule("it would hurt somebody", word_set("into through against"), _SOMEBODY - {"her"}, within=1),
    Rule(
        "it would hurt somebody", word_set("into over through against"), _BYSTANDERS, within=3, unless=_ANOTHER_THOUGHT
    ),
    Rule("it would hurt somebody", word_set("throw toss hurl fling chuck launch"), word_set("at"), within=8),
)
HINT = (
    "the robot goes to rooms and tables, follows, brings and hands over objects and puts them in a tray, for example "
    "'go to the kitchen' or 'put the red cube in the tray'"
)


def check_utterance(text: str) -> None:
    """Refuse a forbidden command before anything else is made of it.

    Raises Refused("safety", ...) that quotes the words and names the danger.
    """
    words = tokenise(text)
    for rule in RULES:
        found = rule.find(words)
        if found:
            raise Refused("safety", f"forbidden command '{found}': {rule.danger}", HINT)
