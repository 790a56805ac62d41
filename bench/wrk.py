"""Runs wrk over a file of requests."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")


@dataclass(frozen=True)
class Measured:
    """One run: answers per second, latencies in milliseconds, answers of 400 and above, requests without answer."""

    per_second: float
    p50: float
    p99: float
    refused: int
    failed: int


@dataclass(frozen=True)
class Request:
    """What one line of the file holds; an ETag makes it conditional."""

    path: str
    token: str
    etag: str = ""


def write_requests(path: Path, requests: list[Request]) -> None:
    """One a line, as ``requests.lua`` reads them."""
    path.write_text("".join(f"{one.path}\t{one.token}\t{one.etag}\n" for one in requests))


def wrk(port: int, requests: Path, *, connections: int, seconds: int, pause_ms: float = 0) -> Measured:
    """One run on one thread. With a pause, each connection waits for its answer and then that long on average."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}"]
    done = subprocess.run(
        [*command, "--", str(requests), str(pause_ms)], capture_output=True, text=True, check=True, timeout=seconds + 60
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))
