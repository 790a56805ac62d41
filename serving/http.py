"""HTTP/1.1 on one connection: httptools reads the requests, the application answers, the answers go out in order.

Nothing in an answer waits, so a request needs no task or thread of its own; those that take long have one thread
together: docs/decisions/0010-http.md.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from functools import partial
from http import HTTPStatus

import httptools

from serving.app import App, Heavy
from serving.decisions import Undecided
from serving.documents import Response
from serving.errors import KravoversiktError
from serving.head import broken, fault_of, has_body, headers_too_large, joined, url_too_long, version_not_supported
from serving.request import Request, method_not_allowed
from serving.routes import HEADER_WEIGHT, MAX_HEADERS, MAX_URL

MAX_HEAD = 64 * 1024
"""Bytes of a request line and headers that are read at most while their end isn't in sight."""

MOST_DUE = 100
"""Requests of one connection that wait for their answers at most; one more is answered too, as the last."""

LINGER_SECONDS = 1.0
"""What still comes after the last answer is thrown away for so long: closed at once, the answer could be lost on its
way (RFC 9112, 9.6)."""

IDLE_AT_END_SECONDS = 1.0
"""At the end, one that is silent for so long between two requests is closed. Those in use are told so by their next
answer: closed at once, a request on its way would be lost."""

_STATUS = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n" for one in HTTPStatus}
_OTHER_VERSION = ("Invalid HTTP version", "Pause on PRI/Upgrade")
"""What the parser says of a request of another version, and of what HTTP/2 begins with (RFC 9113, 3.4)."""
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+( |\Z)")  # or the piece of one that has come


class Connections:
    """The open connections of a worker: how many there may be, and for how long each may be silent."""

    def __init__(self, app: App, most: int, header_seconds: float) -> None:
        """``header_seconds``: for the headers of a request, and between an answer and the next request."""
        self.app = app
        self.open: set[Connection] = set()
        self.ending = False
        self._most = most
        self._header_seconds = header_seconds
        self._apart = ThreadPoolExecutor(1, "heavy")
        self.look()

    def make(self, heavy: Heavy, made: Callable[[], None]) -> None:
        """Has an answer made in a thread of its own, one after another; ``made`` is called here when it is."""
        loop = asyncio.get_running_loop()

        def work() -> None:
            heavy.work()
            loop.call_soon_threadsafe(made)

        self._apart.submit(work)

    def full(self) -> bool:
        """Whether there is no room for another."""
        return len(self.open) >= self._most

    def look(self) -> None:
        """What must be done about once a second: closes the silent ones, and reads the clock for ``Date``."""
        self.date = f"date: {formatdate(usegmt=True)}\r\n"
        now = time.monotonic()
        for one in list(self.open):
            seconds = IDLE_AT_END_SECONDS if self.ending and one.between else self._header_seconds
            if one.silent_since < now - seconds and one.waits():
                one.transport.close()

    def end(self) -> None:
        """Each is closed after its next answer; ``look`` closes those that ask for nothing more."""
        self.ending = True

    def abort(self) -> None:
        """Cuts off what is left, and makes no more of it."""
        self._apart.shutdown(wait=False, cancel_futures=True)
        for one in list(self.open):
            one.transport.abort()


