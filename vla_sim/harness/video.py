"""MP4 from frames, whole or not at all."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


class Mp4Writer:
    """H.264 video of equally spaced frames uint8[H, W, 3]; the file appears when it is closed."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._scratch = path, path.with_suffix(".part.mp4")
        self._rate = Fraction(rate_hz).limit_denominator(1000)
        self._container = av.open(str(self._scratch), "w")
        self._stream: av.VideoStream | None = None

    def add(self, rgb: NDArray[np.uint8]) -> None:
        """Append a frame; all frames have the size of the first."""
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self._rate)
            self._stream.height, self._stream.width = rgb.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": "26", "preset": "veryfast"}
            self._stream.thread_count = 1
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")):
            self._container.mux(packet)

    def close(self) -> None:
        """Finish the file. A video without frames is no file."""
        if self._stream is not None:
            for packet in self._stream.encode():
                self._container.mux(packet)
        self._container.close()
        if self._stream is None:
            self._scratch.unlink(missing_ok=True)
        else:
            os.replace(self._scratch, self.path)
