"""The rasteriser against closed forms: planes, boxes, Lambert's law, and properties that hold for any picture."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from envs.rendering.camera import Image, Light, RasterRenderer, look_at, resized
from envs.rendering.meshes import Mesh, box, grid, sphere
from envs.rendering.scene import RenderScene, SceneBuilder
from vla_sim.errors import ConfigError
from vla_sim.types import Array, Intrinsics

ROOT = Path(__file__).resolve().parents[3]
SMALL = Intrinsics.from_fov(48, 40, math.radians(70))
HERE = np.eye(4)
WHITE = (1.0, 1.0, 1.0)
few = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def scene_of(*meshes: Mesh) -> RenderScene:
    builder = SceneBuilder()
    for label, mesh in enumerate(meshes):
        builder.add((label, -1), mesh, WHITE, label)
    return builder.build()


def view(scene: RenderScene, camera: Array, intrinsics: Intrinsics = SMALL, near_m: float = 0.02) -> Image:
    poses = np.tile(np.eye(4), (len(scene.keys), 1, 1))
    return RasterRenderer(scene, near_m=near_m).render(intrinsics, camera, poses)


def rays(intrinsics: Intrinsics, camera: Array) -> Array:
    """[H, W, 3] directions in the world through the pixel centres, one metre deep."""
    v, u = np.mgrid[: intrinsics.height, : intrinsics.width] + 0.5
    x, y = (u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy
    return np.asarray(np.stack((x, y, np.ones_like(x)), axis=2) @ camera[:3, :3].T)


def random_camera(rng: np.random.Generator, low: list[float], high: list[float]) -> Array:
    camera = np.eye(4)
    camera[:3, :3] = Rotation.random(rng=rng).as_matrix()
    camera[:3, 3] = rng.uniform(low, high)
    return camera


@few
@given(seeds, st.sampled_from([1, 2, 7]))
def test_floor_under_the_camera_has_the_depth_of_its_plane(seed: int, cells: int) -> None:
    """The floor runs from behind the camera to far ahead, so its triangles cross the near plane in every way."""
    rng = np.random.default_rng(seed)
    camera = random_camera(rng, [-3, -3, 0.2], [3, 3, 2])
    image = view(scene_of(grid(20.0, 20.0, cells)), camera)
    ray = rays(SMALL, camera)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -camera[2, 3] / ray[..., 2]
        spot = np.abs(camera[:2, 3] + depth[..., None] * ray[..., :2]).max(axis=2)
    hit = (depth >= 0.02) & (spot < 10.0)
    clear = (np.abs(spot - 10.0) > 1e-5) & (np.abs(depth - 0.02) > 1e-9)
    assert np.array_equal((image.segmentation == 0)[clear], hit[clear])
    assert np.allclose(image.depth_m[hit & clear], depth[hit & clear], rtol=1e-6)


def box_depths(half: Array, camera: Array) -> tuple[Array, Array]:
    """Depths at which the ray of each pixel enters and leaves a box about the origin (slab method)."""
    ray, eye = rays(SMALL, camera), camera[:3, 3]
    first, second = (-half - eye) / ray, (half - eye) / ray
    return np.minimum(first, second).max(axis=2), np.maximum(first, second).min(axis=2)


@few
@given(seeds)
def test_long_box_is_cut_by_the_near_plane(seed: int) -> None:
    """A beam beside, around and behind the camera: entered where the slab method says, unless nearer than near."""
    rng = np.random.default_rng(seed)
    half = rng.uniform([5, 0.1, 0.1], [30, 1, 1]).astype(np.float32).astype(np.float64)
    camera = random_camera(rng, [-4, -1.5, -1.5], [4, 1.5, 1.5])
    near = rng.uniform(0.02, 1.0)
    image = view(scene_of(box(half.tolist())), camera, near_m=near)
    enter, leave = box_depths(half, camera)
    hit = (enter <= leave) & (enter >= near)
    clear = (np.abs(leave - enter) > 1e-6) & (np.abs(enter - near) > 1e-9)
    assert np.array_equal((image.segmentation == 0)[clear], hit[clear])
    assert np.allclose(image.depth_m[hit & clear], enter[hit & clear], rtol=1e-5)


@few
@given(seeds)
def test_open_surface_is_seen_from_inside(seed: int) -> None:
    """Without one of its triangles a box is not closed, and its inner side is drawn."""
    rng = np.random.default_rng(seed)
    half = np.array([2.0, 1.0, 1.5])
    whole = box(half.tolist())
    lid = int(rng.integers(12))
    camera = random_camera(rng, [-1.5, -0.5, -1], [1.5, 0.5, 1])
    inside = view(scene_of(Mesh(whole.vertices, np.delete(whole.faces, lid, axis=0))), camera)
    shown = inside.segmentation == 0
    assert np.allclose(inside.depth_m[shown], box_depths(half, camera)[1][shown], rtol=1e-5)
    only_lid = view(scene_of(Mesh(whole.vertices, whole.faces[lid : lid + 1])), camera)
    assert np.array_equal(~shown, only_lid.segmentation == 0)
    assert np.all(view(scene_of(whole), camera).segmentation == -1)


def patchwork(rng: np.random.Generator, on_centres: bool) -> tuple[Mesh, Array]:
    """A crumpled sheet that fills the image of `SMALL`; and where its corners lie in the image [n, 2]."""
    width, height = SMALL.width, SMALL.height
    spots = rng.uniform(-5, [width + 5, height + 5], (60, 2))
    if on_centres:
        spots = np.unique(np.floor(spots), axis=0) + 0.5
    frame = [(u, v) for u in (-20.0, width + 20.0) for v in (-20.0, height + 20.0)]
    pixels = np.concatenate((frame, spots))
    depth = rng.uniform(0.5, 5.0, len(pixels))
    x, y = (pixels[:, 0] - SMALL.cx) / SMALL.fx * depth, (pixels[:, 1] - SMALL.cy) / SMALL.fy * depth
    vertices = np.stack((x, y, depth), axis=1).astype(np.float32)
    return Mesh(vertices, Delaunay(pixels).simplices.astype(np.int32)), pixels


def turn(a: Array, b: Array, c: Array) -> Array:
    """Twice the signed area of triangles with corners [..., 2]."""
    ab, ac = b - a, c - a
    return np.asarray(ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0])


@few
@given(seeds, st.booleans())
def test_adjacent_triangles_leave_no_hole(seed: int, on_centres: bool) -> None:
    """Corners exactly on pixel centres are the hard case: each such pixel belongs to a neighbour all the same."""
    mesh, pixels = patchwork(np.random.default_rng(seed), on_centres)
    builder = SceneBuilder()
    for label, face in enumerate(mesh.faces):
        builder.add((0, -1), Mesh(mesh.vertices, face[None]), WHITE, label)
    image = view(builder.build(), HERE)
    assert np.all(image.segmentation >= 0)
    v, u = np.mgrid[: SMALL.height, : SMALL.width] + 0.5
    a, b, c = (pixels[mesh.faces[image.segmentation][..., i]] for i in range(3))
    at = np.stack((u, v), axis=2)
    parts = np.stack([turn(p, q, at) for p, q in ((a, b), (b, c), (c, a))])
    assert (
        parts * np.sign(turn(a, b, c))
    ).min() > -1e-3  # corners are float32, so a boundary may lie 1e-5 pixels beside its place


@few
@given(seeds)
def test_sheet_seen_edge_on_stays_between_its_corners(seed: int) -> None:
    """The optical axis lies in the sheet, so only rounding decides what is drawn, and its plane says nothing."""
    rng = np.random.default_rng(seed)
    lens = Intrinsics.from_fov(41, 41, 1.0)  # odd: the axis runs through the centre of a pixel
    camera = random_camera(rng, [-1, -1, -1], [1, 1, 1])
    sheet = np.eye(4)
    sheet[:3, :3] = Rotation.from_euler("y", 90, degrees=True).as_matrix()
    sheet[2, 3] = 2.0
    poses = np.tile(camera @ sheet, (1, 1, 1))
    image = RasterRenderer(scene_of(grid(2.0, 2.0, 9))).render(lens, camera, poses)
    shown = image.depth_m[image.segmentation == 0]
    assert np.all((shown >= 1.0 - 1e-6) & (shown <= 3.0 + 1e-6))


@few
@given(st.floats(6, 90), st.floats(6, 60), st.floats(0.3, 6))
def test_cube_lands_on_its_pixel(u: float, v: float, depth: float) -> None:
    """Intrinsics are exact, with unequal focal lengths and an off-centre principal point."""
    lens = Intrinsics(96, 66, 80.0, 70.0, 40.3, 36.9)
    spot = [(u - lens.cx) / lens.fx * depth, (v - lens.cy) / lens.fy * depth, depth]
    half = 2.0 * depth / lens.fx  # about four pixels across
    image = view(scene_of(box([half, half, 1e-3 * half], spot)), HERE, lens)
    rows, columns = np.nonzero(image.segmentation == 0)
    assert image.segmentation[int(v), int(u)] == 0
    assert abs(columns.mean() + 0.5 - u) <= 0.51
    assert abs(rows.mean() + 0.5 - v) <= 0.51


def seen_colour(light: Light, eye: tuple[float, float, float]) -> list[int]:
    builder = SceneBuilder()
    builder.add((0, -1), grid(2.0, 2.0), (0.8, 0.4, 0.1), 0)
    renderer = RasterRenderer(builder.build(), light)
    image = renderer.render(SMALL, look_at(eye, (0.0, 0.0, 0.0)), np.eye(4)[None])
    return [int(channel) for channel in image.rgb[SMALL.height // 2, SMALL.width // 2]]


def test_lambert_shading_of_one_face() -> None:
    """Paint x (ambient + diffuse x cosine); the side away from the light gets the ambient part alone."""
    light = Light(direction=(3.0, 0.0, 4.0), ambient=0.3, diffuse=0.6)
    lit = [round(255 * paint * (0.3 + 0.6 * 0.8)) for paint in (0.8, 0.4, 0.1)]
    dark = [round(255 * paint * 0.3) for paint in (0.8, 0.4, 0.1)]
    assert seen_colour(light, (0.3, 0.2, 1.0)) == lit
    assert seen_colour(light, (-1.0, 0.5, 0.5)) == lit  # the viewer's place plays no part
    assert seen_colour(light, (0.3, 0.2, -1.0)) == dark


def test_light_stays_in_the_world_when_a_part_turns() -> None:
    light = Light(direction=(0.0, 0.0, 1.0), ambient=0.0, diffuse=1.0)
    builder = SceneBuilder()
    builder.add((0, -1), grid(2.0, 2.0), WHITE, 0)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("y", 60, degrees=True).as_matrix()
    image = RasterRenderer(builder.build(), light).render(SMALL, look_at((1, 0, 1), (0, 0, 0)), pose[None])
    assert image.rgb[20, 24].tolist() == [round(255 * 0.5)] * 3


def test_nearer_surface_wins_in_either_order() -> None:
    """Two sheets that cut each other: each pixel shows the nearer, whichever was added first."""
    flat, steep = grid(4.0, 4.0), grid(4.0, 4.0)
    tilt = np.eye(4)
    tilt[:3, :3] = Rotation.from_euler("xy", [35, 20], degrees=True).as_matrix()
    camera = look_at((0.1, -0.4, 3.0), (0.0, 0.0, 0.0))
    one, other = view(scene_of(flat, steep.moved(tilt)), camera), view(scene_of(steep.moved(tilt), flat), camera)
    for label in (0, 1):
        assert np.count_nonzero(one.segmentation == label) > 100
        assert np.array_equal(one.segmentation == label, other.segmentation == 1 - label)
    assert np.array_equal(one.depth_m, other.depth_m)
    alone = np.stack([view(scene_of(mesh), camera).depth_m for mesh in (flat, steep.moved(tilt))])
    assert np.array_equal(one.depth_m, alone.min(axis=0))


def test_nothing_hit_is_background_and_infinitely_far() -> None:
    scene = scene_of(sphere(0.2))
    pose = np.eye(4)[None].copy()
    pose[0, :3, 3] = (0.0, 0.0, 2.0)
    image = RasterRenderer(scene, background=(7, 8, 9)).render(SMALL, HERE, pose)
    nothing = image.segmentation == -1
    assert nothing[0, 0]
    assert not nothing[20, 24]
    assert np.all(np.isinf(image.depth_m) == nothing)
    assert np.all(image.rgb[nothing] == (7, 8, 9))
    beyond = RasterRenderer(scene, far_m=1.5).render(SMALL, HERE, pose)
    assert np.all(beyond.segmentation == -1)


def test_images_are_not_overwritten_by_the_next_one() -> None:
    renderer = RasterRenderer(scene_of(sphere(0.5)))
    poses = np.tile(np.eye(4), (2, 1, 1, 1))
    poses[0, 0, 2, 3], poses[1, 0, 2, 3] = 2.0, 3.0
    first = renderer.render(SMALL, HERE, poses[0])
    kept = Image(first.rgb.copy(), first.depth_m.copy(), first.segmentation.copy())
    second = renderer.render(SMALL, HERE, poses[1])
    renderer.render(replace(SMALL, width=20), HERE, poses[1])
    again = renderer.render(SMALL, HERE, poses[0])
    assert np.count_nonzero(second.segmentation >= 0) < np.count_nonzero(first.segmentation >= 0)
    for image in (first, again):
        assert np.array_equal(image.rgb, kept.rgb)
        assert np.array_equal(image.depth_m, kept.depth_m)
        assert np.array_equal(image.segmentation, kept.segmentation)


@pytest.mark.parametrize("poses", [np.eye(4), np.zeros((2, 4, 4)), np.full((1, 4, 4), np.nan)])
def test_bad_poses_are_refused(poses: Array) -> None:
    with pytest.raises(ValueError, match="poses: expected"):
        RasterRenderer(scene_of(sphere(0.5))).render(SMALL, HERE, poses)


def test_near_must_lie_before_far() -> None:
    with pytest.raises(ValueError, match="near_m"):
        RasterRenderer(scene_of(sphere(0.5)), near_m=2.0, far_m=1.0)


def test_look_at_centres_its_target() -> None:
    pose = look_at((1.0, 2.0, 3.0), (4.0, -1.0, 0.5))
    assert np.allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert math.isclose(float(np.linalg.det(pose[:3, :3])), 1.0)
    target = pose[:3, :3].T @ (np.array([4.0, -1.0, 0.5]) - pose[:3, 3])
    assert np.allclose(target[:2], 0.0, atol=1e-12)
    assert target[2] > 0.0
    assert pose[2, 1] < 0.0  # image down is world down
    with pytest.raises(ValueError, match="look_at"):
        look_at((0.0, 0.0, 1.0), (0.0, 0.0, 0.0))


PICTURE = """
import hashlib, math
import numpy as np
from envs.rendering.camera import RasterRenderer, look_at, resized
from envs.rendering.meshes import box, cylinder, grid, sphere
from envs.rendering.scene import SceneBuilder
from vla_sim.types import Intrinsics
builder = SceneBuilder()
for label, mesh in enumerate((grid(9, 9, 3), box((.1, .2, .3)), cylinder(.1, .3), sphere(.2))):
    builder.add((label, -1), mesh, (.9, .5, .1 * label), label)
