"""What is reported of deliveries and rates, at the edge of being worth a report (CONTRACT section 2)."""

from datetime import date

import polars as pl
import pytest

from schemas.snapshot import Accepted, TableReceipt
from tests.manifests import accepted
from tests.nights import S
from transforms.check.reported import (
    reported_of_deliveries,
    reported_of_held_back,
    reported_of_rates,
)


def extracted(kilde: str, nr: int, moment: str, **failing: dict[str, int]) -> Accepted:
    receipt = {
        table: TableReceipt(rader=9, refused=0, removed=0, oere=0, failing=counts) for table, counts in failing.items()
    }
    return accepted(kilde, nr, moment, receipt=receipt)


def test_an_extract_on_the_day_is_not_after_it():
    chain = [extracted("mva", 1, "2026-11-23T23:59:59+01:00"), extracted("mva", 2, "2026-11-23T23:00:00Z")]
    told = reported_of_deliveries(chain, [], S)
    assert [(one.code, one.leveransenummer) for one in told] == [("R-EXTRACT-AFTER", 2)]


def test_a_delivery_is_older_than_the_one_before_of_its_source():
    """Of those ever used: the second is not in force any more. The same moment is not older."""
    before = [extracted("mva", 1, "2026-11-20T12:00:00Z"), extracted("mva", 2, "2026-11-22T12:00:00Z")]
    used = {
        "mva": [extracted("mva", 3, "2026-11-21T12:00:00Z"), extracted("mva", 4, "2026-11-21T12:00:00Z")],
        "skatt": [extracted("skatt", 5, "2026-11-19T12:00:00Z")],
    }
    told = reported_of_deliveries([*used["mva"], *used["skatt"]], before, S)
    assert [(one.code, one.kilde, one.leveransenummer) for one in told] == [("R-EXTRACT-ORDER", "mva", 3)]
    assert told[0].message == "delivery 2 was extracted later"


def test_check_digits_that_fail_are_told_of_each_table_and_column():
    one = extracted(
        "mva", 1, "2026-11-22T12:00:00Z", innbetaling={"R-KID fra_kidnummer": 3}, utbetaling={"R-IBAN iban": 1}
    )
    told = reported_of_deliveries([one], [], S)
    assert [(report.code, report.tabell, report.message) for report in told] == [
        ("R-KID", "innbetaling", "3 in fra_kidnummer"),
        ("R-IBAN", "utbetaling", "1 in iban"),
    ]


@pytest.mark.parametrize(
    ("snapshot_date", "rates", "told"),
    [
        (date(2026, 6, 30), [date(2026, 1, 1)], None),
        (date(2026, 6, 30), [date(2026, 6, 30)], None),
        (date(2026, 6, 30), [date(2025, 7, 1), date(2026, 7, 1)], "the last one begins on 2025-07-01"),
        (date(2026, 7, 1), [date(2026, 6, 30)], "the last one begins on 2026-06-30"),
        (date(2026, 7, 1), [date(2026, 7, 1)], None),
        (date(2026, 12, 31), [date(2026, 12, 31)], None),
        (date(2026, 12, 31), [date(2027, 1, 1)], "the first one begins later"),
        (date(2027, 1, 1), [date(2026, 12, 31)], "the last one begins on 2026-12-31"),
    ],
)
def test_rates_of_which_none_begins_in_the_half_year(snapshot_date, rates, told):
    reports = reported_of_rates(pl.DataFrame({"fra_dato": rates}), snapshot_date)
    assert [report.message.partition(",")[0] for report in reports] == ([told] if told else [])


def test_a_share_held_back_is_reported_when_it_is_more_than_the_limit():
    assert reported_of_held_back(2, 1000, 0.002, "") == []
    (one,) = reported_of_held_back(3, 1000, 0.002, "; rows refused: 3 of mva 000042")
    told = "3 of 1000, a warning is given from 0.20%; rows refused: 3 of mva 000042"
    assert (one.level, one.code, one.message) == (0, "R-HELD-BACK", told)
