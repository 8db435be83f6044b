"""What camera streams cost against frames really encoded, and that each limit refuses with something that fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import envs
from envs.task_env import TaskEnv
from vla_sim.clock import divides
from vla_sim.deployment.config import DeployConfig
from vla_sim.deployment.sensing import (
    CameraSetup,
    Cost,
    Limits,
    Stream,
    check,
    check_cameras,
    cost_of,
    frame_bytes,
    leaving,
    png_bytes,
    total,
)
from vla_sim.deployment.wire import CompressedFrame, Wire
from vla_sim.errors import ConfigError
from vla_sim.mapping import read

ROOT = Path(__file__).resolve().parents[2]
HEAD = Stream("head", "detection", 640, 480, 20.0)

streams = st.builds(
    Stream, camera=st.just("head"), purpose=st.sampled_from(["detection", "navigation", "inspection"]),
    width=st.integers(16, 2000), height=st.integers(16, 2000), rate_hz=st.sampled_from([5.0, 10.0, 15.0, 25.0, 30.0]),
    codec=st.sampled_from(["raw", "jpeg"]), depth=st.booleans(),
)  # fmt: skip


def shipped(name: str) -> dict[str, Any]:
    """A file of conf/cameras as it is read."""
    plain = yaml.safe_load((ROOT / f"conf/cameras/{name}.yaml").read_text())
    return dict(plain.get("cameras", plain))


def setup_of(name: str) -> CameraSetup:
    return read(CameraSetup, shipped(name), "cameras")


# Figures


@pytest.fixture(scope="module", params=["VlaSim/PickPlace-v0", "VlaSim/Navigate-v0"])
def env(request: pytest.FixtureRequest) -> Iterator[TaskEnv]:
    made = envs.make(request.param)
    yield made
    made.close()


def encoded(env: TaskEnv, stream: Stream, quality: int, seeds: int = 2) -> tuple[float, float, Stream]:
    """Mean bytes of the JPEG and the PNG of a camera's frames, and the stream with what its frames show."""
    env.cameras.resize(stream.camera, stream.width, stream.height)
    jpeg, png, logs, seen = [], [], [], []
    for seed in range(seeds):
        env.restart(seed)
        frame = env.capture(stream.camera)
        sent = Wire(quality).encode(frame).body
        assert isinstance(sent, CompressedFrame)
        assert sent.depth_png is not None
        assert frame.depth_m is not None
        jpeg.append(len(sent.jpeg))
        png.append(len(sent.depth_png))
        hit = np.isfinite(frame.depth_m)
        logs.append(np.log(frame.depth_m[hit]).mean())
        seen.append(hit.mean())
    shown = replace(stream, distance_m=float(np.exp(np.mean(logs))), seen=float(np.mean(seen)))
    return float(np.mean(jpeg)), float(np.mean(png)), shown


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 960)])
@pytest.mark.parametrize("camera", ["head", "right_wrist"])
def test_a_stream_takes_what_its_frames_take_when_encoded(env: TaskEnv, camera: str, size: tuple[int, int]) -> None:
    jpeg, png, stream = encoded(env, Stream(camera, "inspection", *size, 10.0), 90)
    assert frame_bytes(replace(stream, depth=False)) == pytest.approx(jpeg, rel=0.15)
    assert png_bytes(stream) == pytest.approx(png, rel=0.15)
    sent = 8e-6 * 10.0 * (jpeg + png)
    assert cost_of(stream).sent_mbps == pytest.approx(sent, rel=0.15)


@pytest.mark.parametrize(("quality", "within"), [(50, 0.25), (75, 0.18), (85, 0.15), (95, 0.08), (100, 0.05)])
def test_other_qualities_take_what_they_take(env: TaskEnv, quality: int, within: float) -> None:
    jpeg, _, stream = encoded(env, replace(HEAD, width=320, height=240), quality)
    assert frame_bytes(replace(stream, depth=False), quality) == pytest.approx(jpeg, rel=within)


