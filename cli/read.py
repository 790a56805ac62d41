"""``kravoversikt get`` and ``export``: the published documents, exactly the bytes that are served."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from cli.options import home_option
from cli.output import failing_in_a_sentence
from cli.pretty import indented
from schemas.store import KINDS
from serving.errors import KravoversiktError
from serving.numbers import check_part
from serving.period import Period
from serving.store import Snapshot
from serving.store import export as export_documents

KIND = click.argument("kind", type=click.Choice(KINDS))


def fail(said: str) -> NoReturn:
    """The sentence on standard error; exit 1."""
    click.echo(said, err=True)
    sys.exit(1)


@click.command()
@KIND
@click.argument("part")
@home_option
@click.option("--fra-og-med", help="First day of the period, YYYY-MM-DD.")
@click.option("--til-og-med", help="Last day of the period; at most a year after the first.")
@click.option("--pretty", is_flag=True, help="On many lines, indented; else exactly the bytes that are served.")
def get(kind: str, part: str, home: Path, fra_og_med: str | None, til_og_med: str | None, pretty: bool) -> None:
    """Print a part's published document."""
    try:
        check_part(part)
        if kind == "oversikt" and (fra_og_med or til_og_med):
            raise KravoversiktError("KB-006", "an oversikt has no period")
        period = None if kind == "oversikt" else Period.parse(fra_og_med, til_og_med)
        document = Snapshot.current(home).document(kind, part, period)
    except KravoversiktError as error:
        fail(error.said())
    else:
        with failing_in_a_sentence():
            if pretty:
                document = indented(document.decode()).encode()
            sys.stdout.buffer.write(document + (b"\n" if pretty or sys.stdout.isatty() else b""))


@click.command()
@KIND
@home_option
def export(kind: str, home: Path) -> None:
    """Print every part's document, one JSON line per part, in part order."""
    try:
        with failing_in_a_sentence():
            for document in export_documents(Snapshot.current(home), kind):
                sys.stdout.buffer.write(document + b"\n")
    except KravoversiktError as error:
        fail(error.said())
