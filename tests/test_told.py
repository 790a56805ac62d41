"""After any failed or stopped night ``status``, ``findings``, the exit code and Dagster tell the same, in sentences."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import polars as pl
import pytest
import sqlalchemy.exc
from click.testing import CliRunner

from cli.main import main
from cli.summary import summary
from pipelines import run as run_module
from pipelines.resources import _end_dead_runs, home_tags
from pipelines.settings import dagster_home
from schemas.refusals import TO_DO, Refusal
from schemas.report import RunReport
from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, part, rows
from tests.plain.write import write_delivery
from transforms.check import stage as check_stage
from transforms.home.lock import HomeInUseError, locked
from transforms.home.path import HomePathError
from transforms.home.report import Report, StoppedError, sentence
from transforms.night import Night
from transforms.receipts import before
from transforms.run import Settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
COMPANY, ANOTHER = organisation_number(1), organisation_number(2)
AGAIN = "run the night again (in Dagster: all steps, or from failure); what was published stays up"


@pytest.fixture(scope="module")
def published_once(tmp_path_factory):
    """A home with one night published; 25 payments are refused in it."""
    nights = Nights(tmp_path_factory.mktemp("told"))
    nights.inbox.mkdir()
    wrong = [innbetaling(f"I{number}", COMPANY, 0) for number in range(25)]
    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY), part(ANOTHER), *wrong))
    nights.publish()
    report = newest(nights.home) / "report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"stages": {}}))  # they have no costs here
    return nights


@pytest.fixture
def home(published_once, tmp_path):
    return shutil.copytree(published_once.home, tmp_path / "home", symlinks=True)


def kravoversikt(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def newest(home):
    return max((home / "runs").iterdir())


# a home that is damaged


def cut(path):
    path.write_bytes(path.read_bytes()[:20])


def dangling(home):
    (home / "current").unlink()
    (home / "current").symlink_to("snapshots/none")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (dangling, "current leads to no snapshot"),
        (lambda home: cut(home / "current" / "manifest.json"), "the manifest of .* cannot be read"),
        (lambda home: (home / "current" / "manifest.json").write_text("[]"), "the manifest of .* cannot be read"),
        (
            lambda home: (home / "current" / "manifest.json").write_text("{}"),
            "the manifest of .* is not one of a snapsho",
        ),
    ],
)
def test_status_says_that_the_home_is_damaged_and_what_to_do(home, damage, said):
    damage(home)
    status = kravoversikt("status", "--home", home)
    assert status.exit_code == 1
    assert re.match(rf"nothing can be read: L3-HOME-DAMAGED [^:]*: {said}", status.stdout)
    assert f"\n  to do: {TO_DO['L3-HOME-DAMAGED']}\n" in status.stdout
    content = json.loads(kravoversikt("status", "--home", home, "--json").stdout)
    assert (content["published"], bool(re.match(said, content["damage"]["what"]))) == (None, True)


def test_nothing_published_is_not_damage(tmp_path):
    status = kravoversikt("status", "--home", tmp_path)
    assert (status.exit_code, status.stdout) == (1, "nothing is published (KB-002)\n")


def test_what_an_earlier_program_counted_as_kept_is_held_back(home):
    """The manifest of what is published, and the report of the last run, are from before the program was another."""
    manifest = home / "current" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"held_back_parts": 0', '"kept_parts": 7'))
    content = json.loads(kravoversikt("status", "--home", home, "--json").stdout)
    assert content["published"]["held_back_parts"] == 7
    stages = json.loads(manifest.read_text())["stages"]
    cost = {"seconds": 1.0, "peak_memory_mb": 1}
    report = json.loads((newest(home) / "report.json").read_text())
    counted = {name: counts | cost for name, counts in stages.items()}
    assert "7 held back\n" in summary(RunReport.model_validate(report | {"stages": counted}))


# what the last run left


def test_a_run_that_died_is_the_last_run(home):
    """Not the night before it, which was published."""
    Report("later", S).begin(home)
    died = f"night of {S}, run later: began and did not end: it died"
    status = kravoversikt("status", "--home", home)
    assert (
        status.exit_code,
        f"last run:\n{died}\n  to do: {AGAIN}" in status.stdout,
    ) == (1, True)
    findings = kravoversikt("findings", "--home", home)
    assert (findings.exit_code, findings.stdout, findings.stderr) == (1, "", f"Error: {died}; it left no findings\n")


@pytest.mark.parametrize(
    ("file", "how", "status", "findings"),
    [
        ("report.json", cut, "run 0001: its report cannot be read", "run 0001: its report cannot be read\n"),
        ("report.json", Path.unlink, "run 0001: published", "run 0001: published\n"),  # it could not end
        ("findings.parquet", cut, f"night of {S}, run 0001: published", "it left no findings\n"),
        ("findings.parquet", Path.unlink, f"night of {S}, run 0001: published", "it left no findings\n"),
    ],
)
def test_what_is_lost_of_a_runs_folder_is_said(home, file, how, status, findings):
    how(newest(home) / file)
    told = kravoversikt("status", "--home", home)
    assert (told.exit_code, f"last run:\n{status}" in told.stdout) == (0, True)
    told = kravoversikt("findings", "--home", home)
    assert told.exit_code == ("findings" in file)
    assert findings in told.output


def test_findings_say_whose_they_are(home):
    text = kravoversikt("findings", "--home", home).stdout
    assert text.startswith(f"night of {S}, run 0001: published\n")
    of_the_night = f"--json, the view findings of {home / 'analytics.duckdb'}, or {newest(home) / 'findings.parquet'}"
    assert f"… and 20 more: {of_the_night}\n" in text
    lines = kravoversikt("findings", "--home", home, "--json")
    assert lines.stderr == f"night of {S}, run 0001: published\n"
    assert len([json.loads(line) for line in lines.stdout.splitlines()]) == 25
    Report("later", S).begin(home)
    assert kravoversikt("findings", "--home", home, "--run", "0001").stdout == text
    (home / "current" / "manifest.json").unlink()  # the view is of no night any more
    pointer = kravoversikt("findings", "--home", home, "--run", "0001").stdout.partition("20 more: ")[2]
    assert pointer.startswith(f"--json, or {home / 'runs'}")
    assert kravoversikt("findings", "--home", home, "--run", "none").stderr == "Error: there is no run none\n"


def test_reports_that_may_not_be_read_are_not_taken_for_none(home):
    shutil.rmtree(home / "runs")
    (home / "runs").write_text("")
    for command in ("status", "findings"):
        told = kravoversikt(command, "--home", home)
        assert (told.exit_code, told.stderr) == (1, "Error: the reports of the runs cannot be read: Not a directory\n")


def test_a_stop_says_source_and_delivery():
    stop = Refusal(3, "L3-SOURCE-OLD", "9 days, the limit is 3", "mva", 42)
    assert (
        sentence(stop) == "L3-SOURCE-OLD mva 000042: a source's last used delivery is too old: 9 days, the limit is 3"
    )
    gone = Refusal(3, "L3-SOURCE-GONE", "", "mva")
    assert sentence(gone) == "L3-SOURCE-GONE mva: a source that the last snapshot used has no delivery to use"


def test_the_report_is_written_though_the_findings_cannot_be_made(nights):
    """Then it has what is known without the rows that were refused."""
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY), innbetaling("I", ANOTHER, 5)))
    night = nights.begin()
    night.do("accept")
    night.do("check")
    (night.settings.checked / "findings.parquet").write_bytes(b"")
    night.finish()
    report = json.loads((newest(nights.home) / "report.json").read_text())
    assert (report["outcome"], report["findings"]) == ("stopped", {"L3-HELD-BACK": 1})
    assert report["failure"].startswith("findings: ComputeError at ")


def test_where_there_is_no_room_nothing_of_the_night_is_kept(nights, monkeypatch):
    """So that there is some for the report, and for Dagster's record of it."""
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY)))
    night = nights.begin()
    night.do("accept")

    def full(*_):
        raise pl.exceptions.ComputeError("No space left on device (os error 28)")

    monkeypatch.setattr(check_stage, "check_posts", full)
    with pytest.raises(pl.exceptions.ComputeError):
        night.do("check")
    night.finish()
    assert not night.settings.nights.exists()


