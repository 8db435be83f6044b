"""The house rules as code: who may import whom, how long things may be, and what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("vla_sim", "envs", "robots")

# A module of vla_sim may import those of lower layers. Within one layer nobody knows his neighbour.
LAYERS = (
    ("types", "errors"),
    ("spec",),
    ("clock", "robot", "rng", "catalogue"),
    ("kinematics",),
    ("mapping",),
    ("stages", "deployment", "telemetry"),
    ("stack", "expert", "waiting"),
    ("agent", "profiles"),
    ("harness",),
    ("report",),
    ("configuration", "board"),
    ("progress",),
    ("analysis",),
    ("variant", "sweeps"),
    ("run", "profile", "analyse"),
)
LAYER = {f"vla_sim.{name}": height for height, names in enumerate(LAYERS) for name in names}
SEAMS = frozenset(f"vla_sim.{n}" for n in ("types", "spec", "errors", "robot", "clock", "rng", "catalogue"))
OPEN_TO_ALL = SEAMS | {"vla_sim.kinematics", "vla_sim.mapping"}  # what worlds and bodies may know of vla_sim
HYDRA_IMPORTERS = frozenset({"vla_sim.run", "vla_sim.configuration", "vla_sim.variant", "vla_sim.sweeps"})
HEAVY = ("cv2", "hydra", "matplotlib", "numba", "omegaconf", "pandas", "pinocchio", "pybullet", "scipy")

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
FORBIDDEN_IMPORTS = frozenset({"pickle", "cloudpickle", "dill", "marshal", "shelve"})
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")
MACHINE_PATH = re.compile(r"(?<![\w.)}\]~/-])/(?:work|root|home|Users|tmp/\w)/")


# Reading


def code_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Full dotted names a module imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")
            kept = parents[: len(parents) - node.level + is_package] if node.level else []
            origin = ".".join([*kept, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def unit(name: str) -> str:
    """What the layer table speaks of: `vla_sim.stages.planner.SCHEMA` -> `vla_sim.stages`; `vla_sim` itself stays."""
    return ".".join(name.split(".")[:2])


# The rules, as functions of a module's name and source, so that they are tested too


def import_problems(module: str, source: str, is_package: bool = False) -> list[str]:
    problems = []
    package, own = module.split(".")[0], unit(module)
    if package == "vla_sim" and module != "vla_sim" and own not in LAYER:
        return [f"{module}: has no layer; add {own.split('.')[1]!r} to LAYERS in tests/test_house.py"]
    for target in sorted(set(imported(ast.parse(source), module, is_package))):
        top, other = target.split(".")[0], unit(target)
        if package == "vla_sim" and top in ("envs", "robots"):
            problems.append(f"{module}: imports {target}; vla_sim reaches {top} by configuration only")
        elif package == "robots" and top == "envs":
            problems.append(f"{module}: imports {target}; a robot never knows its world")
        elif package != "vla_sim" and other in LAYER and other not in OPEN_TO_ALL:
            problems.append(f"{module}: imports {target}; {package} may know {', '.join(sorted(OPEN_TO_ALL))}")
        elif package == "vla_sim" and other in LAYER and other != own and LAYER[other] >= LAYER.get(own, -1):
            problems.append(f"{module}: imports {target}, which is not below it")
        elif top in ("hydra", "omegaconf") and module not in HYDRA_IMPORTERS:
            problems.append(f"{module}: imports {target}; only {', '.join(sorted(HYDRA_IMPORTERS))} may")
        elif top in FORBIDDEN_IMPORTS:
            problems.append(f"{module}: imports {target}; records are data, never code")
    return problems


def size_problems(module: str, source: str) -> list[str]:
    n_lines = len(source.splitlines())
    problems = [f"{module}: {n_lines} lines, at most {MAX_FILE_LINES}"] if n_lines > MAX_FILE_LINES else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if n_lines > MAX_FUNCTION_LINES:
                problems.append(f"{module}.{node.name}: {n_lines} lines, at most {MAX_FUNCTION_LINES}")
    return problems


def content_problems(module: str, source: str) -> list[str]:
    problems = [f"{module}: holds {word}" for word in sorted(set(UNFINISHED.findall(source)))]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            problems.append(f"{module}:{node.lineno}: prints")
    return problems


# The rules, each seen to bite


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("vla_sim.types", "from vla_sim.spec import RobotSpec", "not below"),
        ("vla_sim.stages.safety", "def f():\n    import vla_sim.deployment.link", "not below"),
        ("vla_sim.deployment.link", "from ..agent import Agent", "not below"),
        ("vla_sim.deployment.link", "from vla_sim import harness", "not below"),
        ("vla_sim.novelty", "", "add 'novelty' to LAYERS"),
        ("vla_sim.run", "import robots.g1", "by configuration only"),
        ("robots.g1", "from envs import tabletop", "never knows its world"),
        ("robots.g1", "from vla_sim.stages import ik", "robots may know"),
        ("envs.tabletop", "from vla_sim import telemetry", "envs may know"),
        ("envs.tabletop", "from omegaconf import OmegaConf", "only vla_sim.configuration"),
        ("vla_sim.telemetry.recorder", "import pickle", "data, never code"),
    ],
)
def test_import_rule_bites(module: str, source: str, complaint: str) -> None:
    problems = import_problems(module, source)
    assert len(problems) == 1
    assert complaint in problems[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("vla_sim.stages.safety", "from vla_sim.spec import RobotSpec\nfrom vla_sim.stages.ik import solve"),
        ("vla_sim.run", "import hydra\nfrom vla_sim import __version__, report"),
        ("robots.standing", "from vla_sim.kinematics import BodyModel"),
        ("envs.tabletop", "import gymnasium\nfrom vla_sim import catalogue\nfrom robots.g1 import model"),
    ],
)
def test_import_rule_lets_what_is_allowed_pass(module: str, source: str) -> None:
    assert import_problems(module, source) == []


def test_relative_imports_of_a_package_are_resolved_from_it() -> None:
    assert list(imported(ast.parse("from . import ik"), "vla_sim.stages", is_package=True)) == ["vla_sim.stages.ik"]
    assert list(imported(ast.parse("from .ik import f"), "vla_sim.stages.a", is_package=False)) == [
        "vla_sim.stages.ik.f"
    ]


def test_size_rule_bites() -> None:
    assert size_problems("m", "x = 1\n" * MAX_FILE_LINES) == []
    assert size_problems("m", "x = 1\n" * (MAX_FILE_LINES + 1)) == ["m: 501 lines, at most 500"]
    body = "    x = 1\n"
    assert size_problems("m", "def f():\n" + body * (MAX_FUNCTION_LINES - 1)) == []
    assert size_problems("m", "def f():\n" + body * MAX_FUNCTION_LINES) == ["m.f: 81 lines, at most 80"]


def test_content_rule_bites() -> None:
    assert content_problems("m", "# TO" + "DO later\n\ndef f():\n    print(1)\n") == ["m: holds TODO", "m:4: prints"]
    assert content_problems("m", "pprint(1)\nblueprint = table.print\n") == []


@pytest.mark.parametrize("path", ["work/main", "root/.cache", "home/ann/x", "Users/ann", "tmp/w/x"])
def test_machine_path_rule_bites(path: str) -> None:
    assert MACHINE_PATH.search(f"reads '/{path}/y'")
    assert not MACHINE_PATH.search(f"reads https://example.org/{path}/y, $HOME/{path}/y and {{root}}/{path}/y")


# The project, held to them


def expect_none(problems: list[str]) -> None:
    assert not problems, "\n  " + "\n  ".join(problems)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_downwards(package: str) -> None:
    files = code_files(package)
    problems = [p for f in files for p in import_problems(module_name(f), f.read_text(), f.stem == "__init__")]
    expect_none(problems)


def test_files_and_functions_are_short() -> None:
    files = code_files(*PACKAGES, "experiments", "tests")
    expect_none([problem for f in files for problem in size_problems(module_name(f), f.read_text())])


def test_code_is_finished_and_does_not_print() -> None:
    expect_none([problem for f in code_files(*PACKAGES) for problem in content_problems(module_name(f), f.read_text())])


def test_every_package_says_what_it_is() -> None:
    folders = sorted({f.parent for f in code_files(*PACKAGES)})
    assert folders
    marks = [folder / "__init__.py" for folder in folders]
    silent = [
        str(m.relative_to(ROOT)) for m in marks if not m.exists() or not ast.get_docstring(ast.parse(m.read_text()))
    ]
    expect_none(silent)


def test_seams_import_nothing_heavy() -> None:
    program = f"import sys, {', '.join(sorted(SEAMS))}; print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_configuration_files_are_yaml() -> None:
    unreadable = []
    for path in sorted((ROOT / "conf").rglob("*.y*ml")):
        try:
            OmegaConf.load(path)  # stricter than a plain reader: a key given twice is an error
        except Exception as error:  # noqa: BLE001  every reason counts, and all files are to be listed
            unreadable.append(f"{path.relative_to(ROOT)}: {error}")
    expect_none(unreadable)


def test_no_file_names_a_place_on_one_machine() -> None:
    folders = (*PACKAGES, "conf", "experiments", "tests", ".ci")
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    found = []
    for path in sorted(p for p in [*inside, *ROOT.iterdir()] if p.is_file() and p.name != ".git"):
        content = path.read_bytes()
        lines = [] if b"\0" in content else content.decode().splitlines()  # pictures and films are not read
        found += [f"{path.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    expect_none(found)
