"""One task out of the clauses of a command: "take the mug and put it in the tray" is one, two objects are two."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import dropwhile, pairwise

from vla_sim.catalogue import GRASPABLE
from vla_sim.errors import Refused
from vla_sim.stages import vocabulary as v
from vla_sim.stages.clauses import Reading
from vla_sim.stages.place_words import NOWHERE, PERSON, START, Spot, closest_place, merge
from vla_sim.types import Intent, ObjectQuery

TWO_TASKS = "which one first? one task is done at a time"


def combine(readings: Sequence[Reading]) -> Intent:
    """The intent of a command of at least one clause.

    Raises Refused("intent", ...) for two tasks, two objects or two places at once, and for what a task lacks.
    """
    doing = list(dropwhile(_idle, readings))  # "go and pick up", "go pick up"
    if not doing or any(map(_idle, doing)):
        said = next(r.said for r in (doing or readings) if _idle(r))
        raise Refused("intent", f"'{said}' where? no place is named", closest_place(""))
    if any(r.verb == "follow" for r in doing):
        if len(doing) > 1:
            raise _two_tasks()
        return Intent("follow")
    first = next((i for i, r in enumerate(doing) if r.verb != "go"), len(doing))
    place = _meet([r.place for r in doing[:first]])
    if any(r.target.query or r.target.pronoun for r in doing[:first]):
        raise Refused("intent", "nothing was picked up before", f"say 'bring ... to the {place.name}'")
    if first == len(doing):
        return Intent("go", place=place.name)
    return _handle(place, doing[first:])


def _idle(reading: Reading) -> bool:
    """Whether a clause only sets out: it goes nowhere in particular, with nothing."""
    return reading.verb == "go" and not reading.place.name and not reading.target.query


def _handle(place: Spot, readings: Sequence[Reading]) -> Intent:
    """The intent of clauses of which the first handles an object; `place` is where the robot was sent before."""
    handling = [r for r in readings if r.verb != "go"]
    target = _target(readings)
    _check_order(readings)
    verb, last = handling[-1].verb, handling[-1]
    place = _meet([place, *(r.place for r in handling)])
    place = _at_table(place, [r.place_here for r in handling])
    goals = [r.deliver_to if r.verb != "go" else r.place for r in readings]
    deliver_to = _at_table(_meet(goals), [r.deliver_here for r in handling])
    if target.shape not in GRASPABLE:
        how = "reached for" if verb == "reach" else "picked up"
        raise Refused("intent", f"the {target} cannot be {how}", v.closest_object(target.shape, GRASPABLE))
    if verb == "reach":
        if deliver_to.name:
            raise _two_tasks()
        return Intent("reach", target, place=place.name)
    destination = last.destination
    if not deliver_to.name and place.name:
        deliver_to = _implied(handling)
        if not deliver_to.name and destination is None:
            deliver_to = next((r.deliver_here for r in handling if r.deliver_here.name), NOWHERE)
    if verb == "place" and destination is None and not deliver_to.name:
        question = f"where is the {target} to go? say 'in the {v.CONTAINERS[0]}'"
        raise Refused("intent", f"'{last.said}' needs a destination", question)
    if destination is not None and deliver_to == PERSON:
        raise _two_tasks()
    if place.name or deliver_to.name:
        return Intent("fetch", target, destination, place=place.name, deliver_to=deliver_to.name)
    return Intent(verb, target, destination)


def _target(readings: Sequence[Reading]) -> ObjectQuery:
    first = next(r for r in readings if r.verb != "go")
    if first.target.pronoun:
        problem = f"'{first.said} {first.target.pronoun}' refers to nothing said before"
        raise Refused("intent", problem, "which object? " + v.closest_object("", GRASPABLE))
    target = _same_object([r.target.query for r in readings if r.target.query is not None])
    if target is None:
        raise Refused("intent", f"'{first.said}' what? no object is named", v.closest_object("", GRASPABLE))
    return target


def _check_order(readings: Sequence[Reading]) -> None:
    """What is put down, handed over or only touched is done with; nothing comes after it."""
    for reading, following in pairwise(readings):
        done = reading.destination is not None or (reading.verb == "place" and not reading.deliver_to.name)
        taken = reading.verb == "reach" and following.verb in ("pick", "place", "fetch")
        handed = reading.deliver_to == PERSON and reading.verb != "go" and following.deliver_to != PERSON
        if done or handed or (reading.verb == "reach" and not taken) or following.verb == "reach":
            raise _two_tasks()
    for reading, following in pairwise(readings):
        if reading.verb == "go" and following.place.name and following.verb != "go":
            raise _two_tasks()


def _at_table(place: Spot, tables: Sequence[Spot]) -> Spot:
    """`place` made exact by tables named without their room; nowhere stays nowhere."""
    return reduce(lambda whole, table: merge(whole, table) or whole, tables, place) if place.name else place


def _implied(readings: Sequence[Reading]) -> Spot:
    """Where an object from elsewhere goes by the verb alone: "fetch" brings it here."""
    to_person = any(r.may_deliver_to == PERSON for r in readings)
    if to_person:
        return PERSON
    back = any(r.said in v.RETURNING or r.may_deliver_to == START for r in readings)
    return START if back else NOWHERE


def _meet(places: Sequence[Spot]) -> Spot:
    """The one place all of `places` can mean."""
    whole = NOWHERE
    for place in places:
        both = merge(whole, place)
        if both is None:
            two = f"two places at once: {whole.name} and {place.name}"
            raise Refused("intent", two, "which one first? one place is gone to at a time")
        whole = both
    return whole


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


def _two_tasks() -> Refused:
    return Refused("intent", "two tasks at once", TWO_TASKS)
