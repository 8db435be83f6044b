"""What a run was made of: versions, commit, seeds and the hash of its records; and, apart from that, the host."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_sim.telemetry.digest import hash_mapping

PACKAGES = (
    "gymnasium",
    "hydra-core",
    "numba",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pandas",
    "pin",
    "pyarrow",
    "pybullet",
    "scipy",
    "vla-sim",
)
CHECKOUT = Path(__file__).resolve().parents[2]
PLAYERS = ("vla_sim", "envs", "robots")  # the code that decides what an episode is
# These read records or talk to people: a change in them makes no record another.
COMMANDS = ("run", "variant", "sweeps", "board", "progress", "analyse", "profile")
READERS = frozenset({"report", "analysis", *(f"{name}.py" for name in COMMANDS)})


def build_manifest(
    config: Mapping[str, Any],
    content_hash: str,
    seeds: Sequence[int],
    *,
    control_rate_hz: float,
    overrides: Sequence[str] = (),
    variant: str = "",
    stopped: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The contents of `manifest.json`.

    `config` is the composed configuration, `seeds` the world's seed of each episode in order, `overrides` what was
    asked for on the command line, `variant` a label for people (made from the overrides when empty), `stopped` why
    there are fewer episodes than were asked for, if so. Nothing under `host` takes part in any hash.
    """
    return {
        "variant": variant or ", ".join(overrides) or "default",
        "overrides": list(overrides),
        "seeds": [int(seed) for seed in seeds],
        "control_rate_hz": control_rate_hz,
        "stopped": None if stopped is None else dict(stopped),
        "config_digest": hash_mapping(config),
        "content_hash": content_hash,
        "code_digest": code_digest(),
        "versions": {"python": platform.python_version(), **package_versions()},
        "git": git_state(CHECKOUT),
        "host": host_facts(),
    }


@functools.cache
def code_digest(checkout: Path = CHECKOUT) -> str:
    """Hex sha256 of the code and libraries that episodes are played with, as they are when it is first asked for."""
    digest = hashlib.sha256(repr([platform.python_version(), sorted(package_versions().items())]).encode())
    for path in sorted(path for package in PLAYERS for path in (checkout / package).rglob("*") if path.is_file()):
        where = path.relative_to(checkout).parts
        hidden = any(part.startswith((".", "__pycache__")) for part in where)
        if not hidden and not (where[0] == "vla_sim" and where[1] in READERS):
            digest.update(f"{'/'.join(where)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def package_versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Installed versions; packages that are not installed are left out."""
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_state(checkout: Path) -> dict[str, Any] | None:
    """Commit of a checkout and whether its tracked files differ from it; None when that cannot be known."""
    commit = _git(checkout, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "modified": bool(_git(checkout, "status", "--porcelain", "--untracked-files=no"))}


def host_facts() -> dict[str, Any]:
    """Operating system, processor and number of usable cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"platform": platform.platform(), "cpu": cpu_model(Path("/proc/cpuinfo")), "cores": cores}


def cpu_model(cpuinfo: Path) -> str:
    """Processor name from Linux's list of processors, or what Python knows elsewhere."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.lower().startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _git(checkout: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
