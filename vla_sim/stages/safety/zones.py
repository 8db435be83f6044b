"""Regions of the site map that must be kept out of: forbidden ones by the base, hot ones by the tools as well."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vla_sim.errors import SpecMismatch
from vla_sim.stages.safety.config import Braking, ZoneConfig
from vla_sim.stages.safety.polygons import SLACK, inside, keep_out, signed_distance, swing_share
from vla_sim.stages.safety.rules import Intervention
from vla_sim.stages.safety.surroundings import Place
from vla_sim.types import Array, Region, SiteMap

KINDS = ("forbidden", "hot")
SWEEPS = 4  # a cut at one zone may lead towards another


@dataclass(frozen=True, slots=True)
class Zone:
    """A region to keep out of, in the frame of the site."""

    name: str
    corners: Array  # [k, 2] m
    hot_below_m: float  # tools lower than this keep their distance; minus infinity where nothing is hot
    known: bool  # whether all corners are numbers

    @property
    def hot(self) -> bool:
        """Whether tools must keep away."""
        return self.hot_below_m > -math.inf


class Zones:
    """The zones of a site; each site map is looked through once."""

    def __init__(self, config: ZoneConfig, braking: Braking) -> None:
        self.config = config
        self._brake = (braking.deceleration_m_s2, braking.reaction_s)
        self._site: SiteMap | None = None
        self._zones: tuple[Zone, ...] = ()

    def of(self, site: SiteMap | None) -> tuple[Zone, ...]:
        """What must be kept out of. Raises SpecMismatch for corners of a wrong shape."""
        if site is not self._site:
            self._site = site
            regions = () if site is None else site.regions
            self._zones = tuple(self._zone(region, site) for region in regions if region.kind in KINDS)
        return self._zones

    def _zone(self, region: Region, site: SiteMap | None) -> Zone:
        corners = np.array(region.corners, np.float64, order="C")
        if corners.ndim != 2 or corners.shape[1] != 2:
            raise SpecMismatch(f"corners of region {region.name!r}", "(k, 2)", corners.shape)
        below = -math.inf
        if region.kind == "hot":
            below = self._top(corners, site) + self.config.hot_above_m
        return Zone(region.name, corners, below, bool(np.isfinite(corners).all()))

    def _top(self, corners: Array, site: SiteMap | None) -> float:
        """Height of the highest surface whose middle lies in the zone, m."""
        surfaces = () if site is None else site.surfaces
        heights = [s.height_m for s in surfaces if inside(corners, float(s.pose[0]), float(s.pose[1]))]
        return max(heights, default=self.config.hot_top_m)

    def keep_base_out(
        self, zones: tuple[Zone, ...], place: Place, velocity: Array, highest: Array
    ) -> tuple[Array, list[Intervention]]:
        """Velocity [3] without what leads into zones; `place` is in the site, `highest` [3] what each axis may be."""
        sx, sy = vx, vy = place.turned(velocity)
        changes: dict[str, Intervention] = {}
        for _ in range(SWEEPS):
            cut = False
            for zone in zones:
                vx, vy, asked, allowed = keep_out(
                    zone.corners, place.x, place.y, vx, vy, self.config.clearance_m, self._brake
                )
                if asked - allowed > SLACK:
                    cut = True
                    changes.setdefault(zone.name, Intervention("zone", zone.name, asked, allowed))
            if not cut:
                break
        else:
            vx = vy = 0.0  # between zones that leave no way
        if (vx, vy) == (sx, sy):
            return velocity, []
        ahead, left = place.cos * vx + place.sin * vy, place.cos * vy - place.sin * vx
        share = min(1.0, _share(highest[0], ahead), _share(highest[1], left))  # a slide may turn ahead into aside
        return np.array([share * ahead, share * left, velocity[2]]), list(changes.values())

    def keep_tools_out(
        self, zones: tuple[Zone, ...], place: Place, feet: Place, velocity: Array, tools: Array
    ) -> tuple[Array, list[Intervention]]:
        """Velocity [3] of `place` at which no tool, [k, 3] m in the frame `feet`, comes to what is hot."""
        share, change = 1.0, None
        vx, vy = place.turned(velocity)
        for zone in zones:
            for tool in tools:
                if not tool[2] < zone.hot_below_m:
                    continue
                x, y = feet.turned(tool)
                x, y = feet.x + x, feet.y + y
                rx, ry = x - place.x, y - place.y
                turning = -float(velocity[2]) * ry, float(velocity[2]) * rx
                found, asked, allowed = swing_share(
                    zone.corners, x, y, (vx, vy), turning, self.config.hot_tool_m, self._brake
                )
                if found < share:
                    share, change = found, Intervention("hot", zone.name, asked, allowed)
        return (velocity, []) if change is None else (velocity * share, [change])

    def tool_distances(self, zones: tuple[Zone, ...], place: Place, tools: Array) -> Array:
        """[zones, k] m across the floor from each tool to each zone, negative inside; infinite where it is not hot."""
        distances = np.full((len(zones), len(tools)), math.inf)
        for i, zone in enumerate(zones):
            for j, tool in enumerate(tools):
                if tool[2] < zone.hot_below_m:
                    x, y = place.turned(tool)
                    distances[i, j] = signed_distance(zone.corners, place.x + x, place.y + y)
        return distances


def _share(highest: float, value: float) -> float:
    return float(highest) / abs(value) if abs(value) > highest else 1.0
