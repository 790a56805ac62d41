"""Options that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from pipelines.settings import default_home

F = TypeVar("F", bound=Callable[..., object])


def home_option(command: F) -> F:
    """``--home``, else ``KRAVOVERSIKT_HOME``, else ``data/home``."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_home,
        help="The home [KRAVOVERSIKT_HOME, else data/home].",
    )(command)


DAY = click.DateTime(["%Y-%m-%d"])


def share(_: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """The option's number; "not a number" is in every range."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("must be a number", param=option)
    return value


FILE = click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True)
