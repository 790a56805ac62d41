"""A snapshot on disk: made in its final folder, complete once it has a manifest, published by one switch.

    <home>/snapshots/<date>-<run>/documents/   index.arrow, <segment>.zst, <kind>-<number>.dict  (schemas.store)
                                  tables/      <table>/<segment>.parquet      amounts in øre
                                               part/part.parquet
                                  findings.parquet, held_back.parquet, quarantined.parquet, same.parquet
                                  led_to.parquet, refused_rows.parquet
                                  history.parquet, history_refused.parquet    this night's lines of the home's
                                  analytics.duckdb                            views, amounts in kroner
                                  manifest.json                               written last
    <home>/current -> snapshots/<date>-<run>

A manifest names the snapshot published before it, so the chain from ``current`` back is what has been
published, and what ``home.retained`` has on record beside it. Any other folder is what an interrupted run left, and
the next run removes it.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ValidationError

from schemas.published import PUBLISHED
from schemas.snapshot import ManifestHead, SnapshotManifest, StoredFile
from schemas.store import HISTORIES, INDEX_SCHEMA, LATER_COLUMNS, OVERSIKTER, SEGMENTS, STORE_VERSION, Segments
from transforms.home.dictionaries import copy_dictionaries
from transforms.home.sql import sql_text

CURRENT = "current"
ANALYTICS = "analytics.duckdb"
"""The analysts' database, of a snapshot, and in the home a link to the published one's."""
MANIFEST = "manifest.json"
SNAPSHOTS = "snapshots"
DELIVERIES = "deliveries"

TABLE_NAMES = tuple(PUBLISHED)
PARTS_PER_SEGMENT = 4_000
"""Of a bucket too: some 150 MB of documents at the mix of ``generate``, and three times as much while it is built."""
PART_TABLE = "tables/part/part.parquet"
HELD_BACK = "held_back.parquet"
"""``part``: the parts held back that night, and ``siden`` which date, which an earlier program did not write."""
LED_TO = "led_to.parquet"
"""Which refused rows lead to the parts held back: ``part``, ``gjennom`` (its owner, if by that), ``avvist``."""
REFUSED_ROWS = "refused_rows.parquet"
"""The rows quarantined that night, whole: by ``avvist``, their number. For analysts only: it tells who is who."""
FINDINGS = "findings.parquet"
"""Every refusal and report of that night (``home.findings``)."""
QUARANTINED = "quarantined.parquet"
"""``tabell``, ``noekkel``: the keys quarantined that night."""
SAME = "same.parquet"
"""``tabell``, ``noekkel``: the keys of which two sources said the same that night."""
INTERNAL = "tables/INTERNAL.txt"
_NOT_FOR_ANALYSTS = """\
These files are the program's own: amounts are in øre, and some rows have been superseded.
The published tables, in kroner, are in analytics.duckdb of the home. `kravoversikt export tables` makes
Parquet of them, or one file that stands alone.
"""
NEEDED = ("documents/index.arrow", HELD_BACK, QUARANTINED, SAME)
"""Beside the tables, the files without which the next night cannot know what it must keep."""


def start_snapshot(folder: Path) -> None:
    """Makes the folder of a new snapshot, removing what an interrupted run may have left there."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in TABLE_NAMES:
        (folder / "tables" / name).mkdir(parents=True)
    (folder / INTERNAL).write_text(_NOT_FOR_ANALYSTS, "utf-8")
    (folder / "documents").mkdir()
    copy_dictionaries(folder / "documents")


class HomeDamagedError(Exception):
    """What the home has published cannot be read; nothing may be removed or built upon."""


class OtherVersionError(Exception):
    """What the home has published is in the form of another store version."""


def published_snapshot(home: Path) -> Path | None:
    """The folder of the published snapshot, or None when nothing has been published.

    Raises ``HomeDamagedError`` when there are snapshots that come after one another, so that some was
    published, and yet ``current`` leads to none.
    """
    folder = (home / CURRENT).resolve()
    if (folder / MANIFEST).is_file():
        return folder
    if (home / CURRENT).is_symlink():
        raise HomeDamagedError("current leads to no snapshot")
    if any(previous_of(path.parent) for path in (home / SNAPSHOTS).glob(f"*/{MANIFEST}")):
        raise HomeDamagedError("there are snapshots, but no current")
    return None


def read_manifest(folder: Path) -> SnapshotManifest:
    """A snapshot's manifest. Raises ``HomeDamagedError``, also when it is no snapshot's, and ``OtherVersionError``."""
    version = _read(folder, ManifestHead).skjemaversjon
    if version != STORE_VERSION:
        raise OtherVersionError(f"its snapshots are of version {version}, this program's of {STORE_VERSION}")
    return _read(folder, SnapshotManifest)


def previous_of(folder: Path) -> Path | None:
    """The snapshot published before, whatever store version it is of. Raises ``HomeDamagedError``."""
    previous = _read(folder, ManifestHead).previous
    return folder.with_name(previous) if previous else None


