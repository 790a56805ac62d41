"""The control totals by the posts: what the accepted rows add up to (CONTRACT section 5).

``reconcile`` adds the same up by the stored documents. The two share no code, and neither uses a figure that the
other has made. Each post is counted once; sums are in øre, of one sign law with the documents.
"""

from collections import Counter

import duckdb
import numpy as np
import polars as pl

from schemas.receipts import Totals
from transforms.ledgers.link_files import LinkFiles
from transforms.spread.buckets import Buckets, End


def of_built(links: LinkFiles, buckets: Buckets) -> Totals:
    """Counts and sums of the posts of the parts that are built, all of whose documents are made anew."""
    totals: Totals = Counter(antall_parter=buckets.part.height)
    for name, sign in _POSTS.items():
        for rows in links.some(name, "row", "beloep"):
            _count(totals, name, buckets.posts(name, rows)["beloep"], sign)
    grunnlag = _grunnlag(links, buckets, _count_placed(totals, links, buckets))
    _count(totals, "grunnlag_opprinnelig", grunnlag["original"])
    _count(totals, "grunnlag_gjenstaaende", grunnlag["original"] + grunnlag["placed"])
    unplaced = totals["sum_innbetaling"] + totals["sum_krav_paa_innbetaling"]
    return {**totals, **_remaining(totals), "sum_uplassert": unplaced, "sum_uplassert_oversikt": unplaced}


_POSTS = {"krav": 1, "kravforfall": 1, "innbetaling": -1, "utbetaling": 1}
_PLACED: dict[str, tuple[str, End, int]] = {
    "innbetaling_paa_krav": ("INNBETALING", "forfall", -1),
    "krav_paa_innbetaling": ("INNBETALING", "motpost", 1),
    "motkrav_paa_debet": ("MOTKRAV", "forfall", -1),
    "motkrav_paa_kredit": ("MOTKRAV", "motpost", 1),
    "utbetalt_paa_kredit": ("UTBETALING", "forfall", 1),
}
"""The placements counted: their type, which of their ends lies with a part that is built, and their sign."""


def _count_placed(totals: Totals, links: LinkFiles, buckets: Buckets) -> pl.DataFrame:
    """Counts the placements, and the payments that they show on krav; returns those of payouts that are built."""
    times, paid_out = np.zeros(links.rows("innbetaling"), np.uint32), []
    for placed in map(buckets.ends, links.some("plassering")):
        for name, (kind, end, sign) in _PLACED.items():
            there = placed.filter(pl.col(f"{end}_bucket").is_not_null(), plasseringstype=kind)
            _count(totals, name, there["plassert_beloep"], sign)
        paid = placed.filter(pl.col("forfall_bucket").is_not_null(), plasseringstype="INNBETALING")
        np.add.at(times, paid["motpost_row"].to_numpy(), 1)
        paid_out.append(placed.filter(pl.col("motpost_bucket").is_not_null(), plasseringstype="UTBETALING"))
    for rows in links.some("innbetaling", "row", "beloep"):
        shown = pl.Series(times[rows["row"].to_numpy()])
        _count(totals, "innbetalt_paa_krav", rows["beloep"].cast(pl.Int128) * shown, -1, int(shown.sum()))
    return pl.concat(paid_out)


def _count(totals: Totals, name: str, oere: pl.Series, sign: int = 1, count: int | None = None) -> None:
    """Adds to ``antall_``, which is that of the amounts unless told, and to ``sum_``; 64 bits may not hold the sum."""
    totals[f"antall_{name}"] += oere.len() if count is None else count
    totals[f"sum_{name}"] += sign * int(oere.cast(pl.Int128).sum())


def _grunnlag(links: LinkFiles, buckets: Buckets, paid_out: pl.DataFrame) -> pl.DataFrame:
    """Per payout and krav that it pays: its ``original``, and all that is ``placed`` on and from its due dates.

    ``paid_out``: the payouts' placements.
    """
    paid = buckets.krav_of(paid_out.select("motpost_row", row="forfall_row")).select("motpost_row", "krav_row").unique()
    around = links.around(paid["krav_row"])
    dues, every, amount = around["kravforfall"], around["plassering"], pl.col("plassert_beloep")
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

    def listed(some: str) -> dict[str, str]:
        """The due dates and what is placed on and from them: all, or ``some``."""
        amounts = {
            name: f"SELECT count(*), {sign}sum(plassert_beloep) FROM ({rows}) {some}"
            for name, (sign, rows) in _REDATED.items()
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


_REDATED = {
    "innbetaling_paa_krav": ("-", "FROM redated_placed WHERE plasseringstype = 'INNBETALING'"),
    "motkrav_paa_debet": ("-", "FROM redated_placed WHERE plasseringstype = 'MOTKRAV'"),
    "motkrav_paa_kredit": ("", "FROM redated_credits"),
    "utbetalt_paa_kredit": ("", "FROM redated_placed WHERE plasseringstype = 'UTBETALING'"),
}
"""By the total that adds them up, its sign and the placements."""

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
