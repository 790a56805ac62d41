"""``kravoversikt token``: a throwaway token to call the secured interface with, on one's own machine."""

from pathlib import Path

import click

from cli.serve import FOLDER


def _number(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """The number, when it can be one: with right check digits, and a consumer's an organisation's."""
    from serving.errors import KravoversiktError
    from serving.numbers import check_part

    if value is None:
        return None
    try:
        check_part(value)
    except KravoversiktError as error:
        raise click.BadParameter("must be a number with right check digits") from error
    if option.name in ("consumer", "agent") and len(value) != 9:
        raise click.BadParameter("must be an organisation number, nine digits")
    return value


@click.command()
@click.option("--keys", type=FOLDER, required=True, help="Folder of the throwaway keys; made when it isn't there.")
@click.option("--part", callback=_number, help="The part that consents.")
@click.option(
    "--consumer",
    callback=_number,
    help="Organisation number of the consumer [the first in the folder's consumers.toml].",
)
@click.option("--system-user", is_flag=True, help="A system user of the part, whom Altinn lets read its claims.")
@click.option("--agent", callback=_number, help="Organisation number of who acts for the part: the system user is its.")
@click.option("--altinn", is_flag=True, help="Print the part's Altinn consent token (AltinnSamtykke) instead.")
@click.option("--seconds", type=click.IntRange(1, 3600), default=3600, show_default=True, help="How long it is valid.")
def token(
    keys: Path, part: str | None, consumer: str | None, system_user: bool, agent: str | None, altinn: bool, seconds: int
) -> None:
    """Print an access token that `kravoversikt serve --test-keys` takes. For tests only."""
    from serving.settings import SettingsError
    from serving.throwaway import access_token, consent_token, consumer_of, make_keys, system_user_token

    if system_user and not part:
        raise click.UsageError("--system-user needs --part: whose claims it may read")
    if system_user and (altinn or (not agent and part and len(part) != 9)):
        raise click.UsageError(
            "--system-user is an organisation's: give its number as --part, or --agent; and no --altinn"
        )
    if altinn and not part:
        raise click.UsageError("--altinn needs --part: a consent is a part's")
    try:
        if make_keys(keys):
            click.echo(f"new keys were made in {keys}; only a server with --test-keys {keys} takes them", err=True)
        consumer = consumer or consumer_of(keys)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    if system_user and part:
        who = agent or part
        click.echo(system_user_token(keys, organisation=who, part=part, consumer=consumer, seconds=seconds))
    elif altinn and part:
        click.echo(consent_token(keys, part=part, consumer=consumer, seconds=seconds))
    else:
        click.echo(access_token(keys, part=part, consumer=consumer, seconds=seconds))
