"""`python -m vla_sim.report DIR` draws a run's or a sweep's report again, from its records alone.

`python -m vla_sim.report FIRST SECOND` puts two runs of the same episodes side by side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vla_sim.errors import ConfigError, RecordError, nearest

USAGE = "python -m vla_sim.report DIR [rerun=true] | FIRST SECOND [out=DIR] [episode=N]"
KEYS = ("episode", "out", "rerun")


def redraw(folder: Path) -> Path:
    """Draw the report of a run folder or of a sweep folder; returns the page. Raises RecordError."""
    from vla_sim.report.page import write_report
    from vla_sim.report.sweep import write_sweep
    from vla_sim.telemetry.store import find_runs

    return write_sweep(folder) if find_runs(folder) else write_report(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when drawn, 2 when the records or the words on the command line cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m vla_sim.report",
        usage=USAGE,
        description=(__doc__ or "").replace("`", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="out=DIR: where the page of two runs goes; episode=N: which episode of the first it shows; "
        "rerun=true: write episode.rrd for the Rerun viewer too (pip install -e .[rerun])",
    )
    parser.add_argument("words", nargs="+", metavar="DIR", help="a run folder, a sweep folder, or two run folders")
    try:
        folders, settings = _split(parser.parse_args(arguments).words)
        for path in _draw(folders, settings):
            sys.stdout.write(f"{path}\n")
    except (ConfigError, RecordError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _split(words: Sequence[str]) -> tuple[list[Path], dict[str, str]]:
    """Folders and `key=value` settings; a folder with an equals sign in its name is still a folder."""
    folders, settings = [], {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or Path(word).exists() or "/" in key:
            folders.append(Path(word))
        elif key in KEYS:
            settings[key] = value
        else:
            raise ConfigError(key, "there is no such setting", nearest(key, KEYS))
    if len(folders) not in (1, 2):
        raise ConfigError("command line", f"{len(folders)} folders", USAGE)
    return folders, settings


def _draw(folders: Sequence[Path], settings: dict[str, str]) -> list[Path]:
    rerun = _truth("rerun", settings.get("rerun", "false"))
    episode = _whole("episode", settings["episode"]) if "episode" in settings else None
    if len(folders) == 2:
        from vla_sim.report.pair_page import write_pair

        if rerun:
            raise ConfigError("rerun", "is written for one run", "give one folder")
        out = Path(settings["out"]) if "out" in settings else None
        return [write_pair(folders[0], folders[1], out, episode)]
    if {"out", "episode"} & set(settings):
        raise ConfigError("out" if "out" in settings else "episode", "is for two runs", USAGE)
    if not rerun:
        return [redraw(folders[0])]
    from vla_sim.report.rerun_export import write_rrd

    recording = write_rrd(folders[0])  # first: without the viewer's library nothing else is done either
    return [redraw(folders[0]), recording]


def _truth(key: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ConfigError(key, f"is {value!r}", "true or false")
    return value.lower() == "true"


def _whole(key: str, value: str) -> int:
    if not value.isdecimal():
        raise ConfigError(key, f"is {value!r}", "give the number of an episode, from 0")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
