"""Geometric refusal: harmless words, a way that leads through a forbidden zone."""

import numpy as np
import pytest

from vla_sim.errors import Refused
from vla_sim.stages.navigation.lawful import check_way
from vla_sim.types import Array, Region, SiteMap


def box(x0: float, y0: float, x1: float, y1: float) -> Array:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)


# Three rooms in a row, 3 m wide each, with doors 1.2 m wide in the middle of the walls between them.
WALLS = np.array(
    [[0, 0, 9, 0], [9, 0, 9, 3], [9, 3, 0, 3], [0, 3, 0, 0]]
    + [[x, a, x, b] for x in (3, 6) for a, b in ((0, 0.9), (2.1, 3))],
    dtype=float,
)
HALL, ARCHIVE = np.array([1.5, 1.5, 0.0]), np.array([7.5, 1.5, 0.0])


def site(*zones: Region, walls: Array = WALLS) -> SiteMap:
    return SiteMap(walls=walls, regions=(Region("archive", "room", box(6, 0, 9, 3)), *zones))


def test_an_open_way_is_lawful() -> None:
    check_way(site(), HALL, ARCHIVE, "archive")


def test_a_zone_beside_the_way_does_not_matter() -> None:
    check_way(site(Region("cellar", "forbidden", box(3.2, 2.4, 5.8, 3.0))), HALL, ARCHIVE, "archive")


@pytest.mark.parametrize("kind", ["forbidden", "hot"])
def test_a_zone_across_the_only_way_is_refused_by_name(kind: str) -> None:
    with pytest.raises(Refused, match=f"every way to the archive leads through the {kind} zone 'laboratory'"):
        check_way(site(Region("laboratory", kind, box(3, 0, 6, 3))), HALL, ARCHIVE, "archive")


def test_a_zone_that_leaves_no_room_for_a_body_is_as_good_as_one_that_bars_the_way() -> None:
    with pytest.raises(Refused, match="laboratory"):
        check_way(site(Region("laboratory", "forbidden", box(3, 0.4, 6, 2.6))), HALL, ARCHIVE, "archive")


def test_a_place_walled_off_is_left_to_navigation() -> None:
    closed = np.vstack([WALLS, [[6, 0, 6, 3]]])
    check_way(site(Region("laboratory", "forbidden", box(3, 0, 6, 3)), walls=closed), HALL, ARCHIVE, "archive")
