"""What stops a night before it publishes (CONTRACT section 2, level 3), each reason with its code and its words."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path

from schemas.refusals import Refusal
from schemas.snapshot import Accepted
from transforms.home import snapshot
from transforms.home.report import StoppedError

Rows = Mapping[str, Mapping[str, int]]
"""By source and table, how many."""
Chains = Mapping[str, Sequence[Accepted]]
"""By source, the deliveries in force in their order."""


def stop(code: str, message: str, kilde: str | None = None, leveransenummer: int | None = None) -> Refusal:
    """A reason to stop, with the source and the delivery that it is about."""
    return Refusal(3, code, message, kilde, leveransenummer)


LOCK_LOST = stop("L3-LOCK-LOST", "")
"""Another run may have begun over the home."""


@contextlib.contextmanager
def home_can_be_read() -> Iterator[None]:
    """Raises ``StoppedError`` when what the home has published cannot be read, or is of another store version."""
    try:
        yield
    except snapshot.OtherVersionError as error:
        raise StoppedError([stop("L3-HOME-VERSION", str(error))]) from error
    except snapshot.HomeDamagedError as error:
        raise StoppedError([stop("L3-HOME-DAMAGED", str(error))]) from error


def unreadable_inbox(inbox: Path) -> list[Refusal]:
    """An inbox that is no folder, or may not be read."""
    try:
        os.scandir(inbox).close()
    except (FileNotFoundError, NotADirectoryError):
        return [stop("L3-INBOX-MISSING", str(inbox))]
    except OSError as error:
        return [stop("L3-INBOX-NO-ACCESS", f"{inbox}: {error.strerror}")]
    return []


def damaged_home(damaged: Iterable[str]) -> list[Refusal]:
    """``damaged``: files of the published snapshot. Without documents alone a night can do: it makes them anew."""
    return [
        stop("L3-HOME-DAMAGED", f"{name} is gone, or not as long as it was")
        for name in damaged
        if name in snapshot.NEEDED or name.startswith("tables/")
    ]


def unusable_sources(
    used: Chains,
    gone: Iterable[str],
    lost: Iterable[tuple[Accepted, str]],
    snapshot_date: date,
    oldest_of: Callable[[str], int],
) -> list[Refusal]:
    """A source too old, or ``gone`` since the last snapshot; accepted rows ``lost``, each with why; no source.

    ``oldest_of``: how many days old a source's last extract may be.
    """
    stops = [*_too_old(used, snapshot_date, oldest_of)]
    stops += [stop("L3-SOURCE-GONE", "", kilde) for kilde in sorted(gone)]
    stops += [stop("L3-ACCEPTED-LOST", why, one.kilde, one.leveransenummer) for one, why in lost]
    if not used:
        stops.append(stop("L3-NO-SOURCE", ""))
    return stops


def _too_old(used: Chains, snapshot_date: date, oldest_of: Callable[[str], int]) -> Iterable[Refusal]:
    for kilde, chain in sorted(used.items()):
        days, limit = (snapshot_date - chain[-1].day).days, oldest_of(kilde)
        if days > limit:
            text = f"{days} days, the limit is {limit}"
            yield stop("L3-SOURCE-OLD", text, kilde, chain[-1].leveransenummer)


def unasked_date(snapshot_date: date, published: date | None, today: date) -> list[Refusal]:
    """A date before the published snapshot's, or in the future; both days in Oslo."""
    stops = []
    if published and snapshot_date < published:
        stops.append(stop("L3-DATE-BACK", f"{snapshot_date}, what is published is of {published}"))
    if snapshot_date > today:
        stops.append(stop("L3-DATE-FUTURE", f"{snapshot_date}, today is {today}"))
    return stops


def date_before_extracts(used: Chains, snapshot_date: date) -> list[Refusal]:
    """A date before every source's last extract. (One after S among others is only reported: ``R-EXTRACT-AFTER``.)"""
    first = min((chain[-1] for chain in used.values()), key=lambda last: last.extracted_at, default=None)
    if first is None or snapshot_date >= first.day:
        return []
    text = f"{snapshot_date}, the oldest of the last extracts is of {first.day}"
    return [stop("L3-DATE-EXTRACTS", text, first.kilde, first.leveransenummer)]


def shrunk_sources(used: Chains, said: Rows, before: Rows, limit: float) -> list[Refusal]:
    """The sources that say fewer rows of a table than the last snapshot used, by more than the share ``limit``.

    ``used``: the deliveries in force; ``said``, ``before``: rows; all by source. One that is not in both is new, or
    told to be gone.
    """
    stops = []
    for kilde in sorted(used.keys() & before.keys()):
        lost = {tabell: rows - said[kilde][tabell] for tabell, rows in before[kilde].items()}
        tables = [tabell for tabell, rows in before[kilde].items() if lost[tabell] > _exact(limit) * rows]
        if tables:
            told = ", ".join(f"{tabell} has lost {lost[tabell]} of {before[kilde][tabell]} rows" for tabell in tables)
            nummer = used[kilde][-1].leveransenummer
            stops.append(stop("L3-SOURCE-SHRUNK", f"{told}; the limit is {limit:.2%}", kilde, nummer))
    return stops


def over_share(held: int, accepted: int, limit: float) -> bool:
    """Whether more are held back than the share. ``held``: parts held back and rows that lead to none; ``accepted``:
    the rows in ``part``.
    """
    return limit != float("inf") and held > _exact(limit) * accepted


def too_many_held_back(held: int, accepted: int, limit: float, by: str = "") -> list[Refusal]:
    """As ``over_share``. ``by``: the rows refused, by source and delivery, in words."""
    if not over_share(held, accepted, limit):
        return []
    return [stop("L3-HELD-BACK", f"{held} of {accepted}, the limit is {limit:.2%}{by}")]


def _exact(share: float) -> Fraction:
    """The share as it was written: 0.29 in binary is just below."""
    return Fraction(str(share))
