"""A small ray-caster for tests: analytic bodies in, RGB-D frames with known truth out.

It shares no code with the renderers of the worlds, so perception is checked against a second method.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vla_sim.catalogue import COLOURS, SHAPES
from vla_sim.types import Array, Frame, Intrinsics

INTRINSICS = Intrinsics.from_fov(320, 240, np.radians(71.0))
LIGHT = np.array([0.3, 0.4, 0.87]) / np.linalg.norm([0.3, 0.4, 0.87])
TABLE_TOP_M = 0.70
TABLE_RGB, FLOOR_RGB, HAND_RGB = (0.75, 0.70, 0.62), (0.55, 0.55, 0.60), (0.25, 0.25, 0.27)
Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Body:
    """A primitive. `half_m` is half the extents of a box; (radius, radius, half length) of a cylinder along its z;
    (radius,) * 3 of a sphere. `rotation` turns its own axes into those of base."""

    kind: str  # box | cylinder | sphere
    centre: Array
    half_m: Array
    rgb: Rgb
    rotation: Array = field(default_factory=lambda: np.eye(3))


def yaw_matrix(yaw_rad: float) -> Array:
    """[3, 3] rotation about z."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def box(centre: object, half_m: object, rgb: Rgb, yaw_rad: float = 0.0) -> Body:
    """A box turned about z."""
    return Body("box", np.array(centre, float), np.array(half_m, float), rgb, yaw_matrix(yaw_rad))


def item(shape: str, colour: str, x: float, y: float, yaw: float = 0.0, foot: float = TABLE_TOP_M) -> list[Body]:
    """A catalogue object standing at (x, y) with its foot at height `foot`, m."""
    kind, rgb = SHAPES[shape], COLOURS[colour].rgb
    if kind.kind == "tray":
        return _tray(np.array([x, y, foot]), yaw, rgb)
    half = 0.5 * np.array([kind.width_m, kind.width_m, kind.height_m])
    return [Body(kind.kind, np.array([x, y, foot + half[2]]), half, rgb, yaw_matrix(yaw))]


def lying(shape: str, colour: str, x: float, y: float, yaw: float, foot: float = TABLE_TOP_M) -> list[Body]:
    """A mug or a bottle on its side, its axis along `yaw`."""
    kind = SHAPES[shape]
    half = 0.5 * np.array([kind.width_m, kind.width_m, kind.height_m])
    axis_along_x = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    return [
        Body("cylinder", np.array([x, y, foot + half[0]]), half, COLOURS[colour].rgb, yaw_matrix(yaw) @ axis_along_x)
    ]


def _tray(foot: Array, yaw: float, rgb: Rgb) -> list[Body]:
    """Floor of 5 mm and four walls of 8 mm, 30 mm high, the outer size that of the catalogue."""
    hx, hy, top, wall = 0.09, 0.11, 0.015, 0.004
    parts = (
        ((hx, hy, 0.0025), (0, 0, 0.0025)),
        ((wall, hy, top), (hx - wall, 0, top)),
        ((wall, hy, top), (wall - hx, 0, top)),
        ((hx, wall, top), (0, hy - wall, top)),
        ((hx, wall, top), (0, wall - hy, top)),
    )
    turn = yaw_matrix(yaw)
    return [box(foot + turn @ np.array(offset), half, rgb, yaw) for half, offset in parts]


def room(table_top_m: float = TABLE_TOP_M) -> list[Body]:
    """Floor and table."""
    table = box((0.50, 0.0, table_top_m - 0.02), (0.30, 0.60, 0.02), TABLE_RGB)
    return [box((0.0, 0.0, -0.05), (3.0, 3.0, 0.05), FLOOR_RGB), table]


def head_camera(pitch_rad: float = np.radians(47.0)) -> Array:
    """[4, 4] optical frame of a head camera looking forward and down."""
    pose = np.eye(4)
    c, s = np.cos(pitch_rad), np.sin(pitch_rad)
    pose[:3, :3] = np.array([[0.0, -s, c], [-1.0, 0.0, 0.0], [0.0, -c, -s]])
    pose[:3, 3] = (0.06, 0.01, 1.20)
    return pose


