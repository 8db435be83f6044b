"""Objects on tables: those a scene names stand where it says, those a task draws can be taken."""

import math

import numpy as np
import pytest

import envs
from envs import placing, scene_file
from envs.scene import SPACING_M, Layout
from vla_sim.catalogue import GRASPABLE, SHAPES
from vla_sim.rng import stream
from vla_sim.types import ObjectQuery

KINDS = [
    ObjectQuery("mug", "red"),
    ObjectQuery("ball", "blue"),
    ObjectQuery("cube", "green"),
    ObjectQuery("bottle", "cyan"),
]


@pytest.mark.parametrize("seed", range(60))
def test_drawn_objects_are_near_the_edge_apart_and_free_in_front(seed: int) -> None:
    table = scene_file.load("apartment").for_robot(0.7).surface("kitchen table")
    placed = placing.objects_on(stream(seed, 0, "t"), table, KINDS)
    spots = [table.to_own(item.x, item.y) for item in placed]
    for x, y in spots:
        assert 0.08 <= x + table.size_m[0] / 2 <= 0.18
        assert abs(y) <= 0.35
    assert all(math.dist(a, b) >= SPACING_M for i, a in enumerate(spots) for b in spots[:i])
    for x, y in spots[1:]:
        assert x > spots[0][0] or abs(y - spots[0][1]) > 0.1
    assert all(item.support_m == 0.7 for item in placed)


def test_a_scene_names_its_objects_and_its_people() -> None:
    data = {
        "name": "mine",
        "furniture": [
            {"name": "table", "kind": "table", "at": [0.49, 0], "size_m": [0.6, 1.2]},
            {"name": "counter", "kind": "counter", "at": [-1.5, 2], "yaw_deg": 90, "size_m": [0.6, 1.2]},
        ],
        "objects": [
            {"what": "red mug", "on": "counter", "at": [0.1, 0.2], "yaw_deg": 30, "mass_kg": 0.4},
            {"what": "random", "on": "counter"},
            {"what": "ball", "on": "counter"},
        ],
        "people": [{"name": "ann", "route": [[-2, -2]], "yaw_deg": 90}],
    }
    scene = scene_file.load(data).for_robot(0.7)
    layout = placing.furnished(stream(1, 0, "t"), scene, Layout())
    mug, other, ball = layout.placements
    assert (mug.query, mug.mass_kg, mug.support_m) == (ObjectQuery("mug", "red"), 0.4, 0.9)
    assert (mug.x, mug.y) == pytest.approx(scene.surface("counter").to_site(0.1, 0.2))
    assert mug.yaw_rad == pytest.approx(math.radians(120))
    assert other.query.shape in GRASPABLE
    assert ball.query.shape == "ball"
    assert ball.query.colour is not None
    assert [person.name for person in layout.people] == ["ann"]
    first = placing.scene_objects(stream(1, 0, "t"), scene, "counter")[0]
    assert first.query.shape in GRASPABLE
    assert placing.scene_objects(stream(1, 0, "t"), scene, "table") == ()

    env = envs.make("VlaSim/PickPlace-v0", scene=data)
    env.restart(3)
    height = SHAPES["mug"].height_m
    body = env.world.objects[len(env.world.layout.placements) - 3]
    assert env.world.pose(body)[0] == pytest.approx((mug.x, mug.y, 0.9 + height / 2), abs=0.002)
    assert env.world.people[0].pose()[:2] == pytest.approx((-2, -2))
    env.close()


def test_a_table_that_a_task_uses_is_left_to_it() -> None:
    scene = scene_file.load(
        {
            "name": "mine",
            "furniture": [{"name": "table", "kind": "table", "at": [0.49, 0], "size_m": [0.6, 1.2]}],
            "objects": [{"what": "red mug", "on": "table", "at": [0.0, 0.0]}],
        }
    ).for_robot(0.7)
    tray = placing.tray_on(scene.surface("table"), "red")
    assert placing.furnished(np.random.default_rng(0), scene, Layout(tray=tray)).placements == ()
    assert len(placing.furnished(np.random.default_rng(0), scene, Layout()).placements) == 1
