"""The cameras of a world: what is drawn, from where, with which sensor noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.randomise import turn_matrix
from envs.rendering.camera import Light, RasterRenderer, Renderer, look_at
from envs.rendering.meshes import Visual, load_visuals
from envs.rendering.scene import RenderScene, SceneBuilder
from envs.world import World
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
        self._room, room_spec = _room_camera(world)
        self.specs = {**world.spec.cameras, "third_person": room_spec}
        self._banks: dict[str, tuple[NDArray[np.int16], NDArray[np.float32]]] = {}
        self._robot: list[Visual] | None = None
        self._stale = True

    def rebuild(self, seed: int) -> None:
        """The world has been built anew. Meshes are only loaded when the first image is asked for."""
        self._seed, self._stale = seed, True

    def _describe(self) -> None:
        """Describe the world's bodies to the renderer."""
        if self._robot is None:
            self._robot = load_visuals(self.world.kind.looks)
        builder = SceneBuilder()
        links = self.world.robot.links
        for visual in self._robot:
            builder.add((self.world.robot.id, links[visual.link]), visual.mesh, visual.rgb, ROBOT_LABEL)
        for part in self.world.parts:
            builder.add((part.body, part.link), part.mesh, part.rgb, FIRST_BODY_LABEL + part.body)
        self.scene: RenderScene = builder.build()
        self.renderer: Renderer = RasterRenderer(self.scene, self._light())
        self._stale = False

    def _light(self) -> Light:
        """Light as drawn for this episode."""
        usual, drawn = Light(), self.world.drawn
        turned = turn_matrix((*drawn.light_turn, 0.0)) @ usual.direction
        direction = (float(turned[0]), float(turned[1]), float(turned[2]))
        return Light(direction, usual.ambient * drawn.light, usual.diffuse * drawn.light)

    def capture(self, name: str, *, noise: bool = True) -> Frame:
        """One image of camera `name` now; ConfigError when there is no such camera."""
        if name not in self.specs:
            raise ConfigError("cameras", f"there is no camera {name!r}", nearest(name, self.specs))
        if self._stale:
            self._describe()
        spec, world = self.specs[name], self.world
        in_world = self.pose_in_world(spec)
        state = world.robot.state(world.time_s)
        image = self.renderer.render(spec.intrinsics, in_world, self.part_poses())
        rgb, depth = image.rgb, image.depth_m
        if spec.link is not None and noise:
            rgb, depth = self._add_noise(spec, rgb, depth)
        in_base = in_world
        if spec.link is not None:
            in_base = world.robot.pose_camera_in_base(name, state.joints_rad)
        return Frame(
            name, world.time_s, rgb, spec.intrinsics, in_base, depth, image.segmentation, state.pose_base_in_odom
        )

    def pose_in_world(self, spec: CameraSpec) -> Array:
        """[4, 4] true optical frame of a camera."""
        if spec.link is None:
            return self._room
        true = self.world.robot.pose_camera_in_world(spec.name)
        return np.asarray(true @ self.world.drawn.camera_offset)

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
        share = self.world.drawn.sensor_noise
        grain, cut = bank_rgb[v : v + h, u : u + w], bank_depth[v : v + h, u : u + w]
        if share != 1.0:
            grain, cut = np.rint(grain * share).astype(np.int16), cut * np.float32(share)
        noisy = np.clip(rgb + grain, 0, 255).astype(np.uint8)
        return noisy, depth_m + cut * np.square(np.where(np.isfinite(depth_m), depth_m, 0) / np.float32(0.7))

    def _bank(self, spec: CameraSpec) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        if spec.name not in self._banks:
            shape = (spec.intrinsics.height + BANK_MARGIN, spec.intrinsics.width + BANK_MARGIN)
            rng = stream(0, 0, f"noise bank {spec.name}")
            rgb = np.rint(rng.normal(0, self.noise.rgb_sigma, (*shape, 3))).astype(np.int16)
            depth = rng.normal(0, self.noise.depth_sigma_m, shape).astype(np.float32)
            self._banks[spec.name] = rgb, depth
        return self._banks[spec.name]


def _room_camera(world: World) -> tuple[Array, CameraSpec]:
    """The camera of the room: pose [4, 4] and what it is, as the scene says."""
    view = world.scene.overview
    if view is None:
        return THIRD_PERSON, THIRD_PERSON_SPEC
    pose = look_at(np.array(view.eye), np.array(view.target), _up(view.eye, view.target))
    i = THIRD_PERSON_SPEC.intrinsics
    lens = Intrinsics.from_fov(i.width, i.height, np.radians(view.fov_deg))
    return pose, CameraSpec("third_person", lens, depth=False, link=None)


def _up(eye: tuple[float, ...], target: tuple[float, ...]) -> tuple[float, float, float]:
    """Upwards; for a camera that looks straight down, north."""
    straight_down = np.hypot(eye[0] - target[0], eye[1] - target[1]) < 1e-6
    return (0.0, 1.0, 0.0) if straight_down else (0.0, 0.0, 1.0)


BANK_MARGIN = 256
