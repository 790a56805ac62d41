"""``kravoversikt``: one command per file."""

import atexit
import os
import sys
import threading
from importlib.metadata import version

import click

from cli.alarms import alarms
from cli.compact import compact
from cli.doctor import doctor
from cli.explain import explain
from cli.findings import findings
from cli.generate import generate
from cli.pin import pin
from cli.read import export, get
from cli.rollback import rollback
from cli.run import run
from cli.runs import runs
from cli.serve import serve
from cli.sql import sql
from cli.status import status
from cli.token import token
from cli.ui import ui
from schemas.store import STORE_VERSION


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """One line: the installed version, the hash of the code that manifests carry, the form of the homes it makes."""
    if wanted:
        from transforms.home.version import CODE  # reads all of the code

        click.echo(f"kravoversikt {version('kravoversikt')}, code {CODE['code'][:12]}, store version {STORE_VERSION}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
def main() -> None:
    """Overview documents of tax claims: ledger extracts in, published documents out."""


COMMANDS = (
    *(generate, run, get, export, explain, sql, serve, token, status, runs, findings),
    *(rollback, pin, doctor, compact, alarms, ui),
)
for command in COMMANDS:
    main.add_command(command)


def program() -> None:
    """``main`` as a process of its own, which ends when all is done, without taking apart what it holds in memory.

    After a run Python would spend half a second on that, three times over all objects of its libraries, before the
    system takes the memory back in one go. While a thread goes on, Python ends the process in its own way.
    """
    try:
        main()
    except SystemExit as end:
        if threading.active_count() > 1 or not isinstance(end.code, int):
            raise
        atexit._run_exitfuncs()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(end.code)


if __name__ == "__main__":
    program()