# the lock


def test_a_run_whose_lock_was_removed_publishes_nothing_and_removes_nothing(home):
    nights = Nights(home.parent)
    nights.inbox.mkdir()
    with locked(home, "lost") as held:
        settings = Settings(nights.inbox, home, S, "lost", memory="500MB", max_held_back=1)
        night = Night(settings, lock_is_held=held)
        for stage in before("publish"):
            night.do(stage)
        assert held()
        (home / ".lock").unlink()
        with locked(home, "the other"):  # it can begin
            assert not held()
            with pytest.raises(StoppedError, match="L3-LOCK-LOST"):
                night.do("publish")
            night.finish()
    assert night.settings.work.is_dir()
    assert night.settings.snapshot(night.settings.name).is_dir()
    assert nights.snapshot().manifest.run == "0001"
    assert nights.codes() >= {"L3-LOCK-LOST"}


def test_a_run_that_goes_on_is_not_said_to_have_died(tmp_path):
    Report("aaaa1111", S).begin(tmp_path)
    assert kravoversikt("status", "--home", tmp_path).stdout.endswith(
        f"run aaaa1111: began and did not end: it died\n  to do: {AGAIN}\n"
    )
    with locked(tmp_path, "aaaa1111"):
        assert f"night of {S}, run aaaa1111: goes on" in kravoversikt("status", "--home", tmp_path).stdout


