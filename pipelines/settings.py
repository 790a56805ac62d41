"""Where configuration is read: the environment, once, with its defaults."""

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from transforms.home.path import check_path

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


def first_night() -> date | None:
    """``KRAVOVERSIKT_FIRST_NIGHT``, the first date that Dagster shows as a partition, if it is set.

    Raises ``ValueError`` when it is no date.
    """
    told = os.environ.get("KRAVOVERSIKT_FIRST_NIGHT")
    return date.fromisoformat(told) if told else None


def dagster_home(home: Path) -> Path:
    """``DAGSTER_HOME``, else ``<home>/dagster``; made with the project's ``dagster.yaml`` when it is new.

    Raises ``HomePathError``.
    """
    folder = Path(os.environ.get("DAGSTER_HOME") or home / "dagster").resolve()
    check_path(folder, "Dagster's folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        (folder / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    return folder


def tell_allocator() -> None:
    """``_RJEM_MALLOC_CONF``, which Polars' allocator reads when Polars is loaded.

    A bucket's memory is kept for the next for 2 s, not 0.5, in 2 arenas, not 4 a core: a fourth of the build's time
    was page faults. The peak is as it was (docs/decisions/0014-text-in-pieces.md).
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:2000,narenas:2")
