"""What the robot is told of a scene: walls, names of places, tables. The frame of the site is the scene's."""

from __future__ import annotations

import numpy as np

from envs.floor_plan import Rect, wall_rects
from envs.scene_file import Scene
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


def _faces(rect: Rect) -> list[Array]:
    corners = rect.corners
    return [np.concatenate((corners[i], corners[(i + 1) % 4])) for i in range(4)]
