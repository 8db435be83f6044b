"""Which known object a cloud of coloured points is, where it stands and how sure that is. Lengths m, base frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vla_sim.catalogue import SHAPES, Shape
from vla_sim.types import Array

BAND_M = 0.010  # thickness of what counts as the top surface
HEIGHT_SIGMA_M = 0.005
TOO_WIDE_SIGMA_M, TOO_NARROW_SIGMA_M = 0.010, 0.030  # occlusion narrows, nothing widens
SPHERE_STEPS = 8


@dataclass(frozen=True)
class Cloud:
    """Points [n, 3] of one colour patch, each standing for `area_m2` seen frontally by a camera at `eye` [3]."""

    points: Array
    area_m2: float
    eye: Array
    support_m: float  # height of what it stands on


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
    fits = [fit for shape in SHAPES.values() for fit in _hypotheses(shape, cloud)]
    return max(fits, key=lambda fit: fit.confidence, default=None)


def _hypotheses(shape: Shape, cloud: Cloud) -> list[Fit]:
    z = cloud.points[:, 2]
    top = float(np.percentile(z, 97 if shape.height_m > 0.06 else 92))
    bottom = float(np.percentile(z, 3))
    if shape.kind == "tray":
        return _fit_tray(shape, cloud, top)
    standing = _fit_standing(shape, cloud, top, bottom)
    lying = _fit_lying(shape, cloud, top) if shape.kind == "cylinder" else None
    return [fit for fit in (standing, lying) if fit is not None]


def _height_match(top: float, bottom: float, cloud: Cloud, height: float) -> float:
    """Agreement of the height above the support, or of the visible extent for what hangs or stands in something."""
    above = _bell(top - cloud.support_m - height, HEIGHT_SIGMA_M)
    own = _bell(top - bottom - height, HEIGHT_SIGMA_M) * 0.8
    return max(above, own)


def _fit_standing(shape: Shape, cloud: Cloud, top: float, bottom: float) -> Fit | None:
    match = _height_match(top, bottom, cloud, shape.height_m)
    if match < 0.05:
        return None
    band = cloud.points[cloud.points[:, 2] > top - BAND_M]
    if len(band) < 6:
        return None
    centre, size, angle = _rectangle(band)
    wide, narrow = max(size), min(size)
    expected = _band_width(shape)
    match *= _width_match(wide, expected) * _width_match(narrow, expected)
    seen = _seen_share(cloud, band, shape, top)
    if shape.kind == "sphere":
        position = _fit_sphere(cloud, shape.width_m / 2)
        return Fit(shape.name, position, 0.0, float(position[2] + shape.width_m / 2), match, seen, False)
    yaw = 0.0 if shape.round else (angle + np.pi / 4) % (np.pi / 2) - np.pi / 4
    position = np.array([*centre, top - shape.height_m / 2])
    return Fit(shape.name, position, float(yaw), top, match, seen, False)


def _band_width(shape: Shape) -> float:
    """Width of the top band: a sphere shows only a cap of it."""
    if shape.kind != "sphere":
        return shape.width_m
    radius = shape.width_m / 2
    return float(2 * np.sqrt(2 * radius * BAND_M - BAND_M**2))


def _fit_lying(shape: Shape, cloud: Cloud, top: float) -> Fit | None:
    match = _bell(top - cloud.support_m - shape.width_m, HEIGHT_SIGMA_M)
    centre, size, angle = _rectangle(cloud.points)
    wide, narrow = max(size), min(size)
    match *= _bell(wide - shape.height_m, 0.02) * _width_match(narrow, shape.width_m)
    if match < 0.05 or wide < 1.2 * shape.width_m:
        return None
    yaw = angle + (np.pi / 2 if size[0] < size[1] else 0.0)
    yaw = (yaw + np.pi / 2) % np.pi - np.pi / 2
    position = np.array([*centre, top - shape.width_m / 2])
    return Fit(shape.name, position, float(yaw), top, match * 0.95, 1.0, True)


def _fit_tray(shape: Shape, cloud: Cloud, top: float) -> list[Fit]:
    centre, size, angle = _rectangle(cloud.points)
    wide, narrow = max(size), min(size)
    match = _bell(top - cloud.support_m - shape.height_m, 2 * HEIGHT_SIGMA_M)
    match *= _bell(wide - shape.depth_m, 0.03) * _bell(narrow - shape.width_m, 0.03)
    if match < 0.05:
        return []
    yaw = angle + (np.pi / 2 if size[0] > size[1] else 0.0)  # its long side is its y axis
    yaw = (yaw + np.pi / 2) % np.pi - np.pi / 2
    position = np.array([*centre, top - shape.height_m / 2])
    seen = min(1.0, wide * narrow / (shape.depth_m * shape.width_m))
    return [Fit(shape.name, position, float(yaw), top, match, seen, False)]


def _rectangle(points: Array) -> tuple[Array, tuple[float, float], float]:
    """Centre [2], sides and angle (rad) of the smallest rectangle round points seen from above."""
    (x, y), (a, b), degrees = cv2.minAreaRect(points[:, :2].astype(np.float32))
    return np.array([x, y]), (float(a), float(b)), float(np.radians(degrees))


def _seen_share(cloud: Cloud, band: Array, shape: Shape, top: float) -> float:
    """Share of the top surface that was seen, from the solid angle its pixels fill."""
    centre = band.mean(axis=0)
    towards = cloud.eye - centre
    distance = float(np.sqrt(towards @ towards))
    slant = float(np.clip(towards[2] / distance, 0.2, 1.0))
    if shape.kind == "sphere":
        return min(1.0, len(cloud.points) * cloud.area_m2 / (np.pi * shape.width_m**2 / 4))
    whole = np.pi * shape.width_m**2 / 4 if shape.round else shape.width_m**2
    return min(1.0, len(band) * cloud.area_m2 / slant / whole)


def _fit_sphere(cloud: Cloud, radius: float) -> Array:
    """Centre of a sphere of known radius by Gauss-Newton, from the points on its near side."""
    middle = cloud.points.mean(axis=0)
    ray = cloud.eye - middle
    centre: Array = middle - 0.6 * radius * ray / np.sqrt(ray @ ray)
    for _ in range(SPHERE_STEPS):
        offset = cloud.points - centre
        length = np.sqrt(np.einsum("ij,ij->i", offset, offset))
        jacobian = -offset / length[:, None]
        step = np.linalg.solve(jacobian.T @ jacobian + 1e-3 * np.eye(3), -jacobian.T @ (length - radius))
        centre = centre + step
    return centre


def _width_match(seen: float, expected: float) -> float:
    return _bell(seen - expected, TOO_WIDE_SIGMA_M if seen > expected else TOO_NARROW_SIGMA_M)


def _bell(error: float, sigma: float) -> float:
    return float(np.exp(-0.5 * (error / sigma) ** 2))
