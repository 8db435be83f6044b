"""Where odometry's frame lies in the site: scans are laid on the walls of the floor plan, a little at a time."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.planar import compose, of_pose
from vla_sim.types import Array, Scan

ROUNDS = 3
GATES_M = (0.35, 0.20, 0.12)  # of a point from its wall, in each round
MAX_POINTS = 500
TALL_POINTS = 60  # so many above the furniture are enough to leave the others out
LEAST_WEIGHT = 25.0  # of all points on walls; with fewer the estimate stays
PARALLEL = 0.98  # cosine between directions
LEVER_M = 2.0  # makes turns and shifts comparable
WEAK = 0.02  # share of the points that must speak for a direction, else it is left alone
GAIN = 0.3  # of what one scan says
STEP_M, STEP_RAD = 0.03, math.radians(0.5)  # and at most, a scan


@numba.njit(cache=True)
def normal_equations(
    points: Array, sensor: Array, walls: Array, pose: Array, half_m: float, gate_m: float
) -> tuple[Array, Array, float]:
    """H [3, 3], g [3] and the weight of all points, for a small shift and turn (times LEVER_M) about the sensor.

    `points` [n, 2] and `sensor` [2] are in odom, `walls` [k, 5] are x, y, direction x, direction y, length in the
    site, `pose` [3] is that of odom in the site. Weights fall to 0 at the gate (Tukey).
    """
    h, g, total = np.zeros((3, 3)), np.zeros(3), 0.0
    c, s = math.cos(pose[2]), math.sin(pose[2])
    eye_x, eye_y = pose[0] + c * sensor[0] - s * sensor[1], pose[1] + s * sensor[0] + c * sensor[1]
    row = np.zeros(3)
    for i in range(points.shape[0]):
        x = pose[0] + c * points[i, 0] - s * points[i, 1]
        y = pose[1] + s * points[i, 0] + c * points[i, 1]
        best, found, near = gate_m, -1, 0.0
        for k in range(walls.shape[0]):
            dx, dy = x - walls[k, 0], y - walls[k, 1]
            along = dx * walls[k, 2] + dy * walls[k, 3]
            if along < -half_m or along > walls[k, 4] + half_m:
                continue
            across = dy * walls[k, 2] - dx * walls[k, 3]
            side = (eye_y - walls[k, 1]) * walls[k, 2] - (eye_x - walls[k, 0]) * walls[k, 3]
            face = half_m if side > 0.0 else -half_m
            off = across - face
            if abs(off) >= gate_m:
                continue
            takes = abs(off) < abs(best)
            if found >= 0:  # of the two faces of a wall one sees the nearer
                same = walls[k, 2] * walls[found, 2] + walls[k, 3] * walls[found, 3]
                if abs(same) > PARALLEL and abs(abs(side) - near) > 1e-6:
                    takes = abs(side) < near
            if takes:
                best, found, near = off, k, abs(side)
        if found < 0:
            continue
        share = best / gate_m
        weight = (1.0 - share * share) ** 2
        nx, ny = -walls[found, 3], walls[found, 2]
        row[0], row[1] = nx, ny
        row[2] = (ny * (x - eye_x) - nx * (y - eye_y)) / LEVER_M
        total += weight
        for a in range(3):
            g[a] -= weight * row[a] * best
            for b in range(3):
                h[a, b] += weight * row[a] * row[b]
    return h, g, total


def well_known_part(h: Array, g: Array, weight: float) -> Array:
    """[3] the step that solves h x = g, without the directions about which the points say next to nothing."""
    values, vectors = np.linalg.eigh(h / weight)
    known = values > WEAK
    share = np.where(known, 1.0 / np.where(known, values, 1.0), 0.0)
    return vectors @ (share * (vectors.T @ (g / weight)))


class Localiser:
    """Keeps `pose` [3], odometry's frame in the site. Without walls it stays what it was."""

    def __init__(self, walls: Array, config: NavigationConfig) -> None:
        self.pose = np.zeros(3)
        self._half_m, self._tall_m = 0.5 * config.wall_thickness_m, config.tall_m
        span = walls[:, 2:] - walls[:, :2]
        length = np.hypot(span[:, 0], span[:, 1])
        long = length > 1e-6
        self._walls = np.column_stack([walls[long, :2], span[long] / length[long, None], length[long]])

    def update(self, scan: Scan) -> None:
        """Take in one scan."""
        if not len(self._walls):
            return
        base = of_pose(scan.pose_base_in_odom)
        sensor = compose(base, np.array([scan.origin_in_base[0], scan.origin_in_base[1], 0.0]))[:2]
        points = _in_odom(_chosen(scan, self._tall_m), base)
        pose = self.pose
        for gate_m in GATES_M[:ROUNDS]:
            h, g, weight = normal_equations(points, sensor, self._walls, pose, self._half_m, gate_m)
            if weight < LEAST_WEIGHT:
                return
            pose = _stepped(pose, sensor, well_known_part(h, g, weight))
        self.pose = self._nearer(pose, sensor)

    def _nearer(self, pose: Array, sensor: Array) -> Array:
        """From the estimate towards `pose`, as seen at the sensor, so that a turn does not swing the robot about."""
        here, there = compose(self.pose, np.append(sensor, 0.0)), compose(pose, np.append(sensor, 0.0))
        shift, turn = GAIN * (there[:2] - here[:2]), GAIN * float(pose[2] - self.pose[2])
        shift *= min(1.0, STEP_M / max(float(np.hypot(*shift)), 1e-12))
        turn = float(np.clip(turn, -STEP_RAD, STEP_RAD))
        return _stepped(self.pose, sensor, np.array([shift[0], shift[1], turn * LEVER_M]))


def _chosen(scan: Scan, tall_m: float) -> NDArray[np.float32]:
    """[n, 3] points that may lie on walls: above the furniture if there are enough, else all above the floor."""
    points = scan.points_in_base[scan.hit]
    tall = points[points[:, 2] > tall_m]
    if len(tall) < TALL_POINTS:
        tall = points[points[:, 2] > 0.25]
    return tall[:: 1 + len(tall) // MAX_POINTS]


def _in_odom(points: NDArray[np.float32], base: Array) -> Array:
    c, s = math.cos(base[2]), math.sin(base[2])
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    return np.column_stack([base[0] + c * x - s * y, base[1] + s * x + c * y])


def _stepped(pose: Array, sensor: Array, step: Array) -> Array:
    """[3] the pose after a shift and a turn about where the sensor is."""
    turn = float(step[2]) / LEVER_M
    eye = compose(pose, np.append(sensor, 0.0))[:2]
    c, s = math.cos(turn), math.sin(turn)
    dx, dy = pose[0] - eye[0], pose[1] - eye[1]
    return np.array([eye[0] + c * dx - s * dy + step[0], eye[1] + s * dx + c * dy + step[1], pose[2] + turn])
