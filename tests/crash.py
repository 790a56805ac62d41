"""Kills a night at many moments and looks at what is left: ``make crash-test``.

    python -m tests.crash --kills 200 --full-disks 20

One night is published; the next one is run in a process of its own and killed with SIGKILL after a
delay, or meets a full disk. Most are the bare stages, which begin at once; every fifth is the operator's own
``kravoversikt run``, a Dagster run. Each time: readers must be answered from a whole snapshot, the night run
again the same way must publish documents identical to an undisturbed one's, and nothing half-written may
remain; of a killed operator's run, no Dagster run that is still said to go on.
"""

import argparse
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pipelines.settings import dagster_home
from schemas.history import FILES
from schemas.store import KINDS
from serving.store import Snapshot
from synthetic.generate import generate
from tests.nights import STAGES
from transforms.home.lock import locked
from transforms.home.snapshot import published_chain
from transforms.night import Night
from transforms.run import Settings

FIRST = date(2026, 11, 23)
SECOND = FIRST + timedelta(days=1)
OPERATOR_EVERY = 5
LEFT = {".lock", "analytics.duckdb", "current", "deliveries", "runs", "snapshots", *FILES}
"""What stands in a home between nights; the operator's has Dagster's folder and the night's figures too."""


def run_night(inbox: Path, home: Path, day: date, run: str, say: Callable[[str], object] = str) -> None:
    """A night's stages under the lock, each announced."""
    with locked(home, run):
        night = Night(Settings(inbox, home, day, run, memory="500MB"))
        night.report.begin(home)
        try:
            for stage in STAGES:
                say(stage)
                night.do(stage)
        finally:
            night.finish()


def fingerprint(home: Path) -> str:
    """A hash of every published document of every part."""
    snapshot, content = Snapshot.current(home), hashlib.sha256()
    for part in snapshot.parts():
        for kind in KINDS:
            content.update(snapshot.history(kind, part) + b"\n")
    return content.hexdigest()


def dagster_runs(home: Path) -> Counter[str]:
    """How many of the home's Dagster runs came to what."""
    import dagster as dg  # the bare stages, in processes of their own, do without

    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        return Counter(run.status.value for run in instance.get_runs())


@dataclass
class Timing:
    """Seconds until the night's first line, and from there to the end of its process."""

    start: float
    run: float


