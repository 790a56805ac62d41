"""From a request to its answer: one pure function over what is published. No server is needed to call it."""

import gzip
import json
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import zstandard

from serving.access import Gate
from serving.decisions import Undecided
from serving.errors import KravoversiktError, UnreadableError
from serving.etag import etag, matches
from serving.logs import About, Answered, Logs
from serving.metrics import Metrics
from serving.request import (
    Asked,
    Request,
    check_accept,
    check_method,
    content_coding,
    find_route,
    given_id,
    new_id,
    open_path,
    parse,
)
from serving.routes import METHODS
from serving.store import Snapshot
from serving.switch import Published

JSON = "application/json"
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Response(NamedTuple):
    """One answer. To HEAD the body is empty; ``content-length`` says what it would have been."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Page(NamedTuple):
    """A page that is the same for everyone."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


class App:
    """Answers requests: by what is published, to whom the gate admits."""

    def __init__(
        self, published: Published, gate: Gate, logs: Logs, metrics: Metrics, pages: Mapping[str, Page]
    ) -> None:
        self._published = published
        self._gate = gate
        self._logs = logs
        self._metrics = metrics
        self._pages = pages

    def handle(self, request: Request, waited: Undecided | None = None) -> Response:
        """The answer. Raises nothing but ``Undecided``: then it is called again with that, when the decision is there.

        Of a request that waits nothing is told until it is answered.
        """
        start = waited.began if waited and waited.began else time.perf_counter()
        method = request.method if request.method in METHODS else "other"
        given, own = given_id(request), new_id()
        told = Answered(given or own, method, own_id=given is None, request=own, peer=request.peer)
        try:
            response = self._answer(request, told, waited)
        except Undecided as undecided:
            undecided.began = start
            raise
        except KravoversiktError as error:
            if isinstance(error, UnreadableError):
                self._logs.unreadable(error, told.korrelasjonsid)
            response = _error(error, told)
        except Exception as error:
            self._logs.unexpected(error, told.korrelasjonsid)
            response = _error(KravoversiktError("KB-001", "unexpected error"), told)
        response.headers.append(("korrelasjonsid", told.korrelasjonsid))
        if response.status != 304:
            response.headers.append(("content-length", str(len(response.body))))
        if method == "HEAD":
            response = response._replace(body=b"")
        told.status, told.sent, told.seconds = response.status, len(response.body), time.perf_counter() - start
        self._metrics.answered(told)
        self._logs.answered(told)
        return response

    def _answer(self, request: Request, told: Answered, waited: Undecided | None) -> Response:
        """The order of the checks is the order of the errors (``serving.errors``)."""
        if request.fault:
            raise request.fault
        check_method(request)
        path = open_path(request)
        if path:
            told.route = path
            return self._open(path)
        route, rettighetspakke, part = find_route(request)
        told.route = route.name
        asked = parse(route, rettighetspakke, part, request.query)
        told.forwarded = request.headers.get("x-forwarded-for")
        told.about = about = About(part, rettighetspakke, asked.period.text if asked.period else None)
        check_accept(request)
        told.coding = coding = content_coding(request)
        told.consumer = self._gate.admit(request, asked, told, waited).navn
        snapshot = self._published.snapshot
        if snapshot is None:
            raise KravoversiktError("KB-002", "no snapshot is published")
        if not self._logs.audited():
            snapshot.find(part)  # an unknown part is told first
            raise KravoversiktError("KB-002", "what is shown cannot be audited at present")
        about.snapshot = snapshot.name
        return document(snapshot, asked, coding, request.headers.get("if-none-match"))

    def _open(self, path: str) -> Response:
        if path in self._pages:
            page = self._pages[path]
            return Response(200, list(page.headers), page.body)
        if path == "/metrics":
            return Response(200, [("content-type", METRICS), ("cache-control", "no-store")], self._metrics.page())
        status, said = (200, {"status": "live"}) if path == "/health/live" else self._ready()
        return Response(status, [("content-type", JSON), ("cache-control", "no-store")], _json(said))

    def _ready(self) -> tuple[int, dict[str, str | None]]:
        """200 while there is something to serve and a way to check tokens, else 503.

        A new snapshot that was refused is told of, and makes no difference while the old one is served.
        """
        snapshot, keys = self._published.snapshot, self._gate.keys()
        audited = self._logs.audited()
        ready = snapshot is not None and keys == "read" and audited
        return 200 if ready else 503, {
            "status": "ready" if ready else "not ready",
            "snapshot": snapshot.name if snapshot else None,
            "refused": self._published.refused,
            "keys": keys,
            "audit": "written" if audited else "behind",
        }


def _error(error: KravoversiktError, answer: Answered) -> Response:
    answer.kode = error.kode
    body = _json({"kode": error.kode, "melding": error.melding, "korrelasjonsid": answer.korrelasjonsid})
    headers = [("content-type", JSON), ("cache-control", "no-store"), *error.headers.items()]
    return Response(error.status, headers, body)


def document(snapshot: Snapshot, asked: Asked, coding: str, if_none_match: str | None) -> Response:
    """A document, or 304 when the caller has it. Raises KB-009, KB-002 or KB-007.

    An overview's tag is made of its stored frame, whatever it is sent as; a window's of its text, so that it stays when
    only what is outside the window changes.
    """
    row = snapshot.find(asked.part)
    if asked.period:
        stored = snapshot.window(asked.route.kind, row, asked.part, asked.period)
    else:
        stored = (snapshot.packed_oversikt if coding == "zstd" else snapshot.oversikt)(row, asked.part)
    tag = etag(stored.digest, coding)
    headers = [
        ("etag", tag),
        ("snapshot-date", _text(snapshot.date_of(row))),
        ("cache-control", "private, no-cache"),
        ("vary", "accept-encoding"),
    ]
    if snapshot.extracted_at:
        headers.append(("extracted-at", snapshot.extracted_at))
    if if_none_match and matches(if_none_match, tag):
        return Response(304, headers, b"")
    headers.append(("content-type", JSON))
    if coding != "identity":
        headers.append(("content-encoding", coding))
    packed = coding == "zstd" and asked.period is None
    return Response(200, headers, stored.content if packed else _coded(stored.content, coding))


def _coded(content: bytes, coding: str) -> bytes:
    """Fast rather than small: it is done for every answer."""
    if coding == "identity":
        return content
    return _zstd.compress(content) if coding == "zstd" else gzip.compress(content, 1, mtime=0)


_zstd = zstandard.ZstdCompressor(level=1)
_text = lru_cache(maxsize=64)(str)


def _json(content: object) -> bytes:
    return _encode(content).encode()


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
