"""Scans against planes whose distance is known, and the map the robot is told against the world it stands in."""

from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest

import envs
from envs.floor_plan import wall_rects
from envs.lidar import directions
from envs.task_env import TaskEnv
from vla_sim.types import Array, Command, Mode, Scan


@pytest.fixture(scope="module")
def env() -> Iterator[TaskEnv]:
    made = envs.make("VlaSim/Navigate-v0", difficulty="easy", lidar_noise_m=0.0)
    made.restart(2)
    yield made
    made.close()


def wait(env: TaskEnv, ticks: int) -> None:
    still = Command(np.zeros(len(env.robot_spec.upper_joints)), np.ones(2), mode=Mode.HOLD)
    for _ in range(ticks):
        env.advance(still)


def turn(env: TaskEnv) -> list[Scan]:
    """The parts of one turn."""
    scans = []
    for _ in range(env.lidar.spec.parts if env.lidar else 0):
        scans.append(env.scan())
        wait(env, 2)
    return scans


def in_world(env: TaskEnv, scan: Scan) -> Array:
    pose = env.world.robot.pose_base_in_world()
    return scan.points_in_base @ pose[:3, :3].T + pose[:3, 3]


def test_a_turn_has_every_azimuth_once(env: TaskEnv) -> None:
    assert env.lidar is not None
    spec = env.lidar.spec
    scans = turn(env)
    rays = np.concatenate([scan.points_in_base - scan.origin_in_base for scan in scans])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    assert len(rays) == spec.azimuths * len(spec.elevations_rad)
    assert len(np.unique(rays.round(5), axis=0)) == len(rays)


def test_points_lie_on_the_floor_or_above_it(env: TaskEnv) -> None:
    points = np.concatenate([in_world(env, scan)[scan.hit] for scan in turn(env)])
    assert points[:, 2].min() > -0.02
    assert (np.abs(points[:, 2]) < 0.02).sum() > 100


def test_what_is_high_up_lies_on_a_wall_of_the_map(env: TaskEnv) -> None:
    """The faces of the map against rays: nothing but walls is higher than 1.9 m."""
    points = np.concatenate([in_world(env, scan)[scan.hit] for scan in turn(env)])
    high = points[(points[:, 2] > 1.9) & (points[:, 2] < 2.45)]
    if len(high) < 20:
        pytest.skip("this start sees no wall that high")
    walls = env.site_map.walls
    start, way = walls[:, :2], walls[:, 2:] - walls[:, :2]
    share = np.clip(((high[:, None, :2] - start) * way).sum(2) / (way**2).sum(1), 0, 1)
    off = np.linalg.norm(high[:, None, :2] - start - share[..., None] * way, axis=2).min(axis=1)
    assert np.median(off) < 0.02
    assert np.quantile(off, 0.95) < 0.05


def test_walls_of_the_map_are_walls_of_the_world(env: TaskEnv) -> None:
    """Rays at the middle of every long face, from half a metre before it; doors let them through."""
    world = env.world
    for wall in env.scene.walls:
        for rect in wall_rects(wall):
            if rect.half_x < 0.1:
                continue
            across = np.array([-np.sin(rect.yaw_rad), np.cos(rect.yaw_rad)])
            middle = np.array([rect.x, rect.y])
            start, end = middle + 0.5 * across, middle - 0.5 * across
            hit = p.rayTest([*start, 2.3], [*end, 2.3], **world.on)[0]
            assert world.names.get(hit[0]) is not None
            assert hit[2] == pytest.approx((0.5 - rect.half_y) / 1.0, abs=0.005)
        along = (np.array(wall.end) - np.array(wall.start)) / wall.length_m
        for door in wall.doors:
            middle = np.array(wall.start) + door.at_m * along
            across = np.array([-along[1], along[0]])
            through = p.rayTest([*(middle + 0.1 * across), 2.3], [*(middle - 0.1 * across), 2.3], **world.on)[0]
            assert through[0] == -1


