"""Which snapshots have been published, which of them stay, and the way back to an earlier one.

Retention counts dates: of each of the latest ``keep`` dates the last published one stays. What else stays: the current
one, the one before it when it is of the same date (a bad rerun can be taken back), those pinned, and, until the next
night is published, those that were rolled back from. These count for no date: one of a mistaken date would else push
others out.
"""

import itertools
import shutil
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from schemas.snapshot import Accepted, PublishedSnapshots
from transforms.home.snapshot import (
    DELIVERIES,
    MANIFEST,
    SNAPSHOTS,
    HomeDamagedError,
    previous_of,
    published_chain,
    published_snapshot,
    read_manifest,
    switch,
    write_json,
)

RECORD = "published.json"


class NoSuchSnapshotError(Exception):
    """The home keeps no published snapshot of that date or name."""


def day_of(snapshot: Path) -> date:
    """The snapshot date that the name of a snapshot begins with."""
    return date.fromisoformat(snapshot.name[:10])


def record(home: Path) -> PublishedSnapshots:
    """What the home has on record. Raises ``HomeDamagedError``."""
    try:
        return PublishedSnapshots.model_validate_json((home / RECORD).read_bytes())
    except FileNotFoundError:
        return PublishedSnapshots()
    except (OSError, ValidationError) as error:
        raise HomeDamagedError(f"{RECORD} cannot be read") from error


def published(home: Path) -> list[Path]:
    """The published snapshots that are still there, in the order that they were published in, oldest first.

    ``home`` is absolute. Raises ``HomeDamagedError``.
    """
    chain = published_chain(home)
    known = [home / SNAPSHOTS / name for name in record(home).published]
    known = [folder for folder in known if (folder / MANIFEST).is_file()]
    if known and not chain:
        raise HomeDamagedError("there are snapshots, but no current")
    since = itertools.takewhile(lambda folder: folder not in known, chain)
    return [*known, *reversed(list(since))]


def withdrawn(home: Path) -> set[Path]:
    """Those that were rolled back from, and are not what the current one was made after."""
    gone = {home / SNAPSHOTS / name for name in record(home).withdrawn}
    return gone - set(published_chain(home)) if gone else gone


def pinned(home: Path) -> set[Path]:
    """Those that retention passes over."""
    return {home / SNAPSHOTS / name for name in record(home).pinned}


def rolled_back_since(home: Path) -> list[Path]:
    """Those published after the current one, when no night has been published since it was gone back to."""
    order, current = published(home), published_snapshot(home)
    return order[order.index(current) + 1 :] if current else []


def accepted_in(home: Path) -> list[Accepted]:
    """The deliveries that published snapshots have used (CONTRACT section 1), also those that were rolled back from."""
    current = published_snapshot(home)
    folders = [*rolled_back_since(home), current] if current else []
    accepted = {(one.kilde, one.leveransenummer): one for path in folders for one in read_manifest(path).accepted}
    return [accepted[key] for key in sorted(accepted)]


def before(home: Path, day: date) -> Path | None:
    """The last published snapshot of an earlier date than the day, not counting what was rolled back from."""
    order, current = published(home), published_snapshot(home)
    so_far = order[: order.index(current) + 1] if current else []
    gone = withdrawn(home)
    return next((path for path in reversed(so_far) if day_of(path) < day and path not in gone), None)


def by_date(home: Path) -> dict[date, Path]:
    """By date the snapshot that stands for it: the last one published, not counting what was rolled back from."""
    gone = withdrawn(home)
    return {day_of(path): path for path in published(home) if path not in gone}


def shown_on(home: Path, of: str, today: date) -> Path:
    """The snapshot that was shown on a date, or of a name: of a date without a night of its own the one before.

    Only what is certain: that one is taken when the next one that is kept was made after it, or none has been made
    since. ``of``: ``YYYY-MM-DD`` or a snapshot's name. Raises ``NoSuchSnapshotError``, which says what is kept.
    """
    order, standing = published(home), by_date(home)
    if named := [path for path in order if path.name == of]:
        return named[0]
    try:
        day = date.fromisoformat(of)
    except ValueError:
        raise NoSuchSnapshotError(f"no snapshot of the name {of} is kept, and it is no date YYYY-MM-DD") from None
    if day in standing:
        return standing[day]
    gone = [path.name for path in order if day_of(path) == day]
    if gone:
        raise NoSuchSnapshotError(f"what was published of {day} was rolled back from: ask for {gone[-1]}")
    before, later = max((one for one in standing if one < day), default=None), [one for one in standing if one > day]
    made_after = previous_of(_first_of(order, min(later))) if later else published_snapshot(home)
    if before and made_after == standing[before] and (later or day <= today):
        return standing[before]
    kept = f"kept are {', '.join(map(str, sorted(standing)))}" if standing else "nothing is published"
    raise NoSuchSnapshotError(f"no night of {day} is kept; {kept}")


