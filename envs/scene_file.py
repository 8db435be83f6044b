"""A scene as a YAML file describes it: rooms, walls, furniture, zones, objects, people. Lengths m, angles degrees.

The frame of a scene is the site's: what the robot is told of the place (`envs.site`) uses the same coordinates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from vla_sim.catalogue import COLOURS, SHAPES
from vla_sim.errors import ConfigError, nearest
from vla_sim.mapping import read
from vla_sim.types import Array, ObjectQuery

BOOL_TAG = "tag:yaml.org,2002:bool"
FOLDER = Path(__file__).parent / "scenes"
DOOR_LEAST_M = 0.9
SURFACES = ("table", "counter")
RANDOM = "random"

Kind = Literal["table", "counter", "shelf", "sofa", "chair", "bed", "box", "plant", "mesh"]
HEIGHT_M = {"counter": 0.90, "shelf": 1.80, "sofa": 0.80, "chair": 0.90, "bed": 0.50, "box": 0.60, "plant": 1.20}
Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Area:
    """A part of the floor, as a `rectangle` (x0, y0, x1, y1) or by its `corners`."""

    name: str
    rectangle: Numbers = ()
    corners: tuple[Numbers, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.rectangle) == bool(self.corners):
            raise ConfigError("rectangle", "an area has either a rectangle or corners")
        if self.rectangle:
            _check_length("rectangle", self.rectangle, 4)
            if not (self.rectangle[0] < self.rectangle[2] and self.rectangle[1] < self.rectangle[3]):
                raise ConfigError("rectangle", f"{list(self.rectangle)} is empty", "write it as [x0, y0, x1, y1]")
        elif len(self.corners) < 3:
            raise ConfigError("corners", f"a polygon has at least 3, got {len(self.corners)}")
        for i, corner in enumerate(self.corners):
            _check_length(f"corners.{i}", corner, 2)

    @property
    def outline(self) -> Array:
        """[k, 2] corners in order."""
        if self.rectangle:
            x0, y0, x1, y1 = self.rectangle
            return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        return np.array(self.corners)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        outline, inside = self.outline, False
        for (ax, ay), (bx, by) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
                inside = not inside
        return inside


@dataclass(frozen=True)
class Zone(Area):
    """A part of the floor where the robot must not go, or where it is hot."""

    kind: Literal["forbidden", "hot"] = "forbidden"


@dataclass(frozen=True)
class Door:
    """A gap in a wall, its middle `at_m` from the wall's start."""

    at_m: float
    width_m: float = 1.0

    def __post_init__(self) -> None:
        if not self.width_m >= DOOR_LEAST_M:
            raise ConfigError("width_m", f"a door is at least {DOOR_LEAST_M:g} m wide, got {self.width_m:g} m")


@dataclass(frozen=True)
class Wall:
    """A straight wall about the line from `start` to `end`."""

    start: Numbers
    end: Numbers
    doors: tuple[Door, ...] = ()
    name: str = "wall"
    thickness_m: float = 0.10
    height_m: float = 2.5

    def __post_init__(self) -> None:
        _check_length("start", self.start, 2)
        _check_length("end", self.end, 2)
        _check_positive("length", self.length_m)
        _check_positive("thickness_m", self.thickness_m)
        _check_positive("height_m", self.height_m)
        for i, door in enumerate(self.doors):
            if door.at_m - door.width_m / 2 < 0 or door.at_m + door.width_m / 2 > self.length_m:
                raise ConfigError(f"doors.{i}.at_m", f"the door ends beyond its wall of {self.length_m:g} m")

    @property
    def length_m(self) -> float:
        return math.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1])

    @property
    def solid(self) -> tuple[tuple[float, float], ...]:
        """(from, to) along the wall of each piece between its doors, m."""
        pieces, begin = [], 0.0
        for door in sorted(self.doors, key=lambda d: d.at_m):
            pieces.append((begin, door.at_m - door.width_m / 2))
            begin = door.at_m + door.width_m / 2
        return tuple((a, b) for a, b in [*pieces, (begin, self.length_m)] if b - a > 1e-6)


