"""``kravoversikt token``: a throwaway token to call the secured interface with, on one's own machine."""

from pathlib import Path

import click

from cli.serve import FOLDER


@click.command()
@click.option("--keys", type=FOLDER, required=True, help="Folder of the throwaway keys; made when it isn't there.")
@click.option("--part", help="The part that consents.")
@click.option("--consumer", help="Organisation number of the consumer [the first in the folder's consumers.toml].")
@click.option("--altinn", is_flag=True, help="Print the part's Altinn consent token (AltinnSamtykke) instead.")
@click.option("--seconds", type=click.IntRange(1), default=3600, show_default=True, help="How long it is valid.")
def token(keys: Path, part: str | None, consumer: str | None, altinn: bool, seconds: int) -> None:
    """Print an access token that `kravoversikt serve --test-keys` takes. For tests only."""
    from serving.throwaway import access_token, consent_token, consumer_of, make_keys

    make_keys(keys)
    consumer = consumer or consumer_of(keys)
    if altinn and not part:
        raise click.UsageError("--altinn needs --part: a consent is a part's")
    if altinn and part:
        click.echo(consent_token(keys, part=part, consumer=consumer, seconds=seconds))
    else:
        click.echo(access_token(keys, part=part, consumer=consumer, seconds=seconds))
