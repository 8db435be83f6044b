"""Standing: the centre of mass is driven to the middle of the feet by leaning at ankles and hips."""

from __future__ import annotations

import numpy as np

from robots.g1.model import JOINT_NAMES, ready_posture
from vla_sim.kinematics import BodyModel
from vla_sim.types import Array

GAIN_PER_S = 5.0
LEAN_MAX_RAD = 0.15
COM_HEIGHT_M = 0.75  # lever from ankle to centre of mass
FOOT_MIDDLE_M = 0.035  # the sole's middle ahead of the ankle


class Balance:
    """Integrates the lean that keeps the centre of mass over the feet.

    It works on the **commanded** joints: measured ones close a loop through the stiff motors that rocks and falls.
    """

    def __init__(self, model: BodyModel) -> None:
        self._model = model
        ready = ready_posture()
        names = [name for name in JOINT_NAMES if "ankle_pitch" in name or "hip_pitch" in name]
        self._index = np.array([JOINT_NAMES.index(name) for name in names], dtype=np.intp)
        self._sign = np.array([1.0 if "ankle" in name else -1.0 for name in names])
        self._neutral = ready[self._index]
        self.lean_rad = 0.0

    def reset(self) -> None:
        self.lean_rad = 0.0

    def update(self, commanded_rad: Array, period_s: float) -> None:
        """Write the leg targets for the next control period into `commanded_rad` [29]."""
        com = self._model.com_in_base(commanded_rad)
        lean = self.lean_rad + GAIN_PER_S * (com[0] - FOOT_MIDDLE_M) / COM_HEIGHT_M * period_s
        self.lean_rad = float(np.clip(lean, -LEAN_MAX_RAD, LEAN_MAX_RAD))
        commanded_rad[self._index] = self._neutral + self._sign * self.lean_rad
