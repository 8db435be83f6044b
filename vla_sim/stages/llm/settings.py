"""How a language model is asked: where, with which key, how often and for how long."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from vla_sim.errors import ConfigError, nearest

SCHEMES = ("http", "https")
PRIORITIES = range(11)  # 10 is the most urgent
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """Settings of `vla_sim.stages.llm.planner.LlmPlanner`; raises ConfigError for what cannot be asked.

    The key is no setting: `key_variable` names the environment variable that holds it; None = the endpoint wants none.
    """

    base_url: str = "http://127.0.0.1:8000/v1"  # POST {base_url}/chat/completions
    model: str = "default"  # as the endpoint calls it
    key_variable: str | None = None
    timeout_s: float = 30.0  # from the question to the plan: waiting, retries and repair included
    max_concurrent: int = 3  # questions at the endpoint; others wait, the most urgent first
    requests_per_min: int = 100
    cache_size: int = 64  # plans
    cache_ttl_s: float = 300.0
    retries: int = 2  # of a request answered with 429 or 5xx, or not to its end
    backoff_s: float = 0.5  # before the first of them, then twice as long each; longer if the endpoint asks for it
    breaker_failures: int = 5  # in a row, after which the endpoint is left alone
    breaker_rest_s: float = 30.0  # for so long
    priority: int = 5  # 0-10 of a question asked without one
    temperature: float = 0.0
    max_tokens: int = 1024
    seed: int | None = None  # sent along when given; not every endpoint heeds it
    json_mode: bool = False  # ask for `response_format` json_object; not every endpoint knows it
    charge: Literal["profile", "measured"] = "profile"  # simulated time of a call: the device's, or what it really took

    def __post_init__(self) -> None:
        self._check_url()
        if not self.model.strip():
            raise ConfigError("model", "is empty", "name it as the endpoint does")
        for key in ("timeout_s", "cache_ttl_s", "breaker_rest_s"):
            if not 0 < getattr(self, key) < math.inf:
                raise ConfigError(key, f"must be a positive number of seconds, got {getattr(self, key):g}")
        for key in ("max_concurrent", "requests_per_min", "cache_size", "breaker_failures", "max_tokens"):
            if getattr(self, key) < 1:
                raise ConfigError(key, f"must be at least 1, got {getattr(self, key)}")
        for key in ("retries", "backoff_s", "temperature"):
            if not 0 <= getattr(self, key) < math.inf:
                raise ConfigError(key, f"must not be negative or infinite, got {getattr(self, key):g}")
        check_priority(self.priority)

    def _check_url(self) -> None:
        hint = "for example 'http://127.0.0.1:8000/v1'"
        if "@" in self.base_url.partition("//")[2].partition("/")[0]:  # and so it is not shown to anybody
            raise ConfigError("base_url", "holds a user name or password", "name an environment variable: key_variable")
        try:
            url = urlsplit(self.base_url)
            port = url.port
            (url.hostname or "").encode("idna")
        except ValueError as error:
            raise ConfigError("base_url", f"{self.base_url!r} is no URL: {error}", hint) from None
        if not url.hostname or any(not mark.isprintable() or mark.isspace() for mark in self.base_url) or port == 0:
            raise ConfigError("base_url", f"{self.base_url!r} is no URL", hint)
        if url.scheme not in SCHEMES:
            raise ConfigError("base_url", f"{self.base_url!r} is not of the web", nearest(url.scheme, SCHEMES))
        if url.query or url.fragment:
            raise ConfigError("base_url", f"to {self.base_url!r} no path can be added", hint)

    @property
    def url(self) -> str:
        """Where questions go."""
        return f"{self.base_url.rstrip('/')}/chat/completions"

    @property
    def local(self) -> bool:
        """Whether the endpoint is on this machine, where no proxy has a part in it."""
        return urlsplit(self.base_url).hostname in LOCAL_HOSTS

    def key(self) -> str | None:
        """The key out of the environment; ConfigError when the variable is not set or holds none."""
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            problem = f"the environment variable {self.key_variable!r} is not set"
            raise ConfigError("key_variable", problem, f"export {self.key_variable}=..., or null for an open endpoint")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigError("key_variable", f"what {self.key_variable!r} holds is no key")
        return key


def check_priority(priority: int) -> None:
    """Raise ConfigError for a priority outside 0-10."""
    if priority not in PRIORITIES:
        raise ConfigError("priority", f"must be between {PRIORITIES[0]} and {PRIORITIES[-1]}, got {priority}")
