"""``kravoversikt rollback``: an earlier snapshot is published again."""

import sys
from pathlib import Path
from uuid import uuid4

import click

from cli.options import home_option, on_the_home
from cli.output import say
from schemas.report import RunReport
from transforms.home import history, retained
from transforms.home.report import put_on_record
from transforms.home.snapshot import HomeDamagedError, damaged_files, published_snapshot, read_manifest


@click.command()
@click.option(
    "--to", "of", metavar="DATE|NAME", help="A snapshot's date or name, as `status` gives it [the one before]."
)
@home_option
def rollback(home: Path, of: str | None) -> None:
    """Publish an earlier snapshot again, or a later one that was rolled back from.

    Servers and analysts are led to it from one moment to the next. What is rolled back from stays until the next night
    is published, or longer when it is pinned. That night builds on the snapshot gone back to, from what the sources say
    then: a delivery that was wrong must be mended by its source first.
    """
    home, run = home.resolve(), uuid4().hex[:8]
    with on_the_home(home, run):
        to, current = retained.target(home, of), published_snapshot(home)
        damaged = damaged_files(to, read_manifest(to))
        if damaged or current is None:
            raise HomeDamagedError(f"of {to.name} {len(damaged)} files are gone or not as long as they were")
        retained.roll_back(home, to)
        history.gather(home)
        told = f"from {current.name} to {to.name}"
        report = RunReport(run=run, kind="rollback", snapshotdato=retained.day_of(to), outcome="published", told=[told])
        put_on_record(home, report)
    say(f"published again: {to.name}, in place of {current.name}\nback: kravoversikt rollback --to {current.name}")
    sys.exit(0)
