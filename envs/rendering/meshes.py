"""Triangle meshes: household primitives, binary STL files and the visuals of a URDF. Lengths m, angles rad."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vla_sim.errors import ConfigError, nearest
from vla_sim.types import Array

UNPAINTED = (0.6, 0.6, 0.62)
STL_HEADER, STL_FACE = 84, np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface. Corners of a face run counter-clockwise as seen from outside."""

    vertices: NDArray[np.float32]  # [n, 3] m
    faces: NDArray[np.int32]  # [m, 3] indices of vertices

    def moved(self, pose: Array) -> Mesh:
        """The mesh placed by a [4, 4] pose."""
        vertices = np.sum(pose[:3, :3] * self.vertices[:, None, :], axis=2) + pose[:3, 3]
        return Mesh(vertices.astype(np.float32), self.faces)

    @cached_property
    def closed(self) -> bool:
        """Watertight and turned outward: each edge runs once each way and the volume is positive.

        The inner side of such a surface can never be seen from outside.
        """
        starts, ends = self.faces.astype(np.int64).ravel(), np.roll(self.faces, -1, axis=1).astype(np.int64).ravel()
        count = len(self.vertices)
        there, back = np.sort(starts * count + ends), np.sort(ends * count + starts)
        once = bool(np.all(there[1:] != there[:-1]))
        return once and np.array_equal(there, back) and self._volume_m3() > 0.0

    @cached_property
    def sphere(self) -> tuple[float, float, float, float]:
        """Centre (x, y, z) and radius of a sphere that holds it, m."""
        if not len(self.vertices):
            return 0.0, 0.0, 0.0, 0.0
        vertices = self.vertices.astype(np.float64)
        x, y, z = (0.5 * (vertices.min(axis=0) + vertices.max(axis=0))).tolist()
        return x, y, z, float(np.sqrt(np.max(np.sum((vertices - (x, y, z)) ** 2, axis=1))))

    def _volume_m3(self) -> float:
        a, b, c = (self.vertices[self.faces[:, i]].astype(np.float64) for i in range(3))
        return float(np.sum(a * np.cross(b, c))) / 6.0


def _mesh(vertices: ArrayLike, faces: ArrayLike) -> Mesh:
    return Mesh(np.asarray(vertices, dtype=np.float32), np.asarray(faces, dtype=np.int32))


