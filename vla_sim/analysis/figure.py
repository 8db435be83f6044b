"""A number with its unit and where it comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass

NONE = "–"  # there is no such value
PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
SCALED = ("FLOP", "FLOP/s", "B")  # units that take a prefix


@dataclass(frozen=True)
class Figure:
    """`value` None = not known, and `source` says why."""

    value: float | None
    unit: str
    source: str

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a figure must be finite, got {self.value} {self.unit}")

    def text(self, unit: str = "") -> str:
        """As people read it: three digits, with its unit unless that is said elsewhere."""
        if self.value is None:
            return NONE
        if unit and self.unit == unit:
            return digits(self.value)
        if self.unit in SCALED:
            factor, prefix = next(((f, p) for f, p in PREFIXES if abs(self.value) >= f), (1.0, ""))
            return f"{digits(self.value / factor)} {prefix}{self.unit}"
        if self.unit == "%":
            return percent(self.value)
        return f"{digits(self.value)} {self.unit}".rstrip()


def digits(value: float) -> str:
    """Three significant digits, but never fewer than the whole ones."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}"


def percent(value: float) -> str:
    """A share given in percent; only exactly none reads 0 %, only exactly all 100 %."""
    if value == 0 or value == 100:
        return f"{value:.0f} %"
    if 90 < value < 100:
        return f"{min(value, 99.9):.1f} %"
    if value < 0.1:
        return f"{value:.1g} %"
    return f"{value:.1f} %" if value < 10 else f"{value:,.0f} %"
