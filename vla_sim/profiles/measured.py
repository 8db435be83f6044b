"""What a measurement on this machine found, and the file it is kept in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_sim.deployment.profile import LatencyProfile
from vla_sim.errors import ConfigError
from vla_sim.mapping import read
from vla_sim.types import Array

P999_CALLS = 1000  # with fewer, the 99.9 % quantile would be the maximum under another name


@dataclass(frozen=True)
class Timing:
    """Quantiles of the warm calls, ms."""

    calls: int
    min_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float | None  # None with fewer than 1000 calls
    max_ms: float

    @classmethod
    def of(cls, durations_s: Array) -> Timing:
        """`durations_s` [n] of single calls, n >= 1."""
        ms = 1e3 * np.asarray(durations_s, float)
        p50, p90, p95, p99, p999 = (float(q) for q in np.quantile(ms, [0.5, 0.9, 0.95, 0.99, 0.999]))
        tail = p999 if len(ms) >= P999_CALLS else None
        return cls(len(ms), float(ms.min()), p50, p90, p95, p99, tail, float(ms.max()))

    def profile(self, source: str) -> LatencyProfile:
        """As a device profile."""
        return LatencyProfile(
            self.p50_ms, self.p95_ms, self.p99_ms, "measured here", source,
            min_ms=self.min_ms, max_ms=self.max_ms, p999_ms=self.p999_ms,
        )  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """One stage in one fresh process. Memory is what the process grew by."""

    threads_asked: int | None  # None = as many as the libraries take by themselves
    load_ms: float  # importing and building the whole stack, or loading the model file; compiled code from its cache
    first_call_ms: float
    warm: Timing
    threads: int  # of the process when the calls were over
    processor_ms: float  # mean a call, all threads together: what other programs on the machine hardly change
    cores_busy: float  # processor time per wall time during the calls
    memory_loaded_mb: float | None  # by loading; None where the system does not say
    memory_peak_mb: float | None  # by loading and all calls, at its highest


@dataclass(frozen=True)
class StageReport:
    """A stage measured here: with the libraries' own number of threads, and with one."""

    stage: str
    inputs: int  # distinct ones among the calls, replayed in turn
    default: Measurement
    one_thread: Measurement
    command: str
    date: str
    host: Mapping[str, Any]

    @property
    def profile(self) -> LatencyProfile:
        """The latency with the libraries' own number of threads."""
        host, warm = self.host, self.default.warm
        where = f"{host.get('cpu', 'unknown processor')}, {host.get('cores', '?')} cores"
        return warm.profile(f"{self.command}: {warm.calls} calls over {self.inputs} inputs on {where}, {self.date}")


def save_report(report: StageReport, path: Path) -> None:
    """Write a profile file. Raises ConfigError when that is not possible."""
    contents = {
        "stage": report.stage,
        "profile": as_mapping(report.profile),
        "inputs": report.inputs,
        "default": asdict(report.default),
        "one_thread": asdict(report.one_thread),
        "command": report.command,
        "date": report.date,
        "host": dict(report.host),
    }
    _write(path, contents, f"The stage {report.stage}, measured. Use: stack.{report.stage}.profile={path}")


def save_device(reports: list[StageReport], path: Path) -> None:
    """Write what was measured as a device, which a copy in `conf/device/` makes a choice of `device@devices.robot`."""
    profiles = {report.stage: as_mapping(report.profile) for report in reports}
    _write(
        path, {"name": path.stem, "profiles": profiles}, "This machine. As conf/device/NAME.yaml it is a device NAME."
    )


def as_mapping(profile: LatencyProfile) -> dict[str, Any]:
    """A profile as `vla_sim.mapping.read` reads it, without what is None."""
    return {key: value for key, value in asdict(profile).items() if value is not None}


def _write(path: Path, contents: Mapping[str, Any], heading: str) -> None:
    text = yaml.safe_dump(_rounded(contents), sort_keys=False, width=1000, allow_unicode=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {heading}\n{text}", encoding="utf-8")
    except OSError as error:
        raise ConfigError("out", f"cannot write {path}: {error.strerror}") from None


def _rounded(value: Any) -> Any:
    """Five digits: more than a measurement has."""
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def load_profile(path: str | Path) -> LatencyProfile:
    """The latency in a profile file, or in a file that holds nothing but a profile's own keys.

    Raises ConfigError naming the file for one that cannot be read or does not hold a profile.
    """
    try:
        contents = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        hint = "python -m vla_sim.profile STAGE out=FILE.yaml writes one"
        raise ConfigError(str(path), f"cannot be read: {error.strerror}", hint) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(str(path), f"is not YAML: {str(error).splitlines()[0]}") from None
    if isinstance(contents, Mapping) and "profile" in contents:
        return read(LatencyProfile, contents["profile"], f"{path}: profile")
    return read(LatencyProfile, contents, str(path))