def test_distances_are_those_of_a_plane() -> None:
    """In the open with one table, rays that go down end on the floor where geometry says."""
    env = envs.make("VlaSim/Reach-v0", lidar_noise_m=0.0)
    env.restart(0)
    assert env.lidar is not None
    pose = env.world.robot.link_poses_in_world([env.world.robot.links[env.lidar.spec.link]])[0]
    scan = env.scan()
    got = np.linalg.norm(scan.points_in_base - scan.origin_in_base, axis=1)
    ways = directions(env.lidar.spec, 0) @ pose[:3, :3].T
    behind = (ways[:, 0] < -0.1) & (ways[:, 2] < -0.15)  # the table stands ahead
    want = pose[2, 3] / -ways[behind, 2]
    near = want < env.lidar.spec.range_m - 0.1
    assert near.sum() > 30
    assert got[behind][near] == pytest.approx(want[near], abs=0.003)
    up = ways[:, 2] > 0.1
    assert up.any()
    assert not scan.hit[up].any()
    assert got[up] == pytest.approx(env.lidar.spec.range_m)
    env.close()


def test_the_robot_does_not_see_itself(env: TaskEnv) -> None:
    for scan in turn(env):
        flat = np.linalg.norm((scan.points_in_base - scan.origin_in_base)[:, :2], axis=1)
        low = np.linalg.norm(scan.points_in_base - scan.origin_in_base, axis=1)
        assert low.min() > 0.4
        assert flat.min() > 0.3


def test_noise_is_that_of_seed_and_tick_and_as_strong_as_set(env: TaskEnv) -> None:
    noisy = envs.make("VlaSim/Navigate-v0", difficulty="easy", lidar_noise_m=0.02)
    noisy.restart(2)
    env.restart(2)
    exact, first, again = env.scan(), noisy.scan(), noisy.scan()
    assert np.array_equal(first.points_in_base, again.points_in_base)
    ranges = [np.linalg.norm(s.points_in_base - s.origin_in_base, axis=1)[exact.hit] for s in (exact, first)]
    assert (ranges[1] - ranges[0]).std() == pytest.approx(0.02, rel=0.15)
    noisy.close()


def test_a_scan_says_when_and_from_where(env: TaskEnv) -> None:
    env.restart(3)
    wait(env, 4)
    scan = env.scan()
    assert scan.time_s == pytest.approx(0.04)
    state = env.robot_state()
    assert np.array_equal(scan.pose_base_in_odom, state.pose_base_in_odom)
    assert scan.origin_in_base[2] == pytest.approx(1.2, abs=0.25)


def test_odometry_begins_in_the_frame_of_the_site(env: TaskEnv) -> None:
    env.restart(4)
    x, y, yaw = env.world.layout.start
    believed = env.robot_state().pose_base_in_odom
    assert (believed[0, 3], believed[1, 3]) == pytest.approx((x, y), abs=0.01)
    assert np.arctan2(believed[1, 0], believed[0, 0]) == pytest.approx(yaw, abs=0.01)
    assert env.world.base_pose() == pytest.approx((x, y, yaw), abs=0.01)


def test_the_map_names_rooms_zones_and_tables(env: TaskEnv) -> None:
    site = env.site_map
    assert {(r.name, r.kind) for r in site.regions} >= {("kitchen", "room"), ("stove", "hot"), ("storage", "forbidden")}
    table = next(s for s in site.surfaces if s.name == "living room table")
    assert table.room == "living room"
    assert table.height_m == pytest.approx(0.70)
    hit = p.rayTest([*table.pose[:2], 1.5], [*table.pose[:2], 0.0], **env.world.on)[0]
    assert hit[3][2] == pytest.approx(table.height_m, abs=0.002)
    front = table.pose[:2] - table.size_m[0] / 2 * np.array([np.cos(table.pose[2]), np.sin(table.pose[2])])
    assert front[0] == pytest.approx(0.70)  # it stands at the west wall, its front to the east
