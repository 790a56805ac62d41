"""What serving reads of a published snapshot's manifest; the rest is the night's."""

from datetime import date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.snapshot import StoredFile
from serving.consumers import faults
from serving.errors import UnreadableError


class Manifest(BaseModel):
    """``files``: by their path in the snapshot. ``snapshotdato``: the day in Oslo that it was made for."""

    model_config = ConfigDict(strict=True, frozen=True)

    run: str
    snapshotdato: date
    extracted_at: datetime | None = None
    files: dict[str, StoredFile]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a snapshot. Raises ``UnreadableError`` (KB-002)."""
    try:
        return Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    except OSError as error:
        raise UnreadableError(f"manifest.json: {error.strerror}") from error
    except ValidationError as error:
        raise UnreadableError(f"manifest.json: {faults(error).partition('; ')[0]}") from error
