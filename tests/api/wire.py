"""Bytes over a socket, for requests that no proper client would send."""

import socket
import time
from typing import NamedTuple


class Answer(NamedTuple):
    """One HTTP answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def send(port: int, request: bytes, seconds: float = 5) -> list[Answer]:
    """All answers that come until the server closes, or is silent for a while."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        return answers(receive(connection, seconds))


def receive(connection: socket.socket, seconds: float) -> bytes:
    """What comes until the other side closes, or is silent for a while after it has said something."""
    received, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        connection.settimeout(0.3 if received else seconds)
        try:
            piece = connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            break
        if not piece:
            break
        received += piece
    return received


def answers(received: bytes) -> list[Answer]:
    """The answers in what was received."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        found.append(Answer(int(lines[0].split(" ")[1]), headers, received[:length]))
        received = received[length:]
    return found


def request(path: str | bytes, *lines: str | bytes, method: str = "GET", close: bool = True) -> bytes:
    """A request as bytes, with whatever lines are given among its headers."""
    start = method.encode() + b" " + _bytes(path) + b" HTTP/1.1"
    last = [b"Connection: close"] if close else []
    return b"\r\n".join([start, b"Host: localhost", *map(_bytes, lines), *last, b"", b""])


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
