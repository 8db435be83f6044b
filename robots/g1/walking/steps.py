"""Where and when the swing foot lands: among a few landing times, the foothold that leaves the least behind."""

from __future__ import annotations

import math

from robots.g1.walking.config import PERIOD_S
from robots.g1.walking.lipm import nominal_offset, transition
from robots.g1.walking.rotations import clip, compiled, turn, wrap
from robots.g1.walking.state import Record
from vla_sim.types import Array

EDGE_WIDTH_M = 0.6  # to either side
CANDIDATES = 11  # landing times between the shortest and the longest


@compiled
def best_step(
    c: Record, w: float, foot: Array, stance: int, yaw: float, yaw_next: float, t: float, dcm: Array, before: Array,
    swing: Array, vx: float, vy: float, time_now: float, usual: float, closes: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """(step time s, foothold x, foothold y, cost) for a standing foot.

    A landing time asks for the foothold from which the nominal gait goes on; what the limits of leg and swing speed
    cut off is the residual. Cost = residual_weight residual² + foothold_weight |foothold - nominal|² +
    time_weight (time - `usual`)². `time_now`, the time in force, is preferred by a margin. With `closes` > 0 it is the
    last step of a stop: the foothold from which both feet hold the DCM between them.
    """
    side = 1.0 if stance == 1 else -1.0  # of the swing foot
    dx, dy = nominal_offset(c, w, 1 - stance, vx, vy)
    dx, dy = turn(yaw_next, dx, dy)
    px, py = foot[stance, 0], foot[stance, 1]
    nominal_x, nominal_y = vx * c.step_time_s, side * c.step_width_m + vy * c.step_time_s
    from_x, from_y = turn(-yaw, swing[0] - px, swing[1] - py)
    best_t, best_x, best_y, best_cost = time_now, 0.0, 0.0, 1e9
    for k in range(CANDIDATES + 1):
        when = time_now
        if k > 0:
            when = c.step_time_min_s + (c.step_time_max_s - c.step_time_min_s) * (k - 1) / (CANDIDATES - 1)
            if when < t + 0.05 or (closes > 0 and when < c.close_time_min_s):
                continue
        a, b = transition(w, when, c.double_support_s, t)
        wish_x = a * dcm[0] + b * before[0] + (1.0 - a - b) * px - dx - px
        wish_y = a * dcm[1] + b * before[1] + (1.0 - a - b) * py - dy - py
        wish_x, wish_y = turn(-yaw, wish_x, wish_y)
        if closes > 0:
            end_x, end_y = turn(-yaw, dx, dy)
            wish_x, wish_y = c.close_ahead * (wish_x + end_x), 2.0 * (wish_y + end_y)
        x = clip(wish_x, -c.foothold_ahead_max_m, c.foothold_ahead_max_m)
        y = side * clip(side * wish_y, c.foothold_aside_min_m, c.foothold_aside_max_m)
        far = math.sqrt((x - from_x) ** 2 + (y - from_y) ** 2)
        reach = c.swing_speed_max_m_s * max(when - t, 0.02)
        if far > reach:
            x = from_x + (x - from_x) * reach / far
            y = from_y + (y - from_y) * reach / far
            y = side * max(side * y, min(c.foothold_aside_min_m, side * from_y))
        cost = c.residual_weight * ((wish_x - x) ** 2 + (wish_y - y) ** 2)
        cost += c.foothold_weight * ((x - nominal_x) ** 2 + (y - nominal_y) ** 2)
        cost += c.time_weight * (when - usual) ** 2
        if k == 0:
            cost -= c.keep_m**2
        if cost < best_cost:
            best_t, best_x, best_y, best_cost = when, x, y, cost
    ahead, aside = turn(yaw, best_x, best_y)
    return best_t, px + ahead, py + aside, best_cost


@compiled
def plan_step(c: Record, w: float, g: Record, t: float, halts: bool) -> None:
    """Within a step: choose time and foothold anew, and let the one in force follow."""
    usual = c.step_time_s
    if halts:
        usual = c.close_time_s if g.closes > 0 else c.halt_step_time_s
    now = clip(usual, t + 0.02, c.step_time_max_s) if g.retimed == 0 or halts else g.step_time
    when, x, y, _ = best_step(
        c, w, g.foot, g.stance, g.yaw, g.yaw_next, t, g.dcm, g.cop_before, g.swing, g.goal_velocity[0],
        g.goal_velocity[1], now, usual, g.closes,
    )  # fmt: skip
    x, y = _beside_edge(c, g, x, y)
    if t >= c.foothold_fixed_from * g.step_time:
        return
    g.step_time = when
    if abs(when - c.step_time_s) > 0.01:
        g.retimed = 1.0
    most = c.foothold_speed_max_m_s * PERIOD_S
    g.foothold[0] += clip(c.foothold_per_tick * (x - g.foothold[0]), -most, most)
    g.foothold[1] += clip(c.foothold_per_tick * (y - g.foothold[1]), -most, most)


@compiled
def remember_edge(c: Record, g: Record) -> None:
    """A foot that stands higher than the last and from which the body falls back has only its toe on something.

    Walking on as before would put it there again and again.
    """
    high = g.foot[g.stance, 2] - g.lift[2] > c.edge_height_m
    falls_back = g.dcm_error[0] < -c.edge_error_m and g.goal_velocity[0] > c.dead_band
    if high and falls_back:
        g.edge[0], g.edge[1] = g.foot[g.stance, 0], g.foot[g.stance, 1]
        g.edge_until = g.time + c.edge_memory_s


@compiled
def _beside_edge(c: Record, g: Record, x: float, y: float) -> tuple[float, float]:
    """A foothold moved before or beyond the remembered edge, which runs across the way."""
    if g.time > g.edge_until or g.goal_velocity[0] < c.dead_band:
        return x, y
    ahead, aside = turn(-g.yaw, x - g.edge[0], y - g.edge[1])
    if abs(aside) > EDGE_WIDTH_M or not -c.edge_before_m < ahead < c.edge_beyond_m:
        return x, y
    nearer = 0.5 * (c.edge_beyond_m - c.edge_before_m)
    ahead = c.edge_beyond_m if ahead > nearer else -c.edge_before_m
    dx, dy = turn(g.yaw, ahead, aside)
    return g.edge[0] + dx, g.edge[1] + dy


@compiled
def turn_of_step(c: Record, g: Record, walks: bool) -> float:
    """rad by which the next foot is turned against the standing one."""
    if not walks:
        return 0.0
    wish = wrap(g.path[2] + g.ramped[2] * c.step_time_s * 0.5 - g.foot_yaw[g.stance])
    return clip(wish, -c.turn_max_rad, c.turn_max_rad)
