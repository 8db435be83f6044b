"""One tick of the walker in one compiled call, and the posture it starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np

from robots.g1.walking.com_control import change_height
from robots.g1.walking.config import PERIOD_S
from robots.g1.walking.estimator import calibrate, estimate
from robots.g1.walking.leg_ik import solve_leg
from robots.g1.walking.lipm import frequency
from robots.g1.walking.machine import act, follow_command, follow_feet
from robots.g1.walking.navigation import heading, support_margin
from robots.g1.walking.observer import observe
from robots.g1.walking.rotations import about_axis, about_z, clip, compiled, row
from robots.g1.walking.sensors import sense, start_sensors
from robots.g1.walking.state import Record
from robots.g1.walking.tree import centre_of_mass
from vla_sim.types import Array

START_ITERATIONS = 60


def _version() -> int:
    """A number that changes with this package's code."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return int(hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12], 16)


def _cached(make: Callable[[int], Callable[..., Any]]) -> Any:
    """Compile a function and keep it on disk. `make` closes over the version of all sources: numba's cache looks at a
    function's own file and its closure, so that without it a change in another module would go unnoticed."""
    return nb.njit(make(_version()), cache=True)


@compiled
def solve_posture(tree: Record, c: Record, g: Record, swing_yaw: float, q: Array, work: Record) -> None:
    """Leg joints in `q` for the references in `g`, and where the centre of mass then is in the pelvis."""
    turned, pelvis = np.empty((3, 3)), np.empty((3, 3))
    level, foot = np.empty((3, 3)), np.empty((3, 3))
    about_z(g.yaw, pelvis)
    about_axis(pelvis, 1, g.upright[1], turned)
    about_axis(turned, 0, g.upright[0], pelvis)
    place, ankle = np.empty(3), np.empty(3)
    for i in range(3):
        place[i] = g.com[i] - g.com_in_pelvis[i]
    for f in range(2):
        swings = g.swings > 0 and f != g.stance
        about_z(swing_yaw if swings else g.foot_yaw[f], level)
        about_axis(level, 1, -g.toe_up if swings else g.foot_tilt[f, 1], turned)
        about_axis(turned, 0, 0.0 if swings else g.foot_tilt[f, 0], foot)
        for i in range(3):
            ankle[i] = (g.swing[i] if swings else g.foot[f, i]) - row(foot, i, tree.sole)
        solve_leg(tree, f, pelvis, place, foot, ankle, int(c.ik_iterations), q)
    centre_of_mass(tree, q, pelvis, work, g.com_in_pelvis)


def _make_tick(version: int) -> Callable[..., Any]:
    def tick(
        tree: Record,
        c: Record,
        noise: Record,
        s: Record,
        sensors: Record,
        e: Record,
        g: Record,
        work: Record,
        draws: Array,
    ) -> None:
        """Truth and command in `s` to joint targets in `s`; one record each; `draws` [sensors.draws_per_tick]."""
        if version >= 0:
            _tick(tree[0], c[0], noise[0], s[0], sensors[0], e[0], g[0], work[0], draws)

    return tick


@compiled
def _tick(
    tree: Record, c: Record, noise: Record, s: Record, sensors: Record, e: Record, g: Record, work: Record, draws: Array
) -> None:
    sense(tree, noise, s, sensors, draws)
    estimate(tree, c, s, e, work)
    w = frequency(g.height)
    observe(c, w, e, g)
    follow_feet(c, s, e, g)
    follow_command(c, s, e, g)
    swing_yaw = act(c, w, s, e, g)
    change_height(c, s, g)
    g.com[2] = g.height + g.ground
    g.upright[0] = clip(g.upright[0] - c.upright_gain_per_s * e.roll * PERIOD_S, -0.15, 0.15)
    g.upright[1] = clip(g.upright[1] - c.upright_gain_per_s * e.pitch * PERIOD_S, -0.15, 0.15)
    solve_posture(tree, c, g, swing_yaw, s.target, work)
    heading(e, g)
    support_margin(tree, g)
    g.time += PERIOD_S
    fell = e.position[2] - g.ground < c.fallen_pelvis_m or e.rotation[2, 2] < c.fallen_tilt_cos
    if fell:
        g.fallen = 1


def _make_begin(version: int) -> Callable[..., Any]:
    def begin(
        tree: Record,
        c: Record,
        noise: Record,
        s: Record,
        sensors: Record,
        e: Record,
        g: Record,
        work: Record,
        draws: Array,
    ) -> None:
        """Feet at their places in `g`: solve the legs, put truth and estimate there at rest, and calibrate."""
        if version >= 0:
            _begin(tree[0], c[0], noise[0], s[0], sensors[0], e[0], g[0], work[0], draws)

    return begin


@compiled
def _begin(
    tree: Record, c: Record, noise: Record, s: Record, sensors: Record, e: Record, g: Record, work: Record, draws: Array
) -> None:
    for _ in range(START_ITERATIONS):
        solve_posture(tree, c, g, 0.0, s.target, work)
    for i in range(3):
        s.position[i] = g.com[i] - g.com_in_pelvis[i]
        e.position[i] = s.position[i]
    for j in range(s.joints.shape[0]):
        s.joints[j] = s.target[j]
        s.encoders[j] = s.target[j]
    start_sensors(tree, s, sensors)
    calibrate(tree, c, noise, s, e, sensors, draws, work)
    for f in range(2):
        e.stands[f], e.age[f] = 1.0, 1.0
        for i in range(3):
            e.anchor[f, i] = g.foot[f, i]
            e.sole[f, i] = g.foot[f, i]
        e.sole_yaw[f] = g.foot_yaw[f]
    g.heading[0], g.heading[1], g.heading[2] = e.position[0], e.position[1], g.yaw


tick = _cached(_make_tick)
begin = _cached(_make_begin)
