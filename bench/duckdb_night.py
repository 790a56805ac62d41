"""The night's documents as SQL in DuckDB: ``python -m bench.duckdb_night INBOX OUT DATE FORM [MEMORY]``.

The SQL is ``duckdb_night.sql``, nested structs, or ``duckdb_fragments.sql``, pieces of text. Leaves
``OUT/<kind>.parquet`` (``part``, ``document``), zstd.
"""

import sys
from pathlib import Path

import duckdb

from bench.inbox import KINDS, KRAVTYPER, RATES, ZSTD_LEVELS, delivered

FORMS = {"nested": "duckdb_night.sql", "fragments": "duckdb_fragments.sql"}


def write_documents(inbox: Path, out: Path, snapshot_date: str, form: str, memory: str | None = None) -> None:
    """Writes all documents. ``memory`` is DuckDB's limit, by its default four fifths of the machine's."""
    out.mkdir(parents=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2,
        "temp_directory": str(out / "spill"),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=config | ({"memory_limit": memory} if memory else {})) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"SET VARIABLE snapshot_date = DATE '{snapshot_date}'")
        for table, files in delivered(inbox).items():
            connection.execute(f"CREATE TEMP VIEW {table} AS SELECT * FROM read_parquet({files})")
        connection.execute(
            f"""
            CREATE TEMP TABLE rates AS
            SELECT * FROM read_csv('{RATES}', columns = {{fra_dato: 'DATE', sats: 'DECIMAL(9, 2)'}}, header = true);
            CREATE TEMP TABLE kravtyper AS SELECT * FROM read_csv('{KRAVTYPER}', header = true)
            """
        )
        connection.execute((Path(__file__).parent / FORMS[form]).read_text("utf-8"))
        for kind in KINDS:
            connection.execute(
                f"COPY dokument_{kind} TO '{out / kind}.parquet' "
                f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {ZSTD_LEVELS[kind]}, ROW_GROUP_SIZE 4096)"
            )


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
