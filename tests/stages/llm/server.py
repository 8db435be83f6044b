"""An OpenAI-compatible server on the loopback: it plans by rule from the question it is asked, and fails on demand."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vla_sim.stages.planner import RulePlanner, to_dict
from vla_sim.types import Intent, ObjectQuery

PATIENCE_S = 20.0  # longest that a request is kept waiting, so that a test that fails does not hang
EXTRA_KEY = {"steps": [{"kind": "manipulate", "action": "stop", "hurry": "yes"}]}
TEXTS = {  # what the model writes instead of a plan
    "nonsense": "I am sorry, as a language model I cannot move a robot.",
    "off_schema": json.dumps({"plan": EXTRA_KEY["steps"]}),
    "extra_key": json.dumps(EXTRA_KEY),
    "no_locate": json.dumps({"steps": [{"kind": "manipulate", "action": "pick", "target": {"shape": "cube"}}]}),
    "to_the_stove": json.dumps({"steps": [{"kind": "navigate", "action": "go_to", "place": "stove"}]}),
    "truncated": '{"steps": [{"kind": "manipulate", "act',
}
BODIES = {  # what comes instead of a chat completion
    "no_json": b"<html>welcome to the proxy</html>",
    "no_choices": b'{"choices": []}',
    "no_text": b'{"choices": [{"message": {"content": 3}}]}',
    "too_long": b" " * (3 << 20),
    "not_zipped": b"plain",
}
STATUS = {"http_400": 400, "http_401": 401, "http_404": 404, "http_429": 429, "http_500": 500, "http_503": 503}


def plan_of(messages: list[dict[str, str]]) -> str:
    """A real answer: the rules' plan for what is asked first that is no example, whatever was complained of since."""
    questions = [m["content"] for m in messages if m["role"] == "user" and m["content"].startswith("{")]
    wanted = json.loads(questions[-1])
    for name in ("target", "destination"):
        wanted[name] = None if wanted[name] is None else ObjectQuery(**wanted[name])
    return json.dumps(to_dict(RulePlanner()(Intent(**wanted))))


def written(behaviour: str, messages: list[dict[str, str]]) -> Any:
    """What the model writes."""
    plan = plan_of(messages)
    wrapped = {
        "fenced": f"```json\n{plan}\n```",
        "chatty": f'Sure! For {{"verb": "..."}} I would do this:\n\n```\n{plan}\n```\nGood luck!',
        "thinking": f'<think>Maybe {{"steps": []}}? No.</think>\n{plan}',
        "in_parts": [{"type": "text", "text": plan[:9]}, {"type": "text", "text": plan[9:]}],
    }
    return wrapped.get(behaviour, TEXTS.get(behaviour, plan))


class LoopbackServer(ThreadingHTTPServer):
    """Does what `script` says, a word a request, then "good" for ever.

    Words: "good", the keys of the tables above, "wait" (until `go_on` is called), "drip" (a byte now and then, without
    end), "hang_up" (in mid-answer), and status codes, with a `Retry-After` of seconds as in "http_429 after 3".
    """

    daemon_threads = True

    def __init__(self, script: Iterable[str] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = deque(script)
        self.requests: list[dict[str, Any]] = []  # bodies, in the order they came
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._gate = threading.Event()
        self.ending = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def asked(self) -> list[dict[str, Any]]:
        """What each request was about."""
        return [json.loads(body["messages"][-1]["content"]) for body in self.requests]

    def arrived(self, n: int) -> None:
        """Block until `n` requests have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.requests) >= n, PATIENCE_S), f"{len(self.requests)} requests"

    def go_on(self) -> None:
        """Answer those that wait."""
        self._gate.set()

    def enter(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> str:
        """A request has come; what to do with it."""
        with self._came:
            self.paths.append(path)
            self.headers.append(headers)
            self.requests.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._came.notify_all()
            return self.script.popleft() if self.script else "good"

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1

    def wait(self) -> None:
        self._gate.wait(PATIENCE_S)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has given up is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        behaviour = self.server.enter(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        try:
            if behaviour == "wait":
                self.server.wait()
            self._behave(behaviour, body["messages"])
        finally:
            self.server.leave()

    def _behave(self, behaviour: str, messages: list[dict[str, str]]) -> None:
        status, _, seconds = behaviour.partition(" after ")
        if status in STATUS:
            error = json.dumps({"error": {"message": f"sent {self.headers.get('Authorization')}"}})
            self._send(STATUS[status], error.encode(), {"Retry-After": seconds} if seconds else {})
        elif behaviour in BODIES:
            self._send(200, BODIES[behaviour], {"Content-Encoding": "gzip"} if behaviour == "not_zipped" else {})
        elif behaviour == "drip":
            self._head(200, {"Content-Length": "100000"})
            while not self.server.ending.wait(0.02):
                self.wfile.write(b" ")
        elif behaviour == "hang_up":
            self._head(200, {"Content-Length": "1000"})
            self.wfile.write(b'{"choices": [')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            message = {"role": "assistant", "content": written(behaviour, messages)}
            completion = {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}
            self._send(200, json.dumps(completion).encode(), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(*script: str) -> Iterator[LoopbackServer]:
    """A server that listens until the block ends."""
    server = LoopbackServer(script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.go_on()
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
