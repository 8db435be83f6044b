"""What the cameras of a world return: poses that place pixels rightly, noise that depends on seed and tick alone."""

from collections.abc import Iterator

import numpy as np
import pytest

import envs
from envs.cameras import FIRST_BODY_LABEL, THIRD_PERSON
from envs.tabletop import TabletopEnv
from robots.g1.body import OPTICAL_IN_LINK
from robots.g1.model import CAMERA_LINK
from vla_sim.kinematics import BodyModel
from vla_sim.types import Array, Command, Frame, Mode


@pytest.fixture(scope="module")
def env() -> Iterator[TabletopEnv]:
    made = envs.make("VlaSim/PickPlace-v0")
    yield made
    made.close()


def wait(env: TabletopEnv, ticks: int) -> None:
    for _ in range(ticks):
        env.advance(Command(np.zeros(17), np.ones(2), mode=Mode.HOLD))


def depth_of(frame: Frame) -> Array:
    assert frame.depth_m is not None
    return frame.depth_m.astype(np.float64)


def same(a: Frame, b: Frame) -> bool:
    return np.array_equal(a.rgb, b.rgb) and np.array_equal(depth_of(a), depth_of(b))


def points_in_base(frame: Frame, mask: Array) -> Array:
    """[n, 3] where the pixels of a mask lie."""
    rows, columns = np.nonzero(mask)
    z, i = depth_of(frame)[rows, columns], frame.intrinsics
    in_camera = np.column_stack(((columns + 0.5 - i.cx) / i.fx * z, (rows + 0.5 - i.cy) / i.fy * z, z))
    return in_camera @ frame.pose_camera_in_base[:3, :3].T + frame.pose_camera_in_base[:3, 3]


def test_the_pose_is_that_of_the_robots_own_kinematics(env: TabletopEnv) -> None:
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


def test_a_standing_robots_base_is_where_the_world_is(env: TabletopEnv) -> None:
    env.restart(1)
    wait(env, 40)
    frame = env.capture("head")
    true = env.cameras.pose_in_world(env.camera_specs["head"])
    assert frame.pose_camera_in_base[:3, 3] == pytest.approx(true[:3, 3], abs=0.003)
    assert frame.pose_camera_in_base[:3, :3] == pytest.approx(true[:3, :3], abs=0.005)


def test_pixels_lie_where_their_object_is(env: TabletopEnv) -> None:
    env.restart(2)
    frame = env.cameras.capture("head", noise=False)
    assert frame.segmentation is not None
    assert env.world.tray is not None
    for body in [*env.world.objects, env.world.tray]:
        seen = points_in_base(frame, frame.segmentation == FIRST_BODY_LABEL + body)
        assert len(seen) > 50
        off = seen.mean(axis=0) - env.world.pose(body)[0]
        assert np.abs(off[:2]).max() < 0.03, body
        assert -0.02 < off[2] < 0.1


def test_frames_say_when_they_were_taken(env: TabletopEnv) -> None:
    env.restart(1)
    assert env.capture("head").time_s == 0.0
    wait(env, 7)
    assert env.capture("head").time_s == pytest.approx(0.07)


def test_noise_is_that_of_seed_and_tick_whatever_was_drawn_before(env: TabletopEnv) -> None:
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
    assert same(other.capture("head"), later)
    other.close()


def test_two_ticks_and_two_seeds_have_noise_of_their_own(env: TabletopEnv) -> None:
    noises = []
    for seed, ticks in ((5, 0), (5, 1), (6, 0)):
        env.restart(seed)
        wait(env, ticks)
        noises.append(noise_of(env)[0])
    for i, a in enumerate(noises):
        for b in noises[:i]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


def noise_of(env: TabletopEnv) -> tuple[Array, Array]:
    """Noise of the head camera: colour [H, W, 3] in grey levels, depth [H, W] as at 0.7 m."""
    noisy, clean = env.capture("head"), env.cameras.capture("head", noise=False)
    hit = np.isfinite(depth_of(clean))
    depth = np.zeros(hit.shape)
    depth[hit] = (depth_of(noisy)[hit] - depth_of(clean)[hit]) * (0.7 / depth_of(clean)[hit]) ** 2
    return noisy.rgb.astype(np.float64) - clean.rgb, depth


def test_noise_is_as_strong_as_set(env: TabletopEnv) -> None:
    env.restart(4)
    rgb, depth = noise_of(env)
    clean = env.cameras.capture("head", noise=False)
    free = (clean.rgb > 30) & (clean.rgb < 225)  # where nothing is cut off
    assert rgb[free].std() == pytest.approx(5.0, rel=0.05)
    assert abs(rgb[free].mean()) < 0.1
    hit = np.isfinite(depth_of(clean))
    assert depth[hit].std() == pytest.approx(0.002, rel=0.05)


def test_where_nothing_was_hit_noise_hits_nothing(env: TabletopEnv) -> None:
    env.restart(4)
    clean, noisy = env.cameras.capture("head", noise=False), env.capture("head")
    assert np.array_equal(np.isfinite(depth_of(clean)), np.isfinite(depth_of(noisy)))
    assert not np.isnan(depth_of(noisy)).any()


def test_no_noise_is_no_noise() -> None:
    quiet = envs.make("VlaSim/PickPlace-v0", rgb_noise=0.0, depth_noise_m=0.0)
    quiet.restart(4)
    assert same(quiet.capture("head"), quiet.cameras.capture("head", noise=False))
    quiet.close()


def test_the_camera_in_the_room_stands_still_and_has_no_noise(env: TabletopEnv) -> None:
    env.restart(4)
    frame = env.capture("third_person")
    assert np.array_equal(frame.pose_camera_in_base, THIRD_PERSON)
    assert same(frame, env.cameras.capture("third_person", noise=False))
    assert frame.rgb.shape == (480, 640, 3)


def test_an_image_belongs_to_whoever_took_it(env: TabletopEnv) -> None:
    env.restart(4)
    first = env.capture("head")
    kept = first.rgb.copy()
    first.rgb[:] = 0
    assert np.array_equal(env.capture("head").rgb, kept)
