"""Settings that cannot work are refused at the start, with what to write instead and without showing a secret."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stages.llm.server import closed_port
from vla_sim.configuration import compose, instantiate
from vla_sim.errors import ConfigError
from vla_sim.stages.llm.planner import LlmPlanner
from vla_sim.stages.llm.settings import Settings
from vla_sim.types import Intent

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"base_url": "nonsense"}, "base_url: 'nonsense' is no URL; for example 'http://127.0.0.1:8000/v1'"),
        ({"base_url": ""}, "base_url: '' is no URL"),
        ({"base_url": "127.0.0.1:8000/v1"}, "base_url: '127.0.0.1:8000/v1' is no URL"),
        ({"base_url": "localhost:8000"}, "base_url: 'localhost:8000' is no URL"),
        ({"base_url": "http://"}, "base_url: 'http://' is no URL"),
        ({"base_url": "http://a b/v1"}, "base_url: 'http://a b/v1' is no URL"),
        ({"base_url": "http://host:99999/v1"}, "base_url: 'http://host:99999/v1' is no URL: Port out of range"),
        ({"base_url": "http://host:0/v1"}, "base_url: 'http://host:0/v1' is no URL"),
        ({"base_url": "http://[::1/v1"}, "base_url: 'http://[::1/v1' is no URL: Invalid IPv6"),
        ({"base_url": "htps://host/v1"}, "base_url: 'htps://host/v1' is not of the web; did you mean 'https'?"),
        ({"base_url": "http://host/v1?x=1"}, "base_url: to 'http://host/v1?x=1' no path can be added"),
        ({"base_url": f"http://{'a' * 70}.org/v1"}, "base_url: 'http://aaa"),
        ({"base_url": "http://a..b/v1"}, "base_url: 'http://a..b/v1' is no URL"),
        ({"base_url": "http://\u2603.org/v1"}, "base_url: 'http://\u2603.org/v1' is no URL: Invalid IDNA hostname"),
        ({"base_url": 8000}, "base_url: must be a text, got 8000"),
        ({"model": " "}, "model: is empty"),
        ({"timeout_s": 0}, "timeout_s: must be a positive number of seconds, got 0"),
        ({"timeout_s": "soon"}, "timeout_s: must be a number, got 'soon'"),
        ({"cache_ttl_s": float("inf")}, "cache_ttl_s: must be a positive number of seconds, got inf"),
        ({"max_concurrent": 0}, "max_concurrent: must be at least 1, got 0"),
        ({"requests_per_min": 0}, "requests_per_min: must be at least 1, got 0"),
        ({"cache_size": -1}, "cache_size: must be at least 1, got -1"),
        ({"retries": -1}, "retries: must not be negative or infinite, got -1"),
        ({"priority": 11}, "priority: must be between 0 and 10, got 11"),
        ({"charge": "measurd"}, "charge: unknown 'measurd'; did you mean 'measured'?"),
        ({"timeout": 30}, "timeout: there is no such key; did you mean 'timeout_s'?"),
        ({"api_key": "sk-1"}, "api_key: there is no such key"),
    ],
)
def test_what_cannot_be_asked_is_named(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LlmPlanner(**settings)
    assert str(caught.value).startswith(f"stack.planning.{complaint}")


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    for url in ("http://ann:sk-secret@host/v1", "http://ann:sk-secret@host:99999/v1", "https://sk-secret@host/v1"):
        with pytest.raises(ConfigError, match="holds a user name or password; name an environment") as caught:
            Settings(base_url=url)
        assert "sk-secret" not in str(caught.value)


def test_a_key_that_is_not_there_is_missed_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLANNER_KEY", raising=False)
    with pytest.raises(ConfigError, match="the environment variable 'PLANNER_KEY' is not set; export") as caught:
        LlmPlanner(key_variable="PLANNER_KEY")
    assert caught.value.key == "stack.planning.key_variable"
    monkeypatch.setenv("PLANNER_KEY", "  ")
    with pytest.raises(ConfigError, match="is not set"):
        Settings(key_variable="PLANNER_KEY").key()
    for bad in ("sk sécret", "sk secret", "sk-\x07secret"):
        monkeypatch.setenv("PLANNER_KEY", bad)
        with pytest.raises(ConfigError, match="holds is no key") as caught:
            Settings(key_variable="PLANNER_KEY").key()
        assert "cret" not in str(caught.value)


def test_where_it_asks() -> None:
    assert Settings(base_url="https://api.example.org/v1/").url == "https://api.example.org/v1/chat/completions"
    assert Settings(base_url="http://[::1]:8000").url == "http://[::1]:8000/chat/completions"
    assert [Settings(base_url=url).local for url in ("http://localhost/v1", "http://[::1]/v1", "http://host/v1")] == [
        True, True, False,
    ]  # fmt: skip


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r"stack\.planning\.httpx: is not installed; pip install -e \.\[llm\]"):
        LlmPlanner()


def test_the_stack_file_says_what_the_code_does_without_it() -> None:
    config = compose(["stack=llm"])
    node = {key: value for key, value in config.stack.planning.items() if key not in ("_target_", "profile")}
    assert Settings(**node) == Settings()
    assert set(node) == set(Settings.__dataclass_fields__)
    planner = instantiate({"_target_": config.stack.planning._target_, **node}, "stack.planning")
    assert isinstance(planner, LlmPlanner)
    assert config.stack.intent == compose([]).stack.intent


def test_a_mistake_on_the_command_line_is_named_by_its_key() -> None:
    node = {"_target_": "vla_sim.stages.llm.planner.LlmPlanner", "base_url": "nonsense"}
    with pytest.raises(ConfigError, match=r"^stack\.planning\.base_url: 'nonsense' is no URL"):
        instantiate(node, "stack.planning")


def test_a_program_that_asked_ends_by_itself() -> None:
    """The thread behind the planner does not keep it alive, and nothing is said on the way out."""
    program = (
        "from vla_sim.stages.llm.planner import LlmPlanner; from vla_sim.types import Intent; "
        f"planner = LlmPlanner(base_url='http://127.0.0.1:{closed_port()}/v1'); "
        "print(planner.plan(Intent('follow'), 5).reason)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "refused", "")


def test_plans_before_the_first_question_need_no_thread() -> None:
    planner = LlmPlanner()
    assert planner.last_took_s == 0.0
    assert planner.charge == "profile"
    with pytest.raises(ConfigError, match="priority: must be between 0 and 10, got -1"):
        planner.plan(Intent("follow"), -1)
    planner.close()
