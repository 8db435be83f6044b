"""The manifest says what was run, tolerates what cannot be known, and keeps the host apart."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from vla_sim.harness.manifest import CHECKOUT, build_manifest, code_digest, cpu_model, git_state, package_versions


def test_the_manifest_is_json_and_names_the_run() -> None:
    manifest = build_manifest({"a": 1}, "beef", [3, 4], control_rate_hz=100.0, overrides=["deploy=cloud", "seed=1"])
    assert json.loads(json.dumps(manifest, allow_nan=False)) == manifest
    assert manifest["variant"] == "deploy=cloud, seed=1"
    assert manifest["seeds"] == [3, 4]
    assert manifest["content_hash"] == "beef"
    assert manifest["versions"]["numpy"].count(".") >= 1
    assert set(manifest["host"]) == {"platform", "cpu", "cores"}
    assert manifest["host"]["cpu"]


def test_equal_configurations_have_equal_digests_on_any_host() -> None:
    digests = {
        build_manifest(c, "", [], control_rate_hz=100.0)["config_digest"] for c in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    }
    assert len(digests) == 1


def test_the_code_of_a_run_is_what_plays_it(tmp_path: Path) -> None:
    def digest(files: dict[str, str]) -> str:
        code_digest.cache_clear()
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return code_digest(tmp_path)

    first = digest({"vla_sim/agent.py": "a", "envs/scenes/table.yaml": "b"})
    assert digest({}) == first
    # What reads records or talks to people, what is compiled or hidden, and other folders make no other episodes.
    assert digest({"vla_sim/report/page.py": "c", "vla_sim/run.py": "d", "experiments/x.py": "e"}) == first
    assert digest({"vla_sim/__pycache__/agent.pyc": "f", "envs/.cache": "g"}) == first
    changes = ({"vla_sim/agent.py": "A"}, {"envs/scenes/table.yaml": "B"}, {"robots/run.py": "C"})
    seen = [first, *map(digest, changes)]
    assert len(set(seen)) == len(seen)
    (tmp_path / "robots" / "run.py").unlink()
    assert digest({}) == seen[-2]
    code_digest.cache_clear()
    assert code_digest(CHECKOUT) == code_digest(CHECKOUT)


def test_what_stopped_a_run_early_is_in_its_manifest() -> None:
    stopped = {"asked": 30, "reason": "success_rate >= 0.9 passes"}
    manifest = build_manifest({}, "", [], control_rate_hz=100.0, stopped=stopped)
    assert manifest["stopped"] == stopped
    assert build_manifest({}, "", [], control_rate_hz=100.0)["stopped"] is None


def test_packages_that_are_not_installed_are_left_out() -> None:
    assert list(package_versions(("numpy", "no-such-package"))) == ["numpy"]


def test_a_folder_without_git_has_no_state(tmp_path: Path) -> None:
    assert git_state(tmp_path / "absent") is None


def test_git_state_tells_local_changes(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    clean = git_state(tmp_path)
    assert clean is not None
    assert len(clean["commit"]) == 40
    assert clean["modified"] is False
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path) == {**clean, "modified": True}


def test_the_processor_is_named_or_something_else_is(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor: 0\nmodel name\t: Fast Chip 9\nmodel name\t: Fast Chip 9\n")
    assert cpu_model(tmp_path / "cpuinfo") == "Fast Chip 9"
    assert cpu_model(tmp_path / "absent")
