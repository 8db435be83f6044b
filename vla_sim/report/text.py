"""Numbers as people read them. Every cell of a table goes through `cell`, so a test can repeat it."""

from __future__ import annotations

import math
from collections.abc import Callable

NONE = "–"  # there is no such value
Value = str | int | float | bool | None


def number(value: float | None, digits: int = 0) -> str:
    """With thousands separators; 0 digits below the point unless asked for."""
    return NONE if value is None else f"{value:,.{digits}f}"


def milliseconds(value: float | None) -> str:
    """Without unit: one digit below the point under 10 ms, two under 1 ms, none above."""
    if value is None:
        return NONE
    return number(value, 0 if value >= 10 or value == 0 else 1 if value >= 1 else 2)


def significant(value: float | None, digits: int = 3) -> str:
    """Three significant digits unless asked for, never in powers of ten; whole above a thousand."""
    if value is None:
        return NONE
    if value < 0:
        return f"\u2212{significant(-value, digits)}"
    if value == 0 or value >= 10 ** (digits - 1):
        return number(value)
    below = digits - 1 - math.floor(math.log10(value))
    text = f"{value:,.{min(below, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def dollars(value: float | None) -> str:
    """US dollars: cents above one, three significant digits below."""
    if value is None:
        return NONE
    return f"${number(value, 2) if value >= 1 else significant(value)}"


def seconds(value: float | None) -> str:
    """With its unit: milliseconds below a second."""
    if value is None:
        return NONE
    return f"{milliseconds(value * 1e3)} ms" if value < 1 else f"{significant(value)} s"


def percent(ratio: float | None) -> str:
    """A share of 1 as percent; only exactly all or nothing reads 100 % or 0 %."""
    if ratio is None:
        return NONE
    if 0 < abs(ratio) < 0.01 or 0.99 < ratio < 1:
        return f"{min(ratio * 100, 99.9) if ratio > 0 else ratio * 100:.1f}\u00a0%"
    return f"{ratio * 100:.0f}\u00a0%"


def points(difference: float | None) -> str:
    """A difference of two shares in percentage points, with its sign."""
    if difference is None:
        return NONE
    whole = round(difference * 100)
    return f"{whole:+d}".replace("-", "\u2212") if whole else "0"


def interval(low: float, high: float) -> str:
    """Two shares of 1 as one range in percent."""
    return f"{low * 100:.0f} to {high * 100:.0f}\u00a0%"


def signed(value: float | None) -> str:
    """Two digits below the point, with its sign."""
    if value is None:
        return NONE
    return "0" if round(value, 2) == 0 else f"{value:+.2f}".replace("-", "\u2212")


def words(name: str) -> str:
    """Snake case as words."""
    return name.replace("_", " ")


def p_value(value: float | None) -> str:
    """A p-value, never as a false zero."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


FORMATS: dict[str, Callable[..., str]] = {
    "text": str,
    "words": lambda value: words(str(value)),
    "int": number,
    "float": lambda value: number(value, 2),
    "short": significant,
    "ms": milliseconds,
    "dollars": dollars,
    "percent": percent,
    "points": points,
    "signed": signed,
    "p": p_value,
    "yes": lambda value: "yes" if value else "no",
}


def cell(value: Value, form: str) -> str:
    """The text of one table cell; `form` is a key of `FORMATS`."""
    return NONE if value is None else FORMATS[form](value)
