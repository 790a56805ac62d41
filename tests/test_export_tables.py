"""The published tables by themselves: what they hold, and that pseudonyms tell nobody who anyone is."""

import hashlib
import hmac
import json
import shutil
from decimal import Decimal

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from analysis import filled, pseudonyms
from analysis.tables import LEFT_OUT, OF_A_HOME
from cli.main import main
from schemas.analytics import VIEWS
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.test_analytics import connected, of_a_night
from transforms.home.snapshot import ANALYTICS

COMPANY, ENK, OWNER, QUARANTINED = organisation_number(1), organisation_number(2), national_number(3), "810001059"
ACCOUNT = {
    **{"kontonummer": "86011117947", "iban": "NO9386011117947", "kontoeiers_navn": "Kåre Særskilt-Ødegård"},
    **{"bankinformasjon": "Banken ved Elva", "swift_bic": "DNBANOKKXXX"},
}
TO = {f"til_{name}": value for name, value in ACCOUNT.items()}
FROM = {f"fra_{name}": value for name, value in ACCOUNT.items()}
KEYS = (f"K-{OWNER}", f"F-{OWNER}", f"I-{COMPANY}", f"U-{OWNER}", f"P-{COMPANY}", f"Q-{OWNER}", f"R-{OWNER}")
KRAV, DUE, PAID, OUT, PLACED, CREDIT, CREDIT_DUE = KEYS
TEXTS = ("Krav mot Særskilt-Ødegård", "Oppgjør Ødegård", "perioden til Kåre", "kode-Særskilt", "gruppe-Ødegård")
KIDS = ("12345678903", "98765432103", "55555555503")
PERSONAL = (
    COMPANY,
    ENK,
    OWNER,
    QUARANTINED,
    *ACCOUNT.values(),
    *KEYS,
    *TEXTS,
    *KIDS,
    "odegaard-krav.csv",
    "Nøkkel Ola",
)
"""Every number, identifier, name and text of the input."""