def test_stray_files_among_the_reports_and_reports_of_nothing(tmp_path):
    Report("aaaa1111", S).begin(tmp_path)
    (tmp_path / "runs" / "zzz").touch()
    (path,) = (tmp_path / "runs").glob("*/report.json")
    path.write_text("{}")
    assert "run aaaa1111: its report cannot be read" in kravoversikt("status", "--home", tmp_path).stdout


def test_what_is_wrong_with_deliveries_is_told_one_by_one(nights):
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY)))
    write_delivery(nights.inbox, "skatt", 7, "full", rows(part(COMPANY)), manifest_changes={"type": "delta"})
    nights.run()
    (path,) = nights.home.glob("runs/*/report.json")
    (told,) = json.loads(path.read_text())["deliveries"]
    assert told.startswith(
        "L1-MANIFEST-FIELD skatt 000007 manifest.json: a field of manifest.json is missing or wrong:"
    )
    assert f"\n  {told}\n" in summary(RunReport.model_validate_json(path.read_bytes())) + "\n"


def test_a_lock_that_is_replaced_is_lost(tmp_path):
    with locked(tmp_path, "one") as held:
        (tmp_path / "copy").write_text("run one")
        (tmp_path / "copy").rename(tmp_path / ".lock")
        assert not held()
    with pytest.raises(HomeInUseError), locked(tmp_path, "two"), locked(tmp_path, "three"):
        pass


def test_one_that_waits_takes_the_lock_when_the_other_is_done(tmp_path):
    told = []
    with locked(tmp_path, "one"), pytest.raises(HomeInUseError), locked(tmp_path, "two", 0.01, told.append):
        pass
    held = locked(tmp_path, "one")
    held.__enter__()
    release = threading.Timer(0.2, held.__exit__, (None, None, None))
    release.start()
    with locked(tmp_path, "three", 60, told.append) as is_held:
        assert is_held()
    assert told == [f"waits for run one, process {os.getpid()}"] * 2


