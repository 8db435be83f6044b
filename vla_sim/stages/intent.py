"""Intent: what the user wants, from the words. A grammar with synonyms; what it does not know it refuses by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.catalogue import GRASPABLE
from vla_sim.errors import ConfigError, Refused
from vla_sim.stages import vocabulary as v
from vla_sim.stages.forbidden import check_utterance
from vla_sim.stages.phrases import Clause, Noun, Words, head, is_surface, read_noun, split_clauses
from vla_sim.types import Intent, ObjectQuery, Utterance

EXAMPLE = "say for example 'pick up the red cube' or 'put the red cube in the tray'"
MAX_WORDS = 40


class IntentGrammar:
    """Understands "pick up the red cube", "put it in the tray", "stop" and their like.

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
        if _says_stop(said):
            return Intent("stop")
        check_utterance(utterance.text)
        _check_form(said)
        words = _without_manners(_join_compounds(said))
        if not words:
            raise Refused("intent", "the command is empty", EXAMPLE)
        lead, clauses = split_clauses(words)
        lost = _skip_lead(lead)
        readings = [_read(clause) for clause in clauses]
        verb, target, destination = _combine(readings)
        lost += sum(reading.skipped for reading in readings)
        confidence = 1.0 - lost / len(said)
        if confidence < self.min_confidence:
            raise Refused("intent", f"only {confidence:.0%} of the words were understood", EXAMPLE)
        return Intent(verb, target, destination, confidence)


@dataclass
class _Reading:
    """One clause, understood."""

    verb: str
    said: str
    target: Noun
    skipped: int
    destination: ObjectQuery | None = None


def _says_stop(words: Sequence[str]) -> bool:
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
        if not polite:
            kept.append(words[i])
        i += max(len(polite), 1)
    return kept


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


def _read(clause: Clause) -> _Reading:
    target = read_noun(clause.parts[0][1], GRASPABLE)
    reading = _Reading(clause.verb, clause.said, target, target.skipped)
    on_surface = False
    for preposition, words in clause.parts[1:]:
        if preposition in v.INTO and is_surface(words):
            on_surface = True
        elif preposition in v.INTO:
            _read_destination(reading, preposition, words)
        elif not (preposition in v.FROM and _is_source(words)):
            where = " ".join((preposition, *words))
            raise Refused("intent", f"'{where}' is not understood", "an object is named by its colour and shape alone")
    if reading.verb == "place" and reading.destination is None and on_surface:
        raise Refused("intent", "things cannot be put on the table", "say 'in the tray'")
    return reading


def _is_source(words: Words) -> bool:
    return is_surface(words) or v.SHAPE_WORDS.get(head(words)) in v.CONTAINERS


def _read_destination(reading: _Reading, preposition: str, words: Words) -> None:
    noun = read_noun(words, v.CONTAINERS)
    reading.skipped += noun.skipped
    if noun.query is None:
        return
    if noun.query.shape not in v.CONTAINERS:
        hint = " or ".join(f"'in the {name}'" for name in v.CONTAINERS)
        raise Refused("intent", f"'{preposition} the {noun.query}' is no place to put things", f"say {hint}")
    if reading.verb == "pick" and preposition not in v.TOWARDS:
        thing, place = reading.target.query or "object", noun.query
        question = f"put the {thing} into the {place}, or take the {thing} from the {place}?"
        raise Refused("intent", f"'{reading.said} ... {preposition} the {place}' can mean two things", question)
    if reading.destination not in (None, noun.query):
        choice = f"the {reading.destination} or the {noun.query}"
        raise Refused("intent", "two destinations", f"which one: {choice}?")
    reading.verb, reading.destination = "place", noun.query


def _combine(readings: Sequence[_Reading]) -> tuple[str, ObjectQuery, ObjectQuery | None]:
    """One task out of all clauses: "take the mug and put it in the tray" is one, two objects are two."""
    verbs = [reading.verb for reading in readings]
    if readings[0].target.pronoun:
        problem = f"'{readings[0].said} {readings[0].target.pronoun}' refers to nothing said before"
        raise Refused("intent", problem, "which object? " + v.closest_object("", GRASPABLE))
    target = _same_object([reading.target.query for reading in readings if reading.target.query is not None])
    if target is None:
        raise Refused("intent", f"'{readings[0].said}' what? no object is named", v.closest_object("", GRASPABLE))
    if "place" in verbs[:-1]:
        raise Refused("intent", "two tasks at once", "which one first? one task is done at a time")
    if target.shape not in GRASPABLE:
        raise Refused("intent", f"the {target} cannot be picked up", v.closest_object(target.shape, GRASPABLE))
    destination = readings[-1].destination
    if verbs[-1] == "place" and destination is None:
        question = f"where is the {target} to go? say 'in the {v.CONTAINERS[0]}'"
        raise Refused("intent", f"'{readings[-1].said}' needs a destination", question)
    return verbs[-1], target, destination


def _same_object(queries: Sequence[ObjectQuery]) -> ObjectQuery | None:
    """The one object all of `queries` can mean; None for an empty list."""
    if not queries:
        return None
    first = queries[0]
    colours = sorted({query.colour for query in queries if query.colour is not None})
    other = next(
        (q for q in queries if q.shape != first.shape or (q.colour != first.colour and len(colours) > 1)), None
    )
    if other is not None:
        raise Refused("intent", "two objects at once", f"which one first: the {first} or the {other}?")
    return ObjectQuery(first.shape, colours[0] if colours else None)
