"""The state machine: stand, shift the weight, step, balance on both feet; and what each asks of the other parts."""

from __future__ import annotations

import math

from robots.g1.walking.com_control import (
    balance_reference,
    middle_of_feet,
    shift_goal,
    shift_reference,
    stand_reference,
    step_reference,
)
from robots.g1.walking.config import PERIOD_S
from robots.g1.walking.rotations import clip, compiled, turn, wrap
from robots.g1.walking.state import BALANCE, SHIFT, STAND, STEP, Record
from robots.g1.walking.steps import best_step, plan_step, remember_edge, turn_of_step
from robots.g1.walking.swing import swing_foot


@compiled
def follow_command(c: Record, s: Record, e: Record, g: Record) -> None:
    """Take the commanded velocity up, lead the path by it, and correct what the robot lags behind its path."""
    halt = s.halt > 0
    for i, accel in enumerate((c.accel_ahead_m_s2, c.accel_aside_m_s2, c.accel_turn_rad_s2)):
        most = (c.halt_accel_m_s2 if halt else accel) * PERIOD_S
        wish = s.command[i] if s.walk > 0 else 0.0
        g.ramped[i] += clip(wish - g.ramped[i], -most, most)
    middle_x, middle_y = middle_of_feet(g)
    at_x, at_y = (e.com[0], e.com[1]) if g.mode == STEP else (middle_x, middle_y)
    if g.mode != STEP:
        g.path[0], g.path[1], g.path[2] = middle_x, middle_y, g.yaw
    elif s.walk > 0:
        x, y = turn(g.path[2], g.ramped[0], g.ramped[1])
        g.path[0] += x * PERIOD_S
        g.path[1] += y * PERIOD_S
        g.path[2] += g.ramped[2] * PERIOD_S
    lag_x, lag_y = g.path[0] - at_x, g.path[1] - at_y
    lag = math.sqrt(lag_x * lag_x + lag_y * lag_y)
    if lag > c.path_lag_max_m:
        lag_x, lag_y = lag_x * c.path_lag_max_m / lag, lag_y * c.path_lag_max_m / lag
        g.path[0], g.path[1] = at_x + lag_x, at_y + lag_y
    ahead, aside = turn(-g.yaw, lag_x, lag_y)
    ahead = clip(c.path_gain_per_s * ahead, -c.path_ahead_max_m_s, c.path_ahead_max_m_s)
    aside = clip(c.path_gain_per_s * aside, -c.path_aside_max_m_s, c.path_aside_max_m_s)
    g.path_velocity[0] += 0.02 * (ahead - g.path_velocity[0])
    g.path_velocity[1] += 0.02 * (aside - g.path_velocity[1])
    for i in range(2):
        g.goal_velocity[i] = g.ramped[i] + g.path_velocity[i] if s.walk > 0 else 0.0
    if g.time < g.edge_until and g.ramped[0] > c.dead_band and s.walk > 0:  # short steps cannot clear it
        g.goal_velocity[0] = max(g.goal_velocity[0], c.edge_speed_m_s)


@compiled
def follow_feet(c: Record, s: Record, e: Record, g: Record) -> None:
    """Standing feet are where the estimate sees them, not where they were sent; one without load feels downwards."""
    for f in range(2):
        if g.mode == STEP and f != g.stance:
            continue
        if g.mode == STEP:
            for i in range(2):
                g.foot[f, i] += c.foot_follow_per_tick * (e.sole[f, i] - g.foot[f, i])
            g.foot_yaw[f] += c.foot_follow_per_tick * wrap(e.sole_yaw[f] - g.foot_yaw[f])
            if s.feet[f] > c.landing_n:
                g.foot[f, 2] += c.height_follow_per_tick * (e.sole[f, 2] - g.foot[f, 2])
            elif g.foot[f, 2] > e.sole[f, 2] - c.search_max_m:
                g.foot[f, 2] -= c.search_m_s * PERIOD_S
        if g.mode != STAND and s.feet[f] > c.landing_n:
            for i in range(2):
                _yield_to_slope(c, e, g, f, i)
        if g.mode == BALANCE and min(s.feet[0], s.feet[1]) > c.landing_n:
            g.foot[f, 2] += c.balance_height_per_tick * (e.sole[f, 2] - g.foot[f, 2])
    floor = g.foot[g.stance, 2] if g.mode == STEP else 0.5 * (g.foot[0, 2] + g.foot[1, 2])
    g.ground += c.ground_follow_per_tick * (floor - g.ground)


