"""Places of a plan against the floor plan of the site: which is meant, whether it exists, whether it may be gone to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_sim.errors import Refused, nearest
from vla_sim.stages.place_words import FURNITURE_WORDS, normalise
from vla_sim.types import Array, Plan, PlanStep, Region, SiteMap, Surface

OFF_THE_MAP = ("person", "start")  # known only on the way
ZONES = {"forbidden": "forbidden zone", "hot": "hot zone"}


def check_places(plan: Plan, site: SiteMap) -> None:
    """Refuse a plan that goes where there is nothing, where two places could be meant, or where nobody may go.

    Raises Refused: "planning" for a place that does not exist or is ambiguous, with the nearest that does; "safety" for
    a zone, and for a surface that stands in one.
    """
    for i, step in enumerate(plan.steps):
        if step.action != "go_to" or step.place in OFF_THE_MAP:
            continue
        place = resolve(step.place, site)
        if isinstance(place, Region):
            _check_zone(place, site)
            if _handles(plan.steps[i + 1 :]):
                _check_surface(place, site)
        else:
            for region in site.regions:
                if _name(region) == normalise(place.room):
                    _check_zone(region, site)
            check_zones(place.pose[:2], site)


def check_zones(goal_xy: Array, site: SiteMap, margin_m: float = 0.0) -> None:
    """Refuse to stand at `goal_xy` [2], m in the frame of the site, in a zone or within `margin_m` of it.

    Raises Refused("safety", ...).
    """
    for region in site.regions:
        if region.kind in ZONES and distance_m(region, goal_xy) <= margin_m:
            _check_zone(region, site)


def resolve(name: str, site: SiteMap) -> Region | Surface:
    """The region or surface a name means: "the table in the lounge" is the living room table, "table" the only one.

    Raises Refused("planning", ...) when there is none, with the nearest name, or when there are several.
    """
    wanted = normalise(name)
    places: list[Region | Surface] = [*site.surfaces, *site.regions]
    fitting = [place for place in places if _name(place) == wanted]
    fitting = fitting or [surface for surface in site.surfaces if wanted in _other_names(surface)]
    if len(fitting) > 1:
        names = " or ".join(map(_full_name, fitting))
        raise Refused("planning", f"'{name}' can mean several places", f"which one: {names}?")
    if not fitting:
        raise Refused("planning", f"there is no '{name}' here", _choice(wanted, site))
    return fitting[0]


def surfaces_in(name: str, site: SiteMap) -> tuple[Surface, ...]:
    """The surfaces a name can mean when something is to be picked or put there: itself, or those of the room.

    Raises Refused("planning", ...) as `resolve` does.
    """
    place = resolve(name, site)
    if isinstance(place, Surface):
        return (place,)
    return tuple(surface for surface in site.surfaces if _stands_in(surface, place))


def surface_in(name: str, site: SiteMap) -> Surface | None:
    """The one surface of a room, or the surface itself; None for a room with none, or with several.

    Raises Refused("planning", ...) as `resolve` does.
    """
    found = surfaces_in(name, site)
    return found[0] if len(found) == 1 else None


def inside(region: Region, point_xy: Array) -> bool:
    """Whether `point_xy` [2] lies in a region; whichever way its corners go round."""
    x, y = float(point_xy[0]), float(point_xy[1])
    odd = False
    for (x0, y0), (x1, y1) in zip(region.corners, np.roll(region.corners, -1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            odd = not odd
    return odd


def distance_m(region: Region, point_xy: Array) -> float:
    """How far `point_xy` [2] is from a region, m; 0 inside and on its edge."""
    if inside(region, point_xy):
        return 0.0
    start = region.corners
    way = np.roll(start, -1, axis=0) - start
    length2 = np.maximum((way**2).sum(axis=1), 1e-12)
    share = np.clip(((point_xy - start) * way).sum(axis=1) / length2, 0.0, 1.0)
    foot = start + share[:, None] * way
    return float(np.hypot(*(point_xy - foot).T).min())


def _handles(steps: Sequence[PlanStep]) -> bool:
    """Whether something is looked for before the robot goes on."""
    for step in steps:
        if step.action in ("go_to", "follow"):
            return False
        if step.action == "locate":
            return True
    return False


def _check_surface(room: Region, site: SiteMap) -> None:
    found = surfaces_in(room.name, site)
    if not found:
        names = list(map(_full_name, site.surfaces))
        hint = nearest(room.name, names) if names else ""
        raise Refused("planning", f"nothing stands on a table in the {room.name}: it has none", hint)
    if len(found) > 1:
        hint = f"which one: {' or '.join(map(_full_name, found))}?"
        raise Refused("planning", f"the {room.name} has several tables", hint)


def _check_zone(region: Region, site: SiteMap) -> None:
    if region.kind in ZONES:
        raise Refused("safety", f"the {region.name} is a {ZONES[region.kind]}", _choice("", site))


def _choice(wanted: str, site: SiteMap) -> str:
    """A hint: the nearest of the places that may be gone to."""
    rooms = [region.name for region in site.regions if region.kind not in ZONES]
    names = [*rooms, *map(_full_name, site.surfaces)]
    return nearest(wanted, names) if names else "this site has no named places"


def _name(place: Region | Surface) -> str:
    return normalise(place.name)


def _full_name(place: Region | Surface) -> str:
    """A name that tells a surface from its like in other rooms."""
    if isinstance(place, Region) or not place.room or _name(place).startswith(normalise(place.room)):
        return place.name
    return f"{place.room} {place.name}"


def _other_names(surface: Surface) -> tuple[str, ...]:
    """Further names of a surface: by its furniture alone, and by room and furniture."""
    name = _name(surface)
    kind = name.split(" ")[-1]
    if kind not in FURNITURE_WORDS:
        return ()
    return kind, f"{normalise(surface.room)} {kind}".strip()


def _stands_in(surface: Surface, region: Region) -> bool:
    if surface.room:
        return normalise(surface.room) == _name(region)
    return inside(region, surface.pose[:2])
