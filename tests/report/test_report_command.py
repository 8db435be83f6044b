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


def test_help_does_not_wait_for_plotting() -> None:
    code = "import sys, vla_sim.report.__main__; print(sorted({'matplotlib', 'pandas', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
