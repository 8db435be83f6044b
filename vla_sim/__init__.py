"""vla_sim: will this VLA still do its job on that chip, over that network, on that robot?

The stack and the harness. Worlds live in :mod:`envs`, bodies in :mod:`robots`; this package imports neither.
"""

__version__ = "0.1.0"
