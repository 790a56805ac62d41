"""The server behind nginx and behind Envoy: the same answers as without, none lost over a reload."""

import json
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, closing

import pytest

from serving.throwaway import access_token, make_keys
from tests.api.running import ROOT, A, children, free_port, publish, wait_until, wait_until_ready
from tests.api.wire import request, send
from tests.proxies import KINDS, is_here, proxy

pytestmark = pytest.mark.slow
OVERSIKT = f"/v1/finans/{A}/oversikt"


class Server:
    """The server as a command, on the same port each time that it is started."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.home = publish(folder)
        make_keys(folder)
        self.token = access_token(folder, part=A)
        (folder / "serving.toml").write_text('[log]\naudit = "audit.jsonl"\nproxies = ["127.0.0.1"]\n')

    def start(self):
        words = ["--home", self.home, "--port", self.port, "--config", self.folder / "serving.toml"]
        words += ["--test-keys", self.folder, "--workers", 2]
        command = [sys.executable, "-c", "from cli.main import main; main()", "serve", *map(str, words)]
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        wait_until_ready(self.process, self.port, self.folder / "server.log")

    def end(self):
        self.process.terminate()
        assert self.process.wait(40) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("behind"))
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def fronts(server, tmp_path_factory):
    """Each proxy that can be run, before the server."""
    with ExitStack() as stack:
        here = [kind for kind in KINDS if is_here(kind)]
        yield [stack.enter_context(proxy(kind, tmp_path_factory.mktemp(kind), server.port)) for kind in here]


OF_NOW = ("date", "connection", "server", "ratelimit", "content-length")


def test_an_answer_is_the_same_with_and_without(server, fronts):
    token = f"Authorization: Bearer {server.token}"
    (first,) = send(server.port, request(OVERSIKT, token))
    for target, method, *lines in [
        (OVERSIKT, "GET", token),
        (OVERSIKT, "HEAD", token),
        (OVERSIKT, "GET", token, "Accept-Encoding: zstd"),
        (OVERSIKT, "GET", token, f"If-None-Match: {first.headers['etag']}"),
        (OVERSIKT, "GET", token, "Accept: text/html"),
        (OVERSIKT, "GET", token.replace("e", "f")),
        (OVERSIKT, "POST", token),
        (f"/v1/finans/{A}%2Foversikt", "GET", token),
        ("/v1/finans/1%2F2/oversikt", "GET", token),
        (f"/v1//finans/{A}/oversikt", "GET", token),
        (f"/v1/finans/{A}/krav?fraOgMed=%202026-01-01", "GET", token),
        (f"/v1/finans/{'1' * 3_000}/oversikt", "GET", token),
        ("/openapi.json", "GET"),
    ]:
        raw = request(target, *lines, "Korrelasjonsid: mine-1", method=method)
        (plain,) = send(server.port, raw)
        for front in fronts:
            (through,) = front.send(raw)
            assert (through.status, said(through.body)) == (plain.status, said(plain.body)), (front.kind, target)
            for name in plain.headers.keys() - OF_NOW:
                assert through.headers[name] == plain.headers[name], (front.kind, target, name)


def said(body):
    """Bytes, or the code and id of an error, whose sentence can be the proxy's."""
    if not body.startswith(b'{"kode"'):
        return body
    return {name: value for name, value in json.loads(body).items() if name != "melding"}


def test_the_audit_log_has_the_callers_address(server, fronts):
    for number, front in enumerate(fronts):
        address = f"127.0.0.{50 + number}"
        front.ask(OVERSIKT, f"Authorization: Bearer {server.token}", "X-Forwarded-For: 192.0.2.1", address=address)
        wait_until(lambda expected=address: last_audited(server)["address"] == expected)


def last_audited(server):
    return json.loads((server.folder / "audit.jsonl").read_text().splitlines()[-1])


def test_no_request_is_lost_over_a_reload_or_a_restart(server, fronts):
    """A reload is not seen; while nobody listens it is KB-002, and then all is as before, on the same connection."""
    over, seen = threading.Event(), [[] for _ in fronts]

    def ask(client):
        client.request("GET", OVERSIKT, headers={"Authorization": f"Bearer {server.token}"})
        answer = client.getresponse()
        body = answer.read()
        return answer.status if answer.status == 200 else (answer.status, json.loads(body)["kode"])

    def keep_asking(front, statuses):
        with closing(front.client()) as client:
            while not over.wait(0.02):
                try:
                    statuses.append(ask(client))
                except Exception as lost:
                    statuses.append(lost)
                    return

    asking = [
        threading.Thread(target=keep_asking, args=one) for one in zip(fronts, seen, strict=True) for _ in range(2)
    ]
    for one in asking:
        one.start()
    try:
        before = set(children(server.process.pid))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(children(server.process.pid)))
        assert [set(one) for one in seen] == [{200}] * len(fronts)
        server.end()
        wait_until(lambda: all(one[-1] != 200 for one in seen))
        server.start()
        wait_until(lambda: all(one[-4:] == [200] * 4 for one in seen))
    finally:
        over.set()
        for one in asking:
            one.join()
    assert [set(one) for one in seen] == [{200, (503, "KB-002")}] * len(fronts)
