"""Tracking: what is known of one object from the detections that have arrived, however late and in whatever order."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace

import numpy as np

from vla_sim.catalogue import COLOURS, SHAPES
from vla_sim.errors import ConfigError, nearest
from vla_sim.types import Array, Detection, Detections, ObjectQuery

FIRST, RECENT = 4, 5  # sightings that say how much of the object can be seen, and how high it is


@dataclass(frozen=True)
class TrackerConfig:
    """Times s, lengths m, speeds m/s."""

    predict: bool = False  # extrapolate at constant velocity over the known age
    window_s: float = 0.6  # of the velocity fit
    fit_min: int = 4  # detections a velocity needs
    fit_span_s: float = 0.12
    still_m_s: float = 0.008  # slower is standing still, when predicting
    moving_m_s: float = 0.015  # faster is called moving
    visible_min: float = 0.62  # of the best of the first sightings; less is occluded
    top_gate_m: float = 0.012  # an object does not grow
    gate_m: float = 0.06  # how far from where it is expected an object may be seen
    gate_m_s: float = 0.08  # and how much farther for each second without a sighting
    history: int = 40  # images kept; older ones that arrive late are ignored
    lost_after: int = 12  # rejected sightings in a row before the track starts anew


@dataclass(frozen=True)
class Estimate:
    """Where an object is thought to be now."""

    detection: Detection  # the newest one accepted
    position_in_base: Array  # [3] m
    velocity_in_base: Array  # [3] m/s; zeros unless predicting
    observed_s: float  # when the newest accepted image was taken
    age_s: float
    moving: bool
    speed_m_s: float  # fitted, whether predicting or not


@dataclass(frozen=True)
class _Line:
    """Constant velocity: `start` [3] m at `time_s`, `velocity` [3] m/s without its vertical part."""

    time_s: float
    start: Array
    velocity: Array

    @property
    def speed_m_s(self) -> float:
        return float(np.hypot(self.velocity[0], self.velocity[1]))

    def at(self, time_s: float) -> Array:
        return np.asarray(self.start + self.velocity * (time_s - self.time_s))


@dataclass(frozen=True)
class _Track:
    """What the images up to one moment say. Never changed, so that an image that comes late can be put between."""

    accepted: tuple[tuple[float, Detection], ...] = ()
    count: int = 0  # accepted since the track began
    visible: float = 0.0  # most that was seen in its first sightings
    rejected: int = 0  # in a row
    line: _Line | None = None


class ObjectTracker:
    """Follows the object of a query through `Detections`. Raises ConfigError for a query it cannot know."""

    def __init__(self, query: ObjectQuery, config: TrackerConfig | None = None) -> None:
        if query.shape not in SHAPES:
            raise ConfigError("query.shape", f"there is no shape {query.shape!r}", nearest(query.shape, SHAPES))
        if query.colour is not None and query.colour not in COLOURS:
            raise ConfigError("query.colour", f"there is no colour {query.colour!r}", nearest(query.colour, COLOURS))
        self.query, self.config = query, config or TrackerConfig()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._images: list[Detections] = []  # by the time they were taken
        self._tracks: list[_Track] = []  # after each of them
        self._before, self._before_s = _Track(), -np.inf  # what images no longer kept said

    def update(self, detections: Detections) -> None:
        """Take in what one image showed, at the time it was taken; images that came later are judged anew."""
        place = bisect.bisect_left(self._images, detections.time_s, key=lambda image: image.time_s)
        known = place < len(self._images) and self._images[place].time_s == detections.time_s
        if known or detections.time_s <= self._before_s:
            return
        self._images.insert(place, detections)
        del self._tracks[place:]
        for image in self._images[place:]:
            self._tracks.append(self._after(self._tracks[-1] if self._tracks else self._before, image))
        while len(self._images) > self.config.history:
            self._before_s, self._before = self._images.pop(0).time_s, self._tracks.pop(0)

    def estimate(self, now_s: float) -> Estimate | None:
        """What is known at `now_s`; None before the first sighting."""
        track = self._tracks[-1] if self._tracks else self._before
        if not track.accepted:
            return None
        observed_s, newest = track.accepted[-1]
        speed = track.line.speed_m_s if track.line else 0.0
        position, velocity = newest.position_in_base, np.zeros(3)
        if self.config.predict and track.line and speed >= self.config.still_m_s:
            position, velocity = track.line.at(now_s), track.line.velocity
        moving = speed > self.config.moving_m_s
        return Estimate(newest, position, velocity, observed_s, now_s - observed_s, moving, speed)

    def _after(self, track: _Track, image: Detections) -> _Track:
        """The track once an image has been looked at."""
        matches = [item for item in image.items if self._matches(item)]
        if not matches:
            return track
        if not track.accepted:
            return self._accept(track, image.time_s, max(matches, key=lambda item: item.confidence))
        expected = self._expected(track, image.time_s)
        item = min(matches, key=lambda item: _apart(item, expected))
        gate = self.config.gate_m + self.config.gate_m_s * (image.time_s - track.accepted[-1][0])
        if _apart(item, expected) <= gate and not self._poor(track, item):
            return self._accept(track, image.time_s, item)
        if track.rejected + 1 < self.config.lost_after:
            return replace(track, rejected=track.rejected + 1)
        return self._accept(_Track(), image.time_s, item)  # it has truly changed: fallen over, or moved while hidden

    def _matches(self, item: Detection) -> bool:
        return item.shape == self.query.shape and self.query.colour in (None, item.colour)

    def _expected(self, track: _Track, time_s: float) -> Array:
        if track.line and track.line.speed_m_s >= self.config.still_m_s:
            return track.line.at(time_s)
        return track.accepted[-1][1].position_in_base

    def _poor(self, track: _Track, item: Detection) -> bool:
        """Whether too little of it is seen, or its top is not where it was."""
        tops = [seen.top_m for _, seen in track.accepted[-RECENT:]]
        hidden = item.visible < self.config.visible_min * track.visible
        return hidden or abs(item.top_m - float(np.median(tops))) > self.config.top_gate_m

    def _accept(self, track: _Track, time_s: float, item: Detection) -> _Track:
        accepted = (*track.accepted, (time_s, item))[-self.config.history :]
        visible = max(track.visible, item.visible) if track.count < FIRST else track.visible
        return _Track(accepted, track.count + 1, visible, 0, self._line(accepted))

    def _line(self, accepted: tuple[tuple[float, Detection], ...]) -> _Line | None:
        """Least squares through the last detections; None when they are too few or span too little time."""
        newest_s = accepted[-1][0]
        recent = [(time_s, item) for time_s, item in accepted if time_s > newest_s - self.config.window_s]
        if len(recent) < self.config.fit_min or newest_s - recent[0][0] <= self.config.fit_span_s:
            return None
        times = np.array([time_s for time_s, _ in recent]) - newest_s
        places = np.array([item.position_in_base for _, item in recent])
        middle_s, middle = times.mean(), places.mean(axis=0)
        spread = times - middle_s
        velocity = spread @ (places - middle) / (spread @ spread)
        velocity[2] = 0.0
        return _Line(newest_s, middle - velocity * middle_s, velocity)


def _apart(item: Detection, place: Array) -> float:
    """Horizontal distance, m."""
    offset = item.position_in_base - place
    return float(np.hypot(offset[0], offset[1]))