def _first_of(order: list[Path], day: date) -> Path:
    return next(path for path in order if day_of(path) == day)


def staying(home: Path, keep: int) -> list[Path]:
    """Those of the published snapshots that stay when ``keep`` dates are kept, in their order."""
    order, current = published(home), published_snapshot(home)
    if current is None:
        return []
    last_of = by_date(home) | {day_of(current): current}
    previous = previous_of(current)
    again = {previous} if previous and day_of(previous) == day_of(current) else set()
    stay = {last_of[day] for day in sorted(last_of)[-max(keep, 1) :]} | {*order[order.index(current) :]}
    return [path for path in order if path in stay | again | pinned(home)]


def remove_unpublished(home: Path) -> None:
    """Removes the folders of snapshots that were never published. Raises ``HomeDamagedError``, and removes nothing."""
    _remove_but(home, published(home))


def clean(home: Path, keep: int) -> None:
    """Removes what no run needs: unpublished folders, snapshots that ``keep`` leaves out, their deliveries.

    The published snapshot is never removed, whatever its date. Called with the lock held. Raises ``HomeDamagedError``,
    and removes nothing then.
    """
    _clean(home, staying(home, keep))


def remove_earlier(home: Path) -> None:
    """As ``clean``, but of snapshots only the published one stays, and those pinned."""
    current = published_snapshot(home)
    _clean(home, [path for path in published(home) if path == current or path in pinned(home)])


def _remove_but(home: Path, stay: list[Path]) -> None:
    for path in (home / SNAPSHOTS).glob("*/"):
        if path not in stay:
            shutil.rmtree(path)


def _clean(home: Path, stay: list[Path]) -> None:
    _put_on_record(home, stay)
    _remove_but(home, stay)
    used = {delivery.folder for path in stay for delivery in read_manifest(path).used}
    for path in (home / DELIVERIES).glob("*/*/"):
        if path.relative_to(home / DELIVERIES).as_posix() not in used:
            shutil.rmtree(path)
    shutil.rmtree(home / DELIVERIES / ".work", ignore_errors=True)


def roll_back(home: Path, to: Path) -> None:
    """Publishes an earlier snapshot again, or a later one that was rolled back from: ``to``, one of ``published``.

    Those published after it are withdrawn, and stay until the next night is published. Called with the lock held.
    """
    order = published(home)
    later = {*withdrawn(home), *order[order.index(to) + 1 :]}
    _write(home, PublishedSnapshots(published=_names(order), withdrawn=_names(later), pinned=_names(pinned(home))))
    switch(home, to)


def target(home: Path, of: str | None) -> Path:
    """The snapshot to go back to: of a date or a name, else the one published before the current one.

    Of a date it is the last that is not the current one; one that was rolled back from only when there is no other.
    Raises ``NoSuchSnapshotError``.
    """
    order, current, gone = published(home), published_snapshot(home), withdrawn(home)
    if current is None:
        raise NoSuchSnapshotError("nothing is published")
    if of is None:
        found = [path for path in order[: order.index(current)] if path not in gone]
    else:
        found = [path for path in matching(home, of) if path != current]
        found = [path for path in found if path not in gone] or found
    if not found:
        raise NoSuchSnapshotError(f"no other published snapshot{f' of {of}' if of else ' before it'} is kept")
    return found[-1]


def matching(home: Path, of: str) -> list[Path]:
    """The published snapshots of a date or a name, in their order."""
    return [path for path in published(home) if of in (path.name, str(day_of(path)))]


def pin(home: Path, snapshot: Path, *, remove: bool = False) -> None:
    """Keeps a published snapshot out of retention, or no longer. Called with the lock held."""
    stay = pinned(home) - {snapshot} if remove else pinned(home) | {snapshot}
    order, gone = published(home), withdrawn(home)
    _write(home, PublishedSnapshots(published=_names(order), withdrawn=_names(gone), pinned=_names(stay)))


def _put_on_record(home: Path, stay: list[Path]) -> None:
    """Where the chain of manifests would not lead to all that stay, or something is on record already."""
    said = record(home)
    chain = itertools.takewhile(lambda folder: folder in stay, published_chain(home))
    if said == PublishedSnapshots() and [*reversed(list(chain))] == stay:
        return
    names = _names(stay)
    now = PublishedSnapshots(
        published=names,
        withdrawn=[name for name in said.withdrawn if name in names],
        pinned=[name for name in said.pinned if name in names],
    )
    if now != said:
        _write(home, now)


def _names(snapshots: list[Path] | set[Path]) -> list[str]:
    ordered = snapshots if isinstance(snapshots, list) else sorted(snapshots)
    return [path.name for path in ordered]


def _write(home: Path, what: PublishedSnapshots) -> None:
    write_json(home / RECORD, what.model_dump(mode="json"))