def test_what_a_stream_expects_to_see_is_what_a_head_sees_in_rooms() -> None:
    home = envs.make("VlaSim/Navigate-v0")
    _, png, stream = encoded(home, HEAD, 90, seeds=4)
    assert png_bytes(HEAD) == pytest.approx(png, rel=0.15)
    assert stream.distance_m == pytest.approx(HEAD.distance_m, rel=0.3)
    home.close()


def test_figures_of_a_stream_by_hand() -> None:
    """0.3072 megapixels at 20 Hz: 3 bytes of colour, 2 of depth as sensors send it, 4 in memory, five frames kept."""
    raw = cost_of(replace(HEAD, codec="raw"))
    assert raw.raw_mbps == pytest.approx(0.3072 * 20 * 8 * 5)
    assert raw.sent_mbps == raw.raw_mbps
    assert raw.memory_mb == pytest.approx(0.3072 * 5 * 7)
    assert cost_of(HEAD).memory_mb == raw.memory_mb
    blind = cost_of(replace(HEAD, codec="raw", depth=False))
    assert blind.raw_mbps == pytest.approx(0.3072 * 20 * 8 * 3)
    assert blind.memory_mb == pytest.approx(0.3072 * 5 * 3)
    assert 0 < blind.cpu_percent < 1  # copied, not encoded
    assert cost_of(HEAD).cpu_percent > 10 * raw.cpu_percent


@given(streams, st.integers(1, 100))
def test_cost_grows_with_rate_and_size_and_compression_saves(stream: Stream, quality: int) -> None:
    cost = cost_of(stream, quality)
    assert stream.rate_hz is not None
    twice = cost_of(replace(stream, rate_hz=2 * stream.rate_hz), quality)
    assert (twice.sent_mbps, twice.cpu_percent) == pytest.approx((2 * cost.sent_mbps, 2 * cost.cpu_percent))
    assert twice.memory_mb == cost.memory_mb
    larger = cost_of(replace(stream, width=stream.width + 8), quality)
    assert larger.sent_mbps > cost.sent_mbps
    assert larger.memory_mb > cost.memory_mb
    if stream.pixels > 10_000:
        assert cost.sent_mbps <= cost.raw_mbps


@given(st.lists(streams, max_size=5))
def test_streams_add_up(some: list[Stream]) -> None:
    named = {str(i): stream for i, stream in enumerate(some)}
    whole = total(named)
    for key in ("raw_mbps", "sent_mbps", "memory_mb", "cpu_percent"):
        assert getattr(whole, key) == pytest.approx(sum(getattr(cost_of(stream), key) for stream in some))
    assert total({}) == Cost()


# The set-ups that come with the project


@pytest.mark.parametrize(("name", "control_hz", "uplink_mbps"), [("default", 100.0, 15.0), ("multi", 150.0, 560.0)])
def test_the_set_ups_of_the_project_fit(name: str, control_hz: float, uplink_mbps: float) -> None:
    setup = setup_of(name)
    cost = check(setup, control_hz, uplink_mbps=uplink_mbps, leaves=("detection", "navigation", "inspection"))
    assert 0 < cost.cpu_percent < 70
    assert 0 < cost.memory_mb < 1000
    assert cost.sent_mbps < cost.raw_mbps / 2.5


def test_the_multi_camera_set_up_is_the_specified_one() -> None:
    setup = setup_of("multi")
    got = {n: (s.purpose, s.width, s.height, s.images_hz) for n, s in setup.streams.items()}
    assert got == {
        "detection": ("detection", 640, 480, 30.0),
        "navigation": ("navigation", 320, 240, 15.0),
        "inspection": ("inspection", 1280, 960, 10.0),
    }
    assert setup.detection == setup.streams["detection"]
    env = yaml.safe_load((ROOT / "conf/cameras/multi.yaml").read_text())["env"]
    assert all(divides(stream.images_hz, env["control_rate_hz"]) for stream in setup.streams.values())
    assert divides(env["control_rate_hz"], env["physics_rate_hz"])


def test_a_stream_without_a_rate_has_that_of_the_agent() -> None:
    setup = read(CameraSetup, {**shipped("default"), "rate_hz": 25}, "cameras")
    assert setup.streams["detection"].images_hz == 25
    with pytest.raises(ValueError, match="that of a set-up"):
        _ = Stream("head", "detection", 64, 48).images_hz


