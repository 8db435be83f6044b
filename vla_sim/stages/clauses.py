"""One clause of a command, understood: what is handled, where it is, where it goes, or where the robot goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vla_sim.catalogue import GRASPABLE
from vla_sim.errors import Refused
from vla_sim.stages import vocabulary as v
from vla_sim.stages.phrases import Clause, Noun, Words, head, is_here, is_surface, names_place, read_noun, read_place
from vla_sim.stages.place_words import NAMES, NOWHERE, PERSON, START, Spot, merge, spot_of
from vla_sim.types import ObjectQuery

HEADED_FOR = v.TOWARDS | v.BESIDE | {"towards", "toward", "in", "inside", "within"}
BACK, HERE = "back", "here"
NAMED_ALONE = "an object is named by its colour and shape alone"


@dataclass
class Reading:
    """One clause, understood. Places that end in `_here` are tables without a room: they make a room exact."""

    verb: str
    said: str
    target: Noun = field(default_factory=lambda: Noun(None))
    skipped: int = 0
    destination: ObjectQuery | None = None
    place: Spot = NOWHERE  # of go: where to; else where the object is
    place_here: Spot = NOWHERE
    deliver_to: Spot = NOWHERE
    deliver_here: Spot = NOWHERE
    may_deliver_to: Spot = NOWHERE  # "get me the cube": to the person, when it is somewhere else


def read_clause(clause: Clause) -> Reading:
    """Understand one clause.

    Raises Refused("intent", ...) that names the words at fault, with a hint that names what is understood.
    """
    clause, back = _without_back(clause)
    walks = clause.said in v.MAY_WALK and _goes_nowhere_else(clause)
    if clause.verb == "go" and clause.said.split()[0] == "return" and _names_object(clause.parts[0][1]):
        clause = Clause("pick", clause.said, clause.parts)
    readers: dict[str, Callable[[Clause], Reading]] = {"go": _read_go, "follow": _read_follow, "reach": _read_reach}
    reading = _read_go(clause) if walks else readers.get(clause.verb, _read_handling)(clause)
    place = reading.place if reading.verb == "go" else reading.deliver_to
    if back and not place.name:
        if reading.verb == "go":
            reading.place = START
        else:
            reading.deliver_to = START
    return reading


def _without_back(clause: Clause) -> tuple[Clause, bool]:
    said = clause.said.split()
    if clause.verb != "go" and clause.said not in v.TRANSPORT:
        return clause, False
    back = BACK in said or "return" in said or any(BACK in words for _, words in clause.parts)
    parts = tuple((preposition, tuple(w for w in words if w != BACK)) for preposition, words in clause.parts)
    return Clause(clause.verb, clause.said, parts), back


def _goes_nowhere_else(clause: Clause) -> bool:
    """Whether "move to the kitchen" or "get over here" moves nothing but the robot."""
    moved = [w for w in clause.parts[0][1] if w not in v.IDLE]
    headed = any(p in HEADED_FOR and names_place(words) for p, words in clause.parts[1:])
    return not moved and (headed or HERE in clause.parts[0][1])


def _names_object(words: Words) -> bool:
    return any(w in v.SHAPE_WORDS or w in v.PRONOUNS for w in words)


# Going and following


def _read_go(clause: Clause) -> Reading:
    reading = Reading("go", clause.said)
    here = False
    for preposition, words in clause.parts:
        here |= HERE in words
        if preposition == "with" and _names_object(words):
            reading.target = read_noun(words, GRASPABLE)
            reading.skipped += reading.target.skipped
            continue
        if not words and preposition in ("", "over", "by"):
            continue
        if preposition and preposition not in HEADED_FOR:
            raise _not_understood(preposition, words, "say where to, for example 'go to the kitchen'")
        spot, skipped = read_place(tuple(w for w in words if w != HERE))
        _check_way(preposition, words, spot)
        both = merge(reading.place, spot)
        if both is None:
            two = f"two places: {reading.place.name} and {spot.name}"
            raise Refused("intent", two, "which one first? one place is gone to at a time")
        reading.place, reading.skipped = both, reading.skipped + skipped
    alone = clause.said == "come" and not any(words for _, words in clause.parts)
    if not reading.place.name and (here or alone) and BACK not in clause.said.split():
        reading.place = PERSON
    return reading


def _check_way(preposition: str, words: Words, spot: Spot) -> None:
    """One goes into rooms, and up to furniture."""
    entered = v.INTO - {"to"}
    if preposition in entered and (spot.furniture or spot == PERSON):
        raise _not_understood(preposition, words, f"say 'to the {spot.name}'")


def _read_follow(clause: Clause) -> Reading:
    words = clause.parts[0][1]
    strange = [w for w in words if w not in v.IDLE and w not in v.PEOPLE and w not in v.PRONOUNS]
    if strange:
        raise Refused("intent", f"'{strange[-1]}' cannot be followed", "only a person can: say 'follow me'")
    if len(clause.parts) > 1:
        preposition, rest = clause.parts[1]
        raise _not_understood(preposition, rest, "who is followed leads the way; say 'follow me'")
    if not any(w in v.PEOPLE for w in words) and not clause.said.endswith("along"):
        raise Refused("intent", f"'{clause.said}' whom?", "say 'follow me' or 'follow the person'")
    return Reading("follow", clause.said, skipped=sum(w in v.SKIPPED for w in words))


# Objects


def _read_object(words: Words) -> Noun:
    """An object to be handled. A room is no adjective: "the kitchen mug" may be anywhere."""
    noun = read_noun(words, GRASPABLE)
    room = next((w for w in words if w in NAMES), "")
    if room:
        raise Refused("intent", f"'{room}' does not describe an object", f"say 'from the {room}' behind it")
    return noun


def _read_reach(clause: Clause) -> Reading:
    target = _read_object(clause.parts[0][1])
    reading = Reading("reach", clause.said, target, target.skipped)
    for preposition, words in clause.parts[1:]:
        lies = preposition in v.INTO | v.BESIDE and preposition not in v.TOWARDS
        if not (lies and (names_place(words) or is_surface(words) or _is_container(words))):
            raise _not_understood(preposition, words, NAMED_ALONE)
        if not _is_container(words):
            _read_source(reading, words)
    return reading


def _read_handling(clause: Clause) -> Reading:
    words, recipient = _split_recipient(clause.parts[0][1])
    target = _read_object(words)
    reading = Reading(clause.verb, clause.said, target, target.skipped)
    _deliver_to_recipient(reading, recipient)
    on_surface = False
    owner = ""  # what a place would belong to: the object, or the tray it goes into
    for preposition, words in clause.parts[1:]:
        if preposition == "over" and not words and clause.said in v.TRANSPORT:
            continue
        if preposition in v.INTO and is_here(words):
            on_surface = True
            _read_here(reading, preposition, words, owner)
        elif _is_known_place(reading, preposition, words):
            _read_place_of(reading, preposition, words, owner)
        elif preposition in v.INTO:
            _read_destination(reading, preposition, words)
            owner = "tray"
            continue
        elif preposition in v.FROM and (is_surface(words) or _is_container(words)):
            reading.place_here = _furniture(words)
        else:
            raise _not_understood(preposition, words, NAMED_ALONE)
        owner = ""
    _finish(reading, on_surface, HERE in clause.parts[0][1])
    return reading


def _split_recipient(words: Words) -> tuple[Words, bool]:
    """The object and whether somebody gets it: "me the red cube" is the red cube, for me."""
    start = next((i for i, w in enumerate(words) if w not in v.DETERMINERS), len(words))
    if start == len(words) or words[start] not in v.PEOPLE:
        return words, False
    rest = words[start + 1 :]
    return (rest, True) if rest or words[start] == "me" else (words, False)


def _deliver_to_recipient(reading: Reading, recipient: bool) -> None:
    if recipient and set(reading.said.split()) & v.ADDRESSED:
        reading.deliver_to = PERSON
    elif recipient:
        reading.may_deliver_to = PERSON


def _is_container(words: Words) -> bool:
    return v.SHAPE_WORDS.get(head(words)) in v.CONTAINERS


def _furniture(words: Words) -> Spot:
    spot = spot_of(head(words))
    return spot if spot is not None and not spot.special else NOWHERE


def _is_known_place(reading: Reading, preposition: str, words: Words) -> bool:
    if not names_place(words) or is_here(words):
        return False
    bare = all(not spot.room for spot in map(spot_of, words) if spot is not None)
    return not (bare and reading.verb == "place" and preposition in v.INTO)


def _read_here(reading: Reading, preposition: str, words: Words, owner: str) -> None:
    """A table without a room: the one before the robot, unless another clause names the room."""
    if owner or (reading.verb != "place" and preposition in v.TOWARDS):
        reading.deliver_here = _furniture(words)
    elif preposition not in v.TOWARDS:
        reading.place_here = _furniture(words)


def _read_place_of(reading: Reading, preposition: str, words: Words, owner: str) -> None:
    """A place: where the object is, where the tray stands, or where the object is to be brought."""
    spot, skipped = read_place(words)
    into = preposition in v.INTO - {"to"}
    headed = preposition in v.TOWARDS | {"towards", "toward"} and not (into and spot == PERSON)
    if headed and (owner or not (into and spot.furniture)):
        _set_deliver_to(reading, spot)
        reading.skipped += skipped
    elif spot == PERSON:
        raise _not_understood(preposition, words, "things are handed over: say 'bring it to me'")
    elif owner and preposition in v.INTO | v.BESIDE:
        _set_deliver_to(reading, spot)
        reading.skipped += skipped
    elif reading.verb == "place" and preposition not in v.FROM:
        problem = f"things cannot be put {preposition} the {spot.name}"
        raise Refused("intent", problem, f"say 'in the tray {preposition} the {spot.name}'")
    elif preposition in v.FROM | v.INTO | v.BESIDE and preposition not in v.TOWARDS:
        _read_source(reading, words)
    else:
        raise _not_understood(preposition, words, NAMED_ALONE)


def _read_source(reading: Reading, words: Words) -> None:
    if is_here(words):
        reading.place_here = _furniture(words)
        return
    spot, skipped = read_place(words)
    both = merge(reading.place, spot)
    if spot.special:
        raise Refused("intent", f"things are not taken from the {spot.name}", "name the room or the table")
    if both is None:
        raise Refused("intent", f"two places: {reading.place.name} and {spot.name}", "in which of them is the object?")
    reading.place, reading.skipped = both, reading.skipped + skipped


def _set_deliver_to(reading: Reading, spot: Spot) -> None:
    both = merge(reading.deliver_to, spot)
    if both is None:
        choice = f"to the {reading.deliver_to.name} or to the {spot.name}?"
        raise Refused("intent", "two destinations", f"which one: {choice}")
    reading.deliver_to = both


def _read_destination(reading: Reading, preposition: str, words: Words) -> None:
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


def _finish(reading: Reading, on_surface: bool, here: bool) -> None:
    """What a clause says without words for it."""
    nowhere = not reading.deliver_to.name and reading.destination is None
    if reading.verb == "place" and nowhere and on_surface:
        raise Refused("intent", "things cannot be put on the table", "say 'in the tray'")
    if reading.verb == "fetch" and nowhere:
        reading.deliver_to = PERSON
    if here and nowhere and not reading.may_deliver_to.name:
        reading.may_deliver_to = START


def _not_understood(preposition: str, words: Words, hint: str) -> Refused:
    where = " ".join(word for word in (preposition, *words) if word)
    return Refused("intent", f"'{where}' is not understood", hint)
