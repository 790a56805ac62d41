"""Where the analysts' rows are from, and what is refused and held back, as the plain reference has it."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.plain.columns import TABLES
from tests.plain.deliveries import RawRow
from tests.plain.held_back import Leads
from tests.plain.posts import checked_books
from tests.plain.quarantine import Night, Published
from tests.plain.write import AMOUNT

Rows = list[tuple[Any, ...]]


def hold_to_plain(home: Path, night: Night, previous: Published | None, since: Mapping[str, date]) -> None:
    """Holds the analysts' database of a night just published to what the plain reference says of it.

    ``previous``: what was published before; ``since``: the parts held back, and the night that they were first.
    """
    with duckdb.connect(str(home / "analytics.duckdb"), read_only=True) as connection:

        def ask(query: str) -> Rows:
            return connection.execute(query).fetchall()

        _hold_provenance(ask, night)
        _hold_refused(ask, night)
        _hold_held_back(ask, night, previous, since)


def _hold_provenance(ask: Any, night: Night) -> None:
    """Of the parts built: the delivery, file and row of every row; of two sources the first by name."""
    books = checked_books(night.said)
    for name, table in TABLES.items():
        expected = {post.key: min(map(_place, post.rows)) for post in books[name]}
        rows = ask(
            f"SELECT {table.key}, part, k.kilde, k.leveransenummer, r.fil, r.rad FROM {name} AS k LEFT JOIN rad AS r "
            f"ON r.tabell = '{name}' AND r.noekkel = k.{table.key} AND r.kilde = k.kilde "
            "AND r.leveransenummer = k.leveransenummer"
        )
        built = [row for row in rows if row[1] in night.documents]
        assert {key: tuple(place) for key, _, *place in built} == {
            key: expected[key] for key in {key for key, *_ in built}
        }
        assert len({key for key, *_ in built}) == len({(key, *place) for key, _, *place in built})


def _place(row: RawRow) -> tuple[str, int, str, int]:
    return row.kilde, row.leveransenummer, row.file, row.number


def _hold_refused(ask: Any, night: Night) -> None:
    found = ask("SELECT tabell, noekkel, kilde, leveransenummer, fil, rad, beloep FROM avvist")
    rows = [entry.row for entry in night.quarantined]
    expected = [(row.table, row.key, *_place(row), _amount(row)) for row in rows]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def _amount(row: RawRow) -> Decimal | None:
    """The amount of a row, if it is well-formed (CONTRACT section 1), whatever else is wrong; none of a removal."""
    text = row.cells.get(TABLES[row.table].amount)
    return Decimal(text) if text and AMOUNT.fullmatch(text) and not row.removes else None


def _hold_held_back(ask: Any, night: Night, previous: Published | None, since: Mapping[str, date]) -> None:
    leads = Leads(night.said, previous.keys if previous else {})
    expected = {
        (part, entry.row.table, *_place(entry.row))
        for entry in night.quarantined
        for part in leads.parts_of_row(entry.row)
    }
    rows = ask(
        "SELECT h.part, h.siden, h.gjennom, a.tabell, a.kilde, a.leveransenummer, a.fil, a.rad "
        "FROM holdt_tilbake AS h JOIN avvist AS a USING (avvist)"
    )
    assert {(part, *row) for part, _, owner, *row in rows if owner is None} == expected
    assert {(owner, *row) for _, _, owner, *row in rows if owner is not None} <= expected
    assert {part: siden for part, siden, *_ in rows} == since
