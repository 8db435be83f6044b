"""Intent: what the user wants, from the words. A grammar with synonyms; what it does not know it refuses by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from vla_sim.errors import ConfigError, Refused
from vla_sim.stages import vocabulary as v
from vla_sim.stages.clauses import read_clause
from vla_sim.stages.forbidden import check_utterance
from vla_sim.stages.phrases import Clause, Words, cut, names_place, split_clauses
from vla_sim.stages.place_words import join_places
from vla_sim.stages.tasks import combine
from vla_sim.types import Intent, Utterance

EXAMPLE = "say for example 'pick up the red cube', 'put the red cube in the tray' or 'go to the kitchen'"
MAX_WORDS = 40


class IntentGrammar:
    """Understands "pick up the red cube", "put it in the tray", "bring me the mug from the kitchen", "go to the lab",
    "touch the ball", "follow me", "stop" and their like.

    Places are those of `vla_sim.stages.place_words`; the grammar does not know which of them the scene has.
    The confidence of an intent is the share of the words that were understood; below `min_confidence` (0-1) the
    command is refused. "Stop" anywhere stops, whatever else is said; otherwise forbidden commands are refused first.
    """

    def __init__(self, min_confidence: float = 0.6) -> None:
        if not 0.0 <= min_confidence <= 1.0:
            raise ConfigError("min_confidence", f"must be between 0 and 1, got {min_confidence:g}")
        self.min_confidence = min_confidence

    def __call__(self, utterance: Utterance) -> Intent:
        """The intent in one sentence.

        Raises Refused: "safety" for a forbidden command, "intent" for one that is not understood, with a reason that
        names the words at fault and a hint that names the nearest valid choice or asks back.
        """
        said = v.tokenise(utterance.text)
        if says_stop(utterance.text):
            return Intent("stop")
        check_utterance(utterance.text)
        _check_form(said)
        words = join_places(_without_manners(_join_compounds(said)))
        if not words:
            raise Refused("intent", "the command is empty", EXAMPLE)
        lead, clauses = split_clauses(words)
        clauses, lost = _with_lead(lead, clauses)
        if not clauses:
            raise Refused("intent", f"no verb in '{' '.join(words)}'", EXAMPLE)
        readings = [read_clause(clause) for clause in clauses]
        intent = combine(readings)
        lost += sum(reading.skipped for reading in readings)
        confidence = 1.0 - lost / len(said)
        if confidence < self.min_confidence:
            raise Refused("intent", f"only {confidence:.0%} of the words were understood", EXAMPLE)
        return dataclasses.replace(intent, confidence=confidence)


def says_stop(text: str) -> bool:
    """Whether "stop" or its like is said anywhere in `text`, but for "don't stop". Needs nothing else understood."""
    words = v.tokenise(text)
    for i in range(len(words)):
        phrase = v.phrase_at(words, i, v.VERB_PHRASES)
        if phrase and v.VERB_PHRASES[phrase] == "stop" and not (i and words[i - 1] in v.NEGATIONS):
            return True
    return False


def _check_form(words: Sequence[str]) -> None:
    if not words:
        raise Refused("intent", "the command is empty", EXAMPLE)
    if len(words) > MAX_WORDS:
        raise Refused("intent", f"the command has {len(words)} words, at most {MAX_WORDS} are listened to", EXAMPLE)
    negation = next((word for word in words if word in v.NEGATIONS), "")
    if negation:
        raise Refused("intent", f"'{negation}': say what to do, not what to leave", EXAMPLE)


def _join_compounds(words: Sequence[str]) -> list[str]:
    joined: list[str] = []
    i = 0
    while i < len(words):
        compound = v.phrase_at(words, i, v.COMPOUNDS)
        joined.append(v.COMPOUNDS[compound] if compound else words[i])
        i += max(len(compound), 1)
    return joined


def _without_manners(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    i = 0
    while i < len(words):
        polite = v.phrase_at(words, i, v.POLITE)
        if polite == ("me",) and i and words[i - 1] in v.BEFORE_ME:
            polite = ()
        if not polite:
            kept.append(words[i])
        i += max(len(polite), 1)
    return kept


def _with_lead(lead: Words, clauses: list[Clause]) -> tuple[list[Clause], int]:
    """The clauses, "in the kitchen" before the first one put behind it, and the number of idle words before it."""
    before, *places = cut(lead)
    movable = clauses and places and all(p in v.FRONTED and names_place(words) for p, words in places)
    if not movable:
        return clauses, _skip_lead(lead)
    first = clauses[0]
    moved = Clause(first.verb, first.said, (*first.parts, *places))
    return [moved, *clauses[1:]], _skip_lead(before[1])


def _skip_lead(lead: Words) -> int:
    """Number of idle words before the first verb; anything else there is a verb that is not known, or none at all."""
    meant = [word for word in lead if word not in v.ADVERBS and word not in v.PARTICLES]
    if not meant:
        return sum(word in v.ADVERBS for word in lead)
    named = [word for word in meant if word in v.SHAPE_WORDS]
    if meant[0] in {*v.SHAPE_WORDS, *v.COLOUR_WORDS, *v.DETERMINERS, *v.PRONOUNS}:
        what = f"the {named[0]}" if named else "it"
        raise Refused("intent", f"no verb before '{' '.join(lead)}'", f"what is to be done with {what}? {EXAMPLE}")
    raise Refused("intent", f"unknown verb '{meant[0]}'", v.closest_verb(meant[0]))
