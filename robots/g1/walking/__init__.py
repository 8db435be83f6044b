"""Walking of the G1: step planner, observer, centre-of-mass control, leg kinematics, state machine and estimator.

All of one tick runs in one compiled call (`core.tick`); `Walker` is its face.
"""

from robots.g1.walking.config import SensorNoise, WalkerConfig
from robots.g1.walking.truth import Truth, TruthReader
from robots.g1.walking.walker import Walker

__all__ = ["SensorNoise", "Truth", "TruthReader", "Walker", "WalkerConfig"]
