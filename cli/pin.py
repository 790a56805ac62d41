"""``kravoversikt pin``: a snapshot is kept out of retention."""

from pathlib import Path
from uuid import uuid4

import click

from cli.options import home_option, on_the_home
from cli.output import say_or_fail
from transforms.home import retained


@click.command()
@click.argument("of", metavar="DATE|NAME")
@click.option("--remove", is_flag=True, help="Let retention take it again.")
@home_option
def pin(home: Path, of: str, remove: bool) -> None:
    """Keep a published snapshot, of a date or a name, out of retention: of a date the last one."""
    home = home.resolve()
    with on_the_home(home, uuid4().hex[:8]):
        found = retained.matching(home, of)
        found = [path for path in found if path in retained.pinned(home)] or found if remove else found
        if not found:
            raise retained.NoSuchSnapshotError(f"no published snapshot of {of} is kept")
        retained.pin(home, found[-1], remove=remove)
    say_or_fail(f"{found[-1].name} is {'not pinned any more' if remove else 'pinned'}")
