from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.errors import ConfigError
from vla_sim.mapping import read
from vla_sim.profiles import library, roofline

ROOT = Path(library.__file__).resolve().parents[2]
DEVICES = sorted((ROOT / "conf" / "device").glob("*.yaml"))
NAMES = library.names()


def device(hardware: str = "") -> Device:
    return Device("robot", {}, None, hardware)


# The data


@pytest.mark.parametrize("name", NAMES["hardware"])
def test_hardware_is_whole_and_plausible(name: str) -> None:
    found = library.hardware(name)
    assert found.name == name
    assert found.title
    assert len(found.source) > 10
    assert set(found.peak_tflops) == {"fp32", "fp16", "int8"}
    assert found.peak_tflops["fp32"] <= found.peak_tflops["fp16"] <= found.peak_tflops["int8"]
    if found.usd_per_hour_spot is not None:
        assert found.usd_per_hour is not None
        assert found.usd_per_hour_spot < found.usd_per_hour
        assert found.priced_on.startswith("20")


@pytest.mark.parametrize("name", NAMES["models"])
def test_a_model_is_whole_and_its_parts_agree(name: str) -> None:
    found = library.model(name)
    assert found.name == name
    assert len(found.source) > 10
    assert found.flops is not None
    # each weight is one of some phase, but for embeddings; a phase that runs the weights of another comes twice
    own = {phase.parameters for phase in found.phases}
    assert 0.7 * found.parameters < sum(own) < 1.01 * found.parameters
    for precision, bytes_each in (("fp32", 4), ("fp16", 2), ("int8", 1)):
        assert found.weight_gb[precision] == pytest.approx(found.parameters * bytes_each / 1e9, rel=0.03)
    assert found.memory_gb is None or found.memory_gb > found.weight_gb["fp16"]


@pytest.mark.parametrize("name", NAMES["profiles"])
def test_a_latency_is_ordered_and_says_where_it_is_from(name: str) -> None:
    found = library.profile(name)
    assert 0 < found.p50_ms <= found.p95_ms <= found.p99_ms
    assert found.provenance in ("published", "roofline", "placeholder")
    assert len(found.source) > 20
    assert (library.PLACEHOLDER_SPREAD in found.source) == (found.p95_ms == found.p50_ms * library.P95_OF_P50)


def test_tuned_software_is_no_slower_than_a_variant_of_the_same() -> None:
    slower = {name for name in NAMES["profiles"] if "/eager" in name or "/slowest" in name}
    compared = 0
    for name in slower:
        tuned = library.published(name.partition("/")[0], name.partition("@")[2])
        if tuned is not None:
            compared += 1
            assert library.profile(name).p50_ms > tuned.p50_ms
    assert compared >= 6


@pytest.mark.parametrize("path", DEVICES, ids=lambda path: path.stem)
def test_devices_name_hardware_that_exists(path: Path) -> None:
    found = read(Device, yaml.safe_load(path.read_text()), path.stem)
    assert found.name == path.stem
    assert library.hardware(found.hardware).watts > 0


@pytest.mark.parametrize("path", DEVICES, ids=lambda path: path.stem)
def test_devices_charge_what_the_library_says(path: Path) -> None:
    found = read(Device, yaml.safe_load(path.read_text()), path.stem)
    policy = found.profiles.get("policy")
    if policy is None:  # native: it has no such model
        return
    known = [library.profile(name) for name in NAMES["profiles"] if name.endswith(f"@{found.hardware}")]
    known.append(roofline.estimate(library.model("pi0"), library.hardware(found.hardware)))
    same = [entry for entry in known if entry.p50_ms == pytest.approx(policy.p50_ms, rel=1e-3)]
    assert [entry.provenance for entry in same] == [policy.provenance]


# Looking up


@pytest.mark.parametrize(
    ("look_up", "name", "message"),
    [
        (library.hardware, "orin50w", "hardware: unknown 'orin50w'; did you mean 'orin_50w'?"),
        (library.model, "pi_0", "model: unknown 'pi_0'; did you mean 'pi0'?"),
        (library.profile, "pi0@orin", "latency profile: unknown 'pi0@orin'; did you mean 'pi0@"),
    ],
)
def test_an_unknown_name_gets_the_nearest(look_up: object, name: str, message: str) -> None:
    assert callable(look_up)
    with pytest.raises(ConfigError) as caught:
        look_up(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_resolve_by_model_and_hardware_is_the_published_figure_wherever_it_runs() -> None:
    for where in (device(), device("h100"), device("x86_core")):
        assert library.resolve("pi0@orin_50w", where) is library.profile("pi0@orin_50w")


def test_resolve_by_model_is_that_model_on_the_device() -> None:
    assert library.resolve("pi0", device("orin_50w")).p50_ms == 1403
    assert library.resolve("pi0/eager", device("rtx4090")).p50_ms == 113.9


def test_resolve_estimates_what_nobody_has_published() -> None:
    expected = roofline.estimate(library.model("pi0"), library.hardware("l4"))
    assert library.published("pi0", "l4") is None
    assert library.resolve("pi0", device("l4")) == expected
    assert library.resolve("pi0@l4", device()) == expected
    assert expected.provenance == "roofline"


@pytest.mark.parametrize(
    ("name", "hardware", "message"),
    [
        ("pi1", "h100", "did you mean 'pi0'"),
        ("pi0@h10", "", "did you mean 'h100'"),
        ("pi0", "", "'pi0' on device 'robot', whose hardware is not known; name it, for example pi0@orin_50w"),
        ("pi0/eagre@rtx4090", "", "nobody has published pi0/eagre@rtx4090; did you mean 'pi0/eager@rtx4090'"),
        ("nowhere.yaml", "", "nowhere.yaml: cannot be read: No such file"),
    ],
)
def test_resolve_refuses_in_one_line(name: str, hardware: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        library.resolve(name, device(hardware))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_resolve_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("p50_ms: 3\np95_ms: 4.5\np99_ms: 6\nprovenance: given\nsource: a test\n")
    assert library.resolve(str(path), device()) == LatencyProfile(3.0, 4.5, 6.0, "given", "a test")


# What entries refuse

HARDWARE = {"name": "a", "title": "A", "memory_gb": 8, "bandwidth_gb_s": 100, "watts": 10, "source": "a data sheet"}
PEAKS = {"fp32": 1.0, "fp16": 2.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory_gb": 0}, "memory_gb: must be positive, got 0.0"),
        ({"peak_tflops": {"fp16": -2.0}}, "peak_tflops.fp16: must be positive"),
        ({"watts": float("nan")}, "watts: must be positive, got nan"),
        ({"usd_per_hour": 1.0}, "priced_on: is missing"),
        ({"source": ""}, "source: is empty"),
        ({"wats": 3}, "wats: there is no such key; did you mean 'watts'?"),
    ],
)
def test_bad_hardware_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=r"^hardware") as caught:
        read(library.Hardware, {**HARDWARE, "peak_tflops": PEAKS, **changes}, "hardware")
    assert message in str(caught.value)


@pytest.mark.parametrize("changes", [{"tokens": 0}, {"passes": 0}, {"parameters": -1.0}, {"flops": 0.0}])
def test_a_bad_phase_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"phase.{next(iter(changes))}: must be positive"):
        read(library.Phase, {"name": "vision", "parameters": 1e6, "tokens": 3, **changes}, "phase")


def test_a_model_without_phases_has_no_flops() -> None:
    assert library.Model("m", "M", 1e9, "a test").flops is None
