"""Options that several commands share."""

import contextlib
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import click

from pipelines.settings import default_home, default_inbox, operations

if TYPE_CHECKING:
    from schemas.operations import Operations

F = TypeVar("F", bound=Callable[..., object])


def home_option(command: F) -> F:
    """``--home``, else ``KRAVOVERSIKT_HOME``, else ``data/home``."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_home,
        help="The home [KRAVOVERSIKT_HOME, else data/home].",
    )(command)


def inbox_option(command: F) -> F:
    """``--inbox``, else ``KRAVOVERSIKT_INBOX``, else ``data/inbox``."""
    return click.option(
        "--inbox",
        type=click.Path(path_type=Path),
        default=default_inbox,
        help="The inbox [KRAVOVERSIKT_INBOX, else data/inbox].",
    )(command)


def today() -> str:
    """Today in Oslo, as a night's date is told."""
    return str(datetime.now(ZoneInfo("Europe/Oslo")).date())


def settled(home: Path) -> "Operations":
    """What the operator has settled for the home; a slip in the file is wrong usage."""
    from schemas.operations import OperationsError

    try:
        return operations(home)
    except OperationsError as error:
        raise click.UsageError(str(error)) from error


DAY = click.DateTime(["%Y-%m-%d"])


def share(_: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """The option's number; "not a number" is in every range."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("must be a number", param=option)
    return value


FILE = click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True)


@contextlib.contextmanager
def on_the_home(home: Path, run: str) -> Iterator[None]:
    """Holds the home's lock; whatever keeps the command from what it is for ends it with a sentence and 1.

    There must be a home: none is made.
    """
    from transforms.home.lock import HomeInUseError, locked
    from transforms.home.retained import NoSuchSnapshotError
    from transforms.home.snapshot import HomeDamagedError, OtherVersionError

    if not home.is_dir():
        raise click.ClickException(f"there is no home at {home}")
    try:
        with locked(home, run):
            yield
    except (HomeInUseError, NoSuchSnapshotError, HomeDamagedError, OtherVersionError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise click.ClickException(f"the home cannot be written: {error.strerror}{where}") from error
