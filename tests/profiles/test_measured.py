from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.deployment.profile import Device
from vla_sim.errors import ConfigError
from vla_sim.mapping import read
from vla_sim.profiles.library import resolve
from vla_sim.profiles.measured import Measurement, StageReport, Timing, load_profile, save_device, save_report
from vla_sim.profiles.view import crowd_warning

HOST = {"platform": "an OS", "cpu": "a processor", "cores": 2, "load_average": 0.5}
durations = st.lists(st.floats(1e-7, 10.0), min_size=1, max_size=50)


def measurement(durations_s: np.ndarray, threads: int | None = None) -> Measurement:
    return Measurement(threads, 12.5, 3.0, Timing.of(durations_s), 4, 2.5, 0.98, 20.0, None)


def report(stage: str = "perception", n: int = 2000) -> StageReport:
    durations_s = 1e-3 * np.linspace(1, 3, n)
    apart = measurement(durations_s), measurement(2 * durations_s, 1)
    return StageReport(stage, 7, *apart, "python -m vla_sim.profile perception", "2026-11-21", HOST)


@given(durations)
def test_quantiles_never_fall_and_lie_within_the_calls(values: list[float]) -> None:
    found = Timing.of(np.array(values))
    ladder = [found.min_ms, found.p50_ms, found.p90_ms, found.p95_ms, found.p99_ms, found.max_ms]
    assert ladder == sorted(ladder)
    assert found.min_ms == pytest.approx(1e3 * min(values))
    assert found.max_ms == pytest.approx(1e3 * max(values))
    assert found.p999_ms is None
    profile = found.profile("a test")
    assert profile.quantile_ms(0.95) == pytest.approx(found.p95_ms)
    assert profile.quantile_ms(1.0) == pytest.approx(found.max_ms)


def test_the_99_9_quantile_needs_a_thousand_calls() -> None:
    assert Timing.of(np.ones(999)).p999_ms is None
    assert Timing.of(np.arange(1, 1001) / 1e3).p999_ms == pytest.approx(999.001)


def test_a_file_gives_back_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "perception.yaml"
    written = report()
    save_report(written, path)
    found = load_profile(path)
    assert found.provenance == "measured here"
    assert found.source == written.profile.source
    assert "2000 calls over 7 inputs on a processor, 2 cores, 2026-11-21" in found.source
    for u in (0.0, 0.3, 0.5, 0.95, 0.99, 0.999, 1.0):
        assert found.quantile_ms(u) == pytest.approx(written.profile.quantile_ms(u), rel=1e-4)
    assert resolve(str(path), Device("d")) == found
    assert yaml.safe_load(path.read_text())["host"]["cpu"] == "a processor"


def test_all_stages_make_a_device(tmp_path: Path) -> None:
    path = tmp_path / "device.yaml"
    save_device([report("perception"), report("grasp")], path)
    found = read(Device, yaml.safe_load(path.read_text()), "device")
    assert sorted(found.profiles) == ["grasp", "perception"]
    assert found.profile("grasp").p50_ms == pytest.approx(2.0, rel=1e-3)
    assert found.hardware == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profile: {p50_ms: 3, p95_ms: 4, provenance: given, source: x}", "p99_ms: is missing"),
        ("p50_ms: 3\np95_ms: 4\np99_ms: null\nprovenance: given\nsource: x", "p99_ms: must be a number, got None"),
        ("p50_ms: -3\np95_ms: 4\np99_ms: 5\nprovenance: given\nsource: x", "p50_ms: must be a positive number"),
        ("p50_ms: 3\np95_ms: 2\np99_ms: 5\nprovenance: given\nsource: x", "p95_ms: is 2.0, less than p50_ms = 3.0"),
        ("p50_ms: 3\np59_ms: 4\np99_ms: 5\nprovenance: given\nsource: x", "p59_ms: there is no such key"),
        ("[1, 2]", "must be a mapping, got [1, 2]"),
        ("", "must be a mapping, got None"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_bad_file_gets_one_line_that_names_it(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_profile(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_profile(path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="out: cannot write"):
        save_report(report(), tmp_path / "taken" / "perception.yaml")


def test_a_busy_machine_is_said_to_be_busy() -> None:
    assert crowd_warning([report()]) == ""
    crowded = replace(report(), host={**HOST, "load_average": 6.25})
    assert crowd_warning([report(), crowded]).startswith("the machine was busy: 6.2 programs on 2 cores")
