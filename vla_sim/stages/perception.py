"""Perception: colour and depth to known objects with pose and confidence in the base frame. No ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from vla_sim.catalogue import COLOURS
from vla_sim.errors import ConfigError
from vla_sim.stages.shape_fit import Cloud, Fit, Rectangle, best_fit, tray_fit
from vla_sim.types import Array, Detection, Detections, Frame

CELL_M = 0.012  # of the top-down map that parts objects of one colour: gaps of two cells part them
GROUND_RAD = 0.024  # the ground is looked at in steps of this angle, whatever the resolution: every fourth pixel at 320
SUPPORT_BIN_M, SUPPORT_DEPTH_M, SUPPORT_MARGIN_M, SUPPORT_POINTS = 0.005, 0.25, 0.06, 10
TRAY_SIDE_M, TRAY_RIM_M, HELD_SHARE = 0.13, 0.042, 0.02  # what is wide both ways and higher than a rim holds something
BORDER_PENALTY = 0.3
THREADS = 1  # of OpenCV: on pictures this small more of them only wait for each other, each on a whole core
NEIGHBOURS = 4  # painted among 3 x 3 pixels, itself included: what the corner of an object has


@dataclass(frozen=True)
class DetectorConfig:
    """Thresholds on OpenCV's 8-bit HSV; counts in pixels. Raises ConfigError when one is out of range."""

    hue_tolerance: int = 10
    saturation_min: int = 110
    value_min: int = 50
    pixels_min: int = 30
    range_max_m: float = 1.5  # farther away nothing can be measured
    confidence_min: float = 0.5
    detections_max: int = 10

    def __post_init__(self) -> None:
        for key, low, high in (
            ("hue_tolerance", 0, 12), ("saturation_min", 0, 254), ("value_min", 0, 254), ("pixels_min", 6, 10_000),
            ("range_max_m", 0.1, 10.0), ("confidence_min", 0.0, 1.0), ("detections_max", 1, 1000),
        ):  # fmt: skip
            if not low <= getattr(self, key) <= high:
                raise ConfigError(f"perception.{key}", f"must lie in {low}..{high}, got {getattr(self, key)}")


