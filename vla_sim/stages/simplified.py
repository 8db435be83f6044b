"""The same answers for less: perception on a smaller image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from vla_sim.errors import ConfigError
from vla_sim.types import Detections, Frame, Intrinsics

SLANT = 2.0  # from pixel to pixel a surface falls away by so many pixel widths at most; beyond it another one begins


class LowerResolution:
    """Stage `Frame -> Detections`: another perception stage, on an image whose sides are `scale` times as long.

    Detections come back in pixels of the image that came in. Where a network lies between camera and stage, `shrunk`
    and `enlarged` round the request save its uplink too.

    What it costs `ColourShapeDetector`, on the noisy head images (320 x 240) of PickPlace with seeds 0-99, 474 objects;
    found = within 30 mm of its true place; time of the whole stage on one x86 core, best of 7, median over the images:

        scale   found   position error p50, p95   time     bytes on the wire
        1       99.4 %  0.29, 0.48 mm             2.34 ms  100 kB
        0.5     99.2 %  0.38, 0.89 mm             1.63 ms  24 kB
        0.25    68.6 %  0.60, 1.79 mm             1.11 ms  7 kB

    In PickMoving, with one object (100 seeds): 97, 96 and 66 % found, 0.65, 0.63 and 0.55 ms. So 0.25 is below what
    this detector can use as it is set: what has fewer pixels than it asks for is not reported.
    """

    def __init__(self, stage: Callable[[Frame], Detections], scale: float = 0.5) -> None:
        self._stage, self._factor = stage, factor_of(scale)

    def __call__(self, frame: Frame) -> Detections:
        """What the stage sees in the smaller image."""
        return enlarged(self._stage(shrunk(frame, self._factor)), self._factor)


def factor_of(scale: float) -> int:
    """How many pixels each way become one. Raises ConfigError unless `scale` is one over a whole number."""
    factor = round(1 / scale) if 0 < scale <= 1 else 0
    if factor < 1 or abs(factor * scale - 1) > 1e-9:
        raise ConfigError("image_scale", f"must be one over a whole number, got {scale:g}", "0.5 halves both sides")
    return factor


def shrunk(frame: Frame, factor: int) -> Frame:
    """The frame as a camera with pixels `factor` times as wide would have taken it, without the simulator's labels.

    Colours are averaged. Depth is averaged too, but only over what belongs to the nearest thing in a pixel: the mean of
    an object's edge and the table behind it would be a place where nothing is; a single sample lies half a pixel off.
    Pixel centres lie at (u + 0.5, v + 0.5), so that focal lengths and principal point shrink by the factor exactly.
    Raises ConfigError when the image's sides are no multiples of it.
    """
    k = frame.intrinsics
    if k.width % factor or k.height % factor:
        problem = f"an image of {k.width} x {k.height} pixels cannot be divided by {factor}"
        raise ConfigError("image_scale", problem, "choose a scale that leaves whole pixels")
    if factor == 1:
        return replace(frame, segmentation=None)
    lens = Intrinsics(k.width // factor, k.height // factor, k.fx / factor, k.fy / factor, k.cx / factor, k.cy / factor)
    rgb = np.asarray(cv2.resize(frame.rgb, (lens.width, lens.height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    depth_m = None
    if frame.depth_m is not None:
        depth_m = np.empty((lens.height, lens.width), np.float32)
        shrink_depth(frame.depth_m, factor, SLANT * factor / k.fx, depth_m)
    return replace(frame, rgb=rgb, intrinsics=lens, depth_m=depth_m, segmentation=None)


def enlarged(found: Detections, factor: int) -> Detections:
    """Detections of a shrunk frame in pixels of the original one."""
    items = []
    for item in found.items:
        u0, v0, width, height = item.bbox_px
        items.append(replace(item, bbox_px=(u0 * factor, v0 * factor, width * factor, height * factor)))
    return replace(found, items=tuple(items))


@njit(cache=True, error_model="numpy")
def shrink_depth(depth_m: NDArray[np.float32], factor: int, falls: float, found: NDArray[np.float32]) -> None:
    """Write into `found` [H / factor, W / factor] the depth of the nearest surface in each block of `depth_m` [H, W].

    It is the mean of what lies at most `falls` times the smallest depth behind the smallest. What is not above 0 or not
    finite says nothing; a block of which nothing is known is inf, as where nothing was hit.
    """
    for v in range(found.shape[0]):
        for u in range(found.shape[1]):
            nearest = np.inf
            for row in range(v * factor, (v + 1) * factor):
                for column in range(u * factor, (u + 1) * factor):
                    if 0.0 < depth_m[row, column] < nearest:
                        nearest = depth_m[row, column]
            total, count, farthest = 0.0, 0, nearest * (1.0 + falls)
            for row in range(v * factor, (v + 1) * factor):
                for column in range(u * factor, (u + 1) * factor):
                    if 0.0 < depth_m[row, column] <= farthest and depth_m[row, column] < np.inf:
                        total += depth_m[row, column]
                        count += 1
            found[v, u] = total / count if count else np.inf
