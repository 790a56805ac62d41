"""Telling whoever is to be told: at the end of a night, and whenever someone looks at the clock."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from alarms import outbox
from alarms.clock import overdue, settings_wrong
from alarms.message import Message
from alarms.metrics import write_metrics
from alarms.night import messages, not_begun, recovered
from alarms.seen import Seen, see
from alarms.sender import send, send_unkept
from schemas.operations import Operations

Say = Callable[[str], None]


def after_night(home: Path, run_id: str, why_not: str, operations: Operations, seconds: float, say: Say) -> None:
    """Tells of the run that has just ended, or that did not begin: ``why_not``; and writes the figures.

    ``seconds``: so long the end of the run may be held up by a receiver. Raises ``OSError``.
    """
    seen = see(home, run_id)
    told = messages(seen, operations)
    if why_not and not told:  # it left no report of that
        told.append(not_begun(seen, operations, run_id[:8], why_not))
    _tell(home, seen, told, operations, seconds, say)
    if seen.report:
        write_metrics(home, seen, len(outbox.waiting(home)))


def look(
    home: Path, inbox: Path, operations: Operations, seconds: float, say: Say, now: datetime | None = None
) -> list[Message]:
    """What is the matter now: with the last run, and by the clock; told, if it was not told before, with what waits.

    ``now``: if it is not the clock's. Raises ``OSError``.
    """
    seen = see(home, now=now)
    told = [*messages(seen, operations), *overdue(seen, operations, inbox)]
    _tell(home, seen, told, operations, seconds, say)
    if seen.report:
        write_metrics(home, seen, len(outbox.waiting(home)))
    return told


def tell_of_settings(home: Path, wrong: str, operations: Operations, seconds: float, say: Say) -> list[Message]:
    """Tells that the file of settings is ``wrong``, once a day, whom it named when it was right last; what is told.

    Raises ``OSError``.
    """
    seen = see(home)
    told = [settings_wrong(seen, operations, wrong)]
    _tell(home, seen, told, operations, seconds, say)
    return told


def _tell(home: Path, seen: Seen, told: list[Message], operations: Operations, seconds: float, say: Say) -> None:
    """Without a webhook there is nobody to tell, and nothing waits."""
    if operations.webhook:
        over = outbox.open_ids(home, seen.published.made_at) if seen.published else []
        told = [*told, *recovered(seen, operations, over)]
        try:
            outbox.put(home, told)
        except OSError:  # a full disk, of all things, is what someone is to be told of
            send_unkept(told, operations.webhook, seconds, say)
            raise
        send(home, operations.webhook, seconds, say)
