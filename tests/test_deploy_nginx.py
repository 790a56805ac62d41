"""nginx in front, as ``deploy/nginx.conf`` says: what it passes on, and that it changes nothing of it."""

import http.server
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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx here: apt-get install nginx-light"),
]
ASKED: list[str] = []
"""What has come through to the server behind, in its order."""
CONF = Path(__file__).resolve().parent.parent / "deploy" / "nginx.conf"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """nginx before a server that tells what it was asked for. Returns the ports of the API and of the UI."""

    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            ASKED.append(self.path)
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
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    as_us = "user root;\n" if os.getuid() == 0 else ""  # its workers read the passwords, in a folder that is ours
    (folder / "nginx.conf").write_text(f"daemon off;\n{as_us}{text}")
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
        try:
            wait_for(api)
            yield api, ui
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
