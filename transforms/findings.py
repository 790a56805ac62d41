"""Every refusal of a night as one table (CONTRACT section 2): what the operator and the analyst look at.

No column holds a part's number, a name or an account: a row of table ``part`` is told by its place.
"""

import duckdb
import polars as pl

from schemas.refusals import SENTENCES, Refusal

SCHEMA = pl.Schema(
    {
        "nivaa": pl.Int8(),
        "kode": pl.String(),
        "melding": pl.String(),
        "kilde": pl.String(),
        "leveransenummer": pl.Int32(),
        "fil": pl.String(),
        "rad": pl.UInt32(),
        "tabell": pl.String(),
        "noekkel": pl.String(),
        "parter_holdt_tilbake": pl.Int64(),
    }
)
"""``noekkel`` is the row's identifier in its ledger, null for table ``part``."""


def findings(
    connection: duckdb.DuckDBPyConnection | None, refusals: list[Refusal], files: pl.DataFrame
) -> pl.DataFrame:
    """One row per reason. ``files``: ``kilde``, ``leveransenummer``, ``tabell``, ``fil`` (number), ``sti``."""
    told = pl.DataFrame(
        [
            {
                "nivaa": refusal.level,
                "kode": refusal.code,
                "melding": f"{SENTENCES[refusal.code]}: {refusal.message}",
                "kilde": refusal.kilde,
                "leveransenummer": refusal.leveransenummer,
                "fil": refusal.fil,
                "rad": refusal.rad,
                "tabell": refusal.tabell,
                "noekkel": refusal.key,
                "parter_holdt_tilbake": None,
            }
            for refusal in refusals
        ],
        schema=SCHEMA,
    )
    return told if connection is None else pl.concat([told, _quarantined(connection, files)])


def _quarantined(connection: duckdb.DuckDBPyConnection, files: pl.DataFrame) -> pl.DataFrame:
    connection.register("files", files.to_arrow())
    sentences = pl.DataFrame({"kode": list(SENTENCES), "melding": list(SENTENCES.values())})
    connection.register("sentences", sentences.to_arrow())
    return (
        connection.sql(
            """
        SELECT 2::TINYINT AS nivaa, kode, melding, kilde, leveransenummer::INTEGER AS leveransenummer, sti AS fil,
               rad, tabell, CASE WHEN tabell <> 'part' THEN noekkel END AS noekkel, parter_holdt_tilbake
        FROM (SELECT * EXCLUDE (koder), unnest(koder) AS kode FROM row_ids)
        JOIN sentences USING (kode)
        LEFT JOIN files USING (kilde, leveransenummer, tabell, fil)
        LEFT JOIN (
          SELECT id, count(DISTINCT part) AS parter_holdt_tilbake FROM leads GROUP BY id
        ) USING (id)
        ORDER BY ALL
        """
        )
        .pl()
        .match_to_schema(SCHEMA, missing_columns="raise", integer_cast="upcast")
    )
