"""``kravoversikt get`` and ``export``: the published documents, exactly the bytes that are served."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

from cli.options import home_option
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
def get(kind: str, part: str, home: Path, fra_og_med: str | None, til_og_med: str | None) -> None:
    """Print a part's published document."""
    try:
        check_part(part)
        if kind == "oversikt" and (fra_og_med or til_og_med):
            raise KravoversiktError("KB-006", "an oversikt has no period")
        period = None if kind == "oversikt" else Period.parse(fra_og_med, til_og_med)
        document = Snapshot.current(home).document(kind, part, period)
    except KravoversiktError as error:
        fail(error.said())
    _print([document, b"\n" if sys.stdout and sys.stdout.isatty() else b""])


@click.command()
@KIND
@home_option
def export(kind: str, home: Path) -> None:
    """Print every part's document, one JSON line per part, in part order."""
    try:
        _print(document + b"\n" for document in export_documents(Snapshot.current(home), kind))
    except KravoversiktError as error:
        fail(error.said())


def _print(pieces: Iterable[bytes]) -> None:
    """Writes them to standard output. Where that is closed or full, a sentence and exit 1; what was written stays."""
    if sys.stdout is None:  # closed before the program began
        fail("standard output is closed")
    out = sys.stdout.buffer
    try:
        for piece in pieces:
            out.write(piece)
        out.flush()
    except OSError as error:
        # What is still held would be written at the end of the program, and fail there with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        closed = isinstance(error, BrokenPipeError)
        fail("standard output was closed" if closed else f"standard output cannot be written: {error.strerror}")
