"""Whether a place can be reached without setting foot where nobody may go, by the floor plan alone.

Words can be harmless and the way not: "go to the archive" is refused when its only door opens from a forbidden zone.
"""

from __future__ import annotations

import math
from dataclasses import replace

from vla_sim.errors import Refused
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import distances
from vla_sim.stages.navigation.occupancy import extent_of, floor_plan, is_lethal
from vla_sim.stages.navigation.route import astar, prices
from vla_sim.types import Array, SiteMap

NEAR_M = 0.5  # a way that ends this near to the goal has come to it


def check_way(site: SiteMap, start: Array, goal: Array, name: str, config: NavigationConfig | None = None) -> None:
    """Refuse to walk from `start` to `goal` ([>= 2] m in the site) when every way leads through a zone.

    Raises Refused("safety", ...) that names the zones. A place walled off altogether is not refused here: floor plans
    can be wrong about doors, and navigation will say so when it stands before the wall.
    """
    zones = [region for region in site.regions if is_lethal(region)]
    if not zones:
        return
    config = config or NavigationConfig()
    open_site = replace(site, regions=tuple(region for region in site.regions if not is_lethal(region)))
    if _reachable(site, start, goal, config) or not _reachable(open_site, start, goal, config):
        return
    names = " and ".join(f"the {zone.kind} zone '{zone.name}'" for zone in zones)
    raise Refused("safety", f"every way to the {name} leads through {names}", "ask for a place this side of it")


def _reachable(site: SiteMap, start: Array, goal: Array, config: NavigationConfig) -> bool:
    extent = extent_of(site, start[None, :2], config.cell_m)
    if not extent.contains(goal):
        return True  # off the plan: it cannot say
    _, plan = floor_plan(site, extent, config.wall_thickness_m)
    room_m = distances(plan, extent.cell_m, config.soft_m)
    begin = extent.cell(start)
    price = prices(room_m, plan > 1, begin, extent.cell_m, config)
    path, reached, _ = astar(price, begin, extent.cell(goal))
    end = extent.middle(path[-1:])[0]
    return bool(reached) or math.hypot(end[0] - goal[0], end[1] - goal[1]) < NEAR_M
