"""Furniture takes up what the scene says, no more, and can be stood at."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pybullet as p
import pytest

from envs.furniture import add_furniture, add_static, wall_blocks
from envs.scene_file import HEIGHT_M, Furniture, Kind, Wall
from vla_sim.errors import ConfigError

KINDS = [kind for kind in get_args(Kind) if kind != "mesh"]


@pytest.fixture
def client() -> Iterator[int]:
    made = p.connect(p.DIRECT)
    yield made
    p.disconnect(made)


def top_at(client: int, x: float, y: float) -> float:
    """Height of what is under a point; 0 for nothing."""
    hit = p.rayTest([x, y, 3.0], [x, y, -0.1], physicsClientId=client)[0]
    return float(hit[3][2]) if hit[0] >= 0 else 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_it_fills_its_rectangle_and_its_height(client: int, kind: Kind) -> None:
    height = HEIGHT_M.get(kind, 0.7)
    item = Furniture("thing", kind, (1.0, 2.0), (0.6, 0.9), 90.0, height)
    parts = add_furniture(client, item, "")
    corners = np.concatenate([part.mesh.vertices for part in parts])
    assert len({part.body for part in parts}) == 1
    if kind == "plant":
        assert np.abs(corners[:, :2]).max() <= 0.3 + 1e-6  # as wide as the smaller side
    else:
        assert corners[:, 0].max() - corners[:, 0].min() == pytest.approx(0.6)
        assert corners[:, 1].max() - corners[:, 1].min() == pytest.approx(0.9)
    if kind != "bed":  # its head rises above it
        assert corners[:, 2].max() == pytest.approx(height, abs=0.02)
    assert corners[:, 2].min() >= -1e-6
    low, high = p.getAABB(parts[0].body, physicsClientId=client)
    assert high[0] - low[0] <= 0.9 + 0.01
    assert high[1] - low[1] <= 0.6 + 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_contact_and_pictures_have_the_same_shape(client: int, kind: Kind) -> None:
    """Rays from above end where the highest triangle under them is."""
    item = Furniture("thing", kind, (0.0, 0.0), (0.6, 0.9), 0.0, HEIGHT_M.get(kind, 0.7))
    parts = add_furniture(client, item, "")
    tops = [(part.mesh.vertices.min(axis=0), part.mesh.vertices.max(axis=0)) for part in parts]
    for x in np.linspace(-0.28, 0.28, 7):
        for y in np.linspace(-0.43, 0.43, 7):
            inside = [high[2] for low, high in tops if (low[:2] < (x, y)).all() and (high[:2] > (x, y)).all()]
            if kind != "plant":  # of boxes alone
                assert top_at(client, x, y) == pytest.approx(max(inside, default=0.0), abs=0.002)


def test_feet_fit_under_the_front_edge_of_a_table(client: int) -> None:
    add_furniture(client, Furniture("t", "table", (0.3, 0.0), (0.6, 1.2), 0.0, 0.7), "")
    assert top_at(client, 0.05, 0.0) == pytest.approx(0.7)
    for y in (-0.58, 0.0, 0.58):  # toes 15 cm beyond the edge, at ankle height
        hit = p.rayTest([-0.5, y, 0.08], [0.15, y, 0.08], physicsClientId=client)[0]
        assert hit[0] == -1


def test_a_mesh_is_scaled_to_its_size(client: int, tmp_path: Path) -> None:
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2]], dtype="<f4")
    faces = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
    body = b"".join(np.zeros(3, "<f4").tobytes() + corners[list(f)].tobytes() + b"\0\0" for f in faces)
    (tmp_path / "pyramid.stl").write_bytes(b"\0" * 80 + len(faces).to_bytes(4, "little") + body)
    item = Furniture("thing", "mesh", (0.0, 0.0), (0.4, 0.8), 0.0, 1.0, mesh="pyramid.stl")
    parts = add_furniture(client, item, str(tmp_path))
    size = parts[0].mesh.vertices.max(axis=0) - parts[0].mesh.vertices.min(axis=0)
    assert size == pytest.approx((0.4, 0.8, 1.0))
    assert top_at(client, -0.19, -0.39) == pytest.approx(0.95, abs=0.08)
    with pytest.raises(ConfigError, match=r"no file cone\.stl"):
        add_furniture(client, Furniture("thing", "mesh", (0, 0), (1, 1), mesh="cone.stl", height_m=1.0), str(tmp_path))


def test_walls_stand_between_their_doors(client: int) -> None:
    data = Wall((0.0, 1.0), (4.0, 1.0))
    add_static(client, wall_blocks(data), (0.0, 1.0), 0.0)
    assert top_at(client, 2.0, 1.0) == pytest.approx(2.5)
    assert top_at(client, 2.0, 1.06) == 0.0