def test_two_nights_over_one_home_take_turns(nights, monkeypatch):
    """The second is begun while the first goes on, and published after it."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY)))
    words = ("-m", "cli.main", "run", "--inbox", nights.inbox, "--home", nights.home, "--wait", "5", "--allow-date")
    command, dates = [sys.executable, *map(str, words), "--date"], (S, S + timedelta(days=1))
    with locked(nights.home, "one before both"):
        both = [subprocess.Popen([*command, str(day)], stderr=subprocess.PIPE) for day in dates]
        waits = [any(b"waits for run one before both" in line for line in run.stderr) for run in both]
    said = [run.communicate()[1].decode() for run in both]
    assert (waits, [run.returncode for run in both]) == ([True, True], [0, 0]), said
    assert sorted(path.name[:10] for path in (nights.home / "snapshots").iterdir()) == [str(day) for day in dates]
    with dg.DagsterInstance.from_config(str(nights.home / "dagster")) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS] * 2


# Dagster


@dg.op
def nothing() -> None:
    pass


@dg.job
def small_job() -> None:
    nothing()


def test_only_dead_runs_of_this_home_are_ended(tmp_path):
    """Whichever Dagster instance keeps them; not those that have not begun, which have no tags of their own: one that
    is executed again has its parent's. Nor later ones.
    """
    status, ours, home = dg.DagsterRunStatus, str(uuid4()), tmp_path / "home"
    with dg.DagsterInstance.ephemeral() as instance:

        def started(run_id, tags):
            return instance.create_run_for_job(small_job, run_id=run_id, tags=tags, status=status.STARTED).run_id

        dead, elsewhere, again, launched, later = (str(uuid4()) for _ in range(5))
        started(dead, home_tags(home, dead))
        started(elsewhere, home_tags(tmp_path / "other", elsewhere))
        started(again, home_tags(home, dead))
        started(launched, {})
        started(ours, {})
        started(later, home_tags(home, later))
        _end_dead_runs(instance, instance.get_run_by_id(ours), home)
        came = {run.run_id: run for run in instance.get_runs()}
    assert [run_id for run_id, run in came.items() if run.status == status.FAILURE] == [dead]
    assert came[ours].tags.items() >= home_tags(home, ours).items()


@pytest.mark.parametrize(("seconds_ago", "status"), [(0, "STARTED"), (3600, "FAILURE")])
def test_a_run_that_has_just_ended_and_still_tells_of_it_is_not_dead(tmp_path, seconds_ago, status):
    """It has let go of the lock, and Dagster has not heard yet: a receiver may hold it up. An hour later it is dead."""
    one, ours, going_on = str(uuid4()), str(uuid4()), dg.DagsterRunStatus.STARTED
    Report(one[:8], S).end(tmp_path, Report(one[:8], S).findings(tmp_path), published=True)
    then = time.time() - seconds_ago
    os.utime(next((tmp_path / "runs").glob("*/findings.parquet")), (then, then))
    with dg.DagsterInstance.ephemeral() as instance:
        for run_id, tags in ((one, home_tags(tmp_path, one)), (ours, {})):
            instance.create_run_for_job(small_job, run_id=run_id, tags=tags, status=going_on)
        _end_dead_runs(instance, instance.get_run_by_id(ours), tmp_path)
        assert instance.get_run_by_id(one).status.value == status


def test_one_process_at_a_time_opens_dagsters_folder(tmp_path, monkeypatch):
    """Two that make its tables at once leave it broken for good."""
    opened = []

    def opened_first(folder, overrides):
        assert folder == str(tmp_path)
        with (tmp_path / ".opening").open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened.append(1)
        return contextlib.nullcontext()

    monkeypatch.setattr(dg.DagsterInstance, "local_temp", opened_first)
    with run_module._instance(tmp_path), (tmp_path / ".opening").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert opened


@pytest.mark.parametrize("outcome", ["published", "failed", None])
def test_dagsters_full_disk_is_told_in_a_sentence(home, tmp_path, monkeypatch, outcome):
    """A night that was published exits 0 all the same."""

    def full(_, date, run_id, folder):
        if outcome:
            Report(run_id[:8], S).end(home, findings_of(home), published=outcome == "published")
        sys.stderr.write("a whole statement")
        raise sqlalchemy.exc.OperationalError("INSERT", ("a value",), Exception("database or disk is full"))

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setattr(run_module, "_execute", full)
    done = kravoversikt("run", "--inbox", tmp_path, "--home", home, "--date", S)
    assert done.exit_code == (outcome != "published")
    assert "Dagster's record of the run" in done.stderr
    assert "OperationalError: database or disk is full at " in done.stderr
    assert not re.search("Traceback|INSERT|a value|statement", done.stderr)
    if outcome != "published":  # also where the night had not begun: not the one before it is the last run
        status = kravoversikt("status", "--home", home)
        assert status.exit_code == 1
        assert ": failed\n  failed in Dagster's record of the run" in status.stdout.partition("last run:")[2]


def test_a_run_that_could_not_begin_for_another_has_not_failed(home, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with locked(home, "the other"):
        done = kravoversikt("run", "--inbox", tmp_path, "--home", home, "--date", S)
        assert (done.exit_code, done.stderr.endswith("not published: the run could not begin\n")) == (1, True)
        assert len(list((home / "runs").iterdir())) == 1


def test_a_dagster_folder_that_cannot_be_made_is_on_record(home, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "file" / "dagster"))
    done = kravoversikt("run", "--inbox", tmp_path, "--home", home, "--date", S)
    assert (done.exit_code, done.stderr) == (1, f"not published: Not a directory: {tmp_path / 'file' / 'dagster'}\n")
    status = kravoversikt("status", "--home", home)
    assert status.exit_code == 1
    why = "the home or Dagster's folder cannot be written: NotADirectoryError: Not a directory at "
    assert f"failed in its beginning: {why}" in status.stdout


def findings_of(home):
    return Nights(home.parent).findings()


def test_dagsters_folder_whose_path_its_database_cannot_have(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "a%20b"))
    with pytest.raises(HomePathError, match="the path of Dagster's folder must not hold any of"):
        dagster_home(tmp_path)


def test_a_home_that_cannot_be_written_is_told(home, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    (home / ".lock").unlink(missing_ok=True)
    (home / ".lock").mkdir()
    done = kravoversikt("run", "--inbox", tmp_path, "--home", home, "--date", S)
    assert done.exit_code == 1
    why = f"the home cannot be written: Is a directory: {home / '.lock'}\n"
    assert f"not begun: {why}" in done.stderr
    (home / ".lock").rmdir()
    status = kravoversikt("status", "--home", home)
    assert (status.exit_code, f": failed\n  failed in its beginning: {why}" in status.stdout) == (1, True)


# an output that cannot be written

PUBLISHED = """
import sys, types
from cli.main import main
from schemas.report import RunReport
def night(home, date, config, echo):
    echo("accept …")
    return RunReport(run="0001", snapshotdato=date, outcome="published")