@compiled
def _yield_to_slope(c: Record, e: Record, g: Record, f: int, i: int) -> None:
    """A loaded sole that lies more askew than walking makes it lies on an edge: hold it so, it carries better."""
    askew = e.sole_tilt[f, i]
    beyond = askew - clip(askew, -c.tilt_from_rad, c.tilt_from_rad)
    beyond = clip(beyond, -c.tilt_max_rad, c.tilt_max_rad)
    g.foot_tilt[f, i] += c.tilt_per_tick * (beyond - g.foot_tilt[f, i])


@compiled
def act(c: Record, w: float, s: Record, e: Record, g: Record) -> float:
    """One tick of the mode in force, changes of mode included. Returns the swing foot's yaw."""
    swing_yaw = 0.0
    g.swings = 0.0
    if g.mode == STAND:
        _stand(c, s, e, g)
    elif g.mode == SHIFT:
        _shift(c, w, g)
    if g.mode == STEP:
        swing_yaw = _step(c, w, s, e, g)
    if g.mode == BALANCE:
        _balance(c, w, s, e, g)
    return swing_yaw


@compiled
def _enter(g: Record, mode: int) -> None:
    g.mode, g.since = mode, g.time
    g.sag[0], g.sag[1] = 0.0, 0.0


@compiled
def _start(g: Record) -> None:
    """Begin to walk: the weight goes to the foot away from the commanded side."""
    _enter(g, SHIFT)
    g.stance = 0 if g.ramped[1] <= 0 else 1
    g.cop_before[0], g.cop_before[1] = middle_of_feet(g)
    g.com_shift[0], g.com_shift[1] = g.com[0], g.com[1]


@compiled
def _begin_step(c: Record, g: Record, before_x: float, before_y: float, walks: bool) -> None:
    """Lift the foot that is not standing; the weight comes from `before`."""
    _enter(g, STEP)
    swing, side = 1 - g.stance, 1.0 if g.stance == 1 else -1.0
    g.foot_tilt[swing, 0], g.foot_tilt[swing, 1] = 0.0, 0.0
    g.cop_before[0], g.cop_before[1] = before_x, before_y
    g.step_time, g.phase, g.retimed, g.closes = c.step_time_s, 0.0, 0.0, 0.0
    for i in range(3):
        g.lift[i] = g.foot[swing, i]
    for i in range(2):
        g.swing[i], g.swing_velocity[i], g.swing_acceleration[i] = g.foot[swing, i], 0.0, 0.0
    g.yaw_lift = g.foot_yaw[swing]
    yaw = g.foot_yaw[g.stance]
    g.yaw_next = yaw + turn_of_step(c, g, walks)
    aside = side * c.step_width_m + g.goal_velocity[1] * c.step_time_s
    x, y = turn(yaw, g.goal_velocity[0] * c.step_time_s, aside)
    g.foothold[0], g.foothold[1] = g.foot[g.stance, 0] + x, g.foot[g.stance, 1] + y


@compiled
def _dcm_from_middle(g: Record) -> tuple[float, float]:
    """m ahead and to the left of the feet's middle at which the DCM lies, in the pelvis' heading."""
    x, y = middle_of_feet(g)
    return turn(-g.yaw, g.dcm[0] - x, g.dcm[1] - y)


@compiled
def _stand(c: Record, s: Record, e: Record, g: Record) -> None:
    stand_reference(c, e, g)
    x, y = _dcm_from_middle(g)
    if s.walk > 0:
        _start(g)
    elif g.time > c.settle_time_s and max(abs(x), abs(y)) > c.balance_from_m:
        _enter(g, BALANCE)


@compiled
def _shift(c: Record, w: float, g: Record) -> None:
    t = g.time - g.since
    x, y = shift_goal(c, w, g)
    shift_reference(c, g, x, y, t)
    ahead, aside = turn(-g.yaw, g.dcm[0] - x, g.dcm[1] - y)
    if t >= c.shift_time_s * 0.8 and (abs(aside) < 0.012 or t > c.shift_time_s * 1.3):
        _begin_step(c, g, g.cop_before[0], g.cop_before[1], True)
    elif max(abs(ahead), abs(aside)) > 0.13:
        _enter(g, BALANCE)


