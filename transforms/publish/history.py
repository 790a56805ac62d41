"""What is kept of a night for good, sums of its open posts, and the views of all nights (``schemas.history``)."""

from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from schemas.history import FILES
from schemas.store import HISTORIES, OVERSIKTER, Segments
from transforms.home.snapshot import FINDINGS, PART_TABLE, REFUSED_ROWS
from transforms.home.sql import sql_text
from transforms.publish.at_home import AT_HOME

HISTORY, REFUSED = FILES


def write_tonight(connection: duckdb.DuckDBPyConnection, snapshot: Path, day: date) -> None:
    """Writes the snapshot's rows of the history, of its own files. ``connection``: with the macro ``aldersgruppe``.

    Of krav only the files of overviews are read: what is open stands there, and nowhere else (decisions/0017).
    """
    for name, query in ((HISTORY, _sums(snapshot)), (REFUSED, _refused(snapshot))):
        columns = ", ".join(f"{column}::{_TYPES[type(dtype)]} AS {column}" for column, dtype in FILES[name].items())
        night = f"SELECT DATE '{day}' AS snapshotdato, {sql_text(snapshot.name)} AS snapshot"
        into = f"{sql_text(snapshot / name)} (FORMAT parquet, COMPRESSION zstd)"
        connection.execute(f"COPY (SELECT {columns} FROM ({query}), ({night}) ORDER BY ALL) TO {into}")


_TYPES = {
    **{pl.Date: "DATE", pl.String: "VARCHAR", pl.Int8: "TINYINT", pl.Int64: "BIGINT"},
    pl.Decimal: "DECIMAL(38, 0)",
}


def _sums(snapshot: Path) -> str:
    def rows(name: str, segments: Segments) -> str:
        return f"read_parquet({sql_text(snapshot / 'tables' / name / f'*{segments.suffix}.parquet')})"

    part = f"read_parquet({sql_text(snapshot / PART_TABLE)})"
    return f"""
        SELECT kravgruppe, parttype, aldersgruppe(snapshotdato - forfallsdato) AS aldersgruppe, count(*) AS antall,
               sum(f.gjenstaaende_beloep) AS gjenstaaende_beloep, sum(least(f.gjenstaaende_beloep, 0)) AS herav_kredit,
               sum(f.stipulerte_renter) AS stipulerte_renter, 0 AS uplassert_beloep
        FROM {rows("kravforfall", OVERSIKTER)} AS f
        JOIN {part} AS p ON p.part = f.part AND p.oversikt_segment = f.segment
        JOIN {rows("krav", OVERSIKTER)} AS k ON k.kravidentifikator = f.kravidentifikator AND k.segment = f.segment
        WHERE f.gjenstaaende_beloep <> 0 GROUP BY ALL
        UNION ALL
        SELECT NULL, parttype, aldersgruppe(snapshotdato - innbetalingsdato), count(*), 0, 0, 0, sum(uplassert_beloep)
        FROM {rows("innbetaling", HISTORIES)} AS i JOIN {part} AS p ON p.part = i.part AND p.segment = i.segment
        WHERE uplassert_beloep <> 0 GROUP BY ALL"""


def _refused(snapshot: Path) -> str:
    return f"""
        SELECT 2 AS nivaa, kilde, koder[1] AS kode, count(*) AS antall, sum(beloep) AS beloep
        FROM read_parquet({sql_text(snapshot / REFUSED_ROWS)}) GROUP BY ALL
        UNION ALL
        SELECT 1, kilde, kode, count(*), NULL
        FROM read_parquet({sql_text(snapshot / FINDINGS)}) WHERE nivaa = 1 GROUP BY ALL"""


def history_views(home: Path, snapshot: Path, day: date) -> dict[str, str]:
    """By name the query of each view: this night's rows are the snapshot's own, those of earlier ones the home's.

    So they are right before the night is gathered, and of a snapshot that is gone back to.
    """
    return {
        "historikk": f"""
            SELECT snapshotdato, kravgruppe, parttype, aldersgruppe::aldersgruppe AS aldersgruppe, antall,
                   {", ".join(map(_kroner, ("gjenstaaende_beloep", "herav_kredit", "stipulerte_renter")))},
                   {_kroner("uplassert_beloep")}
            FROM ({_rows(home, snapshot, day, HISTORY)}) WHERE {AT_HOME}""",
        "historikk_avvist": f"""
            SELECT snapshotdato, nivaa, kilde, kode, antall, {_kroner("beloep")}
            FROM ({_rows(home, snapshot, day, REFUSED)}) WHERE {AT_HOME}""",
    }


def _kroner(column: str) -> str:
    return f"({column}::DECIMAL(36, 0) * 0.01)::DECIMAL(38, 2) AS {column}"


def _rows(home: Path, snapshot: Path, day: date, name: str) -> str:
    columns = ", ".join(FILES[name])
    return (
        f"SELECT {columns} FROM read_parquet({sql_text(home / name)}) WHERE snapshotdato < DATE '{day}' "
        f"UNION ALL SELECT {columns} FROM read_parquet({sql_text(snapshot / name)})"
    )
