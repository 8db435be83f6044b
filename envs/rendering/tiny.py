"""PyBullet's TinyRenderer behind the same seam: slow, written by others, and so the reference to check against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pybullet as p

from envs.rendering.camera import Image, Light
from vla_sim.types import Array, Intrinsics

# TinyRenderer takes the ray of pixel (column, row) through (column, row + 1) instead of through the pixel's centre.
SAMPLE_U, SAMPLE_V = 0.0, 1.0


def projection_matrix(intrinsics: Intrinsics, near_m: float, far_m: float) -> list[float]:
    """The OpenGL projection (column-major, 16 numbers) of a pinhole camera whose principal point may be anywhere."""
    width, height = intrinsics.width, intrinsics.height
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 1] = 2.0 * intrinsics.fx / width, 2.0 * intrinsics.fy / height
    matrix[0, 2], matrix[1, 2] = 1.0 - 2.0 * intrinsics.cx / width, 2.0 * intrinsics.cy / height - 1.0
    matrix[2, 2], matrix[2, 3] = -(far_m + near_m) / (far_m - near_m), -2.0 * far_m * near_m / (far_m - near_m)
    matrix[3, 2] = -1.0
    return [float(value) for value in matrix.T.ravel()]


def view_matrix(pose_camera_in_world: Array) -> list[float]:
    """The OpenGL view (column-major, 16 numbers) of a camera pose [4, 4] in the optical frame."""
    turn = pose_camera_in_world[:3, :3] * np.array([1.0, -1.0, -1.0])  # OpenGL: y up, looking along -z
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = turn.T, -turn.T @ pose_camera_in_world[:3, 3]
    return [float(value) for value in view.T.ravel()]


class TinyRenderer:
    """A `Renderer` of the PyBullet world `client_id` as it is now. `labels` turns body ids into labels of the image."""

    def __init__(
        self,
        client_id: int,
        labels: Mapping[int, int] | None = None,
        light: Light | None = None,
        near_m: float = 0.02,
        far_m: float = 20.0,
    ) -> None:
        self._client, self._labels, self._light = client_id, dict(labels or {}), light or Light()
        self.near_m, self.far_m = near_m, far_m

    def render(self, intrinsics: Intrinsics, pose_camera_in_world: Array, part_poses: Array) -> Image:
        """One view; see `Renderer.render`. The world knows where its bodies are: `part_poses` is not read."""
        width, height = intrinsics.width, intrinsics.height
        sampled = Intrinsics(
            width, height, intrinsics.fx, intrinsics.fy, intrinsics.cx + SAMPLE_U - 0.5, intrinsics.cy + SAMPLE_V - 0.5
        )
        _, _, rgba, buffer, bodies = p.getCameraImage(
            width,
            height,
            view_matrix(pose_camera_in_world),
            projection_matrix(sampled, self.near_m, self.far_m),
            lightDirection=list(self._light.direction),
            lightAmbientCoeff=self._light.ambient,
            lightDiffuseCoeff=self._light.diffuse,
            lightSpecularCoeff=0.0,
            shadow=0,
            renderer=p.ER_TINY_RENDERER,
            physicsClientId=self._client,
        )
        rgb = np.ascontiguousarray(np.reshape(rgba, (height, width, 4))[..., :3], dtype=np.uint8)
        segmentation = np.array(bodies, dtype=np.int32).reshape(height, width)
        depth = np.reshape(np.asarray(buffer, dtype=np.float64), (height, width))
        depth_m = self.near_m * self.far_m / (self.far_m - (self.far_m - self.near_m) * depth)
        depth_m[segmentation < 0] = np.inf
        seen, index = np.unique(segmentation, return_inverse=True)
        labelled = np.array([self._labels.get(body, body) for body in seen.tolist()], dtype=np.int32)
        return Image(rgb, depth_m.astype(np.float32), labelled[index].reshape(height, width))
