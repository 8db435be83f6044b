"""The cameras of a world: what is drawn, from where, with which sensor noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.rendering.camera import RasterRenderer, Renderer, look_at
from envs.rendering.meshes import Visual, load_visuals
from envs.rendering.scene import RenderScene, SceneBuilder
from envs.world import World
from robots.g1.body import OPTICAL_IN_LINK
from robots.g1.model import CAMERA_LINK
from robots.g1.urdf import g1_files
from vla_sim.errors import ConfigError, nearest
from vla_sim.rng import stream
from vla_sim.spec import CameraSpec
from vla_sim.types import Array, Frame, Intrinsics

ROBOT_LABEL = 1
FIRST_BODY_LABEL = 2
THIRD_PERSON = look_at(np.array([1.15, -0.95, 1.35]), np.array([0.12, 0.0, 0.80]))
THIRD_PERSON_SPEC = CameraSpec("third_person", Intrinsics.from_fov(640, 480, np.radians(50)), depth=False, link=None)


@dataclass(frozen=True)
class SensorNoise:
    """Gaussian pixel noise: colour in grey levels; depth in m at 0.7 m, growing with the square of the distance."""

    rgb_sigma: float = 5.0
    depth_sigma_m: float = 0.002


class Cameras:
    """Takes pictures of a `World`. Call `rebuild` after each `World.build`."""

    def __init__(self, world: World, noise: SensorNoise) -> None:
        self.world, self.noise = world, noise
        self.specs = {**world.spec.cameras, "third_person": THIRD_PERSON_SPEC}
        self._banks: dict[str, tuple[NDArray[np.int16], NDArray[np.float32]]] = {}
        self._robot: list[Visual] = load_visuals(g1_files().full)

    def rebuild(self, seed: int) -> None:
        """Describe the world's bodies to the renderer."""
        self._seed = seed
        builder = SceneBuilder()
        links = self.world.robot.links
        for visual in self._robot:
            builder.add((self.world.robot.id, links[visual.link]), visual.mesh, visual.rgb, ROBOT_LABEL)
        for part in self.world.parts:
            builder.add((part.body, part.link), part.mesh, part.rgb, FIRST_BODY_LABEL + part.body)
        self.scene: RenderScene = builder.build()
        self.renderer: Renderer = RasterRenderer(self.scene)

    def capture(self, name: str, *, noise: bool = True) -> Frame:
        """One image of camera `name` now; ConfigError when there is no such camera."""
        if name not in self.specs:
            raise ConfigError("cameras", f"there is no camera {name!r}", nearest(name, self.specs))
        spec, world = self.specs[name], self.world
        in_world = self.pose_in_world(spec)
        image = self.renderer.render(spec.intrinsics, in_world, self.part_poses())
        rgb, depth = image.rgb, image.depth_m
        if spec.link is not None and noise:
            rgb, depth = self._add_noise(spec, rgb, depth)
        in_base = in_world
        if spec.link is not None:
            in_base = world.robot.pose_camera_in_base(world.robot.state(world.time_s).joints_rad)
        return Frame(name, world.time_s, rgb, spec.intrinsics, in_base, depth, image.segmentation)

    def pose_in_world(self, spec: CameraSpec) -> Array:
        """[4, 4] true optical frame of a camera."""
        if spec.link is None:
            return THIRD_PERSON
        link = self.world.robot.links[CAMERA_LINK]
        return np.asarray(self.world.robot.link_poses_in_world([link])[0] @ OPTICAL_IN_LINK)

    def part_poses(self) -> Array:
        """[n_parts, 4, 4] where each drawn part is now."""
        world, keys = self.world, self.scene.keys
        poses = np.tile(np.eye(4), (len(keys), 1, 1))
        of_robot = [i for i, (body, _) in enumerate(keys) if body == world.robot.id]
        poses[of_robot] = world.robot.link_poses_in_world([keys[i][1] for i in of_robot])
        for i, (body, link) in enumerate(keys):
            if body == world.robot.id:
                continue
            if link >= 0:
                poses[i] = world.link_pose(body, link)
            else:
                poses[i, :3, 3], poses[i, :3, :3] = world.pose(body)
        return poses

    def _add_noise(
        self, spec: CameraSpec, rgb: NDArray[np.uint8], depth_m: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Noise cut from a fixed bank at a place that depends on seed and time alone, not on what was drawn before."""
        h, w = depth_m.shape
        bank_rgb, bank_depth = self._bank(spec)
        rng = stream(self._seed, self.world.ticks, f"noise {spec.name}")
        v, u = rng.integers(0, BANK_MARGIN, 2)
        noisy = np.clip(rgb + bank_rgb[v : v + h, u : u + w], 0, 255).astype(np.uint8)
        cut = bank_depth[v : v + h, u : u + w]
        return noisy, depth_m + cut * np.square(np.where(np.isfinite(depth_m), depth_m, 0) / np.float32(0.7))

    def _bank(self, spec: CameraSpec) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        if spec.name not in self._banks:
            shape = (spec.intrinsics.height + BANK_MARGIN, spec.intrinsics.width + BANK_MARGIN)
            rng = stream(0, 0, f"noise bank {spec.name}")
            rgb = np.rint(rng.normal(0, self.noise.rgb_sigma, (*shape, 3))).astype(np.int16)
            depth = rng.normal(0, self.noise.depth_sigma_m, shape).astype(np.float32)
            self._banks[spec.name] = rgb, depth
        return self._banks[spec.name]


BANK_MARGIN = 256
