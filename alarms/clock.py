"""What no night tells of itself, because none has ended: it takes a look at the clock, again and again."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from alarms.message import Item, Message, message, with_text
from alarms.night import is_for, late
from alarms.seen import Seen
from schemas.operations import Operations
from schemas.snapshot import OSLO
from transforms.accept.inbox import find_deliveries


def overdue(seen: Seen, operations: Operations, inbox: Path) -> list[Message]:
    """What is overdue by now: a new snapshot by ``published_by``, a source's delivery by its ``expected_by``; and a
    home whose snapshot cannot be read.
    """
    now = seen.now.astimezone(OSLO)
    return [
        *_damaged(seen, operations, now.date()),
        *_not_published(seen, operations, now),
        *_not_delivered(seen, operations, now, inbox),
    ]


def settings_wrong(seen: Seen, operations: Operations, wrong: str) -> Message:
    """The file of settings is ``wrong``; ``operations``: what it said when it was right last."""
    day = seen.now.astimezone(OSLO).date()
    sentence = "what the operator has settled cannot be used: no night begins until it is mended"
    told = message(seen, operations, "settings-wrong", str(day), "critical", sentence)
    cure = "mend the file, then `kravoversikt alarms check`; the alarms go by what it said when it was right last"
    return with_text(told.model_copy(update={"items": [Item(code="SETTINGS-WRONG", sentence=wrong, to_do=cure)]}))


def _damaged(seen: Seen, operations: Operations, day: date) -> Iterator[Message]:
    if seen.damage:
        sentence = f"what is published cannot be read: {seen.damage}"
        told = message(seen, operations, "home-damaged", str(day), "critical", sentence)
        cure = "`kravoversikt status` says what it is, docs/operations.md how to mend it"
        item = Item(code="L3-HOME-DAMAGED", sentence="what the home has published cannot be read", to_do=cure)
        yield with_text(told.model_copy(update={"items": [item]}))


def _not_published(seen: Seen, operations: Operations, now: datetime) -> Iterator[Message]:
    """A home that has never published is being set up: nobody is told."""
    published, day = seen.published, now.date()
    if published and published.snapshotdato < day and now.time() >= operations.published_by:
        sentence = f"nothing was published for {day} by {operations.published_by:%H:%M}: what is up is of "
        told = message(seen, operations, "not-published", str(day), "critical", f"{sentence}{published.snapshotdato}")
        cure = "`kravoversikt status` says how the last run went; start the night if none began"
        item = Item(code="NOT-PUBLISHED", sentence="no new snapshot", to_do=cure)
        yield with_text(told.model_copy(update={"snapshotdato": day, "items": [item]}))


def _not_delivered(seen: Seen, operations: Operations, now: datetime, inbox: Path) -> Iterator[Message]:
    """The sources that have an hour, and by it nothing in the inbox, or in force, for tonight."""
    day = now.date()
    due = {
        kilde
        for kilde, source in operations.sources.items()
        if source.required and source.expected_by and now.time() >= source.expected_by
    }
    if due:
        last = _extracted(seen, inbox)
        for kilde in sorted(kilde for kilde in due if not is_for(last.get(kilde), day)):
            yield late(seen, operations, kilde, day, last.get(kilde))


def _extracted(seen: Seen, inbox: Path) -> dict[str, date]:
    """The day of each source's newest extract, in the inbox or in force. An inbox that cannot be read is told of by
    the night.
    """
    last = {one.kilde: one.day for one in seen.published.used} if seen.published else {}
    try:
        deliveries = find_deliveries(inbox).deliveries
    except OSError:
        return last
    for delivery in deliveries:
        if delivery.manifest:
            day = delivery.manifest.uttrekkstidspunkt.astimezone(OSLO).date()
            last[delivery.kilde] = max(day, last.get(delivery.kilde, day))
    return last
