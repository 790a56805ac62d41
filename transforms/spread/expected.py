"""The control totals by the posts: what the accepted rows add up to (CONTRACT section 5).

``reconcile`` adds the same up by the stored documents. The two share no code, and neither uses a figure that the
other has made. Each post is counted once; sums are in øre, of one sign law with the documents.
"""

import duckdb
import polars as pl

from schemas.receipts import Totals
from transforms.ledgers.links import Links, Numbered


def of_built(links: Links, spread: Links) -> Totals:
    """Counts and sums of the posts of the parts that are built, all of whose documents are made anew.

    ``spread``: those of ``links`` that are ``in_buckets``.
    """
    grunnlag = _grunnlag(links, spread["plassering"])
    totals = {
        "antall_parter": spread["part"].height,
        **_counted("krav", spread["krav"]["beloep"]),
        **_counted("kravforfall", spread["kravforfall"]["beloep"]),
        **_counted("innbetaling", spread["innbetaling"]["beloep"], -1),
        **_counted("utbetaling", spread["utbetaling"]["beloep"]),
        **_counted("grunnlag_opprinnelig", grunnlag["original"]),
        **_counted("grunnlag_gjenstaaende", grunnlag["original"] + grunnlag["placed"]),
    }
    for name, (kind, end, sign) in _PLACED.items():
        placed = spread["plassering"].filter(pl.col(f"{end}_bucket").is_not_null(), plasseringstype=kind)
        totals |= _counted(name, placed["plassert_beloep"], sign)
    payments = spread["plassering"].filter(pl.col("forfall_bucket").is_not_null(), plasseringstype="INNBETALING")
    paid = Numbered(links["innbetaling"]).values(payments["motpost_row"], "beloep")
    totals |= _counted("innbetalt_paa_krav", paid, -1)
    unplaced = totals["sum_innbetaling"] + totals["sum_krav_paa_innbetaling"]
    return totals | _remaining(totals) | {"sum_uplassert": unplaced, "sum_uplassert_oversikt": unplaced}


_PLACED = {
    "innbetaling_paa_krav": ("INNBETALING", "forfall", -1),
    "krav_paa_innbetaling": ("INNBETALING", "motpost", 1),
    "motkrav_paa_debet": ("MOTKRAV", "forfall", -1),
    "motkrav_paa_kredit": ("MOTKRAV", "motpost", 1),
    "utbetalt_paa_kredit": ("UTBETALING", "forfall", 1),
}
"""The placements counted: their type, which of their ends lies with a part that is built, and their sign."""


def _counted(name: str, oere: pl.Series, sign: int = 1) -> Totals:
    """``antall_`` and ``sum_``; 64 bits may not hold the sum."""
    return {f"antall_{name}": len(oere), f"sum_{name}": sign * int(oere.cast(pl.Int128).sum())}


def _grunnlag(links: Links, placed: pl.DataFrame) -> pl.DataFrame:
    """Per payout and krav that it pays: its ``original``, and all that is ``placed`` on and from its due dates."""
    paid_out = placed.filter(pl.col("motpost_bucket").is_not_null(), plasseringstype="UTBETALING")
    krav_of = links["kravforfall"].select("krav_row", forfall_row="row")
    paid = paid_out.join(krav_of, on="forfall_row").select("motpost_row", "krav_row").unique()
    dues = links["kravforfall"].join(paid, on="krav_row", how="semi")
    every, amount = links["plassering"], pl.col("plassert_beloep")
    signed = pl.when(plasseringstype="UTBETALING").then(amount).otherwise(-amount)
    covered = pl.concat(
        [
            every.select(row="forfall_row", placed=signed),
            every.filter(plasseringstype="MOTKRAV").select(row="motpost_row", placed=amount),
        ]
    )
    placed_on = (
        covered.join(dues.select("row", "krav_row"), on="row")
        .group_by("krav_row")
        .agg(pl.col("placed").cast(pl.Int128).sum())
    )
    originals = dues.group_by("krav_row").agg(original=pl.col("beloep").cast(pl.Int128).sum())
    return (
        paid.join(originals, on="krav_row")
        .join(placed_on, on="krav_row", how="left")
        .with_columns(pl.col("placed").fill_null(0))
    )


