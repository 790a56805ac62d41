"""What the server does a second, beside nginx sending the same bytes from files. ``make bench-serve``.

Both answer on loopback, with as many processes each, and write an access log; the load is wrk's, over the documents
of many parts. They take turns, round after round, and what is told are medians. Machine, load and servers share the
cores, so the ratios say more than the numbers.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from bench.nginx import nginx, wait_until_it_answers
from bench.wrk import Measured, Request, write_requests, wrk
from serving.errors import KravoversiktError
from serving.period import Period
from serving.store import Snapshot
from serving.throwaway import access_token, make_keys

DATE = "2026-11-23"
YEAR = "fraOgMed=2026-01-01&tilOgMed=2026-12-31"
OURS, NGINX = "kravoversikt", "nginx"
PORTS = {OURS: 8461, NGINX: 8462}
CASES = {"oversikt": 200, "a year of krav": 200, "304": 304, "404": 404}
"""What is asked for, and the status of every answer."""

Files = dict[tuple[str, str], Path]
"""The requests for wrk, by case and server."""

Runs = dict[tuple[str, str], list[Measured]]


@dataclass(frozen=True)
class Load:
    """How much and how long."""

    connections: int
    seconds: int
    rounds: int


def main() -> None:
    """Prints a table, or says what is not installed."""
    arguments = _arguments()
    missing = [name for name in ("wrk", "nginx") if not shutil.which(name)]
    if missing:
        print(f"SKIPPED: {' and '.join(missing)} not installed (Debian: apt-get install wrk nginx-light)")
        return
    load = Load(arguments.connections, arguments.seconds, arguments.rounds)
    with tempfile.TemporaryDirectory(prefix="kravoversikt-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        home = arguments.home or _publish(folder, arguments.parts)
        make_keys(folder / "keys")
        parts = _parts(home, arguments.asked)
        tokens = {part: access_token(folder / "keys", part=part) for part in parts}
        stack.enter_context(_ours(home, folder / "keys", folder, arguments.workers, arguments.stock))
        _copy(folder / "www", tokens)
        stack.enter_context(nginx(folder / "www", folder / "nginx", PORTS[NGINX], arguments.workers))
        files = {(case, server): _requests(folder, case, server, tokens) for case in CASES for server in PORTS}
        print(f"{len(parts)} parts, {arguments.workers} processes each, {load.connections} connections, ", end="")
        print(f"{load.rounds} rounds of {load.seconds} s, {os.cpu_count()} cores for server and load together\n")
        full = _measure(files, load)
        _print("At full load", full)
        half = {
            case: min(median(run.per_second for run in full[case, server]) for server in PORTS) / 2 for case in CASES
        }
        _print("At half of our top load", _measure(files, load, half))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a published home [made for the run]")
    parser.add_argument("--parts", type=int, default=2000, help="parts to generate [2000]")
    parser.add_argument("--asked", type=int, default=500, help="parts asked for, each with its own token [500]")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of each server [cores]")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=4, help="length of a run, whole seconds [4]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stock", action="store_true", help="our application behind uvicorn; give --workers 1")
    return parser.parse_args()


def _publish(folder: Path, parts: int) -> Path:
    """A home with documents of so many synthetic parts."""
    inbox, home = folder / "inbox", folder / "home"
    command = [sys.executable, "-c", "from cli.main import main; main()"]
    generate = ["generate", str(inbox), "--parts", str(parts), "--date", DATE]
    for words in (generate, ["run", "--inbox", str(inbox), "--home", str(home), "--date", DATE]):
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{words[0]} failed:\n{done.stdout}{done.stderr}")
    return home


def _parts(home: Path, wanted: int) -> list[str]:
    """Parts from all over the snapshot, that have krav in the year."""
    snapshot, period = Snapshot.current(home), Period.parse("2026-01-01", "2026-12-31")
    found = [part for part in snapshot.parts() if _has(snapshot, part, period)]
    return found[:: max(1, len(found) // wanted)][:wanted]


def _has(snapshot: Snapshot, part: str, period: Period) -> bool:
    try:
        return bool(snapshot.document("krav", part, period))
    except KravoversiktError:
        return False


@contextmanager
def _ours(home: Path, keys: Path, folder: Path, workers: int, stock: bool) -> Iterator[None]:
    """Our server with test keys; both logs go to a file, as nginx's one does. ``stock``: behind uvicorn instead."""
    words = ["serve", "--home", home, "--test-keys", keys, "--port", PORTS[OURS], "--workers", workers]
    command = [sys.executable, "-c", "from cli.main import main; main()", *map(str, words)]
    if stock:
        command = [sys.executable, "-m", "bench.stock", str(home), str(keys), str(PORTS[OURS])]
    with (folder / "serve.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until_it_answers(PORTS[OURS], "/health/ready")
            if process.poll() is not None:
                sys.exit(f"port {PORTS[OURS]} is taken by another program")
            yield
        finally:
            process.terminate()
            process.wait(30)


def _path(part: str, case: str, server: str) -> str:
    """What is asked for. nginx knows nothing of periods: what isn't there is another file."""
    if case == "404":
        nothing = "krav?fraOgMed=1950-01-01&tilOgMed=1950-12-31"
        return f"/v1/finans/{part}/{nothing if server == OURS else 'nothing'}"
    return f"/v1/finans/{part}/{f'krav?{YEAR}' if case == 'a year of krav' else 'oversikt'}"


def _copy(root: Path, tokens: dict[str, str]) -> None:
    """Every document that will be asked for, as our server sends it, in a file where nginx finds it."""
    with httpx.Client(base_url=f"http://127.0.0.1:{PORTS[OURS]}", headers={"accept-encoding": "identity"}) as client:
        for part, token in tokens.items():
            for case in ("oversikt", "a year of krav"):
                path = _path(part, case, OURS)
                answer = client.get(path, headers={"Authorization": f"Bearer {token}"}).raise_for_status()
                file = root / path.partition("?")[0].lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(answer.content)


def _requests(folder: Path, case: str, server: str, tokens: dict[str, str]) -> Path:
    """The file of requests, each tried once: the answer must be the right one, and nginx's the same as ours."""
    requests = []
    with httpx.Client(base_url=f"http://127.0.0.1:{PORTS[server]}", headers={"accept-encoding": "identity"}) as client:
        for part, token in tokens.items():
            path, headers = _path(part, case, server), {"Authorization": f"Bearer {token}"}
            tag = client.get(path, headers=headers).headers["etag"] if case == "304" else ""
            answer = client.get(path, headers=headers | ({"If-None-Match": tag} if tag else {}))
            file = folder / "www" / path.partition("?")[0].lstrip("/")
            if answer.status_code != CASES[case] or (answer.status_code == 200 and answer.content != file.read_bytes()):
                sys.exit(f"{server} answers {answer.status_code} to {case}")
            requests.append(Request(path, token, tag))
    file = folder / f"{case.replace(' ', '-')}.{server}.txt"
    write_requests(file, requests)
    return file


def _measure(files: Files, load: Load, per_second: dict[str, float] | None = None) -> Runs:
    """Every case on both servers, in turns, the first of them each in turn; at full speed or at about a rate.

    wrk keeps no rate: each connection pauses at random between an answer and its next request, on average for so long
    that together they would reach the rate if answers took no time.
    """
    runs: Runs = {key: [] for key in files}
    for number in range(load.rounds):
        for case in CASES:
            pause = 1000 * load.connections / per_second[case] if per_second else 0
            for server in (OURS, NGINX) if number % 2 else (NGINX, OURS):
                place = PORTS[server], files[case, server]
                run = wrk(*place, connections=load.connections, seconds=load.seconds, pause_ms=pause)
                _check(run, case, server, load.connections)
                runs[case, server].append(run)
    return runs


def _check(run: Measured, case: str, server: str, connections: int) -> None:
    """wrk counts answers of 400 and above: all of them in the case 404, else none; and none may be missing."""
    if run.failed or (run.refused == 0) != (CASES[case] < 400):
        sys.exit(f"{server}, {case}: {run.refused} refused, {run.failed} without answer")


def _print(title: str, runs: Runs) -> None:
    """A table in Markdown: medians over the rounds."""
    print(f"{title}\n\n| | {OURS} req/s | nginx req/s | ratio | p50 ms | nginx | p99 ms | nginx |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        ours, theirs = (_median(runs[case, server]) for server in (OURS, NGINX))
        rates = f"{ours.per_second:,.0f} | {theirs.per_second:,.0f} | {ours.per_second / theirs.per_second:.2f}"
        print(f"| {case} | {rates} | {ours.p50:.2f} | {theirs.p50:.2f} | {ours.p99:.2f} | {theirs.p99:.2f} |")
    print(flush=True)


def _median(runs: list[Measured]) -> Measured:
    of = {name: median(getattr(run, name) for run in runs) for name in ("per_second", "p50", "p99")}
    return Measured(**of, refused=0, failed=0)


if __name__ == "__main__":
    main()
