"""Kill a sweep at random moments, let it go on, and compare what comes of it with one that nobody disturbed."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from vla_sim.clock import Stopwatch
from vla_sim.rng import stream

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("env=reach", "deploy=edge,cloud", "episodes=30", "video=false")
START_S = 1.0  # at least so long a sweep lives; less and it has not even read its configuration

console = Console(width=110)


def command(words: Sequence[str], folder: Path) -> list[str]:
    """A sweep into a folder."""
    return [sys.executable, "-m", "vla_sim.run", *words, f"hydra.sweep.dir={folder}", "-m"]


def play(words: Sequence[str], folder: Path) -> float:
    """Let a sweep come to its end; returns how long it took, s. Raises when it does not end well."""
    watch = Stopwatch()
    subprocess.run(command(words, folder), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return watch.elapsed_s


def kill_after(words: Sequence[str], folder: Path, delay_s: float) -> bool:
    """Start a sweep, kill it with all its workers after `delay_s`; False when it was over before."""
    started = subprocess.Popen(command(words, folder), cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    threading.Event().wait(delay_s)
    alive = started.poll() is None
    if alive:
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    return alive


def kept(folder: Path) -> int:
    """Whole episodes on disk, in finished variants and in the one under way."""
    done = (json.loads(path.read_text())["seeds"] for path in folder.glob("*/manifest.json"))
    parts = (path for path in folder.glob("*/parts/episode_*") if not (path.parents[1] / "manifest.json").exists())
    return sum(map(len, done)) + len(list(parts))


def hashes(folder: Path) -> dict[str, str]:
    """Content hash by variant."""
    paths = sorted(folder.glob("*/manifest.json"))
    return {path.parent.name: json.loads(path.read_text())["content_hash"] for path in paths}


def disturbed(words: Sequence[str], folder: Path, kills: int, gap_s: float, rng: np.random.Generator) -> list[int]:
    """Kill the sweep `kills` times; returns the episodes kept after each. Raises when one was lost."""
    found: list[int] = []
    while len(found) < kills and kill_after(words, folder, START_S + float(rng.uniform(0.0, gap_s))):
        found.append(kept(folder))
        if found[-1] < max(found):
            raise RuntimeError(f"kill {len(found)} lost episodes: {found}")
        console.print(f"kill {len(found)}: {found[-1]} episodes kept")
    return found


def main() -> int:
    """Returns 0 when both sweeps say the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--gap-s", type=float, default=None, help="longest time between kills; default: measured")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "resume")
    parser.add_argument("words", nargs="*", default=WORDS, help="the sweep, as for vla_sim.run")
    asked = parser.parse_args()
    shutil.rmtree(asked.out, ignore_errors=True)
    whole_s = play(asked.words, asked.out / "whole")
    startup_s = play(asked.words, asked.out / "whole")  # again: nothing to play
    console.print(f"undisturbed: {whole_s:.0f} s; start-up and report alone: {startup_s:.0f} s")
    gap_s = asked.gap_s or startup_s + 1.5 * (whole_s - startup_s) / asked.kills
    found = disturbed(asked.words, asked.out / "cut", asked.kills, gap_s, stream(asked.seed, 0, "kills"))
    play(asked.words, asked.out / "cut")
    whole, cut = hashes(asked.out / "whole"), hashes(asked.out / "cut")
    table = Table(title=f"{len(found)} kills; {len(set(found))} different numbers of episodes kept")
    for column in ("variant", "undisturbed", "killed", "same"):
        table.add_column(column)
    for name, digest in whole.items():
        table.add_row(name, digest[:16], cut.get(name, "-")[:16], "yes" if cut.get(name) == digest else "NO")
    console.print(table)
    return 0 if whole == cut and len(found) == asked.kills else 1


if __name__ == "__main__":
    raise SystemExit(main())
