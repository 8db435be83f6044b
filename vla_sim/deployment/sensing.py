"""A set of cameras before anything runs: what its streams take of network, memory and processor, against limits.

The figures are those of this project's own frames and codec (`vla_sim.deployment.wire`): rendered images with the
default sensor noise. Noise takes a share of bytes for each pixel, edges one for each pixel along the side of the image.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np

from vla_sim.clock import divides, exact_rate, nearest_divisor_hz, ticks_between
from vla_sim.deployment.config import DeployConfig, DeploymentConfig
from vla_sim.deployment.placement import Placement
from vla_sim.errors import ConfigError, nearest

FRAME_BUFFER = 5  # newest frames kept for whoever comes late
RGB_BYTES, RAW_DEPTH_BYTES, DEPTH_BYTES = 3, 2, 4  # a pixel: colour; depth as sensors send it; depth in memory
# JPEG with full chroma by quality: bytes for each pixel, bytes for each pixel of the side (the square root of the
# area), ms of one core for a megapixel. Fitted to 60 frames of the head's and a wrist's camera in five tasks at tables
# and in rooms, 320 x 240 to 1280 x 960, noise of 5 grey levels: within 10 % at quality 90 and above, 14 % from 80, 22 %
# below, where the scene's edges weigh more. Times: OpenCV on one core of an AMD EPYC server, not a robot's computer.
JPEG: dict[int, tuple[float, float, float]] = {
    1: (0.024, 3.64, 4.6),
    30: (0.029, 8.35, 4.7),
    50: (0.038, 10.6, 4.9),
    70: (0.067, 14.8, 5.2),
    80: (0.118, 16.6, 5.6),
    85: (0.163, 18.4, 5.7),
    90: (0.259, 21.6, 6.2),
    92: (0.356, 22.1, 6.4),
    95: (0.640, 23.6, 7.3),
    98: (1.137, 25.9, 8.9),
    100: (1.776, 29.1, 10.3),
}
# 16-bit PNG (compression 1) of depth in quarter millimetres whose noise is 2 mm at 0.7 m and grows with the square of
# the distance: bytes for each pixel that sees something 1 m away, what each doubling of the distance adds to them (two
# bits of noise), bytes for each pixel of the side, ms of one core for a megabyte of PNG. Fitted to 120 frames of four
# cameras in the same tasks and sizes, 0.3 to 3.7 m away: within 7 %.
PNG_1M, PNG_DOUBLING, PNG_SIDE, PNG_MS_PER_MB = 1.157, 0.248, 18.4, 34.5
COPY_MS = 0.35  # a megapixel of colour and depth from the driver into the buffer; measured as above
STAGES = {"detection": "perception", "navigation": "navigation"}  # who looks at the images of a purpose
SIDE_STEP_PX = 8  # resolutions offered instead are whole blocks of a JPEG
SIDE_MIN_PX, SIDE_MAX_PX, RATE_MAX_HZ = 16, 8192, 1000.0


@dataclass(frozen=True)
class Stream:
    """Images of one camera for one purpose. Two streams may come from the same camera."""

    camera: str
    purpose: Literal["detection", "navigation", "inspection"]
    width: int
    height: int
    rate_hz: float | None = None  # None = that of the images the agent is shown
    codec: Literal["raw", "jpeg"] = "jpeg"  # with jpeg, depth travels as PNG
    depth: bool = True
    distance_m: float = 1.4  # geometric mean of what is seen: the head's in rooms 1.4, at a table 0.9; a wrist's 0.3
    seen: float = 1.0  # 0-1, share of pixels near enough to have depth

    def __post_init__(self) -> None:
        for key in ("width", "height"):
            if not SIDE_MIN_PX <= getattr(self, key) <= SIDE_MAX_PX:
                problem = f"must lie in {SIDE_MIN_PX}..{SIDE_MAX_PX} pixels, got {getattr(self, key)}"
                raise ConfigError(key, problem, "usual is 640 x 480")
        if self.rate_hz is not None and not 0 < self.rate_hz <= RATE_MAX_HZ:
            problem = f"a rate must be positive and at most {RATE_MAX_HZ:g} Hz, got {self.rate_hz:g} Hz"
            raise ConfigError("rate_hz", problem, "usual are 10 to 30 Hz")
        if not 0.05 <= self.distance_m <= 16.0:
            raise ConfigError("distance_m", f"must lie in 0.05..16 m, got {self.distance_m:g}")
        if not 0.0 <= self.seen <= 1.0:
            raise ConfigError("seen", f"is a share of 0..1, got {self.seen:g}")

    @property
    def pixels(self) -> int:
        """Of one image."""
        return self.width * self.height

    @property
    def images_hz(self) -> float:
        """The rate. Known of every stream of a `CameraSetup`; ValueError for one that has none of its own."""
        if self.rate_hz is None:
            raise ValueError(f"the rate of this stream of {self.camera!r} is that of a set-up")
        return self.rate_hz


@dataclass(frozen=True)
class Limits:
    """What all streams together may take; None = not checked."""

    cpu_percent: float | None = 70.0  # of one core
    memory_mb: float | None = 1000.0
    uplink_percent: float | None = None  # of the network's rate, by the streams that leave the robot

    def __post_init__(self) -> None:
        for key in ("cpu_percent", "memory_mb", "uplink_percent"):
            value = getattr(self, key)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(key, f"must be positive, got {value:g}", "null switches the check off")


@dataclass(frozen=True)
class CameraSetup:
    """The key `cameras`: what the agent sees, and every stream."""

    rate_hz: float = 20.0  # of the images the agent is shown: the detection stream's
    latency_ms: float = 15.0  # from the light to the agent
    streams: dict[str, Stream] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 < self.rate_hz < math.inf:
            raise ConfigError("rate_hz", f"a rate must be positive, got {self.rate_hz:g} Hz", "the usual rate is 20 Hz")
        if not 0 <= self.latency_ms < math.inf:
            raise ConfigError("latency_ms", f"must not be negative or infinite, got {self.latency_ms:g}")
        shown = [name for name, stream in self.streams.items() if stream.purpose == "detection"]
        if len(shown) > 1:
            raise ConfigError(f"streams.{shown[1]}.purpose", f"{shown[0]} is for detection already")
        rated = {n: s if s.rate_hz is not None else replace(s, rate_hz=self.rate_hz) for n, s in self.streams.items()}
        object.__setattr__(self, "streams", rated)
        for name in shown:
            if rated[name].images_hz != self.rate_hz:
                problem = f"{rated[name].images_hz:g} Hz is not the {self.rate_hz:g} Hz of cameras.rate_hz"
                raise ConfigError(f"streams.{name}.rate_hz", problem, "the agent sees this stream: leave its rate out")

    @property
    def detection(self) -> Stream | None:
        """The stream the agent sees; None when nothing is said of it."""
        return next((stream for stream in self.streams.values() if stream.purpose == "detection"), None)


@dataclass(frozen=True)
class Cost:
    """What streams take."""

    raw_mbps: float = 0.0  # uncompressed
    sent_mbps: float = 0.0  # as the codec leaves them, Mbit/s
    memory_mb: float = 0.0
    cpu_percent: float = 0.0  # of one core: copying and encoding; drawing is the simulator's cost, not the robot's

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.raw_mbps + other.raw_mbps,
            self.sent_mbps + other.sent_mbps,
            self.memory_mb + other.memory_mb,
            self.cpu_percent + other.cpu_percent,
        )


def cost_of(stream: Stream, jpeg_quality: int = 90) -> Cost:
    """What one stream takes."""
    megapixels = stream.pixels * 1e-6
    raw_mbps = 8 * stream.images_hz * megapixels * (RGB_BYTES + RAW_DEPTH_BYTES * stream.depth)
    memory_mb = FRAME_BUFFER * megapixels * (RGB_BYTES + DEPTH_BYTES * stream.depth)
    ms, sent_mbps = COPY_MS * megapixels, raw_mbps
    if stream.codec == "jpeg":
        ms += jpeg(jpeg_quality)[2] * megapixels + PNG_MS_PER_MB * 1e-6 * png_bytes(stream)
        sent_mbps = 8e-6 * stream.images_hz * frame_bytes(stream, jpeg_quality)
    return Cost(raw_mbps, sent_mbps, memory_mb, 0.1 * ms * stream.images_hz)


def frame_bytes(stream: Stream, jpeg_quality: int = 90) -> float:
    """Expected size of one compressed image, depth included."""
    per_pixel, per_side, _ = jpeg(jpeg_quality)
    return per_pixel * stream.pixels + per_side * math.sqrt(stream.pixels) + png_bytes(stream)


def png_bytes(stream: Stream) -> float:
    """Expected size of the depth of one image as PNG; 0 without depth."""
    if not stream.depth:
        return 0.0
    per_pixel = stream.seen * max(0.0, PNG_1M + PNG_DOUBLING * math.log2(stream.distance_m))
    return per_pixel * stream.pixels + PNG_SIDE * math.sqrt(stream.pixels)


def jpeg(quality: int) -> tuple[float, float, float]:
    """Bytes for each pixel, for each pixel of the side, and ms for a megapixel at a quality of 1-100."""
    known = sorted(JPEG)
    a, b, c = (float(np.interp(quality, known, [JPEG[q][i] for q in known])) for i in range(3))
    return a, b, c


def total(streams: Mapping[str, Stream], jpeg_quality: int = 90) -> Cost:
    """What streams take together."""
    return sum((cost_of(stream, jpeg_quality) for stream in streams.values()), Cost())


# -- checks -----------------------------------------------------------------------------------------------------


def check(
    setup: CameraSetup,
    control_rate_hz: float | None,
    *,
    uplink_mbps: float | None = None,
    leaves: Collection[str] = (),
    jpeg_quality: int = 90,
) -> Cost:
    """Check a set-up and say what it takes in all; ConfigError names the stream, by how much, and what would fit.

    `control_rate_hz` None = rates are not checked. `uplink_mbps` None = a network without limit. `leaves` are the
    purposes whose images leave the robot.
    """
    if control_rate_hz is not None:
        for name, stream in setup.streams.items():
            _check_rate(f"cameras.streams.{name}.rate_hz", stream.images_hz, control_rate_hz)
    limits = setup.limits
    asked = [
        _Limit("cpu_percent", "% of a core", "the limit of", limits.cpu_percent, setup.streams),
        _Limit("memory_mb", "MB", "the limit of", limits.memory_mb, setup.streams),
    ]
    if uplink_mbps is not None and limits.uplink_percent is not None:
        sent = {name: stream for name, stream in setup.streams.items() if stream.purpose in leaves}
        asked.append(_Limit("sent_mbps", "Mbit/s", "the uplink's", uplink_mbps * limits.uplink_percent / 100, sent))
    for limit in asked:
        limit.check(control_rate_hz, jpeg_quality)
    return total(setup.streams, jpeg_quality)


def check_deployed(setup: CameraSetup, deployment: DeploymentConfig, control_rate_hz: float | None) -> Cost:
    """`check` with the network and the placement of a deployment."""
    deploy = deployment.deploy
    return check(
        setup,
        control_rate_hz,
        uplink_mbps=deployment.network.up_mbps,
        leaves=leaving(deploy),
        jpeg_quality=deploy.jpeg_quality,
    )


def leaving(deploy: DeployConfig) -> frozenset[str]:
    """Purposes whose images go over the robot's network: to a stage that runs elsewhere, or to a person who watches."""
    remote = {name: site.over_network for name, site in deploy.sites.items()}
    on_robot = {name: not site.over_network and site.leg is None for name, site in deploy.sites.items()}
    plan = deploy.placement
    placement = Placement(plan.default, on_robot, stages=plan.stages, rules=plan.rules, traits=plan.traits)
    to_stages = {purpose for purpose, stage in STAGES.items() if remote[placement.site(stage)]}
    return frozenset(to_stages | ({"inspection"} if any(remote.values()) else set()))


