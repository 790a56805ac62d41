"""Spreads the posts over buckets of households, each placement seen from both its ends.

A part and the sole proprietorships that it owns form a household, so a bucket holds all that a
document of its parts can show, once each placement has been given what it needs from its far end.
That join is the night's only shuffle. After it every bucket is independent.
"""

from pathlib import Path

import duckdb
import polars as pl

from schemas.tables import INNBETALING, KRAV, KRAVFORFALL, UTBETALING
from transforms.current import sql_text

PARTS_PER_BUCKET = 8_000
"""Some 300 MB of documents a bucket at the mix of ``generate``: what two at a time need stays in memory."""


def bucket_count(parts: int) -> int:
    """How many buckets for so many parts: a power of two."""
    return 1 << max(0, -(-parts // PARTS_PER_BUCKET) - 1).bit_length()


def write_buckets(connection: duckdb.DuckDBPyConnection, out: Path, kravtyper: pl.DataFrame) -> int:
    """Writes ``<out>/<table>/bucket=<n>/*.parquet`` for every part that is not held back. Returns n's bound.

    Needs ``good_*``, ``forfall`` and ``held_back``. Columns are those of the delivered tables with
    ``part`` added to due dates, texts filled in from ``kravtyper`` and the payer's account masked;
    placements come in six tables, one for each type and end, all with ``post`` (the near end), ``part``
    (whose it is) and what documents show of the far end.
    """
    out.mkdir(parents=True, exist_ok=True)
    connection.register("kravtyper", kravtyper.to_arrow())
    row = connection.execute("SELECT count(*) FROM good_part ANTI JOIN held_back USING (part)").fetchone()
    count = bucket_count(row[0] if row else 0)
    connection.execute(f"SET partitioned_write_max_open_files = {count + 1}")  # or files are cut short at 100
    connection.execute(_parts(count))
    connection.execute(_KRAV_TEKST)
    connection.execute(_UTBETALT_KRAV)
    for name, query in _queries().items():
        connection.execute(
            f"""
            COPY (SELECT near.*, parts.bucket FROM ({query}) AS near JOIN parts USING (part))
            TO {sql_text(out / name)} (FORMAT parquet, PARTITION_BY (bucket), COMPRESSION snappy)
            """
        )
    return count


def schemas(connection: duckdb.DuckDBPyConnection) -> dict[str, pl.Schema]:
    """The columns of each table that ``write_buckets`` writes, for buckets that have no rows of it."""
    return {name: connection.sql(f"{query} LIMIT 0").pl().schema for name, query in _queries().items()}


def _parts(buckets: int) -> str:
    """The parts to build, with their bucket: a multiplicative hash of the household's number."""
    return f"""
        CREATE TEMP TABLE parts AS
        SELECT part, (coalesce(innehaver, part)::HUGEINT * 2654435761 // 65536 % {buckets})::INTEGER AS bucket
        FROM good_part ANTI JOIN held_back USING (part)"""


_KRAV_TEKST = """
    CREATE TEMP VIEW krav_tekst AS
    SELECT krav.* EXCLUDE (kravbeskrivelse, kravgruppe, kilde, leveransenummer, fil),
           coalesce(krav.kravbeskrivelse, kravtyper.tekst, krav.kravtype) AS kravbeskrivelse,
           coalesce(krav.kravgruppe, kravtyper.kravgruppe, 'Andre krav') AS kravgruppe,
           coalesce(kravtyper.renteberegnes, true) AS renteberegnes
    FROM good_krav AS krav LEFT JOIN kravtyper USING (kravtype)"""

_UTBETALT_KRAV = """
    CREATE TEMP TABLE utbetalt_krav AS
    WITH paid AS (
      SELECT DISTINCT kravidentifikator FROM good_plassering JOIN forfall USING (kravforfallsidentifikator)
      WHERE plasseringstype = 'UTBETALING'),
    dues AS (SELECT forfall.* FROM forfall SEMI JOIN paid USING (kravidentifikator)),
    ends AS (
      SELECT kravforfallsidentifikator, plassert_beloep FROM good_plassering
      UNION ALL SELECT motpost, plassert_beloep FROM good_plassering WHERE plasseringstype = 'MOTKRAV'),
    placed AS (
      SELECT kravforfallsidentifikator, sum(plassert_beloep) AS beloep FROM ends
      SEMI JOIN dues USING (kravforfallsidentifikator) GROUP BY ALL)
    SELECT kravidentifikator, sum(opprinnelig_beloep + CASE WHEN opprinnelig_beloep < 0 THEN 1 ELSE -1 END
             * coalesce(beloep, 0))::BIGINT AS gjenstaaende
    FROM dues LEFT JOIN placed USING (kravforfallsidentifikator) GROUP BY kravidentifikator"""

_MASKED = "repeat('*', greatest(length(fra_kontonummer) - 5, 0)) || right(fra_kontonummer, 5) AS fra_kontonummer"

_NEAR = "plassering.plasseringsidentifikator, plasseringstype, plassert_beloep, plasseringsdato"

_FAR_KRAV = """krav.kravidentifikator AS motkrav, krav.kravbeskrivelse, krav.kravtype, krav.periode_start,
    krav.periode_slutt"""


def _queries() -> dict[str, str]:
    """Each table's rows with ``part``, the part that they are shown under."""
    without_payer = [name for name in INNBETALING.names if name not in ("fra_kontonummer", "fra_iban")]
    payer = "fra_kidnummer, fra_bankinformasjon, fra_kontoeiers_navn, fra_swift_bic"
    due_date = [f"dues.{name}" for name in KRAVFORFALL.names]
    return {
        "part": "SELECT part, parttype, innehaver FROM good_part",
        "krav": f"SELECT {', '.join(KRAV.names)}, renteberegnes FROM krav_tekst",
        "kravforfall": f"""SELECT {", ".join(due_date)}, forfall.part FROM good_kravforfall AS dues
            JOIN forfall USING (kravforfallsidentifikator)""",
        "innbetaling": f"SELECT {', '.join(without_payer)}, {_MASKED} FROM good_innbetaling",
        "utbetaling": f"SELECT {', '.join(UTBETALING.names)} FROM good_utbetaling",
        "innbetaling_on_forfall": f"""
            SELECT {_NEAR}, near.kravforfallsidentifikator AS post, near.part, plassering.motpost,
                   innbetalingsdato, innbetalt_beloep, {payer}, {_MASKED}
            FROM good_plassering AS plassering JOIN forfall AS near USING (kravforfallsidentifikator)
            JOIN good_innbetaling ON innbetalingsidentifikator = motpost
            WHERE plasseringstype = 'INNBETALING'""",
        "motkrav_on_debit": f"""
            SELECT {_NEAR}, near.kravforfallsidentifikator AS post, near.part, plassering.motpost,
                   dues.forfallsdato, {_FAR_KRAV}
            FROM good_plassering AS plassering JOIN forfall AS near USING (kravforfallsidentifikator)
            JOIN good_kravforfall AS dues ON dues.kravforfallsidentifikator = plassering.motpost
            JOIN krav_tekst AS krav ON krav.kravidentifikator = dues.kravidentifikator
            WHERE plasseringstype = 'MOTKRAV'""",
        "motkrav_on_credit": f"""
            SELECT {_NEAR}, plassering.motpost AS post, near.part, dues.kravforfallsidentifikator AS motpost,
                   dues.forfallsdato, {_FAR_KRAV}
            FROM good_plassering AS plassering JOIN forfall AS near
              ON near.kravforfallsidentifikator = plassering.motpost
            JOIN good_kravforfall AS dues ON dues.kravforfallsidentifikator = plassering.kravforfallsidentifikator
            JOIN krav_tekst AS krav ON krav.kravidentifikator = dues.kravidentifikator
            WHERE plasseringstype = 'MOTKRAV'""",
        "utbetaling_on_forfall": f"""
            SELECT {_NEAR}, near.kravforfallsidentifikator AS post, near.part, plassering.motpost
            FROM good_plassering AS plassering JOIN forfall AS near USING (kravforfallsidentifikator)
            WHERE plasseringstype = 'UTBETALING'""",
        "forfall_on_innbetaling": f"""
            SELECT {_NEAR}, plassering.motpost AS post, near.part,
                   plassering.kravforfallsidentifikator AS motpost, {_FAR_KRAV}
            FROM good_plassering AS plassering JOIN good_innbetaling AS near
              ON near.innbetalingsidentifikator = plassering.motpost
            JOIN forfall ON forfall.kravforfallsidentifikator = plassering.kravforfallsidentifikator
            JOIN krav_tekst AS krav ON krav.kravidentifikator = forfall.kravidentifikator
            WHERE plasseringstype = 'INNBETALING'""",
        "forfall_on_utbetaling": f"""
            SELECT {_NEAR}, plassering.motpost AS post, near.part,
                   plassering.kravforfallsidentifikator AS motpost, {_FAR_KRAV},
                   krav.opprinnelig_beloep AS krav_opprinnelig, utbetalt_krav.gjenstaaende AS krav_gjenstaaende
            FROM good_plassering AS plassering JOIN good_utbetaling AS near
              ON near.utbetalingsidentifikator = plassering.motpost
            JOIN forfall ON forfall.kravforfallsidentifikator = plassering.kravforfallsidentifikator
            JOIN krav_tekst AS krav ON krav.kravidentifikator = forfall.kravidentifikator
            JOIN utbetalt_krav ON utbetalt_krav.kravidentifikator = krav.kravidentifikator
            WHERE plasseringstype = 'UTBETALING'""",
    }
