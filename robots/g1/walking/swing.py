"""The swing foot: a quintic re-planned each tick towards a foothold that may move, and a plateau in height."""

from __future__ import annotations

import math

from robots.g1.walking.config import PERIOD_S
from robots.g1.walking.rotations import clip, compiled, smooth, wrap
from robots.g1.walking.state import Record

ACCELERATION_MAX, SPEED_MAX = 60.0, 4.0
ARRIVE_AT = 0.94  # part of the step time at which the foot is over its foothold
TURNED_AT = 0.92
NEAR_M, FAR_M = 0.03, 0.20  # a foot farther from its foothold than the first stays up, the more the farther


@compiled
def swing_foot(c: Record, g: Record, t: float) -> float:
    """Move `g.swing` one tick on; returns the swing foot's yaw."""
    if t > 0.5 * c.double_support_s:
        left = g.step_time - t
        g.phase = min(1.0, g.phase + PERIOD_S * (1.0 - g.phase) / max(left, PERIOD_S)) if left > 0 else 1.0
        horizon = max(g.step_time * ARRIVE_AT - t, max(0.03, 5 * PERIOD_S))
        for i in range(2):
            way = g.foothold[i] - g.swing[i]
            v, a = g.swing_velocity[i], g.swing_acceleration[i]
            a += PERIOD_S * (60.0 * way / horizon**3 - 36.0 * v / horizon**2 - 9.0 * a / horizon)
            g.swing_acceleration[i] = clip(a, -ACCELERATION_MAX, ACCELERATION_MAX)
            g.swing_velocity[i] = clip(v + g.swing_acceleration[i] * PERIOD_S, -SPEED_MAX, SPEED_MAX)
            g.swing[i] += g.swing_velocity[i] * PERIOD_S
    _height(c, g, t)
    yaw = g.yaw_lift + wrap(g.yaw_next - g.yaw_lift) * smooth(g.phase / TURNED_AT)
    g.yaw = g.foot_yaw[g.stance] + 0.5 * wrap(yaw - g.foot_yaw[g.stance])
    return yaw


@compiled
def _height(c: Record, g: Record, t: float) -> None:
    """From where it lifted to the standing foot's height over a plateau; late, it feels downwards for the floor."""
    p = g.phase
    lift = g.lift[2] + (g.foot[g.stance, 2] - g.lift[2]) * smooth(p / TURNED_AT)
    uneven = g.foot[g.stance, 2] - g.lift[2] > c.climb_from_m or g.time < g.edge_until
    up, down = (c.climb_up, c.climb_down) if uneven else (c.swing_up, c.swing_down)
    hurry = min(g.step_time / c.step_time_s, 1.0)  # a hasty step stays low, else it comes down too late
    far = math.sqrt((g.foothold[0] - g.swing[0]) ** 2 + (g.foothold[1] - g.swing[1]) ** 2)
    lifted = hurry * smooth(p / up) * max(smooth((1.0 - p) / down), clip((far - NEAR_M) / FAR_M, 0.0, 0.8))
    g.swing[2] = lift + (c.step_height_m + (c.climb_height_m if uneven else 0.0)) * lifted
    g.toe_up = (c.climb_toe_up_rad if uneven else c.toe_up_rad) * lifted
    if t > g.step_time:
        g.swing[2] -= min((t - g.step_time) * c.search_m_s, c.search_max_m)
