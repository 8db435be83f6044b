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


def test_help_speaks_of_groups_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--help"]) == 0
    assert not re.search(r"^  hydra ", capsys.readouterr().out, re.MULTILINE)


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
    assert line.endswith(f"to go on: python -m vla_sim.run {' '.join(SMALL)} hydra.run.dir={tmp_path / 'out'}")


def test_where_the_folder_is_named_by_the_time_an_interrupt_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vla_sim.harness.experiment.run_experiment", interrupt)
    assert run.main(["-m", *SMALL, "deploy=edge,cloud"]) == 130
    (line,) = shown_errors(capfd.readouterr().err)
    assert re.search(r"to go on: .* hydra\.sweep\.dir=multirun/[\d-]+/[\d-]+$", line)
    assert not list(tmp_path.rglob(".progress"))


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
        return {"success_rate": None, "episodes": 0}

    monkeypatch.setattr("vla_sim.harness.experiment.run_experiment", play)
    monkeypatch.setattr("vla_sim.report.page.write_report", lambda _: None)
    monkeypatch.setattr("vla_sim.progress.print_summary", lambda *_: None)
    assert run.main([*words, *(f"hydra.{kind}.dir={tmp_path / kind}" for kind in ("run", "sweep"))]) == 0
    assert sorted(played) == sorted(deploys)


# Going on, and what a result must reach


def test_the_same_command_in_the_same_folder_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["env=reach", "video=false", "delay_ms=0", f"hydra.run.dir={tmp_path / 'out'}"]
    assert run.main([*words, "episodes=1"]) == 0
    report = tmp_path / "out" / "report.html"
    before = report.stat().st_mtime_ns
    assert run.main([*words, "episodes=1"]) == 0  # nothing to play, the report stays
    assert report.stat().st_mtime_ns == before
    assert run.main([*words, "episodes=2"]) == 0
    assert load_run(tmp_path / "out").metrics["episodes"] == 2
    assert report.stat().st_mtime_ns > before
    capfd.readouterr()
    assert run.main([*words, "episodes=2", "network=4g"]) == 2
    (line,) = shown_errors(capfd.readouterr().err)
    assert line.startswith("error: network.")
    assert "hydra.run.dir" in line
    assert "resume=false" in line
    # A gate is held against what is there, without playing it again.
    assert run.main([*words, "episodes=2", "report.gates=['success_rate >= 0', 'episodes >= 9']"]) == 3
    lines = shown_errors(capfd.readouterr().err)
    assert [line for line in lines if line.startswith("gate ")] == ["gate episodes >= 9: 2, missed by 7"]
    expect_whole_run(tmp_path / "out")


@pytest.mark.parametrize("workers", [False, True], ids=["one process", "joblib"])
def test_a_sweep_plays_all_its_variants_before_it_fails_a_gate(workers: bool, tmp_path: Path) -> None:
    if workers:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ("deploy=edge,cloud", "env=reach", *SMALL, "delay_ms=0", "report.gates=['latency_ms.intent.p95 <= 10']")
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2") if workers else ()
    done = command(*words, *launcher, f"hydra.sweep.dir={tmp_path / 'out'}", "-m")
    assert done.returncode == 3, done.stderr
    expect_whole_sweep(tmp_path / "out", ["edge", "cloud"])
    lines = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert len(lines) == 2
    assert sorted(line.split("] ")[1].split(":")[0] for line in lines) == ["deploy=cloud", "deploy=edge"]
    assert sum("missed by" in line for line in lines) == 1  # over the network alone it takes longer
    assert not (tmp_path / "out" / ".progress").exists()


def test_in_workers_one_variant_that_is_refused_stops_no_other(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ("env=reach", "env.scene=table,nowhere", *SMALL, "delay_ms=0", "hydra/launcher=joblib")
    done = command(*words, "hydra.launcher.n_jobs=2", f"hydra.sweep.dir={tmp_path / 'out'}", "-m")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (refused,) = [line for line in done.stderr.splitlines() if "error: " in line]
    assert "nowhere" in refused
    expect_whole_run(tmp_path / "out" / "0")
    assert not (tmp_path / "out" / "1").exists()


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["hydra/launcher=joblib", "deploy=edge,cloud", "-m"], "joblib"),
        (["hydra/launcher=ray", "deploy=edge,cloud", "-m"], "ray"),
        (["hydra/sweeper=optuna", "deploy=edge,cloud", "-m"], "optuna"),
        (["experiment=cheapest"], "optuna"),
    ],
)
def test_an_extra_that_is_missing_is_named(
    words: list[str], extra: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    assert run.main(words) == 2
    expect_one_line(2, capfd.readouterr().err, [f"={extra}", "is not installed", f"pip install -e '.[{extra}]'"])


def test_a_ray_cluster_of_this_machine_plays_the_same_bits(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    words = ("deploy=edge,cloud", "env=reach", *SMALL, "delay_ms=0", "-m")
    done = command(*words, f"hydra.sweep.dir={tmp_path / 'here'}")
    assert done.returncode == 0, done.stderr
    ray = ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2")
    done = command(*words[:-1], *ray, "-m", f"hydra.sweep.dir={tmp_path / 'ray'}")
    assert done.returncode == 0, done.stderr
    expect_whole_sweep(tmp_path / "ray", ["edge", "cloud"])
    for number in ("0", "1"):
        assert content_hash(tmp_path / "ray" / number) == content_hash(tmp_path / "here" / number)


def test_a_search_finds_the_cheapest_and_takes_the_same_path_again(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    words = ("experiment=cheapest", "env=reach", "episodes=1", "delay_ms=0", "hydra.sweeper.n_trials=5")
    command_line = (*words, "network=wifi6,4g", f"hydra.sweep.dir={tmp_path / 'out'}", "-m")
    first = command(*command_line)
    assert first.returncode == 0, first.stderr
    assert re.search(r"^best    deploy=edge", first.stderr, re.MULTILINE)  # its computer is not rented
    found = (tmp_path / "out" / "optimization_results.yaml").read_text()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("ticks.parquet")}
    assert 1 <= len(before) <= 5
    again = command(*command_line)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out" / "optimization_results.yaml").read_text() == found
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("ticks.parquet")} == before
