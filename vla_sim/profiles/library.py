"""The library of hardware, models and published latencies. The data are YAML files beside this module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml

from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.errors import ConfigError, nearest
from vla_sim.mapping import read

# Where only a median is known. Of the order of what GPUs show for one model at batch 1; a placeholder all the same.
P95_OF_P50, P99_OF_P50 = 1.15, 1.4
PLACEHOLDER_SPREAD = f"p95 = {P95_OF_P50:g} p50 and p99 = {P99_OF_P50:g} p50 are placeholders"
T = TypeVar("T")


@dataclass(frozen=True)
class Hardware:
    """A computer. Peaks without structured sparsity, the whole board's or module's power."""

    name: str
    title: str
    memory_gb: float
    bandwidth_gb_s: float
    peak_tflops: dict[str, float]  # by precision: fp32 | fp16 | int8
    watts: float  # at full load
    source: str
    usd_per_hour: float | None = None  # rent on demand; None = not rented or not known
    usd_per_hour_spot: float | None = None
    priced_on: str = ""  # year-month of the prices

    def __post_init__(self) -> None:
        peaks = {f"peak_tflops.{precision}": value for precision, value in self.peak_tflops.items()}
        _positive(self, "memory_gb", "bandwidth_gb_s", "watts", "usd_per_hour", "usd_per_hour_spot", **peaks)
        _sourced(self.source)
        if self.usd_per_hour is not None and not self.priced_on:
            raise ConfigError("priced_on", "is missing", "say of when the price is, as 2026-03")


@dataclass(frozen=True)
class Phase:
    """A part of an inference: `passes` times the same weights over `tokens` tokens."""

    name: str
    parameters: float
    tokens: int
    passes: int = 1
    flops: float | None = None  # of one pass; None = 2 x parameters x tokens

    def __post_init__(self) -> None:
        _positive(self, "parameters", "tokens", "passes", "flops")

    @property
    def pass_flops(self) -> float:
        """Operations of one pass."""
        return 2.0 * self.parameters * self.tokens if self.flops is None else self.flops


@dataclass(frozen=True)
class Model:
    """A network that turns an observation into actions."""

    name: str
    title: str
    parameters: float
    source: str
    phases: tuple[Phase, ...] = ()  # what one inference runs, in order; empty = unknown
    weight_gb: dict[str, float] = field(default_factory=dict)  # by precision
    memory_gb: float | None = None  # while running, at the precision it is published in
    chunk: int | None = None  # actions of one inference

    def __post_init__(self) -> None:
        weights = {f"weight_gb.{precision}": value for precision, value in self.weight_gb.items()}
        _positive(self, "parameters", "memory_gb", "chunk", **weights)
        _sourced(self.source)

    @property
    def flops(self) -> float | None:
        """Operations of one inference; None = unknown."""
        return sum(phase.pass_flops * phase.passes for phase in self.phases) if self.phases else None


def _positive(entry: Any, *names: str, **more: float) -> None:
    for key, value in {**{name: getattr(entry, name) for name in names}, **more}.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(key, f"must be positive, got {value}")


def _sourced(source: str) -> None:
    if not source.strip():
        raise ConfigError("source", "is empty", "say where the figures come from")


def hardware(name: str) -> Hardware:
    """A computer by its name; raises ConfigError with the nearest one."""
    return _find(_hardware(), name, "hardware")


def model(name: str) -> Model:
    """A model by its name; raises ConfigError with the nearest one."""
    return _find(_models(), name, "model")


def profile(name: str) -> LatencyProfile:
    """A published latency by its name, MODEL[/VARIANT]@HARDWARE; raises ConfigError with the nearest one."""
    return _find(_latencies(), name, "latency profile")


def names() -> dict[str, list[str]]:
    """All names, under `hardware`, `models` and `profiles`."""
    return {"hardware": sorted(_hardware()), "models": sorted(_models()), "profiles": sorted(_latencies())}


def published(model_name: str, hardware_name: str) -> LatencyProfile | None:
    """The published latency of a model (or MODEL/VARIANT) on a computer, if there is one."""
    return _latencies().get(f"{model_name}@{hardware_name}")


@cache
def _hardware() -> dict[str, Hardware]:
    return {name: _entry(Hardware, name, data, "hardware") for name, data in _load("hardware").items()}


@cache
def _models() -> dict[str, Model]:
    return {name: _entry(Model, name, data, "models") for name, data in _load("models").items()}


@cache
def _latencies() -> dict[str, LatencyProfile]:
    found = {
        name: read(LatencyProfile, _spread(data), f"latencies.{name}") for name, data in _load("latencies").items()
    }
    for name in found:
        known, _, computer = name.partition("@")
        model(known.partition("/")[0])
        hardware(computer)
    return found


def _load(name: str) -> dict[str, Any]:
    text = resources.files("vla_sim.profiles").joinpath("data", f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def _entry(kind: type[T], name: str, data: Mapping[str, Any], group: str) -> T:
    return read(kind, {"name": name, **data}, f"{group}.{name}")


def _spread(data: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what a publication leaves out, and say so in the source."""
    filled = dict(data)
    if "p95_ms" not in filled and "p99_ms" not in filled and isinstance(filled.get("p50_ms"), int | float):
        filled.update(spread_of(filled["p50_ms"]))
        filled["source"] = f"{filled.get('source', '')}; {PLACEHOLDER_SPREAD}"
    return filled


def spread_of(p50_ms: float) -> dict[str, float]:
    """The placeholder quantiles above a median, ms."""
    return {"p95_ms": p50_ms * P95_OF_P50, "p99_ms": p50_ms * P99_OF_P50}


def _find(entries: Mapping[str, T], name: str, kind: str) -> T:
    if name not in entries:
        raise ConfigError(kind, f"unknown {name!r}", nearest(name, entries))
    return entries[name]


def resolve(name: str, device: Device) -> LatencyProfile:
    """The latency profile that `stack.<stage>.profile=name` means on a device.

    "pi0@orin_50w" is pi0 on that computer, wherever the stage runs; "pi0" is pi0 on the device's own hardware. Either
    is the published figure if there is one, else the roofline estimate; "pi0/eager" is a published variant or an
    error. FILE.yaml is a profile that `python -m vla_sim.profile` wrote.
    Raises ConfigError for an unknown name, a device whose hardware is not known, and a file that cannot be used.
    """
    from vla_sim.profiles.measured import load_profile
    from vla_sim.profiles.roofline import estimate

    if name.endswith((".yaml", ".yml")):
        return load_profile(name)
    wanted, at, computer = name.partition("@")
    known = model(wanted.partition("/")[0])
    if not at and not device.hardware:
        hint = f"name it, for example {wanted}@orin_50w, or give the device its `hardware`"
        raise ConfigError("profile", f"{wanted!r} on device {device.name!r}, whose hardware is not known", hint)
    machine = hardware(computer if at else device.hardware)
    found = published(wanted, machine.name)
    if found is None and "/" in wanted:
        problem = f"nobody has published {wanted}@{machine.name}"
        raise ConfigError("profile", problem, nearest(f"{wanted}@{machine.name}", _latencies()))
    return found or estimate(known, machine)
