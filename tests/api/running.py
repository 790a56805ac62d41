"""A server as an operator starts it, over a small published home, for tests that must go through the network."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from serving.throwaway import ISSUER, make_keys
from tests.nights import Nights
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, rows, utbetaling
from tests.plain.write import write_delivery

ROOT = Path(__file__).resolve().parents[2]
A, B, HELD_BACK, UNKNOWN, ENK, OTHER_CONSUMER = (organisation_number(1000 + number) for number in range(6))
OWNER = national_number(1000)
SAMTYKKE = "AltinnSamtykke"


def publish(folder: Path) -> Path:
    """A home: A has something of everything in 2026, B nothing; HELD_BACK's claim doesn't add up; ENK is OWNER's."""
    nights = Nights(folder)
    nights.inbox.mkdir()
    said = rows(
        *(part(A), part(B), part(HELD_BACK), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
        krav("A1", A, "1000.50", opprettelsesdato="2026-02-01"),
        kravforfall("A2", "A1", "1000.50", "2026-03-01"),
        innbetaling("A3", A, "10.25", "2026-02-02"),
        utbetaling("A4", A, "7.00", "2026-02-03"),
        krav("H1", HELD_BACK, 100),
        kravforfall("H2", "H1", 99, "2026-03-01"),
        krav("O1", OWNER, "50.00", opprettelsesdato="2026-02-01"),
        kravforfall("O2", "O1", "50.00", "2026-03-01"),
    )
    write_delivery(nights.inbox, "skatt", 1, "full", said)
    nights.publish()
    return nights.home


@dataclass(frozen=True)
class Running:
    """A server that runs: its port, the folder of its keys and of its logs, a client to ask it with."""

    port: int
    folder: Path
    client: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """One request; ``AltinnSamtykke`` and the like are given by name."""
        access = {"Authorization": f"Bearer {token}"} if token else {}
        return self.client.get(path, headers=access | headers)


@contextmanager
def running(home: Path, folder: Path, maskinporten: str = "", consumers: str = "") -> Iterator[Running]:
    """Serves the home until the end. ``maskinporten`` and ``consumers`` are put into the settings."""
    make_keys(folder)
    with (folder / "consumers.toml").open("a") as file:
        file.write(consumers)
    settings = folder / "serving.toml"
    settings.write_text(f"""
consumers_file = "consumers.toml"
[maskinporten]
issuer = "{ISSUER}"
{maskinporten or 'jwks_file = "jwks.json"'}
[altinn]
issuer = "{ISSUER}"
jwks_file = "jwks.json"
[log]
access = "access.jsonl"
audit = "audit.jsonl"
hash_key_file = "log-hash.key"
""")
    port = free_port()
    words = ["serve", "--home", home, "--config", settings, "--port", port]
    command = [sys.executable, "-c", "from cli.main import main; main()", *map(str, words)]
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as server,
    ):
        try:
            wait_until_ready(server, port, folder / "server.log")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                yield Running(port, folder, client)
        finally:
            server.terminate()
            server.wait(20)


def wait_until_ready(server: subprocess.Popen, port: int, log: Path, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if true():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("it has not come true")


def children(pid: int) -> list[int]:
    """The processes that one has started, dead ones too while it has not looked after them."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
