"""What others want to know: a heading that does not jump with the steps, and how far from the edge the robot is."""

from __future__ import annotations

import math

import numpy as np

from robots.g1.walking.rotations import compiled, turn, wrap
from robots.g1.walking.state import STEP, Record
from vla_sim.types import Array


@compiled
def heading(e: Record, g: Record) -> None:
    """Middle of the two soles and their mean direction: both move on steadily while feet step."""
    yaw = e.sole_yaw[0] + 0.5 * wrap(e.sole_yaw[1] - e.sole_yaw[0])
    g.heading[0], g.heading[1] = 0.5 * (e.sole[0, 0] + e.sole[1, 0]), 0.5 * (e.sole[0, 1] + e.sole[1, 1])
    g.heading[2] = wrap(yaw)


@compiled
def support_margin(tree: Record, g: Record) -> None:
    """m by which the DCM lies inside the convex hull of the soles, negative outside.

    In a step the swing foot counts where it will land: what matters is whether the step catches the body.
    """
    corners = np.empty((8, 2))
    for f in range(2):
        swings = g.mode == STEP and f != g.stance
        at_x = g.foothold[0] if swings else g.foot[f, 0]
        at_y = g.foothold[1] if swings else g.foot[f, 1]
        yaw = g.yaw_next if swings else g.foot_yaw[f]
        for k in range(4):
            ahead = 0.5 * tree.sole_size[0] * (1.0 if k < 2 else -1.0)
            aside = 0.5 * tree.sole_size[1] * (1.0 if k % 2 == 0 else -1.0)
            x, y = turn(yaw, ahead, aside)
            corners[4 * f + k, 0], corners[4 * f + k, 1] = at_x + x, at_y + y
    g.margin = inside_hull(corners, g.dcm[0], g.dcm[1])


@compiled
def inside_hull(points: Array, x: float, y: float) -> float:
    """Distance of (x, y) to the edge of the convex hull of `points` [n, 2], negative outside (to its edges' lines)."""
    n = points.shape[0]
    least = 1e9
    for i in range(n):
        for j in range(n):
            dx, dy = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]
            length = math.sqrt(dx * dx + dy * dy)
            if i == j or length < 1e-9:
                continue
            edge = True
            for k in range(n):
                if dx * (points[k, 1] - points[i, 1]) - dy * (points[k, 0] - points[i, 0]) < -1e-9 * length:
                    edge = False
                    break
            if edge:
                least = min(least, (dx * (y - points[i, 1]) - dy * (x - points[i, 0])) / length)
    return least