sys.modules["pipelines.run"] = types.SimpleNamespace(run_night=night)
main()
"""


def process(*words, **how):
    """A command in a process whose output is held until there is much, as it is outside tests."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, env=buffered, check=False, **how)


def to_full_disk(*words, where="stdout"):
    """A command whose output, or standard error, is a full disk: exit code and what the other one got."""
    other = {"stdout": "stderr", "stderr": "stdout"}[where]
    with Path("/dev/full").open("w") as full:
        streams = {where: full, other: subprocess.PIPE}
        done = process(*words, text=True, **streams)
    return done.returncode, getattr(done, other)


def test_a_published_night_exits_0_whoever_listens(home):
    words = ("-c", PUBLISHED, "run", "--inbox", home, "--home", home, "--date", S)
    code, said = to_full_disk(*words)
    assert code == 0
    assert said.endswith("the summary could not be written; the outcome of run 0001: published\n")
    assert to_full_disk(*words, where="stderr") == (0, f"night of {S}, run 0001: published\n")


@pytest.mark.parametrize("words", [("status",), ("findings",), ("export", "oversikt")])
def test_reading_onto_a_full_disk_exits_1_with_a_sentence(home, words):
    told = to_full_disk("-m", "cli.main", *words, "--home", home)
    assert told == (1, "the output could not be written: No space left on device\n")


def test_one_who_stops_reading_is_no_error(home):
    read, write = os.pipe()
    os.close(read)
    done = process("-m", "cli.main", "status", "--home", home, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
