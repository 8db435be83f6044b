"""What furniture and walls are made of: blocks, each one collision shape and one mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet as p

from envs.bodies import Part, Rgb, quat
from envs.rendering import meshes
from envs.rendering.meshes import Mesh
from envs.scene_file import Furniture, Wall
from vla_sim.errors import ConfigError

TABLE_SLAB_M, LEG_HALF_M, BOARD_M = 0.04, 0.02, 0.03
PLINTH_BACK_M = 0.12  # a counter's foot stands back from its edge, for toes
WALL_RGB, FLOOR_RGB = (0.86, 0.85, 0.82), (0.55, 0.55, 0.60)
ROOM_RGBS = ((0.60, 0.52, 0.44), (0.62, 0.62, 0.60), (0.52, 0.56, 0.50), (0.50, 0.52, 0.58), (0.58, 0.50, 0.52))
RGBS: dict[str, Rgb] = {
    "table": (0.75, 0.70, 0.62),
    "counter": (0.72, 0.71, 0.69),
    "shelf": (0.52, 0.42, 0.33),
    "sofa": (0.38, 0.42, 0.46),
    "chair": (0.45, 0.37, 0.30),
    "bed": (0.70, 0.68, 0.64),
    "box": (0.60, 0.58, 0.55),
    "plant": (0.30, 0.42, 0.28),
    "mesh": (0.60, 0.60, 0.62),
}
POT_RGB = (0.50, 0.38, 0.32)


@dataclass(frozen=True)
class Block:
    """A part of a body: its shape, and `size` by shape: box half extents, cylinder or capsule (radius, height),
    sphere (radius,). Upright."""

    shape: str  # box | cylinder | capsule | sphere
    centre: tuple[float, float, float]
    size: tuple[float, ...]
    rgb: Rgb

    def mesh(self) -> Mesh:
        """What is drawn of it. A capsule is drawn as the cylinder between its ends."""
        if self.shape == "box":
            return meshes.box(self.size, self.centre)
        pose = np.eye(4)
        pose[:3, 3] = self.centre
        if self.shape == "sphere":
            return meshes.sphere(self.size[0], 14, 8).moved(pose)
        return meshes.cylinder(self.size[0], self.size[1], 14).moved(pose)


PYBULLET_SHAPES = {"box": p.GEOM_BOX, "cylinder": p.GEOM_CYLINDER, "capsule": p.GEOM_CAPSULE, "sphere": p.GEOM_SPHERE}


def collision_shape(client: int, blocks: list[Block]) -> int:
    """One PyBullet collision shape of all blocks."""
    half, radii, lengths = [], [], []
    for block in blocks:
        box = block.shape == "box"
        half.append(list(block.size) if box else [0.0, 0.0, 0.0])
        radii.append(0.0 if box else block.size[0])
        lengths.append(block.size[1] if block.shape in ("cylinder", "capsule") else 0.0)
    return int(
        p.createCollisionShapeArray(
            shapeTypes=[PYBULLET_SHAPES[block.shape] for block in blocks], halfExtents=half, radii=radii,
            lengths=lengths, collisionFramePositions=[list(block.centre) for block in blocks], physicsClientId=client,
        )
    )  # fmt: skip


def add_static(client: int, blocks: list[Block], position: tuple[float, float], yaw_rad: float) -> list[Part]:
    """A body that never moves; its parts to draw."""
    shape = collision_shape(client, blocks)
    body = int(p.createMultiBody(0, shape, -1, [*position, 0.0], quat(yaw_rad), physicsClientId=client))
    return [Part(body, -1, block.mesh(), block.rgb) for block in blocks]


def add_furniture(client: int, item: Furniture, folder: str) -> list[Part]:
    """A piece of furniture with its height filled in; its parts to draw. ConfigError when its mesh is missing."""
    assert item.height_m is not None
    rgb = _rgb(item)
    if item.kind == "mesh":
        return _add_mesh(client, item, folder, rgb)
    blocks = BUILDERS[item.kind](item.size_m[0], item.size_m[1], item.height_m, rgb)
    return add_static(client, blocks, _xy(item), item.yaw_rad)


def mesh_path(item: Furniture, folder: str) -> Path:
    """Where the file of a piece of kind mesh lies."""
    return Path(folder) / item.mesh


def _add_mesh(client: int, item: Furniture, folder: str, rgb: Rgb) -> list[Part]:
    """A mesh scaled to the size that the scene says, its convex hull for contact."""
    path = mesh_path(item, folder)
    if not path.is_file():
        raise ConfigError(f"furniture {item.name}.mesh", f"there is no file {item.mesh}")
    raw = meshes.load_stl(path)
    low, high = raw.vertices.min(axis=0), raw.vertices.max(axis=0)
    size = np.array([*item.size_m, item.height_m])
    foot = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    mesh = Mesh(((raw.vertices - foot) * (size / np.maximum(high - low, 1e-9))).astype(np.float32), raw.faces)
    shape = p.createCollisionShape(p.GEOM_MESH, vertices=mesh.vertices.tolist(), physicsClientId=client)
    body = int(p.createMultiBody(0, shape, -1, [*_xy(item), 0.0], quat(item.yaw_rad), physicsClientId=client))
    return [Part(body, -1, mesh, rgb)]


def _xy(item: Furniture) -> tuple[float, float]:
    return item.at[0], item.at[1]


def _rgb(item: Furniture) -> Rgb:
    return (item.rgb[0], item.rgb[1], item.rgb[2]) if item.rgb else RGBS[item.kind]


def wall_blocks(wall: Wall) -> list[Block]:
    """The pieces of a wall between its doors, in a frame at its start with x along it."""
    half = wall.thickness_m / 2
    return [
        Block("box", ((a + b) / 2, 0.0, wall.height_m / 2), ((b - a) / 2, half, wall.height_m / 2), WALL_RGB)
        for a, b in wall.solid
    ]


def _box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], rgb: Rgb) -> Block:
    spans = (x, y, z)
    centre = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    return Block("box", centre, tuple((b - a) / 2 for a, b in spans), rgb)


def _darker(rgb: Rgb, share: float = 0.75) -> Rgb:
    return rgb[0] * share, rgb[1] * share, rgb[2] * share


def _table(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    """A slab on four thin legs; the front pair stands back, so that feet fit under the edge."""
    hx, hy, low = dx / 2, dy / 2, height - TABLE_SLAB_M
    slab = _box((-hx, hx), (-hy, hy), (low, height), rgb)
    x_front, x_back, y = -hx + 0.4 * dx, hx - LEG_HALF_M, hy - LEG_HALF_M
    corners = [(x, side * y) for x in (x_front, x_back) for side in (-1, 1)]
    size = (LEG_HALF_M, LEG_HALF_M, low / 2)
    return [slab, *(Block("box", (x, y, low / 2), size, _darker(rgb)) for x, y in corners)]


def _counter(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    hx, hy, low = dx / 2, dy / 2, height - TABLE_SLAB_M
    slab = _box((-hx, hx), (-hy, hy), (low, height), rgb)
    return [slab, _box((-hx + min(PLINTH_BACK_M, hx), hx), (-hy, hy), (0, low), _darker(rgb))]


def _shelf(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    """A back, two sides, and boards about 35 cm apart; open to the front."""
    hx, hy = dx / 2, dy / 2
    back = _box((hx - BOARD_M, hx), (-hy, hy), (0, height), rgb)
    sides = [_box((-hx, hx - BOARD_M), span, (0, height), rgb) for span in ((-hy, -hy + BOARD_M), (hy - BOARD_M, hy))]
    count = max(2, round(height / 0.35))
    levels = [i * (height - BOARD_M) / (count - 1) for i in range(count)]
    inner = (-hy + BOARD_M, hy - BOARD_M)
    return [back, *sides, *(_box((-hx, hx - BOARD_M), inner, (z, z + BOARD_M), _darker(rgb)) for z in levels)]


def _sofa(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    hx, hy, arm, back = dx / 2, dy / 2, 0.14, 0.22
    return [
        _box((-hx, hx - back), (-hy + arm, hy - arm), (0.0, 0.42), rgb),
        _box((hx - back, hx), (-hy, hy), (0.0, height), _darker(rgb, 0.9)),
        _box((-hx, hx - back), (-hy, -hy + arm), (0.0, 0.6), _darker(rgb, 0.9)),
        _box((-hx, hx - back), (hy - arm, hy), (0.0, 0.6), _darker(rgb, 0.9)),
    ]


def _chair(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    """Seat at half its height, the back at the far side of its front."""
    hx, hy, seat, leg = dx / 2, dy / 2, height / 2, 0.02
    corners = [(sx * (hx - leg), sy * (hy - leg)) for sx in (-1, 1) for sy in (-1, 1)]
    legs = [Block("box", (x, y, seat / 2 - 0.01), (leg, leg, seat / 2 - 0.01), _darker(rgb)) for x, y in corners]
    top = _box((-hx, hx), (-hy, hy), (seat - 0.02, seat + 0.02), rgb)
    return [top, _box((hx - 0.04, hx), (-hy, hy), (seat + 0.02, height), rgb), *legs]


def _bed(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    hx, hy = dx / 2, dy / 2
    return [
        _box((-hx, hx - 0.06), (-hy, hy), (0.0, height), rgb),
        _box((hx - 0.06, hx), (-hy, hy), (0.0, height + 0.4), _darker(rgb)),
    ]


def _plain(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    return [_box((-dx / 2, dx / 2), (-dy / 2, dy / 2), (0.0, height), rgb)]


def _plant(dx: float, dy: float, height: float, rgb: Rgb) -> list[Block]:
    """A pot and a crown that fills its rectangle."""
    radius, pot = min(dx, dy) / 2, 0.35 * height
    crown = min(radius, (height - pot) / 2)
    return [
        Block("cylinder", (0, 0, pot / 2), (0.7 * radius, pot), POT_RGB),
        Block("cylinder", (0, 0, (pot + height - crown) / 2), (0.12 * radius, height - crown - pot), _darker(rgb)),
        Block("sphere", (0, 0, height - crown), (crown,), rgb),
    ]


BUILDERS: dict[str, Callable[[float, float, float, Rgb], list[Block]]] = {
    "table": _table,
    "counter": _counter,
    "shelf": _shelf,
    "sofa": _sofa,
    "chair": _chair,
    "bed": _bed,
    "box": _plain,
    "plant": _plant,
}
