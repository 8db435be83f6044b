"""`python -m vla_sim.report DIR`: draws, or says in one line why it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.synthetic_run import write_run
from vla_sim.report.__main__ import main


def test_a_run_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "run", episodes=1, speed=8.0)
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").is_file()


def test_a_folder_of_runs_is_drawn_as_a_sweep(tmp_path: Path) -> None:
    write_run(tmp_path / "0", episodes=1, speed=8.0)
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "sweep.parquet").is_file()


def test_bad_folders_end_with_2_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "first_run", episodes=1, speed=8.0)
    (folder / "metrics.json").write_text('{"success_rate": 1.0}')
    for path, words in ((tmp_path / "first_ran", "did you mean"), (folder, "lacks success_ci95")):
        assert main([str(path)]) == 2
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1
        assert words in shown


def test_two_folders_are_put_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / name, episodes=1, speed=20.0)
    assert main([str(tmp_path / "a"), str(tmp_path / "b"), f"out={tmp_path / 'out'}", "episode=0"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'report.html'}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a", "b", "c"], "3 folders"),
        (["a", "episod=1"], "did you mean 'episode'"),
        (["a", "b", "episode=last"], "give the number of an episode"),
        (["a", "episode=1"], "is for two runs"),
        (["a", "rerun=yes"], "true or false"),
        (["a", "b", "rerun=true"], "give one folder"),
    ],
)
def test_bad_words_end_with_2_and_one_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert told in shown


def test_without_the_viewers_library_there_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "run", episodes=1, speed=20.0)
    monkeypatch.setitem(sys.modules, "rerun", None)
    assert main([str(folder), "rerun=true"]) == 2
    assert capsys.readouterr().err == "error: rerun: rerun-sdk is not installed; pip install -e .[rerun]\n"
    assert not (folder / "episode.rrd").exists()


def test_a_recording_holds_every_episode(tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    folder = write_run(tmp_path / "run", episodes=2, speed=8.0, frames=(1,))
    assert main([str(folder), "rerun=true"]) == 0
    recorded = (folder / "episode.rrd").read_bytes()
    assert recorded[:3] == b"RRF"
    assert all(name in recorded for name in (b"episode_0", b"episode_1"))
    assert not list(folder.glob("*.part.rrd"))


def test_help_does_not_wait_for_plotting() -> None:
    code = "import sys, vla_sim.report.__main__; print(sorted({'matplotlib', 'pandas', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