_Read = TypeVar("_Read", bound=BaseModel)


def _read(folder: Path, model: type[_Read]) -> _Read:
    """What the model takes of a manifest. Raises ``HomeDamagedError``, which quotes nothing of it."""
    try:
        return model.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise HomeDamagedError(f"the manifest of {folder.name} cannot be read") from error
    except ValidationError as error:
        whole = any(not fault["loc"] for fault in error.errors(include_input=False))  # no JSON, or no object
        text = "cannot be read" if whole else "is not one of a snapshot"
        raise HomeDamagedError(f"the manifest of {folder.name} {text}") from error


def read_json(path: Path) -> dict[str, Any]:
    """An object that ``write_json`` wrote. Raises ``ValueError`` for what is none."""
    content = json.loads(path.read_text("utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not an object")
    return content


def read_index(snapshot: Path) -> pl.DataFrame:
    """The index of a snapshot's documents, see ``schemas.store``; columns that an earlier program had not are null."""
    with pa.memory_map(str(snapshot / "documents" / "index.arrow")) as source:
        index = pl.DataFrame(pl.from_arrow(pa.ipc.open_file(source).read_all()))
    later = [pl.lit(None, pl.String).alias(name) for name in LATER_COLUMNS if name not in index.columns]
    return index.with_columns(later).select(INDEX_SCHEMA.names)


def empty_index() -> pl.DataFrame:
    """An index without rows."""
    return pl.DataFrame(schema=pl.Schema(INDEX_SCHEMA))


@dataclass(frozen=True)
class Segment:
    """A segment of a snapshot, by its name: one ``of`` those of histories, or of overviews."""

    snapshot: Path
    of: Segments
    name: str

    @classmethod
    def new(cls, snapshot: Path, of: Segments, number: str) -> "Segment":
        """One to be written, of a name that is unique among all snapshots."""
        return cls(snapshot, of, f"{snapshot.name}-{number}{of.suffix}")

    @property
    def documents(self) -> Path:
        """The file of its documents."""
        return self.snapshot / "documents" / f"{self.name}.zst"

    def table(self, name: str) -> Path:
        """The file of its rows of a table."""
        return self.snapshot / "tables" / name / f"{self.name}.parquet"


def write_index(
    snapshot: Path,
    oversikter: Iterable[pl.DataFrame],
    histories: Iterable[pl.DataFrame],
    part: pl.DataFrame,
    known: pl.Series,
) -> pl.DataFrame:
    """Writes the index of all documents, and of the ``known`` parts that have none.

    Of a part all are there: ``oversikter`` and ``histories`` have the ``columns`` of their ``Segments``, ``part`` has
    ``part`` and ``innehaver``, the owner that its documents were made with.
    """
    of_oversikter = pl.concat([empty_index().select(OVERSIKTER.columns), *oversikter], how="vertical_relaxed")
    of_histories = pl.concat([empty_index().select(HISTORIES.columns), *histories], how="vertical_relaxed")
    owners = part.select("part", "innehaver")
    index = of_oversikter.join(of_histories, on="part", validate="1:1").join(owners, on="part", validate="1:1")
    if not index.height == of_oversikter.height == of_histories.height:
        raise ValueError("there are overviews and histories of different parts")
    absent = known.unique().rename("part").to_frame().join(index, on="part", how="anti")
    numbers = [pl.lit(0, pl.Int64).alias(field.name) for field in INDEX_SCHEMA if field.type == pa.int64()]
    index = pl.concat([index, absent.with_columns(numbers)], how="diagonal").sort("part").select(INDEX_SCHEMA.names)
    table = index.to_arrow().cast(INDEX_SCHEMA)
    with (
        pa.OSFile(str(snapshot / "documents" / "index.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, INDEX_SCHEMA) as writer,
    ):
        writer.write_table(table.combine_chunks())
    return index


def write_part(snapshot: Path, index: pl.DataFrame, part: pl.DataFrame) -> None:
    """Writes the table ``part``: the columns ``part`` that are stored, and from the index the documents' places."""
    places = ["part", "snapshotdato", *(segments.column for segments in SEGMENTS)]
    published = index.filter(pl.col("snapshotdato").is_not_null()).select(places)
    rows = published.join(part, on="part", how="left", maintain_order="left")
    rows = rows.select(PUBLISHED["part"].stored.names())
    rows.write_parquet(snapshot / PART_TABLE, compression="zstd", compression_level=1)


def whose(name: str) -> str:
    """The column that says whose documents show a row of the table."""
    return "forespurt_part" if name.startswith("oversikt") else "part"


def rows_sql(snapshot: Path, name: str) -> str:
    """The rows of a table of the snapshot, as SQL: of the segments' rows those that documents show."""
    return rows_of(lambda file: sql_text(snapshot / file), name)


def rows_of(file: Callable[[str], str], name: str) -> str:
    """As ``rows_sql``. ``file``: the path of a file, by its name in the snapshot, as SQL."""
    part = f"read_parquet({file(PART_TABLE)})"
    if name == "part":
        return f"SELECT * FROM {part}"
    files = file(f"tables/{name}/*.parquet")
    overdue = ", row.forfallsdato < part.snapshotdato AS forfalt" if name == "kravforfall" else ""
    columns = ", ".join(f"part.{segments.column}" for segments in SEGMENTS if name in segments.tables)
    return (
        f"SELECT row.* EXCLUDE (segment){overdue} FROM read_parquet({files}) AS row JOIN {part} AS part "
        f"ON part.part = row.{whose(name)} AND row.segment IN ({columns})"
    )


def checksums(snapshot: Path, previous: Path | None = None) -> dict[str, StoredFile]:
    """Bytes and sha256 of every file of the snapshot but its manifest; each is flushed to disk.

    Files that are links to those of ``previous`` are neither read nor flushed again.
    """
    known = read_manifest(previous).files if previous else {}

    def stored(path: Path) -> tuple[str, StoredFile]:
        name = path.relative_to(snapshot).as_posix()
        linked = name in known and previous is not None and _same_file(path, previous / name)
        return name, known[name] if linked else _checksum(path)

    paths = sorted(path for path in snapshot.rglob("*") if path.is_file() and path.name != MANIFEST)
    with ThreadPoolExecutor(AT_A_TIME) as flushing:
        return dict(flushing.map(stored, paths))


def _same_file(path: Path, other: Path) -> bool:
    return other.is_file() and path.samefile(other)


def tables_unlike_their_schema(snapshot: Path) -> list[str]:
    """The tables of which some file has other columns or types, or another order, than ``schemas.published`` says."""
    return [
        name
        for name, table in PUBLISHED.items()
        if any(pl.read_parquet_schema(file) != table.stored for file in (snapshot / "tables" / name).glob("*.parquet"))
    ]


def damaged_files(snapshot: Path, manifest: SnapshotManifest) -> list[str]:
    """The snapshot's files that are gone or not as long as its manifest says."""
    return [
        name
        for name, file in manifest.files.items()
        if not (snapshot / name).is_file() or (snapshot / name).stat().st_size != file.bytes
    ]


def analytics_changed(snapshot: Path, manifest: SnapshotManifest) -> bool:
    """Whether the snapshot's file for analysts is gone, or other than it was published. It is small, so it is read."""
    told, path = manifest.files.get(ANALYTICS), snapshot / ANALYTICS
    return told is not None and not (path.is_file() and _sha256(path) == told.sha256)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(path: Path) -> StoredFile:
    _fsync(path)
    return StoredFile(bytes=path.stat().st_size, sha256=_sha256(path))


@contextlib.contextmanager
def whole_file(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Gives a name to write a file under, which then takes the place of ``path``: whole or not at all; if it is not
    flushed to disk, that holds while the system goes on.
    """
    half_written = path.with_name(f".{path.name}.part")
    try:
        yield half_written
        if flush:
            _fsync(half_written)
        half_written.replace(path)
    except OSError:
        half_written.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict[str, Any], *, flush: bool = True) -> None:
    """Writes JSON whole or not at all (``whole_file``)."""
    with whole_file(path, flush=flush) as half_written:
        half_written.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    if flush:
        _fsync(path.parent)


def make_durable(folder: Path) -> None:
    """Flushes every file of a folder, and the folder with its parent, to disk."""
    below = list(folder.rglob("*"))
    _fsync(*(path for path in below if path.is_file()))
    _fsync(*(path for path in below if path.is_dir()), folder, folder.parent)


AT_A_TIME = 8
"""So many files or folders are flushed at a time: what a disk does for one of them, it does for all that wait."""


def _fsync(*paths: Path) -> None:
    """Flushes files or folders to disk. Raises ``OSError`` when one of them could not be."""
    if len(paths) == 1:
        _fsync_one(*paths)
    else:
        with ThreadPoolExecutor(AT_A_TIME) as flushing:
            list(flushing.map(_fsync_one, paths))


def _fsync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def switch(home: Path, snapshot: Path) -> None:
    """Publishes the snapshot: ``current`` points to it from one moment to the next."""
    _fsync(*(path for path in snapshot.rglob("*") if path.is_dir()), snapshot, snapshot.parent)
    link = home / f".{CURRENT}.next"
    link.unlink(missing_ok=True)
    link.symlink_to(snapshot.relative_to(home))
    link.replace(home / CURRENT)
    _fsync(home)


def published_chain(home: Path) -> list[Path]:
    """The published snapshots that are still there, the current one first."""
    chain, folder = [], published_snapshot(home)
    while folder and (folder / MANIFEST).is_file() and folder not in chain:
        chain.append(folder)
        folder = previous_of(folder)
    return chain
