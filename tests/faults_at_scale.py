"""Many kinds of fault in generated deliveries: exactly the right parts are held back, nobody else notices.

    python -m tests.faults_at_scale --parts 2000

An inbox is published as it was generated. Then every source delivers all of it once more, with each
kind of fault below in a row of its own. The parts held back must be those of the plain reference; they
keep their documents, and every other part's are built anew to the same bytes as without the faults.
"""

import argparse
import random
import tempfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from schemas.tables import TABLES
from synthetic.generate import generate
from tests.nights import Nights, counts_of, held_back_of
from tests.plain import quarantine
from tests.plain.balances import Kravtype
from tests.plain.deliveries import read_inbox
from tests.plain.numbers import organisation_number, with_wrong_check_digit
from tests.plain.write import write_delivery
from transforms.rules.reference import read_kravtyper, read_rates

S = date(2026, 11, 23)
Row = dict[str, Any]
Tables = dict[str, list[Row]]


def value(table: str, column: str, bad: Any) -> Callable[[random.Random, Tables], None]:
    """A fault: one row's value becomes another."""

    def fault(draw: random.Random, tables: Tables) -> None:
        row = draw.choice(tables[table])
        row[column] = bad(row[column]) if callable(bad) else bad

    return fault


def drop(table: str) -> Callable[[random.Random, Tables], None]:
    """A fault: one row isn't delivered."""

    def fault(draw: random.Random, tables: Tables) -> None:
        tables[table].remove(draw.choice(tables[table]))

    return fault


def double(table: str, **changes: Any) -> Callable[[random.Random, Tables], None]:
    """A fault: one row is delivered twice."""

    def fault(draw: random.Random, tables: Tables) -> None:
        tables[table].append(draw.choice(tables[table]) | changes)

    return fault


def no_due_dates(draw: random.Random, tables: Tables) -> None:
    krav = draw.choice(tables["krav"])["kravidentifikator"]
    tables["kravforfall"] = [row for row in tables["kravforfall"] if row["kravidentifikator"] != krav]


def opposite_sign(draw: random.Random, tables: Tables) -> None:
    """The due dates sum to the krav all the same."""
    due = draw.choice(tables["kravforfall"])
    amount = Decimal(due["opprinnelig_beloep"])
    due["opprinnelig_beloep"] = str(2 * amount)
    tables["kravforfall"].append(due | {"kravforfallsidentifikator": "opposite", "opprinnelig_beloep": str(-amount)})


def owner_gone(draw: random.Random, tables: Tables) -> None:
    owner = draw.choice([row for row in tables["part"] if row["parttype"] == "ENK"])["innehaver"]
    tables["part"] = [row for row in tables["part"] if row["part"] != owner]


def without_owner(draw: random.Random, tables: Tables) -> None:
    draw.choice([row for row in tables["part"] if row["parttype"] == "ENK"])["innehaver"] = None


FAULTS: dict[str, tuple[str, Callable[[random.Random, Tables], None]]] = {
    "a date is missing": ("mva", value("krav", "opprettelsesdato", None)),
    "an amount with a comma": ("skatt", value("krav", "opprinnelig_beloep", "12,50")),
    "an amount with three decimals": ("skatt", value("innbetaling", "innbetalt_beloep", "1.234")),
    "a day that does not exist": ("mva", value("kravforfall", "forfallsdato", "2026-02-30")),
    "a flag in words": ("skatt", value("kravforfall", "utsatt_iverksettelse", "ja")),
    "an identifier of 65 characters": ("mva", value("krav", "kravidentifikator", "x" * 65)),
    "an unknown plasseringstype": ("mva", value("plassering", "plasseringstype", "PLASSERT")),
    "a payment of nothing": ("skatt", value("innbetaling", "innbetalt_beloep", "0.00")),
    "a payout below nothing": ("mva", value("utbetaling", "utbetalt_beloep", lambda amount: f"-{amount}")),
    "a number with wrong check digits": ("partsregister", value("part", "part", with_wrong_check_digit)),
    "an unknown parttype": ("partsregister", value("part", "parttype", "FORENING")),
    "an ENK without owner": ("partsregister", without_owner),
    "an owner who is gone": ("partsregister", owner_gone),
    "a part that is gone": ("partsregister", drop("part")),
    "a krav twice": ("skatt", double("krav")),
    "a placement twice, with other content": ("mva", double("plassering", plassert_beloep="0.01")),
    "a krav of an unknown part": ("mva", value("krav", "part", organisation_number(999))),
    "a due date whose krav is gone": ("skatt", drop("krav")),
    "a krav without due dates": ("mva", no_due_dates),
    "due dates that sum to another amount": ("skatt", value("krav", "opprinnelig_beloep", lambda a: f"{a[:-2]}99")),
    "a due date of the opposite sign": ("skatt", opposite_sign),
    "a placement on no due date": ("mva", value("plassering", "kravforfallsidentifikator", "nowhere")),
    "a placement from no post": ("skatt", value("plassering", "motpost", "nowhere")),
    "a placement of the wrong kind": ("skatt", value("plassering", "plasseringstype", "UTBETALING")),
    "more placed than there is": ("mva", value("plassering", "plassert_beloep", "99999999.00")),
}


def spoil(inbox: Path, seed: int) -> None:
    """Delivers everything once more as the second full of each source, with every fault in it."""
    draw = random.Random(seed)
    said: dict[str, Tables] = {}
    for (kilde, _), delivery in sorted(read_inbox(inbox).items()):
        said[kilde] = {name: [] for name in TABLES}
        for row in delivery.rows:
            said[kilde][row.table].append(dict(row.cells))
    for kilde, fault in FAULTS.values():
        fault(draw, said[kilde])
    said["skatt"]["innbetaling"].append(draw.choice(said["mva"]["innbetaling"]) | {"fra_kidnummer": "other"})
    for kilde, tables in said.items():
        delivered = {name: rows for name, rows in tables.items() if rows}
        write_delivery(
            inbox, kilde, 2, "full", delivered, uttrekkstidspunkt="2026-11-22T23:30:00+01:00", format="csv.gz"
        )


def try_faults(folder: Path, parts: int, seed: int = 1) -> tuple[int, int]:
    """Returns how many parts were held back, and how many were published anew."""
    nights = Nights(folder)
    rates = [(day, Decimal(rate) / 100) for day, rate in read_rates().iter_rows()]
    kravtyper = {name: Kravtype(tekst, gruppe, renter) for name, tekst, gruppe, renter in read_kravtyper().iter_rows()}
    generate(nights.inbox, parts, date=S)
    nights.publish(S)
    before = nights.documents()
    first = quarantine.publish(quarantine.night(nights.inbox, S, rates, kravtyper))
    spoil(nights.inbox, seed)
    expected = quarantine.night(nights.inbox, S, rates, kravtyper, first)
    night = nights.publish(S)
    after = nights.documents()
    assert set(held_back_of(night)) == expected.held_back
    assert set(after) == set(quarantine.publish(expected, first).documents)
    assert after == {part: before[part] for part in after}  # kept, or built anew: nobody sees a difference
    return len(expected.held_back), counts_of(night, "build").parts - counts_of(night, "build").held_back_parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=2000)
    parts = parser.parse_args().parts
    with tempfile.TemporaryDirectory() as folder:
        held, published = try_faults(Path(folder), parts)
    print(f"{len(FAULTS) + 1} kinds of fault in {parts} parts: {held} held back, as the plain reference says;")
    print(f"{published} published anew, the same bytes as without the faults")


if __name__ == "__main__":
    main()
