"""People walk their route at their pace, are felt, and give way."""

from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.courtesy import PASSING_M, RETREAT_M
from envs.people import HEIGHT_M, IN_THE_WAY_M, TRAY_HEIGHT_M, Person, Route
from envs.scene_file import PersonPlace
from vla_sim.types import Array

FAR = np.array([99.0, 99.0])


@pytest.fixture
def client() -> Iterator[int]:
    made = p.connect(p.DIRECT)
    p.setGravity(0, 0, -9.81, physicsClientId=made)
    p.setPhysicsEngineParameter(fixedTimeStep=0.002, deterministicOverlappingPairs=1, physicsClientId=made)
    floor = p.createCollisionShape(p.GEOM_PLANE, physicsClientId=made)
    p.createMultiBody(0, floor, physicsClientId=made)
    yield made
    p.disconnect(made)


def walk(person: Person, seconds: float, robot: Array = FAR) -> None:
    for _ in range(round(seconds * 100)):
        person.drive(0.01, robot)
        for _ in range(5):
            p.stepSimulation(**person.on)


@given(st.floats(0.2, 1.5), st.floats(0.1, 5.0), st.floats(0.0, 2.0))
def test_a_route_is_walked_at_its_speed_and_to_its_end(speed: float, length: float, pause: float) -> None:
    route = Route(PersonPlace(((0.0, 0.0), (length, 0.0)), speed_m_s=speed, pause_s=pause, loop=False))
    times = np.linspace(0.0, route.duration_s + 1.0, 400)
    places = np.array([route.at(float(t))[0][0] for t in times])
    speeds = np.array([route.at(float(t))[1][0] for t in times])
    assert places[0] == 0.0
    assert places[-1] == pytest.approx(length)
    assert (np.diff(places) >= -1e-9).all()
    assert speeds.max() <= speed + 1e-9
    along = np.concatenate(([0.0], np.cumsum((speeds[1:] + speeds[:-1]) / 2 * np.diff(times))))
    assert along == pytest.approx(places, abs=0.02 + speed * (times[1] - times[0]))


def test_a_loop_comes_round_again() -> None:
    route = Route(PersonPlace(((0, 0), (1, 0), (1, 1)), pause_s=0.5))
    assert route.length_m == pytest.approx(2 + np.sqrt(2))
    assert route.at(route.duration_s + 3.0)[0] == pytest.approx(route.at(3.0)[0])


def test_a_person_is_where_the_route_says(client: int) -> None:
    person = Person(client, PersonPlace(((0.0, 0.0), (1.5, 0.0), (1.5, 1.0)), speed_m_s=0.5, pause_s=0.5, loop=False))
    for _ in range(9):
        walk(person, 1.0)
        assert person.pose()[:2] == pytest.approx(person.route.at(person.walked_s)[0], abs=0.02)
    assert person.arrived
    assert person.pose() == pytest.approx((1.5, 1.0, np.pi / 2), abs=0.02)


