"""A real HTTP server on this machine that speaks OpenAI's protocol, well or badly, and counts what it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-4f1c9e-secret"


@dataclass
class Reply:
    """What the endpoint does with a request: status, headers, body; or waits first, or breaks off the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    after_s: float = 0.0
    cut: bool = False


def completion(text: Any, finish_reason: str = "stop", prompt_tokens: int = 7, completion_tokens: int = 3) -> Reply:
    """A well-formed answer."""
    message = {"role": "assistant", "content": text}
    said = {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
    return Reply(json.dumps(said).encode())


def refusal(status: int, message: str, **headers: str) -> Reply:
    """An error as endpoints send it."""
    said = json.dumps({"error": {"message": message, "type": "error", "code": status}}).encode()
    return Reply(said, status, {"Content-Type": "application/json", **headers})


def well(prompt: str, time_asked: int) -> Reply:
    """Answers everything."""
    return completion(f"About: {prompt[-20:]}")


# (prompt, how often it has been asked before) -> what happens.
Behaviour = Callable[[str, int], Reply]


@dataclass
class Endpoint:
    """What was asked of the server, and how many requests were under way at once."""

    behave: Behaviour
    port: int = 0
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    at: list[float] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def arrive(self, body: dict[str, Any], key: str) -> Reply:
        prompt = body["messages"][-1]["content"]
        with self._lock:
            before = self.prompts.count(prompt)
            self.prompts.append(prompt)
            self.bodies.append(body)
            self.keys.add(key)
            self.at.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        return self.behave(prompt, before)

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1


@contextmanager
def serving(behave: Behaviour = well) -> Iterator[Endpoint]:
    """An endpoint on a free port of the loopback, for as long as the block takes."""
    endpoint = Endpoint(behave)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                reply = endpoint.arrive(body, self.headers["Authorization"])
                if reply.after_s:
                    time.sleep(reply.after_s)
            finally:
                endpoint.leave()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
            self.close_connection = reply.cut

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            # A client that has given up waiting is no fault of the server.
            try:
                super().handle()
            except OSError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
