"""What the robot is told of a scene: walls, names of places, tables. The frame of the site is the scene's."""

from __future__ import annotations

import numpy as np

from envs.floor_plan import Rect, wall_rects
from envs.scene_file import Scene
from vla_sim.errors import ConfigError, nearest
from vla_sim.types import Array, Region, SiteMap, Surface


def site_map(scene: Scene) -> SiteMap:
    """The floor plan of a scene with its heights filled in. Walls are given by their faces."""
    faces = [face for wall in scene.walls for rect in wall_rects(wall) for face in _faces(rect)]
    rooms = [Region(room.name, "room", room.outline) for room in scene.rooms]
    zones = [Region(zone.name, zone.kind, zone.outline) for zone in scene.zones]
    surfaces = [
        Surface(
            item.name, scene.room_at(item.at[0], item.at[1]), np.array([item.at[0], item.at[1], item.yaw_rad]),
            np.array(item.size_m), item.height_m or 0.0,
        )
        for item in scene.surfaces
    ]  # fmt: skip
    return SiteMap(np.array(faces).reshape(-1, 4), (*rooms, *zones), tuple(surfaces))


STAND_OFF_M = 0.45  # from a table's edge to the middle of the feet of somebody who comes up to it


def standing_point(scene: Scene, place: str, key: str = "goal") -> Array:
    """[3] x, y, yaw of where to stand at a room or surface; ConfigError with the nearest name for an unknown one.

    In a room with one table that is before the table, in any other its middle.
    """
    rooms, surfaces = [room.name for room in scene.rooms], [item.name for item in scene.surfaces]
    if place in surfaces:
        return scene.surface(place).stand_at(STAND_OFF_M)
    if place not in rooms:
        raise ConfigError(key, f"there is no place {place!r}", nearest(place, [*rooms, *surfaces]))
    inside = [item for item in scene.surfaces if scene.room_at(item.at[0], item.at[1]) == place]
    if len(inside) == 1:
        return inside[0].stand_at(STAND_OFF_M)
    return np.array([*scene.room(place).outline.mean(axis=0), 0.0])


def _faces(rect: Rect) -> list[Array]:
    corners = rect.corners
    return [np.concatenate((corners[i], corners[(i + 1) % 4])) for i in range(4)]