STATEMENT = (
    *(part(COMPANY), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    krav(KRAV, OWNER, "100", kravbeskrivelse=TEXTS[0], kravperiode=TEXTS[2], kravtype=TEXTS[3], kravgruppe=TEXTS[4]),
    kravforfall(DUE, KRAV, "100", "2026-10-24", kidnummer=KIDS[0], **ACCOUNT),
    *(
        krav(CREDIT, ENK, "-5", kravgruppe="Skatt", kravtype="Skatt"),
        kravforfall(CREDIT_DUE, CREDIT, "-5", "2026-10-24"),
    ),
    innbetaling(PAID, COMPANY, "60.25", "2026-10-25", fra_kidnummer=KIDS[1], **FROM, **TO),
    utbetaling(OUT, ENK, "2", utbetalingsbeskrivelse=TEXTS[1], til_kidnummer=KIDS[2], **TO),
    *(
        plassering(PLACED, "INNBETALING", DUE, PAID, "50.25", "2026-10-26"),
        plassering(f"{PLACED}2", "UTBETALING", CREDIT_DUE, OUT, "2", "2026-10-26"),
    ),
)
REFUSED = {
    **{"avvist": 1, "tabell": "krav", "noekkel": "Nøkkel Ola", "kilde": "mva", "fil": "odegaard-krav.csv"},
    **{"part": QUARANTINED, "kravidentifikator": KRAV, "kravforfallsidentifikator": DUE, "motpost": PAID},
    **{"leveransenummer": 1, "rad": 1, "koder": ["L2-CLAIM-SUM"], "slettet": False, "beloep": 100},
}
EXPORTED = [name for name in VIEWS if name not in LEFT_OUT]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("exported") / "home"
    home.mkdir()
    of_a_night(home, *STATEMENT, held_back=[OWNER], led_to=[(OWNER, None, 1), (ENK, OWNER, 1)], refused=[REFUSED])
    return home


def exported(home, out, form, *options):
    words = ["export", "tables", str(out), "--home", str(home), "--format", form, *map(str, options)]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return out


def rows(out):
    """All rows of an export, by table."""
    if out.is_dir():
        return {path.stem: pl.read_parquet(path).rows() for path in out.iterdir()}
    with duckdb.connect(str(out), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        return {name: connection.execute(f"FROM {name}").fetchall() for (name,) in names}


@pytest.mark.parametrize("form", ["duckdb", "parquet"])
def test_an_export_is_the_views_and_needs_no_home(home, tmp_path, form):
    moved = shutil.copytree(home, tmp_path / "home", symlinks=True)
    out = exported(home, tmp_path / "out", form)
    shutil.rmtree(moved)
    found = rows(out)
    assert set(found) == set(EXPORTED)
    with connected(home) as connection:
        for name in EXPORTED:
            columns = ", ".join(one.name for one in VIEWS[name].columns if (name, one.name) not in OF_A_HOME)
            expected = connection.execute(f"SELECT {columns} FROM {name}").fetchall()
            assert sorted(map(repr, found[name])) == sorted(map(repr, expected)), name
    assert not any(str(home) in repr(row) for table in found.values() for row in table)
    assert out.stat().st_mode & 0o077 == 0  # its owner's alone


def test_one_file_has_macros_and_says_what_it_holds(home, tmp_path):
    out = exported(home, tmp_path / "out.duckdb", "duckdb")
    with duckdb.connect(str(out), read_only=True) as connection, connected(home) as source:
        for query in (
            *(f"SELECT saldo('{COMPANY}'), aldersgruppe(3)::VARCHAR", "FROM aldersfordelt()"),
            "SELECT renter(61244, DATE '2021-04-11', DATE '2023-08-28')",
            "FROM betalt_i_tide('2026-01-01'::DATE, '2026-12-31'::DATE)",
        ):
            assert connection.execute(query).fetchall() == source.execute(query).fetchall()
        comments = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'krav'"
        told = {column.name: column.comment for column in VIEWS["krav"].columns}
        assert dict(connection.execute(comments).fetchall()) == told


def test_parquet_says_what_it_holds_in_kroner(home, tmp_path):
    out = exported(home, tmp_path / "out", "parquet")
    schema = pq.read_schema(out / "krav.parquet")
    column = {one.name: one for one in VIEWS["krav"].columns}["gjenstaaende_beloep"]
    assert schema.metadata[b"description"].decode() == VIEWS["krav"].comment
    assert json.loads(schema.metadata[b"columns"])["gjenstaaende_beloep"] == column.comment
    assert schema.field("gjenstaaende_beloep").metadata[b"unit"] == b"kroner"
    assert schema.field("gjenstaaende_beloep").metadata[b"description"].decode() == column.comment
    assert pl.read_parquet(out / "krav.parquet")["gjenstaaende_beloep"].sum() == Decimal("46.75")


# pseudonymised


@pytest.mark.parametrize("form", ["duckdb", "parquet"])
def test_no_pseudonymised_export_has_a_number_or_name_of_the_input(home, tmp_path, form):
    plain = repr(rows(exported(home, tmp_path / "plain", form)))
    assert [one for one in PERSONAL if one not in plain] == []  # it would be found
    out = exported(home, tmp_path / "out", form, "--pseudonymised")
    files = sorted(out.iterdir()) if out.is_dir() else [out]
    found = repr(rows(out)) + "".join(path.read_bytes().decode("latin-1") for path in files)
    found += "".join(repr(pq.read_schema(path)) for path in files if path.suffix == ".parquet")
    assert [one for one in PERSONAL if one in found or one.encode().decode("latin-1") in found] == []


def test_no_process_that_has_read_the_home_writes_the_file(home, tmp_path, monkeypatch):
    """What was in memory gets into DuckDB's blocks, but seldom of a home so small: it would be looked for in vain."""
    monkeypatch.setattr(filled, "duckdb", None)  # not of the process that writes: that is another
    assert set(rows(exported(home, tmp_path / "out", "duckdb", "--pseudonymised"))) == set(EXPORTED)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_pseudonyms_join_as_the_numbers_did(home, tmp_path):
    out = exported(home, tmp_path / "out", "duckdb", "--pseudonymised")
    queries = (
        "SELECT count(*) FROM krav JOIN part USING (part)",
        "SELECT count(*) FROM part AS p JOIN part AS o ON o.part = p.innehaver "
        "JOIN husholdning AS h ON h.husholdning = o.part",
        "SELECT count(*) FROM plassering JOIN innbetaling ON innbetalingsidentifikator = motpost",
        "SELECT count(*) FROM holdt_tilbake JOIN avvist USING (avvist) JOIN forfall USING (kravforfallsidentifikator)",
        "SELECT sum(saldo) FROM oversikt JOIN part ON part = forespurt_part",
        "FROM aldersfordelt() WHERE kravgruppe = 'Skatt'",
    )
    with duckdb.connect(str(out), read_only=True) as connection, connected(home) as source:
        for query in queries:
            expected = source.execute(query).fetchall()
            assert connection.execute(query).fetchall() == expected, query
            assert expected not in ([(0,)], [(None,)])
        kept = connection.execute("SELECT kravgruppe, kravtype FROM krav ORDER BY 1").fetchall()
        assert kept == [("Skatt", "Skatt"), ("ukjent", "ukjent")]


def test_the_same_secret_makes_the_same_pseudonyms(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"a" * 32)
    assert pseudonyms.secret(path) == b"a" * 32
    assert len({pseudonyms.secret(None), pseudonyms.secret(None), path.read_bytes()}) == 3
    with duckdb.connect() as connection:
        connection.execute(pseudonyms.macro(pseudonyms.secret(path)))
        found = connection.execute("SELECT pseudonym($1), pseudonym(NULL)", [COMPANY]).fetchone()
    inner, outer = (hmac.new(b"a" * 32, word, hashlib.sha256).hexdigest() for word in (b"inner", b"outer"))
    by_hand = hashlib.sha256(f"{outer}{hashlib.sha256(f'{inner}{COMPANY}'.encode()).hexdigest()}".encode()).hexdigest()
    assert found == (by_hand[:32], None)


def test_every_column_of_text_is_thought_of():
    """What nobody has thought of is left out; what is kept is kept on purpose."""
    left_out = {
        column.name
        for name in EXPORTED
        for column in VIEWS[name].columns
        if name != "kravtype" and pseudonyms.column(VIEWS[name], column).startswith("NULL")
    }
    assert left_out == {
        *("kravbeskrivelse", "kravperiode", "utbetalingsbeskrivelse", "melding", "fil", "rot_fil", "hjem", "publisert"),
        *("kidnummer", "fra_kidnummer", "til_kidnummer", "kontonummer", "iban", "bankinformasjon", "swift_bic"),
        *("kontoeiers_navn", "fra_kontonummer", "fra_kontoeiers_navn", "fra_bankinformasjon", "fra_swift_bic"),
        *("til_kontonummer", "til_iban", "til_kontoeiers_navn", "til_bankinformasjon", "til_swift_bic"),
    }


# wrong usage


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "csv"), "'csv' is not one of"),
        ((), "Missing option '--format'"),
        (("--format", "duckdb", "--key-file", "none"), "--key-file is for --pseudonymised"),
        (("--format", "duckdb", "--pseudonymised", "--key-file", "none"), "the key file cannot be read"),
        (("--format", "duckdb", "--pseudonymised", "--key-file", "short"), "must hold at least 32 bytes"),
    ],
)
def test_wrong_usage_writes_nothing(home, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_bytes(b"a" * 31)
    done = CliRunner().invoke(main, ["export", "tables", "out", "--home", str(home), *options])
    assert done.exit_code != 0
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["short"]


def test_what_is_there_is_never_written_over(home, tmp_path):
    (tmp_path / "out").write_bytes(b"mine")
    done = CliRunner().invoke(
        main, ["export", "tables", str(tmp_path / "out"), "--home", str(home), "--format", "duckdb"]
    )
    assert (done.exit_code, (tmp_path / "out").read_bytes()) == (2, b"mine")
    assert "is there already" in done.stderr


@pytest.mark.parametrize("form", ["duckdb", "parquet"])
def test_a_copied_home_is_not_exported_as_the_one_it_was_copied_from(home, tmp_path, form):
    copy = shutil.copytree(home, tmp_path / "copy", symlinks=True)
    done = CliRunner().invoke(main, ["export", "tables", str(tmp_path / "o"), "--home", str(copy), "--format", form])
    assert (done.exit_code, "its views read another home" in done.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_what_cannot_be_read_is_told_in_a_sentence(home, tmp_path):
    moved = shutil.copytree(home, tmp_path / "home", symlinks=True)
    path = (moved / "current" / ANALYTICS).resolve()
    path.chmod(0o600)
    path.write_bytes(b"none")
    done = CliRunner().invoke(
        main, ["export", "tables", str(tmp_path / "o"), "--home", str(moved), "--format", "parquet"]
    )
    assert (done.exit_code, "an analytics.duckdb that is damaged" in done.stderr) == (1, True)


def test_nothing_published(tmp_path):
    done = CliRunner().invoke(
        main, ["export", "tables", str(tmp_path / "o"), "--home", str(tmp_path), "--format", "duckdb"]
    )
    assert (done.exit_code, done.stderr) == (1, "Error: nothing is published\n")
