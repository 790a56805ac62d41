"""``kravoversikt sql``: questions to the analysts' database."""

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.answers import WRITERS
from cli.options import home_option
from cli.output import failing_in_a_sentence, warn

if TYPE_CHECKING:
    import duckdb

GREETING = "A statement ends with ;  SHOW TABLES; and DESCRIBE krav; tell what there is, exit or Ctrl-D ends."
EXPLAINED = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?(\s*\([^()]*\))?\s", re.IGNORECASE)
NUMBERS = re.compile(r"\d{9,}")
"""What could be a part's, an account's or a payment's."""


class SqlError(Exception):
    """A statement that gives no answer, told in a sentence."""


@click.command()
@click.argument("statement", required=False)
@home_option
@click.option("--json", "form", flag_value="json", help="Each row as one JSON line.")
@click.option("--csv", "form", flag_value="csv", help="As CSV, with a header.")
@click.option("--table", "form", flag_value="table", default="table", help="As a table of up to 1,000 rows [default].")
def sql(statement: str | None, home: Path, form: str) -> None:
    """Answer a question to the published views (docs/tables.md), in SQL that reads: SELECT, FROM, SHOW and such.

    Without a statement it prompts on a terminal, and else reads statements from standard input. It changes nothing,
    and reads nothing outside of the home. The answers show whom a post belongs to: keep them out of logs.
    """
    with _connected(home) as connection:
        try:
            if statement is None and sys.stdin.isatty():
                _prompt(connection, form)
            else:
                _answer(connection, sys.stdin.read() if statement is None else statement, form)
        except SqlError as error:
            raise click.ClickException(str(error)) from error


@contextlib.contextmanager
def _connected(home: Path) -> "Iterator[duckdb.DuckDBPyConnection]":
    """The published database. What a large answer needs beside memory lies in a folder that is gone afterwards."""
    import duckdb

    from transforms.home.sql import sql_text

    path = home / "analytics.duckdb"
    if not path.exists():
        raise click.ClickException("nothing is published: there is no analytics.duckdb in the home")
    folders = ", ".join(sql_text(folder) for folder in dict.fromkeys((home.absolute(), home.resolve())))
    with tempfile.TemporaryDirectory() as spill:
        closed = {"autoload_known_extensions": False, "python_enable_replacements": False}
        try:
            connection = duckdb.connect(str(path.resolve()), read_only=True, config={"temp_directory": spill, **closed})
        except duckdb.Error as error:
            raise click.ClickException(f"{path} cannot be opened: {_sentence(error)}") from error
        with connection:
            connection.execute(f"SET allowed_directories = [{folders}]")
            connection.execute(
                "SET enable_progress_bar = false; SET enable_external_access = false; SET lock_configuration = true"
            )
            yield connection


def _answer(connection: "duckdb.DuckDBPyConnection", text: str, form: str) -> None:
    """Prints the answer to each statement. Raises ``SqlError`` at the first that has none."""
    import duckdb

    try:
        statements = connection.extract_statements(text)
        if not statements:
            raise SqlError("there is no statement")
        for one in statements:
            if not _only_reads(connection, one):
                raise SqlError(
                    "only statements that read are answered: SELECT, FROM, SHOW, DESCRIBE, SUMMARIZE, EXPLAIN"
                )
            answer = connection.execute(one)
            with failing_in_a_sentence():
                WRITERS[form](answer, sys.stdout)
    except duckdb.Error as error:
        raise SqlError(_sentence(error)) from error


def _only_reads(connection: "duckdb.DuckDBPyConnection", statement: "duckdb.Statement") -> bool:
    """EXPLAIN ANALYZE does what it explains."""
    import duckdb

    if statement.type == duckdb.StatementType.EXPLAIN:
        rest = EXPLAINED.sub("", statement.query, count=1)
        explained = connection.extract_statements(rest)
        return rest != statement.query and [one.type for one in explained] == [duckdb.StatementType.SELECT]
    return bool(statement.type == duckdb.StatementType.SELECT)


def _sentence(error: Exception) -> str:
    """What DuckDB says, without the place in the statement and anybody's number."""
    said = str(error).partition("\n\nLINE ")[0]
    if "file system operations are disabled" in said:
        return "files outside of the home are not read; of a home that was moved, the next night makes the views anew"
    if never := re.search(r"no night of \S+ is kept", said):
        return f"{_masked(never[0])}: `FROM snapshots` lists those that are"
    if "No files found that match" in said or "No such file" in said:
        return (
            "the snapshot's files are gone: it is a night no longer kept (`FROM snapshots` lists those that are), "
            "a later one has been published (ask again), or the home was moved"
        )
    return _masked(re.sub(r"^(\w+ )+Error: ", "", " ".join(said.split())))


def _masked(said: str) -> str:
    return NUMBERS.sub(lambda number: "#" * len(number[0]), said)


def _prompt(connection: "duckdb.DuckDBPyConnection", form: str) -> None:
    """Until ``exit`` or Ctrl-D. A statement may go over several lines; what is wrong with one is told."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (arrow keys, and the lines before, of this session only)
    warn(GREETING)
    lines: list[str] = []
    while True:
        try:
            lines.append(input("sql> " if not lines else "...> "))
            if not lines[0].strip() or lines[0].strip().rstrip(";").lower() in ("exit", "quit"):
                if lines.pop().strip():
                    return
            elif lines[-1].rstrip().endswith(";"):
                statement = "\n".join(lines)
                lines.clear()
                _answer(connection, statement, form)
        except SqlError as error:
            warn(f"Error: {error}")
        except KeyboardInterrupt:  # of what is being typed, or asked
            lines.clear()
            warn("")
        except EOFError:
            warn("")
            return
