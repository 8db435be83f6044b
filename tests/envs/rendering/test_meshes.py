"""Meshes: closed surfaces, areas and volumes against their formulas, files against what was written."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from envs.rendering.meshes import Mesh, box, cylinder, grid, load_stl, load_visuals, pose_from_xyz_rpy, sphere
from envs.rendering.scene import SceneBuilder
from vla_sim.errors import ConfigError

BODY, HAND = (3, -1), (3, 0)
SOLIDS = {
    "box": (box((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), 8 * 0.1 * 0.2 * 0.3),
    "cylinder": (cylinder(0.1, 0.5, 64), math.pi * 0.1**2 * 0.5),
    "sphere": (sphere(0.2, 64, 32), 4 / 3 * math.pi * 0.2**3),
}


def volume_m3(mesh: Mesh) -> float:
    """By the divergence theorem over the first coordinate (another sum than the one inside `closed`)."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    area_x = 0.5 * np.cross(b - a, c - a)[:, 0]
    return float(np.sum(area_x * (a + b + c)[:, 0] / 3))


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_closed_and_turned_outward(name: str) -> None:
    mesh, volume = SOLIDS[name]
    assert mesh.closed
    assert math.isclose(volume_m3(mesh), volume, rel_tol=0.01)
    assert not Mesh(mesh.vertices, mesh.faces[1:]).closed
    assert not Mesh(mesh.vertices, mesh.faces[:, ::-1].copy()).closed
    mirrored = np.diag([1.0, -1.0, 1.0, 1.0])
    assert not mesh.moved(mirrored).closed


def test_round_meshes_have_their_corners_on_the_surface() -> None:
    assert np.allclose(np.linalg.norm(sphere(0.2).vertices, axis=1), 0.2, rtol=1e-6)
    rim = np.linalg.norm(cylinder(0.3, 1.0, 16).vertices[:32, :2], axis=1)
    assert np.allclose(rim, 0.3, rtol=1e-6)


@pytest.mark.parametrize("cells", [1, 5])
def test_grid_is_a_flat_sheet_facing_up(cells: int) -> None:
    mesh = grid(3.0, 2.0, cells)
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    across = np.cross(b - a, c - a)
    assert len(mesh.faces) == 2 * cells**2
    assert np.allclose(across, (0.0, 0.0, 6.0 / cells**2), atol=1e-6)
    assert np.allclose(mesh.vertices.min(axis=0), (-1.5, -1.0, 0.0))
    assert not mesh.closed


def write_stl(path: Path, mesh: Mesh) -> None:
    faces = b"".join(struct.pack("<12fH", 0, 0, 0, *mesh.vertices[f].ravel().tolist(), 0) for f in mesh.faces)
    path.write_bytes(b"\0" * 80 + struct.pack("<I", len(mesh.faces)) + faces)


def test_stl_comes_back_with_its_corners_merged(tmp_path: Path) -> None:
    mesh = sphere(0.2)
    line = np.array([[0, 0, 1]], dtype=np.int32)  # a face without area
    write_stl(tmp_path / "ball.stl", Mesh(mesh.vertices, np.concatenate((mesh.faces, line))))
    loaded = load_stl(tmp_path / "ball.stl")
    assert len(loaded.vertices) == len(mesh.vertices)
    assert np.array_equal(loaded.vertices[loaded.faces], mesh.vertices[mesh.faces])
    assert loaded.closed


@pytest.mark.parametrize("data", [b"", b"solid text\nendsolid", b"\0" * 80 + struct.pack("<I", 2) + b"\0" * 50])
def test_broken_stl_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.stl"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"broken\.stl: is not a whole binary STL file"):
        load_stl(path)


def test_urdf_origin_is_roll_pitch_yaw_about_fixed_axes() -> None:
    pose = pose_from_xyz_rpy((1.0, 2.0, 3.0), (0.4, -0.7, 2.1))
    assert np.allclose(pose[:3, :3], Rotation.from_euler("xyz", [0.4, -0.7, 2.1]).as_matrix(), atol=1e-12)
    assert pose[:3, 3].tolist() == [1.0, 2.0, 3.0]


def test_unknown_geometry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.urdf"
    path.write_text("<robot name='odd'><link name='a'><visual><geometry><spher/></geometry></visual></link></robot>")
    with pytest.raises(ConfigError, match=r"'spher'.*did you mean 'sphere'"):
        load_visuals(path)


def test_scene_flattens_its_parts() -> None:
    builder = SceneBuilder()
    builder.add(BODY, box((1, 1, 1)), (1.0, 0.5, 0.0), 4)
    builder.add(HAND, grid(1.0, 1.0), (0.0, 0.0, 1.0), 5)
    builder.add(BODY, sphere(0.5), (0.2, 0.2, 0.2), 6)
    scene = builder.build()
    meshes = (box((1, 1, 1)), grid(1.0, 1.0), sphere(0.5))
    assert scene.keys == (BODY, HAND)
    assert np.array_equal(scene.vertices[scene.faces], np.concatenate([m.vertices[m.faces] for m in meshes]))
    counts = [12, 2, len(meshes[2].faces)]
    assert scene.piece_part.tolist() == [0, 1, 0]
    assert np.array_equal(np.diff(scene.piece_face), counts)
    for piece, (x, y, z, radius) in enumerate(scene.spheres):
        vertices = range(scene.piece_vertex[piece], scene.piece_vertex[piece + 1])
        faces = scene.faces[scene.piece_face[piece] : scene.piece_face[piece + 1]]
        assert sorted(set(faces.ravel().tolist())) == list(vertices)  # a piece's faces use its own vertices, and all
        away = np.linalg.norm(scene.vertices[vertices].astype(np.float64) - (x, y, z), axis=1)
        assert away.max() == pytest.approx(radius, rel=1e-12)
    assert np.array_equal(scene.labels, np.repeat([4, 5, 6], counts))
    assert np.array_equal(scene.two_sided, np.repeat([False, True, False], counts))
    assert scene.colours[0].tolist() == [255.0, 127.5, 0.0]
    assert np.allclose(scene.normals[12:14], (0.0, 0.0, 1.0))
    centres = scene.vertices[scene.faces].mean(axis=1)
    outward = np.sum(centres * scene.normals, axis=1) > 0.0
    assert outward[:12].all()
    assert outward[14:].all()


@pytest.mark.parametrize(("rgb", "label"), [((1.2, 0.0, 0.0), 1), ((0.5, 0.5, 0.5), -1)])
def test_bad_paint_and_labels_are_refused(rgb: tuple[float, float, float], label: int) -> None:
    with pytest.raises(ValueError, match="label"):
        SceneBuilder().add(BODY, box((1, 1, 1)), rgb, label)


def test_empty_scene_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one mesh"):
        SceneBuilder().build()
