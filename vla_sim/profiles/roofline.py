"""What an inference must cost on hardware that nobody has measured it on: arithmetic or memory, whichever is slower."""

from __future__ import annotations

from dataclasses import dataclass

from vla_sim.deployment.profile import LatencyProfile
from vla_sim.errors import ConfigError, nearest
from vla_sim.profiles.library import PLACEHOLDER_SPREAD, Hardware, Model, Phase, spread_of

# What tuned software reaches of a chip's peaks with matrices of some hundred rows at batch 1.
COMPUTE_EFFICIENCY, MEMORY_EFFICIENCY = 0.6, 0.7
# Published latencies over the estimate: tuned software from and to, other software at most. Small models on fast chips
# are the furthest off: they wait for kernels to be launched. tests/profiles/test_roofline.py holds the library to this.
TUNED_FROM, TUNED_TO, UNTUNED_TO = 0.6, 6.0, 31.0
BYTES = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0}  # of one weight


@dataclass(frozen=True)
class PhaseTime:
    """Where the time of one phase goes, ms, all its passes together."""

    name: str
    compute_ms: float
    memory_ms: float

    @property
    def ms(self) -> float:
        return max(self.compute_ms, self.memory_ms)

    @property
    def bound(self) -> str:
        """What the phase waits for: compute or memory."""
        return "compute" if self.compute_ms >= self.memory_ms else "memory"


def phase_times(model: Model, hardware: Hardware, precision: str = "fp16") -> tuple[PhaseTime, ...]:
    """Time of each phase at batch 1; arithmetic and traffic overlap within a phase, phases follow each other.

    Raises ConfigError for a model without phases, a precision the hardware does not have, and too little memory.
    """
    if not model.phases:
        raise ConfigError(
            "model", f"{model.name} has no phases to estimate from", "use a published or measured profile"
        )
    if precision not in hardware.peak_tflops or precision not in BYTES:
        offered = [known for known in hardware.peak_tflops if known in BYTES]
        raise ConfigError("precision", f"{hardware.name} has no {precision!r}", nearest(precision, offered))
    needed_gb = model.parameters * BYTES[precision] / 1e9
    if needed_gb > hardware.memory_gb:
        problem = f"the weights of {model.name} take {needed_gb:.3g} GB in {precision}"
        raise ConfigError("model", problem, f"{hardware.name} has {hardware.memory_gb:g} GB")
    return tuple(_time(phase, hardware, precision) for phase in model.phases)


def _time(phase: Phase, hardware: Hardware, precision: str) -> PhaseTime:
    flop_s = COMPUTE_EFFICIENCY * hardware.peak_tflops[precision] * 1e12
    byte_s = MEMORY_EFFICIENCY * hardware.bandwidth_gb_s * 1e9
    compute_s = phase.passes * phase.pass_flops / flop_s
    memory_s = phase.passes * phase.parameters * BYTES[precision] / byte_s
    return PhaseTime(phase.name, 1e3 * compute_s, 1e3 * memory_s)


def estimate(model: Model, hardware: Hardware, precision: str = "fp16") -> LatencyProfile:
    """Latency of one inference at batch 1. Its source names the bound, the efficiencies and the assumed spread.

    Raises ConfigError as `phase_times` does.
    """
    times = phase_times(model, hardware, precision)
    p50_ms = sum(time.ms for time in times)
    parts = ", ".join(f"{time.name} {time.ms:.3g} ms by {time.bound}" for time in times)
    source = (
        f"roofline of {model.name} in {precision} on {hardware.name} at {100 * COMPUTE_EFFICIENCY:g} % of peak compute "
        f"and {100 * MEMORY_EFFICIENCY:g} % of peak bandwidth: {parts}; where both are known, tuned software took "
        f"{TUNED_FROM:g}-{TUNED_TO:g} times the estimate and other software up to {UNTUNED_TO:g} times; "
        f"{PLACEHOLDER_SPREAD}"
    )
    spread = spread_of(p50_ms)
    return LatencyProfile(p50_ms, spread["p95_ms"], spread["p99_ms"], "roofline", source)
