"""Which known object a cloud of coloured points is, where it stands and how sure that is. Lengths m, base frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from vla_sim.catalogue import SHAPES, Shape
from vla_sim.stages.surface_fit import Surface, fit_surface
from vla_sim.types import Array

BAND_M = 0.010  # thickness of what counts as the top surface
HEIGHT_SIGMA_M = 0.006
CURVE_M = 0.003  # a curved top is measured lower than it is, by this much
TOO_WIDE_SIGMA_M, TOO_NARROW_SIGMA_M, TOO_NARROW_SHARE = 0.010, 0.03, 0.3  # occlusion narrows, nothing widens
NOISE_M, MISFIT_SIGMA_M = 0.0025, 0.003  # residual that the sensor explains; how much more is too much
FLOATING_M, FLOATING_TRUST = 0.02, 0.8
MATCH_MIN = 0.05
WALL_REACH_M, WALL_FOOT_M = 0.012, 0.012


@dataclass(frozen=True)
class Cloud:
    """Points [n, 3] of one patch, n > 0, each standing for `area_m2` seen frontally by a camera at `eye` [3]."""

    points: Array
    area_m2: float
    eye: Array
    support_m: float = 0.0  # height of what it stands on

    def on(self, support_m: float) -> Cloud:
        """The same cloud over a surface of that height."""
        return replace(self, support_m=support_m)

    @cached_property
    def _heights(self) -> Array:
        return np.sort(self.points[:, 2])

    @cached_property
    def top_m(self) -> float:
        """Height of the highest surface."""
        z = self._heights
        rough = _middle(z[np.searchsorted(z, z[int(0.97 * (len(z) - 1))] - 0.5 * BAND_M) :])
        return _middle(z[slice(*np.searchsorted(z, (rough - 0.4 * BAND_M, rough + 0.4 * BAND_M)))])

    @cached_property
    def bottom_m(self) -> float:
        """Height of the lowest visible part."""
        return float(self._heights[int(0.03 * (len(self._heights) - 1))])

    @cached_property
    def footprint(self) -> Rectangle:
        """Smallest rectangle round all points seen from above."""
        return Rectangle.round(self.points)

    @cached_property
    def top_footprint(self) -> Rectangle:
        """Smallest rectangle round the top surface."""
        return Rectangle.round(self.points[self.points[:, 2] > self.top_m - BAND_M])

    def seen_share(self, silhouette_m2: float, centre: Array) -> float:
        """Share, 0-1, of a silhouette at `centre` [3] that the pixels fill."""
        sight, to_points = centre - self.eye, self.points.mean(axis=0) - self.eye
        nearer = float((sight @ sight) / (to_points @ to_points))  # what is seen lies in front of the centre
        return min(1.0, len(self.points) * self.area_m2 * nearer / silhouette_m2)


@dataclass(frozen=True)
class Rectangle:
    """A rectangle seen from above: `long_m >= short_m`, `yaw_rad` in (-pi/2, pi/2] is where its long side points."""

    centre: Array  # [2]
    long_m: float
    short_m: float
    yaw_rad: float

    @classmethod
    def round(cls, points: Array) -> Rectangle:
        """The smallest one round points [n, >= 2]."""
        (x, y), (a, b), degrees = cv2.minAreaRect(outermost(points[:, :2].astype(np.float32)))
        yaw = np.radians(degrees) + (np.pi / 2 if b > a else 0.0)
        return cls(np.array([x, y]), max(a, b), min(a, b), half_turn(yaw))


@dataclass(frozen=True)
class Fit:
    """A hypothesis about a cloud."""

    shape: str
    position: Array  # [3] centre of the body
    yaw_rad: float
    top_m: float
    confidence: float
    visible: float
    lying: bool


def best_fit(cloud: Cloud) -> Fit | None:
    """The most likely catalogue shape of a cloud; None when nothing comes near."""
    rated = []
    for shape in SHAPES.values():
        for lying in (False, True) if shape.kind == "cylinder" else (False,):
            match = _size_match(cloud, shape, lying)
            if match >= MATCH_MIN:
                rated.append((match, shape, lying))
    best: Fit | None = None
    for match, shape, lying in sorted(rated, key=lambda entry: -entry[0]):
        if best is not None and match <= best.confidence:
            break  # fitting only lowers a match
        fit = _fit_tray(cloud, shape, match) if shape.kind == "tray" else _fit_body(cloud, shape, lying, match)
        if best is None or fit.confidence > best.confidence:
            best = fit
    return best


def tray_fit(cloud: Cloud) -> Fit | None:
    """The cloud as a tray; None when its size forbids it."""
    shape = SHAPES["tray"]
    match = _size_match(cloud, shape, False)
    return _fit_tray(cloud, shape, match) if match >= MATCH_MIN else None


def half_turn(angle: float) -> float:
    """The same axis in (-pi/2, pi/2]."""
    return float(np.pi / 2 - (np.pi / 2 - angle) % np.pi)


def quarter_turn(angle: float) -> float:
    """The same square in (-pi/4, pi/4]."""
    return float(np.pi / 4 - (np.pi / 4 - angle) % (np.pi / 2))


def _size_match(cloud: Cloud, shape: Shape, lying: bool) -> float:
    """Agreement of height and footprint, 0-1. What hangs in the air is measured by its own extent."""
    height, long, short = shape.height_m, max(shape.width_m, shape.depth_m), shape.width_m
    if lying:
        height, long = shape.width_m, shape.height_m
    if lying or shape.kind == "sphere":
        height -= CURVE_M
    match = _bell(cloud.top_m - cloud.support_m - height, HEIGHT_SIGMA_M)
    if cloud.bottom_m > cloud.support_m + FLOATING_M:
        own = _bell(cloud.top_m - cloud.bottom_m - height, HEIGHT_SIGMA_M)
        match = max(match, FLOATING_TRUST * own)
    return match * _width_match(cloud.footprint.long_m, long) * _width_match(cloud.footprint.short_m, short)


def _fit_body(cloud: Cloud, shape: Shape, lying: bool, match: float) -> Fit:
    surface = Surface(shape.kind, 0.5 * shape.width_m, 0.5 * shape.height_m, lying)
    centre, yaw, misfit = fit_surface(surface, cloud.points, *_first_guess(cloud, shape, lying))
    visible = cloud.seen_share(surface.silhouette_m2(centre - cloud.eye, yaw), centre)
    confidence = match * _bell(max(0.0, misfit - NOISE_M), MISFIT_SIGMA_M) * float(np.sqrt(visible))
    top = float(centre[2]) + 0.5 * (shape.width_m if lying else shape.height_m)
    if shape.kind == "box":
        yaw = quarter_turn(yaw)
    return Fit(shape.name, centre, half_turn(yaw) if lying else yaw, top, confidence, visible, lying)


def _first_guess(cloud: Cloud, shape: Shape, lying: bool) -> tuple[Array, float]:
    """Centre [3] and yaw to start from."""
    if lying:
        return np.array([*cloud.footprint.centre, cloud.top_m - 0.5 * shape.width_m]), cloud.footprint.yaw_rad
    if shape.kind == "sphere":
        middle = cloud.points.mean(axis=0)
        ray = middle - cloud.eye
        return middle + 0.6 * 0.5 * shape.width_m * ray / np.linalg.norm(ray), 0.0
    top = cloud.top_footprint
    return np.array([*top.centre, cloud.top_m - 0.5 * shape.height_m]), 0.0 if shape.round else top.yaw_rad


def _fit_tray(cloud: Cloud, shape: Shape, match: float) -> Fit:
    """The rectangle of its outer walls; where one is hidden, the opposite one and the known size say where it is."""
    box = cloud.footprint
    yaw = half_turn(box.yaw_rad - np.pi / 2)  # its long side is its y axis
    axes = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
    flat = (cloud.points[:, :2] - box.centre) @ axes.T
    raised = cloud.points[:, 2] > cloud.top_m - shape.height_m + WALL_FOOT_M
    offset = np.array(
        [
            _hidden_shift(flat[:, axis], raised, seen, full)
            for axis, (seen, full) in enumerate(((box.short_m, shape.width_m), (box.long_m, shape.depth_m)))
        ]
    )
    centre = box.centre + offset @ axes
    position = np.array([*centre, cloud.top_m - 0.5 * shape.height_m])
    ray = position - cloud.eye
    slant = float(abs(ray[2]) / np.linalg.norm(ray))
    visible = cloud.seen_share(shape.width_m * shape.depth_m * slant, position)
    return Fit(shape.name, position, yaw, cloud.top_m, match * float(np.sqrt(visible)), visible, False)


def _hidden_shift(along: Array, raised: NDArray[np.bool_], seen_m: float, full_m: float) -> float:
    """How far a tray's centre lies from the middle of what is seen along one of its axes."""
    missing = full_m - seen_m
    if missing <= WALL_REACH_M:
        return 0.0
    upper = np.count_nonzero(raised & (along > 0.5 * seen_m - WALL_REACH_M))
    lower = np.count_nonzero(raised & (along < WALL_REACH_M - 0.5 * seen_m))
    return 0.5 * missing * (1.0 if lower > upper else -1.0)


