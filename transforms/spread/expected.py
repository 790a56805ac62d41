"""The control totals by the posts: what the accepted rows add up to (CONTRACT section 5).

``reconcile`` adds the same up by the stored documents. The two share no code, and neither uses a figure that the
other has made. Each post is counted once; sums are in øre, of one sign law with the documents.
"""

import duckdb

from schemas.receipts import Totals


def of_built(connection: duckdb.DuckDBPyConnection) -> Totals:
    """Counts and sums of the posts of the parts ``to_build``, whose documents are all made anew.

    Needs ``good_*``, ``forfall`` and ``plassering_ends`` as ``buckets`` does.
    """
    own = "SELECT {columns} FROM {table} SEMI JOIN to_build USING (part)"
    for query in (_PLACED, _GRUNNLAG):
        connection.execute(query)

    def placed(kind: str, end: str, amount: str) -> str:
        return f"SELECT sum(antall), sum({amount}) FROM placed_sums WHERE plasseringstype = '{kind}' AND {end}_built"

    totals = _totals(
        connection,
        {
            "parter": "SELECT count(*), NULL FROM to_build",
            "krav": own.format(columns="count(*), sum(opprinnelig_beloep)", table="good_krav"),
            "kravforfall": own.format(columns="count(*), sum(opprinnelig_beloep)", table="forfall"),
            "innbetaling": own.format(columns="count(*), -sum(innbetalt_beloep)", table="good_innbetaling"),
            "utbetaling": own.format(columns="count(*), sum(utbetalt_beloep)", table="good_utbetaling"),
            "innbetaling_paa_krav": placed("INNBETALING", "forfall", "-plassert_beloep"),
            "krav_paa_innbetaling": placed("INNBETALING", "motpost", "plassert_beloep"),
            "motkrav_paa_debet": placed("MOTKRAV", "forfall", "-plassert_beloep"),
            "motkrav_paa_kredit": placed("MOTKRAV", "motpost", "plassert_beloep"),
            "utbetalt_paa_kredit": placed("UTBETALING", "forfall", "plassert_beloep"),
            "innbetalt_paa_krav": placed("INNBETALING", "forfall", "-motpost_beloep"),
            "grunnlag_opprinnelig": "SELECT count(*), sum(original) FROM grunnlag",
            "grunnlag_gjenstaaende": "SELECT count(*), sum(original + placed) FROM grunnlag",
        },
    )
    unplaced = totals["sum_innbetaling"] + totals["sum_krav_paa_innbetaling"]
    return totals | _remaining(totals) | {"sum_uplassert": unplaced, "sum_uplassert_oversikt": unplaced}


_PLACED = """
    CREATE TEMP TABLE placed_sums AS
    SELECT plasseringstype, near.part IS NOT NULL AS forfall_built, far.part IS NOT NULL AS motpost_built,
           count(*) AS antall, sum(plassert_beloep) AS plassert_beloep, sum(motpost_beloep) AS motpost_beloep
    FROM plassering_ends LEFT JOIN to_build AS near ON near.part = forfall_part
    LEFT JOIN to_build AS far ON far.part = motpost_part GROUP BY ALL"""
"""The placements by type, and by which of their ends lie with such parts."""

_GRUNNLAG = """
    CREATE TEMP TABLE grunnlag AS
    WITH paid AS (
      SELECT DISTINCT motpost, kravidentifikator FROM plassering_ends
      SEMI JOIN to_build ON to_build.part = motpost_part JOIN forfall USING (kravforfallsidentifikator)
      WHERE plasseringstype = 'UTBETALING'),
    dues AS (FROM forfall SEMI JOIN paid USING (kravidentifikator)),
    covered AS (
      SELECT kravforfallsidentifikator, CASE WHEN plasseringstype = 'UTBETALING' THEN plassert_beloep
             ELSE -plassert_beloep END AS placed FROM plassering_ends
      UNION ALL SELECT motpost, plassert_beloep FROM plassering_ends WHERE plasseringstype = 'MOTKRAV'),
    placements AS (
      SELECT kravidentifikator, sum(placed) AS placed FROM covered
      JOIN dues USING (kravforfallsidentifikator) GROUP BY kravidentifikator),
    originals AS (SELECT kravidentifikator, sum(opprinnelig_beloep) AS original FROM dues GROUP BY kravidentifikator)
    SELECT original, coalesce(placed, 0) AS placed FROM paid JOIN originals USING (kravidentifikator)
    LEFT JOIN placements USING (kravidentifikator)"""
"""Per payout and krav that it pays: the krav's original, and all that is placed on and from its due dates."""


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
