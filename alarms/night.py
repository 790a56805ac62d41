"""What there is to tell of a night when it has ended: one message a night and kind, and one a late source."""

from collections.abc import Iterator
from datetime import date

import polars as pl

from alarms.message import Item, Message, message, of_day, with_text
from alarms.seen import Seen
from schemas.operations import Operations
from schemas.refusals import SENTENCES, WAITING
from schemas.report import RunReport
from schemas.runbook import to_do
from transforms.home.report import NOTHING_NEW, what_to_do

DAYS_FROM_EXTRACT = 1
"""A source has delivered for a night with what it extracted on the day before it, or later."""
ITEMS = 50
"""So many are told one by one in a message, of as many as its sentence says."""
ITS_END = {
    "failed": "failed",
    "stopped": "was stopped before it published",
    "unfinished": "began and did not end: its process died",
    "unreadable": "has left a report that cannot be read",
}


def messages(seen: Seen, operations: Operations) -> list[Message]:
    """What there is to tell of the run: nothing while it goes on, or of one that was asked for some stages only."""
    report = seen.report
    if report is None or report.outcome in ("running", "partial"):
        return []
    told = [
        *(_failed(report, seen, operations) if report.outcome != "published" else []),
        *_deliveries(report, seen, operations),
        *_held_back(report, seen, operations),
        *_nothing_new(report, seen, operations),
        *(late_sources(seen, operations) if seen.is_of_this_run else []),
    ]
    return [with_text(one) for one in told]


def not_begun(seen: Seen, operations: Operations, run: str, why: str) -> Message:
    """The night of a run that left no report. ``why``: in words that hold no data."""
    told = message(seen, operations, "night-not-begun", run, "critical", f"a night could not begin: {why}")
    cure = f"{what_to_do(why) or 'mend that, or wait for the other run'}, and run the night again"
    item = Item(code="NOT-BEGUN", sentence=why, to_do=cure)
    return with_text(told.model_copy(update={"run": run, "snapshotdato": None, "items": [item]}))


def recovered(seen: Seen, operations: Operations, open_ids: list[str]) -> list[Message]:
    """A good night after a bad one says so: what was told, and was open until now, is over."""
    if not open_ids or seen.report is None or not seen.is_of_this_run:
        return []
    sentence = f"the night {of_day(seen.report.snapshotdato)}was published: what was told before is over"
    told = message(seen, operations, "night-published", seen.report.run, "ok", sentence)
    return [with_text(told.model_copy(update={"resolves": open_ids}))]


def _failed(report: RunReport, seen: Seen, operations: Operations) -> Iterator[Message]:
    """The night published nothing: the reasons that it was stopped for, or the place where it failed."""
    what = ITS_END.get(report.outcome, report.outcome)
    sentence = f"the night {of_day(report.snapshotdato)}{what}; what was published stays up"
    told = message(seen, operations, "night-failed", report.run, "critical", sentence)
    items = list(_items(seen.findings, 3))
    if not items:
        why = report.failure or "nothing is known of why"
        items = [Item(code="FAILED", sentence=why, to_do=f"{what_to_do(why) or 'mend that'}, and run the night again")]
    yield told.model_copy(update={"items": items})


def _deliveries(report: RunReport, seen: Seen, operations: Operations) -> Iterator[Message]:
    """Deliveries that were refused or wait."""
    items = list(_items(seen.findings, 1))
    if items:
        waiting = sum(item.code in WAITING for item in items)
        counts = {"to refuse deliveries": len(items) - waiting, "why deliveries wait": waiting}
        met = ", ".join(f"{count} reason{'s' * (count > 1)} {why}" for why, count in counts.items() if count)
        sentence = f"the night {of_day(report.snapshotdato)}met {met}"
        told = message(seen, operations, "deliveries", report.run, "warning", sentence)
        yield told.model_copy(update={"items": items[:ITEMS]})


def _held_back(report: RunReport, seen: Seen, operations: Operations) -> Iterator[Message]:
    """A share of parts held back above the one that is told of (above that of the run, the night stops)."""
    checked = report.stages.check
    if checked and (share := checked.held_back_share) > operations.warn_held_back:
        limit = f"someone is told above {operations.warn_held_back:.2%}"
        sentence = f"the night {of_day(report.snapshotdato)}held back {share:.2%} of the parts; {limit}"
        codes = sorted(checked.quarantined_by_code.items(), key=lambda one: (-one[1], one[0]))
        items = [Item(code=c, sentence=SENTENCES.get(c, c), to_do=to_do(c), count=count) for c, count in codes]
        told = message(seen, operations, "held-back", report.run, "warning", sentence)
        yield told.model_copy(update={"items": items})


def _nothing_new(report: RunReport, seen: Seen, operations: Operations) -> Iterator[Message]:
    """No source at all has delivered, required or not: the inbox may not be the one that they deliver to."""
    if report.outcome == "published" and NOTHING_NEW in report.told:
        sentence = f"the night {of_day(report.snapshotdato)}was published, but {NOTHING_NEW}"
        told = message(seen, operations, "nothing-new", str(report.snapshotdato), "warning", sentence)
        cure = "look whether the inbox is the right one and mounted; ask the sources"
        item = Item(code="NOTHING-NEW", sentence="no source has delivered", to_do=cure)
        yield told.model_copy(update={"items": [item]})


def late_sources(seen: Seen, operations: Operations) -> Iterator[Message]:
    """The required sources without a delivery for the published night: one message each, with its last extract."""
    if seen.published:
        day, last = seen.published.snapshotdato, {one.kilde: one.day for one in seen.published.used}
        for kilde in sorted({*last, *operations.sources}):
            if operations.of(kilde).required and not is_for(last.get(kilde), day):
                yield late(seen, operations, kilde, day, last.get(kilde), "has no delivery in force")


def is_for(extracted: date | None, day: date) -> bool:
    """Whether what was extracted on the one day is for the night of the other."""
    return extracted is not None and (day - extracted).days <= DAYS_FROM_EXTRACT


def late(
    seen: Seen, operations: Operations, kilde: str, day: date, last: date | None, what: str = "has not delivered"
) -> Message:
    """The source has not delivered for the night of the day. ``last``: the day of its last extract."""
    since = f"its last extract is of {last}, {(day - last).days} days before" if last else "it has never delivered"
    sentence = f"{kilde} {what} for the night of {day}: {since}"
    told = message(seen, operations, "source-late", f"{kilde}-{day}", "warning", sentence)
    cure = "ask the source; look for a refused or waiting delivery of it"
    item = Item(code="SOURCE-LATE", sentence="no delivery for the night", to_do=cure, kilde=kilde)
    return with_text(told.model_copy(update={"snapshotdato": day, "items": [item]}))


def _items(findings: pl.DataFrame | None, level: int) -> Iterator[Item]:
    """The findings of a level, each code of a delivery once; none of their texts, which tell of the content."""
    if findings is None:
        return
    grouped = (
        findings.filter(pl.col("nivaa") == level)
        .group_by("kilde", "leveransenummer", "kode", maintain_order=True)
        .len()
    )
    for kilde, nummer, code, count in grouped.iter_rows():
        sentence = SENTENCES.get(code, code)
        yield Item(code=code, sentence=sentence, to_do=to_do(code), kilde=kilde, leveransenummer=nummer, count=count)


def trial(seen: Seen, operations: Operations) -> Message:
    """One to try the way with."""
    told = "a test: whoever reads this is told of the nights"
    return with_text(message(seen, operations, "test", f"{seen.now:%Y%m%dT%H%M%S%f}", "ok", told))
