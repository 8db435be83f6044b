"""The divergent component of motion (DCM) for the controller: the pendulum's prediction, pulled to the estimate."""

from __future__ import annotations

from robots.g1.walking.config import PERIOD_S
from robots.g1.walking.rotations import compiled
from robots.g1.walking.state import BALANCE, STEP, Record


@compiled
def observe(c: Record, w: float, e: Record, g: Record) -> None:
    """Raw and filtered DCM. Standing still there is no pressure centre to predict with: filtered alone."""
    predicts = g.mode == STEP or g.mode == BALANCE
    gain = c.observer_step_per_tick if g.mode == STEP else c.observer_stand_per_tick
    for i in range(2):
        g.dcm_raw[i] = e.com[i] + e.com_velocity[i] / w
        if g.dcm_started == 0:
            g.dcm[i] = g.dcm_raw[i]
        if predicts:
            g.dcm[i] += w * (g.dcm[i] - g.cop[i]) * PERIOD_S
        g.dcm[i] += gain * (g.dcm_raw[i] - g.dcm[i])
    g.dcm_started = 1.0
