"""What each stage is found to compute, and what is recommended for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.analysis.scenarios import constant, device, scenario
from vla_sim.analysis.analysis import analyse
from vla_sim.analysis.flops import Work
from vla_sim.analysis.models import recommended_hardware, stage_models
from vla_sim.analysis.scenario import Scenario
from vla_sim.profiles import library
from vla_sim.profiles.library import resolve

WORK = Work(2e9, 1.9e9, {"MatMul": 1.9e9}, 10_000_000, 40_000_000, 9_000_000, {"x": (1, 3, 224, 224)}, "net.onnx")


def charged(name: str, hardware: str) -> Scenario:
    """Perception in the cloud with the latency of a model by its name."""
    cloud = device("cloud", 5.0, hardware)
    cloud = replace(cloud, profiles={"perception": resolve(name, cloud)})
    return replace(scenario(cloud=cloud), profiles={"perception": name})


@pytest.mark.parametrize(
    ("gigabytes", "name"),
    [
        (0.0, "CPU"), (2.0, "CPU"), (2.1, "Jetson Orin or RTX 4070"), (8.0, "Jetson Orin or RTX 4070"),
        (8.1, "RTX 4090 or A6000"), (20.0, "RTX 4090 or A6000"), (20.1, "A100 or H100"),
    ],
)  # fmt: skip
def test_the_rule_by_memory(gigabytes: float, name: str) -> None:
    assert recommended_hardware(gigabytes) == name


@pytest.mark.parametrize("name", ["pi0@orin_50w", "pi0", "pi0/eager@rtx4090"])
def test_a_stage_charged_by_name_is_that_model(name: str) -> None:
    found, known = stage_models(charged(name, "h100"), {})["perception"], library.model("pi0")
    assert found.name == "pi0"
    assert found.flops.value == known.flops
    assert found.memory.value == known.memory_gb
    assert found.recommended == "RTX 4090 or A6000"
    assert found.roofline.value is not None


def test_a_devices_own_published_figure_is_recognised() -> None:
    """As conf/device gives it: the same publication, hardware and median, in words of its own."""
    published = library.profile("groot_n1_7@h100")
    own = replace(published, source=published.source.partition(":")[0] + ": in other words")
    found = stage_models(scenario(cloud=device("cloud", 5.0, "h100", perception=own)), {})["perception"]
    assert found.name == "groot_n1_7"
    other = replace(own, p50_ms=own.p50_ms + 0.5)
    found = stage_models(scenario(cloud=device("cloud", 5.0, "h100", perception=other)), {})["perception"]
    assert found.name == "classical code"


def test_a_graph_that_was_counted_goes_before_the_library() -> None:
    found = stage_models(charged("pi0", "h100"), {"perception": WORK})["perception"]
    assert found.name == "net.onnx"
    assert found.flops.value == 2e9
    assert found.parameters.value == 10.0
    assert found.memory.value == pytest.approx(0.049)
    assert "x 1x3x224x224" in found.flops.source
    assert found.recommended == "CPU"


def test_classical_code_has_no_operations_and_says_why() -> None:
    found = stage_models(scenario(), {})["intent"]
    assert not found.is_network
    assert found.flops.value is None
    assert "classical code" in found.flops.source


def warnings(what: Scenario) -> list[str]:
    return list(analyse(what, "t", (), {}, lambda _: {}, lambda _: "").warnings)


def test_a_latency_the_chip_cannot_reach_is_named() -> None:
    """The robot's Orin with the latency of an H100."""
    what = charged("pi0@h100", "orin_50w")
    (line,) = (line for line in warnings(what) if "cannot do" in line)
    assert line.startswith("perception is charged 6.2 ms for pi0")
    assert "stack.perception.profile" in line
    assert not any("cannot do" in line for line in warnings(charged("pi0@orin_50w", "orin_50w")))


def test_networks_that_do_not_fit_are_named() -> None:
    big = replace(WORK, weight_bytes=90_000_000_000, flops=1e6)
    document = analyse(
        scenario(cloud=device("cloud", 5.0, "h100")), "t", (), {"perception": big}, lambda _: {}, lambda _: ""
    )
    assert any("cloud: its networks need 90" in line for line in document.warnings)


def test_a_busy_site_is_named() -> None:
    assert any("robot is offered" in line for line in warnings(scenario(at="robot", robot=device("robot", 48.0))))
    assert not any("is offered" in line for line in warnings(scenario(at="robot", robot=device("robot", 5.0))))


def test_a_stage_on_unknown_hardware_has_no_roofline() -> None:
    cloud = device("cloud", 5.0, perception=constant(5.0))
    found = stage_models(replace(scenario(cloud=cloud), profiles={"perception": "pi0@h100"}), {})["perception"]
    assert found.name == "pi0"
    assert found.roofline.value is None
    assert "does not say what hardware" in found.roofline.source
