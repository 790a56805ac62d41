"""What the operator asks of a home and does with it: status, runs, findings, rollback, pin, doctor."""

import io
import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from cli import doctor as doctor_module
from cli.main import main
from cli.progress import Shown, progress
from schemas.refusals import TO_DO, Refusal
from schemas.report import RunReport
from schemas.runbook import to_do
from schemas.snapshot import OSLO
from tests.manifests import accepted
from tests.plain.numbers import organisation_number
from tests.plain.statement import part
from tests.small import S, Small
from tests.test_analytics import LED, REFUSED
from transforms.home.ballast import BALLAST, BALLAST_BYTES
from transforms.home.findings import SCHEMA, findings
from transforms.home.lock import locked
from transforms.home.report import Report, put_on_record
from transforms.home.retained import RECORD
from transforms.home.snapshot import HELD_BACK, LED_TO, REFUSED_ROWS, checksums, published_snapshot, read_manifest
from transforms.publish.analytics import link_analytics, write_analytics
from transforms.publish.views import Of
from transforms.rules.reference import KRAVTYPER, RATES, read_kravtyper, read_rates

COMPANY = organisation_number(1)
DAYS = [S - timedelta(days=2), S - timedelta(days=1), S]


def kravoversikt(*words: object, exit_code: int = 0) -> str:
    """What a command prints, on both streams."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == exit_code, done.output
    return done.output


@pytest.fixture
def home(small: Small) -> Path:
    """Three dates published, the last an hour ago, of two sources."""
    before, made_at = None, datetime.now(UTC) - timedelta(hours=1)
    for number, day in enumerate(DAYS, start=1):
        used = [accepted("mva", number, f"{day}T01:00:00+01:00", "full"), accepted("skatt", 1)]
        folder = small.publish(part(COMPANY), day=day, used=used, previous=before, made_at=made_at)
        before = folder.name
        shutil.rmtree(folder.with_name("posts-0"))  # what its bucket was made of
    return small.settings().path


def current(home: Path) -> str:
    return published_snapshot(home).name


def ran(home: Path, run: str = "0009", outcome: str = "published", **said: object) -> None:
    put_on_record(home, RunReport(run=run, snapshotdato=S, outcome=outcome, **said))


# status


def test_status_is_good_when_the_last_run_was_and_what_is_published_is_young(home):
    ran(home)
    told = kravoversikt("status", "--home", home)
    assert f"published   {S}-0000, made " in told and "\n            1.0 hours old, the limit is 36\n" in told
    assert told.endswith(f"last run:\nnight of {S}, run 0009: published\n")
    assert f"retained    {S}-0000, {DAYS[1]}-0000, {DAYS[0]}-0000\n" in told


@pytest.mark.parametrize("outcome", ["failed", "stopped", "unfinished", "unreadable"])
def test_a_run_that_failed_after_a_good_one_is_the_last_run(home, outcome):
    ran(home)
    ran(home, "later", outcome)
    assert f"last run:\nnight of {S}, run later: " in kravoversikt("status", "--home", home, exit_code=1)
    assert json.loads(kravoversikt("status", "--home", home, "--json", exit_code=1))["exit"] == 1


@pytest.mark.parametrize("outcome", ["partial", "running"])
def test_a_run_that_goes_on_or_was_not_asked_to_publish_is_no_failure(home, outcome):
    ran(home, outcome=outcome)
    kravoversikt("status", "--home", home)


def test_a_way_back_does_not_hide_how_the_last_night_went(home):
    ran(home, "bad", "stopped")
    kravoversikt("rollback", "--home", home)
    told = kravoversikt("status", "--home", home, exit_code=1)
    assert f"last run:\nrollback to {DAYS[1]}, run " in told
    assert f"\nlast night:\nnight of {S}, run bad: stopped\n" in told
    ran(home, "good")
    assert "last night:" not in kravoversikt("status", "--home", home)


def test_what_is_published_may_be_too_old(home):
    (home / "operations.toml").write_text("max_age_hours = 0.5")
    ran(home)
    assert "1.0 hours old, TOO OLD: the limit is 0.5" in kravoversikt("status", "--home", home, exit_code=2)
    ran(home, "later", "failed")
    kravoversikt("status", "--home", home, exit_code=1)


def test_of_each_source_its_last_delivery_age_and_limit(home):
    (home / "operations.toml").write_text(
        "[sources.mva]\nmax_age_days = 100000\n[sources.renter]\n[sources.optional]\nrequired = false\n"
    )
    days = (datetime.now(OSLO).date() - S).days
    told = kravoversikt("status", "--home", home)
    days = {days, (datetime.now(OSLO).date() - S).days}  # midnight may pass meanwhile
    mva = f"sources     mva 000003, extracted {S} 01:00, {{}} days old, the limit is 100000\n"
    assert any(mva.format(day) in told for day in days)
    assert "\n            renter has never delivered\n" in told
    assert "optional" not in told
    limit = {one["kilde"]: one["max_age_days"] for one in _json(home)["published"]["sources"]}
    assert limit == {"mva": 100000, "renter": 3, "skatt": 3}


def _json(home: Path) -> dict:
    return json.loads(kravoversikt("status", "--home", home, "--json"))


def test_a_source_older_than_its_limit_is_marked(home):
    told = kravoversikt("status", "--home", home)
    age = (datetime.now(OSLO).date() - date(2026, 11, 22)).days
    assert ("days old, TOO OLD: the limit is 3" in told) == (age > 3)


def test_over_a_slip_in_the_operators_file_status_is_told_all_the_same(home):
    (home / "operations.toml").write_text("max_age_hour = 1")
    first, second, *rest = kravoversikt("status", "--home", home, exit_code=1).splitlines()
    assert "max_age_hour: Extra inputs" in first
    assert second == "  to do: mend it, for no night begins before"
    assert any(line.startswith("published   ") for line in rest)


# runs


def test_runs_are_told_a_line_each_the_newest_first(home):
    assert kravoversikt("runs", "--home", home) == "no run has been made over this home\n"
    ran(home, "one")
    ran(home, "two", "stopped", stops=["L3-SOURCE-OLD mva 000042: a source's …", "L3-SOURCE-OLD skatt 000001: …"])
    ran(home, "three", "failed", failure="check: OSError: No space left on device at transforms/night.py:1")
    ran(home, "four", kind="rollback", told=["from a to b"])
    lines = kravoversikt("runs", "--home", home).splitlines()
    assert [line.split()[2:] for line in lines] == [
        ["four", "rollback", str(S), "published,", "from", "a", "to", "b"],
        ["three", "night", str(S), "failed", "in", "check:", "OSError:", "No", "space", "left", "on", "device"],
        [
            "two",
            "night",
            str(S),
            "stopped",
            "by",
            "L3-SOURCE-OLD",
            "mva",
            "000042,",
            "L3-SOURCE-OLD",
            "skatt",
            "000001",
        ],
        ["one", "night", str(S), "published"],
    ]
    first = json.loads(kravoversikt("runs", "--home", home, "--json").splitlines()[0])
    assert (first["run"], first["kind"], first["told"]) == ("four", "rollback", ["from a to b"])
    assert datetime.fromisoformat(first["began"]) <= datetime.now(UTC)


# findings


def row(code: str, number: int, **said: object) -> dict[str, object]:
    return {"nivaa": 2, "kode": code, "melding": "", "kilde": "mva", "leveransenummer": 2, "rad": number, **said}


@pytest.fixture
def refused(home: Path) -> Path:
    """A night with something of every level; a rollback after it."""
    refusals = [
        Refusal(0, "R-SOURCE-MISSED", "its last one is 1 day old", "skatt", 1),
        Refusal(1, "L1-SHA256", "", "renter", 7, fil="krav.csv"),
        Refusal(3, "L3-SOURCE-OLD", "9 days, the limit is 3", "skatt", 1),
    ]
    root = {"rot_kode": "L2-PART-OWNER", "rot_kilde": "mva", "rot_leveransenummer": 2, "rot_tabell": "part"}
    rows = [
        *(row("L2-VALUE-POSITIVE", number, tabell="innbetaling", noekkel=f"I{number}") for number in range(7)),
        row("L2-PART-UNKNOWN", 8, tabell="krav", noekkel="K", parter_holdt_tilbake=1, **root, rot_rad=9),
        row("L2-PART-OWNER", 9, tabell="part", parter_holdt_tilbake=2),
    ]
    quarantined = pl.DataFrame(rows, schema=SCHEMA)
    report = Report("night", S)
    report.begin(home)
    report.end(home, findings(refusals).vstack(quarantined), published=False)
    ran(home, "back", kind="rollback")
    return home


def test_findings_are_of_the_last_night_the_worst_first_and_together_by_what_they_come_from(refused):
    told = kravoversikt("findings", "--home", refused)
    assert told.startswith(f"night of {S}, run night: failed\n")
    heads = [line for line in told.splitlines() if line[:2] in ("L1", "L2", "L3", "R-")]
    assert [head.rpartition(": ")[0].partition(": ")[0] + ": " + head.rpartition(": ")[2] for head in heads] == [
        "L3-SOURCE-OLD skatt 000001: once",
        "L1-SHA256 renter 000007: once",
        "L2-PART-OWNER mva 000002 part: 2 times, of them 1 that come from another row, they hold back up to 3 parts",
        "L2-VALUE-POSITIVE mva 000002 innbetaling: 7 times",
        "R-SOURCE-MISSED skatt 000001: once",
    ]
    for words in (TO_DO["L3-SOURCE-OLD"], to_do("R-SOURCE-MISSED"), "have the source correct the row"):
        assert f"\n  to do: {words}" in told
    assert "  mva 000002 krav row 8: K: L2-PART-UNKNOWN: comes from mva 000002 part row 9: holds back 1\n" in told
    assert "  skatt 000001: its last one is 1 day old\n" in told
    assert f"… and 2 more: --json, or {refused / 'runs'}" in told  # the analysts' view is of another night


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (["--source", "skatt"], ["R-SOURCE-MISSED", "L3-SOURCE-OLD"]),
        (["--code", "L2-PART-OWNER"], ["L2-PART-UNKNOWN", "L2-PART-OWNER"]),
        (["--table", "part"], ["L2-PART-UNKNOWN", "L2-PART-OWNER"]),
        (["--table", "krav"], ["L2-PART-UNKNOWN"]),
        (["--source", "mva", "--code", "L1-SHA256"], []),
    ],
)
def test_findings_of_a_source_a_code_or_a_table(refused, words, codes):
    done = CliRunner().invoke(main, ["findings", "--home", str(refused), "--json", *words])
    assert [json.loads(line)["kode"] for line in done.stdout.splitlines()] == codes
    assert "av_kode" not in done.stdout
    text = kravoversikt("findings", "--home", refused, *words)
    assert text.endswith("nothing of that was refused\n") == (not codes)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("L1-UNREDABLE", "did you mean L1-UNREADABLE"),
        ("l2-claim-sum", "did you mean L2-CLAIM-SUM"),
        ("SOURCE-OLD", "L3-SOURCE-OLD"),
        ("xyzzy", "there is no code xyzzy: docs/refusals.md has them all"),
    ],
)
def test_a_code_that_there_is_not_is_wrong_usage_and_one_like_it_is_told(refused, code, told):
    done = CliRunner().invoke(main, ["findings", "--home", str(refused), "--code", code])
    line = done.stderr.splitlines()[-1]
    assert (done.exit_code, told in line, len(line) < 200) == (2, True, True)
    assert "docs/refusals.md has them all" in line


# rollback and pin


def test_rollback_goes_to_the_one_before_is_on_record_and_can_be_undone(home):
    ran(home, "night")
    told = kravoversikt("rollback", "--home", home)
    back = f"kravoversikt rollback --to {S}-0000"
    assert told == f"published again: {DAYS[1]}-0000, in place of {S}-0000\nback: {back}\n"
    assert current(home) == f"{DAYS[1]}-0000"
    runs = kravoversikt("runs", "--home", home)
    assert f"published, from {S}-0000 to {DAYS[1]}-0000\n" in runs.splitlines(keepends=True)[0]
    status = kravoversikt("status", "--home", home)
    assert f"retained    {S}-0000 (withdrawn), {DAYS[1]}-0000, " in status
    assert f"rollback to {DAYS[1]}, run " in status
    kravoversikt("rollback", "--home", home, "--to", S)
    assert current(home) == f"{S}-0000"
    assert "withdrawn)" not in kravoversikt("status", "--home", home)


def test_rollback_says_why_it_cannot(home, tmp_path):
    none = kravoversikt("rollback", "--home", tmp_path / "none", exit_code=1)
    assert none == f"Error: there is no home at {tmp_path / 'none'}\n"
    assert not (tmp_path / "none").exists()
    missing = kravoversikt("rollback", "--home", home, "--to", "2020-01-01", exit_code=1)
    assert missing == "Error: no other published snapshot of 2020-01-01 is kept\n"
    with locked(home, "a night"):
        assert "the home is in use by run a night" in kravoversikt("rollback", "--home", home, exit_code=1)
    table = next((home / "snapshots" / f"{DAYS[1]}-0000" / "tables" / "part").iterdir())
    table.write_bytes(b"")
    assert "1 files are gone or not as long as they were" in kravoversikt("rollback", "--home", home, exit_code=1)
    assert current(home) == f"{S}-0000"
    assert not (home / "runs").exists()


def test_pin_and_unpin(home):
    assert kravoversikt("pin", DAYS[0], "--home", home) == f"{DAYS[0]}-0000 is pinned\n"
    assert f"{DAYS[0]}-0000 (pinned)" in kravoversikt("status", "--home", home)
    assert json.loads((home / RECORD).read_text())["pinned"] == [f"{DAYS[0]}-0000"]
    assert kravoversikt("pin", f"{DAYS[0]}-0000", "--remove", "--home", home).endswith("is not pinned any more\n")
    assert "pinned)" not in kravoversikt("status", "--home", home)
    assert kravoversikt("pin", "2020-01-01", "--home", home, exit_code=1).startswith("Error: no published snapshot of")


# doctor


@pytest.fixture
def sound(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which all is as a night leaves it, but for the rows of deliveries."""
    folder = published_snapshot(home)
    pl.DataFrame([], {"part": pl.String, "siden": pl.Date}).write_parquet(folder / HELD_BACK)
    pl.DataFrame([], LED).write_parquet(folder / LED_TO)
    pl.DataFrame([], REFUSED).write_parquet(folder / REFUSED_ROWS)
    of = Of(home, home / "deliveries", folder, [])
    write_analytics(of, read_manifest(folder), read_rates(RATES), read_kravtyper(KRAVTYPER))
    manifest = home / "current" / "manifest.json"
    files = {name: file.model_dump() for name, file in checksums(folder).items()}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"used": [], "files": files}))
    link_analytics(home)
    return home


