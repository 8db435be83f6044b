"""What the package says of itself agrees with what it is."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vla_sim

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = {"vla_sim", "envs", "robots"}
PROVIDED_BY = {"pinocchio": ["pin"]}  # installed outside the usual folder, where no index of modules is kept


def requirements(*extras: str) -> list[Requirement]:
    project = PROJECT["project"]
    lines = project["dependencies"] + [line for name in extras for line in project["optional-dependencies"][name]]
    return [Requirement(line) for line in lines]


def locked() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    return {canonicalize_name(name): version for name, version in pairs}


def third_party_imports() -> dict[str, str]:
    """Top-level module -> one file that imports it, over the code that users run."""
    found: dict[str, str] = {}
    for path in sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            found.update({name.split(".")[0]: str(path.relative_to(ROOT)) for name in names})
    return {name: where for name, where in found.items() if name not in OURS | sys.stdlib_module_names}


def test_changelog_begins_with_this_version() -> None:
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "vla_sim.__version__"}
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == vla_sim.__version__


def test_lock_holds_versions_only_each_once_and_sorted() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    names = [canonicalize_name(line.split("==")[0]) for line in lines]
    assert names == sorted(set(names))


def test_lock_meets_every_requirement() -> None:
    lock = locked()
    unmet = [
        str(r) for r in requirements("joblib", "dev") if lock.get(canonicalize_name(r.name), "") not in r.specifier
    ]
    assert unmet == []


def test_everything_imported_is_a_declared_dependency() -> None:
    providers = PROVIDED_BY | dict(packages_distributions())
    declared = {canonicalize_name(r.name) for r in requirements("joblib", "llm", "rerun")}
    undeclared = {
        name: where
        for name, where in third_party_imports().items()
        if not declared & {canonicalize_name(provider) for provider in providers.get(name, [])}
    }
    assert undeclared == {}
