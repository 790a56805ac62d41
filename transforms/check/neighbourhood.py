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

from schemas.tables import BUT_PART, TABLES, WITH_PART, Column, Kind
from transforms.home.accepted import Accepted
from transforms.home.ledgers import PLACE, delivered_keys_sql
from transforms.home.snapshot import HELD_BACK, QUARANTINED, SAME
from transforms.home.sql import sql_text

LINKS = {
    **dict.fromkeys(WITH_PART, ("part",)),
    "kravforfall": ("kravidentifikator",),
    "plassering": ("kravforfallsidentifikator", "motpost"),
}
"""What a row of the tables looked up names beside its own key."""
REFERRED_TO_BY = {
    "krav": ("kravidentifikator",),
    "kravforfall": ("kravforfallsidentifikator", "motpost"),
    "innbetaling": ("motpost",),
    "utbetaling": ("motpost",),
}
"""The columns through which a refused row leads to the parts that it holds back: links are of good rows."""
MANY = 0.1
"""The share of the parts from which on reading everything costs less than finding what lies around them."""

_HASH = "CREATE OR REPLACE TEMP MACRO short_hash(value) AS (hash(value) >> 32)::UINTEGER"
"""Half of a hash is half the memory, and leads to some thousandth more rows."""


def look_at_everything(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates ``rows_<table>``: all that the sources say; ``counted_<table>`` has as many rows."""
    for name in TABLES:
        for view in ("rows", "counted"):
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {view}_{name} AS FROM current_{name}")


def look_around_changes(
    connection: duckdb.DuckDBPyConnection, previous: Path, deliveries: Path, changes: Sequence[Accepted]
) -> None:
    """Creates ``rows_<table>``: those whose verdict may be another than in ``previous``, with what it hangs on; and
    those that documents of the parts show that these belong to. When the parts are many, the former alone, without the
    texts, which no check reads and which are most of a row. ``versions_<table>``: these rows and those that later ones
    have replaced. ``counted_<table>`` has as many rows as the sources say.

    ``changes``: the deliveries used tonight that the previous snapshot did not use.
    """
    _link(connection)
    before = f"read_parquet([{sql_text(previous / QUARANTINED)}, {sql_text(previous / SAME)}])"

    def keys(name: str) -> str:
        named = delivered_keys_sql(deliveries, changes, TABLES[name])
        refers = " ".join(f"UNION SELECT {column} FROM current_refused" for column in REFERRED_TO_BY.get(name, ()))
        return f"SELECT noekkel FROM {before} WHERE tabell = '{name}' UNION SELECT noekkel FROM ({named}) {refers}"

    for name in BUT_PART:
        connection.execute(f"CREATE TEMP TABLE near_{name} AS SELECT short_hash(noekkel) AS h FROM ({keys(name)})")
    connection.execute(
        f"""
        CREATE TEMP TABLE near_parts AS
        WITH changed AS ({keys("part")})
        SELECT short_hash(noekkel) AS h FROM changed
        UNION SELECT short_hash(part) FROM current_part WHERE innehaver IN (FROM changed)
        UNION SELECT short_hash(part) FROM read_parquet({sql_text(previous / HELD_BACK)})
        """
    )
    _find_posts(connection)
    _follow_twice(connection)
    _find_owners(connection)
    few = _are_few(connection, "near_parts")
    if few:
        _find_posts(connection)
        _follow_twice(connection)
    _follow_claims(connection)
    _show(connection, lambda column: few or column.kind is not Kind.TEXT)


def look_around_parts(connection: duckdb.DuckDBPyConnection) -> bool:
    """Sees to it, after ``look_around_changes``, that ``rows_<table>`` have what documents of the parts ``to_build``
    show, with all placements on them, and on krav that pay out to them; when those parts are many, everything.

    Returns whether the rows are others than before.
    """
    missing = "SELECT count(*) FROM to_build WHERE short_hash(part) NOT IN (FROM near_parts)"
    others = not _are_whole(connection) or bool(connection.execute(missing).fetchall()[0][0])
    if others and _are_few(connection, "to_build"):
        for name in BUT_PART:
            connection.execute(f"DELETE FROM near_{name}; DROP TABLE versions_{name}")
        connection.execute("CREATE OR REPLACE TEMP TABLE near_parts AS SELECT short_hash(part) AS h FROM to_build")
        _find_posts(connection)
        _follow_twice(connection)
        _follow_claims(connection)
        _show(connection)
    elif others:
        look_at_everything(connection)
    for name in BUT_PART:
        connection.execute(f"DROP TABLE links_{name}")
    return others


def _are_whole(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether ``rows_<table>`` have the texts too."""
    return set(TABLES["krav"].names) <= set(connection.sql("FROM rows_krav LIMIT 0").columns)


def _are_few(connection: duckdb.DuckDBPyConnection, parts: str) -> bool:
    shares = f"SELECT (SELECT count(*) FROM {parts}), (SELECT count(*) FROM current_part)"
    some, all_parts = connection.execute(shares).fetchall()[0]
    return bool(some < MANY * all_parts)


def _link(connection: duckdb.DuckDBPyConnection) -> None:
    """``links_<table>``: which keys a row has ever named together, as hashes, whose it is and whether it stands."""
    connection.execute(_HASH)
    connection.execute("CREATE TEMP VIEW counted_part AS FROM current_part")
    for name, others in LINKS.items():
        hashes = ", ".join(f"short_hash({column}) AS {column}" for column in (TABLES[name].key, *others))
        links = f"SELECT {hashes}, kilde::kilder AS kilde, gjelder FROM delivered_{name}"
        connection.execute(f"CREATE TEMP TABLE links_{name} AS {links}")
        connection.execute(f"CREATE TEMP VIEW counted_{name} AS FROM links_{name} WHERE gjelder")


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
    near = f"SELECT {household} FROM current_part WHERE short_hash(part) IN (FROM near_parts)"
    _reach(connection, "parts", f"SELECT short_hash(part) FROM current_part WHERE {household} IN ({near})")


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
        """
        CREATE OR REPLACE TEMP TABLE reached AS SELECT kravforfallsidentifikator, motpost FROM links_plassering
        WHERE plasseringsidentifikator IN (FROM near_plassering)
        """
    )
    _reach(connection, "kravforfall", "SELECT unnest([kravforfallsidentifikator, motpost]) FROM reached")
    for name in ("innbetaling", "utbetaling"):
        _reach(connection, name, "SELECT motpost FROM reached")


def _show(connection: duckdb.DuckDBPyConnection, wanted: Callable[[Column], bool] = lambda _: True) -> None:
    """``versions_<table>``: the delivered rows near by, due dates with their krav. ``rows_<table>``: those of them that
    stand; of ``part`` all. Of a row the columns wanted.
    """
    connection.execute("CREATE OR REPLACE TEMP VIEW rows_part AS FROM current_part")
    for name in BUT_PART:
        near = "krav" if name == "kravforfall" else name
        columns = ", ".join([*(column.name for column in TABLES[name].columns if wanted(column)), *PLACE])
        connection.execute(
            f"CREATE TEMP TABLE versions_{name} AS SELECT {columns}, gjelder FROM delivered_{name} "
            f"WHERE short_hash({TABLES[near].key}) IN (FROM near_{near});"
            f"CREATE OR REPLACE TEMP VIEW rows_{name} AS SELECT {columns} FROM versions_{name} WHERE gjelder"
        )