class Connection(asyncio.Protocol):
    """One connection. A request that has a body, or is refused before it is known to have none, is its last: so what
    follows is never taken for a request."""

    transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._due: deque[tuple[Request, bool]] = deque()  # requests to be answered; whether that is the last answer
        self._may_write, self._reading, self._held = True, True, False
        self._pending = False
        """Whether the answer that is due waits for a decision, or is made in another thread."""
        self._peer = ""
        self._unfinished = 0
        self.on_message_begin()
        self.between = True
        """Whether nothing of a next request has come."""

    def waits(self) -> bool:
        """Whether it is the client's turn."""
        return self._may_write and not self._due and not self._pending

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes it, when there is room."""
        self.transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        if self._connections.full():
            self.transport.abort()
        else:
            self._connections.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it, and what was due."""
        self._connections.open.discard(self)
        self._reading = False
        self._due.clear()

    def data_received(self, data: bytes) -> None:
        """Reads, and answers the first request that is whole; others that came with it wait for their turn."""
        if not self._reading:
            return
        self._unfinished += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # no other protocol is spoken here: the request is answered as it is
        except httptools.HttpParserInvalidMethodError:
            self._refuse(method_not_allowed() if _METHOD.match(data) else broken())
        except httptools.HttpParserError as error:
            self._refuse(version_not_supported() if str(error) in _OTHER_VERSION else broken())
        if self._unfinished > MAX_HEAD:
            self._refuse(url_too_long() if len(self._url) > MAX_URL else headers_too_large())
        self._answer()

    def eof_received(self) -> bool:
        """The client sends no more; it is still told what is due."""
        self._reading = False
        return bool(self._due) or self._pending

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._may_write = False

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._may_write = True
        self._answer()

    # What httptools calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._headers_size = 0
        self.between = False
        self.silent_since = time.monotonic()

    def on_url(self, url: bytes) -> None:
        """A piece of the URL."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. Those beyond what is read are not kept."""
        size = self._headers_size = self._headers_size + len(name) + len(value) + HEADER_WEIGHT
        if size <= MAX_HEADERS:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A request is whole: what may follow as its body is not read."""
        self._unfinished = 0
        self.between = True
        http, headers, parser = self._parser.get_http_version(), joined(self._headers), self._parser
        path, _, query = _origin_form(self._url).decode("latin-1").partition("?")
        fault = fault_of(http, len(self._url), self._headers_size, headers)
        request = Request(parser.get_method().decode(), path, query, headers, fault, self._peer, http)
        read = fault is None and not has_body(headers) and len(self._due) < MOST_DUE
        goes_on = read and http == "1.1" and parser.should_keep_alive() and not parser.should_upgrade()
        self._ask(request, last=not goes_on)

    def _refuse(self, fault: KravoversiktError) -> None:
        self._ask(Request("", "", "", joined(self._headers), fault), last=True)

    def _ask(self, request: Request, last: bool) -> None:
        if self._reading:
            self._due.append((request, last))
            self._reading = not last

    # From a request to its answer

    def _answer(self) -> None:
        """Answers what is due first, if the client reads. While more is due nothing is read, and others have a turn."""
        if self._due and self._may_write and not self._pending:
            self._begin(*self._due.popleft())
        if self._due or self._pending:
            self._hold(True)
            if self._may_write and not self._pending:
                asyncio.get_running_loop().call_soon(self._answer)
        elif self._held:
            self._hold(False)

    def _begin(self, request: Request, last: bool, waited: Undecided | None = None) -> None:
        """Answers one: at once, when the decision is there that it waits for, or when it has been made apart."""
        connections = self._connections
        try:
            answer = connections.app.begin(request, waited)
        except Undecided as undecided:
            self._pending = True
            call = asyncio.get_running_loop().call_soon_threadsafe
            decided = partial(call, self._decided, request, last, undecided)
            undecided.decision.add_done_callback(lambda _: decided())
            return
        if isinstance(answer, Heavy):
            self._pending = True
            connections.make(answer, partial(self._made, answer, last))
        else:
            self._give(answer, last)

    def _decided(self, request: Request, last: bool, undecided: Undecided) -> None:
        """Goes on, if the client is still there."""
        self._pending = False
        if not self.transport.is_closing():
            self._begin(request, last, undecided)
            self._answer()

    def _made(self, heavy: Heavy, last: bool) -> None:
        """What was made apart is given, unless the client is gone; then what is due has its turn."""
        self._pending = False
        if self in self._connections.open:
            self._give(heavy.response(), last)
            self._answer()

    def _give(self, response: Response, last: bool) -> None:
        """Writes an answer; the connection ends with it also when nothing more can be asked."""
        last = last or (not self._due and (self._connections.ending or not self._reading))
        end = "connection: close\r\n\r\n" if last else "\r\n"
        head = f"{_STATUS[response.status]}{response.head}{self._connections.date}{end}"
        self.transport.write(head.encode("latin-1") + response.body)
        self.silent_since = time.monotonic()
        if last:
            self._reading = False
            self.transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.close)

    def _hold(self, held: bool) -> None:
        """Reads no more, or again."""
        self._held = held
        if not self.transport.is_closing():
            (self.transport.pause_reading if held else self.transport.resume_reading)()


def _origin_form(url: bytes) -> bytes:
    """The path and query of a URL that names its host too (RFC 9112, 3.2.2); any other as it is."""
    if url.startswith(b"/"):
        return url
    try:
        parts = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        return url
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