def box(half_extents: Sequence[float], centre: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A box of `half_extents` [3] m about `centre` [3] m: 12 triangles."""
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return _mesh(signs * np.asarray(half_extents) + np.asarray(centre), faces)


def cylinder(radius_m: float, height_m: float, sides: int = 24) -> Mesh:
    """A cylinder about z, its centre at the origin, drawn as a prism whose corners lie on the circle."""
    turn = [2.0 * math.pi * i / sides for i in range(sides)]
    ring = [(radius_m * math.cos(a), radius_m * math.sin(a)) for a in turn]
    rings = [(x, y, z) for z in (-0.5 * height_m, 0.5 * height_m) for x, y in ring]
    foot, top = 2 * sides, 2 * sides + 1
    faces = []
    for i in range(sides):
        j = (i + 1) % sides
        faces += [(i, j, sides + j), (i, sides + j, sides + i), (foot, j, i), (top, sides + i, sides + j)]
    return _mesh([*rings, (0.0, 0.0, -0.5 * height_m), (0.0, 0.0, 0.5 * height_m)], faces)


def sphere(radius_m: float, slices: int = 24, stacks: int = 12) -> Mesh:
    """A sphere about the origin whose corners lie on the surface: `slices` around z, `stacks` from pole to pole."""
    vertices = [(0.0, 0.0, radius_m)]
    for i in range(1, stacks):
        polar = math.pi * i / stacks
        for j in range(slices):
            turn = 2.0 * math.pi * j / slices
            across = radius_m * math.sin(polar)
            vertices.append((across * math.cos(turn), across * math.sin(turn), radius_m * math.cos(polar)))
    vertices.append((0.0, 0.0, -radius_m))
    last = len(vertices) - 1
    faces = []
    for j in range(slices):
        k = (j + 1) % slices
        faces.append((0, 1 + j, 1 + k))
        for i in range(stacks - 2):
            upper, lower = 1 + i * slices, 1 + (i + 1) * slices
            faces += [(upper + j, lower + j, lower + k), (upper + j, lower + k, upper + k)]
        rim = 1 + (stacks - 2) * slices
        faces.append((last, rim + k, rim + j))
    return _mesh(vertices, faces)


def grid(size_x_m: float, size_y_m: float, cells: int = 1) -> Mesh:
    """A flat rectangle about the origin facing +z, cut into `cells` x `cells` squares of two triangles each."""
    steps = np.arange(cells + 1) / cells - 0.5
    y, x = np.meshgrid(steps * size_y_m, steps * size_x_m)
    row = cells + 1
    corner = (np.arange(cells)[:, None] * row + np.arange(cells)).ravel()
    near, far = np.stack((corner, corner + row, corner + row + 1)), np.stack((corner, corner + row + 1, corner + 1))
    return _mesh(np.stack((x, y, np.zeros_like(x)), axis=2).reshape(-1, 3), np.concatenate((near, far), axis=1).T)


def load_stl(path: Path) -> Mesh:
    """A binary STL file, equal corners merged and faces without area dropped. ConfigError when it is not one."""
    data = path.read_bytes() if path.is_file() else b""
    count = int.from_bytes(data[80:84], "little")
    if len(data) < STL_HEADER or len(data) < STL_HEADER + count * STL_FACE.itemsize:
        raise ConfigError(str(path), "is not a whole binary STL file")
    corners = np.frombuffer(data, dtype=STL_FACE, count=count, offset=STL_HEADER)["corners"].reshape(-1, 3)
    vertices, index = np.unique(corners, axis=0, return_inverse=True)
    faces = index.reshape(-1, 3)
    a, b, c = faces.T
    return _mesh(vertices, faces[(a != b) & (b != c) & (c != a)])


@dataclass(frozen=True, eq=False)
class Visual:
    """One visual element of a URDF link."""

    link: str
    mesh: Mesh  # in the link's frame
    rgb: tuple[float, float, float]  # 0-1


def load_visuals(urdf: Path) -> list[Visual]:
    """Every visual of a URDF (box, cylinder, sphere or binary STL beside it), already placed in its link's frame."""
    robot = ET.parse(urdf).getroot()
    named = {m.get("name"): _rgb(m) for m in robot.findall("material") if m.find("color") is not None}
    visuals = []
    for link in robot.findall("link"):
        for visual in link.findall("visual"):
            mesh = _geometry(visual, urdf.parent).moved(_origin(visual))
            material = visual.find("material")
            rgb = UNPAINTED
            if material is not None:
                rgb = _rgb(material) if material.find("color") is not None else named.get(material.get("name"), rgb)
            visuals.append(Visual(link.get("name", ""), mesh, rgb))
    return visuals


def pose_from_xyz_rpy(xyz: Sequence[float], rpy: Sequence[float]) -> Array:
    """[4, 4] pose of a URDF origin: roll, pitch, yaw (rad) about the fixed x, y, z axes, then the offset (m)."""
    (cr, cp, cy), (sr, sp, sy) = [math.cos(a) for a in rpy], [math.sin(a) for a in rpy]
    pose = np.eye(4)
    pose[:3, :3] = (
        (cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
        (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
        (-sp, cp * sr, cp * cr),
    )
    pose[:3, 3] = xyz
    return pose


def _origin(visual: ET.Element) -> Array:
    origin = visual.find("origin")
    if origin is None:
        return np.eye(4)
    return pose_from_xyz_rpy(_numbers(origin.get("xyz", "0 0 0")), _numbers(origin.get("rpy", "0 0 0")))


def _geometry(visual: ET.Element, folder: Path) -> Mesh:
    shape = visual.find("geometry/*")
    tag, has = ("nothing", {}) if shape is None else (shape.tag, shape.attrib)
    if tag == "box":
        return box([0.5 * size for size in _numbers(has["size"])])
    if tag == "cylinder":
        return cylinder(float(has["radius"]), float(has["length"]))
    if tag == "sphere":
        return sphere(float(has["radius"]))
    if tag == "mesh":
        mesh = load_stl(folder / has["filename"])
        scale = np.array(_numbers(has.get("scale", "1 1 1")), dtype=np.float32)
        return Mesh(mesh.vertices * scale, mesh.faces)
    raise ConfigError("visual", f"has no geometry {tag!r}", nearest(tag, ("box", "cylinder", "sphere", "mesh")))


def _rgb(material: ET.Element) -> tuple[float, float, float]:
    red, green, blue = _numbers(material.find("color").get("rgba", ""))[:3]  # type: ignore[union-attr]
    return red, green, blue


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]
