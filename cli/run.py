"""``kravoversikt run``: one night, from the inbox to a published snapshot."""

import gc
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from cli.options import DAY, FILE, home_option, inbox_option, settled, share, today
from cli.output import say, warn
from cli.progress import progress
from cli.summary import summary

NEW_OBJECTS = 100_000
"""So many more are made than let go of before Python looks for garbage among them (700 unless told otherwise). What a
night's libraries make when they are imported, some 300,000, stays; nearly all else goes by itself when it is done with.
"""


@click.command()
@inbox_option
@home_option
@click.option("--date", "day", type=DAY, default=today, help="The snapshot date, a day in Oslo [today].")
@click.option("--rates", type=FILE, help="Rates of late-payment interest [data/reference].")
@click.option("--kravtyper", type=FILE, help="Kravtyper, CSV or the published XML code list [data/reference].")
@click.option("--max-held-back", type=click.FloatRange(0), callback=share, help="Largest share held back [0.01].")
@click.option("--max-age-days", type=click.IntRange(0), help="Oldest last extract of a source, in days [3].")
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    callback=share,
    help="Largest share of a source's rows gone since last [0.2].",
)
@click.option("--keep", type=click.IntRange(1), help="How many dates are retained [7].")
@click.option("--workers", type=click.IntRange(1), help="Files to read, and buckets to build, at a time [2].")
@click.option(
    "--wait", "wait_minutes", type=click.FloatRange(0), default=0, help="Minutes to wait for another run [0]."
)
@click.option("--full", is_flag=True, help="Check every row and build every part anew, not only what can differ.")
@click.option("--allow-date", is_flag=True, help="Take a date before what is published or extracted, or in the future.")
def run(inbox: Path, home: Path, day: datetime, **options: Any) -> None:
    """Run a night. Exits 0 when a snapshot was published, 1 when not."""
    if options["rates"] or options["kravtyper"]:
        _check_reference(options["rates"], options["kravtyper"])
    given = {name: value for name, value in options.items() if value is not None}
    sys.exit(0 if night(inbox, home, day.date(), given) else 1)


def night(inbox: Path, home: Path, day: date, options: dict[str, Any]) -> bool:
    """Runs a night; tells how it goes on and what came of it. Returns whether it published."""
    gc.set_threshold(NEW_OBJECTS)
    from pipelines.run import run_night
    from transforms.home.path import HomePathError, check_path

    config = {name: str(v) if isinstance(v, Path) else v for name, v in options.items()}
    try:
        check_path(home, "the home")
        settled(home)  # a slip in it is told before the night is begun
        with progress(sys.stderr) as echo:  # a run puts another in its place, against what Dagster says
            report = run_night(home, str(day), {"inbox": str(inbox), **config}, echo)
    except HomePathError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        warn(f"not published: {error.strerror or type(error).__name__}{where}")
        return False
    if report is None:
        warn("not published: the run could not begin")
        return False
    if not say(summary(report)):
        warn(f"the summary could not be written; the outcome of run {report.run}: {report.outcome}")
    return report.outcome == "published"


def _check_reference(rates: Path | None, kravtyper: Path | None) -> None:
    """Files of reference data that cannot be used are wrong usage."""
    from transforms.rules.reference import ReferenceFileError, read_kravtyper, read_rates

    try:
        if rates:
            read_rates(rates)
        if kravtyper:
            read_kravtyper(kravtyper)
    except ReferenceFileError as error:
        raise click.UsageError(str(error)) from error
