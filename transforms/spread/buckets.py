"""Spreads the posts over buckets of households.

A part and the sole proprietorships that it owns form a household, so a bucket holds all that a
document of its parts can show, but for what placements show of a far end that lies elsewhere: those few
posts go with the bucket as ``far_forfall`` and ``far_innbetaling``. After that every bucket is independent.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import duckdb
import polars as pl
import pyarrow
import pyarrow.parquet

from schemas.tables import INNBETALING, KRAV, KRAVFORFALL, UNIQUE, UTBETALING
from transforms.home.snapshot import PARTS_PER_SEGMENT
from transforms.rules.in_sql import KRAV_TEKST, MASKED, remaining

WRITERS = 2
ROWS_AT_A_TIME = 200_000
"""So many rows of a table are on their way to the buckets at a time: some 60 MB."""

ROWS_A_GROUP = 4_000
"""Fewer rows in a row group of a bucket's file cost more by themselves than by what is in them."""


def bucket_count(parts: int) -> int:
    """How many buckets for so many parts: a power of two."""
    return 1 << max(0, -(-parts // PARTS_PER_SEGMENT) - 1).bit_length()


def write_buckets(connection: duckdb.DuckDBPyConnection, out: Path, kravtyper: pl.DataFrame) -> int:
    """Writes ``<out>/<table>/bucket=<n>/0.parquet`` for every part in ``to_build``, and ``<out>/<table>.parquet``, the
    columns without rows, for the buckets that have none. Returns n's bound.

    Needs ``good_*``, ``forfall``, ``plassering_ends`` and ``to_build (part)``. Columns are those of the delivered
    tables with ``part`` added to due dates, texts filled in from ``kravtyper`` and the payer's account masked;
    a placement goes to the bucket of each end, with ``forfall_part`` and ``motpost_part``.
    """
    out.mkdir(parents=True, exist_ok=True)
    connection.register("kravtyper", kravtyper.to_arrow())
    row = connection.execute("SELECT count(*) FROM to_build").fetchone()
    count = bucket_count(row[0] if row else 0)
    for query in (_parts(count), _KRAV_TEKST, _PLACED, _FAR, _FAR_DUES, _FAR_REMAINING):
        connection.execute(query)
    with ThreadPoolExecutor(WRITERS) as pool:
        for name, query in _queries().items():
            connection.sql(f"{query} LIMIT 0").pl().drop("bucket").write_parquet(out / f"{name}.parquet")
            _spread(connection.sql(query).to_arrow_reader(ROWS_AT_A_TIME), out / name, pool)
    return count


def _spread(rows: pyarrow.RecordBatchReader, out: Path, pool: ThreadPoolExecutor) -> None:
    """Writes the rows to a file per bucket as they come, ``ROWS_A_GROUP`` or more at a time.

    DuckDB's own ``PARTITION_BY`` writes nothing before it has all rows, so it spills what memory cannot hold.
    """
    waiting: dict[int, list[pl.DataFrame]] = {}
    with ExitStack() as files:
        writers: dict[int, pyarrow.parquet.ParquetWriter] = {}

        def write(bucket: int) -> None:
            table = pl.concat(waiting.pop(bucket)).to_arrow(compat_level=pl.CompatLevel.oldest())
            if bucket not in writers:
                folder = out / f"bucket={bucket}"
                folder.mkdir(parents=True)
                repeat = [name for name in table.column_names if name not in UNIQUE]
                writer = pyarrow.parquet.ParquetWriter(
                    folder / "0.parquet", table.schema, write_statistics=False, use_dictionary=repeat
                )
                writers[bucket] = files.enter_context(writer)
            writers[bucket].write_table(table)

        written: list[Future[None]] = []
        try:
            for batch in rows:
                split = pl.DataFrame(batch).partition_by("bucket", as_dict=True, include_key=False)
                _finish(written)  # of the batches before: it was written while DuckDB made this one
                for (bucket,), frame in split.items():
                    waiting.setdefault(bucket, []).append(frame)
                enough = [bucket for bucket, frames in waiting.items() if sum(map(len, frames)) >= ROWS_A_GROUP]
                written = [pool.submit(write, bucket) for bucket in enough]
            _finish(written)
            written = [pool.submit(write, bucket) for bucket in list(waiting)]
            _finish(written)
        finally:
            wait(written)  # whatever happened: no file may be closed while another thread writes to it


def _finish(written: Iterable[Future[None]]) -> None:
    for one in written:
        one.result()


def _parts(buckets: int) -> str:
    """The parts to build, with their bucket: a multiplicative hash of the household's number."""
    return f"""
        CREATE TEMP TABLE parts AS
        SELECT part, (coalesce(innehaver, part)::HUGEINT * 2654435761 // 65536 % {buckets})::INTEGER AS bucket
        FROM good_part SEMI JOIN to_build USING (part)"""


_PLACED = """
    CREATE TEMP TABLE placed AS
    SELECT ends.*, near.bucket AS forfall_bucket, far.bucket AS motpost_bucket
    FROM plassering_ends AS ends
    LEFT JOIN parts AS near ON near.part = forfall_part
    LEFT JOIN parts AS far ON far.part = motpost_part
    WHERE near.bucket IS NOT NULL OR far.bucket IS NOT NULL"""
"""The placements that some document shows, with the bucket of each end; null where that end isn't built."""

_FAR = """
    CREATE TEMP TABLE far AS
    SELECT DISTINCT motpost_bucket AS bucket, kravforfallsidentifikator, plasseringstype = 'UTBETALING' AS paid_out
    FROM placed WHERE motpost_bucket IS NOT NULL AND forfall_bucket IS DISTINCT FROM motpost_bucket
    UNION
    SELECT DISTINCT forfall_bucket, motpost, false FROM placed
    WHERE plasseringstype = 'MOTKRAV' AND forfall_bucket IS NOT NULL
      AND forfall_bucket IS DISTINCT FROM motpost_bucket"""
"""The due dates that a bucket shows though they lie elsewhere."""

_FAR_DUES = """
    CREATE TEMP TABLE far_dues AS
    SELECT kravforfallsidentifikator, kravidentifikator, forfallsdato
    FROM good_kravforfall SEMI JOIN far USING (kravforfallsidentifikator)"""


_KRAV_TEKST = f"CREATE TEMP VIEW krav_tekst AS {KRAV_TEKST}"

_PAID_OUT = """
    FROM forfall WHERE kravidentifikator IN (
      SELECT kravidentifikator FROM forfall JOIN (FROM far WHERE paid_out) USING (kravforfallsidentifikator))"""
_FAR_REMAINING = f"CREATE TEMP TABLE far_remaining AS {remaining(_PAID_OUT, 'plassering_ends')}"
"""What remains of krav that a payout elsewhere pays: the one figure of a far end that must be computed."""


def _queries() -> dict[str, str]:
    """Each table's rows with their ``bucket``."""
    without_payer = [name for name in INNBETALING.names if name not in ("fra_kontonummer", "fra_iban")]
    due_date = ", ".join(f"dues.{name}" for name in KRAVFORFALL.names)
    placement = """plasseringsidentifikator, plasseringstype, kravforfallsidentifikator, motpost, plassert_beloep,
        plasseringsdato, forfall_part, motpost_part"""
    return {
        "part": "SELECT part, parttype, innehaver, bucket FROM good_part JOIN parts USING (part)",
        "krav": f"SELECT {', '.join(KRAV.names)}, renteberegnes, bucket FROM krav_tekst JOIN parts USING (part)",
        "kravforfall": f"""
            SELECT {due_date}, part, bucket FROM good_kravforfall AS dues
            JOIN (SELECT kravidentifikator, part, bucket FROM good_krav JOIN parts USING (part)) AS owned
              USING (kravidentifikator)""",
        "innbetaling": f"SELECT {', '.join(without_payer)}, {MASKED} AS fra_kontonummer, bucket FROM good_innbetaling "
        "JOIN parts USING (part)",
        "utbetaling": f"SELECT {', '.join(UTBETALING.names)}, bucket FROM good_utbetaling JOIN parts USING (part)",
        "plassering": f"""
            SELECT {placement}, forfall_bucket AS bucket FROM placed WHERE forfall_bucket IS NOT NULL
            UNION ALL
            SELECT {placement}, motpost_bucket FROM placed
            WHERE motpost_bucket IS NOT NULL AND forfall_bucket IS DISTINCT FROM motpost_bucket""",
        "far_forfall": """
            SELECT kravforfallsidentifikator, forfallsdato, kravidentifikator, kravbeskrivelse, kravtype,
                   periode_start, periode_slutt, krav.opprinnelig_beloep AS krav_opprinnelig, krav_gjenstaaende, bucket
            FROM (SELECT DISTINCT bucket, kravforfallsidentifikator FROM far) AS far
            JOIN far_dues USING (kravforfallsidentifikator)
            JOIN (FROM krav_tekst SEMI JOIN far_dues USING (kravidentifikator)) AS krav USING (kravidentifikator)
            LEFT JOIN far_remaining USING (kravidentifikator)""",
        "far_innbetaling": f"""
            SELECT innbetalingsidentifikator, innbetalingsdato, innbetalt_beloep, fra_kidnummer, fra_bankinformasjon,
                   fra_kontoeiers_navn, fra_swift_bic, {MASKED} AS fra_kontonummer, bucket
            FROM (SELECT DISTINCT forfall_bucket AS bucket, motpost AS innbetalingsidentifikator FROM placed
                  WHERE plasseringstype = 'INNBETALING' AND forfall_bucket IS NOT NULL
                    AND forfall_bucket IS DISTINCT FROM motpost_bucket) AS far
            JOIN good_innbetaling USING (innbetalingsidentifikator)""",
    }
