"""``kravoversikt sql``: what it prints, and that it only reads."""

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from cli import sql as command
from cli.main import main


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with a view of a file of its own, and one of a file elsewhere."""
    home, elsewhere = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("elsewhere")
    with duckdb.connect(str(home / "analytics.duckdb")) as connection:
        for name, folder in (("krav", home), ("moved", elsewhere), ("gone", home)):
            connection.execute(
                f"COPY (SELECT 'K' || i AS k, i * 1.50 AS b FROM range(3) t(i)) TO '{folder}/{name}.parquet'"
            )
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder}/{name}.parquet')")
    (home / "gone.parquet").unlink()
    return home


def ask(home: Path, *words: str, typed: str | None = None):
    return CliRunner().invoke(main, ["sql", "--home", str(home), *words], input=typed)


VALUES = """SELECT 'Å"b,c' AS tekst, 10000000000000000.10::DECIMAL(38, 2) AS beloep, NULL AS intet, true AS flagg,
    DATE '2026-11-23' AS dag, [1.50, 2] AS flere, 'NaN'::DOUBLE AS ikke"""


def test_a_table_has_numbers_to_the_right(home):
    assert ask(home, "FROM krav ORDER BY k DESC").stdout == "k      b\n--  ----\nK2  3.00\nK1  1.50\nK0  0.00\n3 rows\n"


def test_a_table_ends_after_what_a_person_reads(home):
    printed = ask(home, "SELECT i FROM range(1001) AS t(i)").stdout.splitlines()
    assert printed[-2:] == ["999", "the first 1000 rows: --csv and --json print all"]
    assert ask(home, "SELECT i FROM range(1000) AS t(i)").stdout.endswith("\n999\n1000 rows\n")
    assert len(ask(home, "--csv", "SELECT i FROM range(1001) AS t(i)").stdout.splitlines()) == 1002


def test_a_table_escapes_what_would_steer_a_terminal(home):
    assert ask(home, "SELECT chr(27) || '[2J' AS a").stdout == "a\n---------\n\\u001b[2J\n1 row\n"
    assert ask(home, "SELECT 'A' || chr(10) || 'B' AS a").stdout == "a\n----\nA\\nB\n1 row\n"


def test_json_has_every_digit(home):
    (line,) = ask(home, "--json", VALUES).stdout.splitlines()
    assert '"beloep": 10000000000000000.10, "intet": null, "flagg": true, "dag": "2026-11-23"' in line
    assert json.loads(line)["tekst"] == 'Å"b,c'
    assert line.endswith('"flere": [1.50, 2.00], "ikke": null}')


def test_csv_has_every_digit(home):
    names, values = csv.reader(io.StringIO(ask(home, "--csv", VALUES).stdout))
    assert names == ["tekst", "beloep", "intet", "flagg", "dag", "flere", "ikke"]
    assert values == ['Å"b,c', "10000000000000000.10", "", "true", "2026-11-23", "[1.50, 2.00]", "nan"]


def test_statements_from_standard_input_until_one_is_wrong(home):
    result = ask(home, "--csv", typed="SELECT 1 AS a;\n-- and\nSELECT 2 AS b; SELECT c; SELECT 3;")
    assert (result.exit_code, result.stdout) == (1, "a\n1\nb\n2\n")
    assert result.stderr.startswith('Error: Referenced column "c" was not found')


WRITES = [
    *("COPY krav TO '{home}/out.csv'", "EXPLAIN ANALYZE COPY krav TO '{home}/out.csv'", "ATTACH '{home}/new.duckdb'"),
    *("EXPLAIN (ANALYZE, FORMAT json) COPY krav TO '{home}/out.csv'", "CREATE TABLE t AS SELECT 1", "DROP VIEW krav"),
    *("EXPORT DATABASE '{home}/out'", "SET threads = 1", "INSTALL spatial", "PRAGMA enable_profiling", "CHECKPOINT"),
    *("EXPLAIN SELECT 1; COPY krav TO '{home}/out.csv'", "/* */ EXPLAIN ANALYZE COPY krav TO '{home}/out.csv'"),
]


@pytest.mark.parametrize("statement", WRITES)
def test_nothing_is_written(home, statement):
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    result = ask(home, statement.format(home=home))
    assert result.exit_code == 1
    assert "only statements that read are answered" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


@pytest.mark.parametrize(
    "statement", ["FROM moved", "FROM read_text('/etc/hostname')", "FROM glob('/*')", "FROM '../*.parquet'"]
)
def test_nothing_is_read_outside_of_the_home(home, statement):
    result = ask(home, statement)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: files outside of the home are not read")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("FROM kraw", 'Error: Table with name kraw does not exist! Did you mean "krav"?\n'),
        ("SELEC 1", 'Error: syntax error at or near "SELEC"\n'),
        (" ; ", "Error: there is no statement\n"),
        ("SELECT '12345678901'::TINYINT", "Error: Could not convert string '###########' to INT8\n"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(home, statement, told):
    result = ask(home, statement)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", told)


def test_a_night_that_is_not_kept_is_told_without_anybodys_number(home):
    """As the macros of nights name it: in the path of a folder that is not there."""
    asked = "FROM read_parquet('{}/no night of {} is kept/tables/krav/*.parquet')"
    for night, told in (("2026-11-01", "2026-11-01"), ("12345678901", "###########")):
        result = ask(home, asked.format(home, night))
        assert result.stderr == f"Error: no night of {told} is kept: `FROM snapshots` lists those that are\n"


def test_files_that_have_gone_are_told(home):
    assert "Error: the snapshot's files are gone" in ask(home, "FROM gone").stderr


def test_a_home_without_a_snapshot(tmp_path):
    result = ask(tmp_path, "SELECT 1")
    assert (result.exit_code, "nothing is published" in result.stderr) == (1, True)
    (tmp_path / "analytics.duckdb").write_bytes(b"no database")
    result = ask(tmp_path, "SELECT 1")
    assert (result.exit_code, "cannot be opened" in result.stderr) == (1, True)


def test_a_plan_is_a_drawing(home):
    drawn = ask(home, "EXPLAIN FROM krav").stdout.splitlines()
    assert any("Projections: k, b" in line for line in drawn)
    assert len(drawn) > 3


def test_the_prompt_goes_on_until_exit(home, monkeypatch, capsys):
    """Over lines, after a mistake, and after Ctrl-C."""
    typed = iter(["SELECT 1", "AS a;", "", "SELEC;", "SELECT 2 AS", KeyboardInterrupt, "SELECT 3 AS b;", "exit;"])

    def type_in(_: str) -> str:
        said = next(typed)
        if isinstance(said, str):
            return said
        raise said

    monkeypatch.setattr("builtins.input", type_in)
    with command._connected(home) as connection:
        command._prompt(connection, "csv")
    printed = capsys.readouterr()
    assert printed.out == "a\n1\nb\n3\n"
    assert 'Error: syntax error at or near "SELEC"' in printed.err
    assert next(typed, "all typed") == "all typed"
