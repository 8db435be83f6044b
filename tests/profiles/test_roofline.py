from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.errors import ConfigError
from vla_sim.profiles import library
from vla_sim.profiles.library import Hardware, Model, Phase
from vla_sim.profiles.roofline import (
    COMPUTE_EFFICIENCY,
    MEMORY_EFFICIENCY,
    TUNED_FROM,
    TUNED_TO,
    UNTUNED_TO,
    estimate,
    phase_times,
)

TUNED = ("Triton", "TensorRT", "VLA-Perf", "tuned software")  # said in the source of software made for speed
NETWORK = Model("net", "a network", 2e9, "a test", (Phase("once", 1.5e9, 500), Phase("ten times", 0.5e9, 8, 10)))
sizes = st.floats(0.1, 1e3)


def machine(tflops: float = 100.0, gb_s: float = 1000.0, memory_gb: float = 80.0) -> Hardware:
    return Hardware("chip", "a chip", memory_gb, gb_s, {"fp32": tflops / 2, "fp16": tflops}, 100.0, "a test")


def ratios(tuned: bool) -> dict[str, float]:
    """Published over estimated, of the figures whose views and tokens are those of the library's model."""
    found = {}
    for name in library.names()["profiles"]:
        published = library.profile(name)
        model, _, hardware = name.partition("@")
        if published.provenance == "placeholder" or "view" in model:
            continue
        if any(word in published.source for word in TUNED) == tuned:
            base = library.model(model.partition("/")[0])
            found[name] = published.p50_ms / estimate(base, library.hardware(hardware)).p50_ms
    return found


def test_against_published_figures_of_tuned_software() -> None:
    found = ratios(tuned=True)
    assert len(found) >= 12
    assert all(TUNED_FROM <= ratio <= TUNED_TO for ratio in found.values()), found
    assert statistics.median(found.values()) == pytest.approx(1.0, abs=0.15)


def test_against_the_published_analytical_model() -> None:
    for name in ("pi0@h100", "pi0@a100", "pi0@thor"):
        other = library.profile(name)
        assert other.provenance == "roofline"
        own = estimate(library.model("pi0"), library.hardware(name.partition("@")[2]))
        assert own.p50_ms == pytest.approx(other.p50_ms, rel=0.12)


def test_against_published_figures_of_other_software() -> None:
    found = ratios(tuned=False)
    assert len(found) >= 10
    assert all(1.0 < ratio <= UNTUNED_TO for ratio in found.values()), found


def test_by_hand() -> None:
    once, ten = phase_times(NETWORK, machine())
    # 2 x 1.5e9 x 500 = 1.5e12 operations at 60 TFLOP/s; 3 GB at 700 GB/s
    assert once.compute_ms == pytest.approx(1.5e12 / (COMPUTE_EFFICIENCY * 100e12) * 1e3)
    assert once.memory_ms == pytest.approx(3.0 / (MEMORY_EFFICIENCY * 1000.0) * 1e3)
    assert (once.bound, ten.bound) == ("compute", "memory")
    assert ten.memory_ms == pytest.approx(10 * 1.0 / 700.0 * 1e3)
    profile = estimate(NETWORK, machine())
    assert profile.p50_ms == pytest.approx(once.compute_ms + ten.memory_ms)
    assert profile.provenance == "roofline"
    for said in ("net in fp16 on chip", "60 % of peak compute", "once 25 ms by compute", "ten times 14.3 ms by memory"):
        assert said in profile.source


def test_given_operations_take_the_place_of_tokens() -> None:
    convolution = Model("net", "a network", 1e6, "a test", (Phase("vision", 1e6, 7, 2, flops=3e11),))
    assert convolution.flops == 6e11
    assert estimate(convolution, machine()).p50_ms == pytest.approx(6e11 / 60e12 * 1e3)


@given(sizes, sizes, st.floats(1.0, 10.0))
def test_better_hardware_is_never_slower_and_never_better_than_its_gain(
    tflops: float, gb_s: float, gain: float
) -> None:
    base = estimate(NETWORK, machine(tflops, gb_s)).p50_ms
    for better in (machine(tflops * gain, gb_s), machine(tflops, gb_s * gain)):
        assert base / gain * (1 - 1e-12) <= estimate(NETWORK, better).p50_ms <= base * (1 + 1e-12)
    both = estimate(NETWORK, machine(tflops * gain, gb_s * gain)).p50_ms
    assert both == pytest.approx(base / gain)


def test_fewer_bits_are_faster() -> None:
    chip, model = library.hardware("rtx4090"), library.model("pi0")
    times = [estimate(model, chip, precision).p50_ms for precision in ("fp32", "fp16", "int8")]
    assert times[0] > 1.9 * times[1] > 3.5 * times[2]


@pytest.mark.parametrize(
    ("model", "hardware", "precision", "message"),
    [
        (NETWORK, machine(), "fp8", "precision: chip has no 'fp8'; did you mean 'fp"),
        (NETWORK, machine(), "int8", "precision: chip has no 'int8'"),
        (NETWORK, machine(memory_gb=3.9), "fp16", "model: the weights of net take 4 GB in fp16; chip has 3.9 GB"),
        (Model("m", "M", 1e9, "a test"), machine(), "fp16", "model: m has no phases to estimate from"),
    ],
)
def test_what_cannot_be_estimated(model: Model, hardware: Hardware, precision: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        estimate(model, hardware, precision)
    assert message in str(caught.value)
