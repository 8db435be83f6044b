"""Where generated robot models are kept between runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_root() -> Path:
    """`$VLA_SIM_CACHE`, else `$XDG_CACHE_HOME/vla_sim`, else `~/.cache/vla_sim`."""
    own = os.environ.get("VLA_SIM_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vla_sim"


def cached_folder(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` below the cache, made once by `build(folder)`; whole or not there, also under a race."""
    target = cache_root() / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        build(scratch)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():  # somebody else was faster: theirs is as good
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
