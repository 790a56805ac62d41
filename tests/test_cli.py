"""The command line from end to end: generate, run, get, export, status, through the Dagster job."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from cli.main import main, program
from schemas.snapshot import OSLO
from schemas.store import KINDS
from tests.plain.numbers import organisation_number, with_wrong_check_digit
from tests.plain.statement import krav, kravforfall, part, rows
from tests.plain.write import write_delivery
from transforms.home.lock import locked

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
DAY = "2026-11-23"
PARTS = 40
YEAR = ("--fra-og-med", "2026-01-01", "--til-og-med", "2026-12-31")
XML = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<kodeliste xmlns="urn:no:skatteetaten:kodelistebibliotek:domain:v1"><tekniskNavn>kravtype</tekniskNavn>
<kode><tekniskNavn>Restskatt</tekniskNavn>
<beskrivelse><spraakTekst><tekst>Restskatt etter liste</tekst><spraak>no</spraak></spraakTekst></beskrivelse>
<kodetillegg><kravgruppe>Skatt etter liste</kravgruppe></kodetillegg></kode></kodeliste>"""


@pytest.fixture(scope="module", autouse=True)
def environment():
    """``run`` sets DAGSTER_HOME for its process; here many homes share one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "KRAVOVERSIKT_HOME", "KRAVOVERSIKT_INBOX"):
            patch.setenv(name, "set, so that it is put back")
            patch.delenv(name)
        yield patch


def kravoversikt(*words):
    """Types a command; gives its exit code, standard output and standard error."""
    os.environ.pop("DAGSTER_HOME", None)
    return CliRunner().invoke(main, [str(word) for word in words])


def run(inbox, home, day=DAY, *words):
    return kravoversikt("run", "--inbox", inbox, "--home", home, "--date", day, *words)


def export(home, kind):
    result = kravoversikt("export", kind, "--home", home)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes


def exported(home):
    return {kind: export(home, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """An inbox of two nights; the first one run, and its exports."""
    folder = tmp_path_factory.mktemp("cli")
    made = kravoversikt("generate", folder / "all", "--parts", PARTS, "--seed", 7, "--nights", 2, "--date", DAY)
    assert made.exit_code == 0, made.output
    for source in (folder / "all").iterdir():
        shutil.copytree(source / "000001", folder / "inbox" / source.name / "000001")
    result = run(folder / "inbox", folder / "home")
    assert result.exit_code == 0, result.output + result.stderr
    return folder, result


@pytest.fixture(scope="module")
def home(sample):
    return sample[0] / "home"


# generate


def test_generate_makes_a_full_and_a_change_of_three_sources(sample):
    folder, _ = sample
    sources = sorted(path.name for path in (folder / "all").iterdir())
    assert len(sources) >= 3
    for number, type in (("000001", "full"), ("000002", "endring")):
        for source in sources:
            assert json.loads((folder / "all" / source / number / "manifest.json").read_text())["type"] == type


def test_generate_gives_the_same_bytes_for_the_same_seed(sample, tmp_path):
    kravoversikt("generate", tmp_path, "--parts", PARTS, "--seed", 7, "--nights", 2, "--date", DAY)

    def content(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert content(tmp_path) == content(sample[0] / "all")


# run


def test_run_prints_progress_and_a_summary(sample):
    _, result = sample
    summary = result.stdout
    assert f"night of {DAY}" in summary.splitlines()[0]
    assert summary.splitlines()[0].endswith("published")
    for word in ("deliveries", "3 accepted", "0 refused", "posts", "documents", "MB of new JSON", "seconds", "peak MB"):
        assert word in summary
    for stage in ("accept", "check", "spread", "build", "reconcile", "publish"):
        assert re.search(rf"^{stage} +[0-9.]+ +[0-9]+$", summary, re.MULTILINE)
        assert f"{stage} …" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--inbox", "{folder}", "--date", "2026-02-30"],
        ["--inbox", "{folder}", "--date", "23.11.2026"],
        ["--inbox", "{folder}", "--date", DAY, "--max-held-back", "nan"],
        ["--inbox", "{folder}", "--date", DAY, "--max-loss", "nan"],
        ["--inbox", "{folder}", "--home", "{folder}/a slip"],
        ["--inbox", "{folder}", "--date", DAY, "--keep", "0"],
        ["--inbox", "{folder}", "--date", DAY, "--max-held-back", "-1"],
        ["--inbox", "{folder}", "--date", DAY, "--rates", "{folder}/not there.csv"],
        ["--inbox", "{folder}", "--date", DAY, "--rates", "{folder}/bad.csv"],
        ["--inbox", "{folder}", "--date", DAY, "--rates", "{folder}/no rates.csv"],
        ["--inbox", "{folder}", "--date", DAY, "--kravtyper", "{folder}/bad.xml"],
        ["--inbox", "{folder}", "--date", DAY, "--kravtyper", "{folder}/bad encoding.xml"],
        ["--inbox", "{folder}", "--date", DAY, "--home", "{folder}/a%20b"],
        ["--inbox", "{folder}", "--date", DAY, "--home", "{folder}/a\\b"],
        ["--inbox", "{folder}", "--date", DAY, "--unknown"],
    ],
)
def test_wrong_usage_exits_2(tmp_path, words):
    (tmp_path / "bad.csv").write_text("fra_dato;sats\n")
    (tmp_path / "no rates.csv").write_text("fra_dato,sats\n")
    (tmp_path / "bad.xml").write_text("<kodeliste>")
    (tmp_path / "bad encoding.xml").write_text('<?xml version="1.0" encoding="foo"?><kodeliste/>')
    (tmp_path / "a slip").mkdir()
    (tmp_path / "a slip" / "operations.toml").write_text("max_age_hour = 1")
    result = kravoversikt("run", "--home", tmp_path / "home", *(word.format(folder=tmp_path) for word in words))
    assert result.exit_code == 2, result.output
    assert "Usage:" in result.stderr
    assert not (tmp_path / "home" / "current").exists()


def test_inbox_and_date_have_their_defaults(tmp_path, monkeypatch):
    """The environment's inbox, and today in Oslo, wherever the machine is."""
    (tmp_path / "inbox").mkdir()
    monkeypatch.setenv("KRAVOVERSIKT_INBOX", str(tmp_path / "inbox"))
    days = [datetime.now(OSLO).date()]
    result = kravoversikt("run", "--home", tmp_path / "home")
    days.append(datetime.now(OSLO).date())  # midnight may pass meanwhile
    assert result.exit_code == 1
    assert "L3-NO-SOURCE" in result.stdout
    assert result.stdout.startswith(tuple(f"night of {day}, run " for day in days))