def _width_match(seen: float, expected: float) -> float:
    narrow = max(TOO_NARROW_SIGMA_M, TOO_NARROW_SHARE * expected)
    return _bell(seen - expected, TOO_WIDE_SIGMA_M if seen > expected else narrow)


def _middle(ordered: Array) -> float:
    """Median of sorted values."""
    return float(ordered[len(ordered) // 2])


def _bell(error: float, sigma: float) -> float:
    return math.exp(-0.5 * (error / sigma) ** 2)


@njit(cache=True, error_model="numpy")
def outermost(flat: NDArray[np.float32]) -> Any:
    """Of points [n, 2] those that can be corners of their convex hull, and perhaps some more; in the same order.

    What lies strictly inside the octagon of the points farthest out in eight directions is left out: most of it all,
    and a rectangle round the rest is found in a fraction of the time.
    """
    corner = np.zeros(8, np.intp)
    reach = np.full(8, -np.inf)
    for i in range(flat.shape[0]):
        x, y = float(flat[i, 0]), float(flat[i, 1])
        for k, value in enumerate((x, x + y, y, y - x, -x, -x - y, -y, x - y)):  # counter-clockwise
            if value > reach[k]:
                reach[k], corner[k] = value, i
    kept = np.zeros(flat.shape[0], np.bool_)
    kept[corner] = True
    for i in range(flat.shape[0]):
        x, y = float(flat[i, 0]), float(flat[i, 1])
        for k in range(8):
            a, b = corner[k], corner[(k + 1) % 8]
            ax, ay = float(flat[a, 0]), float(flat[a, 1])
            across = (float(flat[b, 0]) - ax) * (y - ay) - (float(flat[b, 1]) - ay) * (x - ax)
            if a != b and across <= 0.0:
                kept[i] = True
                break
    return flat[kept]
