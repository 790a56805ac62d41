"""nginx in front, as ``deploy/nginx.conf`` says: what it passes on, and that it changes nothing of it."""

import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from serving.tokens import MAX_TOKEN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx here: apt-get install nginx-light"),
]
ASKED: list[str] = []
"""What has come through to the server behind, in its order."""
BROKEN = "/v1/broken"
"""What the server behind gives no answer to."""
CONF = Path(__file__).resolve().parent.parent / "deploy" / "nginx.conf"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """nginx before a server that tells what it was asked for. Gives the API's port, the UI's, and what nginx logs."""

    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            ASKED.append(self.path)
            if self.path == BROKEN:
                self.close_connection = True
                return
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.path)))
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_):
            pass

    folder = tmp_path_factory.mktemp("nginx")
    (folder / "settings").mkdir()
    key, certificate = folder / "settings" / "tls.key", folder / "settings" / "tls.crt"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    made += ["-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    (folder / "settings" / "htpasswd").write_text("night:{PLAIN}word\n")
    behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    serving = threading.Thread(target=behind.serve_forever, args=(0.02,))
    serving.start()
    api, ui = free_port(), free_port()
    text = CONF.read_text("utf-8")
    for old, new in {
        "server api:8000": f"server 127.0.0.1:{behind.server_port}",
        "server web:3000": f"server 127.0.0.1:{behind.server_port}",
        "listen 443 ssl": f"listen 127.0.0.1:{api} ssl",
        "listen 3000": f"listen 127.0.0.1:{ui}",
        "pid /tmp/nginx.pid": f"pid {folder}/nginx.pid",
        "rate=100r/s": "rate=1r/s",
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    as_us = "user root;\n" if os.getuid() == 0 else ""  # its workers read the passwords, in a folder that is ours
    (folder / "nginx.conf").write_text(f"daemon off;\n{as_us}{text}")
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
    with (folder / "stderr").open("w") as log, subprocess.Popen(command, stderr=log) as nginx:
        try:
            wait_for(api)
            yield api, ui, folder / "stderr"
        finally:
            nginx.terminate()
            nginx.wait()
            behind.shutdown()
            serving.join()
            behind.server_close()


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx does not listen")


def ask(port: int, target: str, tls: bool = True, extra: str = "") -> str:
    """The answer to a request whose target goes out as it is."""
    raw = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{extra}\r\n"
    return send(port, raw.encode(), tls)


def send(port: int, raw: bytes, tls: bool = True) -> str:
    """All that is answered."""
    with socket.create_connection(("127.0.0.1", port)) as plain:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) if tls else plain as client:
            client.sendall(raw)
            with client.makefile("rb") as answer:
                return answer.read().decode()


def status(answer: str) -> int:
    return int(re.match(r"HTTP/1.1 (\d+)", answer)[1])


@pytest.mark.parametrize(
    "target", ["/v1/finans/1%2F2/krav?a=%20b", "/v1//finans/%31/oversikt", "/openapi.json", "/docs"]
)
def test_what_is_asked_for_is_passed_on_as_it_came(front, target):
    answer = ask(front[0], target)
    assert status(answer) == 200
    assert answer.endswith(f"\r\n\r\n{target}")


@pytest.mark.parametrize("target", ["/metrics", "/health/ready", "/", "/docs/more", "/v1/../metrics"])
def test_what_is_for_the_inside_is_not_passed_on(front, target):
    assert status(ask(front[0], target)) == 404


# What nginx says by itself is said as the interface says it (CONTRACT section 6).


def error(answer: str) -> tuple[int, str, str]:
    """Status, code and id of an error, the id as its header has it too."""
    head, _, body = answer.partition("\r\n\r\n")
    headers, said = dict(line.split(": ", 1) for line in head.split("\r\n")[1:]), json.loads(body)
    assert headers["Korrelasjonsid"] == said["korrelasjonsid"]
    assert headers["Content-Type"] == "application/json"
    return status(answer), said["kode"], said["korrelasjonsid"]


def test_an_unknown_url(front):
    assert error(ask(front[0], "/metrics", extra="Korrelasjonsid: mine-1\r\n")) == (404, "KB-003", "mine-1")


@pytest.mark.parametrize("name", ['a","b":"c', "a b", "x" * 65, ""])
def test_an_id_that_could_break_out_is_a_new_one(front, name):
    _, _, given = error(ask(front[0], "/", extra=f"Korrelasjonsid: {name}\r\n"))
    assert re.fullmatch("[0-9a-f]{32}", given)


def test_no_answer_from_behind(front):
    answer = ask(front[0], BROKEN)
    assert error(answer)[:2] == (503, "KB-002")
    assert "\r\nRetry-After: 60\r\n" in answer
    assert BROKEN not in front[2].read_text()  # a part's number stands in what is asked for


def test_as_long_a_token_as_the_api_reads_is_passed_on(front):
    assert status(ask(front[0], "/docs", extra=f"Authorization: Bearer {'x' * MAX_TOKEN}\r\n")) == 200


HIDDEN = b"GET /v1/hidden HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "before"),
    [
        (b"Content-Length: %d\r\n" % len(HIDDEN), b""),
        (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (5 + len(HIDDEN)), b"0\r\n\r\n"),
        (b"Content-Length: 4\r\nContent-Length: %d\r\n" % len(HIDDEN), b""),
        (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
        (b"Content-Length: +%d\r\n" % len(HIDDEN), b""),
    ],
    ids=lambda one: one.decode().strip() or "-",
)
def test_nothing_is_smuggled(front, lines, before):
    """What lies in a body, or in what two could take for one, is never asked for behind."""
    ASKED.clear()
    raw = b"GET /v1/seen HTTP/1.1\r\nHost: localhost\r\n" + lines + b"Connection: close\r\n\r\n"
    answer = send(front[0], raw + before + HIDDEN)
    assert answer.count("HTTP/1.1 ") == 1
    assert ASKED in ([], ["/v1/seen"])


def test_the_ui_wants_a_password(front):
    assert status(ask(front[1], "/", tls=False)) == 401
    assert status(ask(front[1], "/runs", tls=False, extra="Authorization: Basic bmlnaHQ6d29yZA==\r\n")) == 200


def test_too_many_requests_of_one_address(front):
    """The last test: nothing of what comes after it would be passed on."""
    raw = b"GET /v1/many HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answers = send(front[0], raw * 250 + raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    limited = answers.rpartition("HTTP/1.1 429")
    assert limited[1]
    assert error("".join(limited[1:]))[:2] == (429, "KB-010")
    assert "\r\nRetry-After: 1\r\n" in limited[2]
    assert "/v1/many" not in front[2].read_text()
