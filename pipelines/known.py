"""What a home and its inbox know of the sources: read when Dagster loads the definitions, and by what starts a night.

Only small files are read: the published snapshot's manifest, and manifests of deliveries. What cannot be read is not
known; the night itself tells of it.
"""

import contextlib
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from schemas.snapshot import OSLO, Accepted, SnapshotManifest
from transforms.accept.inbox import read_delivery
from transforms.home.retained import day_of, rolled_back_since
from transforms.home.snapshot import HomeDamagedError, OtherVersionError, published_snapshot, read_manifest

_KILDE = re.compile("[a-z0-9-]{1,32}")
_NUMMER = re.compile("[0-9]{6}")


@dataclass(frozen=True)
class Known:
    """``published``: the manifest of the published snapshot, if there is one; ``inbox``: by source the numbers of its
    deliveries, ascending; ``gone_back_from``: the latest date that was published and then rolled back from.
    """

    folder: Path
    published: SnapshotManifest | None = None
    inbox: dict[str, list[int]] = field(default_factory=dict)
    gone_back_from: date | None = None

    @property
    def sources(self) -> list[str]:
        """The sources that have a delivery in the inbox, or one in force."""
        return sorted({*self.inbox, *self.last_used()})

    def last_used(self) -> dict[str, Accepted]:
        """By source, the last of its deliveries in force at the published snapshot."""
        return {one.kilde: one for one in (self.published.used if self.published else [])}

    def extracted(self, kilde: str, nummer: int) -> datetime | None:
        """When a delivery of the inbox was extracted, in Oslo; None when its manifest does not tell."""
        with contextlib.suppress(OSError):
            manifest = read_delivery(self.folder / kilde / f"{nummer:06d}").manifest
            return manifest.uttrekkstidspunkt.astimezone(OSLO) if manifest else None
        return None

    def first_night(self) -> date | None:
        """The night that the first extract was made for, of those that the home has ever used, else of the inbox's.

        One made in the afternoon or the evening is for the night after it.
        """
        used = [one.extracted_at for one in (self.published.accepted if self.published else [])]
        firsts = [self.extracted(kilde, numbers[0]) for kilde, numbers in self.inbox.items()]
        moments = used or [moment for moment in firsts if moment]
        return (min(moments).astimezone(OSLO) + timedelta(hours=12)).date() if moments else None


def known(inbox: Path, home: Path) -> Known:
    """What they know now."""
    manifest, back = None, None
    with contextlib.suppress(OSError, HomeDamagedError, OtherVersionError):
        folder = published_snapshot(home)
        manifest = read_manifest(folder) if folder else None
        back = max(map(day_of, rolled_back_since(home.resolve())), default=None)
    numbered = {kilde: numbers for kilde in _names(inbox, _KILDE) if (numbers := _of(inbox, kilde))}
    return Known(inbox, manifest, numbered, back)


def _of(inbox: Path, kilde: str) -> list[int]:
    """The numbers of the source's deliveries: of folders that have a manifest."""
    there = (name for name in _names(inbox / kilde, _NUMMER) if (inbox / kilde / name / "manifest.json").is_file())
    return sorted(map(int, there))


def _names(folder: Path, form: re.Pattern[str]) -> list[str]:
    """What lies in a folder under a name of the form; nothing when it may not be read."""
    with contextlib.suppress(OSError):
        return sorted(path.name for path in folder.iterdir() if form.fullmatch(path.name))
    return []
