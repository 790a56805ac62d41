"""No personal data where it doesn't belong: only a snapshot's documents and tables tell who anyone is.

A run over deliveries with faults of every level; then everything that an operator or a log collector sees
of it is searched for every number, account and name that the deliveries hold.
"""

import io
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner

from cli.main import main
from schemas.refusals import Refusal
from schemas.tables import TABLES
from synthetic.generate import generate
from tests.nights import S
from tests.plain.numbers import national_number, organisation_number, with_wrong_check_digit
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from transforms import night as night_module
from transforms.accept.stage import accept

pytestmark = pytest.mark.slow

PERSONAL = [
    (table.name, column)
    for table in TABLES.values()
    for column in table.names
    if column in ("part", "innehaver") or column.endswith(("kontonummer", "iban", "kontoeiers_navn"))
]
"""The columns that say who someone is."""

ROOT = Path(__file__).parent.parent

LEAST = 6
"""Shorter strings stand everywhere by chance."""

COMPANY, STRANGER = organisation_number(770_001), organisation_number(770_002)
PERSON, MISTYPED = national_number(7_701), with_wrong_check_digit(national_number(7_702))
ACCOUNT = {"kontonummer": "86011117947", "iban": "NO9386011117947", "kontoeiers_navn": "Kåre Særskilt-Ødegård"}
PAYER = {f"fra_{name}": value for name, value in ACCOUNT.items()}


def faulty():
    """A row or two for each check that refuses one."""
    return rows(
        part(COMPANY),
        part(PERSON, "PERSON"),
        part(MISTYPED, "PERSON"),
        part(organisation_number(770_003), "ENK", national_number(7_703)),
        part(organisation_number(770_004), "ENK"),
        krav("F-K1", STRANGER, 100),  # part unknown
        kravforfall("F-F1", "F-K1", 100, "2026-01-01", **ACCOUNT),
        krav("F-K2", COMPANY, 100),  # due dates don't sum
        kravforfall("F-F2", "F-K2", 99, "2026-01-01", **ACCOUNT),
        krav("F-K3", COMPANY, 100),
        kravforfall("F-F3", "F-K3", 100, "2026-01-01", **ACCOUNT),
        innbetaling("F-I1", COMPANY, 0, **PAYER),  # not above 0
        innbetaling("F-I2", PERSON, 50, **PAYER),
        innbetaling("F-I3", PERSON, 50, **PAYER),  # twice
        innbetaling("F-I3", PERSON, 50, **PAYER),
        utbetaling("F-U1", PERSON, 50, None, til_kontoeiers_navn="Åse Uten Dato"),
        plassering("F-P1", "INNBETALING", "F-F3", "F-I2", 60),  # more than there is
        plassering("F-P2", "INNBETALING", PERSON, "Kåre Særskilt-Ødegård", 1),  # ends that aren't there
        plassering("F-P3", COMPANY, "F-F3", "F-I2", 1),  # no such code
    )


def kravoversikt(*words):
    """The command's output, and what was logged meanwhile."""
    log, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(log), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        done = CliRunner().invoke(main, [str(word) for word in words])
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return done, {f"{words[0]}: output": done.output + done.stderr, f"{words[0]}: logging": log.getvalue()}


@pytest.fixture(scope="module", autouse=True)
def no_settings():
    """The environment without settings of ours, and as it was afterwards: a run sets DAGSTER_HOME."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "KRAVOVERSIKT_HOME", "KRAVOVERSIKT_INBOX"):
            patch.setenv(name, "set, so that it is put back")
            patch.delenv(name)
        yield


def run(inbox, home, **options):
    os.environ.pop("DAGSTER_HOME", None)
    words = {"inbox": inbox, "home": home, "date": S, "max-held-back": 1000, "max-age-days": 1000, **options}
    return kravoversikt("run", *(word for name, value in words.items() for word in (f"--{name}", value)))


def run_alone(inbox, home):
    """A run as the operator makes it, in a process whose output Dagster keeps; returns what it printed."""
    os.environ.pop("DAGSTER_HOME", None)
    words = ("run", "--inbox", inbox, "--home", home, "--date", S, "--max-held-back", 1000, "--max-age-days", 1000)
    command = [sys.executable, "-m", "cli.main", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def left_in(home):
    """All that a night leaves but documents and tables, by where: text, bytes, and the codes of findings."""
    places = {}
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if path.is_file() and name.startswith(("runs/", "dagster/")):
            places[name] = path.read_bytes()
        if path.suffix == ".json" and name.startswith("snapshots/"):
            places[name] = path.read_bytes()
        if path.name == "findings.parquet":
            frame = pl.read_parquet(path)
            places[f"{name}: rows"] = json.dumps(frame.to_dicts(), ensure_ascii=False, default=str)
            places[f"{name}: codes"] = set(frame["kode"])
    return places


def leaks(personal, places):
    """Which of the texts is where."""
    found = set()
    for place, content in places.items():
        if isinstance(content, set):
            continue
        raw = content if isinstance(content, bytes) else content.encode()
        for text in personal:
            if text.encode() in raw or json.dumps(text)[1:-1].encode() in raw:
                found.add((place, text))
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What is seen of two nights, by where: the personal strings of their input, and all text and bytes."""
    folder = tmp_path_factory.mktemp("privacy")
    inbox, home = folder / "inbox", folder / "home"
    generate(inbox, 40, seed=5, nights=2, date=S)
    write_delivery(inbox, "feil", 1, "full", faulty())
    write_delivery(inbox, "feil", 2, "endring", faulty(), format="csv", manifest_changes=_wrong_everywhere)
    ragged = write_delivery(inbox, "ujevn", 1, "full", faulty(), format="csv")
    for path in ragged.glob("*.csv"):
        path.write_text(path.read_text() + f"{PERSON},Kåre Særskilt-Ødegård,{COMPANY}\n")
    (ragged / f"{PERSON}.txt").write_text("ikke i manifestet")
    personal = _personal(inbox)
    done, places = run(inbox, home)
    assert done.exit_code == 0, done.output
    places["run in its own process: output"] = run_alone(inbox, home)
    for words in (("status",), ("status", "--json"), ("findings",), ("findings", "--json")):
        _, said = kravoversikt(*words, "--home", home)
        places |= {f"{words} {place}": text for place, text in said.items()}
    places |= left_in(home)
    yield personal, places
    shutil.rmtree(folder)


