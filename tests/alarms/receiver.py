"""A webhook on this machine that takes messages, refuses them, hangs, drips, or is not there."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from schemas.operations import Webhook

SOON, AMPLE = 0.3, 30.0
"""Seconds that the webhook may take, where it is to hang and where it is not."""


@dataclass
class Receiver:
    """``answers``: what it does with the next requests, then 200; ``asked``: all bodies; ``taken``: those it took."""

    port: int = 0
    answers: list[int | str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    seen: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/secret-word"

    def webhook(self, attempts: int = 1) -> Webhook:
        seconds = SOON if "hang" in self.answers else AMPLE
        return Webhook(url=self.url, timeout_seconds=seconds, attempts=attempts)

    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.taken]


@contextlib.contextmanager
def a_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.asked.append(body)
            receiver.headers.append(dict(self.headers))
            answer = receiver.answers.pop(0) if receiver.answers else 200
            if answer == "hang":
                receiver.closing.wait(600)
                return
            if answer == "drip":
                self.drip()
                return
            if answer == "nonsense":
                self.wfile.write(b"\x00\x01 no HTTP\r\n\r\n")
                return
            assert isinstance(answer, int)
            if answer < 300:
                receiver.taken.append(body)
            self.send_response(answer)
            if answer == 302:
                self.send_header("Location", receiver.url)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def drip(self) -> None:
            """A byte now and then: no time limit of a socket ends it."""
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
                while not receiver.closing.is_set():
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(SOON / 3)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        try:
            yield receiver
        finally:
            receiver.closing.set()
            server.shutdown()
            serving.join()
