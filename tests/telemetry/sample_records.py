"""A few rows of each table, to be written, damaged and compared."""

from __future__ import annotations

from vla_sim.telemetry.recorder import EpisodeRow, Recorder, SpanRow

JOINTS, HANDS = ("elbow", "wrist"), ("left",)
SPAN = SpanRow(0, 7, "perception", "cloud", "ok", 0.1, 0.35, 0.05, 0.0, 0.15, 0.05, 4600, 70, 1.0)
EPISODE = EpisodeRow(
    0, 42, "lift it", True, "lifted", "", 9.5, 1.25, None, 1, 3, 2, 950, 40, 4, 1, 0, 5, 0, False, False, 9
)


def filled(ticks: int = 3) -> Recorder:
    recorder = Recorder(JOINTS, HANDS)
    for k in range(ticks):
        recorder.tick(0, k, k / 100, "search" if k < 2 else "lift", [k, 0.5], [k + 0.25, 0.5], [1.0], starved=k == 1)
    recorder.span(SPAN)
    recorder.span(SPAN._replace(request=8, deadline_s=None, status="lost"))
    recorder.episode(EPISODE)
    return recorder
