"""``kravoversikt ui``: the Dagster UI and its daemon over a home."""

import os
import sys
from pathlib import Path

import click

from cli.options import home_option
from pipelines.settings import ROOT, dagster_home, default_inbox
from transforms.home.path import HomePathError

SUPERSEDED = "ignore:Function `dev_command` is superseded"
"""What Dagster says of ``dagster dev``. ``dg dev``, which it would have instead, is a tool of developers that brings
some 20 packages with it, and starts the same processes.
"""


@click.command()
@home_option
@click.option("--inbox", type=click.Path(file_okay=False, path_type=Path), default=default_inbox)
@click.option("--port", type=int, default=3000, show_default=True)
@click.option("--prepare", is_flag=True, help="Only make Dagster's folder in the home: for deploy/.")
def ui(home: Path, inbox: Path, port: int, prepare: bool) -> None:
    """Open the Dagster UI with the nightly schedule, on localhost."""
    try:
        os.environ["DAGSTER_HOME"] = str(dagster_home(home))
    except HomePathError as error:
        raise click.UsageError(str(error)) from error
    if prepare:
        return
    os.environ["KRAVOVERSIKT_HOME"], os.environ["KRAVOVERSIKT_INBOX"] = (
        str(home.resolve()),
        str(inbox.resolve()),
    )
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.chdir(ROOT)  # whose pyproject.toml names the code location
    where = ["-h", "127.0.0.1", "-p", str(port)]
    os.execv(sys.executable, [sys.executable, "-W", SUPERSEDED, dagster, "dev", *where])  # noqa: S606
