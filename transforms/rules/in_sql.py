"""What CONTRACT section 3 says of a krav's texts, a payer's account and what remains, as SQL for rows in DuckDB.

For texts, which are filled in where posts are spread, and for the few far ends that lie outside a bucket: what remains
of a bucket's own krav is made in Polars (``balances``).
"""

KRAV_TEKST = """
    SELECT krav.* EXCLUDE (kravbeskrivelse, kravgruppe, kilde, leveransenummer, fil),
           coalesce(krav.kravbeskrivelse, kravtyper.tekst, krav.kravtype) AS kravbeskrivelse,
           coalesce(krav.kravgruppe, kravtyper.kravgruppe, 'Andre krav') AS kravgruppe,
           coalesce(kravtyper.renteberegnes, true) AS renteberegnes
    FROM good_krav AS krav LEFT JOIN kravtyper USING (kravtype)"""
"""The krav with their texts and groups filled in from the relation ``kravtyper`` (``reference``), and whether they bear
interest: one of an unknown kravtype does."""

MASKED = "repeat('*', greatest(length(fra_kontonummer) - 5, 0)) || right(fra_kontonummer, 5)"
"""A payer's account but for its last five digits."""


def remaining(dues: str, placements: str) -> str:
    """``kravidentifikator`` and ``krav_gjenstaaende`` (øre): Σ original and placed of each krav, by one law of signs.

    ``dues``: due dates, of each krav all; ``placements``: ``plassering_ends``, with all that are on or from these.
    Parquet has no 128-bit integers; a decimal without decimals is as exact.
    """
    return f"""
    WITH dues AS ({dues}),
    ends AS (
      SELECT kravforfallsidentifikator, plassert_beloep FROM {placements}
      UNION ALL SELECT motpost, plassert_beloep FROM {placements} WHERE plasseringstype = 'MOTKRAV'),
    covered AS (
      SELECT kravforfallsidentifikator, sum(plassert_beloep) AS beloep FROM ends
      SEMI JOIN dues USING (kravforfallsidentifikator) GROUP BY ALL)
    SELECT kravidentifikator, sum(opprinnelig_beloep + CASE WHEN opprinnelig_beloep < 0 THEN 1 ELSE -1 END
             * coalesce(beloep, 0))::DECIMAL(38, 0) AS krav_gjenstaaende
    FROM dues LEFT JOIN covered USING (kravforfallsidentifikator) GROUP BY kravidentifikator"""
