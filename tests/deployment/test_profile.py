from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.errors import ConfigError
from vla_sim.mapping import read

PROFILE = LatencyProfile(152.0, 174.8, 212.8, "published", "a data sheet")

ascending = st.lists(st.floats(0.01, 1e4), min_size=3, max_size=3).map(sorted)


@given(ascending)
def test_the_distribution_runs_through_its_quantiles_and_never_falls(quantiles: list[float]) -> None:
    profile = LatencyProfile(quantiles[0], quantiles[1], quantiles[2], "given", "a test")
    for probability, value in zip((0.5, 0.95, 0.99), quantiles, strict=True):
        assert profile.quantile_ms(probability) == pytest.approx(value, rel=1e-12)
    grid = [profile.quantile_ms(u) for u in np.linspace(0, 1, 201)]
    assert all(b >= a * (1 - 1e-12) for a, b in pairwise(grid))


def test_between_quantiles_it_is_log_linear() -> None:
    halfway = math.sqrt(PROFILE.p95_ms * PROFILE.p99_ms)
    assert PROFILE.quantile_ms(0.97) == pytest.approx(halfway, rel=1e-12)


def test_the_ends_without_limits() -> None:
    assert PROFILE.quantile_ms(0.0) == pytest.approx(152.0**2 / 174.8)
    assert PROFILE.quantile_ms(1.0) == pytest.approx(212.8 * (212.8 / 174.8) ** 0.25)


def test_the_ends_with_limits() -> None:
    profile = replace(PROFILE, min_ms=150.0, max_ms=400.0)
    assert profile.quantile_ms(0.0) == pytest.approx(150.0)
    assert profile.quantile_ms(1.0) == pytest.approx(400.0)


def test_a_99_9_quantile_is_a_knot_of_its_own() -> None:
    profile = replace(PROFILE, p999_ms=900.0)
    assert profile.quantile_ms(0.999) == pytest.approx(900.0, rel=1e-12)
    assert profile.quantile_ms(0.99) == pytest.approx(212.8, rel=1e-12)
    assert profile.quantile_ms(0.9945) == pytest.approx(math.sqrt(212.8 * 900.0), rel=1e-12)
    assert profile.quantile_ms(1.0) == pytest.approx(900.0 * (900.0 / 212.8) ** (1 / 9))
    assert replace(profile, max_ms=950.0).quantile_ms(1.0) == pytest.approx(950.0)
    below = np.linspace(0.0, 0.99, 100)
    assert [profile.quantile_ms(u) for u in below] == [PROFILE.quantile_ms(u) for u in below]


def test_samples_have_the_quantiles() -> None:
    rng = np.random.default_rng(0)
    samples_ms = np.array([PROFILE.sample_s(rng) for _ in range(40_000)]) * 1e3
    assert np.percentile(samples_ms, [50, 95, 99]) == pytest.approx([152.0, 174.8, 212.8], rel=0.01)


def test_two_devices_are_compared_on_the_same_draws() -> None:
    twice = LatencyProfile(304.0, 349.6, 425.6, "given", "a test")
    slow, fast = np.random.default_rng(1), np.random.default_rng(1)
    assert [twice.sample_s(slow) / PROFILE.sample_s(fast) for _ in range(50)] == pytest.approx([2.0] * 50)


def test_a_constant_is_constant() -> None:
    rng = np.random.default_rng(2)
    constant = LatencyProfile.constant(10.0, "a test")
    assert [constant.sample_s(rng) for _ in range(20)] == pytest.approx([0.010] * 20, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p50_ms": -1.0}, "p50_ms: must be a positive number of milliseconds, got -1.0"),
        ({"p50_ms": 0.0}, "p50_ms: must be a positive number"),
        ({"p99_ms": math.nan}, "p99_ms: must be a positive number"),
        ({"p99_ms": math.inf}, "p99_ms: must be a positive number"),
        ({"p95_ms": 151.0}, "p95_ms: is 151.0, less than p50_ms = 152.0"),
        ({"p99_ms": 170.0}, "p99_ms: is 170.0, less than p95_ms = 174.8"),
        ({"min_ms": 153.0}, "p50_ms: is 152.0, less than min_ms = 153.0"),
        ({"max_ms": 200.0}, "max_ms: is 200.0, less than p99_ms = 212.8"),
        ({"p999_ms": 200.0}, "p999_ms: is 200.0, less than p99_ms = 212.8"),
        ({"p999_ms": 300.0, "max_ms": 250.0}, "max_ms: is 250.0, less than p999_ms = 300.0"),
        ({"p999_ms": -1.0}, "p999_ms: must be a positive number of milliseconds, got -1.0"),
        ({"provenance": "publised"}, "did you mean 'published'?"),
        ({"source": " "}, "source: is empty"),
    ],
)
def test_a_bad_profile_is_refused_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(PROFILE, **changes)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("quantile", ["p50_ms", "p95_ms", "p99_ms"])
@pytest.mark.parametrize("missing", [True, False], ids=["left out", "null"])
def test_a_missing_quantile_is_refused_in_one_line(quantile: str, missing: bool) -> None:
    written: dict[str, object] = {"p50_ms": 1, "p95_ms": 2, "p99_ms": 3, "provenance": "given", "source": "a test"}
    if missing:
        del written[quantile]
    else:
        written[quantile] = None
    said = "is missing" if missing else "must be a number, got None"
    with pytest.raises(ConfigError, match=rf"^device\.profiles\.policy\.{quantile}: {said}$"):
        read(Device, {"name": "d", "profiles": {"policy": written}}, "device")


def test_a_device_may_name_its_hardware() -> None:
    assert read(Device, {"name": "d", "hardware": "orin_50w"}, "device").hardware == "orin_50w"
    assert Device("d").hardware == ""


def test_a_device_falls_back_to_its_default() -> None:
    other = LatencyProfile.constant(1.0, "a test")
    assert Device("d", {"perception": PROFILE}, other).profile("perception") is PROFILE
    assert Device("d", {"perception": PROFILE}, other).profile("grasp") is other


def test_a_device_without_the_profile_says_so() -> None:
    with pytest.raises(ConfigError, match="device 'd' has no latency profile for it; did you mean 'perception'"):
        Device("d", {"perception": PROFILE}).profile("perceptoin")
