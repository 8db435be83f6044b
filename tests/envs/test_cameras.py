"""What the cameras of a world return: poses that place pixels rightly, noise that depends on seed and tick alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pybullet as p
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

import envs
import envs.cameras
from envs.bodies import Part
from envs.cameras import BESIDE_EYE, BESIDE_TARGET, FIRST_BODY_LABEL, ROBOT_LABEL, Look, look_of
from envs.randomise import Drawn
from envs.rendering.camera import Light, look_at
from envs.rendering.meshes import Visual, box, load_visuals
from envs.task_env import TaskEnv
from robots.articulated import OPTICAL_IN_LINK
from robots.g1.model import CAMERA_LINK
from vla_sim.errors import ConfigError
from vla_sim.kinematics import BodyModel
from vla_sim.stages.perception import ColourShapeDetector
from vla_sim.types import Array, Command, Frame, Mode

WRISTS = ("left_wrist", "right_wrist")


@pytest.fixture(scope="module")
def made() -> Iterator[TaskEnv]:
    world = envs.make("VlaSim/PickPlace-v0")
    yield world
    world.close()


@pytest.fixture
def env(made: TaskEnv) -> Iterator[TaskEnv]:
    """The environment with its cameras as they come."""
    specs = dict(made.cameras.specs)
    yield made
    made.cameras.specs = specs


def wait(env: TaskEnv, ticks: int) -> None:
    spec = env.robot_spec
    for _ in range(ticks):
        env.advance(Command(np.zeros(len(spec.upper_joints)), np.ones(len(spec.hands)), mode=Mode.HOLD))


def depth_of(frame: Frame) -> Array:
    assert frame.depth_m is not None
    return frame.depth_m.astype(np.float64)


def labels_of(frame: Frame) -> NDArray[np.int32]:
    assert frame.segmentation is not None
    return frame.segmentation


def same(a: Frame, b: Frame) -> bool:
    return np.array_equal(a.rgb, b.rgb) and np.array_equal(depth_of(a), depth_of(b))


def in_camera(frame: Frame, mask: NDArray[np.bool_]) -> Array:
    """[n, 3] where the pixels of a mask lie, in the optical frame."""
    rows, columns = np.nonzero(mask)
    z, i = depth_of(frame)[rows, columns], frame.intrinsics
    return np.column_stack(((columns + 0.5 - i.cx) / i.fx * z, (rows + 0.5 - i.cy) / i.fy * z, z))


def points_in_base(frame: Frame, mask: NDArray[np.bool_]) -> Array:
    """[n, 3] where the pixels of a mask lie."""
    return in_camera(frame, mask) @ frame.pose_camera_in_base[:3, :3].T + frame.pose_camera_in_base[:3, 3]


# Where things are


def test_the_pose_is_that_of_the_robots_own_kinematics(env: TaskEnv) -> None:
    env.restart(1)
    wait(env, 40)
    k = env.robot_spec.kinematics
    assert k is not None
    body = BodyModel(k.urdf, env.robot_spec.joints, k.foot_links, k.sole_m)
    body.update(env.robot_state().joints_rad)
    want = body.pose_link_in_base(body.frame(CAMERA_LINK)).homogeneous @ OPTICAL_IN_LINK
    got = env.capture("head").pose_camera_in_base
    assert got == pytest.approx(want, abs=1e-9)
    assert got[:3, :3] @ got[:3, :3].T == pytest.approx(np.eye(3), abs=1e-9)


@pytest.mark.parametrize("camera", ["head", *WRISTS])
def test_a_standing_robots_base_is_where_the_world_is(env: TaskEnv, camera: str) -> None:
    env.restart(1)
    wait(env, 40)
    frame = env.capture(camera)
    true = env.cameras.pose_in_world(env.camera_specs[camera])
    assert frame.pose_camera_in_base[:3, 3] == pytest.approx(true[:3, 3], abs=0.006)
    assert frame.pose_camera_in_base[:3, :3] == pytest.approx(true[:3, :3], abs=0.012)
    assert frame.pose_base_in_odom == pytest.approx(env.robot_state().pose_base_in_odom)


def test_pixels_lie_where_their_object_is(env: TaskEnv) -> None:
    env.restart(2)
    frame = env.cameras.capture("head", noise=False)
    assert env.world.tray is not None
    for body in [*env.world.objects, env.world.tray]:
        seen = points_in_base(frame, labels_of(frame) == FIRST_BODY_LABEL + body)
        assert len(seen) > 50
        off = seen.mean(axis=0) - env.world.pose(body)[0]
        assert np.abs(off[:2]).max() < 0.03, body
        assert -0.02 < off[2] < 0.1


def test_frames_say_when_they_were_taken(env: TaskEnv) -> None:
    env.restart(1)
    assert env.capture("head").time_s == 0.0
    wait(env, 7)
    assert env.capture("head").time_s == pytest.approx(0.07)


def test_an_unknown_camera_is_named(env: TaskEnv) -> None:
    env.restart(1)
    for ask in (lambda: env.capture("heed"), lambda: env.cameras.resize("heed", 64, 48)):
        with pytest.raises(ConfigError, match=r"no camera 'heed'.*did you mean 'head'"):
            ask()


# At the wrist


def put(env: TaskEnv, pose: Array, half: tuple[float, float, float]) -> int:
    """A box that hangs in the air, in physics and in pictures; its PyBullet id."""
    on = {"physicsClientId": env.world.client}
    shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, **on)
    turn = Rotation.from_matrix(pose[:3, :3]).as_quat().tolist()
    body = int(p.createMultiBody(0, shape, basePosition=pose[:3, 3].tolist(), baseOrientation=turn, **on))
    env.world.parts.append(Part(body, -1, box(half), (0.9, 0.1, 0.1)))
    env.cameras.rebuild(0)
    return body


def ray_depth(env: TaskEnv, frame: Frame, camera_in_world: Array, stride: int) -> tuple[Array, NDArray[np.int_]]:
    """Depth m and PyBullet body of what rays through every `stride`-th pixel centre hit beyond the near plane."""
    i, near_m, reach_m = frame.intrinsics, env.cameras.renderer.near_m, 4.0
    v, u = np.mgrid[0 : i.height : stride, 0 : i.width : stride] + 0.5
    ahead = np.stack(((u - i.cx) / i.fx, (v - i.cy) / i.fy, np.ones_like(u)), axis=2).reshape(-1, 3)
    turned, eye = ahead @ camera_in_world[:3, :3].T, camera_in_world[:3, 3]
    starts, ends = eye + near_m * turned, eye + reach_m * turned
    hits = []
    for k in range(0, len(starts), 8000):  # PyBullet takes no more at once
        batch = starts[k : k + 8000].tolist(), ends[k : k + 8000].tolist()
        hits += p.rayTestBatch(*batch, physicsClientId=env.world.client)
    depth = np.array([near_m + hit[2] * (reach_m - near_m) if hit[0] >= 0 else np.inf for hit in hits])
    return depth.reshape(u.shape), np.array([hit[0] for hit in hits]).reshape(u.shape)


def tool_pose(env: TaskEnv, camera: str) -> Array:
    link = env.world.robot.links[f"{camera.removesuffix('_wrist')}_tool"]
    return env.world.robot.link_poses_in_world([link])[0]


@pytest.mark.parametrize("camera", WRISTS)
def test_a_wrist_sees_what_its_hand_would_grasp(env: TaskEnv, camera: str) -> None:
    """A cube at the grasp point: in the image's middle third across, whole, at the depth that rays find."""
    env.restart(1)
    held, half = tool_pose(env, camera), (0.02, 0.02, 0.02)
    cube = put(env, held, half)
    frame = env.cameras.capture(camera, noise=False)
    seen = labels_of(frame) == FIRST_BODY_LABEL + cube
    rows, columns = np.nonzero(seen)
    width, height = frame.intrinsics.width, frame.intrinsics.height
    assert width / 3 < columns.mean() < 2 * width / 3
    assert 0.4 * height < rows.mean() < 0.85 * height
    assert rows.max() < height - 1  # nothing of the hand in front of it
    assert seen.sum() > 0.04 * width * height
    off = points_in_base(frame, seen) - held[:3, 3]
    assert np.linalg.norm(off, axis=1).max() < 0.02 * np.sqrt(3) + 0.01

    depth, bodies = ray_depth(env, frame, env.cameras.pose_in_world(env.camera_specs[camera]), 3)
    both = (bodies == cube) & seen[::3, ::3]
    assert both.sum() > 200
    assert np.mean((bodies == cube) == seen[::3, ::3]) > 0.99
    apart = np.abs(depth_of(frame)[::3, ::3] - depth)[both]
    assert np.percentile(apart, 80) < 1e-6
    assert apart.max() < 0.003  # some of PyBullet's rays stop a millimetre off, so the box's planes are asked as well
    exact = box_depth(frame, np.linalg.inv(env.cameras.pose_in_world(env.camera_specs[camera])) @ held, half)
    assert np.array_equal(np.isfinite(exact), seen)
    assert np.abs(depth_of(frame) - exact)[seen].max() < 1e-6


