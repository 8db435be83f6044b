"""One question to an OpenAI-compatible endpoint over HTTP, with retries; every way it can go wrong has a name."""

from __future__ import annotations

import asyncio
import json
import reprlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vla_sim.errors import ConfigError, VlaSimError
from vla_sim.stages.llm.limits import RateLimit
from vla_sim.stages.llm.question import Message
from vla_sim.stages.llm.settings import Settings

if TYPE_CHECKING:
    import httpx

LARGEST_BODY = 1 << 20  # bytes of an answer that are read
LONGEST_EXCERPT = 120  # characters of a body that says why not
TOO_MANY = 429


class EndpointFailed(VlaSimError):
    """No answer; `reason` is a word for the count, `problem` one line for the record.

    Reasons: timeout, refused (no connection), dropped (it ended in mid-answer), http_error, rate_limited (by ourselves
    or by the endpoint), nonsense (not the protocol).
    """

    def __init__(
        self, reason: str, problem: str, *, passing: bool = False, wait_s: float = 0.0, ours: bool = False
    ) -> None:
        self.reason, self.problem = reason, problem
        self.passing = passing  # worth another try, after `wait_s` at the least
        self.wait_s = wait_s
        self.ours = ours  # the endpoint has no part in it
        super().__init__(f"{reason}: {problem}")


class Endpoint:
    """Asks one endpoint; used from one event loop. Raises ConfigError without httpx, or without the key it needs."""

    def __init__(self, settings: Settings, now_s: Callable[[], float]) -> None:
        try:
            import httpx
        except ImportError:
            raise ConfigError("httpx", "is not installed", "pip install -e .[llm]") from None
        self._httpx, self._settings, self._now_s = httpx, settings, now_s
        try:
            httpx.URL(settings.url)
        except httpx.InvalidURL as error:
            raise ConfigError("base_url", f"{settings.base_url!r} is no URL: {error}") from None
        self._key = settings.key()
        self._rate = RateLimit(settings.requests_per_min)
        self._client: httpx.AsyncClient | None = None

    async def complete(self, messages: list[Message], patience_s: Callable[[], float], tally: Counter[str]) -> str:
        """The text of the answer; requests and retries are added to `tally`.

        `patience_s` tells how many seconds are left: no wait is begun that would outlast them. Raises EndpointFailed.
        """
        backoff_s = self._settings.backoff_s
        for left in reversed(range(self._settings.retries + 1)):
            await self._turn(patience_s())
            tally["requests"] += 1
            try:
                return await self._post(messages)
            except EndpointFailed as failure:
                wait_s = max(backoff_s, failure.wait_s)
                if not failure.passing or not left or wait_s >= patience_s():
                    raise
            tally["retried"] += 1
            await asyncio.sleep(wait_s)
            backoff_s *= 2.0
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _turn(self, patience_s: float) -> None:
        wait_s = self._rate.book(self._now_s(), patience_s)
        if wait_s is None:
            raise EndpointFailed("rate_limited", f"{self._rate.n} requests a minute are used up", ours=True)
        if wait_s:
            await asyncio.sleep(wait_s)

    async def _post(self, messages: list[Message]) -> str:
        httpx = self._httpx
        try:
            async with self._connected().stream("POST", self._settings.url, json=self._body(messages)) as response:
                body = await _read(response)
        except httpx.ConnectError as error:
            raise EndpointFailed("refused", f"no connection to {self._settings.base_url}: {error}") from None
        except httpx.DecodingError as error:
            raise EndpointFailed("nonsense", f"the answer cannot be unpacked: {error}") from None
        except httpx.HTTPError as error:
            problem = f"the connection ended in mid-answer: {error or type(error).__name__}"
            raise EndpointFailed("dropped", problem, passing=True) from None
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response, body)
        return _content(body)

    def _connected(self) -> httpx.AsyncClient:
        # Made where it is used: its connections belong to one event loop. Time is limited by whoever asks, as a whole.
        if self._client is None:
            headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
            trust = not self._settings.local
            self._client = self._httpx.AsyncClient(headers=headers, timeout=None, trust_env=trust)
        return self._client

    def _body(self, messages: list[Message]) -> dict[str, Any]:
        settings = self._settings
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": messages,
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
        }
        if settings.seed is not None:
            body["seed"] = settings.seed
        if settings.json_mode:
            body["response_format"] = {"type": "json_object"}
        return body

    def _refusal(self, response: httpx.Response, body: bytes) -> EndpointFailed:
        status = response.status_code
        excerpt = " ".join(body.decode(errors="replace").split())
        if self._key is not None:  # some endpoints quote it back
            excerpt = excerpt.replace(self._key, "***")
        problem = f"HTTP {status} {excerpt[:LONGEST_EXCERPT]}".rstrip()
        reason = "rate_limited" if status == TOO_MANY else "http_error"
        passing = status == TOO_MANY or response.is_server_error
        return EndpointFailed(reason, problem, passing=passing, wait_s=_seconds(response.headers.get("retry-after")))


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise EndpointFailed("nonsense", f"the answer is longer than {LARGEST_BODY} bytes")
    return bytes(body)


def _content(body: bytes) -> str:
    """What the model wrote, out of a chat completion."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError):
        excerpt = reprlib.repr(body.decode(errors="replace"))
        raise EndpointFailed("nonsense", f"no chat completion: {excerpt}") from None
    if isinstance(content, list):  # in parts, as some endpoints do
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise EndpointFailed("nonsense", f"the completion has no text but {reprlib.repr(content)}")
    return content


def _seconds(text: str | None) -> float:
    """A `Retry-After` in seconds; its other form, a date, counts as none."""
    return float(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 9 else 0.0