def render(
    bodies: list[Body],
    rng: np.random.Generator | None = None,
    pose_camera_in_base: Array | None = None,
    time_s: float = 0.0,
) -> Frame:
    """Ray-cast the bodies; with `rng`, add sensor noise (RGB sigma 5, depth 2 mm at 0.7 m growing with its square)."""
    pose = head_camera() if pose_camera_in_base is None else pose_camera_in_base
    k = INTRINSICS
    v, u = np.mgrid[: k.height, : k.width] + 0.5
    rays = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones_like(u)], -1).reshape(-1, 3) @ pose[:3, :3].T
    depth = np.full(len(rays), np.inf)
    rgb = np.full((len(rays), 3), 235.0)
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    for body in bodies:
        near = _may_hit(body, pose[:3, 3], unit)
        turn = body.rotation
        t, normal = _HIT[body.kind]((pose[:3, 3] - body.centre) @ turn, rays[near] @ turn, body.half_m)
        closer = t < depth[near]
        shade = 0.45 + 0.55 * np.abs(normal[closer] @ turn.T @ LIGHT)
        depth[near[closer]] = t[closer]
        rgb[near[closer]] = 255.0 * np.outer(shade, body.rgb)
    if rng is not None:
        rgb += rng.normal(0.0, 5.0, rgb.shape)
        depth += rng.normal(0.0, 0.002, depth.shape) * np.where(np.isfinite(depth), depth / 0.7, 0.0) ** 2
    image = np.clip(rgb, 0, 255).astype(np.uint8).reshape(k.height, k.width, 3)
    return Frame("head", time_s, image, k, pose, depth.astype(np.float32).reshape(k.height, k.width))


def _may_hit(body: Body, eye: Array, unit_rays: Array) -> NDArray[np.intp]:
    """Indices of the rays that meet the bounding sphere."""
    to_centre = body.centre - eye
    along = unit_rays @ to_centre
    radius = float(np.linalg.norm(body.half_m))
    return np.flatnonzero(to_centre @ to_centre - along * np.abs(along) <= radius**2)


def _hit_box(eye: Array, rays: Array, half: Array) -> tuple[Array, Array]:
    """Slab test."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (-half - eye) / rays, (half - eye) / rays
    enter, leave = np.minimum(a, b), np.maximum(a, b).min(1)
    axis = enter.argmax(1)
    t = enter.max(1)
    normal = np.eye(3)[axis]
    return np.where((t <= leave) & (t > 0), t, np.inf), normal


def _hit_sphere(eye: Array, rays: Array, half: Array) -> tuple[Array, Array]:
    a, b, c = (rays**2).sum(1), rays @ eye, eye @ eye - half[0] ** 2
    root = b**2 - a * c
    t = np.where(root >= 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    normal = np.where(np.isfinite(t)[:, None], (eye + np.where(np.isfinite(t), t, 0)[:, None] * rays) / half[0], 0.0)
    return t, normal


def _hit_cylinder(eye: Array, rays: Array, half: Array) -> tuple[Array, Array]:
    """The mantle by a quadratic, the two caps by planes."""
    a = np.maximum((rays[:, :2] ** 2).sum(1), 1e-12)
    b, c = rays[:, :2] @ eye[:2], eye[:2] @ eye[:2] - half[0] ** 2
    root = b**2 - a * c
    mantle = (-b - np.sqrt(np.maximum(root, 0))) / a
    inside = (root >= 0) & (np.abs(eye[2] + mantle * rays[:, 2]) <= half[2])
    mantle = np.where(inside, mantle, np.inf)
    cap_z = np.sign(eye[2]) * half[2]
    cap = (cap_z - eye[2]) / np.where(np.abs(rays[:, 2]) < 1e-12, 1e-12, rays[:, 2])
    hit = eye[:2] + cap[:, None] * rays[:, :2]
    cap = np.where((cap > 0) & ((hit**2).sum(1) <= half[0] ** 2), cap, np.inf)
    t = np.minimum(mantle, cap)
    point = eye + np.where(np.isfinite(t), t, 0.0)[:, None] * rays
    side = np.column_stack([point[:, :2] / half[0], np.zeros(len(t))])
    return t, np.where((cap < mantle)[:, None], [0.0, 0.0, 1.0], side)


_HIT = {"box": _hit_box, "sphere": _hit_sphere, "cylinder": _hit_cylinder}
