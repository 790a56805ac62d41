"""What is reported and never refused (CONTRACT section 2): the operator should look, and nothing is held back."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import duckdb
import polars as pl

from schemas.receipts import AcceptReceipt
from schemas.refusals import Refusal
from schemas.snapshot import Accepted, SnapshotManifest
from schemas.tables import TABLES
from transforms.home.shown import shown
from transforms.stops import over_share


def reported_of_posts(connection: duckdb.DuckDBPyConnection, kravtyper: pl.DataFrame) -> list[Refusal]:
    """Unknown kravtyper and posts of two sources. Needs what ``check_posts`` leaves."""
    connection.register("known", kravtyper.to_arrow())
    unknown = connection.execute(_UNKNOWN).fetchall()
    reports = [_unknown_kravtyper(kilde, types, krav, named) for kilde, types, krav, named in unknown]
    for name in TABLES:
        same = connection.execute(f"SELECT kilde, count(*) FROM same_{name} GROUP BY ALL ORDER BY ALL").fetchall()
        if same:
            told = f"{sum(count for _, count in same)} rows, of them {_listed(same)} that are not shown again"
            reports.append(Refusal(0, "R-KEY-SOURCES-SAME", told, tabell=name))
    return reports


NAMED = 10
"""So many kravtyper, or sources and deliveries, are named in a report, those of most rows first."""

_UNKNOWN = f"""
    SELECT kilde, count(*), sum(krav)::BIGINT, list(kravtype ORDER BY krav DESC, kravtype)[:{NAMED}] FROM (
      SELECT kilde, kravtype, count(*) AS krav FROM ledger_krav AS krav ANTI JOIN known USING (kravtype)
      ANTI JOIN bad_krav AS bad ON bad.noekkel = krav.kravidentifikator
      ANTI JOIN same_krav AS same ON same.noekkel = krav.kravidentifikator AND same.kilde = krav.kilde
      GROUP BY ALL)
    GROUP BY ALL ORDER BY kilde"""
"""The good krav of kravtyper that the reference data doesn't have, by source."""


def _unknown_kravtyper(kilde: str, types: int, krav: int, named: list[str]) -> Refusal:
    """Names are delivered text: as file names they are shown printable, bounded and with long numbers masked."""
    names = ", ".join(map(shown, named)) + (", …" if types > len(named) else "")
    text = f"{types} kravtyper on {krav} krav: they bear interest, and need a kravgruppe of their own: {names}"
    return Refusal(0, "R-KRAVTYPE-UNKNOWN", text, kilde, tabell="krav")


def refused_by_source(connection: duckdb.DuckDBPyConnection) -> str:
    """The quarantined rows by source and delivery, in words after a semicolon. Needs ``quarantined``."""
    rows = connection.execute(
        "SELECT kilde || ' ' || format('{:06d}', leveransenummer), count(*) AS rader FROM quarantined "
        "GROUP BY ALL ORDER BY rader DESC, 1"
    ).fetchall()
    return f"; rows refused: {_listed(rows)}" if rows else ""


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    told = ", ".join(f"{count} of {name}" for name, count in counts[:NAMED])
    return told + (", …" if len(counts) > NAMED else "")


def reported_of_held_back(held: int, accepted: int, limit: float, by: str) -> list[Refusal]:
    """More held back than the share from which it is worth a warning; as ``stops.too_many_held_back``."""
    if not over_share(held, accepted, limit):
        return []
    return [Refusal(0, "R-HELD-BACK", f"{held} of {accepted}, a warning is given from {limit:.2%}{by}")]


def reported_of_missed(
    accepted: AcceptReceipt, earlier: SnapshotManifest | None, snapshot_date: date
) -> Iterator[Refusal]:
    """The sources of which nothing new has come since the last snapshot of a date before S, the ``earlier``.

    A delivery that was refused or waits is told of by itself: that source has delivered.
    """
    last = {one.kilde: one.leveransenummer for one in (earlier.used if earlier else [])}
    came = {(one.kilde, one.leveransenummer or 0) for one in accepted.refusals if one.level == 1}
    for kilde, chain in sorted(accepted.used.items()):
        now = chain[-1]
        if last.get(kilde) == now.leveransenummer and not any(k == kilde and n > last[kilde] for k, n in came):
            days = (snapshot_date - now.day).days
            yield _of(now, "R-SOURCE-MISSED", f"its last one is {days} {'day' if days == 1 else 'days'} old")


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