def check_cameras(setup: CameraSetup, cameras: Collection[str], with_depth: Collection[str]) -> None:
    """The robot has these cameras, and depth where a stream wants it; ConfigError with the nearest name."""
    for name, stream in setup.streams.items():
        if stream.camera not in cameras:
            problem = f"the robot has no camera {stream.camera!r}"
            raise ConfigError(f"cameras.streams.{name}.camera", problem, nearest(stream.camera, cameras))
        if stream.depth and stream.camera not in with_depth:
            problem = f"the camera {stream.camera!r} gives no depth"
            raise ConfigError(f"cameras.streams.{name}.depth", problem, "write false")


def _check_rate(key: str, rate_hz: float, control_rate_hz: float) -> None:
    if not divides(rate_hz, control_rate_hz):
        near = nearest_divisor_hz(rate_hz, control_rate_hz)
        problem = f"{rate_hz:g} Hz does not divide the control rate of {control_rate_hz:g} Hz"
        raise ConfigError(key, problem, f"the nearest rate that does is {near:.10g} Hz")


class _Limit(NamedTuple):
    """One resource, and the streams that share it."""

    field: str  # of `Cost`
    unit: str
    whose: str
    most: float | None
    streams: Mapping[str, Stream]

    def check(self, control_rate_hz: float | None, jpeg_quality: int) -> None:
        """ConfigError about the stream that takes most, when all together take too much."""
        shares = {name: self._share(stream, jpeg_quality) for name, stream in self.streams.items()}
        taken = sum(shares.values())
        if self.most is None or taken <= self.most:
            return
        worst = max(shares, key=lambda name: shares[name])
        left = self.most - (taken - shares[worst])
        together = f" of {taken:.1f} {self.unit} in all" if len(shares) > 1 else f" {self.unit}"
        problem = f"takes {shares[worst]:.1f}{together}, {taken - self.most:.1f} more than {self.whose} {self.most:.1f}"
        options = (_smaller(self.streams[worst]), _slower(self.streams[worst], control_rate_hz))
        nearest_fits = (self._first_within(left, choices, jpeg_quality) for choices in options)
        fits = [text for text in nearest_fits if text]
        hint = (
            f"what fits: {' or '.join(fits)}" if fits else "nothing smaller fits: leave a stream out or raise the limit"
        )
        raise ConfigError(f"cameras.streams.{worst}", problem, hint)

    def _share(self, stream: Stream, jpeg_quality: int) -> float:
        return float(getattr(cost_of(stream, jpeg_quality), self.field))

    def _first_within(self, left: float, options: Iterator[tuple[str, Stream]], jpeg_quality: int) -> str:
        """What the first option that leaves room is called; empty when none does."""
        return next((text for text, stream in options if self._share(stream, jpeg_quality) <= left), "")


def _smaller(stream: Stream) -> Iterator[tuple[str, Stream]]:
    """Smaller images, largest first: the same shape in steps of an eighth, sides in whole blocks."""
    for eighths in range(7, 0, -1):
        width, height = (
            max(SIDE_STEP_PX, round(side * eighths / 8 / SIDE_STEP_PX) * SIDE_STEP_PX)
            for side in (stream.width, stream.height)
        )
        if width * height < stream.pixels and min(width, height) >= SIDE_MIN_PX:
            yield f"{width} x {height}", replace(stream, width=width, height=height)


def _slower(stream: Stream, control_rate_hz: float | None) -> Iterator[tuple[str, Stream]]:
    """Slower rates that divide the control rate, fastest first."""
    control = exact_rate(control_rate_hz if control_rate_hz is not None else stream.images_hz)
    every = ticks_between(stream.images_hz, float(control))
    for ticks in range(every + 1, every * 100):
        rate: Fraction = control / ticks
        if (rate * 1000).denominator == 1:  # it can be written down
            yield f"{float(rate):.10g} Hz", replace(stream, rate_hz=float(rate))
