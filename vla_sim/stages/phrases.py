"""Parts of a sentence: clauses that begin with a verb, and the objects they speak of."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.errors import Refused
from vla_sim.stages import vocabulary as v
from vla_sim.types import ObjectQuery

Words = tuple[str, ...]


@dataclass(frozen=True)
class Noun:
    """What a noun phrase names. `query` is None for a pronoun and for nothing at all."""

    query: ObjectQuery | None
    pronoun: str = ""
    skipped: int = 0


@dataclass(frozen=True)
class Clause:
    """A verb and what follows it, cut at its prepositions: the first part has the preposition ''."""

    verb: str
    said: str  # the verb as it was said
    parts: tuple[tuple[str, Words], ...]


def split_clauses(words: Sequence[str]) -> tuple[Words, list[Clause]]:
    """The words before the first verb, and one clause a verb."""
    lead: list[str] = []
    clauses: list[tuple[str, str, list[str]]] = []
    i = 0
    while i < len(words):
        verb = v.phrase_at(words, i, v.VERB_PHRASES)
        if verb:
            clauses.append((v.VERB_PHRASES[verb], " ".join(verb), []))
        else:
            (clauses[-1][2] if clauses else lead).append(words[i])
        i += max(len(verb), 1)
    return tuple(lead), [Clause(verb, said, _cut(rest)) for verb, said, rest in clauses]


def _cut(words: Sequence[str]) -> tuple[tuple[str, Words], ...]:
    parts: list[tuple[str, list[str]]] = [("", [])]
    for word in words:
        if word in v.PREPOSITIONS:
            parts.append((word, []))
        else:
            parts[-1][1].append(word)
    return tuple((preposition, tuple(rest)) for preposition, rest in parts)


def head(words: Words) -> str:
    """The last word that means something; empty when there is none."""
    return next((w for w in reversed(words) if w not in v.DETERMINERS | v.SKIPPED | v.PARTICLES), "")


def is_surface(words: Words) -> bool:
    """Whether a noun phrase names the place where everything stands."""
    return head(words) in v.SURFACES


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
    idle = v.DETERMINERS | v.PRONOUNS | v.SKIPPED | v.GENERIC | v.PARTICLES
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