def test_a_run_that_is_not_published_exits_1_and_says_why(tmp_path):
    (tmp_path / "inbox").mkdir()
    result = run(tmp_path / "inbox", tmp_path / "home")
    assert result.exit_code == 1
    assert "stopped" in result.stdout
    assert "L3-NO-SOURCE" in result.stdout
    status = kravoversikt("status", "--home", tmp_path / "home")
    assert status.exit_code == 1
    assert "KB-002" in status.stdout
    assert "L3-NO-SOURCE" in status.stdout


def test_two_runs_at_once(sample, home):
    """The second says who holds the home, and leaves what is published."""
    before = (home / "current").resolve()
    with locked(home, "the-other"):
        result = run(sample[0] / "inbox", home)
    assert result.exit_code == 1
    assert "the-other" in result.stderr
    assert f"process {os.getpid()}" in result.stderr
    assert (home / "current").resolve() == before


def test_a_dead_holder_holds_nothing(sample, home):
    """A process that took the lock and died: its file is there, its lock is not."""
    code = (
        "import os, sys, pathlib, transforms.home.lock as n\n"
        "with n.locked(pathlib.Path(sys.argv[1]), 'dead'): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(home)], cwd=ROOT, check=False).returncode == 9
    with locked(home, "next"):
        assert "next" in (home / ".lock").read_text()


# reading


def test_export_is_one_document_a_line_in_part_order(home):
    for kind, text in exported(home).items():
        lines = text.decode().split("\n")
        assert lines.pop() == ""
        parts = [json.loads(line)["forespurtPart"] for line in lines]
        assert parts == sorted(set(parts))
        assert len(parts) == PARTS
        if kind != "oversikt":
            assert not any('"periode"' in line for line in lines)


def test_every_exported_amount_has_two_decimals(home):
    for text in exported(home).values():
        for line in text.splitlines():
            json.loads(line, parse_float=two_decimals, parse_int=two_decimals)


def two_decimals(number):
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]{2}", number), number
    assert number != "-0.00"