@compiled
def _step(c: Record, w: float, s: Record, e: Record, g: Record) -> float:
    t = g.time - g.since
    remember_edge(c, g)
    plan_step(c, w, g, t, s.halt > 0)
    step_reference(c, w, e, g, t)
    swing_yaw = swing_foot(c, g, t)
    g.swings = 1.0
    load = s.feet[1 - g.stance]
    late = t >= g.step_time - 1e-9 + (c.landing_wait_s if load < c.landing_n else 0.0)
    if late or (g.phase > 0.7 and load > c.landing_n):
        _land(c, s, e, g)
    return swing_yaw


@compiled
def _land(c: Record, s: Record, e: Record, g: Record) -> None:
    """The swing foot stands where it is; go on with the other foot, or come to rest."""
    f = 1 - g.stance
    before_x, before_y = g.foot[g.stance, 0], g.foot[g.stance, 1]
    for i in range(3):
        g.foot[f, i] = e.sole[f, i]
    g.foot_yaw[f] = e.sole_yaw[f]
    g.steps += 1
    g.swings = 0.0
    g.stance = f
    ahead, aside = turn(-g.yaw, g.foot[0, 0] - g.foot[1, 0], g.foot[0, 1] - g.foot[1, 1])
    slow = max(abs(g.ramped[0]), abs(g.ramped[1]), abs(g.ramped[2])) < c.dead_band
    side_by_side = abs(ahead) < 0.04 and c.step_width_m - 0.06 < aside < c.step_width_m + 0.14
    calm = max(abs(g.dcm_error[0]), abs(g.dcm_error[1])) < 0.10
    held = s.halt > 0 and (_astride(c, g, ahead, aside) or (g.closes > 0 and _between_feet(c, g, ahead, aside)))
    if held or (s.walk == 0 and slow and side_by_side and calm):
        _enter(g, BALANCE)
    else:
        _begin_step(c, g, before_x, before_y, s.walk > 0)
        ahead, _ = turn(-g.yaw, g.dcm[0] - g.foot[f, 0], g.dcm[1] - g.foot[f, 1])
        g.closes = 1.0 if s.halt > 0 and abs(ahead) < c.close_from_m else 0.0


@compiled
def _astride(c: Record, g: Record, ahead: float, aside: float) -> bool:
    """Whether the DCM lies so near the line between the feet, and its middle, that both can hold it as they stand."""
    x, y = _dcm_from_middle(g)
    part = y / max(aside, c.astride_aside_m)
    return abs(x - part * ahead) < c.astride_error_m and abs(part) < c.astride_part and aside > c.astride_aside_m


@compiled
def _between_feet(c: Record, g: Record, ahead: float, aside: float) -> bool:
    """Whether the DCM lies near the middle of the feet, the left being `ahead` and `aside` m of the right."""
    x, y = _dcm_from_middle(g)
    return abs(x) < c.close_error_m and abs(y) < c.close_error_m and aside > c.step_width_m - 0.08


@compiled
def _balance(c: Record, w: float, s: Record, e: Record, g: Record) -> None:
    balance_reference(c, w, e, g)
    error = max(abs(g.dcm_error[0]), abs(g.dcm_error[1]))
    speed = w * max(abs(g.dcm[0] - e.com[0]), abs(g.dcm[1] - e.com[1]))
    t = g.time - g.since
    if error < c.settle_m and speed < c.settle_m_s and t > 0.5:
        _enter(g, STAND)
        g.com_velocity[0], g.com_velocity[1] = 0.0, 0.0
    elif s.walk > 0 and t > 1.0:
        _start(g)
    elif abs(g.dcm_error[0]) > c.step_ahead_from_m or abs(g.dcm_error[1]) > c.step_aside_from_m:
        _catch(c, w, g)


@compiled
def _catch(c: Record, w: float, g: Record) -> None:
    """A push too strong for both feet: step with the foot that catches it more cheaply."""
    _, _, _, on_left = best_step(
        c, w, g.foot, 0, g.yaw, g.yaw, 0.0, g.dcm, g.foot[0], g.foot[1], 0.0, 0.0, c.step_time_s, c.step_time_s, 0.0
    )
    _, _, _, on_right = best_step(
        c, w, g.foot, 1, g.yaw, g.yaw, 0.0, g.dcm, g.foot[1], g.foot[0], 0.0, 0.0, c.step_time_s, c.step_time_s, 0.0
    )
    g.stance = 0 if on_left < on_right else 1
    _begin_step(c, g, g.cop[0], g.cop[1], False)
    g.yaw_next = g.yaw
