"""A scene for the rasteriser: rigid parts, each a set of painted meshes that move together, flattened into arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from envs.rendering.meshes import Mesh

PartKey = tuple[int, int]  # body id, and link index within the body (-1 = its base), as PyBullet counts them


@dataclass(frozen=True, eq=False)
class RenderScene:
    """All triangles of a world, C-contiguous. Vertices and normals are in the frame of their part.

    Each mesh that was added is a piece: its vertices and faces stand together, inside a sphere that tells quickly
    whether any of it can be in the image.
    """

    keys: tuple[PartKey, ...]  # the parts, in the order in which a renderer wants their poses
    piece_part: NDArray[np.int32]  # [q] index into `keys`
    piece_vertex: NDArray[np.int64]  # [q + 1] piece i has the vertices from here to before the next
    piece_face: NDArray[np.int64]  # [q + 1] likewise
    spheres: NDArray[np.float64]  # [q, 4] centre and radius of what holds a piece, m
    vertices: NDArray[np.float32]  # [n, 3] m
    faces: NDArray[np.int32]  # [m, 3] indices of vertices
    normals: NDArray[np.float64]  # [m, 3] unit length, outward; zero for a face without area
    colours: NDArray[np.float64]  # [m, 3] 0-255, as painted
    labels: NDArray[np.int32]  # [m] what the segmentation image shows
    two_sided: NDArray[np.bool_]  # [m] False where the inner side can never be seen


@dataclass
class SceneBuilder:
    """Collects painted meshes and builds a `RenderScene`. Parts keep the order in which their keys came first."""

    _index: dict[PartKey, int] = field(default_factory=dict)
    _meshes: list[tuple[int, Mesh, tuple[float, float, float], int]] = field(default_factory=list)

    def add(self, key: PartKey, mesh: Mesh, rgb: tuple[float, float, float], label: int) -> None:
        """Fix a mesh to the part `key`. `rgb` 0-1; `label` >= 0, because -1 in the image means nothing was hit."""
        if label < 0 or not all(0.0 <= channel <= 1.0 for channel in rgb):
            raise ValueError(f"part {key!r}: label {label} must be >= 0 and colour {rgb} within 0-1")
        self._meshes.append((self._index.setdefault(key, len(self._index)), mesh, rgb, label))

    def build(self) -> RenderScene:
        """The scene as it is now; the builder can go on collecting. ValueError when it is empty."""
        if not self._meshes:
            raise ValueError("a scene needs at least one mesh")
        parts, meshes, paints, labels = zip(*self._meshes, strict=True)
        vertex_counts, face_counts = [len(m.vertices) for m in meshes], [len(m.faces) for m in meshes]
        starts = np.cumsum([0, *vertex_counts])
        offsets = np.repeat(starts[:-1], face_counts)
        vertices = np.ascontiguousarray(np.concatenate([m.vertices for m in meshes]), dtype=np.float32)
        faces = np.ascontiguousarray(np.concatenate([m.faces for m in meshes]) + offsets[:, None], dtype=np.int32)
        return RenderScene(
            keys=tuple(self._index),
            piece_part=np.array(parts, dtype=np.int32),
            piece_vertex=np.asarray(starts, dtype=np.int64),
            piece_face=np.cumsum([0, *face_counts], dtype=np.int64),
            spheres=np.array([m.sphere for m in meshes], dtype=np.float64),
            vertices=vertices,
            faces=faces,
            normals=_normals(vertices, faces),
            colours=np.repeat(255.0 * np.array(paints, dtype=np.float64), face_counts, axis=0),
            labels=np.repeat(np.array(labels, dtype=np.int32), face_counts),
            two_sided=np.repeat(np.array([not m.closed for m in meshes], dtype=np.bool_), face_counts),
        )


def _normals(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    across = np.cross(b - a, c - a)
    length = np.sqrt(np.sum(across * across, axis=1, keepdims=True))
    normals = np.zeros_like(across)
    np.divide(across, length, out=normals, where=length > 0.0)
    return normals
