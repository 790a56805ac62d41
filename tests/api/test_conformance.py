"""One list of requests, byte by byte, and the same answers of every server that the application is put behind.

Each case says what is answered. Where a stock server (uvicorn, over ``serving.asgi``) answers by
itself, and so in another way, the case says that too: the two differ in nothing else.
"""

import asyncio
import json
import re
import socket
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial

import pytest
import uvloop

from bench.stock import HOW
from serving.asgi import Asgi
from serving.consumers import read_consumers
from serving.http import Connection, Connections
from serving.limits import Limits
from serving.server import Worker
from serving.settings import Settings
from serving.throwaway import access_token, make_keys, settings_for
from tests.api.running import A, B, free_port, publish, wait_until
from tests.api.wire import Answer, answers, receive

uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed: the stock server is not tried")

pytestmark = pytest.mark.slow

OVERSIKT, KRAV = f"/v1/finans/{A}/oversikt", f"/v1/finans/{A}/krav?fraOgMed=2026-01-01&tilOgMed=2026-12-31"
OF_A = "{token}"
"""Where A's token is put."""
PLAIN = "plain"
"""What a stock server says by itself."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conformance")
    home, keys = publish(folder), folder / "keys"
    make_keys(keys)
    given = settings_for(keys) | {"log": {"access": "", "audit": str(folder / "audit")}}
    settings = Settings(home=home, **given)
    worker = Worker(settings, read_consumers(keys / "consumers.toml"), Limits(10), b"k" * 32, None)
    worker.start()
    yield worker, keys
    worker.stop()


@contextmanager
def ours(app, port):
    """Our connections on a loop in a thread."""
    loop, ended, ready = uvloop.new_event_loop(), asyncio.Event(), threading.Event()

    async def run():
        connections = Connections(app, 100, 10)
        server = await loop.create_server(partial(Connection, connections), "127.0.0.1", port)
        ready.set()
        await ended.wait()
        server.close()
        connections.abort()
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(10)
    yield
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


@contextmanager
def stock(app, port):
    """uvicorn in a thread."""
    config = uvicorn.Config(Asgi(app), port=port, server_header=False, lifespan="on", **HOW)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module", params=[ours, stock], ids=["ours", "uvicorn"])
def server(request, worker):
    """The port, what it is, and a token of A's."""
    app, port = worker[0].app, free_port()
    with request.param(app, port):
        yield port, request.param, access_token(worker[1], part=A), access_token(worker[1], part=B)


def send(server, raw: bytes) -> list[Answer]:
    """All that is answered to the bytes, in which ``{token}`` and ``{others}`` are put."""
    port, _, token, others = server
    raw = raw.replace(b"{token}", token.encode()).replace(b"{others}", others.encode())
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(raw)
        received = receive(connection, 1)
    return answers(received) if received.startswith(b"HTTP/1.") else []


@dataclass(frozen=True)
class Case:
    """``raw``: what is sent. ``status`` and ``kode``: of the one answer. ``stock``: the stock server's, if another."""

    name: str
    raw: bytes
    status: int
    kode: str | None = None
    stock: tuple[int, str | None] | None = None


def get(target: str, *lines: str, method="GET", version="1.1", host="Host: a.example", token=OF_A, end=True) -> bytes:
    head = [f"{method} {target} HTTP/{version}", host, f"Authorization: Bearer {token}" if token else "", *lines]
    head += ["Connection: close"] if end else []
    return ("\r\n".join(filter(None, head)) + "\r\n\r\n").encode("latin-1")


