"""What one connection makes of the bytes that come, without a network: the transport is a list of what was written."""

import json
from concurrent.futures import Future
from functools import partial
from types import SimpleNamespace

import pytest

from serving import http as http_module
from serving.app import Apart, Heavy
from serving.decisions import Question, Undecided
from serving.documents import Response, header_lines
from serving.http import MOST_DUE, Connection, Connections
from serving.logs import Logs
from serving.metrics import Metrics
from serving.routes import MAX_HEADERS, MAX_HOST, MAX_LIST, MAX_TAGS, MAX_URL
from serving.switch import Published
from tests.api.handler import KEY, App, Open
from tests.api.wire import answers, request

LIVE = "/health/live"


class Transport:
    """Takes what is written. ``slow``: as a client that reads nothing."""

    def __init__(self):
        self.written, self.closed, self.ended, self.reading, self.slow = b"", False, False, True, False

    def write(self, data):
        assert not self.ended
        self.written += data
        if self.slow:
            self.connection.pause_writing()

    def get_extra_info(self, name):
        assert name == "peername"
        return ("192.0.2.7", 40_000)

    def write_eof(self):
        self.ended = True

    def close(self):
        self.closed = True

    abort = close

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True


class Loop:
    """Does later what it is told to, when asked."""

    def __init__(self):
        self.soon, self.later = [], []

    def call_soon(self, work):
        self.soon.append(work)

    def call_soon_threadsafe(self, work, *given):
        self.soon.append(partial(work, *given))

    def call_later(self, seconds, work):
        self.later.append(work)

    def run(self):
        while self.soon:
            self.soon.pop(0)()


@pytest.fixture
def loop(monkeypatch):
    loop = Loop()
    monkeypatch.setattr(http_module, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    return loop


@pytest.fixture
def connections(tmp_path):
    app = App(Published(tmp_path), Open(), Logs("", "", KEY), Metrics(), {})
    return Connections(app, most=2, header_seconds=10)


@pytest.fixture
def connection(connections, loop):
    return connect(connections)


def connect(connections):
    made = Connection(connections)
    transport = Transport()
    transport.connection = made
    made.connection_made(transport)
    return made


def told(connection):
    return [answer.status for answer in answers(connection.transport.written)]


def refused(connection, status, kode="KB-006"):
    """It was answered in the interface's own form, and nothing more is read."""
    (answer,) = answers(connection.transport.written)
    said = json.loads(answer.body)
    assert (answer.status, said["kode"]) == (status, kode)
    assert said["korrelasjonsid"] == answer.headers["korrelasjonsid"]
    assert answer.headers["connection"] == "close"
    assert connection.transport.ended
    connection.data_received(request(LIVE))
    assert len(told(connection)) == 1
    return answer


def test_request_after_request(connection):
    for number in range(1, 4):
        connection.data_received(request(LIVE, close=False))
        assert told(connection) == [200] * number
    assert not connection.transport.ended


def test_in_pieces_of_one_byte(connection):
    for byte in request(LIVE, "X-One: 1", close=False):
        connection.data_received(bytes([byte]))
    assert told(connection) == [200]


def test_every_answer_has_its_date_and_length(connection):
    connection.data_received(request(LIVE, close=False))
    (answer,) = answers(connection.transport.written)
    assert answer.headers["date"].endswith(" GMT")
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize(
    "raw",
    [
        request(LIVE),
        b"GET /health/live HTTP/1.0\r\n\r\n",
        b"GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ],
)
def test_the_last_answer_says_so(connection, loop, raw):
    connection.data_received(raw)
    (answer,) = answers(connection.transport.written)
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert (connection.transport.ended, connection.transport.closed) == (True, False)
    loop.later.pop()()
    assert connection.transport.closed


# Faults that the parser tells of, or that lie beyond what is read


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
        b"GET / HTTX/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa6 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    ],
)
def test_what_is_no_request_of_http(connection, raw):
    connection.data_received(raw)
    refused(connection, 400)


@pytest.mark.parametrize("version", ["1.2", "2.0", "3.0"])
def test_another_version_of_http(connection, version):
    connection.data_received(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
    refused(connection, 505)


def test_what_http_2_begins_with(connection):
    connection.data_received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    refused(connection, 505)


def test_a_refusal_carries_the_korrelasjonsid_that_came_before_the_fault(connection):
    connection.data_received(b"GET / HTTP/1.1\r\nKorrelasjonsid: mine-1\r\nX: 1\r\nrubbish\r\n\r\n")
    assert refused(connection, 400).headers["korrelasjonsid"] == "mine-1"


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "CONNECT", "GETS", "get"])
def test_another_method(connection, method):
    target = "a:1" if method == "CONNECT" else "*" if method == "OPTIONS" else "/"
    connection.data_received(request(target, method=method))
    assert refused(connection, 405, "KB-003").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("pieces", [(b"FOO / HTTP/1.1\r\n",), (b"FO", b"O / HTTP/1.1\r\n"), (b"G", b"OOP /")])
