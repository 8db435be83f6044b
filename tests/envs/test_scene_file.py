"""Scene files: those that come along load, and every mistake in one is named with the nearest right choice."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs import scene_file
from envs.scene_file import Area, Door, Furniture, Wall
from vla_sim.errors import ConfigError
from vla_sim.types import ObjectQuery

MINIMAL: dict[str, Any] = {
    "name": "mine",
    "rooms": [{"name": "kitchen", "rectangle": [0, 0, 4, 4]}],
    "walls": [{"start": [0, 0], "end": [4, 0], "doors": [{"at_m": 2.0}]}],
    "furniture": [{"name": "table", "kind": "table", "at": [2, 2], "size_m": [0.6, 1.2]}],
    "objects": [{"what": "red mug", "on": "table", "at": [0, 0]}],
    "people": [{"route": [[1, 1], [1, 3]]}],
    "zones": [{"name": "stove", "kind": "hot", "corners": [[3, 0], [4, 0], [4, 1]]}],
}


def changed(part: str, **values: Any) -> dict[str, Any]:
    """The minimal scene with other values in the first entry of a part."""
    return {**MINIMAL, part: [{**MINIMAL[part][0], **values}]}


@pytest.mark.parametrize("name", ["apartment", "belt", "office", "table"])
def test_scenes_of_the_project_load(name: str) -> None:
    scene = scene_file.load(name)
    assert scene.name == name
    assert name in scene_file.names()
    assert scene.surfaces


def test_a_file_and_a_mapping_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nfurniture:\n  - {name: t, kind: table, at: [1, 2], size_m: [0.6, 1]}\n")
    item = {"name": "t", "kind": "table", "at": [1, 2], "size_m": [0.6, 1]}
    from_file, from_mapping = scene_file.load(path), scene_file.load({"name": "mine", "furniture": [item]})
    assert from_file.furniture == from_mapping.furniture
    assert Path(from_file.folder) == tmp_path
    assert scene_file.load(from_file) is from_file


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("apartmant", "did you mean 'apartment'"),
        ("nowhere/mine.yaml", "no file"),
        ({**MINIMAL, "wals": []}, "did you mean 'walls'"),
        (changed("furniture", kind="tabel"), "did you mean 'table'"),
        (changed("furniture", size_m=[0.6]), "must be 2 numbers"),
        (changed("furniture", size_m=[0.6, -1]), "must be positive"),
        (changed("furniture", kind="mesh"), "needs a file"),
        (changed("furniture", at=["left", 2]), "must be a number"),
        (changed("objects", what="red mugg"), "did you mean 'mug'"),
        (changed("objects", what="rad mug"), "did you mean 'red'"),
        (changed("objects", what="big red mug"), "a colour and a shape"),
        (changed("objects", mass_kg=0.0), "must be positive"),
        (changed("walls", doors=[{"at_m": 2.0, "width_m": 0.7}]), "at least 0.9 m wide"),
        (changed("walls", doors=[{"at_m": 3.9}]), "beyond its wall"),
        (changed("walls", end=[0, 0]), "must be positive"),
        (changed("rooms", rectangle=[4, 0, 0, 4]), "x0, y0, x1, y1"),
        (changed("rooms", corners=[[0, 0], [1, 0], [1, 1]]), "either a rectangle or corners"),
        (changed("zones", kind="warm"), "choose one of: forbidden, hot"),
        (changed("people", speed_m_s=9.0), "1.5 m/s"),
        (changed("people", route=[]), "no waypoint"),
        (changed("people", tray_colour="orange"), "choose one of"),
        ({**MINIMAL, "start": [0, 0]}, "3 numbers"),
    ],
)
def test_mistakes_are_named(data: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        scene_file.load(data)


def test_an_object_lies_on_something_without_quotes(tmp_path: Path) -> None:
    """In YAML 1.1 the key `on` would be a truth value."""
    path = tmp_path / "laid.yaml"
    laid = "objects:\n  - {what: red mug, on: table, mass_kg: 0.4}\n"
    path.write_text((scene_file.FOLDER / "table.yaml").read_text() + laid)
    assert scene_file.load(path).objects[0].on == "table"


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "no YAML"), ("just words", "no mapping"), ("name: a\nname: b\n", "given twice")],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        scene_file.load(path)


def test_the_message_says_where(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nfurniture:\n  - {name: t, kind: tabel, at: [1, 2], size_m: [0.6, 1]}\n")
    with pytest.raises(ConfigError, match=r"scene mine\.furniture\.0\.kind"):
        scene_file.load(path)


def test_unknown_surfaces_and_rooms_name_the_nearest() -> None:
    scene = scene_file.load("apartment")
    with pytest.raises(ConfigError, match="did you mean 'kitchen table'"):
        scene.surface("kitchen tabel")
    with pytest.raises(ConfigError, match="did you mean 'kitchen'"):
        scene.room("kitchn")


def test_objects_are_parsed_as_the_catalogue_has_them() -> None:
    assert scene_file.parse_object("red mug", "k") == ObjectQuery("mug", "red")
    assert scene_file.parse_object("tray", "k") == ObjectQuery("tray")


@given(st.lists(st.tuples(st.floats(0.5, 9.5), st.floats(0.9, 1.5)), max_size=4))
def test_doors_and_solid_pieces_make_up_the_wall(doors: list[tuple[float, float]]) -> None:
    apart: list[Door] = []
    for at, width in doors:
        if width / 2 <= at <= 10 - width / 2 and all(abs(at - d.at_m) >= (width + d.width_m) / 2 for d in apart):
            apart.append(Door(at, width))
    wall = Wall((0.0, 0.0), (6.0, 8.0), tuple(apart))
    solid = sum(b - a for a, b in wall.solid)
    assert solid + sum(door.width_m for door in apart) == pytest.approx(wall.length_m, abs=1e-5)
    assert all(b <= c for (_, b), (c, _) in zip(wall.solid[:-1], wall.solid[1:], strict=True))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-180, 180), st.floats(-2, 2), st.floats(-2, 2))
def test_furniture_frames_go_both_ways(x: float, y: float, yaw: float, u: float, v: float) -> None:
    item = Furniture("t", "table", (x, y), (0.6, 1.2), yaw)
    assert item.to_own(*item.to_site(u, v)) == pytest.approx((u, v), abs=1e-9)
    stand = item.stand_at(0.5, 0.3)
    assert item.to_own(stand[0], stand[1]) == pytest.approx((-0.8, 0.3), abs=1e-9)
    assert math.isclose(stand[2], math.radians(yaw))


def test_areas_hold_what_is_in_them() -> None:
    corner = Area("l", corners=((0, 0), (4, 0), (4, 1), (1, 1), (1, 3), (0, 3)))
    assert corner.holds(0.5, 2.5)
    assert corner.holds(3.5, 0.5)
    assert not corner.holds(2.0, 2.0)
    assert not Area("r", rectangle=(0, 0, 1, 1)).holds(1.5, 0.5)


def test_tables_get_the_height_of_the_robot_and_others_their_own() -> None:
    scene = scene_file.load("office").for_robot(0.77)
    assert {item.kind: item.height_m for item in scene.furniture}["table"] == 0.77
    assert {item.kind: item.height_m for item in scene.furniture}["counter"] == 0.90
