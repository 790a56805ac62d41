"""``kravoversikt ui``: the Dagster UI and its daemon over a home."""

import os
import sys
from pathlib import Path

import click

from cli.options import home_option
from pipelines.settings import ROOT, dagster_home, default_inbox


@click.command()
@home_option
@click.option("--inbox", type=click.Path(file_okay=False, path_type=Path), default=default_inbox)
@click.option("--port", type=int, default=3000, show_default=True)
def ui(home: Path, inbox: Path, port: int) -> None:
    """Open the Dagster UI with the nightly schedule, on localhost."""
    os.environ["DAGSTER_HOME"] = str(dagster_home(home))
    os.environ["KRAVOVERSIKT_HOME"], os.environ["KRAVOVERSIKT_INBOX"] = (
        str(home.resolve()),
        str(inbox.resolve()),
    )
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.chdir(ROOT)
    os.execv(dagster, [dagster, "dev", "-h", "127.0.0.1", "-p", str(port)])  # noqa: S606
