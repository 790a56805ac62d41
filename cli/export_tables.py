"""``kravoversikt export tables``: the published tables by themselves, to use on any machine."""

from pathlib import Path

import click

from cli.options import home_option
from cli.output import say

FORMATS = ("duckdb", "parquet")


@click.command("tables")
@click.argument("out", type=click.Path(path_type=Path))
@home_option
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="One file, or a folder of files.")
@click.option(
    "--pseudonymised", is_flag=True, help="Keyed hashes for numbers and identifiers; no names, accounts, text."
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="The secret of the hashes, at least 32 bytes; without one each export has its own, which nobody knows.",
)
def tables(out: Path, home: Path, form: str, pseudonymised: bool, key_file: Path | None) -> None:
    """Write the published tables to OUT, which needs no home: a DuckDB file, or a folder with a Parquet file per table.

    Amounts are kroner, and every table and column says what it means. OUT may not be there; it is readable by its owner
    alone, for it tells who is who: with --pseudonymised it does not, but small groups and rare amounts may still tell.
    """
    from concurrent.futures.process import BrokenProcessPool

    import duckdb

    from analysis.own_home import OtherHomeError
    from analysis.pseudonyms import KeyFileError, secret
    from analysis.tables import write_duckdb, write_parquet
    from transforms.home.snapshot import HomeDamagedError, published_snapshot

    if key_file and not pseudonymised:
        raise click.UsageError("--key-file is for --pseudonymised")
    if out.exists() or out.is_symlink():
        raise click.UsageError(f"{out} is there already")
    try:
        snapshot = published_snapshot(home.resolve())
        if snapshot is None:
            raise click.ClickException("nothing is published")
        key = secret(key_file) if pseudonymised else None
        (write_duckdb if form == "duckdb" else write_parquet)(snapshot, out, key)
    except (KeyFileError, HomeDamagedError, OtherHomeError) as error:
        raise click.ClickException(str(error)) from error
    except (duckdb.Error, BrokenProcessPool) as error:  # its text may quote values
        why = "no room, or an analytics.duckdb that is damaged or made by an earlier program: run a night"
        raise click.ClickException(f"{out} cannot be written: {why}") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or out}: {error.strerror}") from error
    say(f"{out}: the tables of {snapshot.name}{', pseudonymised' if pseudonymised else ''}")
