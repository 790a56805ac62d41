"""What is reported and never refused (CONTRACT section 2): the operator should look, and nothing is held back."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import duckdb
import polars as pl

from schemas.refusals import Refusal
from schemas.snapshot import Accepted
from schemas.tables import TABLES


def reported_of_posts(connection: duckdb.DuckDBPyConnection, kravtyper: pl.DataFrame) -> list[Refusal]:
    """Unknown kravtyper and posts of two sources. Needs what ``check_posts`` leaves."""
    connection.register("known", kravtyper.to_arrow())
    krav, types = connection.execute(_UNKNOWN).fetchall()[0]
    reports = []
    if krav:
        text = f"{types} kravtyper on {krav} krav: they bear interest, and need a kravgruppe of their own"
        reports.append(Refusal(0, "R-KRAVTYPE-UNKNOWN", text, tabell="krav"))
    for name in TABLES:
        count = connection.execute(f"SELECT count(*) FROM same_{name}").fetchall()[0][0]
        if count:
            reports.append(Refusal(0, "R-KEY-SOURCES-SAME", f"{count} rows", tabell=name))
    return reports


_UNKNOWN = """
    SELECT count(*), count(DISTINCT kravtype) FROM ledger_krav AS krav ANTI JOIN known USING (kravtype)
    ANTI JOIN bad_krav AS bad ON bad.noekkel = krav.kravidentifikator
    ANTI JOIN same_krav AS same ON same.noekkel = krav.kravidentifikator AND same.kilde = krav.kilde"""
"""The good krav of kravtyper that the reference data doesn't have."""


def reported_of_deliveries(
    in_force: Sequence[Accepted], accepted: Iterable[Accepted], snapshot_date: date
) -> list[Refusal]:
    """Of the deliveries in force: check digits that fail, extracts after S, or older than the one before.

    ``accepted``: those that earlier snapshots have used.
    """
    failing = [
        _of(one, what.split()[0], f"{count} in {what.split()[1]}", tabell=table)
        for one in in_force
        for table, receipt in one.receipt.items()
        for what, count in receipt.failing.items()
    ]
    after = [
        _of(one, "R-EXTRACT-AFTER", f"extracted on {one.day}, the snapshot date is {snapshot_date}")
        for one in in_force
        if one.day > snapshot_date
    ]
    return [*failing, *after, *_out_of_order(accepted, in_force)]


def _out_of_order(accepted: Iterable[Accepted], in_force: Sequence[Accepted]) -> Iterator[Refusal]:
    """The delivery before one is the source's next lower number of those ever used, tonight or before."""
    known = {(one.kilde, one.leveransenummer): one for one in (*accepted, *in_force)}
    for one in in_force:
        lower = [nummer for kilde, nummer in known if kilde == one.kilde and nummer < one.leveransenummer]
        before = known[one.kilde, max(lower)] if lower else one
        if one.extracted_at < before.extracted_at:
            yield _of(one, "R-EXTRACT-ORDER", f"delivery {before.leveransenummer} was extracted later")


def _of(delivery: Accepted, code: str, message: str, tabell: str | None = None) -> Refusal:
    return Refusal(0, code, message, delivery.kilde, delivery.leveransenummer, tabell=tabell)


def reported_of_rates(rates: pl.DataFrame, snapshot_date: date) -> list[Refusal]:
    """Whether the rates have run out: none begins in the half-year of S. ``rates``: ``fra_dato``, ascending."""
    if any(_half_year(day) == _half_year(snapshot_date) for day in rates["fra_dato"]):
        return []
    last = max((day for day in rates["fra_dato"] if day <= snapshot_date), default=None)
    text = f"the last one begins on {last}" if last else "the first one begins later"
    return [
        Refusal(0, "R-RATES-OLD", f"{text}, the snapshot date is {snapshot_date}: give the run a new file of rates")
    ]


def _half_year(day: date) -> tuple[int, bool]:
    return day.year, day.month > 6
