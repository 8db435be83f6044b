"""What the documents say is so: links lead somewhere, quoted commands compose, code runs, the map has every place."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vla_sim.errors import ConfigError
from vla_sim.run import _check

ROOT = Path(__file__).resolve().parents[1]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
STUDIES = sorted((ROOT / "experiments").glob("*/README.md"))
DOCUMENTS = [README, CONTRIBUTING, *STUDIES]

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|<(?:img|a|source)\b[^>]*?\b(?:src|href|srcset)=[\"']([^\"']+)")
COMMAND = re.compile(r"python -m vla_sim\.run\b([^`\n]*)|RUN_ARGS=\"([^\"\n]*)\"")
OWN_COMMAND = re.compile(r"python -m (experiments\.[\w.]+)")
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MAPPED = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def links(text: str) -> list[str]:
    """Targets of links and images, Markdown's or HTML's."""
    return [markdown or html for markdown, html in LINK.findall(text)]


def broken_links(document: Path, text: str) -> list[str]:
    """Relative targets that do not exist inside the repository."""
    broken = []
    for target in links(text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        path = (document.parent / file).resolve() if file else document
        found = path.exists() and path.is_relative_to(ROOT)
        if not found or (heading and heading not in anchors(text if path == document else path.read_text())):
            broken.append(f"{name_of(document)}: {target}")
    return broken


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(text: str) -> list[list[str]]:
    """Arguments of each quoted `python -m vla_sim.run`, and of `make run`'s `RUN_ARGS`."""
    joined = text.replace("\\\n", " ")
    return [shlex.split(direct or make, comments=True) for direct, make in COMMAND.findall(joined)]


def python_blocks(text: str) -> list[str]:
    return PYTHON_BLOCK.findall(text)


QUOTED = [(name_of(path), words) for path in DOCUMENTS for words in commands(path.read_text())]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(document: Path) -> None:
    assert broken_links(document, document.read_text()) == []


def test_the_link_rule_bites() -> None:
    text = '# A title\n[a](#a-title) [b](LICENSE) [c](https://a.b/c)\n![d](docs/no.png) <img src="no.svg"> [e](#none)'
    assert broken_links(README, text) == ["README.md: docs/no.png", "README.md: no.svg", "README.md: #none"]


@pytest.mark.parametrize(("document", "words"), QUOTED, ids=[f"{d}: {' '.join(w)}" for d, w in QUOTED])
def test_quoted_commands_compose(document: str, words: list[str]) -> None:
    if "--help" in words:
        return
    _check(words)
    # Hydra's own parser takes all overrides in one piece: a flag between two of them ends the command.
    kinds = "".join("f" if word.startswith("-") else "o" for word in words)
    assert re.fullmatch("f*o*f*", kinds), f"{document}: put the flags of {words} last"


def test_commands_are_found_and_a_wrong_one_is_refused() -> None:
    text = (
        '`python -m vla_sim.run deploy=edge`\n$ python -m vla_sim.run a=1 \\\n  b="c d" -m # e\nmake run RUN_ARGS="f=2"'
    )
    assert commands(text) == [["deploy=edge"], ["a=1", "b=c d", "-m"], ["f=2"]]
    with pytest.raises(ConfigError, match="no choice 'clod'"):
        _check(["deploy=clod"])


def test_the_readme_and_every_study_quote_commands() -> None:
    quoting = {document for document, _ in QUOTED}
    quoting |= {name_of(study) for study in STUDIES if OWN_COMMAND.search(study.read_text())}
    assert {name_of(README), *map(name_of, STUDIES)} <= quoting


@pytest.mark.parametrize("module", sorted({m for d in DOCUMENTS for m in OWN_COMMAND.findall(d.read_text())}))
def test_a_studys_own_commands_exist(module: str) -> None:
    path = ROOT / module.replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


@pytest.mark.parametrize("number", range(len(python_blocks(README.read_text()))))
def test_python_of_the_readme_compiles(number: int) -> None:
    compile(python_blocks(README.read_text())[number], f"README.md block {number}", "exec")


def test_the_gymnasium_example_runs() -> None:
    (program,) = (block for block in python_blocks(README.read_text()) if "gym.make" in block)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_map_names_every_place_and_no_other() -> None:
    mapped = set(MAPPED.findall(CONTRIBUTING.read_text()))
    assert {place for place in mapped if not (ROOT / place).exists()} == set()
    here = [path for path in (ROOT / "vla_sim").iterdir() if not path.name.startswith("__")]
    places = {name_of(path) + "/" * path.is_dir() for path in here}
    assert places - mapped == set()


def test_numbers_in_contributing_are_the_house_rules() -> None:
    house = (ROOT / "tests" / "test_house.py").read_text()
    lines, function_lines = (
        re.search(rf"^MAX_{kind}_LINES = (\d+)", house, re.MULTILINE) for kind in ("FILE", "FUNCTION")
    )
    assert lines is not None
    assert function_lines is not None
    assert f"({lines[1]} lines at most), small functions ({function_lines[1]})" in CONTRIBUTING.read_text()
