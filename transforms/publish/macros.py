"""The macros of the analysts' database, as SQL that DuckDB 1.0 knows (``schemas.analytics.MACROS``)."""

from datetime import date

import polars as pl

from schemas.macros import MACROS
from schemas.views import AGE_BANDS
from transforms.home.sql import sql_text
from transforms.rules.interest import DIVISOR, LEAST_KRONER


def age_band() -> str:
    """The macro that gives the age band of so many days."""
    cases = " ".join(
        f"WHEN dager <= {days} THEN {sql_text(band)}" for days, band in AGE_BANDS.items() if days is not None
    )
    return _macro("aldersgruppe", f"CASE {cases} WHEN dager > 0 THEN {sql_text(AGE_BANDS[None])} END::aldersgruppe")


def of_rates(rates: pl.DataFrame) -> list[str]:
    """The macros of interest. ``rates``: ``fra_dato``, ``sats`` (``rules.interest``)."""
    return [
        f"CREATE MACRO rentevekt(dag) AS {_weight_through(rates)}",
        f"CREATE MACRO rentekroner(oere, vekt) AS (oere::HUGEINT * vekt::HUGEINT) // {DIVISOR}",
        _macro("renter", _interest(rates["fra_dato"][0])),
    ]


def after_views() -> list[str]:
    """The macros that use views."""
    return [
        _macro("saldo", "(SELECT max(o.saldo) FROM oversikt AS o WHERE o.forespurt_part = nr)"),
        _macro("aldersfordelt", _AGED_DEBT),
        _macro("uplassert_etter_alder", _UNPLACED),
        _macro("betalt_i_tide", _ON_TIME),
    ]


def _macro(name: str, body: str) -> str:
    macro = MACROS[name]
    return f"CREATE MACRO {macro.call} AS {'TABLE ' if macro.is_table else ''}{body}"


def _weight_through(rates: pl.DataFrame) -> str:
    """The sum of the daily rates through ``dag`` (hundredths of a percent a year), newest rate first: most days are of
    the last ones.
    """
    cases, before = [], 0
    days, satser = rates["fra_dato"].to_list(), rates["sats"].to_list()
    for place, (first, sats) in enumerate(zip(days, satser, strict=True)):
        cases.append(f"WHEN dag >= DATE '{first}' THEN {before} + (dag - DATE '{first}' + 1) * {sats}")
        before += (days[place + 1] - first).days * sats if place + 1 < len(days) else 0
    return f"CASE {' '.join(reversed(cases))} WHEN dag IS NOT NULL THEN 0 END"


def _interest(first: date) -> str:
    """CONTRACT section 3, as ``rules.interest``. Days before the first rate bear none, whatever is added."""
    added = f"(paaslag * 100)::BIGINT * greatest(til - greatest(fra, DATE '{first}' - 1), 0)"
    kroner = f"rentekroner(beloep::DECIMAL(38, 2) * 100, rentevekt(til) - rentevekt(fra) + {added})"
    return (
        "CASE WHEN beloep IS NULL OR fra IS NULL OR til IS NULL THEN NULL WHEN beloep <= 0 OR til <= fra THEN 0 "
        f"WHEN {kroner} < {LEAST_KRONER} THEN 0 ELSE {kroner} END::DECIMAL(38, 2)"
    )


_AGED_DEBT = """
    SELECT kravgruppe, aldersgruppe, count(*) AS antall, sum(gjenstaaende_beloep) AS gjenstaaende_beloep,
           sum(stipulerte_renter) AS stipulerte_renter
    FROM forfall WHERE gjenstaaende_beloep > 0 GROUP BY kravgruppe, aldersgruppe ORDER BY kravgruppe, aldersgruppe"""

_UNPLACED = """
    SELECT aldersgruppe(date_diff('day', innbetalingsdato, snapshotdato)) AS aldersgruppe, count(*) AS antall,
           sum(uplassert_beloep) AS uplassert_beloep
    FROM innbetaling JOIN part USING (part) WHERE uplassert_beloep <> 0 GROUP BY 1 ORDER BY 1"""

_DUE = """
    SELECT kravforfallsidentifikator, kravidentifikator, forfallsdato, opprinnelig_beloep, gjenstaaende_beloep
    FROM kravforfall WHERE opprinnelig_beloep > 0 AND forfallsdato BETWEEN fra AND til"""

_ON_TIME = f"""
    SELECT kravgruppe, count(*) AS antall, sum(due.opprinnelig_beloep) AS opprinnelig_beloep,
           coalesce(sum(i_tide), 0) AS betalt_i_tide, coalesce(sum(for_sent), 0) AS betalt_for_sent,
           coalesce(sum(motregnet), 0) AS motregnet, sum(due.gjenstaaende_beloep) AS gjenstaaende_beloep
    FROM ({_DUE}) AS due JOIN krav USING (kravidentifikator) LEFT JOIN (
      SELECT post,
             sum(CASE WHEN plasseringstype = 'INNBETALING' AND paid <= forfallsdato THEN plassert_beloep ELSE 0 END)
               AS i_tide,
             sum(CASE WHEN plasseringstype = 'INNBETALING' AND paid > forfallsdato THEN plassert_beloep ELSE 0 END)
               AS for_sent,
             sum(CASE WHEN plasseringstype = 'MOTKRAV' THEN plassert_beloep ELSE 0 END) AS motregnet
      FROM (
        SELECT post, forfallsdato, plasseringstype, plassert_beloep, coalesce(innbetalingsdato, plasseringsdato) AS paid
        FROM ({_DUE}) AS due JOIN plassering ON ende = 'kravforfall' AND post = due.kravforfallsidentifikator
        LEFT JOIN innbetaling ON innbetalingsidentifikator = motpost) AS placed
      GROUP BY post) AS covered ON covered.post = due.kravforfallsidentifikator
    GROUP BY kravgruppe ORDER BY kravgruppe"""
"""What is placed is summed by due date before krav are joined, once: on 100,000 parts that is a fifth of the work less.
A due date has all that is placed on it at its own end, whosever the payment is; one that is not here counts as paid
on the day that it was placed. No WITH: DuckDB 1.4 does not read macros that have one."""
