"""Centre of pressure against the DCM's error, and the pendulum that turns it into the reference for the legs."""

from __future__ import annotations

from robots.g1.walking.config import PERIOD_S
from robots.g1.walking.lipm import nominal_offset, transition
from robots.g1.walking.rotations import clip, compiled, smooth, turn
from robots.g1.walking.state import SHIFT, STAND, STEP, Record

RISE_AFTER_S = 0.4  # of standing


@compiled
def middle_of_feet(g: Record) -> tuple[float, float]:
    """x, y between the two soles."""
    return 0.5 * (g.foot[0, 0] + g.foot[1, 0]), 0.5 * (g.foot[0, 1] + g.foot[1, 1])


@compiled
def change_height(c: Record, s: Record, g: Record) -> None:
    """Rise to work when it has stood for a while, unless stopped; sink before and while it steps."""
    if g.mode == STAND and s.halt == 0 and g.time - g.since > RISE_AFTER_S:
        g.height = min(g.height + c.rise_m_s * PERIOD_S, c.stand_height_m)
    elif g.mode in (SHIFT, STEP):
        g.height = max(g.height - c.sink_m_s * PERIOD_S, c.com_height_m)


@compiled
def stand_reference(c: Record, e: Record, g: Record) -> None:
    """Standing: the reference creeps until the measured centre of mass is over the feet's middle."""
    mx, my = middle_of_feet(g)
    for i in range(2):
        middle = mx if i == 0 else my
        goal = middle - c.stand_com_gain * (e.com[i] - middle)
        g.com_velocity[i] = clip((goal - g.com[i]) * 3.0, -c.stand_com_m_s, c.stand_com_m_s)
        g.com[i] += g.com_velocity[i] * PERIOD_S


@compiled
def error_in_heading(g: Record, x: float, y: float) -> None:
    """DCM minus a reference point, in the pelvis' heading."""
    g.dcm_error[0], g.dcm_error[1] = turn(-g.yaw, g.dcm[0] - x, g.dcm[1] - y)


@compiled
def balance_reference(c: Record, w: float, e: Record, g: Record) -> None:
    """On both feet: drive the DCM to their middle."""
    mx, my = middle_of_feet(g)
    error_in_heading(g, mx, my)
    apart, _ = turn(-g.yaw, g.foot[0, 0] - g.foot[1, 0], g.foot[0, 1] - g.foot[1, 1])
    most = c.balance_cop_ahead_m + c.balance_cop_stagger * abs(apart)
    x = clip(c.balance_cop_gain * g.dcm_error[0], -most, most)
    y = clip(c.balance_cop_gain * g.dcm_error[1], -c.balance_cop_aside_m, c.balance_cop_aside_m)
    x, y = turn(g.yaw, x, y)
    g.cop[0], g.cop[1] = mx + x, my + y
    for i in range(2):
        g.sag[i] += c.sag_per_tick * (e.com[i] - g.com[i] - g.sag[i])
    _swing_pendulum(c, w, e, g)


@compiled
def step_reference(c: Record, w: float, e: Record, g: Record, t: float) -> None:
    """On one foot: the DCM on its way to where the next nominal step begins."""
    vx, vy = g.goal_velocity[0], g.goal_velocity[1]
    foot_x, foot_y = g.foot[g.stance, 0], g.foot[g.stance, 1]
    a, b = transition(w, max(g.step_time, t), c.double_support_s, t)
    side = 1.0 if g.stance == 1 else -1.0
    dx, dy = nominal_offset(c, w, 1 - g.stance, vx, vy)
    dx, dy = turn(g.yaw_next, dx, dy)
    nx, ny = turn(g.yaw, vx * c.step_time_s, side * c.step_width_m + vy * c.step_time_s)
    rx = (foot_x + nx + dx - b * g.cop_before[0] - (1.0 - a - b) * foot_x) / a
    ry = (foot_y + ny + dy - b * g.cop_before[1] - (1.0 - a - b) * foot_y) / a
    error_in_heading(g, rx, ry)
    x = clip(c.cop_gain * g.dcm_error[0], -c.cop_ahead_m, c.cop_ahead_m)
    y = clip(c.cop_gain * g.dcm_error[1], -c.cop_aside_m, c.cop_aside_m)
    x, y = turn(g.yaw, x, y)
    part = min(t / c.double_support_s, 1.0)
    g.cop[0] = g.cop_before[0] + (foot_x - g.cop_before[0] + x) * part
    g.cop[1] = g.cop_before[1] + (foot_y - g.cop_before[1] + y) * part
    _swing_pendulum(c, w, e, g)


@compiled
def shift_goal(c: Record, w: float, g: Record) -> tuple[float, float]:
    """Where the centre of mass must rest over both feet so that the first step, in place, can be taken from there."""
    side = 1.0 if g.stance == 1 else -1.0
    a, b = transition(w, c.step_time_s, c.double_support_s, 0.0)
    dx, dy = nominal_offset(c, w, 1 - g.stance, 0.0, 0.0)
    x, y = turn(g.yaw, dx, side * c.step_width_m + dy)
    foot_x, foot_y = g.foot[g.stance, 0], g.foot[g.stance, 1]
    goal_x = (foot_x + x - b * g.cop_before[0] - (1.0 - a - b) * foot_x) / a
    goal_y = (foot_y + y - b * g.cop_before[1] - (1.0 - a - b) * foot_y) / a
    return goal_x, goal_y


@compiled
def shift_reference(c: Record, g: Record, x: float, y: float, t: float) -> None:
    """Both feet: carry the centre of mass part of the way to (x, y); the body's own swing does the rest."""
    a = clip(t / c.shift_time_s, 0.0, 1.0)
    part, rate = smooth(a), a * a * (30.0 - 60.0 * a + 30.0 * a * a) / c.shift_time_s
    for i in range(2):
        way = (1.0 - c.shift_short) * ((x if i == 0 else y) - g.com_shift[i])
        g.com[i] = g.com_shift[i] + way * part
        g.com_velocity[i] = way * rate


@compiled
def _swing_pendulum(c: Record, w: float, e: Record, g: Record) -> None:
    """One tick of the inverted pendulum on `cop`, pulled towards the measured centre of mass less its sag."""
    for i in range(2):
        pull = c.com_pull_per_tick * (e.com_velocity[i] - g.com_velocity[i])
        g.com_velocity[i] += w * w * (g.com[i] - g.cop[i]) * PERIOD_S + pull
        g.com[i] += g.com_velocity[i] * PERIOD_S + c.com_pull_per_tick * (e.com[i] - g.com[i] - g.sag[i])
