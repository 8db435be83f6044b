"""What a cache knows a question by: equal inputs of a stage have equal names, and on request so have similar images.

A name says nothing of when the input was made, or no two would be equal: every field `time_s` is left out, and a
frame's simulator labels, which no stage sees. All else counts to the last bit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vla_sim.types import Array, Frame

Kind = Literal["exact", "similar"]

# Two frames are similar within these, in every one of 16 x 12 blocks. Measured on rendered tables: noise of sigma 5
# changes a block by 1.6 grey levels and 0.01 1/m, an object 0.6 m away that moves by 2 cm by 25 and more.
BLOCKS_V, BLOCKS_U = 12, 16
TOLERANCE_GREY = 12.0  # levels of each colour, after the image's mean was taken off
TOLERANCE_DISPARITY = 0.03  # 1/m
TOLERANCE_M, TOLERANCE_RAD = 0.01, math.radians(1.0)  # of the camera, in odom and in base
NEAREST_M = 0.1  # what is nearer counts as this near
NAME_BYTES = 16
UNSEEN = "unseen"  # name of a frame like no other

_LEFT_OUT = {"time_s", "segmentation"}


class Keys(Protocol):
    """Names the inputs of one stage."""

    def find(self, value: Any) -> str:
        """The name under which an answer to `value` may be known."""

    def assign(self, value: Any) -> str:
        """The name under which an answer to `value` is kept."""


class ExactKeys:
    """Equal inputs have the same name, all others their own. Raises TypeError for what has no name."""

    def find(self, value: Any) -> str:
        return key_of(value)

    def assign(self, value: Any) -> str:
        return key_of(value)


class SimilarKeys:
    """A frame has the name of the most similar one that is remembered, if that is similar enough; see `Signature`.

    Rounding the image would not do: among hundreds of rounded numbers one always lies on an edge, and noise changes
    it. So a frame is compared with the `remembered` newest ones and with all that `kept` says are still of use. What is
    no frame goes by `key_of`.
    """

    def __init__(self, remembered: int, kept: Callable[[str], bool]) -> None:
        self._remembered, self._kept = remembered, kept
        self._seen: OrderedDict[str, Signature] = OrderedDict()
        self._named = 0

    def find(self, value: Any) -> str:
        return self._nearest(Signature.of(value)) or UNSEEN if isinstance(value, Frame) else key_of(value)

    def assign(self, value: Any) -> str:
        if not isinstance(value, Frame):
            return key_of(value)
        signature = Signature.of(value)
        name = self._nearest(signature)
        if not name:
            self._named += 1
            name = f"frame {self._named}"
        self._seen[name] = signature  # the answer kept is to this frame, so others are compared with this one
        self._seen.move_to_end(name)
        if len(self._seen) > self._remembered:
            oldest = next((old for old in self._seen if old != name and not self._kept(old)), None)
            if oldest is not None:
                del self._seen[oldest]
        return name

    def _nearest(self, signature: Signature) -> str:
        distances = {name: signature.distance(other) for name, other in self._seen.items()}
        name = min(distances, key=distances.__getitem__, default="")
        return name if name and distances[name] <= 1.0 else ""


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """What is compared of a frame: its camera, where that was, and the means of blocks of the image."""

    lens: str  # name of camera, size and intrinsics: equal or not comparable
    pose_camera_in_odom: Array  # [4, 4]
    pose_camera_in_base: Array  # [4, 4]
    colours: Array  # [12, 16, 3] grey levels less the image's mean, so that exposure does not count
    disparity: Array  # [12, 16] 1/m; 0 where nothing was hit, and everywhere without a depth image

    @classmethod
    def of(cls, frame: Frame) -> Signature:
        """The signature of a frame."""
        colours = _block_means(frame.rgb.astype(np.float32))
        disparity = np.zeros((BLOCKS_V, BLOCKS_U))
        if frame.depth_m is not None:
            depth = np.fmax(frame.depth_m, np.float32(NEAREST_M))
            disparity = _block_means(np.where(np.isnan(frame.depth_m), np.float32(0.0), 1 / depth))
        return cls(
            key_of((frame.camera, frame.rgb.shape, frame.depth_m is None, frame.intrinsics)),
            frame.pose_base_in_odom @ frame.pose_camera_in_base,
            frame.pose_camera_in_base,
            colours - colours.mean(axis=(0, 1)),
            disparity,
        )

    def distance(self, other: Signature) -> float:
        """The largest difference in units of its tolerance: similar up to 1; infinite through another lens."""
        if self.lens != other.lens:
            return math.inf
        return max(
            _pose_distance(self.pose_camera_in_odom, other.pose_camera_in_odom),
            _pose_distance(self.pose_camera_in_base, other.pose_camera_in_base),
            float(np.abs(self.colours - other.colours).max()) / TOLERANCE_GREY,
            float(np.abs(self.disparity - other.disparity).max()) / TOLERANCE_DISPARITY,
        )


def _block_means(image: NDArray[np.float32]) -> Array:
    """[12, 16, ...] means of an image [H, W, ...]."""
    import cv2  # here, because it is heavy and most questions carry no image

    return np.asarray(cv2.resize(image, (BLOCKS_U, BLOCKS_V), interpolation=cv2.INTER_AREA), np.float64)


def _pose_distance(a: Array, b: Array) -> float:
    moved_m = float(np.linalg.norm(a[:3, 3] - b[:3, 3]))
    chord = float(np.linalg.norm(a[:3, :3] - b[:3, :3])) / math.sqrt(8.0)  # sine of half the angle between them
    return max(moved_m / TOLERANCE_M, 2.0 * math.asin(min(chord, 1.0)) / TOLERANCE_RAD)


def key_of(value: Any) -> str:
    """A digest of a stage's input that is the same in every process; see the head of this file for what counts.

    Knows dataclasses, arrays, texts, numbers, bytes, enums, None, and mappings and sequences of these; raises TypeError
    for anything else.
    """
    digest = hashlib.blake2b(digest_size=NAME_BYTES)
    for part in _parts(value):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """The bytes of a value, each preceded by what it is and how long, so that no two values share them."""
    if isinstance(value, np.ndarray | np.generic):
        yield f"a{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif value is None or isinstance(value, bool):
        yield f"c{value}".encode()
    elif isinstance(value, Enum):
        yield f"e{type(value).__qualname__}.{value.name};".encode()
    elif isinstance(value, int):
        yield f"i{value};".encode()
    elif isinstance(value, float):
        yield b"f" + struct.pack("<d", value)
    elif isinstance(value, str | bytes):
        plain = value.encode() if isinstance(value, str) else value
        yield f"{'s' if isinstance(value, str) else 'b'}{len(plain)};".encode() + plain
    elif isinstance(value, Mapping):
        yield f"m{len(value)};".encode()
        for key in sorted(value, key=repr):
            yield from _parts(key)
            yield from _parts(value[key])
    elif isinstance(value, list | tuple):
        yield f"l{len(value)};".encode()
        for item in value:
            yield from _parts(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.name not in _LEFT_OUT]
        yield f"d{type(value).__qualname__};{len(fields)};".encode()
        for name in fields:
            yield from _parts(getattr(value, name))
    else:
        raise TypeError(f"a {type(value).__name__} has no name in a cache")
