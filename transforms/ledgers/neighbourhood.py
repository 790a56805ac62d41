"""Which rows a night looks at: all of them, or on an ordinary night those around what has changed.

``rows_<table>`` are the rows that the checks and the spreading read. A row's verdict hangs on few others: a krav's
on its part and its due dates, a due date's on its krav, a placement's on the posts at both its ends and, through what
is placed in all, on the other placements on them. So an ordinary night looks at the keys that the new deliveries
name, at those that last night were quarantined or said by two sources, and at what hangs on them, with all that this
leans on. Every other row is a good post as it was: ``docs/decisions/0013`` has the argument, and a test holds such
nights to whole ones.

Every column of every row is read once for that, so at the same time the rows are found that documents of the parts near
by show: mostly these are all that the spreading needs. ``versions_<table>`` has, beside the rows looked at, those that
later deliveries have replaced.

Keys are followed by their hashes, and over every version of a row that the deliveries in force hold: a row that is
reached without need is only looked at for nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import polars as pl

from schemas.snapshot import Accepted
from schemas.tables import BUT_PART, REFERRED_TO_BY, TABLES, WITH_PART, Column, Kind
from transforms.home.snapshot import HELD_BACK, QUARANTINED, SAME
from transforms.home.sql import sql_text
from transforms.ledgers.delivered import PLACE, delivered_keys_sql
from transforms.ledgers.row_files import RowFile

MANY = 0.1
"""The share of the parts from which on reading everything costs less than finding what lies around them."""


def look_at_everything(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates ``rows_<table>``: all that the sources say; ``counted_<table>`` has as many rows."""
    everything = {name: f"FROM ledger_{name}" for name in TABLES}
    _look_at(connection, everything)
    _count(connection, everything)


def _look_at(connection: duckdb.DuckDBPyConnection, rows: dict[str, str]) -> None:
    for name, query in rows.items():
        connection.execute(f"CREATE TEMP VIEW rows_{name} AS {query}")


def _count(connection: duckdb.DuckDBPyConnection, rows: dict[str, str]) -> None:
    for name, query in rows.items():
        connection.execute(f"CREATE TEMP VIEW counted_{name} AS {query}")


def look_around_changes(
    connection: duckdb.DuckDBPyConnection, previous: Path, deliveries: Path, changes: Sequence[Accepted]
) -> None:
    """Creates ``rows_<table>``: those whose verdict may be another than in ``previous``, with what it hangs on; and
    those that documents of the parts show that these belong to. When the parts are many, the former alone, without the
    texts, which no check reads and which are most of a row. ``versions_<table>``: these rows and those that later ones
    have replaced. ``counted_<table>`` has as many rows as the sources say.

    ``changes``: the deliveries used tonight that the previous snapshot did not use.
    """
    before = f"read_parquet([{sql_text(previous / QUARANTINED)}, {sql_text(previous / SAME)}])"

    def keys(name: str) -> str:
        """Those by which refused rows lead to the parts that they hold back are among them: links are of good rows."""
        named = delivered_keys_sql(deliveries, changes, TABLES[name])
        refers = " ".join(f"UNION SELECT {column} FROM ledger_refused" for column in REFERRED_TO_BY.get(name, ()))
        return f"SELECT noekkel FROM {before} WHERE tabell = '{name}' UNION SELECT noekkel FROM ({named}) {refers}"

    parts = f"""
        WITH changed AS ({keys("part")})
        SELECT short_hash(noekkel) AS h FROM changed
        UNION SELECT short_hash(part) FROM ledger_part WHERE innehaver IN (FROM changed)
        UNION SELECT short_hash(part) FROM read_parquet({sql_text(previous / HELD_BACK)})"""
    _begin(connection, parts, {name: f"SELECT short_hash(noekkel) AS h FROM ({keys(name)})" for name in BUT_PART})
    _find_posts(connection)
    _follow_twice(connection)
    _find_owners(connection)
    few = _are_few(connection, "near_parts")
    if few:
        _find_posts(connection)
        _follow_twice(connection)
    _follow_claims(connection)
    _show(connection, _near_sql(lambda column: few or column.kind is not Kind.TEXT))
    said = {name: f"FROM links_{name} WHERE gjelder" for name in BUT_PART}
    _count(connection, {"part": "FROM ledger_part", **said})


