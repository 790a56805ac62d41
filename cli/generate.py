"""``kravoversikt generate``: an inbox of synthetic deliveries."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from cli.options import DAY


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--parts", type=click.IntRange(1), required=True, help="How many parts.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--nights", type=click.IntRange(1), default=1, show_default=True, help="Nights of deliveries.")
@click.option("--date", "day", type=DAY, help="The first night's snapshot date [today in Oslo].")
@click.option("--format", "form", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
def generate(out: Path, parts: int, seed: int, nights: int, day: datetime | None, form: Any) -> None:
    """Write an inbox of synthetic deliveries to OUT: a full one of each source, then a change a night."""
    from synthetic.generate import generate as make

    first = (day or datetime.now(ZoneInfo("Europe/Oslo"))).date()
    try:
        make(
            out,
            parts,
            seed,
            nights,
            date=first,
            format=form,
            progress=lambda line: click.echo(line, err=True),
        )
    except (FileExistsError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"deliveries of {nights} night(s) for {parts} parts from {first} in {out}")