@dataclass
class Scene:
    """An inbox, a home with the first night published, and what the documents of both nights must be."""

    folder: Path
    inbox: Path
    base: Path
    before: str
    after: str = ""
    bare: Timing = field(default_factory=lambda: Timing(0, 0))

    @classmethod
    def make(cls, folder: Path, parts: int = 60) -> "Scene":
        """Publishes the first night, and the second in a copy, undisturbed."""
        inbox, base = folder / "inbox", folder / "base"
        generate(folder / "both", parts, nights=2, date=FIRST)
        for first in (folder / "both").glob("*/000001"):
            shutil.copytree(first, inbox / first.parent.name / first.name)
        run_night(inbox, base, FIRST, "first")
        shutil.copytree(folder / "both", inbox, dirs_exist_ok=True)
        scene = cls(folder, inbox, base, fingerprint(base))
        scene.bare = scene.timed(operator=False)
        scene.after = fingerprint(scene.home)
        assert scene.before != scene.after
        return scene

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def timed(self, *, operator: bool) -> Timing:
        """How long an undisturbed second night takes."""
        self.fresh_home()
        begin = time.perf_counter()
        process = self.start(operator=operator)
        process.stdout.readline()
        begun = time.perf_counter()
        process.communicate()
        assert process.returncode == 0
        timing = Timing(begun - begin, time.perf_counter() - begun)
        what = "kravoversikt run" if operator else "the bare stages"
        print(f"undisturbed, {what}: {timing.start:.1f} s to start, {timing.run:.2f} s to run", flush=True)
        return timing

    def start(self, *, operator: bool = False, file_bytes: int | None = None) -> subprocess.Popen:
        """The second night in its own process; with ``file_bytes`` no file can grow beyond that."""

        def limit() -> None:
            if file_bytes is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        inbox, home, day = str(self.inbox), str(self.home), str(SECOND)
        bare = ["tests.crash", "--night", inbox, home, day, f"r{time.monotonic_ns()}"]
        operators = ["cli.main", "run", "--inbox", inbox, "--home", home, "--date", day]
        return subprocess.Popen(
            [sys.executable, "-m", *(operators if operator else bare)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if operator else subprocess.DEVNULL,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
            preexec_fn=limit,
        )

    def fresh_home(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.base, self.home, symlinks=True)

    def kill_after(self, delay: float, *, operator: bool = False, line: str | None = "") -> str:
        """Kills the night so long after its first line that holds ``line``, or after its start if that is None.

        Returns the stage that it was at.
        """
        self.fresh_home()
        process = self.start(operator=operator)
        said = ""
        for told in process.stdout if line is not None else ():
            said += told
            if line in told:
                break
        time.sleep(delay)
        process.kill()
        return self.came_to(process, said + process.communicate()[0], operator=operator)

    def fill_disk(self, file_bytes: int) -> str:
        """Lets the night meet a disk where no file can grow beyond so many bytes."""
        self.fresh_home()
        process = self.start(file_bytes=file_bytes)
        return self.came_to(process, process.communicate()[0])

    def came_to(self, process: subprocess.Popen, said: str, *, operator: bool = False) -> str:
        """Checks what the night left, runs it again, and checks that."""
        stages = [word for word in said.split() if word in STAGES]
        ended = process.returncode == 0
        self.check(finished=ended, operator=operator)
        return "ended" if ended else (stages or ["start"])[-1]

    def check(self, *, finished: bool, operator: bool) -> None:
        """Readers see one whole snapshot; the night run again publishes; nothing else remains."""
        home, now = self.home, fingerprint(self.home)
        assert now == self.after if finished else now in (self.before, self.after), "a torn snapshot is served"
        if operator:
            self.run_again_as_operator()
        else:
            run_night(self.inbox, home, SECOND, f"again{time.monotonic_ns()}")
        with locked(home, "probe"):
            assert fingerprint(home) == self.after, "the night run again made other documents"
        chain = published_chain(home)
        assert sorted((home / "snapshots").iterdir()) == sorted(chain), "an unpublished snapshot remains"
        kinds = Counter(path.name.partition("-")[0] for path in (home / "deliveries").glob("*/*"))
        assert set(kinds) == {"000001", "000002"}, "other deliveries than those accepted remain"
        assert set(kinds.values()) == {3}, "a delivery remains twice"
        left = {path.name for path in home.iterdir()}
        expected = LEFT | {"dagster", "metrics.prom", ".ballast"} if operator else LEFT
        assert left == expected, f"remains: {sorted(left - expected)}"
        stray = [path.name for path in home.rglob("*") if path.name.endswith(".part") or path.name == ".work"]
        assert not stray, f"half-written: {stray}"

    def run_again_as_operator(self) -> None:
        """``kravoversikt run`` succeeds, and Dagster says of no dead run that it goes on."""
        earlier = dagster_runs(self.home) if (self.home / "dagster").exists() else Counter()
        again = self.start(operator=True)
        said = again.communicate()[0]
        assert again.returncode == 0, said
        runs = dagster_runs(self.home)
        dead = earlier.total() - earlier["SUCCESS"]
        assert runs == Counter(SUCCESS=earlier["SUCCESS"] + 1, FAILURE=dead), f"{earlier} became {runs}"


def points(kills: int, timing: Timing, *, operator: bool) -> Iterator[tuple[str | None, float]]:
    """When to kill: the line to wait for (None: the process's start) and the delay after it.

    The bare stages' are spread evenly over their time. The operator's take as long to begin as to run, and vary more:
    they are spread over Dagster's own beginning and the stages, each from its own line on.
    """
    for point in range(kills):
        share = point / max(kills - 1, 1)
        if not operator:
            yield "", timing.run * share
        else:
            line = (None, *STAGES)[point % (len(STAGES) + 1)]
            yield line, timing.run / len(STAGES) * share if line else timing.start * (0.7 + 0.3 * share)


def kill_all(scene: Scene, kills: int, *, operator: bool) -> None:
    """So many kills that hit the night while it runs; one that comes too late is checked, and tried again earlier."""
    began, hit = time.perf_counter(), Counter[str]()
    what = "kravoversikt run" if operator else "the bare stages"
    timing = scene.timed(operator=True) if operator else scene.bare
    for count, (line, delay) in enumerate(points(kills, timing, operator=operator), start=1):
        while (stage := scene.kill_after(delay, operator=operator, line=line)) == "ended":
            hit[stage] += 1
            delay *= 0.8
        hit[stage] += 1
        if count % 20 == 0:
            print(f"  {count} of {kills} kills of {what}, {time.perf_counter() - began:.0f} s", flush=True)
    print(f"{kills} kills of {what}, during: {_counts(hit)}; too late, and tried again: {hit['ended']}", flush=True)


def crash(kills: int, full_disks: int, folder: Path) -> None:
    """The whole harness; prints how many times the night was hit where."""
    began = time.perf_counter()
    scene = Scene.make(folder)
    kill_all(scene, kills - kills // OPERATOR_EVERY, operator=False)
    kill_all(scene, kills // OPERATOR_EVERY, operator=True)
    met = Counter(scene.fill_disk(int(200 * 1.6**point)) for point in range(full_disks))
    print(f"{full_disks} full disks, met during: {_counts(met)}; large enough for the night: {met['ended']}")
    print(
        f"{kills} kills and {full_disks} full disks in {time.perf_counter() - began:.0f} s: after each, readers were "
        "answered from a whole snapshot,\nthe night run again made the same documents, the lock was free, no Dagster "
        "run was left going on, and nothing half-written remained."
    )


def _counts(hit: Counter[str]) -> str:
    return ", ".join(f"{stage} {hit[stage]}" for stage in ("start", *STAGES) if hit[stage])


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
