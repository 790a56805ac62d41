"""``kravoversikt serve``: the published documents over HTTP."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from cli.options import FILE, home_option

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@home_option
@click.option("--config", type=FILE, help="Settings, TOML: issuers, consumers, logs (docs/serving.md).")
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on [8000].")
@click.option("--admin-host", help="Address of health and figures [127.0.0.1].")
@click.option("--admin-port", type=click.IntRange(1, 65535), help="Port of health and figures [beside the documents].")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that answer [1].")
@click.option("--test-keys", type=FOLDER, help="Take throwaway tokens of `kravoversikt token`; loopback only.")
@click.option("--no-auth", is_flag=True, help="Answer everyone; loopback only.")
def serve(home: Path, config: Path | None, test_keys: Path | None, no_auth: bool, **options: Any) -> None:
    """Serve the published documents. Stops on SIGTERM when what is under way is answered."""
    from serving import throwaway
    from serving.settings import SettingsError, check_port, read_settings
    from serving.stand_in import stand_in

    given: dict[str, Any] = {"home": home.resolve(), **options}
    if test_keys and no_auth:
        raise click.UsageError("--test-keys and --no-auth are two ways to try it out: give one")
    if test_keys:
        _warn("TEST KEYS: whoever has the folder can see every part's documents")
    if no_auth:
        given["no_auth"] = True
        _warn("NO AUTH: whoever is on this machine can see every part's documents")
    try:
        with tempfile.TemporaryDirectory(prefix="kravoversikt-metrics-") as folder, ExitStack() as beside:
            if test_keys:
                throwaway.make_keys(test_keys.resolve())
                altinn = beside.enter_context(stand_in(test_keys.resolve()))
                given |= throwaway.settings_for(test_keys.resolve(), altinn)
            settings = read_settings(config, **given)
            check_port(settings)
            # prometheus_client reads it when it is imported: here, and so in the workers that are forked from here.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            from serving.server import serve as run

            run(settings, Path(folder))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _warn(text: str) -> None:
    click.secho(text, err=True, fg="red", bold=True)
