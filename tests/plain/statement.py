"""Rows for tests that read like an account statement: say what matters, the rest is filled in."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.plain.balances import Row, Rows
from tests.plain.columns import TABLES, Kind

A_DAY = date(2023, 1, 1)
MOST = Decimal("9999999999999999.99")
"""As large as an amount may be (CONTRACT section 1): the øre of ten of them pass 64 bits."""


def row(table: str, **said: Any) -> Row:
    """One row of ``table``: amounts may be said as text or int, dates as text; what is not said is null."""
    names = TABLES[table].names
    unknown = set(said) - set(names)
    if unknown:
        raise ValueError(f"{table} has no {', '.join(sorted(unknown))}")
    return {name: _value(table, name, said.get(name)) for name in names}


def _value(table: str, name: str, said: Any) -> Any:
    kind = TABLES[table][name].kind
    if said is None:
        return None
    if kind in (Kind.AMOUNT, Kind.POSITIVE_AMOUNT):
        return Decimal(said)
    return date.fromisoformat(said) if kind is Kind.DATE and isinstance(said, str) else said


def part(number: str, parttype: str = "VIRKSOMHET", innehaver: str | None = None) -> Row:
    return row("part", part=number, parttype=parttype, innehaver=innehaver)


def krav(key: str, whose: str, amount: Any, **said: Any) -> Row:
    said = {"kravtype": "Skatt", "opprettelsesdato": A_DAY, **said}
    return row("krav", kravidentifikator=key, part=whose, opprinnelig_beloep=amount, **said)


def kravforfall(key: str, of: str, amount: Any, day: Any, **said: Any) -> Row:
    said = {"utsatt_iverksettelse": False, **said}
    return row(
        "kravforfall",
        kravforfallsidentifikator=key,
        kravidentifikator=of,
        opprinnelig_beloep=amount,
        forfallsdato=day,
        **said,
    )


def innbetaling(key: str, whose: str, amount: Any, day: Any = A_DAY, **said: Any) -> Row:
    return row(
        "innbetaling",
        innbetalingsidentifikator=key,
        part=whose,
        innbetalt_beloep=amount,
        innbetalingsdato=day,
        **said,
    )


def utbetaling(key: str, whose: str, amount: Any, day: Any = A_DAY, **said: Any) -> Row:
    return row(
        "utbetaling",
        utbetalingsidentifikator=key,
        part=whose,
        utbetalt_beloep=amount,
        utbetalingsdato=day,
        **said,
    )


def plassering(key: str, plasseringstype: str, on: str, motpost: str, amount: Any, day: Any = A_DAY) -> Row:
    return row(
        "plassering",
        plasseringsidentifikator=key,
        plasseringstype=plasseringstype,
        kravforfallsidentifikator=on,
        motpost=motpost,
        plassert_beloep=amount,
        plasseringsdato=day,
    )


def rows(*said: Row) -> Rows:
    """The rows by table, told apart by their columns."""
    tables: Rows = {name: [] for name in TABLES}
    for one in said:
        table = next(t.name for t in TABLES.values() if set(t.names) == set(one) - {"slettet"})
        tables[table].append(one)
    return tables