poses = np.tile(np.eye(4), (4, 1, 1))
poses[1:, :3, 3] = (.1, .5, .3), (.3, -.1, .2), (-.2, -.6, .1)
lens = Intrinsics.from_fov(160, 120, 1.1)
image = RasterRenderer(builder.build()).render(lens, look_at((1.3, .4, 1.1), (0, 0, 0)), poses)
digest = hashlib.sha256()
for array in (image.rgb, image.depth_m, image.segmentation):
    digest.update(array.tobytes())
print(digest.hexdigest(), *np.unique(image.segmentation))
"""


def test_two_processes_draw_the_same_bits(tmp_path: Path) -> None:
    """One process with what is already compiled, one that compiles everything afresh."""
    answers = []
    for hash_seed, extra in (("1", {}), ("2", {"NUMBA_CACHE_DIR": str(tmp_path)})):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed, **extra}
        command = [sys.executable, "-c", PICTURE]
        done = subprocess.run(command, env=variables, cwd=ROOT, check=True, capture_output=True, text=True)
        answers.append(done.stdout.split())
    assert answers[0] == answers[1]
    assert answers[0][1:] == ["-1", "0", "1", "2", "3"]  # every part is in the picture, and some sky


@few
@given(seeds)
def test_pieces_out_of_sight_change_nothing(seed: int) -> None:
    """What is culled would not have been drawn: as one piece, which is seen, the same scene has the same bits."""
    rng = np.random.default_rng(seed)
    lens = Intrinsics(48, 40, 45.0, 30.0, 20.0, 24.0)
    camera = random_camera(rng, [-1, -1, -1], [1, 1, 1])
    solids = []
    for _ in range(12):
        pose = random_camera(rng, [-3, -3, -3], [3, 3, 3])
        solid = (
            box(rng.uniform(0.05, 0.6, 3).tolist())
            if rng.random() < 0.5
            else sphere(float(rng.uniform(0.05, 0.6)), 10, 6)
        )
        solids.append(Mesh(solid.moved(pose).vertices, np.concatenate((solid.faces, solid.faces[:, ::-1]))))
    starts = np.cumsum([0, *(len(s.vertices) for s in solids)])
    faces = np.concatenate([s.faces + start for s, start in zip(solids, starts, strict=False)]).astype(np.int32)
    whole = Mesh(np.concatenate([s.vertices for s in solids]), faces)
    for near_m, far_m in ((0.02, math.inf), (0.8, 2.5)):
        renderers = [
            RasterRenderer(scene, near_m=near_m, far_m=far_m) for scene in (scene_of(*solids), scene_of(whole))
        ]
        many, one = (r.render(lens, camera, np.tile(np.eye(4), (len(r.scene.keys), 1, 1))) for r in renderers)
        assert np.array_equal(many.depth_m, one.depth_m)
        assert np.array_equal(many.rgb, one.rgb)
        assert np.array_equal(many.segmentation < 0, one.segmentation < 0)


def test_what_was_out_of_sight_is_drawn_when_it_comes_into_it() -> None:
    """Nothing of an earlier picture is left in the buffers of what was skipped."""
    scene = scene_of(box((0.2, 0.2, 0.2)), sphere(0.3))
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[0, 2, 3], poses[1, :3, 3] = 2.0, (9.0, 0.0, 1.0)
    renderer = RasterRenderer(scene)
    assert set(np.unique(renderer.render(SMALL, HERE, poses).segmentation)) == {-1, 0}
    poses[[0, 1], :3, 3] = poses[[1, 0], :3, 3]
    later, fresh = renderer.render(SMALL, HERE, poses), RasterRenderer(scene).render(SMALL, HERE, poses)
    assert set(np.unique(later.segmentation)) == {-1, 1}
    assert np.array_equal(later.rgb, fresh.rgb)


def test_light_can_be_changed_between_pictures() -> None:
    scene, poses = scene_of(sphere(0.5)), np.eye(4)[None]
    renderer = RasterRenderer(scene)
    camera = look_at((2.0, 0.0, 0.5), (0.0, 0.0, 0.0))
    plain = renderer.render(SMALL, camera, poses)
    renderer.light = dusk = Light(direction=(-1.0, 0.0, 0.2), ambient=0.2, diffuse=0.3)
    dark, fresh = renderer.render(SMALL, camera, poses), RasterRenderer(scene, dusk).render(SMALL, camera, poses)
    assert np.array_equal(dark.rgb, fresh.rgb)
    assert dark.rgb[dark.segmentation == 0].mean() < 0.5 * plain.rgb[plain.segmentation == 0].mean()
    assert np.array_equal(dark.depth_m, plain.depth_m)
    renderer.light = Light()
    assert np.array_equal(renderer.render(SMALL, camera, poses).rgb, plain.rgb)


def test_light_stronger_than_white_is_white() -> None:
    assert seen_colour(Light(direction=(0.0, 0.0, 1.0), ambient=2.0, diffuse=2.0), (0.3, 0.2, 1.0)) == [255, 255, 102]


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ({"direction": (0.0, 0.0, 0.0)}, "light.direction"), ({"direction": (math.nan, 0.0, 1.0)}, "light.direction"),
        ({"direction": (math.inf, 0.0, 1.0)}, "light.direction"), ({"ambient": -0.1}, "light.ambient"),
        ({"diffuse": 9.0}, "light.diffuse"), ({"diffuse": math.nan}, "light.diffuse"),
    ],
)  # fmt: skip
def test_light_that_cannot_be_is_refused(setting: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Light(**setting)
    assert caught.value.key == key


@few
@given(st.integers(16, 400), st.integers(16, 400), st.floats(-1, 1), st.floats(-1, 1))
def test_another_resolution_sees_the_same_directions(width: int, height: int, across: float, down: float) -> None:
    """A point of the middle axes lies at the same share of the image's height, whatever its size."""
    lens = Intrinsics(48, 40, 45.0, 43.0, 22.0, 25.0)
    other = resized(lens, width, height)
    assert (other.width, other.height) == (width, height)
    v, w = (i.fy * down + i.cy for i in (lens, other))
    assert w / height == pytest.approx(v / lens.height)
    u, x = (i.fx * across + i.cx - 0.5 * i.width for i in (lens, other))
    assert x / height == pytest.approx(u / lens.height)
    assert resized(other, lens.width, lens.height).fx == pytest.approx(lens.fx)


