"""Going on where a run was left: what of a folder's records belongs to the run that is asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc

from vla_sim.errors import ConfigError, RecordError
from vla_sim.harness.manifest import code_digest
from vla_sim.telemetry import schema
from vla_sim.telemetry.digest import hash_tables
from vla_sim.telemetry.parts import PICTURES, Parts
from vla_sim.telemetry.store import RUN_FILES, atomic_write_parquet, is_run, read_tables

# auto: records of other code are replaced. true: they are refused. false: everything is played again.
Resume = Literal["auto", "true", "false"]
ABSENT = "absent"
# What is made of the records afterwards, or says how many there are: another value does not make them others.
AFTERWARDS = ("budget", "episodes", "objective", "report", "resume", "stop_when")
ADVICE = "choose another folder (hydra.run.dir, of a sweep hydra.sweep.dir), or resume=false to replace what is there"


@dataclass(frozen=True)
class Request:
    """The run that is asked for, as far as its records depend on it."""

    config_text: str  # YAML, resolved
    overrides: tuple[str, ...]
    episodes: int
    resume: Resume = "auto"


def finished_metrics(folder: Path, wanted: Request) -> dict[str, Any] | None:
    """The metrics of a run that is just what is asked for and complete, else None."""
    if wanted.resume == "false" or not is_run(folder):
        return None
    try:
        manifest, metrics = _json(folder / "manifest.json"), _json(folder / "metrics.json")
        same = (
            manifest["overrides"] == list(wanted.overrides)
            and manifest["code_digest"] == code_digest()
            and _asked(folder) == _settings(wanted.config_text, ("resume",))
            and manifest["content_hash"] == hash_tables(read_tables(folder))
        )
    except (RecordError, OSError, ValueError, KeyError):
        return None
    if not same:
        return None
    Parts(folder).clear()  # of a run that was stopped just after its last step
    return metrics


def begin(folder: Path, wanted: Request) -> Parts:
    """Make a folder ready to play into and keep of it what is of use. Close what is returned.

    Raises ConfigError for what does not fit, naming the first key that differs, and RecordError when another process
    plays into it.
    """
    parts = Parts(folder)
    replace = wanted.resume == "false" or outdated(folder, wanted) is not None
    if not replace:
        misfit = misfit_of(folder, wanted)
        if misfit is not None:
            raise misfit
    parts.begin(wanted.config_text, code_digest())
    try:
        if replace:
            _wipe(folder, parts)
            parts.close()
            parts.begin(wanted.config_text, code_digest())
        elif is_run(folder):
            _take_apart(folder, parts)
    except BaseException:
        parts.close()
        raise
    return parts


def outdated(folder: Path, wanted: Request) -> str | None:
    """Why what lies in a folder will be replaced without being asked to, in words; None when it will not."""
    misfit = misfit_of(folder, wanted) if wanted.resume == "auto" else None
    return misfit.problem if isinstance(misfit, Outdated) else None


class Outdated(ConfigError):
    """The same run as the one that is asked for, but not by this code, or not to be read any more."""


def misfit_of(folder: Path, wanted: Request) -> ConfigError | None:
    """Why what lies in a folder cannot be part of the run that is asked for; None when it can, or nothing is there."""
    parts = Parts(folder)
    try:
        if is_run(folder):
            text = (folder / "config.yaml").read_text(encoding="utf-8")
            code = str(_json(folder / "manifest.json").get("code_digest"))
            held = read_tables(folder)["episodes"].num_rows
        elif parts.begun:
            (text, code), held = parts.identity(), len(parts.numbers())
        else:
            return None
        there, here = (_settings(some, AFTERWARDS) for some in (text, wanted.config_text))
    except (RecordError, OSError, ValueError) as error:
        return Outdated("resume", f"what {folder} holds cannot be read ({error})", ADVICE)
    key = first_difference(there, here)
    if key is not None:
        was, now = (_shown(_at(some, key)) for some in (there, here))
        return ConfigError(key, f"was {was} in {folder}, is {now} now", ADVICE)
    if held > wanted.episodes:
        return ConfigError("episodes", f"{folder} holds {held} already, {wanted.episodes} asked for", ADVICE)
    if code != code_digest():
        return Outdated("resume", f"what {folder} holds was played by other code or libraries", ADVICE)
    return None


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> str | None:
    """The dotted name of the first key, in the order of `other`, whose values differ; None when all are equal."""
    for key in dict.fromkeys([*other, *one]):
        a, b = one.get(key, ABSENT), other.get(key, ABSENT)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found = first_difference(a, b, f"{prefix}{key}.")
            if found is not None:
                return found
        elif json.dumps(a, default=str) != json.dumps(b, default=str):  # NaN equals NaN, 1 is not true
            return f"{prefix}{key}"
    return None


def _take_apart(folder: Path, parts: Parts) -> None:
    """The episodes of a finished run become parts again, to be joined by more or read in another way."""
    tables = read_tables(folder)
    for number in tables["episodes"]["episode"].to_pylist():
        if parts.row(number) is None:
            with parts.room(number) as room:
                for name in schema.TABLES:
                    own = tables[name].filter(pc.equal(tables[name]["episode"], number))
                    atomic_write_parquet(room / f"{name}.parquet", own)
    (folder / "manifest.json").unlink()


def _wipe(folder: Path, parts: Parts) -> None:
    """Remove what a run writes and nothing else. The manifest goes first: without it nothing is a run."""
    for name in ("manifest.json", *RUN_FILES, "report.html"):
        (folder / name).unlink(missing_ok=True)
    for name in PICTURES:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder / name)
    parts.clear()


def _asked(folder: Path) -> dict[str, Any]:
    return _settings((folder / "config.yaml").read_text(encoding="utf-8"), ("resume",))


def _settings(config_text: str, without: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(config_text)
    except yaml.YAMLError as error:
        raise ValueError("its configuration is damaged") from error
    if not isinstance(config, dict):
        raise ValueError("its configuration is damaged")
    return {str(key): value for key, value in config.items() if key not in without}


def _at(config: Any, key: str) -> Any:
    for name in key.split("."):
        matching = [value for own, value in config.items() if str(own) == name]
        if not matching:
            return ABSENT
        config = matching[0]
    return config


def _shown(value: Any) -> str:
    text = "absent" if value is ABSENT else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is damaged")
    return value
