"""The Unitree G1: its model as data, its PyBullet body, and the simulated robot."""
