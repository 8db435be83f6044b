"""Rigid bodies of the world, in PyBullet and as meshes for the renderer, from one description."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet as p

from envs.rendering import meshes
from envs.rendering.meshes import Mesh
from vla_sim.catalogue import COLOURS, SHAPES, Shape
from vla_sim.types import Array, ObjectQuery

Rgb = tuple[float, float, float]
TRAY_FLOOR_M, TRAY_WALL_M = 0.005, 0.008


@dataclass(frozen=True)
class Part:
    """A mesh on link `link` (-1 = base) of PyBullet body `body`, its local frame the link's."""

    body: int
    link: int
    mesh: Mesh
    rgb: Rgb


@dataclass(frozen=True)
class Box:
    """A box with centre and half extents, m."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]


def tray_boxes(shape: Shape) -> tuple[Box, ...]:
    """Floor and four walls of a tray whose foot is at the origin's height - height / 2."""
    hx, hy, h = shape.width_m / 2, shape.depth_m / 2, shape.height_m
    low = -h / 2
    wall = TRAY_WALL_M / 2
    return (
        Box((0, 0, low + TRAY_FLOOR_M / 2), (hx, hy, TRAY_FLOOR_M / 2)),
        Box((hx - wall, 0, 0), (wall, hy, h / 2)),
        Box((wall - hx, 0, 0), (wall, hy, h / 2)),
        Box((0, hy - wall, 0), (hx - 2 * wall, wall, h / 2)),
        Box((0, wall - hy, 0), (hx - 2 * wall, wall, h / 2)),
    )


def add_boxes(client: int, boxes: tuple[Box, ...], mass_kg: float, position: Array, yaw_rad: float, rgb: Rgb) -> int:
    """A rigid body of boxes; returns its PyBullet id."""
    on = {"physicsClientId": client}
    common = {
        "shapeTypes": [p.GEOM_BOX] * len(boxes),
        "halfExtents": [list(b.half) for b in boxes],
    }
    centres = [list(b.centre) for b in boxes]
    collision = p.createCollisionShapeArray(collisionFramePositions=centres, **common, **on)
    colours = [[*rgb, 1.0]] * len(boxes)
    visual = p.createVisualShapeArray(visualFramePositions=centres, rgbaColors=colours, **common, **on)
    return int(p.createMultiBody(mass_kg, collision, visual, position, quat(yaw_rad), **on))


def add_object(
    client: int, query: ObjectQuery, position: Array, yaw_rad: float, friction: float, mass_kg: float
) -> list[Part]:
    """An object of the catalogue with its centre at `position` [3]; returns its parts to draw."""
    shape, rgb = SHAPES[query.shape], COLOURS[query.colour or "red"].rgb
    if shape.kind == "tray":
        boxes = tray_boxes(shape)
        body = add_boxes(client, boxes, mass_kg, position, yaw_rad, rgb)
        parts = [Part(body, -1, meshes.box(b.half, b.centre), rgb) for b in boxes]
    else:
        body = _add_primitive(client, shape, position, yaw_rad, rgb, mass_kg)
        parts = [Part(body, -1, _mesh(shape), rgb)]
    rolling = 0.004 if shape.kind == "sphere" else 0.0002
    p.changeDynamics(body, -1, lateralFriction=friction, spinningFriction=0.005, rollingFriction=rolling,
                     linearDamping=0.02, angularDamping=0.05, physicsClientId=client)  # fmt: skip
    return parts


def _add_primitive(client: int, shape: Shape, position: Array, yaw_rad: float, rgb: Rgb, mass_kg: float) -> int:
    radius, height, on = shape.width_m / 2, shape.height_m, {"physicsClientId": client}
    colour = {"rgbaColor": [*rgb, 1.0]}
    if shape.kind == "box":
        half = [shape.width_m / 2, shape.width_m / 2, height / 2]
        collision = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, **on)
        visual = p.createVisualShape(p.GEOM_BOX, halfExtents=half, **colour, **on)
    elif shape.kind == "cylinder":
        collision = p.createCollisionShape(p.GEOM_CYLINDER, radius=radius, height=height, **on)
        visual = p.createVisualShape(p.GEOM_CYLINDER, radius=radius, length=height, **colour, **on)
    else:
        collision = p.createCollisionShape(p.GEOM_SPHERE, radius=radius, **on)
        visual = p.createVisualShape(p.GEOM_SPHERE, radius=radius, **colour, **on)
    return int(p.createMultiBody(mass_kg, collision, visual, position, quat(yaw_rad), **on))


def _mesh(shape: Shape) -> Mesh:
    if shape.kind == "box":
        half = shape.width_m / 2
        return meshes.box((half, half, shape.height_m / 2))
    if shape.kind == "cylinder":
        return meshes.cylinder(shape.width_m / 2, shape.height_m)
    return meshes.sphere(shape.width_m / 2)


def quat(yaw_rad: float) -> list[float]:
    """xyzw of a turn about z."""
    return [0.0, 0.0, float(np.sin(yaw_rad / 2)), float(np.cos(yaw_rad / 2))]
