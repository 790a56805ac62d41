"""nginx and Envoy in front, as ``deploy/`` says: what they pass on, unchanged, and what they say."""

import json
import re
import socket
from contextlib import closing

import pytest

from serving.tokens import MAX_TOKEN
from tests.api.wire import Answer, answers
from tests.proxies import BROKEN, DATA, DROPPED, KINDS, echo, is_here, over_http2, proxy, read

pytestmark = pytest.mark.slow
NGINX, ENVOY = (
    pytest.param(one, marks=pytest.mark.skipif(not is_here(one), reason="not here: apt-get install nginx-light"))
    for one in KINDS
)


@pytest.fixture(scope="module", params=[NGINX, ENVOY])
def front(request, tmp_path_factory):
    """The proxy before a server that answers what it was asked for."""
    asked = []
    with (
        echo(asked) as behind,
        proxy(request.param, tmp_path_factory.mktemp("proxy"), behind, asked, hasty=True) as front,
    ):
        yield front


@pytest.fixture(autouse=True)
def nothing_asked(front):
    front.asked.clear()


only_nginx = pytest.mark.parametrize("front", [NGINX], indirect=True)
only_envoy = pytest.mark.parametrize("front", [ENVOY], indirect=True)


def lowered(headers):
    return {name.lower(): value for name, value in headers.items()}


# What is passed on


@pytest.mark.parametrize(
    "target",
    [
        *("/v1/finans/1%2F2/krav?a=%20b", "/v1//finans/%31/oversikt", "/openapi.json", "/docs"),
        *("/v1/finans/./1/krav", "/v1/finans/%2e%2E/krav?a=../b", "/v1/finans/x%5c;z=1,+/krav", "/v1/?"),
    ],
)
def test_what_is_asked_for_is_passed_on_as_it_came(front, target):
    answer = front.ask(target)
    assert (answer.status, answer.body.decode()) == (200, target)


@pytest.mark.parametrize(
    "line", [b"GET /docs HTTP/1.0", b"GET http://localhost/docs HTTP/1.1"], ids=["1.0", "absolute"]
)
def test_other_forms_of_a_request_are_read(front, line):
    (answer,) = front.send(line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"/docs")


@pytest.mark.parametrize("target", ["/metrics", "/health/ready", "/", "/docs/more", "/error", "//v1/a"])
def test_what_is_for_the_inside_is_not_passed_on(front, target):
    assert front.ask(target).status == 404
    assert front.targets == []


@pytest.mark.parametrize("target", ["/v1/../metrics", "/v1/%2e%2e/metrics", "/v1/..%2Fmetrics", "/v1/%", "/v1/%zz"])
def test_what_can_be_read_in_two_ways_is_refused_or_passed_on_as_it_came(front, target):
    """The API takes a piece of dots, and a percent sign of nothing, for what they are: no part, and KB-006."""
    answer = front.ask(target)
    if answer.status == 200:
        assert front.targets == [target]
    else:
        assert error(answer)[0] in (400, 404)
        assert front.targets == []


def test_what_is_said_of_the_caller_is_the_proxys(front):
    said = ("X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: 192.0.2.1", "Korrelasjonsid: mine-1")
    front.ask("/docs", *said, address="127.0.0.3")
    ((_, headers),) = front.asked
    assert headers["x-forwarded-for"] == "127.0.0.3"
    assert not any("_" in name for name in headers)
    assert (headers["host"], headers["korrelasjonsid"]) == ("localhost", "mine-1")


def test_as_long_a_token_as_the_api_reads_is_passed_on(front):
    token = f"Bearer {'x' * MAX_TOKEN}"
    assert front.ask("/docs", f"Authorization: {token}").status == 200
    assert front.asked[0][1]["authorization"] == token


