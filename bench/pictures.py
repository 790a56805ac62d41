"""Pictures of Dagster's UI over a home of its own: the graph, nights good, warned, stopped and missed, the plots.

Needs Debian's chromium. ``python -m bench.pictures`` leaves them in data/pictures, to be looked at; the README's,
docs/pictures/snapshot.png, is one of them.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS, PART = 500, "202318061"
"""So many parts; one of them, whom a payment of 0 kroner holds back."""
PAGES = {
    "graph": "assets/posts?view=lineage&lineageScope=neighbors&lineageDepth=5",
    "timeline": "overview/activity/timeline",
    "nights": "locations/kravoversikt/jobs/night/runs",
    "partitions": "locations/kravoversikt/jobs/night/partitions",
    "source": "assets/kilde/mva",
    "snapshot": "assets/snapshot",
    "documents": "assets/dokument/oversikt",
    "analytics": "assets/analytics",
    "refused": "assets/deliveries?view=checks&checkDetail=every_delivery_accepted",
    "quarantined": "assets/posts?view=checks&checkDetail=no_row_quarantined",
    "good run": "runs/{good_run}",
    "warned run": "runs/{warned_run}",
    "stopped run": "runs/{stopped_run}",
    "automation": "automation",
}


def command(*words: object, home: Path, may_fail: bool = False) -> str:
    """Runs ``kravoversikt``; returns what it printed."""
    environment = os.environ | {"KRAVOVERSIKT_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and not may_fail:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


def deliver(made: Path, inbox: Path, night: int) -> None:
    """Moves the deliveries of a night, counted from 1, into the inbox."""
    for folder in sorted(made.glob(f"*/{night:06d}")):
        target = inbox / folder.parent.name / folder.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, target)


def deliver_wrong_rows(inbox: Path) -> None:
    """A source of its own, two of whose payments cannot be."""
    folder = inbox / "sanksjon" / "000001"
    folder.mkdir(parents=True)
    accounts = [
        f"{side}_{name}"
        for side in ("fra", "til")
        for name in ("bankinformasjon", "kontoeiers_navn", "kontonummer", "iban", "swift_bic")
    ]
    head = ["innbetalingsidentifikator", "part", "innbetalingsdato", "innbetalt_beloep", "fra_kidnummer", *accounts]
    rows = [["S1", PART, "2026-01-15", "0.00"], ["S2", PART, "2026-01-32", "10.00"]]
    lines = [",".join(head), *(",".join([*row, *[""] * (len(head) - len(row))]) for row in rows)]
    content = "\n".join([*lines, ""]).encode()
    (folder / "innbetaling.csv").write_bytes(content)
    file = {"sti": "innbetaling.csv", "rader": 2, "sha256": hashlib.sha256(content).hexdigest()}
    manifest = {
        "skjemaversjon": "1",
        "kilde": "sanksjon",
        "leveransenummer": 1,
        "type": "full",
        "uttrekkstidspunkt": f"{date.today() - timedelta(days=2)}T23:00:00+01:00",
        "tabeller": {"innbetaling": {"filer": [file], "rader": 2, "kontrollsum": "10.00"}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def nights(folder: Path) -> dict[str, str]:
    """Two good nights, one that was missed, one with a delivery and rows refused, one that stopped; their runs' ids."""
    inbox, home, made, today = folder / "inbox", folder / "home", folder / "made", date.today()
    first = today - timedelta(days=4)
    command("generate", made, "--parts", PARTS, "--nights", 5, "--date", first, home=home)
    runs = {}

    def run(name: str, night: int, *options: object) -> None:
        day = first + timedelta(days=night - 1)
        command("run", "--inbox", inbox, "--home", home, "--date", day, *options, home=home, may_fail=name == "stopped")
        runs[name] = max((home / "runs").iterdir()).name.partition("-")[2]

    for night, name in ((1, "first"), (2, "good")):
        deliver(made, inbox, night)
        run(name, night)
    deliver(made, inbox, 3)
    deliver(made, inbox, 4)
    for file in (inbox / "mva" / "000004").glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-1])
    deliver_wrong_rows(inbox)
    run("warned", 4, "--max-held-back", "0.1")
    deliver(made, inbox, 5)
    run("stopped", 5, "--max-held-back", "0")
    return {"warned": str(first + timedelta(days=3)), **{f"{name}_run": run for name, run in runs.items()}}


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Dagster's UI over the home; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "home"
    named = {"DAGSTER_HOME": home / "dagster", "KRAVOVERSIKT_HOME": home, "KRAVOVERSIKT_INBOX": folder / "inbox"}
    environment = os.environ | {name: str(path) for name, path in named.items()}
    program = [str(Path(sys.executable).with_name("dagster-webserver")), "-h", "127.0.0.1", "-p", str(port)]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(program, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(120):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info").close()
                break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def whole_ids(home: Path, runs: dict[str, str]) -> dict[str, str]:
    """The runs' ids as Dagster has them, of which a report has the first eight characters."""
    ids = [path.stem for path in (home / "dagster" / "history" / "runs").glob("*.db")]
    return {name: next((one for one in ids if one.startswith(run)), run) for name, run in runs.items()}


def main() -> None:
    """Makes the home, and a picture of each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "pictures")
    parser.add_argument("--page", choices=PAGES, action="append", help="only these; over the home that is there")
    wanted = parser.parse_args()
    folder = wanted.folder.resolve()
    if not wanted.page:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "runs.json").write_text(json.dumps(nights(folder)))
    known = whole_ids(folder / "home", json.loads((folder / "runs.json").read_text()))
    with web_server(folder) as address:
        for name in wanted.page or PAGES:
            picture = folder / f"{name.replace(' ', '-')}.png"
            options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1600,1200")
            page = f"{address}/{PAGES[name].format(**known)}"
            shot = ("chromium", *options, "--virtual-time-budget=15000", f"--screenshot={picture}", page)
            subprocess.run(shot, check=True, capture_output=True, timeout=180)
            print(picture)


if __name__ == "__main__":
    main()
