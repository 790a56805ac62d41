"""No personal data where it doesn't belong: only a snapshot's documents and tables tell who anyone is.

A run over deliveries with faults of every level; then everything that an operator or a log collector sees
of it is searched for every number, account and name that the deliveries hold.
"""

import json
import os
import shutil

import polars as pl
import pytest
from click.testing import CliRunner

from cli.main import main
from schemas.tables import TABLES
from synthetic.generate import generate
from tests.nights import S
from tests.plain.numbers import national_number, organisation_number, with_wrong_check_digit
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery

PERSONAL = [
    (table.name, column)
    for table in TABLES.values()
    for column in table.names
    if column in ("part", "innehaver") or column.endswith(("kontonummer", "iban", "kontoeiers_navn"))
]
"""The columns that say who someone is."""

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
    return CliRunner().invoke(main, [str(word) for word in words])


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
    places = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "KRAVOVERSIKT_HOME", "KRAVOVERSIKT_INBOX"):
            patch.setenv(name, "set, so that it is put back")
            patch.delenv(name)
        for _ in range(2):
            os.environ.pop("DAGSTER_HOME", None)
            options = ("--max-held-back", 1000, "--max-age-days", 1000)
            done = kravoversikt("run", "--inbox", inbox, "--home", home, "--date", S, *options)
            assert done.exit_code == 0, done.output
            places[f"run {len(places)}: output"] = done.output + done.stderr
        for words in (("status",), ("status", "--json"), ("findings",), ("findings", "--json")):
            if words[0] in main.commands:
                shown = kravoversikt(*words, "--home", home)
                places[" ".join(words)] = shown.output + shown.stderr
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
    personal, places = seen
    found = set()
    for place, content in places.items():
        if isinstance(content, set):
            continue
        raw = content if isinstance(content, bytes) else content.encode()
        for text in personal:
            escaped = json.dumps(text)[1:-1].encode()
            if text.encode() in raw or escaped in raw:
                found.add((place, text))
    assert found == set()
