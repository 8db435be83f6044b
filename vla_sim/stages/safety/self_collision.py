"""Distance of the arms to the rest of the body: a command does not bring two parts nearer that are near already.

The body is capsules on links (`KinematicsSpec.capsules`). A pair can meet when an arm moves one part and not the other,
and when more joints lie between the two than those of a shoulder: neighbours touch by construction, and what they can
do to each other the joint limits say.
"""

from __future__ import annotations

import numpy as np

from vla_sim.spec import KinematicsSpec, RobotSpec
from vla_sim.stages.safety.capsules import pair_distances, place_ends
from vla_sim.stages.safety.rules import Intervention
from vla_sim.stages.safety.tree import Index, JointTree, load, place_joints
from vla_sim.types import Array, RobotState

NEIGHBOUR_JOINTS = 3  # as many lie between a torso and the upper arm on it
CREEP_M = 1e-9  # nearer by less is rounding


class SelfCollision:
    """The distances of one robot's body to itself."""

    def __init__(self, spec: RobotSpec, kinematics: KinematicsSpec, least_m: float) -> None:
        self.least_m, self._capsules = least_m, kinematics.capsules
        links = tuple(capsule.link for capsule in self._capsules)
        self._tree, self._joint, frames = load(kinematics.urdf, spec.joints, links)
        ends = np.array([(capsule.start_m, capsule.end_m) for capsule in self._capsules])
        self._ends = np.einsum("kij,kej->kei", frames[:, :, :3], ends) + frames[:, None, :, 3]
        self._radii = np.array([capsule.radius_m for capsule in self._capsules])
        arms = [frozenset(spec.joints.index(name) for name in arm.joints) for arm in kinematics.arms.values()]
        self.pairs = _pairs(self._tree, self._joint, arms)
        self._upper = spec.upper_index
        self._groups = _groups(spec, arms)
        self._angles = np.zeros(len(spec.joints))
        self._poses = np.zeros((self._tree.size, 3, 4))
        self._placed = np.zeros_like(self._ends)

    def distances(self, state: RobotState, joints_rad: Array) -> Array:
        """[m] m of every pair with the upper body at `joints_rad` [n_upper] and the legs as measured."""
        found = np.empty(len(self.pairs))
        self._measure(state, joints_rad, found)
        return found

    def names(self, pair: int) -> str:
        """The links of a pair."""
        first, second = (self._capsules[i].link for i in self.pairs[pair])
        return f"{first}/{second}"

    def check(self, wanted: Array, before: Array, state: RobotState) -> tuple[Array, list[Intervention]]:
        """The targets [n_upper] without what brings parts of the body together, coming from `before` [n_upper].

        The motion is taken back and given again arm by arm (the waist last) where that only widens distances. An arm
        stops as a whole: with single joints held its hand would leave its path. Legs are as measured. Targets that
        need no change are returned themselves.
        """
        found = np.empty(len(self.pairs))
        if not self._measure(state, wanted, found) < self.least_m:
            return wanted, []
        now = self.distances(state, before)
        if not self._offends(found, now):
            return wanted, []
        worst = int(np.where(found < now - CREEP_M, found, np.inf).argmin())
        change = Intervention("self_collision", self.names(worst), float(found[worst]), self.least_m)
        kept = before
        for group in self._groups:
            tried = kept.copy()
            tried[group] = wanted[group]
            self._measure(state, tried, found)
            if not self._offends(found, now):
                kept = tried
        return kept, [change]

    def _offends(self, found: Array, now: Array) -> bool:
        return bool(((found < self.least_m) & (found < now - CREEP_M)).any())

    def _measure(self, state: RobotState, joints_rad: Array, found: Array) -> float:
        tree = self._tree
        self._angles[:] = state.joints_rad
        self._angles[self._upper] = joints_rad
        place_joints(tree.parents, tree.places, tree.axes, tree.slides, tree.source, self._angles, self._poses)
        place_ends(self._ends, self._joint, self._poses, self._placed)
        return float(pair_distances(self.pairs, self._placed, self._radii, found))


def _pairs(tree: JointTree, joint: Index, arms: list[frozenset[int]]) -> Index:
    """[m, 2] capsules that can meet."""
    movers = [tree.movers(int(j)) for j in joint]
    sides = [next((i for i, arm in enumerate(arms) if arm & moved), -1) for moved in movers]
    found = [
        (i, j)
        for i in range(len(movers))
        for j in range(i + 1, len(movers))
        if sides[i] != sides[j] and len(movers[i] ^ movers[j]) > NEIGHBOUR_JOINTS
    ]
    return np.array(found, dtype=np.intp).reshape(-1, 2)


def _groups(spec: RobotSpec, arms: list[frozenset[int]]) -> list[Index]:
    """The upper joints of each arm, then all others: what is taken back together."""
    upper = spec.upper_index.tolist()
    groups = [[i for i, joint in enumerate(upper) if joint in arm] for arm in arms]
    groups.append([i for i, joint in enumerate(upper) if not any(joint in arm for arm in arms)])
    return [np.array(group, dtype=np.intp) for group in groups if group]