def look_around_parts(connection: duckdb.DuckDBPyConnection, parts: pl.DataFrame) -> None:
    """Creates ``rows_<table>``: what documents of the parts (``part``) show, with all placements on them, and on krav
    that pay out to them, without texts; when those parts are many, everything.
    """
    connection.register("around", parts.to_arrow())
    if not _are_few(connection, "around"):
        look_at_everything(connection)
        return
    nothing = "SELECT NULL::UINTEGER AS h WHERE false"
    _begin(connection, "SELECT short_hash(part) AS h FROM around", dict.fromkeys(BUT_PART, nothing))
    _find_posts(connection)
    _follow_twice(connection)
    _follow_claims(connection)
    _show(connection, _near_sql(lambda column: column.kind is not Kind.TEXT))
    for name in BUT_PART:
        connection.execute(f"DROP TABLE links_{name}")


def hand_over_near(connection: duckdb.DuckDBPyConnection, near: Path) -> None:
    """Writes what ``look_around_changes`` found to the folder ``near``, for ``look_there_again``."""
    near.mkdir(parents=True)
    for name in (*(f"versions_{name}" for name in BUT_PART), "near_parts"):
        connection.execute(f"COPY {name} TO {sql_text(near / f'{name}.parquet')} (COMPRESSION lz4)")


def look_there_again(connection: duckdb.DuckDBPyConnection, near: Path) -> None:
    """Creates ``rows_<table>`` and ``versions_<table>`` as ``look_around_changes`` did in another connection."""
    _hash(connection)
    _show(connection, {name: f"FROM read_parquet({sql_text(near / f'versions_{name}.parquet')})" for name in BUT_PART})


def near_files(near: Path) -> dict[str, list[RowFile]]:
    """By table the file of the rows handed over, among them ``rows_<table>``."""
    return {name: [RowFile(near / f"versions_{name}.parquet")] for name in BUT_PART}


def suffices_for(connection: duckdb.DuckDBPyConnection, parts: pl.DataFrame, near: Path) -> bool:
    """Whether ``rows_<table>``, looked at again, have all that documents of the parts (``part``) show, texts too."""
    connection.register("shown", parts.to_arrow())
    texts = set(TABLES["krav"].names) <= set(connection.sql("FROM rows_krav LIMIT 0").columns)
    found = f"FROM read_parquet({sql_text(near / 'near_parts.parquet')})"
    missing = f"SELECT count(*) FROM shown WHERE short_hash(part) NOT IN ({found})"
    return texts and not connection.execute(missing).fetchall()[0][0]


def _are_few(connection: duckdb.DuckDBPyConnection, parts: str) -> bool:
    shares = f"SELECT (SELECT count(*) FROM {parts}), (SELECT count(*) FROM ledger_part)"
    some, all_parts = connection.execute(shares).fetchall()[0]
    return bool(some < MANY * all_parts)


def _hash(connection: duckdb.DuckDBPyConnection) -> None:
    """Half of a hash is half the memory, and leads to some thousandth more rows."""
    connection.execute("CREATE TEMP MACRO short_hash(value) AS (hash(value) >> 32)::UINTEGER")


def _begin(connection: duckdb.DuckDBPyConnection, parts: str, keys: dict[str, str]) -> None:
    """Creates ``near_parts`` and ``near_<table>``, the hashes ``h`` to begin with, and ``links_<table>``: which keys a
    row has ever named together, as hashes, whose it is and whether it stands. ``reached``: for ``_follow_placements``.
    """
    _hash(connection)
    for name in BUT_PART:
        columns = (TABLES[name].key, *TABLES[name].references)
        hashes = ", ".join(f"short_hash({column}) AS {column}" for column in columns)
        links = f"SELECT {hashes}, kilde::kilder AS kilde, gjelder FROM delivered_{name}"
        connection.execute(f"CREATE TEMP TABLE links_{name} AS {links}")
    for name, query in {"parts": parts, **keys}.items():
        connection.execute(f"CREATE TEMP TABLE near_{name} AS {query}")
    connection.execute("CREATE TEMP TABLE reached (kravforfallsidentifikator UINTEGER, motpost UINTEGER)")