class ColourShapeDetector:
    """Stage `Frame -> Detections`: points of the catalogue's colours, fitted with the catalogue's shapes."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        cv2.setNumThreads(THREADS)
        self.config = config or DetectorConfig()
        self._hue_to_colour = np.zeros(256, np.uint8)  # 0 = none, else 1 + index of the colour
        for i, colour in enumerate(COLOURS.values(), start=1):
            for offset in range(-self.config.hue_tolerance, self.config.hue_tolerance + 1):
                self._hue_to_colour[(colour.hue + offset) % 180] = i

    def __call__(self, frame: Frame) -> Detections:
        """Objects seen in one RGB-D frame, surest first. Raises ValueError when it has no depth."""
        if frame.depth_m is None:
            raise ValueError(f"camera {frame.camera!r} gives no depth, which this detector needs")
        scene = _Scene(frame, self._painted(frame.rgb), self.config.range_max_m)
        found: list[Detection] = []
        for index, name in enumerate(COLOURS, start=1):
            for pixels, fit in self._objects(scene, index):
                if fit.confidence >= self.config.confidence_min:
                    found.append(scene.detection(pixels, fit, name))
        found.sort(key=lambda item: -item.confidence)
        return Detections(frame.time_s, tuple(found[: self.config.detections_max]))

    def _painted(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """[H, W] 1 + index of the colour a pixel is painted in, 0 for none."""
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        colour = cv2.LUT(cv2.extractChannel(hsv, 0), self._hue_to_colour)
        lively = cv2.inRange(hsv, (0, self.config.saturation_min + 1, self.config.value_min + 1), (255, 255, 255))
        painted = np.asarray(cv2.bitwise_and(colour, lively), dtype=np.uint8)
        beside = cv2.boxFilter((painted > 0).view(np.uint8), -1, (3, 3), normalize=False)
        painted[np.asarray(beside) < NEIGHBOURS] = 0  # noise on something dark
        return painted

    def _objects(self, scene: _Scene, colour: int) -> list[tuple[NDArray[np.intp], Fit]]:
        """Which pixels (indices into the scene's points) belong to an object, and what it is."""
        groups = [g for g in scene.groups(colour) if len(g) >= self.config.pixels_min]
        found, low = [], []
        for group in groups:
            cloud = scene.cloud(group)
            fit = best_fit(cloud)
            if fit is not None:
                found.append((group, fit))
            if cloud.top_m - cloud.support_m < TRAY_RIM_M:
                low.append(group)
        if len(low) > 1:  # a tray that something in front parts in the image
            united = np.concatenate(low)
            fit = tray_fit(scene.cloud(united))
            if fit is not None and fit.confidence >= self.config.confidence_min:
                kept = [(group, other) for group, other in found if other.top_m > fit.top_m + CELL_M]
                return [*kept, (united, fit)]
        return found


class _Scene:
    """One frame's geometry: the painted pixels as points, and the surfaces they stand on."""

    def __init__(self, frame: Frame, painted: NDArray[np.uint8], range_max_m: float) -> None:
        self._intrinsics, self._pose = frame.intrinsics, frame.pose_camera_in_base
        self._size = painted.shape
        assert frame.depth_m is not None
        reachable = (frame.depth_m > 0) & (frame.depth_m < range_max_m)  # false for nan, too
        self._pixels = np.flatnonzero(reachable & (painted > 0))
        self._colour = painted.ravel()[self._pixels]
        self._points = self._back_project(self._pixels, frame.depth_m)
        coarse = np.zeros_like(reachable)
        stride = max(1, round(GROUND_RAD * frame.intrinsics.fx))
        coarse[::stride, ::stride] = reachable[::stride, ::stride]
        sample = np.flatnonzero(coarse)
        self._ground = np.ascontiguousarray(self._back_project(sample, frame.depth_m).T)  # [3, n]
        place = np.searchsorted(self._pixels, sample)
        shared = np.append(self._pixels, -1)[place] == sample
        self._ground_point = np.where(shared, place, len(self._pixels))  # which point it is, or the one past the last

    def _back_project(self, pixels: NDArray[np.intp], depth_m: NDArray[np.float32]) -> Array:
        """[n, 3] points in base of pixels that hit something."""
        k = self._intrinsics
        rows, columns = np.divmod(pixels, k.width)
        z = depth_m.ravel()[pixels].astype(np.float64)
        x, y = (columns + 0.5 - k.cx) / k.fx * z, (rows + 0.5 - k.cy) / k.fy * z
        return np.column_stack((x, y, z)) @ self._pose[:3, :3].T + self._pose[:3, 3]

    def groups(self, colour: int) -> list[NDArray[np.intp]]:
        """Indices of one colour's points, parted where they lie apart when seen from above."""
        members = np.flatnonzero(self._colour == colour)
        groups = []
        for group in self._islands(members):
            held = self._held_by_tray(self._points[group])
            groups += [group] if held is None else [group[~held], *self._islands(group[held])]
        return groups

    @staticmethod
    def _held_by_tray(points: Array) -> NDArray[np.bool_] | None:
        """[n] which points [n, 3] rise from a tray of their own colour; None where there is none."""
        if min(np.ptp(points[:, 0]), np.ptp(points[:, 1])) < TRAY_SIDE_M:
            return None
        above = points[:, 2] > np.percentile(points[:, 2], 5) + TRAY_RIM_M
        if np.count_nonzero(above) < HELD_SHARE * len(points) or Rectangle.round(points).short_m < TRAY_SIDE_M:
            return None
        return np.asarray(above)

    def _islands(self, members: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        if len(members) == 0:
            return []
        x, y = (((c - c.min()) / CELL_M).astype(np.intp) for c in self._points[members, :2].T)
        grid = np.zeros((x.max() + 1, y.max() + 1), np.uint8)
        grid[x, y] = 1
        count, labels = cv2.connectedComponents(grid, connectivity=8)
        of_point = labels[x, y]
        return [members[of_point == label] for label in range(1, count)]

    def cloud(self, group: NDArray[np.intp]) -> Cloud:
        """The points of a group with what surrounds them."""
        points, eye = self._points[group], self._pose[:3, 3]
        area_m2 = mean_area(points, self._pose) / (self._intrinsics.fx * self._intrinsics.fy)
        cloud = Cloud(points, area_m2, eye)
        return cloud.on(self._support_of(cloud, group))

    def _support_of(self, cloud: Cloud, group: NDArray[np.intp]) -> float:
        """Height of the surface round an object: the most common one below its top. Nothing there: its own foot."""
        own = np.zeros(len(self._pixels) + 1, bool)
        own[group] = True
        x, y = cloud.footprint.centre.tolist()
        reach = 0.5 * cloud.footprint.long_m + SUPPORT_MARGIN_M
        heights = heights_near(
            self._ground, own[self._ground_point], (x, y, reach),
            (cloud.top_m - SUPPORT_DEPTH_M, cloud.top_m - 2 * SUPPORT_BIN_M),
        )  # fmt: skip
        return float(most_common(heights, SUPPORT_BIN_M)) if len(heights) >= SUPPORT_POINTS else cloud.bottom_m

    def detection(self, group: NDArray[np.intp], fit: Fit, colour: str) -> Detection:
        """A fit in the words of the seam."""
        rows, columns = np.divmod(self._pixels[group], self._size[1])
        u0, u1, v0, v1 = int(columns.min()), int(columns.max()), int(rows.min()), int(rows.max())
        cut = u0 == 0 or v0 == 0 or u1 == self._size[1] - 1 or v1 == self._size[0] - 1
        visible = fit.visible * (BORDER_PENALTY if cut else 1.0)
        box = (u0, v0, u1 - u0 + 1, v1 - v0 + 1)
        return Detection(
            fit.shape, colour, fit.position, fit.yaw_rad, fit.top_m, fit.confidence, visible, fit.lying, box
        )


@njit(cache=True, error_model="numpy")
def mean_area(points: Array, pose_camera: Array) -> float:
    """Mean area, m2, that a pixel of focal length 1 covers, seen frontally, at points [n, 3] before a camera [4, 4]."""
    total = 0.0
    for i in range(points.shape[0]):
        x, y, z = points[i, 0] - pose_camera[0, 3], points[i, 1] - pose_camera[1, 3], points[i, 2] - pose_camera[2, 3]
        depth = x * pose_camera[0, 2] + y * pose_camera[1, 2] + z * pose_camera[2, 2]
        total += depth**3 / math.sqrt(x * x + y * y + z * z)
    return total / points.shape[0]


@njit(cache=True, error_model="numpy")
def heights_near(
    ground: Array, taken: NDArray[np.bool_], around: tuple[float, float, float], between: tuple[float, float]
) -> Any:
    """Heights of the points `ground` [3, n] that are not `taken` [n], within a square (x, y, half its edge) and between
    two heights, m."""
    x, y, reach = around
    lowest, highest = between
    found = np.empty(ground.shape[1])
    count = 0
    for i in range(ground.shape[1]):
        z = ground[2, i]
        if lowest < z < highest and not taken[i] and abs(ground[0, i] - x) < reach and abs(ground[1, i] - y) < reach:
            found[count] = z
            count += 1
    return found[:count]


@njit(cache=True, error_model="numpy")
def most_common(values: Array, width: float) -> float:
    """Median of the values within `width` of the middle of the fullest bin of that width; there is at least one."""
    lowest = values.min()
    counts = np.zeros(int((values.max() - lowest) / width) + 1, np.intp)
    for value in values:
        counts[int((value - lowest) / width)] += 1
    mode = lowest + (np.argmax(counts) + 0.5) * width
    return float(np.median(values[np.abs(values - mode) < width]))
