"""What leaves the robot, and how large it is.

Images are compressed before they travel, so a remote stage works on what really arrives: JPEG colours and depth in
quarter millimetres. Everything else keeps its value; its size is estimated as a compact binary encoding would make it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vla_sim.errors import ConfigError
from vla_sim.types import Array, Frame, Intrinsics

DEPTH_STEP_M = 0.25e-3  # 16 bits of it reach 16.4 m; 0 stands for 'nothing was hit'
_DEPTH_MAX = 65535


@dataclass(frozen=True, slots=True)
class Message:
    """An encoded value on its way."""

    body: Any
    n_bytes: int


class Codec(Protocol):
    """Turns values into messages and back."""

    def encode(self, value: Any) -> Message:
        """What is sent."""

    def decode(self, message: Message) -> Any:
        """What the receiver makes of it."""


@dataclass(frozen=True, slots=True)
class CompressedFrame:
    """A camera image as it travels. Simulator labels do not."""

    camera: str
    time_s: float
    intrinsics: Intrinsics
    pose_camera_in_base: Array  # [4, 4]
    jpeg: bytes
    depth_png: bytes | None
    pose_base_in_odom: Array  # [4, 4]


class Wire:
    """The codec of everything that leaves the robot. Raises ConfigError for a JPEG quality outside 1-100."""

    def __init__(self, jpeg_quality: int = 90) -> None:
        if not 1 <= jpeg_quality <= 100:
            raise ConfigError("jpeg_quality", f"must be between 1 and 100, got {jpeg_quality}")
        self._jpeg_quality = jpeg_quality

    def encode(self, value: Any) -> Message:
        """Compress every `Frame` in `value`, however deep; raises TypeError for what `payload_bytes` does not know."""
        body = _replace(value, Frame, self._compress)
        return Message(body, payload_bytes(body))

    def decode(self, message: Message) -> Any:
        """The value as it arrives: frames decoded, without simulator labels."""
        return _replace(message.body, CompressedFrame, _decompress)

    def _compress(self, frame: Frame) -> CompressedFrame:
        import cv2

        # Full chroma: at half of it, as JPEG comes by default, a detector loses four small coloured objects in five.
        full_chroma = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality, *full_chroma]
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR), quality)
        png = None
        if frame.depth_m is not None:
            steps = np.rint(frame.depth_m / DEPTH_STEP_M)
            known = (steps >= 0) & (steps <= _DEPTH_MAX)  # neither NaN nor infinite
            levels = np.where(known, steps, 0).astype(np.uint16)
            # One filter for all rows: trying out which is best takes as long again and saves nothing on noisy depth.
            fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
            png = cv2.imencode(".png", levels, fast)[1].tobytes()
        return CompressedFrame(
            frame.camera,
            frame.time_s,
            frame.intrinsics,
            frame.pose_camera_in_base,
            jpeg.tobytes(),
            png,
            frame.pose_base_in_odom,
        )


def _decompress(sent: CompressedFrame) -> Frame:
    bgr = _decode_image(sent.jpeg)
    depth_m = None
    if sent.depth_png is not None:
        levels = _decode_image(sent.depth_png)
        depth_m = np.where(levels > 0, levels * np.float32(DEPTH_STEP_M), np.float32(np.inf))
    rgb = _swapped(bgr)
    return Frame(
        sent.camera, sent.time_s, rgb, sent.intrinsics, sent.pose_camera_in_base, depth_m,
        pose_base_in_odom=sent.pose_base_in_odom,
    )  # fmt: skip


def _swapped(bgr: NDArray[Any]) -> NDArray[Any]:
    import cv2

    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def _decode_image(data: bytes) -> NDArray[Any]:
    import cv2  # here, because it is heavy and most requests carry no image

    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR))


def _replace(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """`value` with every `kind` in its dataclasses, mappings and sequences changed; itself if it holds none."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, Mapping):
        old = list(value.values())
    elif isinstance(value, list | tuple):
        old = list(value)
    elif _is_record(value):
        old = [getattr(value, field.name) for field in dataclasses.fields(value)]
    else:
        return value
    new = [_replace(item, kind, change) for item in old]
    if all(a is b for a, b in zip(new, old, strict=True)):
        return value
    if isinstance(value, Mapping):
        return dict(zip(value, new, strict=True))
    if isinstance(value, list | tuple):
        return type(value)(new)
    return dataclasses.replace(value, **dict(zip((f.name for f in dataclasses.fields(value)), new, strict=True)))


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def payload_bytes(value: Any) -> int:
    """Size of a value in a compact binary encoding (MessagePack's lengths; both ends know the field names).

    Raises TypeError for a value that has no such encoding.
    """
    if isinstance(value, np.ndarray | np.generic):
        return int(value.nbytes)
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return _int_bytes(value)
    if isinstance(value, float):
        return 9
    if isinstance(value, Enum):
        return payload_bytes(value.value)
    if isinstance(value, str):
        return _with_header(len(value.encode()))
    if isinstance(value, bytes):
        return _with_header(len(value))
    if isinstance(value, Mapping):
        return _header(len(value)) + sum(payload_bytes(key) + payload_bytes(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return _header(len(value)) + sum(payload_bytes(item) for item in value)
    if _is_record(value):
        items = dataclasses.fields(value)
        return _header(len(items)) + sum(payload_bytes(getattr(value, item.name)) for item in items)
    raise TypeError(f"cannot put a {type(value).__name__} on the wire")


def _int_bytes(value: int) -> int:
    bits = (value if value >= 0 else -value - 1).bit_length()
    limits = (7, 8, 16, 32) if value >= 0 else (5, 7, 15, 31)
    return next((n for n, limit in zip((1, 2, 3, 5), limits, strict=True) if bits <= limit), 9)


def _header(count: int) -> int:
    return 1 if count < 16 else 3 if count < 1 << 16 else 5


def _with_header(n_bytes: int) -> int:
    return n_bytes + (1 if n_bytes < 32 else 2 if n_bytes < 1 << 8 else 3 if n_bytes < 1 << 16 else 5)