def test_a_sound_home(sound):
    told = kravoversikt("doctor", "--home", sound)
    assert {line[:6] for line in told.splitlines()} == {"ok    "}
    for words in ("permissions:", "lock: free", "published:", "earlier: 2 whole", "deliveries:", "analysts:", "space:"):
        assert f"\nok     {words}" in f"\n{told}"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


HURT = {
    "another byte": (
        lambda home: flip(next((home / "current" / "documents").glob("*.zst"))),
        r"is gone or not as it was",
        "run a night with --full, or restore it from a backup",
    ),
    "a table gone": (
        lambda home: (home / "current" / "tables" / "part" / "part.parquet").unlink(),
        "tables/part/part.parquet is gone or not as it was",
        "kravoversikt rollback, or restore it",
    ),
    "dangling": (
        lambda home: shutil.move(home / "current" / "manifest.json", home / "gone.json"),
        "the home is damaged: current leads to no snapshot",
        TO_DO["L3-HOME-DAMAGED"],
    ),
    "another version": (
        lambda home: rewrite(home, skjemaversjon="1"),
        "another version: its snapshots are of version 1",
        TO_DO["L3-HOME-VERSION"],
    ),
    "a delivery lost": (
        lambda home: rewrite(home, used=[accepted("mva", 1).model_dump(mode="json")]),
        f"deliveries/{accepted('mva', 1).folder}: they cannot be read",
        TO_DO["L3-ACCEPTED-LOST"],
    ),
    "an earlier one cut": (
        lambda home: (home / "snapshots" / f"{DAYS[0]}-0000" / "held_back.parquet").unlink(),
        f"{DAYS[0]}-0000: 1 files are gone or cut short",
        "don't go back to it",
    ),
    "the link": (
        lambda home: (home / "analytics.duckdb").unlink(),
        "does not lead to the published snapshot",
        "ln -sfn current/analytics.duckdb",
    ),
    "a slip in what is settled": (
        lambda home: (home / "operations.toml").write_text("max_age_hour = 1"),
        "operations.toml: max_age_hour: Extra inputs",
        "no night begins until then; the alarms go by what it said when it was right last",
    ),
    "a lock that is none": (lambda home: (home / ".lock").mkdir(), "/.lock is no file", "remove it"),
}


