"""A message: what is posted to the operator's webhook, and how one is made.

Its ``id`` is the same whoever makes it, and however often: a receiver drops doubles by it.
"""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from alarms.seen import Seen
from schemas.operations import Operations

Severity = Literal["critical", "warning", "ok"]
"""What is critical is so until a night is published."""
Kind = Literal[
    "night-failed",
    "night-not-begun",
    "settings-wrong",
    "home-damaged",
    "not-published",
    "deliveries",
    "held-back",
    "source-late",
    "nothing-new",
    "night-published",
    "test",
]


class Item(BaseModel):
    """One thing that is wrong: its code and what that stands for, what to do, where, and how often."""

    model_config = ConfigDict(frozen=True)

    code: str
    sentence: str
    to_do: str
    kilde: str | None = None
    leveransenummer: int | None = None
    count: int = 1

    def line(self) -> str:
        """The item as a line of text."""
        number = None if self.leveransenummer is None else f"{self.leveransenummer:06d}"
        place = " ".join(word for word in (self.kilde, number) if word)
        often = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.code} {f'{place}: ' if place else ''}{self.sentence}{often}. To do: {self.to_do}"


class Message(BaseModel):
    """What is posted. ``resolves``: the ids of what was told before and is over now. ``text``: all of it, for people
    (chat services show a field of that name).
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Kind
    severity: Severity
    made_at: AwareDatetime
    owner: str
    snapshotdato: date | None
    run: str | None
    sentence: str
    items: list[Item] = []
    link: str | None = None
    resolves: list[str] = []
    text: str = ""


def message(seen: Seen, operations: Operations, kind: Kind, of: str, severity: Severity, sentence: str) -> Message:
    """A message with what all of them have. ``of``: what it is about, a run, a day or a source's day: the id's end."""
    report = seen.report
    base = str(operations.ui_url).rstrip("/") if operations.ui_url else None
    return Message(
        id=f"{kind}-{of}",
        kind=kind,
        severity=severity,
        made_at=seen.now,
        owner=operations.owner,
        snapshotdato=report.snapshotdato if report else None,
        run=report.run if report else None,
        sentence=sentence,
        link=f"{base}/runs/{seen.run_id or ''}" if base else None,
    )


def with_text(message: Message) -> Message:
    """The message with its text."""
    lines = [f"{message.severity.upper()}: {message.sentence}", *(item.line() for item in message.items)]
    return message.model_copy(update={"text": "\n".join([*lines, *([message.link] if message.link else [])])})


def of_day(day: date | None) -> str:
    """The words for the night's day, if it is known."""
    return f"of {day} " if day else ""
