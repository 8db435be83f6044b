"""All that scans tell: the robot's pose in the site, what is in the way, and who walks about."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import Cells, Field, at, distances
from vla_sim.stages.navigation.dwa import Ground
from vla_sim.stages.navigation.localise import Localiser
from vla_sim.stages.navigation.moving import People, Track
from vla_sim.stages.navigation.occupancy import CAP_M, OccupancyGrid, extent_of, inside
from vla_sim.stages.planar import compose, moved, of_pose, seen_from
from vla_sim.types import Array, NavigationRequest, Scan, SiteMap

NEAR_M = 2.6  # around the robot distances are up to date with every scan
LATELY_SCANS = 30
RESTLESS_S = 6.0  # who has walked so lately pauses; after that he stands, perhaps because the robot does
BODY_M = 0.45  # a person's traces fill a disc like this


class Surroundings:
    """The map of one episode. `pose` [3] is the robot in the site, `ground` the distances around it."""

    def __init__(self, site: SiteMap, config: NavigationConfig) -> None:
        self._site, self._config = site, config
        self.localiser, self.people = Localiser(site.walls, config), People()
        self.pose = np.zeros(3)
        self._grid: OccupancyGrid | None = None
        self._time_s = -math.inf
        self._distance_m: Field = np.zeros((0, 0), np.float32)
        self.plan_m: Field = np.zeros((0, 0), np.float32)  # distances to what the floor plan shows
        self.ignored: Cells | None = None  # [rows, cols] 1 where things are no obstacle: the table one docks at
        self.led_by = -1  # number of the track of the person who is followed: never an obstacle of the map

    @property
    def grid(self) -> OccupancyGrid:
        """The map; there is one once `update` was called."""
        assert self._grid is not None
        return self._grid

    @property
    def ground(self) -> Ground:
        """Distances to everything, exact within NEAR_M of the robot."""
        e = self.grid.extent
        return Ground(self._distance_m, float(e.corner[0]), float(e.corner[1]), e.cell_m)

    def update(self, request: NavigationRequest) -> None:
        """Take in a request's scan, unless a newer one was."""
        scan = request.scan
        fresh = scan.time_s > self._time_s
        if fresh:
            self._time_s = scan.time_s
            self.localiser.update(scan)
        self.pose = compose(self.localiser.pose, request.heading_in_odom)
        self._cover(np.array([self.pose[:2], request.goal_in_site[:2] if request.mode != "follow" else self.pose[:2]]))
        if fresh:
            self._look(scan)
            self.refresh_near()

    def _cover(self, points: Array) -> None:
        """Make the map reach all `points` [k, 2]; one that has to grow begins anew."""
        if self._grid is not None and all(self._grid.extent.contains(point) for point in points):
            return
        self._grid = OccupancyGrid(self._site, extent_of(self._site, points, self._config.cell_m), self._config)
        self.plan_m, self.ignored = self._distances(self._grid.plan, np.s_[:, :]), None
        self._distance_m = self.plan_m.copy()

    def _look(self, scan: Scan) -> None:
        base = compose(self.localiser.pose, of_pose(scan.pose_base_in_odom))
        points = moved(base, scan.points_in_base.astype(np.float64))
        eye = moved(base, np.asarray(scan.origin_in_base, float)[None])[0]
        grid, met = self.grid, np.flatnonzero(scan.hit)
        solid = points[met]
        self.people.update(scan.time_s, solid, self._wall_distance(solid), grid.settled(solid), eye)
        for track in self.people.started:
            for _, x_m, y_m in track.trail:
                grid.forget(np.array([x_m, y_m]), BODY_M)
        for track in self.people.gone:  # he has not dissolved where he was seen last
            if track.walked_s > -math.inf:
                grid.forget(track.position, BODY_M)
        told = np.asarray(scan.hit).copy()
        for track in self._walking():
            told &= (points[:, 0] - track.x_m) ** 2 + (points[:, 1] - track.y_m) ** 2 > BODY_M**2
        grid.integrate(points, scan.hit, told, eye)

    def _wall_distance(self, points: Array) -> Array:
        """[n] m from the walls of the plan; far for points outside the map."""
        e = self.grid.extent
        cells = np.floor((points[:, :2] - e.corner) / e.cell_m).astype(np.int64)
        inner = (cells >= 0).all(axis=1) & (cells[:, 0] < e.cols) & (cells[:, 1] < e.rows)
        out = np.full(len(points), CAP_M)
        out[inner] = self.grid.wall_m[cells[inner, 1], cells[inner, 0]]
        return out

    def lead(self, track: Track) -> None:
        """That person is followed from now on, and what was drawn of him into the map was no thing."""
        if track.number != self.led_by:
            self.led_by = track.number
            self.grid.forget(track.position, BODY_M)

    def refresh_near(self) -> None:
        """Bring the distances around the robot up to date."""
        e = self.grid.extent
        row, col = e.cell(self.pose)
        inner, outer = math.ceil(NEAR_M / e.cell_m), math.ceil((NEAR_M + CAP_M) / e.cell_m)
        top, left = max(row - outer, 0), max(col - outer, 0)
        window = np.s_[top : row + outer + 1, left : col + outer + 1]
        fresh = self._distances(self._blocked_in(window), window)
        r0, c0 = max(row - inner, 0), max(col - inner, 0)
        r1, c1 = min(row + inner + 1, e.rows), min(col + inner + 1, e.cols)
        self._distance_m[r0:r1, c0:c1] = fresh[r0 - top : r1 - top, c0 - left : c1 - left]

    def refresh(self) -> Field:
        """Bring all distances up to date; [rows, cols] m."""
        self._distance_m = self._distances(self._blocked_in(np.s_[:, :]), np.s_[:, :])
        return self._distance_m

    def lasting_m(self) -> Field | None:
        """[rows, cols] m without the people who walked a moment ago and pause; None when nobody does."""
        pausing = self._pausing()
        if not pausing:
            return None
        blocked = self._blocked_in(np.s_[:, :])
        xs, ys = self.grid.extent.middles()
        for track in pausing:
            near = (xs[None, :] - track.x_m) ** 2 + (ys[:, None] - track.y_m) ** 2 < BODY_M**2
            blocked[near] = self.grid.plan[near]
        return self._distances(blocked, np.s_[:, :])

    def _pausing(self) -> list[Track]:
        return [t for t in self.people.tracks if not t.moving and t.time_s - t.walked_s < RESTLESS_S]

    def lately_m(self) -> Field:
        """[rows, cols] m from the plan and what was seen in the last seconds: older things may have walked away."""
        return self._distances(self._blocked_in(np.s_[:, :], LATELY_SCANS), np.s_[:, :])

    def _distances(self, blocked: Cells, window: tuple[slice, slice]) -> Field:
        """[rows, cols] m of a window: to its blocked cells and to the walls."""
        return np.minimum(distances(blocked, self._config.cell_m, CAP_M), self.grid.wall_m[window])

    def _blocked_in(self, window: tuple[slice, slice], scans: int | None = None) -> Cells:
        blocked = self.grid.blocked_in(window, scans)
        if self.ignored is not None:
            blocked[self.ignored[window] > 0] = 0
        return blocked

    def cells_inside(self, corners: Array) -> Cells:
        """[rows, cols] 1 in the polygon `corners` [k, 2]."""
        xs, ys = self.grid.extent.middles()
        return inside(corners, xs, ys).astype(np.uint8)

    def _walking(self) -> list[Track]:
        return [track for track in self.people.tracks if track.moving or track.number == self.led_by]

    def movers(self, but: Track | None = None) -> Array:
        """[k, 4] x, y, vx, vy of who walks or pauses, and of who is followed, all `but` one."""
        people = [*self._walking(), *(t for t in self._pausing() if t.number != self.led_by)]
        return np.array([[*t.position, *t.velocity] for t in people if t is not but]).reshape(-1, 4)

    def faces_somebody(self, within_m: float, within_rad: float) -> Track | None:
        """The nearest of those who have walked before and stand or walk ahead of the robot."""
        found, least_m = None, within_m
        for track in self.people.tracks:
            place = seen_from(self.pose, np.append(track.position, 0.0))
            away_m = math.hypot(place[0], place[1])
            if track.walked_s > -math.inf and away_m < least_m and abs(math.atan2(place[1], place[0])) < within_rad:
                found, least_m = track, away_m
        return found

    def clearance_m(self, pose: Array | None = None) -> float:
        """From the robot's outline, here or at another `pose` [3], to the nearest thing or person."""
        ground, (x, y) = self.ground, (self.pose if pose is None else pose)[:2]
        room_m = at(ground.distance_m, ground.x0_m, ground.y0_m, ground.cell_m, float(x), float(y))
        for mover in self.movers():
            apart_m = math.hypot(mover[0] - x, mover[1] - y) - self._config.person_radius_m
            room_m = min(room_m, apart_m)
        return room_m - self._config.radius_m
