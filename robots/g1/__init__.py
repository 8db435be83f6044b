"""The Unitree G1: its model as data, how it walks, its PyBullet body."""

from robots.g1.kind import G1

__all__ = ["G1"]