def _wrong_everywhere(manifest):
    """Values in the manifest that a message could repeat."""
    manifest["type"] = PERSON
    manifest["tabeller"][STRANGER] = manifest["tabeller"].pop("utbetaling")
    manifest["tabeller"]["krav"]["filer"][0]["rader"] = MISTYPED
    manifest["tabeller"]["part"]["filer"][0]["sti"] = f"../{COMPANY}.csv"


def _personal(inbox):
    """Every number, account and name in the inbox, and those written above."""
    found = {COMPANY, STRANGER, PERSON, MISTYPED, "Åse Uten Dato", *ACCOUNT.values()}
    found |= {row["part"] for row in faulty()["part"]}
    for table, column in PERSONAL:
        for path in inbox.glob(f"*/*/{table}-*.parquet"):
            frame = pl.read_parquet(path)
            if column in frame.columns:
                found |= set(frame[column].drop_nulls().cast(pl.String))
    return sorted(text for text in found if len(text) >= LEAST)


def test_the_input_is_worth_searching_for(seen):
    personal, _ = seen
    assert sum(text.isdigit() and len(text) == 11 for text in personal) > 20
    assert sum(text.isdigit() and len(text) == 9 for text in personal) > 20
    assert sum(text.startswith("NO") for text in personal) > 5
    assert sum(" " in text for text in personal) > 10


def test_faults_of_many_kinds_were_found(seen):
    _, places = seen
    codes = set().union(*(value for value in places.values() if isinstance(value, set)))
    assert {code for code in codes if code.startswith("L1-")} >= {"L1-MANIFEST-FIELD", "L1-SHA256", "L1-FILE-UNLISTED"}
    assert len({code for code in codes if code.startswith("L2-")}) > 8


def test_the_places_are_all_searched(seen):
    """Among them Dagster's databases, which hold every event and its metadata."""
    _, places = seen
    assert sum(name.startswith("dagster/") and name.endswith(".db") for name in places) >= 2
    assert any(name.startswith("runs/") and name.endswith("report.json") for name in places)
    assert any(b"sources_usable" in value for value in places.values() if isinstance(value, bytes))


def test_nobody_is_found_outside_the_documents_and_tables(seen):
    assert leaks(*seen) == set()


# that somebody would be found, and what becomes of errors that quote the data


@pytest.fixture
def small(tmp_path):
    """An inbox with one small delivery, and a home."""
    write_delivery(tmp_path / "inbox", "mva", 1, "full", rows(part(COMPANY), part(PERSON, "PERSON")))
    return tmp_path / "inbox", tmp_path / "home"


def telling(run, progress):
    """The first stage, which tells a person's number in every way there is."""
    logging.getLogger("dagster").critical("krav of %s", PERSON)
    print(f"krav of {PERSON}")
    progress(f"krav of {PERSON}")
    left = accept(run, progress)
    counts = left.counts.model_copy(update={"refused_by_code": {PERSON: 1}})
    refusals = [*left.refusals, Refusal(0, "R-KID", PERSON)]
    return left.model_copy(update={"counts": counts, "refusals": refusals})


def test_somebody_would_be_found_wherever_he_were_told(small, monkeypatch):
    monkeypatch.setattr(night_module, "accept", telling)
    _, said = run(*small)
    found = {place for place, _ in leaks([PERSON], said | left_in(small[1]))}
    kinds = (
        "run: output",
        "run: logging",
        "report.json",
        "manifest.json",
        "findings.parquet: rows",
        "dagster/history/runs/",
    )
    assert [kind for kind in kinds if not any(kind in place for place in found)] == []


def quoting(*_):
    """An error as the engines make them: it quotes the value, and so does the one that it comes from."""
    try:
        duckdb.sql(f"SELECT CAST('{PERSON} {ACCOUNT['kontoeiers_navn']}' AS DATE)").fetchall()
    except duckdb.Error as error:
        raise ValueError(f"no date: {PERSON}") from error


class Panic(pl.exceptions.PanicException):
    """What Rust throws; no ``Exception``."""


def panicking(*_):
    raise Panic(f"called unwrap() on {PERSON}")


@pytest.mark.parametrize(
    ("stage", "error"),
    [("accept", quoting), ("check", panicking), ("reconcile", quoting), ("publish", quoting)],
)
def test_an_error_that_quotes_the_data_is_told_without_it(small, monkeypatch, stage, error):
    """In Dagster's storage, which keeps the text of errors and of what they come from, as anywhere else."""
    monkeypatch.setattr(night_module, stage, error)
    done, said = run(*small)
    assert done.exit_code == 1
    places = said | left_in(small[1])
    assert leaks([PERSON, ACCOUNT["kontoeiers_navn"], "no date", "unwrap"], places) == set()
    kind = "ValueError" if error is quoting else "Panic"
    told = f"{kind} at ".encode()
    assert any(told in content for place, content in places.items() if place.startswith("dagster/history/runs/"))
    assert f"failed in {stage}: {kind} at " in said["run: output"]
