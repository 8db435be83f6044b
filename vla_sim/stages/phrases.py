"""Parts of a sentence: clauses that begin with a verb, and the objects and places they speak of."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.errors import Refused
from vla_sim.stages import vocabulary as v
from vla_sim.stages.place_words import NAMES, NOWHERE, Spot, closest_place, merge, spot_of
from vla_sim.types import ObjectQuery

Words = tuple[str, ...]


@dataclass(frozen=True)
class Noun:
    """What a noun phrase names. `query` is None for a pronoun and for nothing at all."""

    query: ObjectQuery | None
    pronoun: str = ""
    skipped: int = 0


Parts = tuple[tuple[str, Words], ...]  # preposition, what follows it


@dataclass(frozen=True)
class Clause:
    """A verb and what follows it, cut at its prepositions: the first part has the preposition ''."""

    verb: str
    said: str  # the verb as it was said
    parts: Parts


def split_clauses(words: Sequence[str]) -> tuple[Words, list[Clause]]:
    """The words before the first verb, and one clause a verb."""
    lead: list[str] = []
    clauses: list[tuple[str, str, list[str]]] = []
    i = 0
    while i < len(words):
        verb = v.phrase_at(words, i, v.VERB_PHRASES)
        if verb and not (i and verb[0] in v.NOUNS_TOO and words[i - 1] in v.BEFORE_NOUNS):
            clauses.append((v.VERB_PHRASES[verb], " ".join(verb), []))
        else:
            (clauses[-1][2] if clauses else lead).append(words[i])
            verb = ()
        i += max(len(verb), 1)
    return tuple(lead), [Clause(verb, said, cut(rest)) for verb, said, rest in clauses]


def cut(words: Sequence[str]) -> Parts:
    """The words before the first preposition, and those after each; "the table in the kitchen" stays one place."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for word in words:
        if word in v.PREPOSITIONS:
            parts.append((word, []))
        else:
            parts[-1][1].append(word)
    joined: list[tuple[str, Words]] = []
    for preposition, rest in parts:
        whole = _link(joined[-1][1], tuple(rest)) if joined and preposition in v.PLACE_LINKS else ()
        if whole:
            joined[-1] = (joined[-1][0], whole)
        else:
            joined.append((preposition, tuple(rest)))
    return tuple(joined)


def _link(furniture: Words, room: Words) -> Words:
    """Two noun phrases that name one place, as one; empty when they do not."""
    thing, inside = spot_of(head(furniture)), spot_of(head(room))
    if thing is None or inside is None or thing.room or not inside.room or inside.furniture or inside.special:
        return ()
    both = merge(thing, inside)
    assert both is not None
    outer = tuple(w for w in room if w != head(room))
    return tuple(both.name if w == head(furniture) else w for w in furniture) + outer


def head(words: Words) -> str:
    """The last word that means something; empty when there is none."""
    return next((w for w in reversed(words) if w not in v.IDLE), "")


def is_surface(words: Words) -> bool:
    """Whether a noun phrase names the place where everything stands."""
    return head(words) in v.SURFACES


def names_place(words: Words) -> bool:
    """Whether a noun phrase names a place and no object."""
    return any(spot_of(w) for w in words) and not any(w in v.SHAPE_WORDS for w in words)


def is_here(words: Words) -> bool:
    """Whether a noun phrase names just a table, in no room: the one before the robot, unless a room was named."""
    return is_surface(words) and not any(w in NAMES or w in v.PEOPLE for w in words)


def read_place(words: Words) -> tuple[Spot, int]:
    """Understand the words for a place: the place, `NOWHERE` for none, and the number of words that were skipped.

    Raises Refused that names the word it does not know, or asks which place is meant.
    """
    if "or" in words or "either" in words:
        raise Refused("intent", f"'{' '.join(words)}' leaves a choice", "which one? name one place")
    objects = [w for w in words if w in v.SHAPE_WORDS]
    if objects:
        raise Refused("intent", f"the {objects[0]} is no place to go to", "name a room or a table")
    many = next((w for w in words if w in v.QUANTITIES), "")
    spots = list(dict.fromkeys(spot for spot in map(spot_of, words) if spot is not None))
    if many or len(spots) > 1:
        several = f"'{many}' means several places" if many else f"two places: {' and '.join(s.name for s in spots)}"
        raise Refused("intent", several, "which one first? one place is gone to at a time")
    strange = [w for w in words if w not in v.IDLE and spot_of(w) is None]
    if strange:
        raise Refused("intent", f"unknown place '{strange[-1]}'", closest_place(strange[-1]))
    return spots[0] if spots else NOWHERE, sum(w in v.SKIPPED for w in words)


