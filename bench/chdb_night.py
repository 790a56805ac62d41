"""The night's documents in chDB, ClickHouse in the process: ``python -m bench.chdb_night INBOX OUT DATE``.

The SQL is ``chdb_night.sql``; tables lie in memory. Leaves ``OUT/<kind>.parquet`` (``part``, ``document``), zstd.
"""

import sys
from pathlib import Path

from chdb.session import Session

from bench.inbox import KINDS, KRAVTYPER, RATES, ZSTD_LEVELS, delivered

SQL = Path(__file__).with_suffix(".sql")
SETTINGS = {
    "max_threads": 2,
    "prefer_column_name_to_alias": 1,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_parquet_compression_method": "'zstd'",
    "output_format_parquet_max_dictionary_size": 0,  # hardly any document is another's
    "output_format_parquet_row_group_size": 4096,
    "output_format_parquet_write_page_index": 0,
    "output_format_parquet_write_bloom_filter": 0,
}
RATE_COLUMNS = "fra_dato Date32, sats Decimal(9, 2)"
KRAVTYPE_COLUMNS = "kravtype String, tekst Nullable(String), kravgruppe Nullable(String), renteberegnes Nullable(Bool)"


def write_documents(inbox: Path, out: Path, snapshot_date: str) -> None:
    """Writes all documents."""
    out.mkdir(parents=True)
    session = Session()
    for name, value in SETTINGS.items():
        session.query(f"SET {name} = {value}")
    session.query(f"CREATE FUNCTION snapshot_date AS () -> toDate32('{snapshot_date}')")
    for table, files in delivered(inbox).items():
        rows = " UNION ALL ".join(f"SELECT * FROM file('{Path(file).absolute()}', Parquet)" for file in files)
        session.query(f"CREATE VIEW delivered_{table} AS {rows}")
    for table, csv, columns in (("rates", RATES, RATE_COLUMNS), ("kravtyper", KRAVTYPER, KRAVTYPE_COLUMNS)):
        rows = f"SELECT * FROM file('{csv}', CSVWithNames, '{columns}')"
        session.query(f"CREATE TABLE {table} ENGINE = Memory AS {rows}")
    for statement in SQL.read_text("utf-8").split(";\n"):
        if statement.strip():
            session.query(statement)
    for kind in KINDS:
        parquet = f"file('{out.absolute() / kind}.parquet', Parquet, 'part String, document String')"
        session.query(
            f"INSERT INTO FUNCTION {parquet} SETTINGS output_format_compression_level = {ZSTD_LEVELS[kind]} "
            f"SELECT part, document FROM dokument_{kind}"
        )
    session.close()


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
