"""What the ledgers say tonight, as views (CONTRACT section 1 and 2.2).

Per delivered table there is a view ``ledger_<table>``: the good rows of every source, each with its ``PLACE``;
and one view ``ledger_refused`` over the rows that values or keys refused when their delivery was accepted.
A row stands until a later delivery of its source names its key, whether with good content, refused content or a
removal; a refused row without a key stands until the source's next full. ``delivered_<table>`` are all good rows that
the deliveries in force hold, also those that a later one has replaced: ``gjelder`` is false there. Nothing is copied:
the views read the accepted Parquet files.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from schemas.snapshot import Accepted
from schemas.tables import TABLES, Kind, Table
from transforms.home.refused import REFUSED_SCHEMA
from transforms.home.sql import sql_text
from transforms.ledgers.row_files import RowFile, delivered_files, paths_of

SQL_TYPES = {
    Kind.DATE: "DATE",
    Kind.FLAG: "BOOLEAN",
    Kind.AMOUNT: "BIGINT",
    Kind.POSITIVE_AMOUNT: "BIGINT",
}

PLACE = ("kilde", "leveransenummer", "fil", "rad", "row")
"""What ``ledger_<table>`` has beside the delivered columns: where a row is from, and ``row``, its number among all rows
of the table in the deliveries used, one after another from 0: the same in every connection over them.
"""


def create_ledgers(
    connection: duckdb.DuckDBPyConnection, deliveries: Path, used: Mapping[str, Sequence[Accepted]]
) -> None:
    """Creates ``ledger_<table>`` and ``delivered_<table>`` for every table, ``ledger_refused``, and the type
    ``kilder``, the names of the sources in a byte or two.
    """
    connection.register("_no_refused", REFUSED_SCHEMA.to_frame().to_arrow())
    connection.execute(f"CREATE TYPE kilder AS ENUM ({', '.join(map(sql_text, used or ['']))})")
    for table in TABLES.values():
        _create_named(connection, deliveries, used, table)
        current, delivered = [], []
        for delivery, files in delivered_files(deliveries, used, table.name):
            if files:
                rows, later = _rows(files), delivery is not used[delivery.kilde][-1]
                current.append(_rows_of(rows, delivery, table, later=later))
                delivered.append(_delivered(rows, delivery, table, later=later))
        stands = " UNION ALL ".join(current) or _none(table)
        versions = " UNION ALL ".join(delivered) or f"SELECT *, true AS gjelder FROM ({_none(table)})"
        connection.execute(f"CREATE TEMP VIEW ledger_{table.name} AS {stands}")
        connection.execute(f"CREATE TEMP VIEW delivered_{table.name} AS {versions}")
    _create_refused(connection, deliveries, used)


def _read(files: list[Path]) -> str:
    return f"read_parquet([{', '.join(sql_text(file) for file in files)}])"


def _rows(files: Sequence[RowFile]) -> str:
    """One scan of all the files, however many: ``fil`` is a file's number, as its name is, from 0."""
    paths = ", ".join(sql_text(file.path) for file in files)
    firsts = {int(file.path.stem): file.first for file in files}
    first = f"[{', '.join(str(firsts.get(number, 0)) for number in range(max(firsts) + 1))}][fil + 1]"
    return (
        f"SELECT *, ({first} + file_row_number)::UINTEGER AS row FROM read_parquet([{paths}], file_row_number = true)"
    )


def _none(table: Table) -> str:
    columns = [f"NULL::{SQL_TYPES.get(column.kind, 'VARCHAR')} AS {column.name}" for column in table.columns]
    place = [
        "NULL::VARCHAR AS kilde",
        "NULL::INTEGER AS leveransenummer",
        "NULL::INTEGER AS fil",
        "NULL::UINTEGER AS rad",
        "NULL::UINTEGER AS row",
    ]
    return f"SELECT {', '.join(columns + place)} WHERE false"


def _columns(delivery: Accepted, table: Table) -> str:
    place = f"{sql_text(delivery.kilde)} AS kilde, {delivery.leveransenummer} AS leveransenummer, fil, rad, row"
    return f"{', '.join(table.names)}, {place}"


