"""Our rasteriser against PyBullet's TinyRenderer, 224x224 RGB + depth + segmentation of the G1 at its table."""

from __future__ import annotations

import numpy as np

import envs
from envs.rendering.tiny import TinyRenderer
from experiments.bench.timing import Row, median_ratio, timed
from vla_sim.types import Intrinsics

FRAMES = 30


def renderer_row() -> Row:
    """One frame of the robot at its table, by both renderers in alternation."""
    env = envs.make("VlaSim/PickPlace-v0")
    env.restart(3)
    cameras = env.cameras
    intrinsics = Intrinsics.from_fov(224, 224, np.radians(60))
    pose = cameras.pose_in_world(cameras.specs["third_person"])
    tiny = TinyRenderer(env.world.client)
    parts = cameras.part_poses()
    ours, theirs = [], []
    for i in range(FRAMES + 1):
        a = timed(lambda: cameras.renderer.render(intrinsics, pose, parts))
        b = timed(lambda: tiny.render(intrinsics, pose, parts))
        if i:
            ours.append(a)
            theirs.append(b)
    env.close()
    ratio = median_ratio(ours, theirs)
    name = f"raster / TinyRenderer, {len(cameras.scene.faces)} triangles"
    return (name, f"{1e3 * np.median(ours):.2f} ms", f"{1e3 * np.median(theirs):.2f} ms", f"{ratio:.3f}", "<= 0.2")
