"""What several tasks ask of a world."""

from __future__ import annotations

import numpy as np

from envs.world import World
from vla_sim.catalogue import SHAPES
from vla_sim.types import Array

SETTLED_M_S = 0.05
ABOVE_TRAY_M = 0.13  # the centre of a bottle that stands in the tray lies below this, from the tray's foot


def rests_in_tray(world: World, body: int, tray: Array) -> bool:
    """Whether an object lies in the tray whose middle has the pose [4, 4], slow and let go."""
    position, _ = world.pose(body)
    local = tray[:3, :3].T @ (position - tray[:3, 3])
    shape = SHAPES["tray"]
    inside = abs(local[0]) < shape.width_m / 2 and abs(local[1]) < shape.depth_m / 2
    low = -shape.height_m / 2 < local[2] < ABOVE_TRAY_M - shape.height_m / 2
    if not (inside and low):
        return False
    slow = float(np.linalg.norm(world.velocity(body))) < SETTLED_M_S
    return slow and not world.held(body)


def foot_height_m(world: World, body: int, shape_name: str) -> float:
    """Height of an object's lowest point above the floor, standing or tilted."""
    position, rotation = world.pose(body)
    shape = SHAPES[shape_name]
    upright = abs(float(rotation[2, 2]))
    return float(position[2]) - upright * shape.height_m / 2 - (1 - upright) * shape.width_m / 2