def of_redated(connection: duckdb.DuckDBPyConnection) -> Totals:
    """Counts and sums of the posts of the parts ``to_redate``: of open krav, which overviews list, all; of other posts,
    whose histories stay, enough to tell that they are those of the previous snapshot: that nothing remains of the
    other krav, and what krav, payments and payouts add up to.

    Needs ``good_*`` over everything, and ``previous_krav``, which says what is open. Of far ends only the payments'
    amounts are read.
    """
    for query in _OF_REDATED:
        connection.execute(query)
    own = "SELECT {columns} FROM good_{table} SEMI JOIN to_redate USING (part)"
    placed = {
        "innbetaling_paa_krav": "FROM redated_placed WHERE plasseringstype = 'INNBETALING'",
        "motkrav_paa_debet": "FROM redated_placed WHERE plasseringstype = 'MOTKRAV'",
        "motkrav_paa_kredit": "FROM redated_credits",
        "utbetalt_paa_kredit": "FROM redated_placed WHERE plasseringstype = 'UTBETALING'",
    }

    def listed(some: str) -> dict[str, str]:
        """The due dates and what is placed on and from them: all, or ``some``."""
        amounts = {
            name: f"SELECT count(*), {_SIGN[name]}sum(plassert_beloep) FROM ({rows}) {some}"
            for name, rows in placed.items()
        }
        return amounts | {"kravforfall": f"SELECT count(*), sum(opprinnelig_beloep) FROM redated_forfall {some}"}

    totals = _totals(
        connection,
        listed("WHERE aapent")
        | {
            "parter": "SELECT count(*), NULL FROM to_redate",
            "krav": own.format(columns="count(*), sum(opprinnelig_beloep)", table="krav"),
            "innbetalt_paa_krav": """
                SELECT count(*), -sum(innbetalt_beloep) FROM good_innbetaling
                JOIN (FROM redated_placed WHERE aapent AND plasseringstype = 'INNBETALING')
                  ON motpost = innbetalingsidentifikator""",
            "innbetaling": "SELECT count(*), -sum(innbetalt_beloep) FROM redated_innbetaling",
            "utbetaling": own.format(columns="count(*), sum(utbetalt_beloep)", table="utbetaling"),
        },
    )
    placed_on = connection.execute(
        "SELECT sum(plassert_beloep) FROM good_plassering SEMI JOIN redated_innbetaling USING (motpost) "
        "WHERE plasseringstype = 'INNBETALING'"
    ).fetchall()[0][0]
    unplaced = totals["sum_innbetaling"] + int(placed_on or 0)
    remaining = _remaining(_totals(connection, listed("")))
    return totals | remaining | {"sum_uplassert": unplaced, "sum_uplassert_oversikt": unplaced}


_SIGN = {"innbetaling_paa_krav": "-", "motkrav_paa_debet": "-", "motkrav_paa_kredit": "", "utbetalt_paa_kredit": ""}

_OF_REDATED = (
    """CREATE TEMP TABLE redated_forfall AS
    WITH krav AS (SELECT kravidentifikator FROM good_krav SEMI JOIN to_redate USING (part)),
    opened AS (SELECT kravidentifikator FROM previous_krav SEMI JOIN to_redate USING (part) WHERE aapent)
    SELECT kravforfallsidentifikator, opprinnelig_beloep, kravidentifikator IN (FROM opened) AS aapent
    FROM good_kravforfall SEMI JOIN krav USING (kravidentifikator)""",
    """CREATE TEMP TABLE redated_placed AS
    SELECT plasseringstype, motpost, plassert_beloep, aapent FROM good_plassering
    JOIN redated_forfall USING (kravforfallsidentifikator)""",
    """CREATE TEMP TABLE redated_credits AS
    SELECT plassert_beloep, aapent FROM good_plassering AS placed
    JOIN redated_forfall AS forfall ON forfall.kravforfallsidentifikator = motpost
    WHERE plasseringstype = 'MOTKRAV'""",
    """CREATE TEMP TABLE redated_innbetaling AS
    SELECT innbetalingsidentifikator AS motpost, innbetalt_beloep FROM good_innbetaling
    SEMI JOIN to_redate USING (part)""",
)


def _totals(connection: duckdb.DuckDBPyConnection, queries: dict[str, str]) -> Totals:
    """``antall_`` and ``sum_`` of each query's one row; parts have no sum."""
    totals: Totals = {}
    for name, query in queries.items():
        count, oere = connection.execute(query).fetchall()[0]
        totals[f"antall_{name}"] = int(count or 0)
        if name != "parter":
            totals[f"sum_{name}"] = int(oere or 0)
    return totals


def _remaining(posts: Totals) -> Totals:
    """Σ remaining = Σ original − Σ placed on debits + Σ placed from credits.

    Payouts' placements stand in no document, so theirs are the accepted rows'.
    """
    remaining = (
        posts["sum_kravforfall"]
        + posts["sum_innbetaling_paa_krav"]
        + posts["sum_motkrav_paa_debet"]
        + posts["sum_motkrav_paa_kredit"]
        + posts["sum_utbetalt_paa_kredit"]
    )
    return {f"sum_gjenstaaende_{where}": remaining for where in ("krav", "kravforfall", "oversikt")}
