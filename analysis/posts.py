"""Explains krav and their due dates out of the analysts' database."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import polars as pl

from analysis.figures import Forfall, Krav, Placement, RatePeriod, Row
from transforms.rules.interest import interest, rate_periods, weights

Found = dict[str, Any]

_SIGNS = {("INNBETALING", "kravforfall"): -1, ("MOTKRAV", "kravforfall"): -1}
"""Of what covers a due date; what is taken from a credit counts positive."""


class UnknownError(LookupError):
    """What is asked for is not in the documents of the part."""


def rows(connection: duckdb.DuckDBPyConnection, query: str, *values: object) -> list[Found]:
    """What a query of the database gives, a dict a row."""
    found = connection.execute(query, list(values))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def delivered(connection: duckdb.DuckDBPyConnection, tabell: str, post: Mapping[str, Any], key: str) -> tuple[Row, ...]:
    """Where the row of a post was delivered: by which delivery in force, in which file and row."""
    found = rows(
        connection,
        "SELECT kilde, leveransenummer, fil, rad, slettet FROM rad "
        "WHERE tabell = ? AND noekkel = ? AND kilde = ? AND leveransenummer = ? ORDER BY ALL",
        *(tabell, post[key], post["kilde"], post["leveransenummer"]),
    )
    return tuple(Row(**row) for row in found)


def explain_krav(connection: duckdb.DuckDBPyConnection, krav: Found, snapshot_date: date, forfall: str = "") -> Krav:
    """A krav with its due dates, or only the one that is named."""
    dues = rows(
        connection,
        "FROM kravforfall WHERE kravidentifikator = ? ORDER BY forfallsdato, kravforfallsidentifikator",
        krav["kravidentifikator"],
    )
    told = [due for due in dues if forfall in ("", due["kravforfallsidentifikator"])]
    rates = _rates(connection)
    return Krav(
        **{name: krav[name] for name in Krav.model_fields if name in krav},
        rader=delivered(connection, "krav", krav, "kravidentifikator"),
        forfall=tuple(_explain_forfall(connection, due, rates, snapshot_date) for due in told),
    )


def _rates(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rates that the snapshot was made with, as the rules have them."""
    found = connection.execute("SELECT fra_dato, (sats * 100)::BIGINT FROM rente_sats ORDER BY fra_dato").fetchall()
    return pl.DataFrame(found, {"fra_dato": pl.Date, "sats": pl.Int64}, orient="row")


def _explain_forfall(
    connection: duckdb.DuckDBPyConnection, due: Found, rates: pl.DataFrame, snapshot_date: date
) -> Forfall:
    key = due["kravforfallsidentifikator"]
    placed = _placements(connection, key, due["part"])
    remaining = due["opprinnelig_beloep"] + sum((one.beloep for one in placed), Decimal(0))
    why_not = _why_no_interest(due, remaining, snapshot_date)
    periods = () if why_not else _periods(remaining, due["forfallsdato"], rates, snapshot_date)
    return Forfall(
        **{name: due[name] for name in ("kravforfallsidentifikator", "forfallsdato", "opprinnelig_beloep", "forfalt")},
        rader=delivered(connection, "kravforfall", due, "kravforfallsidentifikator"),
        plasseringer=placed,
        gjenstaaende_beloep=remaining,
        hvorfor_ikke=why_not,
        perioder=periods,
        renter_foer_avrunding=sum((period.renter for period in periods), Fraction(0)),
        stipulerte_renter=Decimal(0) if why_not else _interest(remaining, due["forfallsdato"], rates, snapshot_date),
    )


def _placements(connection: duckdb.DuckDBPyConnection, post: str, part: str) -> tuple[Placement, ...]:
    """All that is placed at the due date's end of placements."""
    found = rows(
        connection,
        """
        SELECT placed.*, coalesce(i.part, f.part, u.part) AS motpart FROM plassering AS placed
        LEFT JOIN innbetaling AS i ON plasseringstype = 'INNBETALING' AND i.innbetalingsidentifikator = motpost
        LEFT JOIN kravforfall AS f ON plasseringstype = 'MOTKRAV' AND f.kravforfallsidentifikator = motpost
        LEFT JOIN utbetaling AS u ON plasseringstype = 'UTBETALING' AND u.utbetalingsidentifikator = motpost
        WHERE post = ? AND placed.part = ? AND (ende = 'kravforfall' OR plasseringstype = 'MOTKRAV')
        ORDER BY plasseringsdato, plasseringsidentifikator
        """,
        *(post, part),
    )
    return tuple(
        Placement(
            **{name: row[name] for name in Placement.model_fields if name in row},
            beloep=_SIGNS.get((row["plasseringstype"], row["ende"]), 1) * row["plassert_beloep"],
            rader=delivered(connection, "plassering", row, "plasseringsidentifikator"),
        )
        for row in found
    )


def _why_no_interest(due: Found, remaining: Decimal, snapshot_date: date) -> str | None:
    if remaining <= 0:
        return "nothing remains to be paid" if remaining == 0 else "it is owed to the part"
    if due["forfallsdato"] >= snapshot_date:
        return f"it is not due before {snapshot_date}"
    return None if due["renteberegnes"] else "its krav is of a kravtype that bears none"


def _periods(remaining: Decimal, due: date, rates: pl.DataFrame, snapshot_date: date) -> tuple[RatePeriod, ...]:
    return tuple(
        RatePeriod(
            fra=first,
            til=last,
            dager=(last - first).days + 1,
            sats=Decimal(sats) / 100,
            renter=Fraction(remaining) * ((last - first).days + 1) * sats / (365 * 100 * 100),
        )
        for first, last, sats in rate_periods(due, rates, snapshot_date)
    )


def _interest(remaining: Decimal, due: date, rates: pl.DataFrame, snapshot_date: date) -> Decimal:
    weight = weights(pl.Series([due]), rates, snapshot_date)["vekt"]
    kroner = pl.select(interest(pl.lit(int(remaining * 100)), pl.lit(weight))).item()
    return Decimal(kroner)
