"""The seam to whatever draws images, the rasteriser behind it, and how to point a camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.rendering.scene import RenderScene
from vla_sim.errors import ConfigError
from vla_sim.types import Array, Intrinsics


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One rendered view. The arrays belong to whoever asked for it."""

    rgb: NDArray[np.uint8]  # [H, W, 3]
    depth_m: NDArray[np.float32]  # [H, W] along the optical axis, inf where nothing was hit
    segmentation: NDArray[np.int32]  # [H, W] label, -1 where nothing was hit


class Renderer(Protocol):
    """Draws a world as a pinhole camera sees it."""

    def render(self, intrinsics: Intrinsics, pose_camera_in_world: Array, part_poses: Array) -> Image:
        """One view from `pose_camera_in_world` [4, 4] (optical frame: x right, y down, z forward).

        `part_poses` [n_parts, 4, 4] places the parts of the scene in the world, in the order of `RenderScene.keys`.
        """


LIGHT_MAX = 4.0


@dataclass(frozen=True)
class Light:
    """Light from everywhere, and light from far away in one direction of the world. Brighter than white is white."""

    direction: tuple[float, float, float] = (0.3, 0.4, 0.87)  # towards the light, any length but zero
    ambient: float = 0.45  # 0-1, share of the paint seen in the dark
    diffuse: float = 0.55  # 0-1, share added where light falls square on

    def __post_init__(self) -> None:
        if len(self.direction) != 3 or not 0.0 < math.hypot(*self.direction) < math.inf:
            raise ConfigError("light.direction", f"must be three numbers that are not all zero, got {self.direction}")
        for key in ("ambient", "diffuse"):
            if not 0.0 <= getattr(self, key) <= LIGHT_MAX:
                problem = f"must lie in 0..{LIGHT_MAX:g}, got {getattr(self, key):g}"
                raise ConfigError(f"light.{key}", problem, "1 shows a surface as it is painted")


class RasterRenderer:
    """A `Renderer` of a `RenderScene` on one processor core. Not safe to share between threads: it keeps its buffers.

    Only what lies between `near_m` and `far_m` along the optical axis is drawn; `background` is 8-bit RGB.
    """

    def __init__(
        self,
        scene: RenderScene,
        light: Light | None = None,
        background: tuple[int, int, int] = (235, 235, 235),
        near_m: float = 0.02,
        far_m: float = float("inf"),
    ) -> None:
        if not 0.0 < near_m < far_m:
            raise ValueError(f"near_m {near_m} and far_m {far_m} must satisfy 0 < near_m < far_m")
        self.scene, self.near_m, self.far_m = scene, near_m, far_m
        self.light = light or Light()
        self._background = np.array(background, dtype=np.uint8)
        self._points, self._pixels = np.zeros((len(scene.vertices), 3)), np.zeros((len(scene.vertices), 2))
        self._painted = np.zeros((len(scene.faces), 3), dtype=np.uint8)
        self._to_camera, self._part_light = np.zeros((len(scene.keys), 3, 4)), np.zeros((len(scene.keys), 3))
        self._seen = np.zeros(len(scene.piece_part), dtype=np.bool_)
        self._inverse, self._hit = np.zeros((0, 0), dtype=np.float32), np.zeros((0, 0), dtype=np.int32)

    @property
    def light(self) -> Light:
        """How the next image is lit."""
        return self._light

    @light.setter
    def light(self, light: Light) -> None:
        direction = np.array(light.direction, dtype=np.float64)
        self._light, self._towards_light = light, direction / np.sqrt(np.sum(direction * direction))

    def render(
        self, intrinsics: Intrinsics, pose_camera_in_world: Array, part_poses: Array, near_m: float | None = None
    ) -> Image:
        """One view; see `Renderer.render`. `near_m` cuts away more than usual in front of the camera.

        ValueError when there is not one finite pose for each part.
        """
        from envs.rendering import raster  # compiles on first use, so only those who render wait for it

        scene, lens = self.scene, (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy)
        poses = np.ascontiguousarray(part_poses, dtype=np.float64)
        if poses.shape != (len(scene.keys), 4, 4):
            raise ValueError(f"part_poses: expected shape {(len(scene.keys), 4, 4)}, got {poses.shape}")
        camera = np.ascontiguousarray(pose_camera_in_world, dtype=np.float64)
        if not (np.isfinite(poses).all() and np.isfinite(camera).all()):
            raise ValueError("poses: expected finite numbers, got nan or inf")
        height, width, near = intrinsics.height, intrinsics.width, near_m or self.near_m
        points, pixels, seen, to_camera = self._points, self._pixels, self._seen, self._to_camera
        of_vertex, of_face, part = scene.piece_vertex, scene.piece_face, scene.piece_part
        raster.place_parts(camera, poses, self._towards_light, to_camera, self._part_light)
        raster.cull(scene.spheres, part, to_camera, lens, width, height, near, self.far_m, seen)
        raster.project(scene.vertices, of_vertex, part, seen, to_camera, lens, near, points, pixels)
        self._clear(height, width)
        raster.draw(scene.faces, scene.two_sided, of_face, seen, points, pixels, lens, near, self._inverse, self._hit)
        raster.shade(
            scene.faces, of_face, part, seen, scene.normals, scene.colours, points, self._part_light,
            self._light.ambient, self._light.diffuse, self._painted,
        )  # fmt: skip
        image = _blank(height, width)
        raster.resolve(
            self._inverse, self._hit, self._painted, scene.labels, self._background,
            image.rgb, image.depth_m, image.segmentation,
        )  # fmt: skip
        return image

    def _clear(self, height: int, width: int) -> None:
        if self._hit.shape != (height, width):
            self._inverse = np.zeros((height, width), dtype=np.float32)
            self._hit = np.zeros((height, width), dtype=np.int32)
        self._inverse.fill(1.0 / self.far_m)
        self._hit.fill(-1)


def _blank(height: int, width: int) -> Image:
    size = (height, width)
    return Image(np.empty((*size, 3), np.uint8), np.empty(size, np.float32), np.empty(size, np.int32))


def resized(lens: Intrinsics, width: int, height: int) -> Intrinsics:
    """The same lens over an image of another size: the vertical field of view stays, the aspect ratio may change."""
    scale = height / lens.height
    cx, cy = 0.5 * width + (lens.cx - 0.5 * lens.width) * scale, lens.cy * scale
    return Intrinsics(width, height, lens.fx * scale, lens.fy * scale, cx, cy)


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Array:
    """[4, 4] pose in the world of a camera at `eye` [3] m that sees `target` in its middle, `up` pointing upwards.

    ValueError when the line of sight has no length or runs along `up`.
    """
    position = np.asarray(eye, dtype=np.float64)
    forward = np.asarray(target, dtype=np.float64) - position
    right = np.cross(forward, np.asarray(up, dtype=np.float64))
    ahead_m, aside = np.sqrt(np.sum(forward * forward)), np.sqrt(np.sum(right * right))
    if aside <= 1e-9 * ahead_m:
        raise ValueError(f"look_at: the direction {forward.tolist()} has no length or runs along up")
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 2], pose[:3, 3] = right / aside, forward / ahead_m, position
    pose[:3, 1] = np.cross(pose[:3, 2], pose[:3, 0])
    return pose
