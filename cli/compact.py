"""``kravoversikt compact``: who has left the register goes from the files that a home keeps (docs/erasure.md)."""

import shutil
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import click

from cli.options import DAY, home_option, inbox_option, on_the_home, today
from cli.output import say_or_fail, warn
from cli.run import night
from schemas.report import RunReport
from transforms.home import retained
from transforms.home.report import put_on_record
from transforms.home.snapshot import published_snapshot, read_manifest
from transforms.run import Settings


@click.command()
@inbox_option
@home_option
@click.option("--date", "day", type=DAY, default=today, help="The snapshot date, a day in Oslo [today].")
@click.option("--keep", type=click.IntRange(1), default=Settings.keep, help="How many dates are retained [7].")
@click.option("--remove-earlier", is_flag=True, help="Remove every earlier snapshot at once, but those pinned.")
def compact(inbox: Path, home: Path, day: datetime, keep: int, remove_earlier: bool) -> None:
    """Make every file of the published snapshot anew, without those who have left the register.

    Runs a night with --full, and tells which kept files still hold parts that no source says any more, and until when:
    earlier snapshots, and accepted deliveries. Exits 0 when it published, 1 when not.
    """
    if not night(inbox, home, day.date(), {"full": True, "keep": keep}):
        warn("not compacted: the night was not published")
        sys.exit(1)
    home, run = home.resolve(), uuid4().hex[:8]
    with on_the_home(home, run):
        before = len(retained.published(home))
        if remove_earlier:
            retained.remove_earlier(home)
        removed = before - len(retained.published(home))
        held = _held(Settings(inbox, home, day.date(), run), keep)
        told = [f"{removed} earlier snapshots removed"]
        told += held or ["no kept file holds a part that has left the register"]
        put_on_record(home, RunReport(run=run, kind="compact", snapshotdato=day.date(), outcome="published", told=told))
    say_or_fail("\n".join(["", *told]))


def _held(run: Settings, keep: int) -> list[str]:
    """The folders that still hold parts gone from the register, in sentences: how many, and until when."""
    from transforms.ledgers.connection import ledgers
    from transforms.ledgers.gone import held_by_deliveries, held_by_snapshot, register

    current = published_snapshot(run.path)
    if current is None:
        return []
    used = read_manifest(current).used
    chains = {one.kilde: [each for each in used if each.kilde == one.kilde] for one in used}
    try:
        with ledgers(run, chains) as connection:
            known = register(connection)
    finally:
        shutil.rmtree(run.nights, ignore_errors=True)
    order = retained.published(run.path)
    held = [(held_by_snapshot(run.path, path, known), _goes(run.path, path, current, keep)) for path in reversed(order)]
    held += [(one, "the next full delivery of its source") for one in held_by_deliveries(run.deliveries, used, known)]
    return [
        f"{one.folder} holds {one.parts} parts that have left the register, until {until}"
        for one, until in held
        if one.parts
    ]


def _goes(home: Path, snapshot: Path, current: Path, keep: int) -> str:
    """When retention removes a snapshot."""
    if snapshot == current:
        return "what holds them back is mended"
    if snapshot in retained.pinned(home):
        return f"`kravoversikt pin {snapshot.name} --remove`"
    order, last = retained.published(home), retained.day_of(current)
    later: set[date] = {retained.day_of(path) for path in order if retained.day_of(path) > retained.day_of(snapshot)}
    nights = max(keep - len(later), 1)
    return f"{nights} more dates are published ({last + timedelta(days=nights)} at one a day), or with --remove-earlier"