def test_get_is_what_export_shows(home):
    for line in export(home, "oversikt").splitlines():
        whose = json.loads(line)["forespurtPart"]
        assert kravoversikt("get", "oversikt", whose, "--home", home).stdout_bytes == line


def test_get_a_period(home):
    document = next(json.loads(line) for line in export(home, "krav").splitlines() if len(json.loads(line)["krav"]) > 3)
    days = [krav["opprettelsesdatoForKrav"][:10] for krav in document["krav"]]
    last = days[-1]
    words = ("--fra-og-med", last, "--til-og-med", last)
    got = json.loads(kravoversikt("get", "krav", document["forespurtPart"], "--home", home, *words).stdout)
    assert got["krav"] == [krav for krav, day in zip(document["krav"], days, strict=True) if day == last]
    assert list(got) == ["forespurtPart", "periode", "krav"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("oversikt", "123"), "KB-006"),
        (("oversikt", with_wrong_check_digit(organisation_number(1))), "KB-006"),
        (("oversikt", organisation_number(1), *YEAR), "KB-006"),
        (("krav", organisation_number(1)), "KB-006"),
        (("krav", organisation_number(1), *YEAR[:2]), "KB-006"),
        (("krav", organisation_number(1), "--fra-og-med", "2026-01-01", "--til-og-med", "2027-01-02"), "KB-006"),
        (("oversikt", organisation_number(1)), "KB-009"),
        (("krav", organisation_number(1), *YEAR), "KB-009"),
        (("utbetalinger", "{known}", "--fra-og-med", "1950-01-01", "--til-og-med", "1950-12-31"), "KB-007"),
    ],
)
def test_get_says_the_code_and_exits_1(home, words, code):
    known = json.loads(export(home, "oversikt").splitlines()[0])["forespurtPart"]
    result = kravoversikt("get", *(word.format(known=known) for word in words), "--home", home)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(rf"{code}: \w.*\n", result.stderr)
    assert known not in result.stderr


def test_reading_where_nothing_is_published(tmp_path):
    for words in (("get", "oversikt", organisation_number(1)), ("export", "krav")):
        result = kravoversikt(*words, "--home", tmp_path)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("KB-002: ")


def test_unknown_kind_is_wrong_usage(home):
    assert kravoversikt("get", "everything", organisation_number(1), "--home", home).exit_code == 2
    assert kravoversikt("export", "everything", "--home", home).exit_code == 2


def test_home_falls_back_to_the_environment(home, monkeypatch):
    monkeypatch.setenv("KRAVOVERSIKT_HOME", str(home))
    assert kravoversikt("export", "oversikt").stdout_bytes == export(home, "oversikt")


def test_status(home):
    text = kravoversikt("status", "--home", home)
    assert text.exit_code == 0
    assert f"{PARTS} with documents" in text.stdout
    content = json.loads(kravoversikt("status", "--home", home, "--json").stdout)
    assert content["published"]["snapshotdato"] == DAY
    assert content["published"]["parts"] == PARTS
    assert {used["leveransenummer"] for used in content["published"]["deliveries"]} == {1}


# for analysts


def test_households_are_what_the_documents_of_their_parts_say(home):
    """A sole proprietorship's document has its owner's posts too."""
    saldo = {
        document["forespurtPart"]: document["totalOversikt"]["saldo"]
        for document in (json.loads(line, parse_float=Decimal) for line in export(home, "oversikt").splitlines())
    }
    with duckdb.connect(str(home / "analytics.duckdb"), read_only=True) as connection:
        owners = connection.sql("SELECT part, innehaver FROM part").fetchall()
        households = dict(connection.sql("SELECT husholdning, saldo FROM husholdning").fetchall())
    expected = {number: saldo[number] for number, owner in owners if owner is None}
    for number, owner in owners:
        if owner is not None:
            expected[owner] += saldo[number] - saldo[owner]
    assert any(owner for _, owner in owners)
    assert households == expected


