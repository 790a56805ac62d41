"""``kravoversikt``: one command per file."""

import click

from cli.findings import findings
from cli.generate import generate
from cli.read import export, get
from cli.run import run
from cli.serve import serve
from cli.status import status
from cli.token import token
from cli.ui import ui


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Overview documents of tax claims: ledger extracts in, published documents out."""


for command in (generate, run, get, export, serve, token, status, findings, ui):
    main.add_command(command)


if __name__ == "__main__":
    main()
