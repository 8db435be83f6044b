"""The PAL Robotics Talos: its model as data, its PyBullet body. It stands."""

from robots.talos.kind import Talos

__all__ = ["Talos"]