HIDDEN = b"GET /v1/hidden HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "before"),
    [
        (b"Content-Length: %d\r\n" % len(HIDDEN), b""),
        (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (5 + len(HIDDEN)), b"0\r\n\r\n"),
        (b"Content-Length: 4\r\nContent-Length: %d\r\n" % len(HIDDEN), b""),
        (b"Content-Length: 0, %d\r\n" % len(HIDDEN), b""),
        (b"Content-Length: +%d\r\n" % len(HIDDEN), b""),
        (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: \x0bchunked\r\nContent-Length: %d\r\n" % (5 + len(HIDDEN)), b"0\r\n\r\n"),
        (b"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n" % (5 + len(HIDDEN)), b"0\r\n\r\n"),
        (b"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % (5 + len(HIDDEN)), b"0\r\n\r\n"),
        (b"X: a\nContent-Length: %d\r\n" % len(HIDDEN), b""),
        (b"X: a\rContent-Length: %d\r\n" % len(HIDDEN), b""),
    ],
    ids=lambda one: one.decode().strip() or "-",
)
def test_nothing_is_smuggled(front, lines, before):
    """What lies in a body, or in what two could take for one, is never asked for behind."""
    raw = b"GET /v1/seen HTTP/1.1\r\nHost: localhost\r\n" + lines + b"Connection: close\r\n\r\n"
    assert len(front.send(raw + before + HIDDEN)) == 1
    assert front.targets in ([], ["/v1/seen"])


# What the proxy says by itself is said as the interface says it (CONTRACT section 6).


def error(answer: Answer) -> tuple[int, str, str]:
    """Status, code and id of an error, the id as its header has it too."""
    said, headers = json.loads(answer.body), answer.headers
    assert headers["korrelasjonsid"] == said["korrelasjonsid"]
    assert (headers["content-type"], headers["x-content-type-options"]) == ("application/json", "nosniff")
    assert headers["cache-control"] == "no-store"
    assert said.keys() == {"kode", "melding", "korrelasjonsid"}
    return answer.status, said["kode"], said["korrelasjonsid"]


@pytest.mark.parametrize(
    ("raw", "status", "kode"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n", 404, "KB-003"),
        (b"GET /docs HTTP/1.1\r\n", 400, "KB-006"),
        (b"GET /docs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n", 400, "KB-006"),
        (b"GET /docs HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n", 400, "KB-006"),
        (b"this is no HTTP\r\n", 400, "KB-006"),
        (b"GET /docs HTTP/1.1\r\nHost: a\r\nX: %s\r\n" % (b"x" * 40_000), 431, "KB-006"),
    ],
    ids=lambda one: one[:60].decode().strip() if isinstance(one, bytes) else "",
)
def test_what_is_refused(front, raw, status, kode):
    (answer,) = front.send(raw + b"Connection: close\r\n\r\n")
    assert error(answer)[:2] == (status, kode)
    assert front.targets == []


@only_nginx
@pytest.mark.parametrize(
    ("raw", "status", "kode"),
    [
        (b"GET /%s HTTP/1.1\r\nHost: a\r\n" % (b"x" * 40_000), 414, "KB-006"),
        (b"GET /docs HTTP/9.1\r\nHost: a\r\n", 505, "KB-006"),
        (b"POST /docs HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n", 405, "KB-003"),
        (b"TRACE /docs HTTP/1.1\r\nHost: a\r\n", 405, "KB-003"),
        (b"GET /docs HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n", 413, "KB-006"),
    ],
    ids=lambda one: one[:20].decode() if isinstance(one, bytes) else "",
)
def test_what_nginx_alone_refuses(front, raw, status, kode):
    """Envoy leaves it to the API, or says 431 to what is too long."""
    (answer,) = front.send(raw + b"Connection: close\r\n\r\n" + b"x" * 10)
    assert error(answer)[:2] == (status, kode)
    assert answer.headers.get("allow") == ("GET, HEAD" if status == 405 else None)


def test_without_tls_nothing_is_passed_on(front):
    with socket.create_connection(("127.0.0.1", front.port)) as plain:
        plain.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = read(plain)
    assert said == b"" or error(answers(said)[0])[:2] == (400, "KB-006")
    assert front.targets == []


def test_the_callers_id(front):
    assert error(front.ask("/metrics", "Korrelasjonsid: mine-1"))[2] == "mine-1"
    assert error(front.ask("/metrics", f"Korrelasjonsid: {'x' * 64}"))[2] == "x" * 64


@pytest.mark.parametrize("name", ['a","b":"c', "a b", "x" * 65, ""])
def test_an_id_that_could_break_out_is_a_new_one(front, name):
    _, _, given = error(front.ask("/", f"Korrelasjonsid: {name}"))
    assert re.fullmatch("[0-9a-f-]{32,36}", given)


# When the server behind, or the client, doesn't do its part


def test_no_answer_from_behind(front):
    answer = front.ask(BROKEN)
    assert error(answer)[:2] == (503, "KB-002")
    assert answer.headers["retry-after"] == "60"
    assert front.targets == [BROKEN] * 2


def test_what_a_connection_took_with_it_is_asked_again(front):
    """As when a worker dies, or has closed what was idle while the request was on its way."""
    for _ in range(4):
        answer = front.ask(DROPPED)
        assert (answer.status, answer.body.decode()) == (200, DROPPED)
    assert len(front.targets) > 4


def test_a_client_that_is_slow_is_given_up_on(front):
    """With its headers, or with a body that nobody wants."""
    head = b"GET /docs HTTP/1.1\r\nHost: a\r\n"
    with front.connect() as headers, front.connect() as body:
        headers.sendall(head + b"X: ")
        body.sendall(head + b"Content-Length: 10\r\n\r\nx")
        said = [read(headers), read(body)]
    statuses = [error(answers(one)[0])[0] if one else None for one in said]
    assert statuses == ([None, 413] if front.kind == "nginx" else [408, 408])


@only_nginx
def test_the_ui_wants_a_password(front):
    def ask(*lines):
        with socket.create_connection(("127.0.0.1", front.ui)) as client:
            head = ["GET /runs HTTP/1.0", "Content-Length: 2", *lines, "", "{}"]  # it is asked with bodies
            client.sendall("\r\n".join(head).encode())
            return answers(read(client))[0].status

    assert ask() == 401
    assert ask("Authorization: Basic bmlnaHQ6d29yZA==") == 200


# HTTP/2

GET = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost")]


@only_envoy
def test_http2_is_spoken(front):
    came = over_http2(front, [*GET, (":path", "/v1//finans/1%2f2/krav?a=%20")])
    assert came[DATA] == b"/v1//finans/1%2f2/krav?a=%20"
    assert json.loads(over_http2(front, [*GET, (":path", "/metrics")])[DATA])["kode"] == "KB-003"


@only_envoy
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(":path", "/v1/seen"), ("transfer-encoding", "chunked")], b"0\r\n\r\n" + HIDDEN),
        ([(":path", "/v1/seen"), ("content-length", "0")], HIDDEN),
        ([(":path", "/v1/seen"), ("x", "a\r\n\r\n" + HIDDEN.decode())], b""),
        ([(":path", "/v1/seen HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN.decode())], b""),
        ([(":path", "/v1/seen"), ("x: a\r\n\r\n" + HIDDEN.decode(), "a")], b""),
    ],
    ids=["transfer-encoding", "content-length", "value", "path", "name"],
)
def test_nothing_is_smuggled_over_http2(front, headers, body):
    assert DATA not in over_http2(front, [*GET, *headers], body)
    assert front.targets in ([], ["/v1/seen"])


def test_too_many_requests_of_one_address(front):
    """No other is kept out, by what is refused either: it would be too much for all of them together."""
    with closing(front.client("127.0.0.2")) as client:
        for _ in range(500):
            client.request("GET", "/v1/many")
            response = client.getresponse()
            answer = Answer(response.status, lowered(response.headers), response.read())
            if len(front.asked) < 200:
                assert answer.status == 200
    assert error(answer)[:2] == (429, "KB-010")
    assert answer.headers["retry-after"] == "1"
    assert front.ask("/v1/few").status == 200


@only_envoy
def test_too_many_requests_of_all_addresses(front):
    for number in range(3, 7):
        with closing(front.client(f"127.0.0.{number}")) as client:
            for _ in range(100):
                client.request("GET", "/v1/many")
                response = client.getresponse()
                response.read()
    assert response.status == 429


def test_nothing_of_all_this_is_logged(front):
    """A part's number stands in what is asked for. The last test."""
    said = front.log.read_text()
    assert not re.search("/v1|/docs|/metrics|finans|mine-1|localhost", said), said
