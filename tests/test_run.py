"""The front door: what it refuses and how, and one small run and sweep from the command line to the report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.report.synthetic_run import write_run
from vla_sim import run
from vla_sim.errors import ConfigError
from vla_sim.harness.experiment import RunSettings
from vla_sim.telemetry.store import RUN_FILES, content_hash, load_run

ROOT = Path(run.__file__).resolve().parents[1]
SMALL = ("episodes=1", "video=false")


def shown_errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("pybullet build time")]


def command(*words: str, module: str = "vla_sim.run", flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, *flags, "-m", module, *words]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120)


# Help


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_choice(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([flag]) == 0
    shown = capsys.readouterr().out
    for path in sorted((ROOT / "conf").glob("*/*.yaml")):
        assert re.search(rf"^  {path.parent.name} .*\b{path.stem}\b", shown, re.MULTILINE), path


def test_help_is_instant() -> None:
    done = command("--help", flags=("-X", "importtime"))
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "vla_sim" in loaded
    assert not loaded & {"hydra", "omegaconf", "pybullet", "numpy", "pandas", "matplotlib", "numba", "rich"}


# Refusals

BAD = [
    (["deploy=clod"], ["deploy", "'clod'", "did you mean 'cloud'?"]),
    (["deplyo=cloud"], ["deplyo", "did you mean 'deploy'?"]),
    (["episods=3"], ["episods", "did you mean 'episodes'?"]),
    (["stack.perception.predcit=true"], ["stack.perception.predcit", "did you mean 'predict'?"]),
    (["experiment=quikstart"], ["experiment", "did you mean 'quickstart'?"]),
    (["cameras.rate_hz=-5"], ["cameras.rate_hz", "-5 Hz", "20 Hz"]),
    (["cameras.rate_hz=30"], ["cameras.rate_hz", "30 Hz", "100", "25 Hz"]),
    (["env.control_rate_hz=-100"], ["env.control_rate_hz", "-100 Hz"]),
    (["env.control_rate_hz=70"], ["env.control_rate_hz", "70 Hz", "50 Hz"]),
    (['command="put the zebra in the tray"'], ["'zebra'", "cube"]),
    (['command=""'], ["command", "empty", "for example"]),
    (['command="   "'], ["command", "empty", "for example"]),
    (["command='move through the wall'"], ["through the wall", "for example"]),
    (["episodes=0"], ["episodes", "at least one", "0"]),
    (["delay_ms=-3"], ["delay_ms", "between 0 and 60000", "-3"]),
    (["delay_ms=abc"], ["delay_ms", "number", "'abc'"]),
    (["deploy=edge,cloud"], ["deploy", "several values", "-m"]),
    (["-x"], ["'-x'", "-m and --help"]),
    (["deploy"], ["'deploy'", "key=value"]),
    (["deploy=edge,clod", "-m"], ["'clod'", "did you mean 'cloud'?"]),
    (["-m", "cameras.rate_hz=20,30"], ["cameras.rate_hz", "30 Hz", "25 Hz"]),
    (["command='put the red cube in the tray','put the zebra in the tray'", "-m"], ["'zebra'", "cube"]),
    (["hydra.run.dri=elsewhere"], ["hydra.run.dri", "did you mean 'dir'?"]),
]


def expect_one_line(code: int, stderr: str, words: list[str]) -> None:
    lines = shown_errors(stderr)
    assert code == 2
    assert len(lines) == 1, lines
    assert not [word for word in words if word not in lines[0]], lines[0]


@pytest.mark.parametrize(("words", "shown"), BAD, ids=lambda value: " ".join(value))
def test_bad_input_is_refused_in_one_line_before_anything_is_written(
    words: list[str],
    shown: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code = run.main([*words, f"hydra.run.dir={tmp_path / 'out'}", f"hydra.sweep.dir={tmp_path / 'out'}"])
    stderr = capfd.readouterr().err
    expect_one_line(code, stderr, shown)
    assert shown_errors(stderr)[0].startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_looks_the_same_from_a_shell(tmp_path: Path) -> None:
    done = command("deploy=clod", f"hydra.run.dir={tmp_path / 'out'}")
    expect_one_line(done.returncode, done.stderr, ["error: deploy", "did you mean 'cloud'?"])
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sweep", [False, True], ids=["run", "sweep"])
def test_what_only_the_world_can_refuse_is_one_line_too(sweep: bool, tmp_path: Path) -> None:
    words = ["env=pick_moving", "env.speed_m_s=3", f"hydra.run.dir={tmp_path / 'run'}"]
    done = command(*words, *(["-m", f"hydra.sweep.dir={tmp_path / 'sweep'}", "deploy=edge,cloud"] if sweep else []))
    expect_one_line(done.returncode, done.stderr, ["error: env.speed_m_s", "0.5 m/s"])
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "sweep" / "0").exists()


def test_a_refusal_in_the_middle_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise ConfigError("stack.agent.camera", "the robot has no such camera")

    monkeypatch.setattr("vla_sim.harness.experiment.run_experiment", refuse)
    (tmp_path / "notes.txt").write_text("mine")
    assert run.main([*SMALL, f"hydra.run.dir={tmp_path}"]) == 2
    assert shown_errors(capfd.readouterr().err) == ["error: stack.agent.camera: the robot has no such camera"]
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_interrupt_ends_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vla_sim.harness.experiment.run_experiment", interrupt)
    assert run.main([*SMALL, f"hydra.run.dir={tmp_path / 'out'}"]) == 130
    (line,) = shown_errors(capfd.readouterr().err)
    assert line.startswith("interrupted")


def test_a_report_of_nothing_is_one_line(tmp_path: Path) -> None:
    done = command(str(tmp_path / "missing_folder"), module="vla_sim.report")
    expect_one_line(done.returncode, done.stderr, ["missing_folder", "there is no such folder"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("table", ["episodes", "spans", "ticks"])
def test_a_report_of_a_truncated_table_is_one_line(table: str, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", episodes=1, speed=8.0)
    damaged = folder / f"{table}.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    done = command(str(folder), module="vla_sim.report")
    expect_one_line(done.returncode, done.stderr, [damaged.name, "cut short", "run it again"])
    assert not (folder / "report.html").exists()


# Runs


def expect_whole_run(folder: Path) -> None:
    assert {*RUN_FILES, "report.html", "figures"} <= {path.name for path in folder.iterdir()}
    assert [path for path in (folder / "figures").rglob("*.png") if path.stat().st_size] != []
    assert not list(folder.rglob("*.part"))
    assert load_run(folder).manifest["content_hash"] == content_hash(folder)  # checked against the tables


def simulated(path: Path) -> dict[str, list[Any]]:
    table = pq.read_table(path)
    return {name: table[name].to_pylist() for name in table.column_names if not name.endswith("wall_s")}


def test_the_same_command_gives_the_same_bits(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        done = command("env=pick_moving", *SMALL, "delay_ms=0", f"hydra.run.dir={folder}")
        assert done.returncode == 0, done.stderr
        assert "success" in done.stderr
        expect_whole_run(folder)
    first, second = folders
    for name in ("episodes.parquet", "spans.parquet", "ticks.parquet"):
        columns = [simulated(folder / name) for folder in folders]
        assert repr(columns[0]) == repr(columns[1])  # repr: every bit of a float, and NaN equal to NaN
        assert len(next(iter(columns[0].values()))) > 0
    assert content_hash(first) == content_hash(second)
    assert not (first / "video").exists()


def expect_whole_sweep(folder: Path, deploys: list[str]) -> None:
    assert {"sweep.parquet", "metrics.json", "report.html"} <= {path.name for path in folder.iterdir()}
    for number, deploy in enumerate(deploys):
        expect_whole_run(folder / str(number))
        manifest = json.loads((folder / str(number) / "manifest.json").read_text())
        assert f"deploy={deploy}" in manifest["overrides"]
    assert pq.read_table(folder / "sweep.parquet").num_rows == len(deploys)
    assert not (folder / str(len(deploys))).exists()


def test_a_sweep_has_a_run_a_variant_and_a_report(tmp_path: Path) -> None:
    words = ("deploy=edge,cloud", "env=pick_moving", *SMALL, "delay_ms=0")
    done = command(*words, "-m", f"hydra.sweep.dir={tmp_path / 'out'}")  # an option in the middle is fine
    assert done.returncode == 0, done.stderr
    expect_whole_sweep(tmp_path / "out", ["edge", "cloud"])
    assert re.search(r"deploy=edge\s*│", done.stderr)  # the table shows what differs


def test_an_experiment_brings_its_own_sweep(tmp_path: Path) -> None:
    done = command(
        "experiment=quickstart",
        "env=pick_moving",
        *SMALL,
        "delay_ms=0",
        "seed=3",
        f"hydra.sweep.dir={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    expect_whole_sweep(tmp_path / "out", ["edge", "cloud"])
    for run_folder in (tmp_path / "out" / "0", tmp_path / "out" / "1"):
        config = load_run(run_folder).config
        assert (config["seed"], config["env"]["id"]) == (3, "VlaSim/PickMoving-v0")


@pytest.mark.parametrize(
    ("words", "deploys"),
    [
        (["experiment=quickstart"], ["edge", "cloud"]),
        (["experiment=quickstart", "-m", "seed=0,1"], ["edge", "edge", "cloud", "cloud"]),
        (["experiment=quickstart", "deploy=hybrid"], ["hybrid"]),
        (["deploy=hybrid"], ["hybrid"]),
    ],
)
def test_an_experiments_sweep_gives_way_to_the_command_line(
    words: list[str], deploys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = []

    def play(robot: Any, stack: Any, settings: RunSettings, *_: Any) -> dict[str, Any]:
        played.append(next(word for word in settings.overrides if word.startswith("deploy="))[len("deploy=") :])
        return {"success_rate": None}

    monkeypatch.setattr("vla_sim.harness.experiment.run_experiment", play)
    monkeypatch.setattr("vla_sim.report.page.write_report", lambda _: None)
    monkeypatch.setattr("vla_sim.progress.print_summary", lambda *_: None)
    assert run.main([*words, *(f"hydra.{kind}.dir={tmp_path / kind}" for kind in ("run", "sweep"))]) == 0
    assert sorted(played) == sorted(deploys)
