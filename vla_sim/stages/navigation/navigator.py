"""The navigation stage: one scan and one goal in, one velocity out. It has no clock; time is in the scan."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.errors import ConfigError, nearest
from vla_sim.stages.navigation.approach import Docking, coasting, servo, table_outline
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.dwa import NOISE_M, Gait, best_velocity, gait_of, is_free, speed_left
from vla_sim.stages.navigation.following import Follower
from vla_sim.stages.navigation.guide import SPACING_M, Guide
from vla_sim.stages.navigation.moving import Track
from vla_sim.stages.navigation.patience import Patience
from vla_sim.stages.navigation.refuge import CLEAR_M, first_leg, off_line
from vla_sim.stages.navigation.stride import Stride
from vla_sim.stages.navigation.surroundings import Surroundings
from vla_sim.stages.planar import compose, seen_from, wrap
from vla_sim.types import Array, NavigationAnswer, NavigationRequest, SiteMap

MODES = ("go_to", "dock", "follow")
PAUSE_S = 1.0  # without a request, and the next one begins a new errand, even to the same goal
SAME_GOAL_M, SAME_GOAL_RAD = 0.01, 0.02
NEAR_M = 0.30  # of a goal: straight there
SLOWING_PER_S = 0.8  # speed per metre left
SLOWEST_M_S = 0.15
STAND_OFF_M = 0.35  # of the way, before the place where something bars it
BEARING_M = 0.5  # this far along the route it is looked where it goes
FACED_RAD = 0.3  # turned enough to walk
BACK_UP_M_S = 0.15
TURN_ROOM_M, STEP_ASIDE_M = 0.04, 0.3  # round its outline for a turn on the spot; how far off a better place is sought
STALLED_S = 2.0  # without coming nearer, and it threads its way
THREAD_POINTS, THREAD_RAD, THREAD_M_S = 7, 0.12, 0.15
THREAD_M, LEFT_M_S, GAP_M = 0.1, 0.02, 0.12
THREAD_ROOM_M = 0.29  # what its body with tucked arms and its sway take up
YIELD_AFTER_S, YIELD_BACK_S, YIELD_S = 8.0, 2.0, 5.0
ARRIVED_M, AWAY_M_S = 0.05, 0.4  # at a place out of the way, and how fast it goes there if that is ahead
FACE_M, YIELD_M, YIELD_RAD = 1.0, 1.6, 1.8  # so near somebody is faced, and so far one backs off
SLOW_M_S = 0.1  # a robot that is no faster and finds no free way is blocked
DOCK_START_M = 0.45  # in front of a docking pose
DOCK_SLACK_M = 0.3
FIRST, STRAIGHT = 0.6, 0.4  # shares of the tolerance: within the first it may come to rest, to the other it steers
KEPT = 1.5  # an arrival lasts until the error is this many tolerances
FOLLOW_GAIN_PER_S = 0.8
STOPS_IN_S = 0.9  # as fast as it comes nearer, it will for so long: lag, and a person's velocity known late
CLOSE_M = 0.15  # nearer than wanted, and it does not creep on
PASSES_M, LINE_M = 2.0, 0.75  # somebody so near, who walks on a line that passes so near, is made room for
STANDING_S = 1.0  # a person who has stood for so long has stopped
STILL_M_S = 0.12
CREEP_M_S = 0.08  # slower than this it is not worth a step
Move = tuple[Array, str]


class Navigator:
    """Walks to a goal, docks at a table or follows a person. `reset` before the first request of an episode.

    In "follow" it says `arrived` while it stands behind somebody who stands; it goes on when he does.
    """

    def __init__(self, config: NavigationConfig | None = None) -> None:
        self.config = config or NavigationConfig()
        self.reset(SiteMap())

    def reset(self, site: SiteMap) -> None:
        """Begin an episode at a place."""
        self._site = site
        self._around = Surroundings(site, self.config)
        self._stride, self._follower = Stride(self.config), Follower(self.config)
        self._errand: tuple[str, Array] | None = None
        self._asked_s = -math.inf
        self._person_stands_s = math.inf
        self._begin()

    def __call__(self, request: NavigationRequest) -> NavigationAnswer:
        """How to walk until the next answer. Raises ConfigError for an unknown mode."""
        if request.mode not in MODES:
            raise ConfigError("mode", f"there is no mode {request.mode!r}", nearest(request.mode, MODES))
        around, time_s = self._around, request.scan.time_s
        if self._is_new(request):
            self._begin()
            self._errand = request.mode, np.asarray(request.goal_in_site, float).copy()
        self._asked_s = max(self._asked_s, time_s)
        if request.mode != "follow":
            self._follower.forget()
            around.led_by = -1
        around.update(request)
        self._stride.update(time_s, request.heading_in_odom, request.velocity)
        walk = {"go_to": self._go_to, "dock": self._dock, "follow": self._follow}[request.mode]
        target, status = walk(time_s, request)
        velocity = self._stride.go(target)
        person = self._follower.last if request.mode == "follow" else None
        return NavigationAnswer(
            time_s, velocity.copy(), status, self._guide.route.copy(), around.localiser.pose.copy(),
            around.clearance_m(), None if person is None else person.copy(), around.movers(),
        )  # fmt: skip

    # Errands

    def _is_new(self, request: NavigationRequest) -> bool:
        paused = request.scan.time_s - self._asked_s > PAUSE_S
        if self._errand is None or self._errand[0] != request.mode or paused:
            return True
        off = np.abs(request.goal_in_site - self._errand[1])
        moved = off[:2].max() > SAME_GOAL_M or abs(wrap(float(off[2]))) > SAME_GOAL_RAD
        return request.mode != "follow" and bool(moved)

    def _begin(self) -> None:
        self._guide, self._patience = Guide(self.config), Patience(self.config)
        self._docking, self._engaged = Docking(self.config), False
        self._arrived, self._turning, self._aside = False, False, False
        self._yielded_s = -math.inf
        self._around.ignored = None

    @property
    def _place(self) -> Array:
        """[3] the robot in the site, without sway."""
        return compose(self._around.localiser.pose, self._stride.place_in_odom)

    # Walking to a pose

    def _go_to(self, time_s: float, request: NavigationRequest) -> Move:
        c, goal = self.config, request.goal_in_site
        error = seen_from(self._place, goal)
        final = coasting(error, self._stride.velocity, c.lag_s)
        at_rest_there = self._arrived or self._is_at(final, FIRST)
        self._arrived = self._is_at(error, KEPT if self._arrived else 1.0) and at_rest_there
        if self._arrived:
            return np.zeros(3), "arrived"
        if np.hypot(*error[:2]) < NEAR_M:
            target = self._straight(error)
            if self._is_free(target):
                self._patience.update(time_s, self._around.pose, float(np.hypot(*error[:2])))
                return target, "moving"
        return self._walk(time_s, goal[:2], c.arrive_m)

    def _is_at(self, error: Array, tolerances: float) -> bool:
        c = self.config
        return bool(np.hypot(*error[:2]) < tolerances * c.arrive_m and abs(error[2]) < tolerances * c.arrive_rad)

    def _straight(self, error: Array) -> Array:
        c = self.config
        limits = np.array([c.back_m_s, c.side_m_s, c.turn_rad_s])
        tolerance = STRAIGHT * np.array([c.arrive_m, c.arrive_m, c.arrive_rad])
        return servo(coasting(error, self._stride.velocity, c.lag_s), self._stride.velocity, limits, tolerance)

    def _walk(self, time_s: float, goal: Array, slack_m: float, fastest_m_s: float = math.inf) -> Move:
        """Along a route to `goal` [2], or to a place within `slack_m` of it."""
        pose = self._around.pose
        found = self._guide.lead(time_s, self._around, goal, slack_m)
        left_m = self._guide.left_m if found else math.inf
        self._patience.update(time_s, pose, left_m)
        if not found:
            over = self._guide.hopeless or self._patience.is_over(time_s)
            back = not over and self._patience.steps_back(time_s)  # somebody may want to come through
            return self._back() if back else np.zeros(3), "no_way" if over else "blocked"
        if self._yields(time_s):
            somebody = self._around.faces_somebody(YIELD_M, YIELD_RAD)
            away = np.zeros(3) if somebody is None else self._out_of_the_way(somebody)
            if away.any() or time_s - self._yielded_s > YIELD_BACK_S:
                return away, "blocked"
            self._yielded_s = -math.inf
        steps_back = self._patience.steps_back(time_s)
        if self._patience.stalls_s(time_s) > STALLED_S and not steps_back:
            threaded = self._thread()
            if threaded is not None and not self._patience.is_over(time_s):
                return threaded, "moving"
        target, free = self._up_to(min(max(SLOWEST_M_S, SLOWING_PER_S * left_m), fastest_m_s))
        if self._patience.is_over(time_s):
            return np.zeros(3), "no_way"
        if steps_back:
            return self._back(), "blocked"
        slow = float(np.abs(self._stride.velocity[:2]).max()) < SLOW_M_S
        blocked = (not free and slow) or (self._patience.is_blocked(time_s) and not target.any())
        return target, "blocked" if blocked else "moving"

    def _yields(self, time_s: float) -> bool:
        """Whether it makes room for somebody: face to face both would wait, so it steps aside, and lets him walk on."""
        if time_s - self._yielded_s < YIELD_S:
            return True
        meets = self._around.faces_somebody(FACE_M, YIELD_RAD) is not None
        if meets and self._patience.stalls_s(time_s) > YIELD_AFTER_S:
            self._yielded_s = time_s
            self._patience.bear(time_s)
            return True
        return False

    def _thread(self) -> Array | None:
        """[3] the way through a gap hardly wider than the body: turn to where it leads, then straight on, slowly.

        None where there is room, and where somebody is near: people are waited for.
        """
        if self._around.clearance_m() > GAP_M or self._around.faces_somebody(2.0 * FACE_M, math.pi) is not None:
            return None
        route = self._guide.route
        point = route[min(THREAD_POINTS, len(route) - 1)]
        place = seen_from(self._around.pose, np.append(point, 0.0))
        bearing = math.atan2(place[1], place[0])
        if abs(bearing) > THREAD_RAD:
            return self._turn(bearing)
        ahead, left, right = (self._room_at(*step) for step in ((THREAD_M, 0.0), (0.0, THREAD_M), (0.0, -THREAD_M)))
        if ahead < min(THREAD_ROOM_M, self._room_at(0.0, 0.0) + 0.005) and abs(left - right) < 0.02:
            return None
        target = np.array([THREAD_M_S, float(np.clip(left - right, -0.1, 0.1)), 0.5 * bearing])
        return target if self._may_go(target, THREAD_ROOM_M) else None

    def _room_at(self, ahead_m: float, left_m: float) -> float:
        """From a place beside the robot to the nearest thing, m."""
        around = self._around
        return around.clearance_m(compose(around.pose, np.array([ahead_m, left_m, 0.0]))) + self.config.radius_m

    def _back(self) -> Array:
        """[3] backwards, where nothing is."""
        for turn_rad_s in (0.0, 0.25, -0.25):
            back = np.array([-BACK_UP_M_S, 0.0, turn_rad_s])
            if self._may_go(back):
                return back
        return np.zeros(3)

    def _out_of_the_way(self, track: Track) -> Array:
        """[3] to where somebody gets by, without turning; zeros where that is here, or nowhere better."""
        around, c = self._around, self.config
        way = first_leg(around.pose, track.position, track.course, around.ground, c)
        place = seen_from(around.pose, np.append(way, 0.0))
        length = math.hypot(place[0], place[1])
        if length < ARRIVED_M:
            return np.zeros(3)
        pace = math.hypot(place[0] / (AWAY_M_S if place[0] > 0.0 else c.back_m_s), place[1] / c.side_m_s) / length
        for share in (1.0, 0.5):
            target = np.append(place[:2] * share / (length * pace), 0.0)
            if self._is_free(target, but=track):
                return target
        return np.zeros(3)

    def _up_to(self, fastest_m_s: float) -> tuple[Array, bool]:
        """[3] the velocity to aim at along the way, but not close up to what bars it, and whether one is free."""
        barred_m = self._guide.barred_m(self._around)
        if barred_m < math.inf:
            fastest_m_s = min(fastest_m_s, SLOWING_PER_S * (barred_m - STAND_OFF_M))
            if fastest_m_s < CREEP_M_S:
                return np.zeros(3), True
        return self._along(fastest_m_s)

    def _along(self, fastest_m_s: float, person_m: float | None = None) -> tuple[Array, bool]:
        """[3] the velocity to aim at on the way, and whether there was a free one."""
        around, route = self._around, self._guide.ahead()
        turn = self._first_turn(route)
        if turn is not None:
            return turn, True
        best = best_velocity(
            around.pose, self._stride.velocity, self._stride.command, route, around.ground, around.movers(),
            self.config, fastest_m_s, person_m,
        )  # fmt: skip
        return best.velocity, best.free

    def _first_turn(self, route: Array) -> Array | None:
        """[3] a turn on the spot while the route leads off to the side; None when it is about ahead."""
        point = route[min(int(BEARING_M / SPACING_M), len(route) - 1)]
        place = seen_from(self._around.pose, np.append(point, 0.0))
        bearing = math.atan2(place[1], place[0]) if math.hypot(place[0], place[1]) > 0.15 else 0.0
        self._turning = abs(bearing) > (FACED_RAD if self._turning else self.config.turn_first_rad)
        if not self._turning:
            return None
        return self._make_room() if self._around.clearance_m() < TURN_ROOM_M else self._turn(bearing)

    def _make_room(self) -> Array | None:
        """[3] straight on or back to where there is more room to turn; None when there is none either way."""
        around, best, found = self._around, self._around.clearance_m(), None
        for speed in (BACK_UP_M_S, -BACK_UP_M_S):
            room_m = around.clearance_m(compose(around.pose, np.array([math.copysign(STEP_ASIDE_M, speed), 0.0, 0.0])))
            target = np.array([speed, 0.0, 0.0])
            if room_m > best + 0.01 and self._is_free(target):
                best, found = room_m, target
        return found

    def _turn(self, angle_rad: float) -> Array:
        """[3] turning on the spot by an angle."""
        rate = 1.2 * (angle_rad - self.config.lag_s * self._stride.velocity[2])
        return np.array([0.0, 0.0, float(np.clip(rate, -self.config.turn_rad_s, self.config.turn_rad_s))])

    def _may_go(self, target: Array, keep_m: float | None = None) -> bool:
        """Whether `target` [3] is free, and safety will let the robot walk so."""
        around = self._around
        speed_m_s = speed_left(around.pose, target, around.ground, self._body(keep_m))
        return speed_m_s > LEFT_M_S and self._is_free(target, keep_m)

    def _is_free(self, target: Array, keep_m: float | None = None, but: Track | None = None) -> bool:
        """Whether a second of `target` [3] touches nothing, or comes no nearer to things than `keep_m`.

        Somebody to leave out is `but`: who comes nearer whatever the robot does must not keep it from stepping aside.
        """
        around, stride = self._around, self._stride
        body, movers = self._body(keep_m), around.movers(but)
        return is_free(around.pose, stride.velocity, stride.command, target, around.ground, movers, body)

    def _body(self, keep_m: float | None) -> Gait:
        body = gait_of(self.config)._replace(horizon_s=1.0)
        return body if keep_m is None else body._replace(keep_m=keep_m, radius_m=keep_m - NOISE_M)

    # Walking up to a table

    def _dock(self, time_s: float, request: NavigationRequest) -> Move:
        c, goal = self.config, request.goal_in_site
        self._engaged = self._docking.takes_over(self._place, goal, self._engaged)
        if not self._engaged:
            self._around.ignored = None
            start = compose(goal, np.array([-DOCK_START_M, 0.0, 0.0]))
            return self._walk(time_s, start[:2], DOCK_SLACK_M)
        around = self._around
        if around.ignored is None:
            around.ignored = around.cells_inside(table_outline(goal, self._site))
            around.refresh_near()
        target = self._docking.target(time_s, self._place, goal, self._stride)
        self._guide.route = np.array([around.pose[:2], goal[:2]])
        if self._docking.done:
            return np.zeros(3), "arrived"
        if target[:2].any() and not self._is_free(target):
            return self._walk(time_s, goal[:2], c.arrive_m, c.dock_m_s)
        self._patience.update(time_s, around.pose, float(np.hypot(*(goal - around.pose)[:2])))
        return target, "moving"

    # Walking behind somebody

    def _follow(self, time_s: float, request: NavigationRequest) -> Move:
        around, follower = self._around, self._follower
        follower.update(time_s, around.people.tracks, around.pose, request.person_hint_in_site)
        if follower.last is None:
            return np.zeros(3), "lost"
        if follower.person is None:
            return self._search(time_s, follower.last, follower.last_s)
        person = follower.person
        around.lead(person)
        if person.speed_m_s > STILL_M_S:
            self._person_stands_s = math.inf
        elif math.isinf(self._person_stands_s):
            self._person_stands_s = time_s
        place = seen_from(around.pose, np.append(person.position, 0.0))
        gap_m, bearing = math.hypot(place[0], place[1]), math.atan2(place[1], place[0])
        if self._gives_way(person, gap_m):
            away = self._out_of_the_way(person)
            return (away if away.any() else self._turn(bearing)), "moving"
        return self._keep_up(time_s, person.position, person.velocity, gap_m, bearing)

    def _search(self, time_s: float, last: Array, last_s: float) -> Move:
        """Walk to where the person was seen last."""
        status = "lost" if time_s - last_s > self.config.lost_s else "moving"
        if np.hypot(*(last - self._around.pose[:2])) < self.config.follow_least_m:
            return np.zeros(3), status
        target, how = self._walk(time_s, last, self.config.follow_least_m)
        return target, status if how in ("moving", "no_way") else how

    def _gives_way(self, person: Track, gap_m: float) -> bool:
        """Whether the person is too near, or comes this way: then the robot makes room for him, and follows after."""
        x, y = self._around.pose[:2]
        if gap_m < self.config.follow_least_m + (0.0 if person.course.any() else CLOSE_M):
            self._aside = True
        elif gap_m > PASSES_M:
            self._aside = False
        else:
            off_m = off_line(self._around.pose, person.position, person.course)
            comes = (x - person.x_m) * person.course[0] + (y - person.y_m) * person.course[1] > 0.0
            self._aside = bool(comes) and off_m < (CLEAR_M if self._aside else LINE_M)
        return self._aside

    def _keep_up(self, time_s: float, person: Array, speed: Array, gap_m: float, bearing: float) -> Move:
        c, around = self.config, self._around
        found = self._guide.lead(time_s, around, person, c.follow_least_m, moved_m=0.15)
        if not found:
            return np.zeros(3), "blocked"
        away = (person - around.pose[:2]) / max(gap_m, 1e-6)
        left_m = max(self._guide.left_m, gap_m) - c.follow_m
        person_m_s = float(speed @ away)
        closing_m_s = max(float(self._stride.velocity[0]) - person_m_s, 0.0)
        fastest_m_s = person_m_s + FOLLOW_GAIN_PER_S * (left_m - STOPS_IN_S * closing_m_s)
        if fastest_m_s < CREEP_M_S or left_m < -CLOSE_M:
            self._patience.forgive(time_s)
            stands = time_s - self._person_stands_s > STANDING_S and abs(bearing) < FACED_RAD
            return (self._turn(bearing) if abs(bearing) > 0.1 else np.zeros(3)), "arrived" if stands else "moving"
        self._patience.update(time_s, around.pose, left_m)
        target, free = self._along(max(SLOWEST_M_S, fastest_m_s), c.follow_least_m + 0.05)
        return target, "moving" if free else "blocked"
