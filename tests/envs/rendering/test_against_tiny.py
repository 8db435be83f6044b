"""The rasteriser against two other methods: PyBullet's TinyRenderer and its ray tests, pixel by pixel."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pybullet as p
import pytest
from scipy.spatial.transform import Rotation

from envs.rendering.camera import Image, RasterRenderer, Renderer, look_at
from envs.rendering.meshes import Mesh, box, cylinder, load_visuals, sphere
from envs.rendering.scene import SceneBuilder
from envs.rendering.tiny import TinyRenderer, projection_matrix, view_matrix
from vla_sim.types import Array, Intrinsics

LENS = Intrinsics.from_fov(160, 120, math.radians(60))
ODD_LENS = Intrinsics(150, 110, 130.0, 145.0, 60.0, 70.0)
CAMERA = look_at((1.3, 0.3, 1.0), (0.0, 0.0, 0.1))


@pytest.fixture
def client() -> Iterator[int]:
    number = p.connect(p.DIRECT)
    yield number
    p.disconnect(physicsClientId=number)


def solid(kind: str, size: list[float], client: int) -> tuple[Mesh, int, int]:
    """The mesh of a solid; PyBullet's exact collision shape of it, for rays; and a visual of the same triangles.

    PyBullet's own visual of a sphere has so few triangles that it lies up to 2 cm inside one of 15 cm radius.
    """
    radius, height = size[0], 2.0 * size[1]
    if kind == "box":
        mesh, exact = box(size), {"shapeType": p.GEOM_BOX, "halfExtents": size}
    elif kind == "sphere":
        mesh, exact = sphere(radius, 48, 24), {"shapeType": p.GEOM_SPHERE, "radius": radius}
    else:
        mesh, exact = cylinder(radius, height, 48), {"shapeType": p.GEOM_CYLINDER, "radius": radius, "height": height}
    collision = p.createCollisionShape(**exact, physicsClientId=client)
    corners, faces = mesh.vertices.tolist(), mesh.faces.ravel().tolist()
    visual = p.createVisualShape(p.GEOM_MESH, vertices=corners, indices=faces, physicsClientId=client)
    return mesh, collision, visual


def random_world(seed: int, client: int) -> tuple[SceneBuilder, Array]:
    """A floor slab and nine solids at random poses, in PyBullet and as a scene; labels are body ids."""
    rng = np.random.default_rng(seed)
    builder, poses = SceneBuilder(), []
    kinds = ["box"] + ["box", "cylinder", "sphere"] * 3
    for number, kind in enumerate(kinds):
        size = [3.0, 3.0, 0.05] if number == 0 else rng.uniform(0.05, 0.15, 3).tolist()
        position = [0.0, 0.0, -0.3] if number == 0 else rng.uniform([-0.6, -0.6, -0.1], [0.6, 0.6, 0.5]).tolist()
        turn = Rotation.identity() if number == 0 else Rotation.random(rng=rng)
        mesh, collision, visual = solid(kind, size, client)
        body = p.createMultiBody(0, collision, visual, position, turn.as_quat().tolist(), physicsClientId=client)
        builder.add((body, -1), mesh, (0.5, 0.5, 0.5), body)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn.as_matrix(), position
        poses.append(pose)
    return builder, np.array(poses)


def assert_same(ours: Image, theirs: Image, least_agreement: float, most_error_m: float) -> None:
    """Bounds on the share of pixels with equal labels, and on the depth error of 95 % of those that hit something."""
    same = ours.segmentation == theirs.segmentation
    hit = same & (ours.segmentation >= 0)
    assert same.mean() >= least_agreement
    assert np.unique(theirs.segmentation).size > 3
    error = np.abs(ours.depth_m[hit] - theirs.depth_m[hit])
    assert np.percentile(error, 95) < most_error_m


@pytest.mark.parametrize("lens", [LENS, ODD_LENS], ids=["centred", "off-centre"])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_tiny_renderer(seed: int, lens: Intrinsics, client: int) -> None:
    builder, poses = random_world(seed, client)
    renderers: list[Renderer] = [RasterRenderer(builder.build()), TinyRenderer(client)]
    ours, theirs = (renderer.render(lens, CAMERA, poses) for renderer in renderers)
    assert_same(ours, theirs, least_agreement=0.999, most_error_m=1e-4)


def ray_image(lens: Intrinsics, camera: Array, client: int, reach_m: float = 8.0) -> Image:
    """What PyBullet's rays through the pixel centres hit first."""
    v, u = np.mgrid[: lens.height, : lens.width] + 0.5
    ahead = np.stack(((u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, np.ones_like(u)), axis=2).reshape(-1, 3)
    ends = camera[:3, 3] + reach_m * ahead @ camera[:3, :3].T
    starts = np.tile(camera[:3, 3], (len(ends), 1))
    hits = []
    for i in range(0, len(ends), 8000):
        hits += p.rayTestBatch(starts[i : i + 8000].tolist(), ends[i : i + 8000].tolist(), physicsClientId=client)
    bodies = np.array([hit[0] for hit in hits], dtype=np.int32)
    depth = np.where(bodies >= 0, [hit[2] * reach_m for hit in hits], np.inf).astype(np.float32)
    size = (lens.height, lens.width)
    return Image(np.zeros((*size, 3), np.uint8), depth.reshape(size), bodies.reshape(size))


@pytest.mark.parametrize("lens", [LENS, ODD_LENS], ids=["centred", "off-centre"])
def test_agrees_with_rays_through_the_pixel_centres(lens: Intrinsics, client: int) -> None:
    builder, poses = random_world(7, client)
    ours = RasterRenderer(builder.build()).render(lens, CAMERA, poses)
    theirs = TinyRenderer(client).render(lens, CAMERA, poses)
    for image in (ours, theirs):  # the rays meet smooth solids, the images flat triangles
        assert_same(image, ray_image(lens, CAMERA, client), least_agreement=0.995, most_error_m=2e-3)


def test_labels_of_the_reference_can_be_chosen(client: int) -> None:
    _, poses = random_world(3, client)
    plain = TinyRenderer(client).render(LENS, CAMERA, poses).segmentation
    named = TinyRenderer(client, labels={0: 40, 1: 41}).render(LENS, CAMERA, poses).segmentation
    assert np.array_equal(named == 40, plain == 0)
    assert np.array_equal(named == 41, plain == 1)
    assert np.array_equal(named[plain > 1], plain[plain > 1])


def test_matrices_equal_those_of_pybullet() -> None:
    near, far = 0.1, 7.0
    left, right = -ODD_LENS.cx / ODD_LENS.fx, (ODD_LENS.width - ODD_LENS.cx) / ODD_LENS.fx
    top, bottom = ODD_LENS.cy / ODD_LENS.fy, (ODD_LENS.cy - ODD_LENS.height) / ODD_LENS.fy
    frustum = p.computeProjectionMatrix(left * near, right * near, bottom * near, top * near, near, far)
    assert np.allclose(projection_matrix(ODD_LENS, near, far), frustum, atol=1e-6)
    view = p.computeViewMatrix([1.0, 2.0, 3.0], [0.5, -1.0, 0.2], [0.0, 0.0, 1.0])
    assert np.allclose(view_matrix(look_at((1.0, 2.0, 3.0), (0.5, -1.0, 0.2))), view, atol=1e-6)


URDF = """<robot name="pole">
  <material name="blue"><color rgba="0.1 0.2 0.9 1"/></material>
  <link name="foot"><visual><origin xyz="0 0.1 0.1" rpy="0.3 0.2 0.1"/>
    <geometry><box size="0.4 0.3 0.2"/></geometry><material name="blue"/></visual></link>
  <link name="pole">
    <visual><origin xyz="0 0 0.2" rpy="0 0.5 0"/><geometry><cylinder radius="0.08" length="0.5"/></geometry></visual>
    <visual><origin xyz="0 0 0.5"/><geometry><sphere radius="0.12"/></geometry>
      <material name="own"><color rgba="0.9 0.1 0.1 1"/></material></visual></link>
  <joint name="mast" type="fixed"><origin xyz="0 0 0.2"/><parent link="foot"/><child link="pole"/></joint>
</robot>"""


def test_visuals_of_a_urdf_stand_where_pybullet_puts_them(tmp_path: Path, client: int) -> None:
    path = tmp_path / "pole.urdf"
    path.write_text(URDF)
    body = p.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    visuals = load_visuals(path)
    assert [visual.link for visual in visuals] == ["foot", "pole", "pole"]
    assert [visual.rgb for visual in visuals] == [(0.1, 0.2, 0.9), (0.6, 0.6, 0.62), (0.9, 0.1, 0.1)]
    builder, links = SceneBuilder(), ["foot", "pole"]
    for visual in visuals:
        builder.add((body, links.index(visual.link) - 1), visual.mesh, visual.rgb, body)
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, 2, 3] = 0.2
    ours = RasterRenderer(builder.build()).render(LENS, CAMERA, poses)
    theirs = TinyRenderer(client).render(LENS, CAMERA, poses)
    same = ours.segmentation == theirs.segmentation
    hit = same & (ours.segmentation == body)
    assert hit.sum() > 1000
    assert same.mean() >= 0.995
    assert np.median(np.abs(ours.depth_m[hit] - theirs.depth_m[hit])) < 1e-3
