"""How near to its place at a table does it come? `python -m experiments.walking.docking --n 20 --seed 6000`.

From a random place in the apartment it walks up to a table by lidar, map and its own estimate; nothing is late. What is
measured, where it has come to rest, is the true base against the place before the table that it chose.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from experiments.walking.trials import wilson, wrap
from vla_sim import configuration
from vla_sim.harness.episode import Episode
from vla_sim.stages.going import StepUp
from vla_sim.telemetry.recorder import Recorder
from vla_sim.types import Array

WITHIN_M, WITHIN_DEG = 0.03, 3.0


def trial(seed: int) -> dict[str, Any]:
    """One walk through the apartment up to the table on which the thing to fetch lies; the rest is cut short."""
    words = ["env=fetch", f"seed={seed}", "delay_ms=0", "video=false"]
    config = configuration.compose(words)
    settings = configuration.settings_of(config, words)
    robot: Any = configuration.build_robot(config)
    stack = configuration.build_stack(config, robot.spec)
    places: list[tuple[Array, Array]] = []

    def watch() -> None:
        skill = stack.motion.skill
        if isinstance(skill, StepUp) and skill.phase == "settle":
            places.append((np.array(robot.env.world.base_pose()), skill.base_goal.copy()))
        elif places and not isinstance(skill, StepUp):
            robot.env.time_limit_s = 0.0

    recorder = Recorder(robot.spec.upper_joints, robot.spec.hands)
    row = Episode(robot, stack, settings.episode, recorder, 0).run(film=watch)
    off_m = off_deg = math.inf
    if places:
        base, goal = places[-1]
        off_m, off_deg = math.dist(base[:2], goal[:2]), math.degrees(abs(wrap(float(base[2] - goal[2]))))
    return {"seed": seed, "time_s": round(row.sim_s, 2), "fell": row.fell,
            "off_m": round(off_m, 4), "off_deg": round(off_deg, 3),
            "ok": off_m < WITHIN_M and off_deg < WITHIN_DEG and not row.fell}  # fmt: skip


def main() -> None:
    """From the command line's words to rows and a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    console = Console()
    rows = []
    for i in range(asked.n):
        rows.append(trial(asked.seed + i))
        console.print(rows[-1], highlight=False)
    if asked.out:
        with asked.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    good = sum(row["ok"] for row in rows)
    low, high = wilson(good, len(rows))
    console.print(f"{good} of {len(rows)} within {WITHIN_M} m and {WITHIN_DEG} degrees ({low:.0%}-{high:.0%})")


if __name__ == "__main__":
    main()