def _named_later(delivery: Accepted, table: Table) -> str:
    return (
        f"SELECT noekkel FROM named_{table.name} WHERE kilde = {sql_text(delivery.kilde)} "
        f"AND leveransenummer > {delivery.leveransenummer}"
    )


def _delivered(rows: str, delivery: Accepted, table: Table, *, later: bool) -> str:
    stands = f"{table.key} NOT IN ({_named_later(delivery, table)})" if later else "true"
    return f"SELECT {_columns(delivery, table)}, {stands} AS gjelder FROM ({rows}) WHERE NOT slettet"


def _rows_of(rows: str, delivery: Accepted, table: Table, *, later: bool) -> str:
    select = f"SELECT {_columns(delivery, table)} FROM ({rows}) AS delivered"
    if delivery.type == "full" and not later:
        return select
    named = _named_later(delivery, table)
    return f"{select} ANTI JOIN ({named}) AS named ON named.noekkel = delivered.{table.key} WHERE NOT slettet"


def _create_named(
    connection: duckdb.DuckDBPyConnection, deliveries: Path, used: Mapping[str, Sequence[Accepted]], table: Table
) -> None:
    """``named_<table>``: the last change of each source that names a key."""
    changes = [delivery for chain in used.values() for delivery in chain[1:]]
    connection.execute(
        f"CREATE TEMP TABLE named_{table.name} AS SELECT kilde, noekkel, max(leveransenummer) AS leveransenummer "
        f"FROM ({delivered_keys_sql(deliveries, changes, table)}) GROUP BY kilde, noekkel"
    )


def delivered_keys_sql(deliveries: Path, named_by: Iterable[Accepted], table: Table) -> str:
    """Every key of the table that the deliveries name, refused rows' and removals' too, as SQL:
    ``kilde``, ``noekkel``, ``leveransenummer``.
    """
    parts = ["SELECT ''::VARCHAR AS kilde, ''::VARCHAR AS noekkel, 0 AS leveransenummer WHERE false"]
    for delivery in named_by:
        place = f"SELECT {sql_text(delivery.kilde)}, %s, {delivery.leveransenummer} FROM "
        files = paths_of(deliveries, delivery, table.name)
        if files:
            parts.append(place % table.key + _read(files))
        if delivery.refused(table.name):
            refused = _read([deliveries / delivery.folder / "refused.parquet"])
            parts.append(place % "noekkel" + f"{refused} WHERE tabell = '{table.name}' AND noekkel IS NOT NULL")
    return " UNION ALL ".join(parts)


def _create_refused(
    connection: duckdb.DuckDBPyConnection, deliveries: Path, used: Mapping[str, Sequence[Accepted]]
) -> None:
    parts = [f"SELECT {', '.join(REFUSED_SCHEMA)}, ''::VARCHAR AS kilde, 0 AS leveransenummer FROM _no_refused"]
    parts += [_refused_of(deliveries, delivery) for chain in used.values() for delivery in chain if delivery.refused()]
    named = " UNION ALL ".join(f"SELECT '{name}' AS tabell, * FROM named_{name}" for name in TABLES)
    connection.execute(
        f"""
        CREATE TEMP TABLE ledger_refused AS
        WITH refused AS ({" UNION ALL ".join(parts)}), named AS ({named})
        SELECT refused.* FROM refused
        ANTI JOIN named ON named.tabell = refused.tabell AND named.kilde = refused.kilde
          AND named.noekkel = refused.noekkel AND named.leveransenummer > refused.leveransenummer
        """
    )


_LATER = {"slettet": "BOOLEAN", "beloep": "BIGINT"}


def _refused_of(deliveries: Path, delivery: Accepted) -> str:
    """The refused rows of a delivery, as SQL. Those of an earlier program don't say all of it (``home.refused``)."""
    path = deliveries / delivery.folder / "refused.parquet"
    there = pl.read_parquet_schema(path)
    columns = [name if name in there else f"NULL::{_LATER[name]} AS {name}" for name in REFUSED_SCHEMA]
    return f"SELECT {', '.join(columns)}, {sql_text(delivery.kilde)}, {delivery.leveransenummer} FROM {_read([path])}"