def read_noun(words: Words, choices: Sequence[str]) -> Noun:
    """Understand a noun phrase.

    Raises Refused that names the word it does not know with the nearest of `choices`, or asks which object is meant.
    """
    _refuse_several(words)
    shapes = list(dict.fromkeys(v.SHAPE_WORDS[w] for w in words if w in v.SHAPE_WORDS))
    if not shapes:
        return _without_object(words, choices)
    if len(shapes) > 1:
        raise Refused("intent", f"two objects at once: {' and '.join(shapes)}", f"which one: {' or '.join(shapes)}?")
    colour = _colour(words, shapes[0])
    last = max(i for i, w in enumerate(words) if w in v.SHAPE_WORDS)
    strange = [(i, w) for i, w in enumerate(words) if _unknown(w)]
    for i, word in strange:
        if i > last:
            raise Refused("intent", f"unknown object '{words[last]} {word}'", v.closest_object(word, choices))
        if colour is None or difflib.get_close_matches(word, v.COLOUR_WORDS, n=1, cutoff=v.ALIKE):
            raise Refused("intent", f"unknown colour '{word}'", v.closest_colour(word))
    skipped = len(strange) + sum(w in v.SKIPPED for w in words)
    return Noun(ObjectQuery(shapes[0], colour), skipped=skipped)


def _unknown(word: str) -> bool:
    idle = v.IDLE | v.PRONOUNS | v.GENERIC
    return word not in v.SHAPE_WORDS and word not in v.COLOUR_WORDS and word not in idle


def _refuse_several(words: Words) -> None:
    if "or" in words or "either" in words:
        raise Refused("intent", f"'{' '.join(words)}' leaves a choice", "which one? name one colour and one object")
    many = next((w for w in words if w in v.QUANTITIES or w in v.PLURALS), "")
    if many:
        raise Refused("intent", f"'{many}' means several objects", "which one first? one object is moved at a time")


def _colour(words: Words, shape: str) -> str | None:
    other = next((w for w in words if w in v.OTHER_COLOURS), "")
    if other:
        raise Refused("intent", f"unknown colour '{other}'", v.closest_colour(other))
    colours = list(dict.fromkeys(v.COLOUR_WORDS[w] for w in words if w in v.COLOUR_WORDS))
    if len(colours) > 1:
        choice = " or ".join(f"the {colour} {shape}" for colour in colours)
        raise Refused("intent", f"two colours for one object: {' and '.join(colours)}", f"which one: {choice}?")
    return colours[0] if colours else None


def _without_object(words: Words, choices: Sequence[str]) -> Noun:
    """A noun phrase without a known object: a pronoun, nothing, or a mistake."""
    strange = [w for w in words if _unknown(w)]
    if strange:
        raise Refused("intent", f"unknown object '{strange[-1]}'", v.closest_object(strange[-1], choices))
    colours = [w for w in words if w in v.COLOUR_WORDS]
    vague = [w for w in words if w in v.GENERIC]
    if colours or vague:
        said = " ".join([*colours[:1], *vague[:1]])
        raise Refused("intent", f"'{said}' names no object", f"which object? {v.closest_object('', choices)}")
    pronouns = [w for w in words if w in v.PRONOUNS]
    if pronouns:
        return Noun(None, pronouns[0], skipped=sum(w in v.SKIPPED for w in words))
    things = [w for w in words if w in v.ADJECTIVES]
    if things:
        raise Refused("intent", f"unknown object '{things[-1]}'", v.closest_object(things[-1], choices))
    return Noun(None, skipped=sum(w in v.SKIPPED for w in words))