@pytest.mark.parametrize("camera", WRISTS)
def test_a_wrist_sees_both_fingers_and_little_of_the_palm(env: TaskEnv, camera: str) -> None:
    env.restart(1)
    frame = env.cameras.capture(camera, noise=False)
    own = labels_of(frame) == ROBOT_LABEL
    left, right = np.array_split(own[own.shape[0] // 2 :], 2, axis=1)
    assert left.mean() > 0.1
    assert right.mean() > 0.1
    assert 0.03 < own.mean() < 0.3
    assert depth_of(frame).min() > 0.04  # nothing of the robot is near the lens


@pytest.mark.parametrize("turn_deg", [20.0, 50.0, 75.0])
def test_what_is_too_near_the_wrist_is_cut_where_the_lens_begins(env: TaskEnv, turn_deg: float) -> None:
    """A plate that passes through the near plane: what of it a ray enters before that plane is not seen."""
    env.restart(1)
    half, plate = (0.015, 0.003, 0.002), np.eye(4)
    plate[:3, :3] = Rotation.from_euler("y", turn_deg, degrees=True).as_matrix()
    plate[:3, 3] = (0.0, 0.01, 0.025)
    body = put(env, env.cameras.pose_in_world(env.camera_specs["right_wrist"]) @ plate, half)
    frame = env.cameras.capture("right_wrist", noise=False)
    seen = labels_of(frame) == FIRST_BODY_LABEL + body
    entry_m = box_depth(frame, plate, half)
    near_m = env.cameras.renderer.near_m
    want = (entry_m >= near_m) & np.isfinite(entry_m)
    assert want.sum() > 300
    assert np.sum(entry_m < near_m) > 100  # the plate does pass through the plane
    assert np.sum(want != seen) <= 0.02 * want.sum()
    assert np.abs(depth_of(frame) - entry_m)[want & seen].max() < 1e-6


def box_depth(frame: Frame, pose_in_camera: Array, half: tuple[float, float, float]) -> Array:
    """[H, W] depth at which the ray of a pixel enters a box, by its three pairs of planes; inf where it does not."""
    i = frame.intrinsics
    v, u = np.mgrid[0 : i.height, 0 : i.width] + 0.5
    ahead = np.stack(((u - i.cx) / i.fx, (v - i.cy) / i.fy, np.ones_like(u)), axis=2) @ pose_in_camera[:3, :3]
    eye = -pose_in_camera[:3, 3] @ pose_in_camera[:3, :3]
    one, other = (-np.array(half) - eye) / ahead, (np.array(half) - eye) / ahead
    enter, leave = np.minimum(one, other).max(axis=2), np.maximum(one, other).min(axis=2)
    return np.where((enter < leave) & (enter > 0), enter, np.inf)


# Resolution


@pytest.mark.parametrize("camera", ["head", "right_wrist"])
def test_more_pixels_see_the_same_scene(env: TaskEnv, camera: str) -> None:
    """Three times as many: the middle one of each nine lies where the one pixel was."""
    env.restart(2)
    coarse = env.cameras.capture(camera, noise=False)
    env.cameras.resize(camera, 3 * coarse.intrinsics.width, 3 * coarse.intrinsics.height)
    fine = env.cameras.capture(camera, noise=False)
    assert fine.rgb.shape == (720, 960, 3)
    assert np.mean(np.any(fine.rgb[1::3, 1::3] != coarse.rgb, axis=2)) < 0.001
    middle, hit = depth_of(fine)[1::3, 1::3], np.isfinite(depth_of(coarse))
    assert np.mean(np.isfinite(middle) == hit) > 0.999
    assert np.mean(np.isclose(middle, depth_of(coarse), rtol=0, atol=1e-5)) > 0.999


def test_a_picture_through_another_lens_leaves_the_camera_as_it_is(env: TaskEnv) -> None:
    env.restart(2)
    before = env.capture("head")
    lens = env.camera_specs["right_wrist"].intrinsics
    other = env.cameras.capture("head", lens)
    assert other.intrinsics == lens
    assert not np.array_equal(other.rgb, before.rgb)
    assert same(env.capture("head"), before)


@pytest.mark.parametrize(("width", "height"), [(0, 480), (640, -1), (100_000, 480)])
def test_a_resolution_that_cannot_be_is_refused(env: TaskEnv, width: int, height: int) -> None:
    with pytest.raises(ConfigError, match=r"cameras.head: an image of .* cannot be"):
        env.cameras.resize("head", width, height)


@pytest.mark.parametrize("size", [(320, 240), (640, 480)])
def test_perception_works_at_the_resolutions_of_the_set_ups(env: TaskEnv, size: tuple[int, int]) -> None:
    env.cameras.resize("head", *size)
    detector, away = ColourShapeDetector(), []
    for seed in range(3):
        env.restart(seed)
        found = detector(env.capture("head")).items
        for body in env.world.objects:
            position = env.world.pose(body)[0]
            away.append(min(float(np.linalg.norm(item.position_in_base - position)) for item in found))
    assert len(away) >= 6
    assert np.mean(np.array(away) < 0.008) >= 0.9


# Noise


def test_noise_is_that_of_seed_and_tick_whatever_was_drawn_before(env: TaskEnv) -> None:
    env.restart(5)
    start = env.capture("head")
    wait(env, 3)
    later = env.capture("head")

    other = envs.make("VlaSim/PickPlace-v0")
    other.restart(9)
    wait(other, 2)
    other.capture("third_person")
    other.restart(5)
    for _ in range(4):  # more images than the first world took
        assert same(other.capture("head"), start)
    wait(other, 3)
    other.capture("third_person")
    other.capture("left_wrist")
    assert same(other.capture("head"), later)
    other.close()


def test_two_ticks_and_two_seeds_have_noise_of_their_own(env: TaskEnv) -> None:
    noises = []
    for seed, ticks in ((5, 0), (5, 1), (6, 0)):
        env.restart(seed)
        wait(env, ticks)
        noises.append(noise_of(env)[0])
    for i, a in enumerate(noises):
        for b in noises[:i]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


def noise_of(env: TaskEnv, camera: str = "head") -> tuple[Array, Array]:
    """Noise of a camera: colour [H, W, 3] in grey levels, depth [H, W] as at 0.7 m."""
    noisy, clean = env.capture(camera), env.cameras.capture(camera, noise=False)
    hit = np.isfinite(depth_of(clean))
    depth = np.zeros(hit.shape)
    depth[hit] = (depth_of(noisy)[hit] - depth_of(clean)[hit]) * (0.7 / depth_of(clean)[hit]) ** 2
    return noisy.rgb.astype(np.float64) - clean.rgb, depth


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_noise_is_as_strong_as_set(env: TaskEnv, factor: float) -> None:
    env.restart(4)
    env.cameras.vary(Look(rgb_noise=factor, depth_noise=factor))
    rgb, depth = noise_of(env)
    clean = env.cameras.capture("head", noise=False)
    free = (clean.rgb > 50) & (clean.rgb < 205)  # where nothing is cut off
    assert rgb[free].std() == pytest.approx(5.0 * factor, rel=0.05)
    assert abs(rgb[free].mean()) < 0.15
    hit = np.isfinite(depth_of(clean))
    assert depth[hit].std() == pytest.approx(0.002 * factor, rel=0.05)


def test_two_cameras_have_noise_of_their_own(env: TaskEnv) -> None:
    env.restart(4)
    a, b = (noise_of(env, camera)[0].ravel() for camera in WRISTS)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05


def test_where_nothing_was_hit_noise_hits_nothing(env: TaskEnv) -> None:
    env.restart(4)
    clean, noisy = env.cameras.capture("head", noise=False), env.capture("head")
    assert np.array_equal(np.isfinite(depth_of(clean)), np.isfinite(depth_of(noisy)))
    assert not np.isnan(depth_of(noisy)).any()


def test_no_noise_is_no_noise() -> None:
    quiet = envs.make("VlaSim/PickPlace-v0", rgb_noise=0.0, depth_noise_m=0.0)
    quiet.restart(4)
    assert same(quiet.capture("head"), quiet.cameras.capture("head", noise=False))
    quiet.close()


# Look


def test_the_plain_look_changes_no_bit(env: TaskEnv) -> None:
    env.restart(4)
    plain = env.capture("head")
    offset = {"head": np.eye(4)}
    for look in (Look(), Look(Light(), offset, 1.0, 1.0), look_of(Drawn())):
        env.cameras.rebuild(4, look)
        assert same(env.capture("head"), plain)
    env.cameras.vary(Look(Light(ambient=0.2), {}, 3.0))
    assert not np.array_equal(env.capture("head").rgb, plain.rgb)
    env.cameras.rebuild(4)
    assert same(env.capture("head"), plain)


def test_a_camera_that_is_not_where_the_robot_believes_it_to_be(env: TaskEnv) -> None:
    """What it sees is off by exactly the offset, in a frame whose pose is the believed one."""
    env.restart(2)
    offset = np.eye(4)
    offset[:3, :3] = Rotation.from_euler("xyz", [1.0, -2.0, 1.5], degrees=True).as_matrix()
    offset[:3, 3] = (0.01, -0.02, 0.015)
    plain = env.cameras.capture("head", noise=False)
    env.cameras.vary(Look(offsets={"head": offset}))
    moved = env.cameras.capture("head", noise=False)
    assert np.array_equal(moved.pose_camera_in_base, plain.pose_camera_in_base)
    body = env.world.objects[0]
    true, seen = (in_camera(f, labels_of(f) == FIRST_BODY_LABEL + body).mean(axis=0) for f in (plain, moved))
    assert offset[:3, :3] @ seen + offset[:3, 3] == pytest.approx(true, abs=0.002)
    assert np.linalg.norm(seen - true) > 0.02
    wrist = env.cameras.pose_in_world(env.camera_specs["left_wrist"])
    assert np.array_equal(wrist, env.world.robot.pose_camera_in_world("left_wrist"))  # the others are where they were


def test_light_is_brighter_and_from_elsewhere(env: TaskEnv) -> None:
    env.restart(2)
    plain = env.cameras.capture("head", noise=False)
    env.cameras.vary(look_of(Drawn(light=0.5)))
    dim = env.cameras.capture("head", noise=False)
    assert dim.rgb.mean(where=labels_of(dim)[..., None] >= 0) == pytest.approx(
        0.5 * plain.rgb.mean(where=labels_of(plain)[..., None] >= 0), abs=0.5
    )
    env.cameras.vary(look_of(Drawn(light_turn=(0.5, -0.4))))
    turned = env.cameras.capture("head", noise=False)
    assert np.any(turned.rgb != plain.rgb)
    assert np.array_equal(depth_of(turned), depth_of(plain))


def test_a_look_that_cannot_be_is_refused(env: TaskEnv) -> None:
    env.restart(2)
    with pytest.raises(ConfigError, match=r"look.offsets: there is no camera 'haed'"):
        env.cameras.vary(Look(offsets={"haed": np.eye(4)}))
    for pose in (np.eye(3), 2.0 * np.eye(4), np.diag([1.0, 1.0, -1.0, 1.0]), np.full((4, 4), np.nan)):
        with pytest.raises(ConfigError, match="no rigid"):
            Look(offsets={"head": pose})
    with pytest.raises(ConfigError, match="rgb_noise"):
        Look(rgb_noise=-1.0)


# The camera in the room


def test_the_camera_in_the_room_stands_still_and_has_no_noise(env: TaskEnv) -> None:
    env.restart(4)
    frame = env.capture("third_person")
    assert np.array_equal(frame.pose_camera_in_base, look_at(BESIDE_EYE, BESIDE_TARGET))
    assert same(frame, env.cameras.capture("third_person", noise=False))
    assert frame.rgb.shape == (480, 640, 3)


def test_among_rooms_it_looks_down_on_the_robot_wherever_it_is() -> None:
    home = envs.make("VlaSim/Navigate-v0")
    for seed in range(3):
        home.restart(seed)
        frame = home.capture("third_person")
        rows, columns = np.nonzero(labels_of(frame) == ROBOT_LABEL)
        assert len(rows) > 3000
        assert abs(columns.mean() - 320) < 80
        assert abs(rows.mean() - 240) < 80
    home.close()


# What it costs


def test_nothing_is_loaded_or_drawn_before_the_first_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Path] = []

    def load(urdf: Path) -> list[Visual]:
        loaded.append(urdf)
        return load_visuals(urdf)

    monkeypatch.setattr(envs.cameras, "load_visuals", load)
    envs.cameras._visuals.cache_clear()
    blind = envs.make("VlaSim/PickPlace-v0")
    for seed in range(2):
        blind.restart(seed)
        wait(blind, 1)
    assert loaded == []
    for seed in range(2):
        blind.restart(seed)
        blind.capture("head")
        blind.capture("left_wrist")
    assert loaded == [blind.kind.looks]
    blind.close()


def test_an_image_belongs_to_whoever_took_it(env: TaskEnv) -> None:
    env.restart(4)
    first = env.capture("head")
    kept = first.rgb.copy()
    first.rgb[:] = 0
    assert np.array_equal(env.capture("head").rgb, kept)
