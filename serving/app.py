"""From a request to its answer: one pure function over what is published. No server is needed to call it."""

import copy
import json
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from serving.access import Gate
from serving.beats import Beats
from serving.consumers import Consumer
from serving.decisions import Undecided
from serving.documents import JSON, Response, Wanted, at_hand, coded, document, header_lines, key_of, known
from serving.errors import KravoversiktError, UnreadableError
from serving.etag import digest, etag, matches
from serving.limits import Limits, policy
from serving.logs import About, Answered, Logs
from serving.metrics import Metrics
from serving.request import (
    CODINGS,
    OPEN_PATHS,
    Request,
    check_accept,
    content_coding,
    find_route,
    given_id,
    method_not_allowed,
    new_id,
    parse,
)
from serving.routes import METHODS
from serving.store import Snapshot
from serving.switch import Published

METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Page:
    """A page that is the same for everyone, ready in every coding."""

    def __init__(self, body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        self.head = header_lines(*headers, ("vary", "accept-encoding"))
        self.bodies = {coding: coded(body, coding) for coding in CODINGS}
        self.digest = digest(body)


HEAVY = 300
"""Posts of a document that is made by a thread of its own: the worker's others would wait for it."""

POSTS_A_REQUEST = 500
"""So many posts of a document count as a request more in the limits. Not under ``HEAVY``."""


class Apart(NamedTuple):
    """How an answer is made apart, and what is made of it in the thread of all others."""

    make: Callable[[], Response]
    take: Callable[[Response], Response]


class Heavy:
    """An answer that takes a while: ``work`` may be called by another thread, and then ``response`` by the first."""

    def __init__(self, apart: Apart, finish: Callable[[Response | Exception], Response]) -> None:
        self._apart = apart
        self._finish = finish
        self._made: Response | Exception = RuntimeError("nothing was made")

    def work(self) -> None:
        """Makes the answer; never raises."""
        try:
            self._made = self._apart.make()
        except Exception as error:
            self._made = error

    def response(self) -> Response:
        """What was made, told and counted; never raises."""
        made = self._made
        return self._finish(made if isinstance(made, Exception) else self._apart.take(made))


class App:
    """Answers requests: by what is published, to whom the gate admits."""

    def __init__(
        self,
        published: Published,
        gate: Gate,
        logs: Logs,
        metrics: Metrics,
        pages: Mapping[str, Page],
        limits: Limits | None = None,
        beats: Beats | None = None,
    ) -> None:
        """``limits``: the gate's own, when what large documents cost is to be counted. ``beats``: of all workers."""
        self._published = published
        self._gate = gate
        self._logs = logs
        self._metrics = metrics
        self._pages = pages
        self._limits = limits
        self._beats = beats
        self._outside, self._inside = True, True
        self._apart: tuple[Snapshot, Snapshot] | None = None

    def outside(self) -> "App":
        """The same for callers only: no figures, and of its health no more than whether it is well."""
        other = copy.copy(self)
        other._inside = False
        return other

    def inside(self) -> "App":
        """The same for who looks after it only: health and figures, and no documents."""
        other = copy.copy(self)
        other._outside = False
        return other

    def handle(self, request: Request, waited: Undecided | None = None) -> Response:
        """The answer, made here whatever it costs. Raises ``Undecided``, as ``begin``."""
        answer = self.begin(request, waited)
        if isinstance(answer, Heavy):
            answer.work()
            return answer.response()
        return answer

    def begin(self, request: Request, waited: Undecided | None = None) -> Response | Heavy:
        """The answer, or one that is still to be made. Raises nothing but ``Undecided``: then it is called again with
        that, when the decision is there.

        Of a request that waits nothing is told until it is answered.
        """
        start = waited.began if waited and waited.began else time.perf_counter()
        method = request.method if request.method in METHODS else "other"
        given, own = given_id(request), new_id()
        told = Answered(given or own, method, own_id=given is None, request=own, peer=request.peer)
        try:
            answer = self._answer(request, told, waited)
        except Undecided as undecided:
            undecided.began = start
            raise
        except Exception as error:
            return self._finish(told, start, error)
        if isinstance(answer, Apart):
            return Heavy(answer, partial(self._finish, told, start))
        return self._finish(told, start, answer)

    def _finish(self, told: Answered, start: float, answer: Response | Exception) -> Response:
        """The answer with what is on every one; it is told and counted."""
        response = answer if isinstance(answer, Response) else self._failed(answer, told)
        response.head += f"korrelasjonsid: {told.korrelasjonsid}\r\n"
        if response.status != 304:
            response.head += f"content-length: {len(response.body)}\r\n"
        if told.method == "HEAD":
            response.body = b""
        told.status, told.sent, told.seconds = response.status, len(response.body), time.perf_counter() - start
        self._metrics.answered(told)
        self._logs.answered(told)
        return response

    def _failed(self, error: Exception, told: Answered) -> Response:
        if not isinstance(error, KravoversiktError):
            self._logs.unexpected(error, told.korrelasjonsid)
            error = KravoversiktError("KB-001", "unexpected error")
        elif isinstance(error, UnreadableError):
            self._logs.unreadable(error, told.korrelasjonsid)
        return _error(error, told)

    def _answer(self, request: Request, told: Answered, waited: Undecided | None) -> Response | Apart:
        """The order of the checks is the order of the errors (``serving.errors``)."""
        if request.fault:
            raise request.fault
        if told.method not in METHODS:
            raise method_not_allowed()
        if request.path in OPEN_PATHS and self._answers(request.path):
            told.route = request.path
            return self._open(request.path, request)
        if not self._outside:
            raise KravoversiktError("KB-003", "unknown URL; documents are asked for elsewhere")
        route, rettighetspakke, part = find_route(request.path)
        told.route = route.name
        asked = parse(route, rettighetspakke, part, request.query)
        told.forwarded = request.headers.get("x-forwarded-for")
        told.about = about = About(part, rettighetspakke, asked.period.text if asked.period else None)
        check_accept(request)
        told.coding = coding = content_coding(request)
        consumer = self._gate.admit(request, asked, told, waited)
        told.consumer = consumer.navn
        snapshot = self._published.snapshot
        if snapshot is None:
            raise KravoversiktError("KB-002", "no snapshot is published")
        audited = self._logs.audited()
        about.snapshot = snapshot.name if audited else None
        row = snapshot.find(part)  # an unknown part is told first
        if not audited:
            raise KravoversiktError("KB-002", "what is shown cannot be audited at present")
        of = request.headers.get
        return self._document(snapshot, row, Wanted(asked, coding, of("if-match"), of("if-none-match")), consumer)

    def _document(self, snapshot: Snapshot, row: int, wanted: Wanted, consumer: Consumer) -> Response | Apart:
        """What is large is counted by its size, and made apart."""
        stored = at_hand(snapshot, wanted)
        if stored is None or stored.posts >= HEAVY:
            answer = known(snapshot, row, wanted)
            if answer:
                return self._limited(answer, consumer)
            posts = snapshot.weight(wanted.asked.route.kind, row)
            if self._limits and posts >= POSTS_A_REQUEST:
                self._limits.charge(consumer.place, consumer.requests_per_second, posts // POSTS_A_REQUEST)
            if posts >= HEAVY:
                make = partial(document, self._for_another_thread(snapshot), row, wanted)
                return Apart(make, partial(self._remember, snapshot, wanted, consumer))
        return self._limited(document(snapshot, row, wanted, stored), consumer)

    def _remember(self, snapshot: Snapshot, wanted: Wanted, consumer: Consumer, answer: Response) -> Response:
        snapshot.remember(key_of(wanted.asked), answer.digest)
        return self._limited(answer, consumer)

    def _for_another_thread(self, snapshot: Snapshot) -> Snapshot:
        if self._apart is None or self._apart[0] is not snapshot:
            self._apart = snapshot, snapshot.for_another_thread()
        return self._apart[1]

    def _limited(self, answer: Response, consumer: Consumer) -> Response:
        """The answer, and what the consumer may still ask."""
        if self._limits:
            rate, burst = consumer.requests_per_second, consumer.burst
            left = self._limits.left(consumer.place, rate, burst)
            answer.head += f"ratelimit-policy: {policy(rate, burst)}\r\nratelimit: {left}\r\n"
        return answer

    def _answers(self, path: str) -> bool:
        """Whether the path is for whom this application is for."""
        page = path in self._pages
        return self._outside if page else self._inside or path != "/metrics"

    def _open(self, path: str, request: Request) -> Response:
        if path in self._pages:
            return _page(self._pages[path], request)
        if path == "/metrics":
            return Response(200, header_lines(("content-type", METRICS), *_UNKEPT), self._metrics.page())
        status, said = self._live() if path == "/health/live" else self._ready()
        if not self._inside:
            said = {"status": said["status"]}
        again = "" if status == 200 else header_lines(("retry-after", "1"))
        return Response(status, _JSON_UNKEPT + again, _encode(said).encode())

    def _live(self) -> tuple[int, dict[str, str | int | None]]:
        """200 while all workers are heard: whichever is asked, a process that hangs answers nothing itself."""
        silent = self._beats.silent() if self._beats else 0
        return 503 if silent else 200, {"status": "not live" if silent else "live", "silent": silent}

    def _ready(self) -> tuple[int, dict[str, str | int | None]]:
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
            "breaker": self._gate.breaker(),
            "audit": "written" if audited else "behind",
        }


_UNKEPT = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))
_JSON_UNKEPT = header_lines(("content-type", JSON), *_UNKEPT)


def _error(error: KravoversiktError, told: Answered) -> Response:
    """The id is plain, or it would not have been taken: ``request.given_id``."""
    told.kode = error.kode
    body = f'{{"kode":"{error.kode}","melding":{_escaped(error.melding)},"korrelasjonsid":"{told.korrelasjonsid}"}}'
    head = _JSON_UNKEPT + header_lines(*error.headers.items()) if error.headers else _JSON_UNKEPT
    return Response(error.status, head, body.encode())


def _page(page: Page, request: Request) -> Response:
    """The page, in a coding that the caller takes if there is one; 304 when it has it."""
    try:
        coding = content_coding(request)
    except KravoversiktError:
        coding = "identity"
    tag = etag(page.digest, coding)
    head = page.head + header_lines(("etag", tag))
    given = request.headers.get("if-none-match")
    if given and matches(given, tag):
        return Response(304, head, b"")
    if coding != "identity":
        head += header_lines(("content-encoding", coding))
    return Response(200, head, page.bodies[coding])


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_escaped = lru_cache(maxsize=256)(_encode)
"""What errors say: the same few sentences again and again."""