def test_a_picture_has_the_bits_it_always_had() -> None:
    """Floor, boxes, a sheet that the near plane cuts, one out of sight. If this changes, so does every recorded run."""
    builder = SceneBuilder()
    meshes = (grid(9, 9, 3), box((0.1, 0.2, 0.3)), box((0.5, 0.05, 0.125)), grid(0.06, 0.06, 2), grid(1, 1, 2))
    for label, mesh in enumerate(meshes):
        builder.add((label, -1), mesh, (0.9, 0.5, 0.1 * label), label)
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[1:, :3, 3] = (0.1, 0.5, 0.3), (0.3, -0.1, 0.2), (1.27, 0.375, 1.085), (50, 50, 0)
    poses[2, :3, :3] = ((0.6, -0.8, 0), (0.8, 0.6, 0), (0, 0, 1))
    lens = Intrinsics(160, 120, 104.0, 104.0, 80.0, 60.0)
    image = RasterRenderer(builder.build()).render(lens, look_at((1.3, 0.4, 1.1), (0, 0, 0)), poses)
    assert np.unique(image.segmentation).tolist() == [-1, 0, 1, 2, 3]
    assert image.depth_m.min() == pytest.approx(0.02, abs=1e-3)
    digest = hashlib.sha256()
    for array in (image.rgb, image.depth_m, image.segmentation):
        digest.update(array.tobytes())
    assert digest.hexdigest() == "adcaaa05765aae1092a61336318a6b2d258d4da363580ffac3609c82b4c63e76"
