"""Scenes that cannot work are refused before anything is built, in one line that names the thing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import envs
from envs import scene_file
from envs.checks import check_scene
from vla_sim.errors import ConfigError

PAYLOAD_KG = 2.0


def table(name: str = "table", at: tuple[float, float] = (3.0, 1.5), **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "table", "at": list(at), "size_m": [0.6, 1.2], **more}


def box(at: tuple[float, float], size: tuple[float, float], name: str = "box", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "box", "at": list(at), "size_m": list(size), **more}


def scene(*furniture: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A room of 4 x 3 m with a table at its far end."""
    walls = [([0, 0], [4, 0]), ([4, 0], [4, 3]), ([4, 3], [0, 3]), ([0, 3], [0, 0])]
    return {
        "name": "test",
        "start": [1, 1.5, 0],
        "rooms": [{"name": "kitchen", "rectangle": [0, 0, 4, 3]}],
        "walls": [{"name": f"wall {i}", "start": a, "end": b} for i, (a, b) in enumerate(walls)],
        "furniture": [table(), *furniture],
        **more,
    }


def check(data: dict[str, Any]) -> None:
    check_scene(scene_file.load(data), PAYLOAD_KG)


def test_a_good_scene_passes() -> None:
    check(scene())
    check(scene(objects=[{"what": "red mug", "on": "table", "at": [0.1, -0.3]}], people=[{"route": [[1, 1], [1, 2]]}]))


@pytest.mark.parametrize("name", scene_file.names())
def test_those_of_the_project_pass(name: str) -> None:
    check_scene(scene_file.load(name), PAYLOAD_KG)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (scene(box((3.2, 2.2), (0.4, 0.4))), "table: overlaps box by 0.10 m"),
        (scene(box((3.9, 0.5), (0.4, 0.4))), "box: overlaps wall 1"),
        (scene(box((3.35, 2.25), (0.4, 0.4), yaw_deg=45)), "overlaps box"),
        (scene(table()), "two things are called 'table'"),
        (scene(box((1.6, 1.5), (0.3, 2.6))), r"cannot be reached from the start: .* blocked at .* by (box|wall)"),
        (scene(box((1.0, 1.5), (0.3, 0.3))), r"start: \(1, 1.5\) is in box"),
        (scene(start=[0.1, 1.5, 0]), "too near to wall 3"),
        (scene(objects=[{"what": "red mug", "on": "tabel"}]), "did you mean 'table'"),
        (scene(objects=[{"what": "red mug", "on": "table", "at": [0.0, 0.65]}]), "y = 0.65 m does not lie on table"),
        (scene(objects=[{"what": "red mug", "on": "table", "mass_kg": 3.0}]), "payload is 2 kg"),
        (
            scene(objects=[{"what": f"{c} mug", "on": "table", "at": [0, y]} for c, y in (("red", 0), ("blue", 0.05))]),
            "stands in the blue mug",
        ),
        (scene(people=[{"route": [[1, 1], [3.4, 1.5]]}]), "leads into table"),
        (scene(people=[{"route": [[0.1, 1]]}]), "leads into wall 3"),
        (scene(box((1, 2.4), (0.4, 0.4), kind="mesh", mesh="crate.stl")), "no file crate.stl"),
        (scene(zones=[{"name": "hole", "rectangle": [1.5, 0, 1.8, 3]}]), "by hole"),
    ],
)
def test_what_cannot_work_is_named(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        check(data)
    assert "\n" not in str(caught.value)


def test_furniture_may_touch_and_stand_against_a_wall() -> None:
    check(scene(box((3.0, 2.3), (0.4, 0.4)), box((0.25, 0.5), (0.4, 0.4), "other")))


def test_a_place_in_a_zone_need_not_be_reached() -> None:
    check(scene(box((1.9, 1.5), (0.1, 2.9)), zones=[{"name": "off", "rectangle": [1.95, 0.05, 3.95, 2.95]}]))


def test_what_was_made_in_code_is_checked_too() -> None:
    good = scene_file.load(scene())
    moved = replace(good.furniture[0], at=(3.9, 1.5))
    with pytest.raises(ConfigError, match="overlaps wall 1"):
        check_scene(replace(good, furniture=(moved,)), PAYLOAD_KG)


def test_an_environment_refuses_before_it_is_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="overlaps box"):
        envs.make("VlaSim/Navigate-v0", scene=scene(box((3.2, 2.2), (0.4, 0.4))))


def test_randomised_masses_count() -> None:
    heavy = scene(objects=[{"what": "red mug", "on": "table", "mass_kg": 1.5}])
    check(heavy)
    with pytest.raises(ConfigError, match="heavier"):
        envs.make("VlaSim/PickPlace-v0", scene=heavy, randomise={"mass": [1.0, 2.0]})
