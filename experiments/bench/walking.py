"""The walking G1 with its controller against bare stepping of the same world: the same motor targets replayed."""

from __future__ import annotations

import numpy as np
import pybullet as p

from experiments.bench.timing import Row, median_ratio, timed
from robots.articulated import Articulated
from robots.body import Start
from robots.g1 import G1
from vla_sim.types import Command

PAIRS, PERIODS = 9, 400  # of the control, at 100 Hz: four seconds
RATE_HZ, STEPS = 100.0, 5
VELOCITY = np.array([0.35, 0.0, 0.15])


def walking_row() -> Row:
    """Simulated seconds a second while it walks in an arc, sensors, estimator and controller at work, and bare."""
    walk = _Walk()
    ours, bare = [], []
    for pair in range(-1, PAIRS):  # the first compiles
        walk.reset(pair + 1)
        took = timed(walk.controlled)
        reference = timed(walk.bare)
        if pair >= 0:
            ours.append(took)
            bare.append(reference)
    walk.close()
    share = 1 / median_ratio(ours, bare)
    rates = [PERIODS / RATE_HZ / float(np.median(took)) for took in (ours, bare)]
    return ("walking / bare stepping", f"{rates[0]:.2f}x real", f"{rates[1]:.2f}x real", f"{share:.2f}", ">= 0.90")


class _Walk:
    """A G1 on a floor, first under control, then on with motors held and nothing but the physics."""

    def __init__(self) -> None:
        self.client = p.connect(p.DIRECT)
        self.on = {"physicsClientId": self.client}

    def reset(self, seed: int) -> None:
        p.resetSimulation(**self.on)
        p.setGravity(0, 0, -9.81, **self.on)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1 / (RATE_HZ * STEPS), numSolverIterations=50, deterministicOverlappingPairs=1, **self.on
        )
        p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, **self.on), **self.on)
        kind = G1()
        self.body: Articulated = kind.build(self.client, kind.spec(RATE_HZ), RATE_HZ * STEPS)
        self.body.reset(Start(seed=seed))
        self.upper = self.body.commanded_rad[self.body.spec.upper_index].copy()
        self._run(100, np.zeros(3))
        self._run(200, VELOCITY)

    def _run(self, periods: int, velocity: np.ndarray) -> None:
        command = Command(self.upper, np.ones(2), velocity)
        for _ in range(periods):
            self.body.apply(command)
            for _ in range(STEPS):
                self.body.before_step()
                p.stepSimulation(**self.on)

    def controlled(self) -> None:
        """Walk on under control, and note what the motors were told."""
        saved = p.saveState(**self.on)
        self.told: list[list[float]] = []
        send = self.body.drive

        def drive(targets: list[float]) -> None:
            self.told.append(targets)
            send(targets)

        self.body.drive = drive  # type: ignore[method-assign]
        self._run(PERIODS, VELOCITY)
        self.body.drive = send  # type: ignore[method-assign]
        p.restoreState(saved, **self.on)
        p.removeState(saved, **self.on)

    def bare(self) -> None:
        """The same steps from the same state with the same motor targets, and nothing else."""
        every = PERIODS * STEPS // len(self.told)
        for targets in self.told:
            self.body.drive(targets)
            for _ in range(every):
                p.stepSimulation(**self.on)

    def close(self) -> None:
        p.disconnect(**self.on)
