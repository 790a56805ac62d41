"""Where configuration is read: the environment, once, with its defaults."""

import os
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from transforms.home.path import HomePathError, check_path

if TYPE_CHECKING:
    from schemas.operations import Operations

ROOT = Path(__file__).resolve().parent.parent
LOCATION = "kravoversikt"
"""The name of the code location, as ``pyproject.toml`` gives it to Dagster's own commands."""


def default_home() -> Path:
    """``KRAVOVERSIKT_HOME``, else ``data/home`` in the project."""
    return Path(os.environ.get("KRAVOVERSIKT_HOME") or ROOT / "data" / "home")


def default_inbox() -> Path:
    """``KRAVOVERSIKT_INBOX``, else ``data/inbox`` in the project."""
    return Path(os.environ.get("KRAVOVERSIKT_INBOX") or ROOT / "data" / "inbox")


def operations(home: Path) -> "Operations":
    """What ``KRAVOVERSIKT_OPERATIONS`` says, else ``<home>/operations.toml``. Raises ``OperationsError``."""
    from schemas.operations import FILE_NAME, read_operations  # here, for it loads Polars: see tell_allocator

    return read_operations(Path(os.environ.get("KRAVOVERSIKT_OPERATIONS") or home / FILE_NAME))


def operations_or_last(home: Path) -> "tuple[Operations, str]":
    """What the operator has settled, kept for the day when the file is wrong; then what it said last, and what is
    wrong.
    """
    from alarms.last_good import keep, kept
    from schemas.operations import OperationsError

    try:
        settles = operations(home)
    except OperationsError as error:
        return kept(home), str(error)
    keep(home, settles)
    return settles, ""


def first_night() -> date | None:
    """``KRAVOVERSIKT_FIRST_NIGHT``, the first date that Dagster shows as a partition, if it is set.

    Raises ``ValueError`` when it is no date.
    """
    told = os.environ.get("KRAVOVERSIKT_FIRST_NIGHT")
    return date.fromisoformat(told) if told else None


POSTGRES = "KRAVOVERSIKT_POSTGRES"
STORAGE = f"""
# Runs, events and ticks in PostgreSQL: several machines can share it, and it is backed up as such. The address, with
# its password, stands in the environment alone.
storage:
  postgres:
    postgres_url:
      env: {POSTGRES}
"""


class DagsterHomeError(HomePathError):
    """Where Dagster keeps its records is not as the environment says; the text says what to do."""


def dagster_home(home: Path) -> Path:
    """``DAGSTER_HOME``, else ``<home>/dagster``; made with the project's ``dagster.yaml`` when it is new.

    With ``KRAVOVERSIKT_POSTGRES`` in the environment Dagster's records are kept in PostgreSQL: its ``dagster.yaml`` is
    given ``STORAGE``. Raises ``HomePathError``, ``OSError`` and ``DagsterHomeError``.
    """
    folder = Path(os.environ.get("DAGSTER_HOME") or home / "dagster").resolve()
    check_path(folder, "Dagster's folder")
    folder.mkdir(parents=True, exist_ok=True)
    path, address = folder / "dagster.yaml", os.environ.get(POSTGRES)
    text = (path if path.exists() else ROOT / "dagster.yaml").read_text("utf-8")
    if address:
        _check_postgres(address)
        text += "" if _names_a_storage(text) else STORAGE
    elif f"env: {POSTGRES}" in text:
        raise DagsterHomeError(f"{path} keeps Dagster's records in PostgreSQL, but {POSTGRES} is not set")
    if not path.exists() or path.read_text("utf-8") != text:
        half_written = path.with_name(f".{path.name}.{os.getpid()}")
        half_written.write_text(text, "utf-8")
        half_written.replace(path)
    return folder


def _check_postgres(address: str) -> None:
    """Raises ``DagsterHomeError``, which does not quote the address: its password stands in it."""
    if not address.startswith("postgresql+psycopg2://"):  # of any other SQLAlchemy looks for another driver
        raise DagsterHomeError(f"{POSTGRES} must begin with postgresql+psycopg2://")
    if not (find_spec("dagster_postgres") and find_spec("psycopg2")):
        raise DagsterHomeError(f"{POSTGRES} is set, but the drivers are not there: install kravoversikt[postgres]")


def _names_a_storage(text: str) -> bool:
    return any(line.startswith(("storage:", "run_storage:")) for line in text.splitlines())


def tell_allocator() -> None:
    """``_RJEM_MALLOC_CONF``, which Polars' allocator reads when Polars is loaded.

    A bucket's memory is kept for the next for 2 s, not 0.5, in 2 arenas, not 4 a core: a fourth of the build's time
    was page faults. The peak is as it was (docs/decisions/0014-text-in-pieces.md).
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:2000,narenas:2")
