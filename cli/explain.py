"""``kravoversikt explain``: how a published figure came to be."""

import sys
from pathlib import Path

import click

from cli.options import home_option
from cli.output import say_or_fail


@click.command()
@click.argument("part")
@home_option
@click.option("--krav", help="The krav of this identifier, with its due dates.")
@click.option("--forfall", help="The due date of this identifier.")
@click.option(
    "--total",
    type=click.Choice(["forfalteKrav", "ikkeForfalteKrav", "stipulerteRenter", "uplasserteInnbetalinger", "saldo"]),
    help="A total of the overview [saldo].",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, amounts as text.")
def explain(part: str, home: Path, krav: str | None, forfall: str | None, total: str | None, as_json: bool) -> None:
    """Explain a figure of a part's documents: delivered rows, placements, remaining, interest by rate period.

    Exits 1 when the documents have no such figure. It shows whom a post belongs to: keep it out of logs.
    """
    import duckdb

    from analysis.explain import explain as explain_figure
    from analysis.own_home import OtherHomeError
    from analysis.posts import UnknownError
    from analysis.told import told

    if total and (krav or forfall):
        raise click.UsageError("either a krav or a due date, or a total")
    database = home / "analytics.duckdb"
    if not database.exists():
        raise click.ClickException("nothing is published: there is no analytics.duckdb in the home")
    try:
        explanation = explain_figure(database, part, krav, forfall, total)
    except UnknownError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OtherHomeError as error:
        raise click.ClickException(str(error)) from error
    except duckdb.Error as error:  # its text may quote values
        why = "made by an earlier program, or damaged: run a night, which makes it anew"
        raise click.ClickException(f"{database} cannot be read: {why}") from error
    say_or_fail(explanation.model_dump_json(indent=1) if as_json else told(explanation))
