"""Which rows a night looks at: all of them, or on an ordinary night those around what has changed.

``rows_<table>`` are the rows that the checks and the spreading read. A row's verdict hangs on few others: a krav's
on its part and its due dates, a due date's on its krav, a placement's on the posts at both its ends and, through what
is placed in all, on the other placements on them. So an ordinary night looks at the keys that the new deliveries
name, at those that last night were quarantined or said by two sources, and at what hangs on them, with all that this
leans on. Every other row is a good post as it was: ``docs/decisions/0013`` has the argument, and a test holds such
nights to whole ones.

Keys are followed by their hashes, and over every version of a row that the deliveries in force hold: a row that is
reached without need is only looked at for nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from schemas.tables import TABLES, WITH_PART, Column, Kind
from transforms.current import PLACE, delivered_keys_sql
from transforms.snapshot import HELD_BACK, QUARANTINED, SAME
from transforms.sources import Accepted
from transforms.sql import sql_text

LOOKED_UP = (*WITH_PART, "kravforfall", "plassering")
"""The tables of which a night looks at some rows only; ``part`` is small."""
MANY = 0.1
"""The share of the parts from which on reading everything costs less than finding what lies around them."""


def look_at_everything(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates ``rows_<table>``: all that the sources say."""
    for name in TABLES:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW rows_{name} AS FROM current_{name}")


def look_around_changes(
    connection: duckdb.DuckDBPyConnection, previous: Path, deliveries: Path, changes: Sequence[Accepted]
) -> None:
    """Creates ``rows_<table>``: those whose verdict may be another than in ``previous``, with what it hangs on;
    but for the texts, which no check reads and which are most of a row.

    ``changes``: the deliveries used tonight that the previous snapshot did not use.
    """
    _link(connection)
    before = f"read_parquet([{sql_text(previous / QUARANTINED)}, {sql_text(previous / SAME)}])"

    def keys(name: str) -> str:
        named = delivered_keys_sql(deliveries, changes, TABLES[name])
        return f"SELECT noekkel FROM {before} WHERE tabell = '{name}' UNION SELECT noekkel FROM ({named})"

    for name in LOOKED_UP:
        connection.execute(f"CREATE TEMP TABLE near_{name} AS SELECT hash(noekkel) AS h FROM ({keys(name)})")
    connection.execute(
        f"""
        CREATE TEMP TABLE near_parts AS
        WITH changed AS ({keys("part")})
        SELECT noekkel AS part FROM changed
        UNION SELECT part FROM current_part WHERE innehaver IN (FROM changed)
        UNION SELECT part FROM read_parquet({sql_text(previous / HELD_BACK)})
        """
    )
    _follow(connection)
    _show(connection, lambda column: column.kind is not Kind.TEXT)


def look_around_parts(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates ``rows_<table>`` anew, after ``look_around_changes``: those that documents of the parts ``to_build``
    show, with all placements on them, and on krav that pay out to them. When those parts are many, everything.
    """
    for name in LOOKED_UP:
        connection.execute(f"DROP TABLE rows_{name}")
    shares = "SELECT (SELECT count(*) FROM to_build), (SELECT count(*) FROM current_part)"
    some, parts = connection.execute(shares).fetchall()[0]
    if some < MANY * parts:
        for name in LOOKED_UP:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE near_{name} (h UBIGINT)")
        connection.execute("CREATE OR REPLACE TEMP TABLE near_parts AS FROM to_build")
        _follow(connection)
        _show(connection)
    else:
        look_at_everything(connection)
    connection.execute("DROP TABLE due_links; DROP TABLE placement_links")


def _link(connection: duckdb.DuckDBPyConnection) -> None:
    """``due_links`` and ``placement_links``: which keys a row has ever named together, as hashes."""
    connection.execute(
        """
        CREATE TEMP TABLE due_links AS
        SELECT hash(kravforfallsidentifikator) AS kravforfall, hash(kravidentifikator) AS krav
        FROM delivered_kravforfall;
        CREATE TEMP TABLE placement_links AS
        SELECT hash(plasseringsidentifikator) AS plassering, hash(kravforfallsidentifikator) AS kravforfall,
               hash(motpost) AS motpost
        FROM delivered_plassering
        """
    )


def _follow(connection: duckdb.DuckDBPyConnection) -> None:
    """From ``near_parts`` and the keys in ``near_<table>`` to what hangs on them, and what that leans on."""
    for name in WITH_PART:
        posts = f"SELECT hash({TABLES[name].key}) FROM current_{name} WHERE part IN (FROM near_parts)"
        connection.execute(f"INSERT INTO near_{name} {posts}")
    # the claims that may change, the placements on them, what is at the other ends, all that is placed there, on what
    for step in (_CLAIMS, _PLACEMENTS, _CLAIMS, _PLACEMENTS, _CLAIMS):
        for name, links in step:
            connection.execute(f"INSERT INTO near_{name} ({links}) EXCEPT FROM near_{name}")


_CLAIMS = (
    ("krav", "SELECT krav FROM due_links WHERE kravforfall IN (FROM near_kravforfall)"),
    ("kravforfall", "SELECT kravforfall FROM due_links WHERE krav IN (FROM near_krav)"),
)
"""A due date's krav, and all due dates of a krav."""

_PLACEMENTS = (
    (
        "plassering",
        """SELECT plassering FROM placement_links WHERE kravforfall IN (FROM near_kravforfall) OR motpost IN (
           FROM near_kravforfall UNION ALL FROM near_innbetaling UNION ALL FROM near_utbetaling)""",
    ),
    (
        "kravforfall",
        """SELECT unnest([kravforfall, motpost]) FROM placement_links
           WHERE plassering IN (FROM near_plassering)""",
    ),
    *(
        (name, "SELECT motpost FROM placement_links WHERE plassering IN (FROM near_plassering)")
        for name in ("innbetaling", "utbetaling")
    ),
)
"""The placements on a post, and what they have at both ends; ``motpost`` may be of any table."""


def _show(connection: duckdb.DuckDBPyConnection, wanted: Callable[[Column], bool] = lambda _: True) -> None:
    """``rows_<table>``: the rows near by, due dates with their krav; of ``part`` all. Of a row the columns wanted."""
    connection.execute("CREATE OR REPLACE TEMP VIEW rows_part AS FROM current_part")
    for name in LOOKED_UP:
        near = "krav" if name == "kravforfall" else name
        columns = ", ".join([*(column.name for column in TABLES[name].columns if wanted(column)), *PLACE])
        connection.execute(
            f"CREATE TEMP TABLE rows_{name} AS "
            f"SELECT {columns} FROM current_{name} WHERE hash({TABLES[near].key}) IN (FROM near_{near})"
        )