BARE = (400, PLAIN)
HIDDEN = get("/hidden", token="")
CASES = [
    # what is asked for
    Case("an overview", get(OVERSIKT), 200),
    Case("a window", get(KRAV), 200),
    Case("HEAD", get(OVERSIKT, method="HEAD"), 200),
    Case("an absolute URL", get(f"http://elsewhere.example{OVERSIKT}"), 200),
    Case("escapes", get(OVERSIKT.replace("finans", "%66inans")), 200),
    Case("escapes twice", get(OVERSIKT.replace("finans", "%2566inans")), 404, "KB-003"),
    Case("an escaped slash", get(OVERSIKT.replace("/oversikt", "%2Foversikt")), 404, "KB-003"),
    Case("an escaped slash in the part", get(OVERSIKT.replace("/oversikt", "%2f/oversikt")), 400, "KB-006"),
    Case("dots", get(f"/v1/finans/../finans/{A}/oversikt"), 404, "KB-003"),
    Case("two slashes", get(OVERSIKT.replace("finans/", "finans//")), 404, "KB-003"),
    Case("a fragment", get(f"{OVERSIKT}%23x"), 404, "KB-003"),
    Case("a parameter twice", get(KRAV + "&fraOgMed=2026-01-01"), 400, "KB-006"),
    Case("a plus in a parameter", get(KRAV.replace("2026-01-01", "2026-01-01+")), 400, "KB-006"),
    Case("a null byte, escaped", get(OVERSIKT.replace(A, A + "%00")), 400, "KB-006"),
    Case("another part", get(OVERSIKT.replace(A, B)), 403, "KB-005"),
    Case("no token", get(OVERSIKT, token=""), 401, "KB-004"),
    Case("two tokens", get(OVERSIKT, "Authorization: Bearer {others}"), 401, "KB-004"),
    Case("the same header by another name", get(OVERSIKT, "AUTHORIZATION: Bearer {token}"), 401, "KB-004"),
    Case("POST", get(OVERSIKT, method="POST"), 405, "KB-003"),
    Case("OPTIONS", get("*", method="OPTIONS"), 405, "KB-003"),
    Case("an overridden method", get(OVERSIKT, "X-HTTP-Method-Override: GET", method="DELETE"), 405, "KB-003"),
    Case("not JSON", get(OVERSIKT, "Accept: text/html"), 406, "KB-008"),
    Case("no coding", get(OVERSIKT, "Accept-Encoding: br, *;q=0"), 406, "KB-008"),
    Case("a known document", get(OVERSIKT, "If-None-Match: *"), 304),
    Case("another document", get(OVERSIKT, 'If-Match: "x"'), 412, "KB-006"),
    Case("any document", get(OVERSIKT, "If-Match: *"), 200),
    # what is too long
    Case("a long URL", get(f"{OVERSIKT}?{'x' * 2000}"), 414, "KB-006"),
    Case("a long header", get(OVERSIKT, f"X: {'x' * 32_000}"), 431, "KB-006"),
    Case("many headers", get(OVERSIKT, *(f"X-{n}: {'x' * 60}" for n in range(500))), 431, "KB-006"),
    Case("many small headers", get(OVERSIKT, *["a:"] * 1000), 431, "KB-006"),
    Case("a long Accept", get(OVERSIKT, f"Accept: {'a/b,' * 300}*/*"), 431, "KB-006"),
    Case("a long Accept-Encoding", get(OVERSIKT, f"Accept-Encoding: {'a,' * 600}gzip"), 431, "KB-006"),
    # hosts
    Case("no Host", get(OVERSIKT, host=""), 400, "KB-006"),
    Case("two Hosts", get(OVERSIKT, "Host: b.example"), 400, "KB-006"),
    Case("the same Host twice", get(OVERSIKT, "Host: a.example"), 400, "KB-006"),
    Case("an empty Host", get(OVERSIKT, host="Host:"), 400, "KB-006"),
    *(
        Case(f"the Host {host}", get(OVERSIKT, host=f"Host: {host}"), 400, "KB-006")
        for host in ("a b", "a@b", "a/b", "a:b", "[::1", "a%zz", "a\\b", '"a"', "a?b", "\xe6")
    ),
    *(
        Case(f"the Host {host}", get(OVERSIKT, host=f"Host: {host}"), 200)
        for host in ("localhost:8000", "[::1]:8000", "192.0.2.1", "A.EXAMPLE", "a:")
    ),
    # versions
    Case("HTTP/1.0", get(OVERSIKT, version="1.0"), 200),
    Case("HTTP/1.0 without Host", get(OVERSIKT, version="1.0", host=""), 200),
    Case("HTTP/2.0", get(OVERSIKT, version="2.0"), 505, "KB-006"),
    Case("HTTP/3.0", get(OVERSIKT, version="3.0"), 505, "KB-006", BARE),
    Case("HTTP/0.9", get(OVERSIKT, version="0.9"), 400, "KB-006"),
    Case("no version", b"GET /\r\n\r\n", 400, "KB-006"),
    Case("HTTP/2's beginning", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "KB-006", BARE),
    Case("TLS", b"\x16\x03\x01\x02\x00", 400, "KB-006", BARE),
    Case("a response", b"HTTP/1.1 200 OK\r\n\r\n", 400, "KB-006", BARE),
    # header lines that are none
    *(
        Case(f"the line {line!r}", get(OVERSIKT, line), 400, "KB-006", BARE)
        for line in ("X: 1\r\n folded", "X: a\x00b", "X: a\rb", "X Y: 1", ": 1", "rubbish", "Content-Length : 5")
    ),
    # bodies and what may hide behind them
    Case("a body", get(OVERSIKT, "Content-Length: 5") + b"12345", 200),
    Case("a hidden request", get(OVERSIKT, f"Content-Length: {len(HIDDEN)}", end=False) + HIDDEN, 200),
    Case("chunked", get(OVERSIKT, "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400, "KB-006"),
    Case(
        "chunked, and a hidden request",
        get(OVERSIKT, "Transfer-Encoding: chunked", end=False) + b"0\r\n\r\n" + HIDDEN,
        400,
        "KB-006",
    ),
    *(
        Case(f"{lines}", get(OVERSIKT, *lines, end=False) + HIDDEN, 400, "KB-006", BARE)
        for lines in (
            ["Content-Length: 5", "Content-Length: 6"],
            ["Content-Length: 5, 6"],
            ["Content-Length: -1"],
            ["Content-Length: +5"],
            ["Content-Length: 0x5"],
            ["Content-Length: 99999999999999999999999"],
            ["Content-Length: 5", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: chunked, identity"],
            ["Transfer-Encoding: xchunked"],
        )
    ),
    # our own pages
    Case("the interface", get("/openapi.json", token=""), 200),
    Case("its page", get("/docs", token=""), 200),
    Case("live", get("/health/live", token=""), 200),
    Case("ready", get("/health/ready", token=""), 200),
    Case("figures", get("/metrics", token=""), 200),
    Case("nothing", get("/", token=""), 404, "KB-003"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: re.sub(r"[^ -~]", "_", case.name)[:60])
def test_a_request_has_one_answer(server, case):
    """The one that the case says, however much comes with the request."""
    (answer,) = send(server, case.raw)
    status, kode = case.stock if case.stock and server[1] is stock else (case.status, case.kode)
    assert (answer.status, said(answer)) == (status, kode)
    assert b"hidden" not in answer.body
    if kode != PLAIN:
        assert answer.headers["korrelasjonsid"]


def said(answer):
    """The error's code, if it is one; ``PLAIN`` when it is not in the interface's form."""
    if answer.status < 400:
        return None
    if "json" not in answer.headers.get("content-type", ""):
        return PLAIN
    return json.loads(answer.body)["kode"]


def test_both_send_the_same_bytes_and_headers(server, worker):
    """But for the id, and what is left of the limit."""
    snapshot = worker[0].published.snapshot
    (answer,) = send(server, get(OVERSIKT))
    assert answer.body == snapshot.document("oversikt", A)
    assert set(answer.headers) == {
        *("etag", "snapshot-date", "cache-control", "vary", "x-content-type-options", "extracted-at", "content-type"),
        *("ratelimit", "ratelimit-policy", "korrelasjonsid", "content-length", "date", "connection"),
    }


def test_the_address_is_the_connections_whatever_the_caller_says(server, worker):
    """Whom to believe ``log.proxies`` says: here nobody."""
    (answer,) = send(server, get(OVERSIKT, "X-Forwarded-For: 203.0.113.9"))
    worker[0].logs.flush()
    lines = map(json.loads, (worker[1].parent / "audit").read_text().splitlines())
    told = [line["address"] for line in lines if line["korrelasjonsid"] == answer.headers["korrelasjonsid"]]
    assert told == ["127.0.0.1"]


def test_a_connection_goes_on(server):
    raw = (
        get(OVERSIKT, end=False) + get(KRAV, method="GET", end=False) + get("/nowhere", end=False) + get("/health/live")
    )
    assert [answer.status for answer in send(server, raw)] == [200, 200, 404, 200]


def test_in_pieces_of_one_byte(server):
    port = server[0]
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in get("/health/live", token=""):
            connection.sendall(bytes([byte]))
        (answer,) = answers(receive(connection, 2))
    assert answer.status == 200
