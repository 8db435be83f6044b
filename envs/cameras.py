"""The cameras of a world: what is drawn, from where, in which light, with which sensor noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from envs.bodies import Part
from envs.randomise import Drawn, turn_matrix
from envs.rendering.camera import Light, RasterRenderer, look_at, resized
from envs.rendering.meshes import Visual, load_visuals
from envs.rendering.scene import RenderScene, SceneBuilder
from envs.scene import Layout
from envs.scene_file import Scene
from robots.articulated import planar_pose
from robots.body import Body, BodyKind, Start
from vla_sim.errors import ConfigError, nearest
from vla_sim.rng import stream
from vla_sim.spec import CameraSpec, RobotSpec
from vla_sim.types import Array, Frame, Intrinsics, RobotState

ROBOT_LABEL = 1
FIRST_BODY_LABEL = 2
BESIDE_EYE, BESIDE_TARGET = np.array([1.15, -0.95, 1.35]), np.array([0.12, 0.0, 0.80])
BESIDE_FOR_M = 1.24  # eyes of the robot that this place shows from head to table; others are seen from farther away
THIRD_PERSON_SPEC = CameraSpec("third_person", Intrinsics.from_fov(640, 480, np.radians(50)), depth=False, link=None)
FOLLOW_EYE, FOLLOW_TARGET = np.array([-1.4, -1.1, 3.3]), np.array([0.1, 0.1, 0.7])  # from where the robot stands
FOLLOW_CLEAR_M = 0.6  # walls and people that reach further than this above what it looks at are cut away
BANK_MARGIN = 256
RIGID_TOLERANCE = 1e-6
SIDE_MAX_PX = 8192


class Pictured(Protocol):
    """The world as its cameras need it."""

    spec: RobotSpec
    kind: BodyKind
    robot: Body
    scene: Scene
    layout: Layout
    drawn: Drawn
    parts: list[Part]
    ticks: int

    @property
    def time_s(self) -> float: ...

    @property
    def robot_state(self) -> RobotState: ...

    def pose(self, body: int) -> tuple[Array, Array]: ...

    def link_pose(self, body: int, link: int) -> Array: ...


@dataclass(frozen=True)
class SensorNoise:
    """Gaussian pixel noise: colour in grey levels; depth in m at 0.7 m, growing with the square of the distance."""

    rgb_sigma: float = 5.0
    depth_sigma_m: float = 0.002


@dataclass(frozen=True, eq=False)
class Look:
    """What an episode changes about the pictures. As it stands: nothing.

    `offsets` [4, 4] by camera: where the camera truly is in the optical frame in which the robot believes it to be.
    """

    light: Light = field(default_factory=Light)
    offsets: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    rgb_noise: float = 1.0  # factors on `SensorNoise`
    depth_noise: float = 1.0

    def __post_init__(self) -> None:
        for key in ("rgb_noise", "depth_noise"):
            if not 0.0 <= getattr(self, key) < np.inf:
                raise ConfigError(f"look.{key}", f"must not be negative or infinite, got {getattr(self, key):g}")
        for name, pose in self.offsets.items():
            turn = np.asarray(pose)[:3, :3]
            rigid = np.shape(pose) == (4, 4) and np.allclose(turn @ turn.T, np.eye(3), rtol=0, atol=RIGID_TOLERANCE)
            if not rigid or np.linalg.det(turn) < 0:
                raise ConfigError(f"look.offsets.{name}", "is no rigid [4, 4] pose")


class Cameras:
    """Takes pictures of a world. Call `rebuild` after each time the world was built.

    Nothing is loaded before the first picture, so that who never looks does not pay.
    """

    def __init__(self, world: Pictured, noise: SensorNoise) -> None:
        self.world, self.noise = world, noise
        self.specs = {**world.spec.cameras, "third_person": THIRD_PERSON_SPEC}
        self.look = Look()
        self._banks: dict[tuple[str, int, int], tuple[NDArray[np.int16], NDArray[np.float32]]] = {}
        self._renderer: RasterRenderer | None = None

    def rebuild(self, seed: int, look: Look | None = None) -> None:
        """The world was built anew: its bodies are described to the renderer when the first picture is asked for.

        Without a `look`, pictures look as the world's randomisation has drawn it.
        """
        self._seed, self._renderer = seed, None
        self.vary(look or look_of(self.world.drawn))

    def vary(self, look: Look) -> None:
        """From now on pictures look so; ConfigError when an offset is that of no camera."""
        for name in look.offsets:
            self._check_name(name, "look.offsets")
        self.look = look
        if self._renderer is not None:
            self._renderer.light = look.light

    def resize(self, name: str, width: int, height: int) -> None:
        """Give a camera another resolution and the same vertical field of view; ConfigError when that cannot be."""
        self._check_name(name, "cameras")
        if not (1 <= width <= SIDE_MAX_PX and 1 <= height <= SIDE_MAX_PX):
            raise ConfigError(
                f"cameras.{name}", f"an image of {width} x {height} pixels cannot be", "usual is 640 x 480"
            )
        self.specs[name] = replace(self.specs[name], intrinsics=resized(self.specs[name].intrinsics, width, height))

    def room_view(self) -> Array:
        """[4, 4] in the world: where the camera in the room is. Among rooms it looks down on the robot and goes along.

        In the open it stands beside the place where the robot began.
        """
        world = self.world
        if world.scene.rooms:
            over = world.robot.link_poses_in_world([-1])[0, :3, 3] * (1.0, 1.0, 0.0)
            return look_at(over + FOLLOW_EYE, over + FOLLOW_TARGET)
        x, y, yaw = world.layout.start
        larger = world.kind.reach_zone().eye_xz[1] / BESIDE_FOR_M
        return np.asarray(planar_pose(Start(x, y, yaw)) @ look_at(larger * BESIDE_EYE, larger * BESIDE_TARGET))

    @property
    def renderer(self) -> RasterRenderer:
        """What draws the world as it was last built."""
        if self._renderer is None:
            self._renderer = RasterRenderer(self._describe(), self.look.light)
        return self._renderer

    @property
    def scene(self) -> RenderScene:
        """All that is drawn."""
        return self.renderer.scene

    def capture(self, name: str, intrinsics: Intrinsics | None = None, *, noise: bool = True) -> Frame:
        """One image of camera `name` now, through another lens on request; ConfigError when there is no such camera."""
        self._check_name(name, "cameras")
        spec, world = self.specs[name], self.world
        lens = intrinsics or spec.intrinsics
        image = self.renderer.render(lens, self.pose_in_world(spec), self.part_poses(), self._near_m(spec))
        rgb, depth = image.rgb, image.depth_m
        if spec.link is None:
            return Frame(name, world.time_s, rgb, lens, self.room_view(), depth, image.segmentation)
        if noise:
            rgb, depth = self._add_noise(name, rgb, depth)
        state = world.robot_state
        in_base = world.robot.pose_camera_in_base(name, state.joints_rad)
        return Frame(name, world.time_s, rgb, lens, in_base, depth, image.segmentation, state.pose_base_in_odom)

    def pose_in_world(self, spec: CameraSpec) -> Array:
        """[4, 4] true optical frame of a camera."""
        pose = self.room_view() if spec.link is None else self.world.robot.pose_camera_in_world(spec.name)
        offset = self.look.offsets.get(spec.name)
        return pose if offset is None else np.asarray(pose @ offset)

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

    # -- inside -------------------------------------------------------------------------------------------------
    def _check_name(self, name: str, key: str) -> None:
        if name not in self.specs:
            raise ConfigError(key, f"there is no camera {name!r}", nearest(name, self.specs))

    def _near_m(self, spec: CameraSpec) -> float | None:
        if spec.link is None and self.world.scene.rooms:
            return float(np.linalg.norm(FOLLOW_TARGET - FOLLOW_EYE)) - FOLLOW_CLEAR_M
        return None

    def _describe(self) -> RenderScene:
        builder, robot = SceneBuilder(), self.world.robot
        for visual in _visuals(self.world.kind.looks):
            builder.add((robot.id, robot.links[visual.link]), visual.mesh, visual.rgb, ROBOT_LABEL)
        for part in self.world.parts:
            builder.add((part.body, part.link), part.mesh, part.rgb, FIRST_BODY_LABEL + part.body)
        return builder.build()

    def _add_noise(
        self, name: str, rgb: NDArray[np.uint8], depth_m: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Noise cut from a fixed bank at a place that depends on seed and time alone, not on what was drawn before."""
        h, w = depth_m.shape
        bank_rgb, bank_depth = self._bank(name, h, w)
        rng = stream(self._seed, self.world.ticks, f"noise {name}")
        v, u = rng.integers(0, BANK_MARGIN, 2)
        in_rgb, in_depth = bank_rgb[v : v + h, u : u + w], bank_depth[v : v + h, u : u + w]
        if self.look.rgb_noise != 1.0:
            in_rgb = np.rint(in_rgb * self.look.rgb_noise).astype(np.int16)
        if self.look.depth_noise != 1.0:
            in_depth = in_depth * np.float32(self.look.depth_noise)
        noisy = np.clip(rgb + in_rgb, 0, 255).astype(np.uint8)
        return noisy, depth_m + in_depth * np.square(np.where(np.isfinite(depth_m), depth_m, 0) / np.float32(0.7))

    def _bank(self, name: str, height: int, width: int) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        if (name, height, width) not in self._banks:
            shape = (height + BANK_MARGIN, width + BANK_MARGIN)
            rng = stream(0, 0, f"noise bank {name}")
            rgb = np.rint(rng.normal(0, self.noise.rgb_sigma, (*shape, 3))).astype(np.int16)
            depth = rng.normal(0, self.noise.depth_sigma_m, shape).astype(np.float32)
            self._banks[name, height, width] = rgb, depth
        return self._banks[name, height, width]


def look_of(drawn: Drawn) -> Look:
    """The pictures' part of what randomisation drew: light, the head camera's place, noise."""
    plain = Light()
    x, y, z = (turn_matrix((*drawn.light_turn, 0.0)) @ plain.direction).tolist()
    light = Light((x, y, z), plain.ambient * drawn.light, plain.diffuse * drawn.light)
    off = any((*drawn.camera_shift_m, *drawn.camera_turn_rad))
    return Look(light, {"head": drawn.camera_offset} if off else {}, drawn.sensor_noise, drawn.sensor_noise)


@lru_cache(maxsize=8)
def _visuals(urdf: Path) -> tuple[Visual, ...]:
    """Read once a process: worlds of the same robot draw the same meshes."""
    return tuple(load_visuals(urdf))
