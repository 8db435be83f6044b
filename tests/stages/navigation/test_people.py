"""People: told from furniture, their speed measured, followed at a distance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.stages.navigation.plan_world import Box, Trip, Walker, World, box_of_walls, travel, two_rooms
from vla_sim.stages.navigation.moving import People, Track, clusters
from vla_sim.stages.navigation.navigator import Navigator
from vla_sim.types import Array, SiteMap

HALL = box_of_walls(0, 0, 10, 6)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def watched(world: World, seconds: float, pose: Array) -> list[Track]:
    """Tracks after so long, of a robot that stands in an odometry that is right."""
    people, draw = People(), rng()
    for k in range(round(seconds / 0.1)):
        scan = world.scan(pose, pose, 0.1 * k, draw)
        points = scan.points_in_base[scan.hit].astype(float)
        points[:, :2] += pose[:2]
        wall_m = np.minimum.reduce([points[:, 0], points[:, 1], 10 - points[:, 0], 6 - points[:, 1]])
        people.update(0.1 * k, points, wall_m, np.zeros(len(points), bool), np.array([*pose[:2], 1.2]))
    return people.tracks


def test_points_are_joined_by_short_gaps_only() -> None:
    points = np.array([[2.0, 0.0], [5.0, 0.0], [2.15, 0.0], [2.3, 0.0], [5.1, 0.1], [2.0, 1.0]])
    assert clusters(points, np.zeros(2)).tolist() == [0, 1, 0, 0, 1, 2]


@pytest.mark.parametrize("velocity", [(0.5, 0.0), (0.0, -0.8), (-0.6, 0.6), (1.2, 0.3)])
def test_somebody_who_walks_is_tracked_with_his_speed(velocity: tuple[float, float]) -> None:
    vx, vy = velocity
    here = (4.0 - 0.75 * vx, 3.2 - 0.75 * vy)
    world = World(HALL, [], [lambda t: (here[0] + vx * t, here[1] + vy * t)])
    (track,) = watched(world, 1.6, np.array([1.5, 2.0, 0.0]))
    assert track.moving
    assert track.velocity == pytest.approx(velocity, abs=0.2)
    assert track.position == pytest.approx((here[0] + 1.5 * vx, here[1] + 1.5 * vy), abs=0.15)


def test_somebody_who_stands_does_not_move_and_furniture_is_nobody() -> None:
    world = World(HALL, [Box(4.0, 1.0, 1.5, 0.6, 1.8), Box(2.0, 4.0, 0.5, 0.5, 0.5)], [lambda t: (3.5, 3.0)])
    tracks = watched(world, 2.0, np.array([1.5, 2.0, 0.0]))
    near = [t for t in tracks if math.hypot(t.x_m - 3.5, t.y_m - 3.0) < 0.2]
    assert len(near) == 1
    assert not any(t.moving for t in tracks)
    assert not any(math.hypot(t.x_m - 2.0, t.y_m - 4.0) < 0.5 for t in tracks)


def test_walking_past_furniture_makes_nobody_of_it() -> None:
    world, site = two_rooms()
    navigator = Navigator()
    navigator.reset(site)
    walker, moving = Walker(np.array([1.0, 2.5, 0.0])), 0
    for goal in ([6.2, 2.4, 0.5], [4.8, 4.3, 2.0], [1.5, 1.0, 3.0]):
        trip = travel(navigator, world, walker, np.array(goal), rng(2))
        assert trip.last.status == "arrived"
        moving += sum(answer.status == "blocked" for answer in trip.answers)
    assert moving == 0


class Leader:
    """Walks a polyline from `starts_s` on."""

    def __init__(self, corners: list[list[float]], speed_m_s: float, starts_s: float = 2.0) -> None:
        self.corners, self.speed_m_s, self.starts_s = np.array(corners), speed_m_s, starts_s
        legs = np.hypot(*np.diff(self.corners, axis=0).T)
        self.along = np.concatenate([[0.0], np.cumsum(legs)])

    @property
    def ends_s(self) -> float:
        return self.starts_s + float(self.along[-1]) / self.speed_m_s

    def __call__(self, time_s: float) -> tuple[float, float]:
        went = max(time_s - self.starts_s, 0.0) * self.speed_m_s
        return (
            float(np.interp(went, self.along, self.corners[:, 0])),
            float(np.interp(went, self.along, self.corners[:, 1])),
        )


def follow(
    leader: Leader, world: World, site: SiteMap, walker: Walker, after_s: float, hint: Array | None = None
) -> Trip:
    navigator = Navigator()
    navigator.reset(site)
    world.people.insert(0, leader)
    limit_s = leader.ends_s + after_s
    return travel(
        navigator,
        world,
        walker,
        np.zeros(3),
        rng(),
        mode="follow",
        limit_s=limit_s,
        until=lambda a: False,
        person_hint_in_site=hint,
    )


def gaps(trip: Trip, leader: Leader) -> Array:
    return np.array([math.dist(leader(0.1 * k), pose[:2]) for k, pose in enumerate(trip.poses)])


@pytest.mark.parametrize("speed_m_s", [0.35, 0.5])
def test_through_a_door_it_keeps_behind_somebody_and_stops_when_he_does(speed_m_s: float) -> None:
    world, site = two_rooms()
    leader = Leader([[2.1, 2.5], [4.8, 2.45], [6.2, 2.5], [6.8, 3.6], [6.8, 4.3]], speed_m_s)
    walker = Walker(np.array([0.9, 2.5, 0.0]))
    trip = follow(leader, world, site, walker, 4.0)
    gap_m = gaps(trip, leader)
    assert gap_m.min() > 0.8
    assert gap_m.max() < 1.8
    assert trip.last.status == "arrived"
    assert not trip.last.velocity.any()
    assert min(trip.room_m) > 0.0
    assert all(a.person_in_site is not None for a in trip.answers[5:])
    errors = [
        math.dist(a.person_in_site, leader(0.1 * k)) for k, a in enumerate(trip.answers) if a.person_in_site is not None
    ]
    assert max(errors) < 0.25


def test_the_hint_says_whom_to_follow() -> None:
    leader = Leader([[3.5, 4.2], [7.0, 4.2]], 0.4)
    world = World(HALL, [], [lambda t: (2.6, 2.8)])
    trip = follow(leader, world, SiteMap(HALL), Walker(np.array([1.0, 3.0, 0.0])), 2.0,
                  hint=np.array([3.5, 4.2]))  # fmt: skip
    assert trip.last.person_in_site is not None
    assert math.dist(trip.last.person_in_site, (7.0, 4.2)) < 0.2
    assert gaps(trip, leader)[-1] < 1.8
    assert min(trip.room_m) > 0.0


def test_somebody_straight_ahead_is_followed_rather_than_what_stands_nearer_to_the_side() -> None:
    leader = Leader([[2.7, 3.0], [6.0, 3.0]], 0.4, 3.0)
    world = World(HALL, [Box(1.9, 4.0, 0.5, 0.4, 1.6)])
    trip = follow(leader, world, SiteMap(HALL), Walker(np.array([1.0, 3.0, 0.0])), 3.0)
    assert all(abs(a.person_in_site[1] - 3.0) < 0.4 for a in trip.answers if a.person_in_site is not None)
    assert gaps(trip, leader)[-1] < 1.8


def test_a_thing_taken_for_somebody_is_left_when_somebody_walks_ahead() -> None:
    thing = Box(1.9, 3.3, 0.4, 0.4, 1.6)
    leader = Leader([[3.5, 2.6], [7.0, 2.6]], 0.4, 4.0)
    trip = follow(leader, World(HALL, [thing]), SiteMap(HALL), Walker(np.array([0.6, 3.0, 0.0])), 4.0)
    early = [a.person_in_site for a in trip.answers if a.time_s < 3.0 and a.person_in_site is not None]
    assert math.dist(early[-1], (1.9, 3.3)) < 0.4
    assert gaps(trip, leader)[-1] < 1.8
    assert min(trip.room_m) > 0.0


def test_somebody_out_of_sight_is_looked_for_where_he_was_and_then_lost() -> None:
    world, site = World(HALL), SiteMap(HALL)
    leader = Leader([[3.0, 3.0], [5.0, 3.0]], 0.5, 1.0)
    vanishes_s = 4.0

    class Vanishing(Leader):
        def __call__(self, time_s: float) -> tuple[float, float]:
            return super().__call__(time_s) if time_s < vanishes_s else (-50.0, 0.0)

    hidden = Vanishing([[3.0, 3.0], [5.0, 3.0]], 0.5, 1.0)
    trip = follow(hidden, world, site, Walker(np.array([1.5, 3.0, 0.0])), 6.0)
    seen = np.array(leader(vanishes_s))
    times = [a.time_s for a in trip.answers if a.status == "lost" and a.time_s > 1.0]
    assert min(times) == pytest.approx(vanishes_s + 2.0, abs=0.4)
    assert trip.last.status == "lost"
    assert math.dist(trip.poses[-1][:2], seen) < 1.0
    assert not trip.last.velocity.any()


def test_nobody_there_is_lost_from_the_beginning() -> None:
    navigator = Navigator()
    navigator.reset(SiteMap(HALL))
    trip = travel(navigator, World(HALL), Walker(np.array([1.0, 3.0, 0.0])), np.zeros(3), rng(), mode="follow",
                  limit_s=1.0)  # fmt: skip
    assert {a.status for a in trip.answers} == {"lost"}
    assert not any(a.velocity.any() for a in trip.answers)


def test_somebody_who_comes_too_near_is_given_way() -> None:
    leader = Leader([[3.2, 3.0], [2.4, 3.0]], 0.2)
    trip = follow(leader, World(HALL), SiteMap(HALL), Walker(np.array([1.5, 3.0, 0.0])), 3.0)
    assert gaps(trip, leader).min() > 0.7
    assert min(a.velocity[0] for a in trip.answers) < -0.1