def test_the_body_moves_as_fast_as_it_is_told_and_is_as_tall_as_people_are(client: int) -> None:
    person = Person(client, PersonPlace(((0.0, 0.0), (3.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    walk(person, 3.0)
    assert person.velocity() == pytest.approx((0.4, 0.0), abs=0.01)
    boxes = [p.getAABB(person.id, link, **person.on) for link in (2, 3, 4)]
    assert max(high[2] for _, high in boxes) == pytest.approx(HEIGHT_M, abs=0.03)
    assert 0.0 < min(low[2] for low, _ in boxes) < 0.12


def test_what_stands_in_the_way_is_pushed_along_at_walking_speed(client: int) -> None:
    person = Person(client, PersonPlace(((0.0, 0.0), (3.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=[0.2, 0.2, 0.5], **person.on)
    crate = p.createMultiBody(5.0, shape, -1, [0.6, 0.0, 0.5], **person.on)
    walk(person, 3.0)
    before = p.getBasePositionAndOrientation(crate, **person.on)[0][0]
    walk(person, 2.0)
    after = p.getBasePositionAndOrientation(crate, **person.on)[0][0]
    assert after - before == pytest.approx(0.8, abs=0.2)
    assert after - person.pose()[0] > 0.2


def test_a_person_waits_for_a_robot_ahead_and_goes_on_when_it_has_gone(client: int) -> None:
    person = Person(client, PersonPlace(((0.0, 0.0), (3.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    robot = np.array([1.5, 0.0])
    walk(person, 4.5, robot)
    waited = person.pose()[0]
    assert 1.5 - waited == pytest.approx(IN_THE_WAY_M, abs=0.1)
    assert abs(person.velocity()[0]) < 0.01
    walk(person, 6.0)
    assert person.pose()[0] > waited + 1.0
    assert person.pose()[:2] == pytest.approx(person.route.at(person.walked_s)[0], abs=0.02)


def test_a_person_does_not_brush_past_a_robot_at_his_side(client: int) -> None:
    person = Person(client, PersonPlace(((0.0, 0.0), (3.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    walk(person, 2.5, np.array([0.15, 0.5]))
    assert person.pose()[0] < 0.05


def wall(client: int, x: float, y: float, half_x: float, half_y: float) -> None:
    shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=[half_x, half_y, 1.0], physicsClientId=client)
    p.createMultiBody(0, shape, -1, [x, y, 1.0], physicsClientId=client)


def way_of(person: Person, seconds: float, robot: Array) -> Array:
    """[n, 2] where the person was, ten times a second."""
    places = []
    for _ in range(round(seconds * 10)):
        walk(person, 0.1, robot)
        places.append(person.pose()[:2])
    return np.array(places)


def test_a_person_walks_round_a_robot_that_stays_on_the_free_side(client: int) -> None:
    wall(client, 1.5, 0.6, 2.0, 0.05)
    person = Person(client, PersonPlace(((0.0, 0.0), (3.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    robot = np.array([1.5, 0.0])
    way = way_of(person, 20.0, robot)
    assert person.arrived
    assert way[-1] == pytest.approx((3.0, 0.0), abs=0.02)
    assert np.hypot(*(way - robot).T).min() > PASSING_M - 0.03
    assert way[:, 1].max() < 0.05  # the wall is on the left


def test_in_a_passage_a_person_goes_back_lets_the_robot_by_and_comes_again(client: int) -> None:
    for side in (0.6, -0.6):
        wall(client, 2.0, side, 1.2, 0.05)
    person = Person(client, PersonPlace(((0.0, 0.0), (4.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    robot = np.array([2.4, 0.0])
    way = way_of(person, 13.0, robot)
    assert way[:, 0].max() == pytest.approx(2.4 - IN_THE_WAY_M, abs=0.1)
    assert way[-1] == pytest.approx((0.0, 0.0), abs=0.05)
    assert np.abs(way[:, 1]).max() < 0.05
    walk(person, 18.0)
    assert person.arrived
    assert person.pose()[:2] == pytest.approx((4.0, 0.0), abs=0.02)


def test_who_can_go_neither_round_nor_back_steps_aside_and_comes_again(client: int) -> None:
    for side in (0.6, -0.6):
        wall(client, 1.5, side, 1.2, 0.05)
    person = Person(client, PersonPlace(((0.0, 0.0), (3.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    robot = np.array([0.7, 0.0])
    way = way_of(person, 9.0, robot)
    assert way[-1] == pytest.approx((-RETREAT_M, 0.0), abs=0.05)
    walk(person, 16.0)
    assert person.arrived
    assert person.pose()[:2] == pytest.approx((3.0, 0.0), abs=0.02)


def test_walled_in_a_person_waits_for_ever(client: int) -> None:
    for x, y, half_x, half_y in ((0.4, 0.5, 1.5, 0.05), (0.4, -0.5, 1.5, 0.05), (-0.5, 0.0, 0.05, 0.5)):
        wall(client, x, y, half_x, half_y)
    person = Person(client, PersonPlace(((0.0, 0.0), (2.0, 0.0)), speed_m_s=0.4, pause_s=0.0, loop=False))
    way = way_of(person, 15.0, np.array([0.7, 0.0]))
    assert np.hypot(*way.T).max() < 0.1


def test_the_tray_is_held_ahead_and_things_lie_on_it(client: int) -> None:
    person = Person(client, PersonPlace(((1.0, 1.0),), yaw_deg=90, holds_tray=True))
    tray = person.tray_in_world()
    assert tray[2, 3] == pytest.approx(TRAY_HEIGHT_M + 0.015)
    assert tray[:2, 3] == pytest.approx((1.0, 1.34))
    shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=[0.025] * 3, **person.on)
    cube = p.createMultiBody(0.15, shape, -1, [*tray[:2, 3], TRAY_HEIGHT_M + 0.06], **person.on)
    walk(person, 1.0)
    position = p.getBasePositionAndOrientation(cube, **person.on)[0]
    assert position[2] == pytest.approx(TRAY_HEIGHT_M + 0.005 + 0.025, abs=0.003)
    assert position[:2] == pytest.approx(tray[:2, 3], abs=0.02)