def test_an_unknown_method_wherever_it_is_split(connection, pieces):
    for piece in pieces:
        connection.data_received(piece)
    refused(connection, 405, "KB-003")


def test_a_url_that_is_too_long(connection):
    connection.data_received(request("/" + "x" * (MAX_URL - 1), close=False))
    assert told(connection) == [404]
    connection.data_received(request("/" + "x" * MAX_URL, close=False))
    assert told(connection) == [404, 414]


@pytest.mark.parametrize("lines", [[f"X: {'x' * MAX_HEADERS}"], ["X:"] * (MAX_HEADERS // 33)], ids=["long", "many"])
def test_headers_that_are_too_long(connection, lines):
    connection.data_received(request(LIVE, f"X: {'x' * (MAX_HEADERS - 100)}", close=False))
    assert told(connection) == [200]
    connection.data_received(request(LIVE, *lines, close=False))
    assert told(connection) == [200, 431]


@pytest.mark.parametrize(
    ("path", "line", "status"), [("/" + "x" * MAX_URL, "X: 1", 414), (LIVE, f"X: {'x' * MAX_HEADERS}", 431)]
)
def test_a_request_that_is_not_read_whole_is_the_last(connection, path, line, status):
    """Its body could stand behind what is read of its headers: it must not be taken for the next request."""
    hidden = request("/hidden", close=False)
    connection.data_received(request(path, line, f"Content-Length: {len(hidden)}", close=False))
    connection.data_received(hidden)
    refused(connection, status)


@pytest.mark.parametrize(
    ("start", "status"), [(b"GET /", 414), (b"GET / HTTP/1.1\r\nX: ", 431), (b"GET / HTTP/1.1\r\n", 431)]
)
def test_a_head_without_end(connection, start, status):
    piece = b"X: 1\r\n" * 500 if start.endswith(b"\n") else b"x" * 3000
    connection.data_received(start)
    for _ in range(30):
        connection.data_received(piece)
    refused(connection, status)


@pytest.mark.parametrize("hosts", [[], ["Host: a", "Host: b"], ["Host: a", "Host: a"]])
def test_a_request_has_one_host(connection, hosts):
    raw = "\r\n".join([f"GET {LIVE} HTTP/1.1", *hosts, "Connection: close", "", ""])
    connection.data_received(raw.encode())
    refused(connection, 400)


@pytest.mark.parametrize(
    "host", ["", "a b", "a@b", "a/b", "a:b", "a:123456", "[::1", "a, b", "http://a", "\xe6", "a%zz"]
)
def test_a_host_that_is_none(connection, host):
    connection.data_received(f"GET {LIVE} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
    refused(connection, 400)


@pytest.mark.parametrize("host", ["a.example", "a:80", "a:", "192.0.2.1:8000", "[2001:db8::1]:8000", "a%20b", "a_b"])
def test_a_host(connection, host):
    connection.data_received(f"GET {LIVE} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert told(connection) == [200]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *(("Accept", MAX_LIST), ("Accept-Encoding", MAX_LIST), ("X-Forwarded-For", MAX_LIST)),
        *(("If-None-Match", MAX_TAGS), ("If-Match", MAX_TAGS)),
    ],
)
def test_a_list_that_is_too_long(connection, name, most):
    """Looking at it would cost more than any answer, or remembering it much memory, and needs no token."""
    connection.data_received(request(LIVE, f"{name}: {'a,' * (most // 2)}", close=False))
    assert told(connection) == [200]
    connection.data_received(request(LIVE, f"{name}: {'a,' * (most // 2)}a", close=False))
    assert told(connection) == [200, 431]


def test_a_host_that_is_too_long(connection):
    """Longer than any name: looking whether it is one would cost more than any answer."""
    for end in ("", "a", "/"):
        host = "a" * MAX_HOST + end
        connection.data_received(f"GET {LIVE} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert told(connection) == [200, 431]  # which is the last


def test_the_host_may_stand_in_the_url(connection):
    connection.data_received(request(f"http://elsewhere.example{LIVE}", close=False))
    connection.data_received(request("http://elsewhere.example", close=False))
    assert told(connection) == [200, 404]


# One after another, and no more than the client takes


def test_a_request_with_a_body_is_the_last(connection):
    connection.data_received(request(LIVE, "Content-Length: 5", close=False) + b"12345" + request(LIVE, close=False))
    assert told(connection) == [200]
    assert connection.transport.ended


def test_another_protocol_is_not_taken_up(connection):
    connection.data_received(request(LIVE, "Connection: upgrade", "Upgrade: h2c", close=False) + request("/hidden"))
    assert told(connection) == [200]


def test_requests_that_come_at_once_take_turns_with_other_connections(connection, loop):
    connection.data_received(request(LIVE, close=False) * 2 + request("/nowhere", close=False) + request(LIVE))
    assert told(connection) == [200]
    assert not connection.transport.reading
    loop.run()
    assert told(connection) == [200, 200, 404, 200]
    assert connection.transport.reading


def test_a_client_that_reads_nothing_is_answered_no_more(connection, loop):
    connection.transport.slow = True
    connection.data_received(request(LIVE, close=False) * 3)
    loop.run()
    assert told(connection) == [200]
    connection.transport.slow = False
    connection.resume_writing()
    loop.run()
    assert told(connection) == [200] * 3


def test_so_many_requests_wait_for_their_answers_and_no_more(connection, loop):
    connection.data_received(request(LIVE, close=False) * 2 * MOST_DUE)
    loop.run()
    assert told(connection) == [200] * (MOST_DUE + 1)
    assert connection.transport.ended


def test_a_client_that_sends_no_more_is_told_what_is_due(connection, loop):
    connection.data_received(request(LIVE, close=False) * 3)
    assert connection.eof_received()
    loop.run()
    assert told(connection) == [200] * 3
    assert connection.transport.ended


def test_nothing_is_done_for_a_client_that_is_gone(connection, loop):
    connection.data_received(request(LIVE, close=False) * 3)
    connection.connection_lost(None)
    loop.run()
    assert told(connection) == [200]


# How many, how long


def test_the_silent_are_closed(connections, loop, monkeypatch):
    new, half = connect(connections), connect(connections)
    half.data_received(b"GET / HTTP/1.1\r\n")
    now = http_module.time.monotonic()
    monkeypatch.setattr(http_module, "time", SimpleNamespace(monotonic=lambda: now + 9))
    half.data_received(b"X: 1\r\n")  # a line now and then buys no time
    connections.look()
    assert (new.transport.closed, half.transport.closed) == (False, False)
    monkeypatch.setattr(http_module, "time", SimpleNamespace(monotonic=lambda: now + 11))
    connections.look()
    assert (new.transport.closed, half.transport.closed) == (True, True)


def test_a_slow_reader_is_not_taken_for_silent(connections, connection, monkeypatch):
    connection.transport.slow = True
    connection.data_received(request(LIVE, close=False))
    monkeypatch.setattr(http_module, "time", SimpleNamespace(monotonic=lambda: float("inf")))
    connections.look()
    assert not connection.transport.closed


def test_there_are_no_more_than_there_may_be(connections, loop):
    first, second, third = (connect(connections) for _ in range(3))
    assert [one.transport.closed for one in (first, second, third)] == [False, False, True]
    first.connection_lost(None)
    assert not connect(connections).transport.closed


def test_at_the_end_each_request_that_has_begun_is_answered(connections, loop):
    idle, half = connect(connections), connect(connections)
    raw = request(LIVE, close=False)
    half.data_received(raw[:20])
    connections.end()
    connections.look()
    for one, rest in ((idle, raw), (half, raw[20:])):
        assert not one.transport.closed
        one.data_received(rest)
        (answer,) = answers(one.transport.written)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert one.transport.ended


def test_at_the_end_those_that_ask_for_nothing_are_closed_soon(connections, loop, monkeypatch):
    idle, half = connect(connections), connect(connections)
    half.data_received(b"GET / HTTP/1.1\r\n")
    connections.end()
    now = http_module.time.monotonic()
    monkeypatch.setattr(http_module, "time", SimpleNamespace(monotonic=lambda: now + 1.1))
    connections.look()
    assert (idle.transport.closed, half.transport.closed) == (True, False)


# Requests that wait for a decision of others


class Asking:
    """Answers ``/ask`` once a decision is there, any other path at once, and notes where requests come from."""

    def __init__(self):
        self.decisions, self.peers = [], []

    def begin(self, request, waited=None):
        self.peers.append((request.peer, request.version))
        if request.path == "/ask" and waited is None:
            self.decisions.append(Future())
            raise Undecided(Question("user", "resource", "read", "part"), self.decisions[-1])
        status = 200 if waited is None or waited.decision.result() else 403
        return Response(status, header_lines(("content-length", "0"), ("korrelasjonsid", request.path)), b"")


@pytest.fixture
def asking(loop):
    app = Asking()
    connections = Connections(app, most=2, header_seconds=10)
    return app, connections, connect(connections), connect(connections)


def order(connection):
    return [(answer.headers["korrelasjonsid"], answer.status) for answer in answers(connection.transport.written)]


@pytest.mark.parametrize(("permitted", "status"), [(True, 200), (False, 403)])
def test_while_one_waits_for_a_decision_others_are_answered(asking, loop, permitted, status):
    """And those that came behind it on its own connection afterwards, in their order."""
    app, _, one, other = asking
    one.data_received(request("/ask", close=False) + request("/next", close=False))
    other.data_received(request("/other", close=False))
    loop.run()
    assert (order(one), order(other), one.transport.reading) == ([], [("/other", 200)], False)
    app.decisions[0].set_result(permitted)
    loop.run()
    assert order(one) == [("/ask", status), ("/next", 200)]
    assert one.transport.reading
    assert set(app.peers) == {("192.0.2.7", "1.1")}


def test_one_that_waits_for_a_decision_is_not_taken_for_silent(asking, loop):
    app, connections, one, _ = asking
    one.data_received(request("/ask", close=False))
    one.silent_since -= 100
    connections.look()
    assert not one.transport.closed
    app.decisions[0].set_result(True)
    loop.run()
    one.silent_since -= 100
    connections.look()
    assert one.transport.closed


def test_a_client_that_sends_no_more_is_told_when_it_is_decided(asking, loop):
    app, _, one, _ = asking
    one.data_received(request("/ask", close=False))
    assert one.eof_received()  # it stays open
    app.decisions[0].set_result(True)
    loop.run()
    assert (order(one), one.transport.ended) == ([("/ask", 200)], True)


def test_nothing_is_done_for_a_client_that_went_before_it_was_decided(asking, loop):
    app, _, one, _ = asking
    one.data_received(request("/ask", close=False))
    one.transport.close()
    one.connection_lost(None)
    app.decisions[0].set_result(True)
    loop.run()
    assert len(app.peers) == 1
    assert one.transport.written == b""


# Answers that are made apart


@pytest.fixture
def apart(connections, monkeypatch):
    """Answers that are made when the test says so. Returns what is to be made."""
    made, begin = [], connections.app.begin
    monkeypatch.setattr(connections, "make", lambda heavy, then: made.append((heavy, then)))

    def heavy_when_asked(asked, waited=None):
        if asked.path != "/heavy":
            return begin(asked)
        return Heavy(
            Apart(lambda: None, lambda _: Response(200, header_lines(("content-length", "0")), b"")), lambda one: one
        )

    monkeypatch.setattr(connections.app, "begin", heavy_when_asked)
    return made


def finish(apart):
    heavy, then = apart.pop()
    heavy.work()
    then()


def test_those_that_come_after_a_heavy_one_wait_for_it(connections, loop, apart):
    """And others' do not."""
    first, other = connect(connections), connect(connections)
    first.data_received(request("/heavy", close=False) + request("/nowhere", close=False))
    other.data_received(request(LIVE, close=False))
    loop.run()
    assert (told(first), told(other), first.waits()) == ([], [200], False)
    finish(apart)
    loop.run()
    assert (told(first), first.waits()) == ([200, 404], True)


def test_a_heavy_answer_may_be_the_last(connection, loop, apart):
    connection.data_received(request("/heavy"))
    assert connection.eof_received()
    finish(apart)
    assert told(connection) == [200]
    assert connection.transport.ended


def test_a_heavy_answer_for_one_who_is_gone(connection, loop, apart):
    connection.data_received(request("/heavy", close=False))
    connection.connection_lost(None)
    finish(apart)
    assert told(connection) == []