def test_flags_are_as_many_as_the_findings_report(home):
    """Of a night of full deliveries of which no row is refused."""
    with duckdb.connect(str(home / "analytics.duckdb"), read_only=True) as connection:
        reported = connection.sql(
            """SELECT tabell, split_part(melding, ' in ', -1), sum(regexp_extract(melding, '([0-9]+) in', 1)::INTEGER)
            FROM findings WHERE kode IN ('R-KID', 'R-KONTONUMMER', 'R-IBAN') GROUP BY ALL"""
        ).fetchall()
        flags = connection.sql(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE column_name LIKE '%\\_feiler' ESCAPE '\\'"
        ).fetchall()
        flagged = {
            (table, flag.removesuffix("_feiler")): connection.sql(
                f"SELECT count(*) FROM {table} WHERE {flag}"
            ).fetchall()[0][0]
            for table, flag in flags
        }
    assert len(flags) == 11 and reported
    assert {place: count for place, count in flagged.items() if count} == {
        (table, column): count for table, column, count in reported
    }


def test_analytics_opens_from_another_folder_and_sums_to_the_documents(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overviews = [json.loads(line, parse_float=Decimal) for line in export(home, "oversikt").splitlines()]
    names = ("stipulerteRenter", "forfalteKrav", "ikkeForfalteKrav", "uplasserteInnbetalinger", "saldo")
    with duckdb.connect(str(home / "analytics.duckdb"), read_only=True) as connection:
        columns = "stipulerte_renter, forfalte_krav, ikke_forfalte_krav, uplasserte_innbetalinger, saldo"
        per_part = connection.sql(f"SELECT forespurt_part, {columns} FROM oversikt ORDER BY 1").fetchall()
        groups = dict(
            connection.sql("SELECT kravgruppe, sum(saldo) FROM oversikt_per_kravgruppe GROUP BY ALL").fetchall()
        )
        posts = connection.sql(
            """SELECT (SELECT sum(opprinnelig_beloep) FROM krav), (SELECT sum(gjenstaaende_beloep) FROM kravforfall),
            (SELECT sum(innbetalt_beloep) FROM innbetaling), (SELECT sum(utbetalt_beloep) FROM utbetaling),
            (SELECT count(*) FROM part), (SELECT count(*) FROM findings WHERE nivaa > 0)"""
        ).fetchall()
    assert per_part == [
        (document["forespurtPart"], *(document["totalOversikt"][name] for name in names)) for document in overviews
    ]
    summed = {}
    for document in overviews:
        for group in document["oversiktPerKravgruppe"]:
            summed[group["kravgruppe"]] = summed.get(group["kravgruppe"], 0) + group["saldo"]
    assert groups == summed
    own = {kind: list(own_posts(home, kind)) for kind in ("krav", "innbetalinger", "utbetalinger")}
    assert posts == [
        (
            sum(post["opprinneligBeloep"] for post in own["krav"]),
            sum(post["gjenstaaendeBeloep"] for post in own["krav"]),
            -sum(post["innbetaltBeloep"] for post in own["innbetalinger"]),
            sum(post["utbetaltBeloep"] for post in own["utbetalinger"]),
            PARTS,
            0,
        )
    ]


def own_posts(home, kind):
    """Every post once: under the part whose it is."""
    for line in export(home, kind).splitlines():
        document = json.loads(line, parse_float=Decimal)
        (posts,) = (value for value in document.values() if isinstance(value, list))
        yield from (post for post in posts if post["part"] == document["forespurtPart"])


# the night after: these come last, as they publish anew


def test_second_run_on_the_same_date_is_byte_identical(sample, home):
    """Its deliveries are accepted: their data files may be gone from the inbox, they are not read again."""
    before, first = exported(home), (home / "current").resolve()
    for path in (sample[0] / "inbox").rglob("*.parquet"):
        path.unlink()
    result = run(sample[0] / "inbox", home)
    assert result.exit_code == 0, result.output
    assert "0 accepted" in result.stdout
    assert (home / "current").resolve() != first
    assert first.is_dir()
    assert exported(home) == before


def test_a_refused_delivery_leaves_the_last_good_in_force(sample, home):
    """The second night: one source's change is damaged; the others' are used."""
    folder, _ = sample
    for source in (folder / "all").iterdir():
        shutil.copytree(source / "000002", folder / "inbox" / source.name / "000002")
    damaged = sorted((folder / "inbox" / "skatt" / "000002").glob("krav*.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes() + b"x")
    result = run(folder / "inbox", home, "2026-11-24", "--keep", 2, "--max-held-back", 1)
    assert result.exit_code == 0, result.output
    assert "2 accepted" in result.stdout
    assert "1 refused" in result.stdout
    assert "L1-SHA256 × 1" in result.stdout
    content = json.loads(kravoversikt("status", "--home", home, "--json").stdout)
    used = {(used["kilde"], used["leveransenummer"]) for used in content["published"]["deliveries"]}
    assert ("skatt", 1) in used
    assert ("skatt", 2) not in used
    assert ("mva", 2) in used
    assert len(content["published"]["retained_snapshots"]) == 2
    assert len(list((home / "snapshots").iterdir())) == 2


def test_rates_and_kravtyper_that_a_run_is_given(tmp_path):
    """10 % of 3 650 is a krone a day."""
    whose = organisation_number(1)
    (tmp_path / "inbox").mkdir()
    ledger = rows(
        part(whose), krav("K", whose, 3650, kravtype="Restskatt"), kravforfall("F", "K", 3650, date(2026, 8, 15))
    )
    write_delivery(tmp_path / "inbox", "skatt", 1, "full", ledger)
    (tmp_path / "r.csv").write_text("fra_dato,sats\n2020-01-01,10.00\n")
    (tmp_path / "k.xml").write_text(XML)
    words = ("--rates", tmp_path / "r.csv", "--kravtyper", tmp_path / "k.xml")
    assert run(tmp_path / "inbox", tmp_path / "home", DAY, *words).exit_code == 0
    text = kravoversikt("get", "oversikt", whose, "--home", tmp_path / "home").stdout
    assert '"kravbeskrivelse":"Restskatt etter liste"' in text
    assert '"kravgruppe":"Skatt etter liste","stipulerteRenter":100.00,' in text


def test_the_program_itself(home):
    """As a process: the bytes on its standard output, its exit code."""
    code = "from cli.main import main; main()"
    words = [sys.executable, "-c", code, "export", "krav", "--home", str(home)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == export(home, "krav")


ENDING = """
import atexit, sys, threading
from cli.main import program
atexit.register(lambda: sys.stdout.write("the last"))
if sys.argv.pop(1) == "thread":
    threading.Timer(0.1, lambda: sys.stdout.write("a thread, ")).start()
program()
"""


@pytest.mark.parametrize(("thread", "ends"), [("", b"the last"), ("thread", b"a thread, the last")])
def test_the_program_ends_when_all_is_done_and_written(home, thread, ends):
    words = [sys.executable, "-c", ENDING, thread, "export", "krav", "--home", str(home)]
    env = os.environ | {"PYTHONUNBUFFERED": ""}  # so that the last words wait to be flushed
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == export(home, "krav") + ends


def test_the_program_ends_with_the_exit_code_of_its_command(tmp_path):
    words = [sys.executable, "-m", "cli.main", "status", "--home", str(tmp_path)]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == 1


def test_an_end_with_a_sentence_is_left_to_python(monkeypatch):
    """It writes that on standard error and exits with 1."""
    monkeypatch.setattr("cli.main.main", lambda: sys.exit("a sentence"))
    monkeypatch.setattr("threading.active_count", lambda: 1)
    with pytest.raises(SystemExit, match="a sentence"):
        program()
