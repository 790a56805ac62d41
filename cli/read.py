"""``kravoversikt get`` and ``export``: the published documents, exactly the bytes that are served."""

import sys
from datetime import date
from pathlib import Path
from typing import NoReturn

import click

from cli.export_tables import tables
from cli.options import home_option, today
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


AS_OF = click.option(
    "--as-of", metavar="DATE|NAME", help="What was shown on that date, or by the snapshot of that name, if it is kept."
)


def opened(home: Path, as_of: str | None) -> Snapshot:
    """The published snapshot, or what was shown on a date. Raises ``KravoversiktError``."""
    if as_of is None:
        return Snapshot.current(home)
    from transforms.home.retained import NoSuchSnapshotError, shown_on
    from transforms.home.snapshot import HomeDamagedError

    try:
        folder = shown_on(home.resolve(), as_of, date.fromisoformat(today()))
    except (NoSuchSnapshotError, HomeDamagedError) as error:
        raise KravoversiktError("KB-002", str(error)) from error
    if as_of not in (folder.name, folder.name[:10]):
        click.echo(f"{as_of} has no night of its own: shown was {folder.name[:10]}'s", err=True)
    return Snapshot(folder)


@click.command()
@KIND
@click.argument("part")
@home_option
@click.option("--fra-og-med", help="First day of the period, YYYY-MM-DD.")
@click.option("--til-og-med", help="Last day of the period; at most a year after the first.")
@click.option("--pretty", is_flag=True, help="On many lines, indented; else exactly the bytes that are served.")
@AS_OF
def get(
    kind: str,
    part: str,
    home: Path,
    fra_og_med: str | None,
    til_og_med: str | None,
    pretty: bool,
    as_of: str | None,
) -> None:
    """Print a part's published document."""
    try:
        check_part(part)
        if kind == "oversikt" and (fra_og_med or til_og_med):
            raise KravoversiktError("KB-006", "an oversikt has no period")
        period = None if kind == "oversikt" else Period.parse(fra_og_med, til_og_med)
        document = opened(home, as_of).document(kind, part, period)
    except KravoversiktError as error:
        fail(error.said())
    else:
        with failing_in_a_sentence():
            if pretty:
                document = indented(document.decode()).encode()
            sys.stdout.buffer.write(document + (b"\n" if pretty or sys.stdout.isatty() else b""))


@click.group()
def export() -> None:
    """Print every part's document of a kind, or write the published tables."""


def _documents(kind: str) -> click.Command:
    @click.command(kind, help=f"Print every part's {kind}, one JSON line per part, in part order.")
    @home_option
    @AS_OF
    def documents(home: Path, as_of: str | None) -> None:
        try:
            with failing_in_a_sentence():
                for document in export_documents(opened(home, as_of), kind):
                    sys.stdout.buffer.write(document + b"\n")
        except KravoversiktError as error:
            fail(error.said())

    return documents


for _kind in KINDS:
    export.add_command(_documents(_kind))
export.add_command(tables)
