"""What every test shares: properties that try the same examples on every machine, and no deadline on slow ones."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("vla_sim", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("vla_sim")