@dataclass(frozen=True)
class Furniture:
    """Something that stands on the floor. Its front is its -x side; `height_m` None is what is usual for its kind.

    A table without a height has the one that suits the robot.
    """

    name: str
    kind: Kind
    at: Numbers  # x, y of its middle
    size_m: Numbers  # along its own x and y
    yaw_deg: float = 0.0
    height_m: float | None = None
    mesh: str = ""  # STL file beside the scene, for kind mesh
    rgb: Numbers = ()  # 0-1; empty = what is usual for its kind

    def __post_init__(self) -> None:
        _check_length("at", self.at, 2)
        _check_length("size_m", self.size_m, 2)
        for size in (*self.size_m, *(() if self.height_m is None else (self.height_m,))):
            _check_positive("size_m", size)
        if self.rgb:
            _check_length("rgb", self.rgb, 3)
        if (self.kind == "mesh") != bool(self.mesh):
            raise ConfigError("mesh", "kind mesh needs a file, and only it has one")

    @property
    def is_surface(self) -> bool:
        return self.kind in SURFACES

    @property
    def yaw_rad(self) -> float:
        return math.radians(self.yaw_deg)

    def to_site(self, x: float, y: float) -> tuple[float, float]:
        """A point of its own frame (from its middle) in the site."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        return self.at[0] + c * x - s * y, self.at[1] + s * x + c * y

    def to_own(self, x: float, y: float) -> tuple[float, float]:
        """A point of the site in its own frame."""
        c, s, dx, dy = math.cos(self.yaw_rad), math.sin(self.yaw_rad), x - self.at[0], y - self.at[1]
        return c * dx + s * dy, c * dy - s * dx

    def stand_at(self, distance_m: float, along_m: float = 0.0) -> Array:
        """[3] x, y, yaw of somebody `distance_m` before its front edge, facing it, `along_m` to its left."""
        x, y = self.to_site(-self.size_m[0] / 2 - distance_m, along_m)
        return np.array([x, y, self.yaw_rad])


@dataclass(frozen=True)
class ObjectPlace:
    """An object of the catalogue on a surface: "red mug", or "random"."""

    what: str
    on: str  # name of a surface
    at: Numbers | None = None  # x, y from the surface's middle, in its own frame; None = drawn
    yaw_deg: float | None = None  # in the surface's frame; None = drawn
    mass_kg: float | None = None  # None = as catalogued

    def __post_init__(self) -> None:
        if self.at is not None:
            _check_length("at", self.at, 2)
        if self.mass_kg is not None:
            _check_positive("mass_kg", self.mass_kg)
        if self.what != RANDOM:
            parse_object(self.what, "what")


@dataclass(frozen=True)
class PersonPlace:
    """Somebody who stands (one waypoint) or walks a route, again and again if `loop`."""

    route: tuple[Numbers, ...]
    name: str = "person"
    speed_m_s: float = 0.4
    pause_s: float = 1.0  # at each waypoint
    yaw_deg: float = 0.0  # looked in before the first step
    loop: bool = True
    holds_tray: bool = False
    tray_colour: str = "blue"

    def __post_init__(self) -> None:
        if not self.route:
            raise ConfigError("route", "has no waypoint", "one is enough to stand at")
        for i, point in enumerate(self.route):
            _check_length(f"route.{i}", point, 2)
        if not 0 < self.speed_m_s <= 1.5:
            raise ConfigError("speed_m_s", f"people walk at up to 1.5 m/s here, got {self.speed_m_s:g}")
        if self.pause_s < 0:
            raise ConfigError("pause_s", f"must not be negative, got {self.pause_s:g}")
        if self.tray_colour not in COLOURS:
            raise ConfigError("tray_colour", f"unknown {self.tray_colour!r}", nearest(self.tray_colour, COLOURS))


@dataclass(frozen=True)
class Scene:
    """Everything that is the same in each episode, and what is drawn anew where it says so."""

    name: str
    start: Numbers = (0.0, 0.0, 0.0)  # of the robot: x, y, yaw in degrees
    rooms: tuple[Area, ...] = ()
    walls: tuple[Wall, ...] = ()
    furniture: tuple[Furniture, ...] = ()
    zones: tuple[Zone, ...] = ()
    objects: tuple[ObjectPlace, ...] = ()
    people: tuple[PersonPlace, ...] = ()
    folder: str = ""  # where its meshes lie; filled in by `load`

    def __post_init__(self) -> None:
        _check_length("start", self.start, 3)

    @property
    def surfaces(self) -> tuple[Furniture, ...]:
        return tuple(item for item in self.furniture if item.is_surface)

    def surface(self, name: str, key: str = "on") -> Furniture:
        """The surface of a name; ConfigError with the nearest when there is none."""
        for item in self.surfaces:
            if item.name == name:
                return item
        known = [item.name for item in self.surfaces]
        hint = nearest(name, known) if known else "the scene has no table or counter"
        raise ConfigError(key, f"there is no surface {name!r}", hint)

    def room(self, name: str, key: str = "room") -> Area:
        """The room of a name; ConfigError with the nearest when there is none."""
        for area in self.rooms:
            if area.name == name:
                return area
        known = [area.name for area in self.rooms]
        raise ConfigError(key, f"there is no room {name!r}", nearest(name, known) if known else "the scene has none")

    def room_at(self, x: float, y: float) -> str:
        """Name of the room a point lies in; empty for none."""
        return next((area.name for area in self.rooms if area.holds(x, y)), "")

    def for_robot(self, table_top_m: float) -> Scene:
        """The scene with every height filled in; tables without one get `table_top_m`."""
        usual = {**HEIGHT_M, "table": table_top_m, "mesh": 1.0}
        made = tuple(
            item if item.height_m is not None else replace(item, height_m=usual[item.kind]) for item in self.furniture
        )
        return replace(self, furniture=made)


def parse_object(text: str, key: str) -> ObjectQuery:
    """ "red mug" or "mug" as a query; ConfigError naming the word at fault."""
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise ConfigError(key, f"an object is a colour and a shape, got {text!r}", "for example 'red mug'")
    if words[-1] not in SHAPES:
        raise ConfigError(key, f"unknown object {words[-1]!r}", nearest(words[-1], SHAPES))
    if len(words) == 2 and words[0] not in COLOURS:
        raise ConfigError(key, f"unknown colour {words[0]!r}", nearest(words[0], COLOURS))
    return ObjectQuery(words[-1], words[0] if len(words) == 2 else None)


def names() -> tuple[str, ...]:
    """The scenes that come with the project."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load(source: str | Path | Mapping[str, Any] | Scene, key: str = "env.scene") -> Scene:
    """A scene by name ("apartment"), from a YAML file, or from a mapping. ConfigError names what is wrong in it."""
    if isinstance(source, Scene):
        return source
    if isinstance(source, Mapping):
        return read(Scene, source, key)
    path = Path(source)
    if path.suffix not in (".yaml", ".yml"):
        if str(source) not in names():
            raise ConfigError(key, f"there is no scene {str(source)!r}", nearest(str(source), names()))
        path = FOLDER / f"{source}.yaml"
    if not path.is_file():
        raise ConfigError(key, f"there is no file {path}")
    try:
        data = yaml.load(path.read_text(), Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise ConfigError(key, f"{path.name} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, Mapping):
        raise ConfigError(key, f"{path.name} is no mapping")
    return read(Scene, {"folder": str(path.parent), **data}, f"scene {path.stem}")


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key given twice. `on` is a word, as in YAML 1.2: only true and false are truth values."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (a class attribute of PyYAML's)
        first: [(tag, pattern) for tag, pattern in known if tag != BOOL_TAG]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = [self.construct_object(name, deep=deep) for name, _ in node.value]
        for i, name in enumerate(seen):
            if name in seen[:i]:
                raise yaml.constructor.ConstructorError(None, None, f"key {name!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


_StrictLoader.add_implicit_resolver(BOOL_TAG, re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def _check_length(key: str, numbers: Numbers, count: int) -> None:
    if len(numbers) != count or not all(math.isfinite(x) for x in numbers):
        raise ConfigError(key, f"must be {count} numbers, got {list(numbers)}")


def _check_positive(key: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(key, f"must be positive, got {value:g}")
