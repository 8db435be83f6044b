"""Perception: colour and depth to known objects with pose and confidence in the base frame. No ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vla_sim.catalogue import COLOURS, SHAPES
from vla_sim.stages.shape_fit import Cloud, Fit, best_fit
from vla_sim.types import Array, Detection, Detections, Frame

CELL_M = 0.008  # of the top-down map that parts objects of one colour
SUPPORT_BIN_M, SUPPORT_RANGE_M = 0.005, (0.3, 1.3)
NEAR_M, SUPPORT_GATE_M = 0.09, 0.03  # where an object's own support is looked for, round the main one
BORDER_PENALTY = 0.3
SPILL_RATIO, SPILL_POINTS = 1.8, 300


@dataclass(frozen=True)
class DetectorConfig:
    """Thresholds on OpenCV's 8-bit HSV; counts in pixels."""

    hue_tolerance: int = 10
    saturation_min: int = 110
    value_min: int = 50
    pixels_min: int = 30
    points_max: int = 1500  # of one patch; more are thinned out
    confidence_min: float = 0.5
    detections_max: int = 10


class ColourShapeDetector:
    """Stage `Frame -> Detections`: patches of the catalogue's colours, fitted with the catalogue's shapes."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        self.config = config or DetectorConfig()
        self._names = list(COLOURS)
        self._hue_to_colour = np.zeros(256, np.uint8)  # 0 = none, else 1 + index of the colour
        for i, colour in enumerate(COLOURS.values()):
            for offset in range(-self.config.hue_tolerance, self.config.hue_tolerance + 1):
                self._hue_to_colour[(colour.hue + offset) % 180] = i + 1

    def __call__(self, frame: Frame) -> Detections:
        if frame.depth_m is None:
            raise ValueError(f"camera {frame.camera!r} gives no depth, which this detector needs")
        painted = self._painted(frame.rgb)
        scene = _Scene(frame, painted)
        found: list[Detection] = []
        if scene.support_m is not None:
            for index, name in enumerate(self._names, start=1):
                mask = (painted == index).view(np.uint8)
                found += self._patches(scene, mask, name)
        found = [item for item in found if item.confidence >= self.config.confidence_min]
        found.sort(key=lambda item: -item.confidence)
        return Detections(frame.time_s, tuple(found[: self.config.detections_max]))

    def _painted(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """[H, W] 1 + index of the colour a pixel is painted in, 0 for none."""
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        colour = np.asarray(cv2.LUT(hsv[..., 0], self._hue_to_colour))
        lively = cv2.inRange(hsv, (0, self.config.saturation_min + 1, self.config.value_min + 1), (255, 255, 255))
        return np.asarray(cv2.bitwise_and(colour, lively), dtype=np.uint8)

    def _patches(self, scene: _Scene, mask: NDArray[np.uint8], colour: str) -> list[Detection]:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        found = []
        for label in range(1, count):
            if stats[label, cv2.CC_STAT_AREA] < self.config.pixels_min:
                continue
            u, v, width, height = (int(x) for x in stats[label, :4])
            rows, columns = np.nonzero(labels[v : v + height, u : u + width] == label)
            found += self._fit_patch(scene, rows + v, columns + u, colour)
        return found

    def _fit_patch(
        self, scene: _Scene, rows: NDArray[np.intp], columns: NDArray[np.intp], colour: str
    ) -> list[Detection]:
        whole = self._fit(scene, rows, columns)
        sure = whole is not None and whole.confidence >= self.config.confidence_min
        if whole is not None and sure and not scene.spills(rows, columns, whole):
            return [scene.detection(whole, rows, columns, colour)]
        found = []
        for part in scene.split(rows, columns):
            if part.sum() >= self.config.pixels_min:
                fit = self._fit(scene, rows[part], columns[part])
                if fit is not None:
                    found.append(scene.detection(fit, rows[part], columns[part], colour))
        return found

    def _fit(self, scene: _Scene, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Fit | None:
        stride = max(1, len(rows) // self.config.points_max)
        cloud = scene.cloud(rows[::stride], columns[::stride], stride)
        return None if len(cloud.points) < self.config.pixels_min // 2 else best_fit(cloud)


class _Scene:
    """One frame's geometry: pixels to points, and the surface things stand on."""

    def __init__(self, frame: Frame, painted: NDArray[np.uint8]) -> None:
        assert frame.depth_m is not None
        self._depth, self._i = frame.depth_m, frame.intrinsics
        self._pose = frame.pose_camera_in_base
        self._ground = self._unpainted_points(painted)
        self.support_m = _mode(self._ground[:, 2])

    def points(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
        """[n, 3] points in base of those pixels that hit something."""
        z = self._depth[rows, columns].astype(np.float64)
        hit = np.isfinite(z) & (z > 0)
        z = z[hit]
        x = (columns[hit] + 0.5 - self._i.cx) / self._i.fx * z
        y = (rows[hit] + 0.5 - self._i.cy) / self._i.fy * z
        return np.column_stack((x, y, z)) @ self._pose[:3, :3].T + self._pose[:3, 3]

    def _unpainted_points(self, painted: NDArray[np.uint8]) -> Array:
        rows, columns = np.nonzero(painted[::4, ::4] == 0)
        return self.points(rows * 4, columns * 4)

    def cloud(self, rows: NDArray[np.intp], columns: NDArray[np.intp], stride: int) -> Cloud:
        """The points of a patch; each pixel stands for `stride` of them."""
        points, eye = self.points(rows, columns), self._pose[:3, 3]
        if not len(points):
            return Cloud(points, 0.0, eye, self.support_m or 0.0)
        middle = points.mean(axis=0)
        distance = float(np.linalg.norm(eye - middle))
        area = stride * (distance / self._i.fx) * (distance / self._i.fy)
        return Cloud(points, area, eye, self._support_at(middle))

    def _support_at(self, middle: Array) -> float:
        """Height of the surface close by: a belt lies higher than the table that most of the image shows."""
        assert self.support_m is not None
        near = np.abs(self._ground[:, :2] - middle[:2]).max(axis=1) < NEAR_M
        near &= np.abs(self._ground[:, 2] - self.support_m) < SUPPORT_GATE_M
        heights = self._ground[near, 2]
        return float(np.median(heights)) if len(heights) >= 10 else self.support_m

    def split(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> list[NDArray[np.bool_]]:
        """Masks over the pixels of a patch: one for each group that lies apart when seen from above."""
        z = self._depth[rows, columns]
        good = np.isfinite(z) & (z > 0)
        points = self.points(rows[good], columns[good])
        if len(points) == 0:
            return []
        cells = np.floor((points[:, :2] - points[:, :2].min(axis=0)) / CELL_M).astype(np.intp)
        grid = np.zeros(cells.max(axis=0) + 1, np.uint8)
        grid[cells[:, 0], cells[:, 1]] = 1
        count, labels = cv2.connectedComponents(grid, connectivity=8)
        if count <= 2:
            return []
        of_point = np.zeros(len(rows), np.int32)
        of_point[good] = labels[cells[:, 0], cells[:, 1]]
        return [of_point == label for label in range(1, count)]

    def spills(self, rows: NDArray[np.intp], columns: NDArray[np.intp], fit: Fit) -> bool:
        """Whether a patch reaches well beyond the shape fitted to it: another object hides behind."""
        shape = SHAPES[fit.shape]
        reach = max(shape.width_m, shape.depth_m, shape.height_m if fit.lying else 0.0) / 2
        stride = max(1, len(rows) // SPILL_POINTS)
        offset = self.points(rows[::stride], columns[::stride])[:, :2] - fit.position[:2]
        return bool(len(offset) and np.hypot(offset[:, 0], offset[:, 1]).max() > SPILL_RATIO * reach)

    def detection(
        self, fit: Fit, rows: NDArray[np.intp], columns: NDArray[np.intp], colour: str
    ) -> Detection:  # fmt: skip
        u0, u1, v0, v1 = int(columns.min()), int(columns.max()), int(rows.min()), int(rows.max())
        border = u0 == 0 or v0 == 0 or u1 == self._i.width - 1 or v1 == self._i.height - 1
        visible = fit.visible * (BORDER_PENALTY if border else 1.0)
        return Detection(
            fit.shape, colour, fit.position, fit.yaw_rad, fit.top_m, fit.confidence, visible, fit.lying,
            (u0, v0, u1 - u0 + 1, v1 - v0 + 1),
        )  # fmt: skip


def _mode(heights: Array) -> float | None:
    """The most common height within reach of a hand; None when nothing is there."""
    low, high = SUPPORT_RANGE_M
    inside = heights[(heights > low) & (heights < high)]
    if len(inside) < 50:
        return None
    counts, edges = np.histogram(inside, bins=round((high - low) / SUPPORT_BIN_M), range=SUPPORT_RANGE_M)
    best = int(np.argmax(counts))
    close = inside[np.abs(inside - (edges[best] + edges[best + 1]) / 2) < SUPPORT_BIN_M]
    return float(np.median(close))
