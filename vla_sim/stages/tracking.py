"""Tracking: what is known of one object from the detections that have arrived, however late and in whatever order."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np

from vla_sim.types import Array, Detection, Detections, ObjectQuery


@dataclass(frozen=True)
class TrackerConfig:
    """Times s, lengths m, speeds m/s."""

    predict: bool = False  # extrapolate at constant velocity over the known age
    window_s: float = 0.6  # of the velocity fit
    fit_min: int = 4  # detections a velocity needs
    fit_span_s: float = 0.12
    still_m_s: float = 0.008  # slower is standing still, when predicting
    moving_m_s: float = 0.015  # faster is called moving
    visible_min: float = 0.75  # of the best of the first sightings; less is occluded
    top_gate_m: float = 0.012  # an object does not grow
    history: int = 40
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


class ObjectTracker:
    """Follows the object of a query through `Detections`."""

    def __init__(self, query: ObjectQuery, config: TrackerConfig | None = None) -> None:
        self.query, self.config = query, config or TrackerConfig()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._accepted: list[tuple[float, Detection]] = []
        self._rejected = 0
        self._fit: tuple[float, Array, Array] | None = None

    def update(self, detections: Detections) -> None:
        """Take in what one image showed."""
        found = self._choose(detections)
        if found is None:
            return
        if self._occluded(found):
            self._rejected += 1
            if self._rejected < self.config.lost_after:
                return
            self.reset()  # it has truly changed: fallen over, or moved while hidden
        self._rejected = 0
        times = [time for time, _ in self._accepted]
        self._accepted.insert(bisect.bisect_right(times, detections.time_s), (detections.time_s, found))
        del self._accepted[: -self.config.history]
        self._fit = self._fit_velocity()

    def _choose(self, detections: Detections) -> Detection | None:
        matches = [item for item in detections.items if self._matches(item)]
        if not matches or not self._accepted:
            return max(matches, key=lambda item: item.confidence, default=None)
        last = self._accepted[-1][1].position_in_base
        return min(matches, key=lambda item: float(np.hypot(*(item.position_in_base - last)[:2])))

    def _matches(self, item: Detection) -> bool:
        return item.shape == self.query.shape and self.query.colour in (None, item.colour)

    def _occluded(self, item: Detection) -> bool:
        if not self._accepted:
            return False
        seen = [accepted.visible for _, accepted in self._accepted[:4]]
        if len(self._accepted) >= 4 and item.visible < self.config.visible_min * max(seen):
            return True
        tops = [accepted.top_m for _, accepted in self._accepted[-5:]]
        return abs(item.top_m - float(np.median(tops))) > self.config.top_gate_m

    def _fit_velocity(self) -> tuple[float, Array, Array] | None:
        """(time, position, velocity) of a straight line through the last detections; None when they are too few."""
        newest = self._accepted[-1][0]
        recent = [(t, d.position_in_base) for t, d in self._accepted if t > newest - self.config.window_s]
        if len(recent) < self.config.fit_min or newest - recent[0][0] <= self.config.fit_span_s:
            return None
        times = np.array([t for t, _ in recent]) - newest
        matrix = np.column_stack((np.ones(len(times)), times))
        line = np.linalg.lstsq(matrix, np.array([x for _, x in recent]), rcond=None)[0]
        velocity = line[1].copy()
        velocity[2] = 0.0
        return newest, line[0], velocity

    def estimate(self, now_s: float) -> Estimate | None:
        """What is known at `now_s`; None before the first sighting."""
        if not self._accepted:
            return None
        observed, newest = self._accepted[-1]
        speed = 0.0 if self._fit is None else float(np.sqrt(self._fit[2] @ self._fit[2]))
        position, velocity = newest.position_in_base, np.zeros(3)
        if self.config.predict and self._fit is not None and speed >= self.config.still_m_s:
            time, start, velocity = self._fit
            position = start + velocity * (now_s - time)
        moving = speed > self.config.moving_m_s
        return Estimate(newest, position, velocity, observed, now_s - observed, moving, speed)
