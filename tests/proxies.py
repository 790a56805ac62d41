"""The proxies of ``deploy/``, run as they are configured there but for addresses, certificate and how long they wait.

Behind them is a server that tells what came through to it, or whatever else listens on a port.
"""

import http.client
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.api.running import free_port, wait_until
from tests.api.wire import Answer, answers

Asked = list[tuple[str, dict[str, str]]]
DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
ENVOY = Path(sys.executable).parent / "envoy"
KINDS = ("nginx", "envoy")

BROKEN, DROPPED = "/v1/broken", "/v1/dropped"
"""What the server behind ends the connection over in place of an answer: always, and unless it's a connection's first
request that has been asked before."""

HASTY = {
    "nginx": {"rate=100r/s": "rate=1r/s", "client_header_timeout 10s": "client_header_timeout 1s"},
    "envoy": {
        "tokens_per_fill: 100,": "tokens_per_fill: 1,",
        "max_tokens: 4000, tokens_per_fill: 2000": "max_tokens: 450, tokens_per_fill: 1",
        "request_headers_timeout: 10s": "request_headers_timeout: 1s",
        "request_timeout: 10s": "request_timeout: 1s",
    },
}
"""Changes with which a proxy soon gives up on who is slow, and who asked too much hardly gets more."""


def is_here(kind: str) -> bool:
    """Whether it can be run: Envoy is among the locked packages, nginx is not."""
    return kind == "envoy" or shutil.which("nginx") is not None


@dataclass(frozen=True)
class Front:
    """A proxy that runs: its ports, of the API and (nginx's) of the UI, what it logs, and what came through."""

    kind: str
    port: int
    ui: int
    log: Path
    asked: Asked
    """Targets and headers, these by their names in lower case."""

    @property
    def targets(self) -> list[str]:
        return [target for target, _ in self.asked]

    def connect(self, address: str = "127.0.0.1", protocol: str = "http/1.1") -> ssl.SSLSocket:
        """A connection from this address, over TLS."""
        plain = socket.create_connection(("127.0.0.1", self.port), 10, (address, 0))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        return context.wrap_socket(plain)

    def client(self, address: str = "127.0.0.1") -> http.client.HTTPConnection:
        """A client that keeps its connection from this address."""
        client = http.client.HTTPConnection("localhost", self.port)
        client.sock = self.connect(address)
        return client

    def send(self, raw: bytes, address: str = "127.0.0.1") -> list[Answer]:
        """All that is answered until the proxy closes."""
        with self.connect(address) as client:
            client.sendall(raw)
            return answers(read(client))

    def ask(self, target: str, *lines: str, address: str = "127.0.0.1") -> Answer:
        """The answer to a request whose target goes out as it is."""
        head = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *lines]
        (answer,) = self.send("\r\n".join([*head, "", ""]).encode(), address)
        return answer


def read(client: socket.socket) -> bytes:
    """What comes until the other side closes, however it does."""
    received = b""
    try:
        while piece := client.recv(65536):
            received += piece
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return received


@contextmanager
def echo(asked: Asked) -> Iterator[int]:
    """A server whose answer is the target that it was asked for; gives its port."""

    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        first = True

        def do_GET(self):
            seen = any(target == self.path for target, _ in asked)
            asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            first, self.first = self.first, False
            if self.path == BROKEN or (self.path == DROPPED and not (first and seen)):
                self.close_connection = True
                return
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.path)))
            with suppress(BrokenPipeError):  # a proxy may have given up meanwhile
                self.end_headers()
                self.wfile.write(self.path.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as behind:
        serving = threading.Thread(target=behind.serve_forever, args=(0.02,))
        serving.start()
        try:
            yield behind.server_port
        finally:
            behind.shutdown()
            serving.join()


def _nginx(folder: Path, front: Front, behind: int, changes: dict[str, str]) -> list[str | Path]:
    """Writes what it is to do; gives its command."""
    text = _changed(
        (DEPLOY / "nginx.conf").read_text("utf-8"),
        changes
        | {
            "server api:8000": f"server 127.0.0.1:{behind}",
            "server web:3000": f"server 127.0.0.1:{behind}",
            "listen 443 ssl": f"listen 127.0.0.1:{front.port} ssl",
            "listen 3000": f"listen 127.0.0.1:{front.ui}",
            "pid /tmp/nginx.pid": f"pid {folder}/nginx.pid",
            "worker_processes auto": "worker_processes 1",
        },
    )
    (folder / "settings" / "htpasswd").write_text("night:{PLAIN}word\n")
    as_us = "user root;\n" if os.getuid() == 0 else ""  # its workers read the passwords, in a folder that is ours
    (folder / "nginx.conf").write_text(f"daemon off;\n{as_us}{text}")
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]


def _envoy(folder: Path, front: Front, behind: int, changes: dict[str, str]) -> list[str | Path]:
    """Writes what it is to do; gives its command."""
    text = _changed(
        (DEPLOY / "envoy.yaml").read_text("utf-8"),
        changes
        | {
            "address: api, port_value: 8000": f"address: 127.0.0.1, port_value: {behind}",
            "address: 0.0.0.0, port_value: 443": f"address: 127.0.0.1, port_value: {front.port}",
            "use_remote_address: true": "use_remote_address: true\n                delayed_close_timeout: 0.1s",
        },
    )
    (folder / "envoy.yaml").write_text(text)
    return [ENVOY, "-c", folder / "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id"]


def _changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def proxy(kind: str, folder: Path, behind: int, asked: Asked | None = None, hasty: bool = False) -> Iterator[Front]:
    """The proxy before the server on this port of ours. ``asked``: where that keeps what came through to it."""
    (folder / "settings").mkdir(parents=True)
    key, certificate = folder / "settings" / "tls.key", folder / "settings" / "tls.crt"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    made += ["-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    front = Front(kind, free_port(), free_port(), folder / "log", [] if asked is None else asked)
    changes = HASTY[kind] if hasty else {}
    command = (_envoy if kind == "envoy" else _nginx)(folder, front, behind, changes)
    with (
        front.log.open("w") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or front.connect().close() is None)
            assert process.poll() is None, front.log.read_text()
            yield front
        finally:
            process.terminate()
            process.wait()


# As little of HTTP/2 (RFC 9113) as sends what no proper client would: HPACK's literals, without Huffman's code.

_PREFACE, _SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\4\0\0\0\0\0"
DATA, HEADERS, RESET, GOAWAY = 0, 1, 3, 7


def over_http2(front: Front, headers: list[tuple[str, str]], body: bytes = b"") -> dict[int, bytes]:
    """What comes back for one request by the kinds of frames, until its stream or the connection has ended."""
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)
    sent = _PREFACE + _SETTINGS + _frame(HEADERS, 4 if body else 5, block) + (_frame(DATA, 1, body) if body else b"")
    came: dict[int, bytes] = {}
    with front.connect(protocol="h2") as client:
        assert client.selected_alpn_protocol() == "h2"
        client.sendall(sent)
        with client.makefile("rb") as stream:
            while head := stream.read(9):
                length, kind, ends = int.from_bytes(head[:3], "big"), head[3], head[4] & 1
                came[kind] = came.get(kind, b"") + stream.read(length)
                if kind in (RESET, GOAWAY) or (kind in (DATA, HEADERS) and ends):
                    break
    return came


def _frame(kind: int, flags: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags, 0, 0, 0, 1]) + content


def _text(text: str) -> bytes:
    raw = text.encode("latin-1")
    assert len(raw) < 127 + 128  # two bytes of length at most
    return (bytes([len(raw)]) if len(raw) < 127 else bytes([127, len(raw) - 127])) + raw
