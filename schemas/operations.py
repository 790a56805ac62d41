"""What the operator has settled for a home: its sources, its limits for warnings, whom to tell (``operations.toml``).

Every field has a default: without the file each source that the home knows is required, and nobody is told.
"""

import tomllib
from datetime import time
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError

from schemas.manifest import Kilde

FILE_NAME = "operations.toml"
"""In the home, where ``KRAVOVERSIKT_OPERATIONS`` names no other file."""

Share = Annotated[float, Field(ge=0, le=1)]


class OperationsError(ValueError):
    """The file cannot be read or says what it cannot: which fields, and what each must be."""


class _Settled(BaseModel):
    """A slip in a name is an error: what was meant would be left out without a word."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Settled):
    """What is expected of a source. ``required``: a night does not begin by itself without its delivery, before
    ``expected_by``, a time of day in Oslo (none: it is waited for until the night's own deadline). ``max_age_days``:
    the oldest last extract of it that a night takes (none: that of the run).
    """

    required: bool = True
    expected_by: time | None = None
    max_age_days: Annotated[int, Field(ge=0)] | None = None


class Webhook(_Settled):
    """Where messages are posted, as JSON; how long each attempt may take, and how many there are."""

    url: HttpUrl
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10
    attempts: Annotated[int, Field(ge=1, le=20)] = 5


class Operations(_Settled):
    """``owner``: the team that Dagster shows as the owner of the assets (``team:`` is put before it). ``begin_by``:
    when the night begins at the latest, with the sources that have delivered; ``published_by``: when a new snapshot is
    missed; both times of day in Oslo. ``warn_held_back``: from this share of parts held back someone is told.
    ``max_age_hours``: how old what is published may be before ``status`` says that it is too old. ``ui_url``: where the
    Dagster UI is, for links in messages.
    """

    owner: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "kravoversikt"
    begin_by: time = time(5, 0)
    published_by: time = time(7, 0)
    warn_held_back: Share = 0.002
    max_age_hours: Annotated[float, Field(gt=0)] = 36
    sources: dict[Kilde, Source] = {}
    webhook: Webhook | None = None
    ui_url: HttpUrl | None = None

    def of(self, kilde: str) -> Source:
        """What is expected of the source; of one that the file does not name, the defaults."""
        return self.sources.get(kilde, Source())

    @property
    def source_max_age(self) -> dict[str, int]:
        """The limits in days of the sources that have one of their own."""
        return {kilde: one.max_age_days for kilde, one in sorted(self.sources.items()) if one.max_age_days is not None}


def read_operations(path: Path) -> Operations:
    """What the file says; the defaults when there is none. Raises ``OperationsError``, which quotes no value."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Operations()
    except OSError as error:
        raise OperationsError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise OperationsError(f"{path} is not TOML in UTF-8: {error}") from error
    try:
        return Operations.model_validate(content)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise OperationsError(f"{path}: {'; '.join(faults)}") from error
