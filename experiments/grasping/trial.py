"""One trial: the stack's own hands, guided by the truth, take the object and hold it in the air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.grasping.world import CONTROL_HZ, Scene, World
from robots.body import ReachZone
from robots.g1 import G1
from vla_sim.catalogue import SHAPES
from vla_sim.rng import stream
from vla_sim.stages.grasp import GraspPlanner
from vla_sim.stages.motion import Motion
from vla_sim.stages.skills import MotionConfig, Tick
from vla_sim.stages.tracking import Estimate
from vla_sim.types import Array, Detection, ObjectQuery, Plan, PlanStep

TIME_LIMIT_S, HOLD_S = 14.0, 1.5
LIFTED_M = 0.08  # of the 12 cm that the hand rises; the rest is what may slip or swing


@dataclass(frozen=True)
class Result:
    """How a trial ended, by the simulator's truth."""

    success: bool
    attempts: int
    reason: str  # held | dropped | fell, or why the stack gave up
    lowest_m: float  # clearance over the table while it was to be held
    slip_m: float  # of the object in the hand during that time
    grip: float  # measured when it was to be held


def draw(seed: int, trial: int, shape: str, mass_kg: float, friction: float, zone: ReachZone) -> Scene:
    """Where the object stands: the same for every hand, mass and friction."""
    random = stream(seed, trial, f"grasping/{shape}")
    side = 1.0 if random.random() < 0.5 else -1.0
    x, y = random.uniform(*zone.object_x), side * random.uniform(*zone.object_y)
    return Scene(shape, mass_kg, friction, x, y, random.uniform(-np.pi / 4, np.pi / 4), seed=trial)


def attempt(kind: G1, scene: Scene, config: MotionConfig | None = None) -> Result:
    """Take the object, lift it, hold it for `HOLD_S`."""
    world = World(kind, scene)
    try:
        return _Trial(world, config).run()
    finally:
        world.close()


class _Trial:
    def __init__(self, world: World, config: MotionConfig | None) -> None:
        self.world = world
        self.query = ObjectQuery(world.scene.shape, "red")
        self.motion, self.plan_grasp = Motion(world.spec, config), GraspPlanner(world.spec)
        self.motion.reset(world.body.state(0.0))
        steps = (PlanStep("perceive", "locate", self.query), PlanStep("manipulate", "pick", self.query))
        self.motion.start(Plan(steps))

    def run(self) -> Result:
        world, motion = self.world, self.motion
        while motion.outcome is None and world.time_s < TIME_LIMIT_S and not world.body.fallen:
            self.tick()
        if world.body.fallen:
            return self._ended("fell")
        if motion.outcome is None:
            return self._ended("time_out")
        if not motion.outcome.success:
            return self._ended(motion.outcome.reason)
        return self._hold()

    def tick(self) -> None:
        """One control period."""
        world, motion = self.world, self.motion
        motion.tick(Tick(world.time_s, world.body.state(world.time_s), {str(self.query): self._truth()}))
        if motion.request is not None:
            motion.answer(self.plan_grasp(motion.request))
        world.step(motion.command())

    def _truth(self) -> Estimate:
        shape = SHAPES[self.query.shape]
        pose = np.linalg.inv(self.world.body.pose_base_in_world()) @ self.world.object_pose()
        position = pose[:3, 3].copy()
        yaw = 0.0 if shape.round else float(np.arctan2(pose[1, 0], pose[0, 0]) + np.pi / 4) % (np.pi / 2) - np.pi / 4
        lying = shape.kind == "cylinder" and abs(float(pose[2, 2])) < 0.5
        top = position[2] + (shape.width_m if lying else shape.height_m) / 2
        seen = Detection(shape.name, "red", position, yaw, float(top), 1.0, 1.0, lying)
        return Estimate(seen, position, np.zeros(3), self.world.time_s, 0.0, moving=False, speed_m_s=0.0)

    def _hold(self) -> Result:
        """Stand still with it."""
        world = self.world
        hand = "left" if world.scene.y > 0 else "right"
        tool = world.body.links[f"{hand}_tool"]
        grip = float(world.body.state(world.time_s).grips[world.spec.hands.index(hand)])
        lowest, slip, start = np.inf, 0.0, self._in_tool(tool)
        for _ in range(round(HOLD_S * CONTROL_HZ)):
            world.step(self.motion.command())
            lowest = min(lowest, world.clearance_m())
            slip = max(slip, float(np.linalg.norm(self._in_tool(tool) - start)))
        if world.body.fallen:
            return self._ended("fell")
        held = lowest >= LIFTED_M
        return Result(held, self.motion.attempts, "held" if held else "dropped", lowest, slip, grip)

    def _in_tool(self, tool: int) -> Array:
        pose = self.world.body.link_poses_in_world([tool])[0]
        return np.asarray(pose[:3, :3].T @ (self.world.object_pose()[:3, 3] - pose[:3, 3]))

    def _ended(self, reason: str) -> Result:
        return Result(False, self.motion.attempts, reason, self.world.clearance_m(), 0.0, float("nan"))
