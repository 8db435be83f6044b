"""Words for places: rooms, what stands in them, where the robot started, and one spelling for each.

The grammar hears these words whatever scene it is in; whether there is such a place is for `vla_sim.stages.places`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vla_sim.stages import vocabulary as v

ROOMS = {
    "kitchen": ("kitchenette",),
    "living room": ("livingroom", "lounge", "sitting room", "family room", "front room", "parlour", "parlor"),
    "bedroom": ("bed room", "sleeping room"),
    "bathroom": ("bath room", "washroom", "restroom", "toilet"),
    "hall": ("hallway", "corridor", "entrance hall", "entrance", "lobby", "foyer"),
    "office": ("home office", "study"),
    "dining room": ("diningroom", "dining area"),
    "workshop": ("workroom", "work room"),
    "lab": ("laboratory",),
    "storage": ("storage room", "store room", "storeroom", "stockroom"),
}
FURNITURE = {
    "table": ("tabletop",),
    "counter": ("countertop", "worktop"),
    "shelf": ("bookshelf", "rack"),
    "desk": (),
    "workbench": ("bench",),
}
START_PHRASES = (
    "start", "the start", "home", "home position", "your home", "origin", "starting point", "starting position",
    "start point", "start position", "the place where you started", "the place you started from", "where you started",
    "where you started from", "where you were", "where you were before", "where you came from", "where you began",
    "where you stood", "your place", "the starting place", "your starting place",
)  # fmt: skip
PERSON_PHRASES = ("where i am", "where i stand", "where i'm standing", "my place")


@dataclass(frozen=True)
class Spot:
    """A place as words tell it. Furniture without a room is some table wherever the robot is."""

    room: str = ""
    furniture: str = ""

    @property
    def name(self) -> str:
        """One spelling: "kitchen", "kitchen table", "table"; empty for nowhere."""
        return f"{self.room} {self.furniture}".strip()

    @property
    def special(self) -> bool:
        """Whether it is a person or the start: no part of a floor plan."""
        return self in (PERSON, START)


NOWHERE, PERSON, START = Spot(), Spot("person"), Spot("start")


def _phrases() -> Iterator[tuple[str, Spot]]:
    yield from ((phrase, START) for phrase in START_PHRASES)
    for room, synonyms in ROOMS.items():
        for word in (room, *synonyms):
            yield word, Spot(room)
            yield f"{word} area", Spot(room)
            for name in (word, f"{word}'s"):
                yield from ((f"{name} {thing}", Spot(room, kind)) for thing, kind in FURNITURE_WORDS.items())
    yield from ((f"dining {thing}", Spot("dining room", kind)) for thing, kind in FURNITURE_WORDS.items())


FURNITURE_WORDS = {word: kind for kind, synonyms in FURNITURE.items() for word in (kind, *synonyms)}
_SPOTS = {tuple(phrase.split()): spot for phrase, spot in _phrases()}
_PEOPLE = {tuple(phrase.split()): "me" for phrase in PERSON_PHRASES}
NAMES: Mapping[str, Spot] = {spot.name: spot for spot in _SPOTS.values()}  # of everything but bare furniture
SYNONYMS = {" ".join(phrase): spot.name for phrase, spot in _SPOTS.items()}  # phrase -> name


def join_places(words: Sequence[str]) -> list[str]:
    """The words with every phrase for a place drawn together into its one name."""
    joined: list[str] = []
    i = 0
    while i < len(words):
        person = v.phrase_at(words, i, _PEOPLE)
        phrase = v.phrase_at(words, i, _SPOTS)
        if person:
            joined.append(_PEOPLE[person])
        else:
            joined.append(_SPOTS[phrase].name if phrase else words[i])
        i += max(len(person), len(phrase), 1)
    return joined


def spot_of(word: str) -> Spot | None:
    """The place a joined word names; None when it names none."""
    if word in v.PEOPLE:
        return PERSON
    if word in FURNITURE_WORDS:
        return Spot(furniture=FURNITURE_WORDS[word])
    return NAMES.get(word)


def merge(a: Spot, b: Spot) -> Spot | None:
    """The one place both can mean: kitchen and table are the kitchen table; None when they contradict each other."""
    if not a.name or not b.name or a == b:
        return a if a.name else b
    if a.special or b.special:
        return None
    rooms, things = {a.room, b.room} - {""}, {a.furniture, b.furniture} - {""}
    if len(rooms) > 1 or len(things) > 1:
        return None
    return Spot("".join(rooms), "".join(things))


def normalise(text: str) -> str:
    """One spelling for a place's name: "the table in the Lounge" -> "living room table". Unknown words stay."""
    words = [w for w in join_places(v.tokenise(text)) if w not in v.DETERMINERS]
    spots = [spot_of(w) for w in words]
    if len(words) == 3 and words[1] in v.PLACE_LINKS and spots[0] and spots[2]:
        both = merge(spots[0], spots[2])
        if both is not None:
            return both.name
    return " ".join(spot.name if spot else word for word, spot in zip(words, spots, strict=True))


def closest_place(word: str) -> str:
    """A hint that names the nearest place."""
    known = {**SYNONYMS, **FURNITURE_WORDS}
    return v.closest(word, known, [*ROOMS, *FURNITURE])
