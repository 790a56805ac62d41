"""The quarantined rows as findings, each with the row that it was refused because of (CONTRACT section 2)."""

import duckdb
import polars as pl

from schemas.refusals import SENTENCES
from schemas.tables import REFERENCES, TABLES, WITH_PART
from transforms.home.findings import SCHEMA

_REFUSED_DUE_DATE = """cause.tabell = 'kravforfall' AND cause.kravidentifikator = row.noekkel
    AND NOT list_contains(cause.koder, 'L2-CLAIM-OF-REFUSED')"""


def _named_by(tabell: str, column: str) -> str:
    """The row that a row of the table names in the column."""
    tables = ", ".join(f"'{name}'" for name in TABLES[tabell][column].refers_to)
    return f"cause.tabell IN ({tables}) AND cause.noekkel = row.{column}"


CAUSES = {
    # table and code of the row refused: where the row that it was refused because of is found
    **{(name, "L2-PART-UNKNOWN"): _named_by(name, "part") for name in WITH_PART},
    ("part", "L2-PART-OWNER"): """cause.tabell = 'part' AND cause.noekkel IN (
        SELECT innehaver FROM ledger_part WHERE part = row.noekkel)""",
    ("kravforfall", "L2-CLAIM-UNKNOWN"): _named_by("kravforfall", "kravidentifikator"),
    ("kravforfall", "L2-CLAIM-OF-REFUSED"): _named_by("kravforfall", "kravidentifikator"),
    ("krav", "L2-CLAIM-SUM"): _REFUSED_DUE_DATE,
    ("krav", "L2-CLAIM-NO-DUE-DATE"): _REFUSED_DUE_DATE,
    ("plassering", "L2-PLACEMENT-DUE-DATE"): _named_by("plassering", "kravforfallsidentifikator"),
    ("plassering", "L2-PLACEMENT-MOTPOST"): _named_by("plassering", "motpost"),
}


def masked(key: str) -> pl.Expr:
    """The identifiers in a column as a finding may show them: at most 64 characters, of long numbers six digits.

    A ledger may build its identifiers from a part's number or an account (decisions/0007).
    """
    return pl.col(key).str.slice(0, 64).str.replace_all("([0-9]{6})[0-9]{3,}", "${1}###")


def quarantined_findings(connection: duckdb.DuckDBPyConnection, files: pl.DataFrame) -> pl.DataFrame:
    """One row per reason of each row in ``row_ids`` (``held_back``), as ``home.findings.SCHEMA``, sorted.

    ``files``: ``kilde``, ``leveransenummer``, ``tabell``, ``fil`` (number), ``sti``.
    """
    connection.register("files", files.to_arrow())
    sentences = pl.DataFrame({"kode": list(SENTENCES), "melding": list(SENTENCES.values())})
    connection.register("sentences", sentences.to_arrow())
    _create_roots(connection)
    found: pl.DataFrame = (
        connection.sql(
            """
        SELECT 2::TINYINT AS nivaa, kode, melding, kilde, leveransenummer::INTEGER AS leveransenummer, files.sti AS fil,
               rad, tabell, CASE WHEN tabell <> 'part' THEN noekkel END AS noekkel, parter_holdt_tilbake,
               rot_kode, rot_kilde, rot_leveransenummer::INTEGER AS rot_leveransenummer, rot_files.sti AS rot_fil,
               rot_rad, rot_tabell, rot_noekkel
        FROM (SELECT * EXCLUDE (koder), unnest(koder) AS kode FROM row_ids)
        JOIN sentences USING (kode)
        LEFT JOIN files USING (kilde, leveransenummer, tabell, fil)
        LEFT JOIN (
          SELECT id, count(DISTINCT part) AS parter_holdt_tilbake FROM leads GROUP BY id
        ) USING (id)
        LEFT JOIN roots USING (id)
        LEFT JOIN files AS rot_files ON rot_files.kilde = rot_kilde AND rot_files.tabell = rot_tabell
          AND rot_files.leveransenummer = rot_leveransenummer AND rot_files.fil = roots.rot_fil
        ORDER BY ALL
        """
        )
        .pl()
        .match_to_schema(SCHEMA, missing_columns="raise", integer_cast="upcast")
        .with_columns(masked("noekkel"), masked("rot_noekkel"))
    )
    return found


def refused_rows(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows in ``row_ids``, whole: ``avvist``, their number there, and ``rot``, that of the row each comes from.

    For the analysts, who see the register anyway. After ``quarantined_findings``, which registers ``files``.
    """
    rows: pl.DataFrame = connection.sql(
        f"""
        SELECT id AS avvist, tabell, noekkel, kilde, leveransenummer::INTEGER AS leveransenummer, files.sti AS fil, rad,
               koder, {", ".join(REFERENCES)}, slettet, beloep, rot
        FROM row_ids LEFT JOIN files USING (kilde, leveransenummer, tabell, fil) LEFT JOIN roots USING (id) ORDER BY id
        """
    ).pl()
    return rows


def _create_roots(connection: duckdb.DuckDBPyConnection) -> None:
    """``roots (id, rot, rot_…)``: from each row refused because of another, along the causes to the first.

    Causes end: a row refused by values or keys has none, and none is a row's own consequence.
    """
    edges = " UNION ALL ".join(
        f"SELECT row.id, cause.id AS cause FROM row_ids AS row JOIN row_ids AS cause ON {where} "
        f"WHERE row.tabell = '{tabell}' AND list_contains(row.koder, '{kode}') AND row.id <> cause.id"
        for (tabell, kode), where in CAUSES.items()
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE roots AS
        WITH RECURSIVE edges AS MATERIALIZED (SELECT id, min(cause) AS cause FROM ({edges}) GROUP BY id),
        walk AS (
          SELECT id, cause AS reached, 1 AS steps FROM edges
          UNION ALL SELECT walk.id, edges.cause, steps + 1 FROM walk
          JOIN edges ON edges.id = walk.reached WHERE steps < 8),
        ends AS (SELECT id, arg_max(reached, steps) AS root FROM walk GROUP BY id)
        SELECT ends.id, ends.root AS rot, list_first(koder) AS rot_kode, kilde AS rot_kilde,
               leveransenummer AS rot_leveransenummer, fil AS rot_fil, rad AS rot_rad, tabell AS rot_tabell,
               CASE WHEN tabell <> 'part' THEN noekkel END AS rot_noekkel
        FROM ends JOIN row_ids ON row_ids.id = ends.root
        """
    )
