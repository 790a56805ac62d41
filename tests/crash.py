"""Kills a night at many moments and looks at what is left: ``make crash-test``.

    python -m tests.crash --kills 200 --full-disks 20

One night is published; the next one is run in a process of its own and killed with SIGKILL after a
delay, or meets a full disk. Each time: readers must be answered from a whole snapshot, the night run
again must publish documents identical to an undisturbed one's, and nothing half-written may remain.
"""

import argparse
import hashlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from schemas.store import KINDS
from serving.store import Snapshot
from synthetic.generate import generate
from tests.nights import STAGES
from transforms.night import Night, Settings, locked
from transforms.snapshot import published_chain

FIRST = date(2026, 11, 23)
SECOND = FIRST + timedelta(days=1)
RUN = [sys.executable, "-m", "tests.crash", "--night"]


def run_night(inbox: Path, home: Path, day: date, run: str, say: Callable[[str], object] = str) -> None:
    """A night's stages under the lock, each announced."""
    with locked(home, run):
        night = Night(Settings(inbox, home, day, run, memory="500MB"))
        try:
            for stage in STAGES:
                say(stage)
                night.note(stage, getattr(night, stage)())
        finally:
            night.finish()


def fingerprint(home: Path) -> str:
    """A hash of every published document of every part."""
    snapshot, content = Snapshot.current(home), hashlib.sha256()
    for part in snapshot.parts():
        for kind in KINDS:
            content.update(snapshot.history(kind, part) + b"\n")
    return content.hexdigest()


@dataclass
class Scene:
    """An inbox, a home with the first night published, and what the documents of both nights must be."""

    folder: Path
    inbox: Path
    base: Path
    before: str
    after: str
    seconds: float

    @classmethod
    def make(cls, folder: Path, parts: int = 60) -> "Scene":
        """Publishes the first night, and the second in a copy, undisturbed and timed."""
        inbox, base, whole = folder / "inbox", folder / "base", folder / "whole"
        generate(folder / "both", parts, nights=2, date=FIRST)
        for first in (folder / "both").glob("*/000001"):
            shutil.copytree(first, inbox / first.parent.name / first.name)
        run_night(inbox, base, FIRST, "first")
        shutil.copytree(folder / "both", inbox, dirs_exist_ok=True)
        shutil.copytree(base, whole, symlinks=True)
        scene = cls(folder, inbox, base, fingerprint(base), "", 0.0)
        start = time.perf_counter()
        process = scene.start(whole)
        process.stdout.readline()
        begun = time.perf_counter()
        process.communicate()
        assert process.returncode == 0
        scene.seconds, scene.after = time.perf_counter() - begun, fingerprint(whole)
        print(f"an undisturbed night takes {begun - start:.1f} s to start and {scene.seconds:.2f} s to run")
        assert scene.before != scene.after
        return scene

    def start(self, home: Path, file_bytes: int | None = None) -> subprocess.Popen:
        """The second night in its own process; with ``file_bytes`` no file can grow beyond that."""

        def limit() -> None:
            if file_bytes is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        return subprocess.Popen(
            [*RUN, str(self.inbox), str(home), str(SECOND), f"r{time.monotonic_ns()}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=limit,
        )

    def fresh_home(self) -> Path:
        home = self.folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.base, home, symlinks=True)
        return home

    def kill_after(self, delay: float) -> str:
        """Kills the night so long after its first stage began. Returns what it was at."""
        home = self.fresh_home()
        process = self.start(home)
        seen = [process.stdout.readline().strip()]
        time.sleep(delay)
        process.kill()
        seen += process.communicate()[0].split()
        ended = process.returncode == 0
        self.check(home, finished=ended)
        return "ended" if ended else seen[-1]

    def fill_disk(self, file_bytes: int) -> str:
        """Lets the night meet a disk where no file can grow beyond so many bytes."""
        home = self.fresh_home()
        process = self.start(home, file_bytes)
        seen = process.communicate()[0].split()
        ended = process.returncode == 0
        self.check(home, finished=ended)
        return "ended" if ended else (seen or ["start"])[-1]

    def check(self, home: Path, *, finished: bool) -> None:
        """Readers see one whole snapshot; the night run again publishes; nothing else remains."""
        now = fingerprint(home)
        assert now == self.after if finished else now in (self.before, self.after), "a torn snapshot is served"
        run_night(self.inbox, home, SECOND, f"again{time.monotonic_ns()}")
        assert fingerprint(home) == self.after, "the night run again made other documents"
        chain = published_chain(home)
        assert sorted((home / "snapshots").iterdir()) == sorted(chain), "an unpublished snapshot remains"
        kinds = Counter(path.name.partition("-")[0] for path in (home / "deliveries").glob("*/*"))
        assert set(kinds) == {"000001", "000002"}, "other deliveries than those accepted remain"
        assert set(kinds.values()) == {3}, "a delivery remains twice"
        left = {path.name for path in home.iterdir()}
        expected = {".lock", "analytics.duckdb", "current", "deliveries", "runs", "snapshots"}
        assert left == expected, f"remains: {sorted(left - expected)}"
        stray = [path for path in home.rglob("*") if path.name.endswith(".part") or path.name == ".work"]
        assert not stray, f"half-written: {len(stray)}"


def crash(kills: int, full_disks: int, folder: Path) -> None:
    """The whole harness; prints where the night was when it was hit."""
    scene = Scene.make(folder)
    hit: Counter[str] = Counter()
    for point in range(kills):
        hit[scene.kill_after(scene.seconds * 1.02 * point / max(kills - 1, 1))] += 1
        if (point + 1) % 20 == 0:
            print(f"{point + 1} of {kills} kills", flush=True)
    print("killed during:", ", ".join(f"{stage} {count}" for stage, count in hit.items()))
    met: Counter[str] = Counter()
    for point in range(full_disks):
        met[scene.fill_disk(int(200 * 1.6**point))] += 1
    print("full disk met during:", ", ".join(f"{stage} {count}" for stage, count in met.items()))
    print("nothing lost, nothing half-published")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--full-disks", type=int, default=20)
    parser.add_argument("--night", nargs=4, metavar=("INBOX", "HOME", "DATE", "RUN"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.night:
        inbox, home, day, run = given.night
        run_night(Path(inbox), Path(home), date.fromisoformat(day), run, lambda stage: print(stage, flush=True))
        return
    with tempfile.TemporaryDirectory() as folder:
        crash(given.kills, given.full_disks, Path(folder))


if __name__ == "__main__":
    main()