def _find_posts(connection: duckdb.DuckDBPyConnection) -> None:
    """From ``near_parts`` to their posts."""
    for name in WITH_PART:
        _reach(connection, name, f"SELECT {TABLES[name].key} FROM links_{name} WHERE part IN (FROM near_parts)")


def _find_owners(connection: duckdb.DuckDBPyConnection) -> None:
    """From the posts near by to the parts, whole households of them."""
    for name in WITH_PART:
        owners = f"SELECT part FROM links_{name} WHERE {TABLES[name].key} IN (FROM near_{name})"
        _reach(connection, "parts", owners)
    household = "short_hash(coalesce(innehaver, part))"
    near = f"SELECT {household} FROM ledger_part WHERE short_hash(part) IN (FROM near_parts)"
    _reach(connection, "parts", f"SELECT short_hash(part) FROM ledger_part WHERE {household} IN ({near})")


def _reach(connection: duckdb.DuckDBPyConnection, name: str, hashes: str) -> None:
    connection.execute(f"INSERT INTO near_{name} ({hashes}) EXCEPT FROM near_{name}")


def _follow_twice(connection: duckdb.DuckDBPyConnection) -> None:
    """From the keys in ``near_<table>`` to the claims that may change and the placements on them, then to what is at
    the other ends and all that is placed there. On what that is, ``_follow_claims`` tells.
    """
    for _ in range(2):
        _follow_claims(connection)
        _follow_placements(connection)


def _follow_claims(connection: duckdb.DuckDBPyConnection) -> None:
    """A due date's krav, and all due dates of a krav."""
    due_date, krav = TABLES["kravforfall"].key, TABLES["krav"].key
    _reach(connection, "krav", f"SELECT {krav} FROM links_kravforfall WHERE {due_date} IN (FROM near_kravforfall)")
    _reach(connection, "kravforfall", f"SELECT {due_date} FROM links_kravforfall WHERE {krav} IN (FROM near_krav)")


def _follow_placements(connection: duckdb.DuckDBPyConnection) -> None:
    """The placements on a post, and what they have at both ends; ``motpost`` may be of any table."""
    _reach(
        connection,
        "plassering",
        """SELECT plasseringsidentifikator FROM links_plassering
           WHERE kravforfallsidentifikator IN (FROM near_kravforfall)
           UNION ALL SELECT plasseringsidentifikator FROM links_plassering WHERE motpost IN (
             FROM near_kravforfall UNION ALL FROM near_innbetaling UNION ALL FROM near_utbetaling)""",
    )
    connection.execute(
        "INSERT INTO reached SELECT kravforfallsidentifikator, motpost FROM links_plassering "
        "WHERE plasseringsidentifikator IN (FROM near_plassering)"
    )
    _reach(connection, "kravforfall", "SELECT unnest([kravforfallsidentifikator, motpost]) FROM reached")
    for name in ("innbetaling", "utbetaling"):
        _reach(connection, name, "SELECT motpost FROM reached")
    connection.execute("DELETE FROM reached")


def _near_sql(wanted: Callable[[Column], bool]) -> dict[str, str]:
    """By table, the delivered rows near by, due dates with their krav, in the columns wanted and whether they stand."""
    near = {name: "krav" if name == "kravforfall" else name for name in BUT_PART}
    columns = {name: [column.name for column in TABLES[name].columns if wanted(column)] for name in BUT_PART}
    return {
        name: f"SELECT {', '.join([*columns[name], *PLACE])}, gjelder FROM delivered_{name} "
        f"WHERE short_hash({TABLES[near[name]].key}) IN (FROM near_{near[name]})"
        for name in BUT_PART
    }


def _show(connection: duckdb.DuckDBPyConnection, versions: dict[str, str]) -> None:
    """``versions_<table>``: the rows of these queries. ``rows_<table>``: those of them that stand; of ``part`` all."""
    for name, query in versions.items():
        connection.execute(f"CREATE TEMP TABLE versions_{name} AS {query}")
    stand = {name: f"SELECT * EXCLUDE (gjelder) FROM versions_{name} WHERE gjelder" for name in versions}
    _look_at(connection, {"part": "FROM ledger_part", **stand})
