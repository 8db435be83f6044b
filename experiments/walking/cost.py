"""What the walker costs: stepping with control against replaying the same motor targets bare, chunk by chunk.

`python -m experiments.walking.cost`. Both worlds live at once and take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import numpy as np
from rich.console import Console

from experiments.walking.world import Ground, World
from vla_sim.clock import Stopwatch

CHUNK, CHUNKS = 100, 25  # ticks
AHEAD = (0.4, 0.0, 0.1)


def main() -> None:
    """Print both rates and their ratio."""
    walking, bare = World(Ground(), 0), World(Ground(), 0)
    controlled, replayed = [], []
    for chunk in range(CHUNKS):
        targets, watch = [], Stopwatch()
        for _ in range(CHUNK):
            walking.step(AHEAD)
            targets.append([*walking.walker_targets(), *walking.fingers])
        took = watch.elapsed_s
        watch = Stopwatch()
        for target in targets:
            bare.replay(target)
        if chunk:  # the first warms up
            controlled.append(took)
            replayed.append(watch.elapsed_s)
    ours, reference = float(np.median(controlled)), float(np.median(replayed))
    seconds = CHUNK * walking.walker.period_s
    ratio = float(np.median(np.array(replayed) / np.array(controlled)))
    Console().print(
        f"with control {seconds / ours:.2f} x real time, bare {seconds / reference:.2f} x, ratio {ratio:.3f}; "
        f"control {1e6 * (ours - reference) / CHUNK:.0f} us a tick"
    )


if __name__ == "__main__":
    main()