def rewrite(home: Path, **changed: object) -> None:
    path = home / "current" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


@pytest.mark.parametrize("hurt", HURT)
def test_what_is_wrong_with_a_home_and_what_to_do(sound, hurt):
    how, what, to_do = HURT[hurt]
    how(sound)
    lines = kravoversikt("doctor", "--home", sound, exit_code=1).splitlines()
    (place,) = (number for number, line in enumerate(lines) if what in line)
    assert lines[place].startswith("to do  ") and to_do in lines[place + 1]
    assert sum(line.startswith("to do  ") for line in lines) == 1


def test_a_home_that_was_moved_has_views_of_another_path(sound, tmp_path):
    moved = tmp_path / "moved"
    shutil.move(sound, moved)
    assert "the home was moved" in kravoversikt("doctor", "--home", moved, exit_code=1)


def test_too_little_room_for_the_next_night(sound, monkeypatch):
    monkeypatch.setattr(doctor_module.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    told = kravoversikt("doctor", "--home", sound, exit_code=1)
    assert "to do  space: 0 MB free" in told and "make room, or keep fewer dates" in told


def test_a_night_begins_only_where_there_is_room_for_the_ballast(tmp_path, monkeypatch):
    """Twice: the command lays it, and then the night, beside the one that lies there. Nothing need be published."""
    home, free = tmp_path / "home", 2 * BALLAST_BYTES
    home.mkdir()
    monkeypatch.setattr(doctor_module.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(free, 0, free))
    assert "ok     space: 17 MB free" in kravoversikt("doctor", "--home", home, exit_code=1)
    free -= 1
    assert "to do  space: 17 MB free" in kravoversikt("doctor", "--home", home, exit_code=1)
    (home / BALLAST).write_bytes(b"\0")  # what lies there is in place of as much that is free
    assert "ok     space: 17 MB free" in kravoversikt("doctor", "--home", home, exit_code=1)


def test_folders_that_cannot_be_written(sound, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "snapshots")
    assert f"to do  {sound / 'snapshots'} cannot be written" in kravoversikt("doctor", "--home", sound, exit_code=1)


def test_what_a_failed_night_left_is_told_and_is_no_fault(sound):
    (sound / "snapshots" / f"{S}-half").mkdir()
    (sound / ".work").mkdir()
    assert f"ok     left by a night that failed: snapshots/{S}-half, .work:" in kravoversikt("doctor", "--home", sound)


def test_no_home_and_nothing_published(tmp_path):
    kravoversikt("doctor", "--home", tmp_path / "none", exit_code=1)
    assert "nothing is published" in kravoversikt("doctor", "--home", tmp_path, exit_code=1)


# progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines_on(stream: io.StringIO) -> str:
    with progress(stream) as echo:
        for line in ("waits for run 1", "accept …", "accept mva 000001", "check …", "not begun: [x]"):
            echo(line)
    return stream.getvalue()


def test_elsewhere_than_on_a_terminal_progress_is_plain_lines():
    told = lines_on(io.StringIO())
    assert [line.partition(" s] ")[2] for line in told.splitlines()] == [
        *("waits for run 1", "accept …", "accept mva 000001", "check …", "not begun: [x]"),
    ]


def test_on_a_terminal_it_is_live_and_what_is_no_stages_own_stays(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    told = lines_on(Terminal())
    assert "waits for run 1" in told and "not begun: [x]" in told
    assert "\x1b[32mdone" in told and "\x1b[2K" in told  # colour, and lines that are written over
    assert told.endswith("\x1b[1A\x1b[2K")  # the stages are gone at the end
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in lines_on(Terminal())


def test_on_a_terminal_that_can_only_print_it_is_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in lines_on(Terminal())


def test_stages_are_timed_each_from_its_beginning_to_the_next():
    times = iter([10.0, 12.5, 20.0])
    shown = Shown(clock=lambda: next(times))
    assert [shown.take(line) for line in ("accept …", "check …", "documents 1 of 2 segments", "waits")] == [
        *(True, True, True, False),
    ]
    told = list(shown.__rich__().columns[2].cells)
    assert told[:2] == ["2.5 s", "7.5 s"]