# Refusals


def limited(**limits: float | None) -> CameraSetup:
    none = {"cpu_percent": None, "memory_mb": None, "uplink_percent": None}
    return replace(setup_of("multi"), limits=Limits(**{**none, **limits}))


def refused(setup: CameraSetup, control_hz: float | None = 150.0, **how: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        check(setup, control_hz, **how)
    return caught.value


def test_a_rate_that_does_not_divide_is_named_with_the_nearest_that_does() -> None:
    error = refused(setup_of("multi"), 100.0)
    assert error.key == "cameras.streams.detection.rate_hz"
    assert "30 Hz does not divide the control rate of 100 Hz" in error.problem
    assert "25 Hz" in error.hint
    check(setup_of("multi"), None)  # unknown rates are not checked


EVERYTHING = ("detection", "navigation", "inspection")


@pytest.mark.parametrize(
    ("limits", "how", "field", "unit"),
    [
        ({"cpu_percent": 40.0}, {}, "cpu_percent", "% of a core"),
        ({"memory_mb": 25.0}, {}, "memory_mb", "MB"),
        ({"uplink_percent": 100.0}, {"uplink_mbps": 100.0, "leaves": EVERYTHING}, "sent_mbps", "Mbit/s"),
        ({"uplink_percent": 50.0}, {"uplink_mbps": 200.0, "leaves": EVERYTHING}, "sent_mbps", "Mbit/s"),
    ],
)
def test_each_limit_names_the_stream_by_how_much_and_what_fits(
    limits: dict[str, float], how: dict[str, Any], field: str, unit: str
) -> None:
    setup = limited(**limits)
    error = refused(setup, **how)
    costs = {name: getattr(cost_of(stream), field) for name, stream in setup.streams.items()}
    worst = max(costs, key=lambda name: costs[name])
    most = limits.get(field, 100.0)
    assert error.key == f"cameras.streams.{worst}"
    assert f"takes {costs[worst]:.1f} of {sum(costs.values()):.1f} {unit} in all" in error.problem
    assert f"{sum(costs.values()) - most:.1f} more than" in error.problem
    assert_fits(setup, worst, error, how)


def assert_fits(setup: CameraSetup, name: str, error: ConfigError, how: dict[str, Any]) -> None:
    """What the hint offers passes the same check, and is a real step down."""
    stream, offers = setup.streams[name], error.hint.removeprefix("what fits: ").split(" or ")
    assert offers
    for offer in offers:
        size, rate = re.fullmatch(r"(\d+) x (\d+)", offer), re.fullmatch(r"([\d.]+) Hz", offer)
        if size:
            less = replace(stream, width=int(size.group(1)), height=int(size.group(2)))
            assert less.pixels < stream.pixels
            askew = abs(less.width * stream.height - less.height * stream.width)
            assert askew <= 4 * (stream.width + stream.height)  # the same shape, but for sides in whole blocks
        else:
            assert rate is not None
            less = replace(stream, rate_hz=float(rate.group(1)), purpose="inspection")
            assert less.images_hz < stream.images_hz
        given = {**setup.streams, name: less}
        check(CameraSetup(999.0 if rate else setup.rate_hz, 15.0, given, setup.limits), 150.0, **how)


watched = streams.map(lambda stream: replace(stream, purpose="inspection"))


@given(st.dictionaries(st.sampled_from("abcde"), watched, min_size=1), st.floats(0.5, 200.0))
def test_whatever_the_limit_what_is_offered_fits(named: dict[str, Stream], most: float) -> None:
    setup = CameraSetup(20.0, 15.0, named, Limits(most, None, None))
    taken = total(named).cpu_percent
    if taken <= most:
        check(setup, 150.0)
        return
    error = refused(setup)
    worst = error.key.rpartition(".")[2]
    assert cost_of(named[worst]).cpu_percent == max(cost_of(stream).cpu_percent for stream in named.values())
    if error.hint.startswith("what fits"):
        assert_fits(setup, worst, error, {})
    else:
        stream, rest = named[worst], taken - cost_of(named[worst]).cpu_percent
        for eighths in range(1, 8):
            width, height = (max(16, side * eighths // 8 + 4) for side in (stream.width, stream.height))
            if min(stream.width, stream.height) * eighths // 8 >= 20:  # no smaller than what may be offered
                assert rest + cost_of(replace(stream, width=width, height=height)).cpu_percent > most


def test_only_what_leaves_the_robot_takes_the_uplink() -> None:
    setup = limited(uplink_percent=100.0)
    assert refused(setup, uplink_mbps=20.0, leaves=("inspection",)).key == "cameras.streams.inspection"
    check(setup, 150.0, uplink_mbps=20.0, leaves=())
    check(setup, 150.0, uplink_mbps=20.0, leaves=("navigation",))
    check(setup, 150.0, uplink_mbps=None, leaves=EVERYTHING)
    check(limited(), 150.0, uplink_mbps=1.0, leaves=EVERYTHING)  # a limit of null is none


@pytest.mark.parametrize(
    ("name", "purposes"),
    [("edge", set()), ("cloud", {"detection", "navigation", "inspection"}), ("hybrid", {"detection", "inspection"})],
)
def test_what_leaves_the_robot_is_what_the_deployment_says(name: str, purposes: set[str]) -> None:
    plain = yaml.safe_load((ROOT / f"conf/deploy/{name}.yaml").read_text())
    assert leaving(read(DeployConfig, plain, "deploy")) == purposes


def test_a_camera_the_robot_has_not_is_named() -> None:
    setup = setup_of("multi")
    check_cameras(setup, ("head", "left_wrist", "right_wrist"), ("head",))
    with pytest.raises(ConfigError, match=r"streams.inspection.camera: .*no camera 'right_wrist'.*'wrist'"):
        check_cameras(setup, ("head", "wrist"), ("head",))
    with pytest.raises(ConfigError, match=r"streams.detection.depth: the camera 'head' gives no depth"):
        check_cameras(setup, ("head", "right_wrist"), ("right_wrist",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate_hz": -5}, ["cameras.rate_hz", "-5 Hz", "20 Hz"]),
        ({"latency_ms": -1}, ["cameras.latency_ms", "-1"]),
        ({"streams": {"a": {"camera": "head", "purpose": "seeing", "width": 64, "height": 48}}},
         ["cameras.streams.a.purpose", "'seeing'", "detection"]),
        ({"streams": {"a": {"camera": "head", "purpose": "detection", "width": 0, "height": 48}}},
         ["cameras.streams.a.width", "640 x 480"]),
        ({"streams": {"a": {"camera": "head", "purpose": "detection", "width": 64, "height": 48, "rate_hz": 0}}},
         ["cameras.streams.a.rate_hz", "positive"]),
        ({"streams": {"a": {"camera": "head", "purpose": "detection", "width": 64, "height": 48, "rate_hz": 10}}},
         ["cameras.streams.a.rate_hz", "10 Hz is not the 20 Hz"]),
        ({"streams": {"a": {"camera": "head", "purpose": "detection", "width": 64, "height": 48, "codec": "png"}}},
         ["cameras.streams.a.codec", "jpeg"]),
        ({"streams": {"a": {"camera": "head", "purpose": "inspection", "width": 64, "height": 48, "seen": 1.5}}},
         ["cameras.streams.a.seen", "1.5"]),
        ({"streams": {"a": {"camera": "head", "purpose": "inspection", "width": 64, "height": 48, "distance_m": 0.0}}},
         ["cameras.streams.a.distance_m", "0.05"]),
        ({"streams": {n: {"camera": "head", "purpose": "detection", "width": 64, "height": 48} for n in "ab"}},
         ["cameras.streams.b.purpose", "a is for detection"]),
        ({"limits": {"cpu_percent": 0}}, ["cameras.limits.cpu_percent", "positive"]),
    ],
)  # fmt: skip
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(CameraSetup, {**shipped("default"), **change}, "cameras")
    assert all(word in str(caught.value) for word in words), str(caught.value)
