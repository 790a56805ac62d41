"""``kravoversikt doctor``: whether a home is sound, and what to do where it is not."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import duckdb

from cli.options import home_option
from cli.output import say_or_fail
from pipelines.settings import operations
from schemas.operations import OperationsError
from schemas.refusals import TO_DO
from schemas.snapshot import SnapshotManifest
from transforms.home import retained
from transforms.home.ballast import BALLAST, BALLAST_BYTES
from transforms.home.lock import LOCK, is_held
from transforms.home.path import HomePathError, check_path
from transforms.home.snapshot import (
    ANALYTICS,
    CURRENT,
    DELIVERIES,
    SNAPSHOTS,
    HomeDamagedError,
    OtherVersionError,
    damaged_files,
    published_snapshot,
    read_manifest,
)


class Found(NamedTuple):
    """What a check found: all well when there is nothing to do."""

    what: str
    to_do: str = ""


@click.command()
@home_option
def doctor(home: Path) -> None:
    """Check a home, and say what to do: its files, links, permissions, space, versions and lock.

    Reads every file of the published snapshot. Changes nothing. Exits 0 when all is well, 1 when there is something to
    do.
    """
    if not home.is_dir():
        raise click.ClickException(f"there is no home at {home}")
    home = home.resolve()
    checks = (_path, _rights, _settled, _lock, _published, _earlier, _deliveries, _analysts, _space, _left)
    all_found = dict.fromkeys(found for check in checks for found in _run(check, home))  # one damage, met by several
    for found in all_found:
        say_or_fail(f"to do  {found.what}\n       {found.to_do}" if found.to_do else f"ok     {found.what}")
    sys.exit(any(found.to_do for found in all_found))


def _run(check: Callable[[Path], Iterator[Found]], home: Path) -> Iterator[Found]:
    """What a check finds; one that cannot be done is something to do itself."""
    try:
        yield from check(home)
    except OtherVersionError as error:
        yield Found(f"another version: {error}", TO_DO["L3-HOME-VERSION"])
    except HomeDamagedError as error:
        yield Found(f"the home is damaged: {error}", TO_DO["L3-HOME-DAMAGED"])
    except OSError as error:
        yield Found(f"{error.filename}: {error.strerror}", "let the user of the runs read it, or look at the disk")


def _path(home: Path) -> Iterator[Found]:
    try:
        check_path(home, "the home")
    except HomePathError as error:
        yield Found(str(error), "move the home to another path")


def _rights(home: Path) -> Iterator[Found]:
    folders = [home, *(home / name for name in (SNAPSHOTS, DELIVERIES, "runs", "dagster") if (home / name).exists())]
    closed = [folder for folder in folders if not os.access(folder, os.R_OK | os.W_OK | os.X_OK)]
    for folder in closed:
        yield Found(f"{folder} cannot be written", "give it to the user of the runs (chown, chmod u+rwx)")
    if not closed:
        yield Found(f"permissions: {len(folders)} folders can be written")


def _settled(home: Path) -> Iterator[Found]:
    try:
        operations(home)
    except OperationsError as error:
        cure = "mend it: no night begins until then; the alarms go by what it said when it was right last"
        yield Found(str(error), cure)


def _lock(home: Path) -> Iterator[Found]:
    if (home / LOCK).exists() and not (home / LOCK).is_file():
        yield Found(f"{home / LOCK} is no file", "remove it, when no run goes on")
    elif is_held(home):
        yield Found(f"lock: held by {(home / LOCK).read_text()}; what follows may change meanwhile")
    else:
        yield Found("lock: free")


def _published(home: Path) -> Iterator[Found]:
    """The manifest, the store version, and the checksum of every file of the published snapshot."""
    folder = published_snapshot(home)
    if folder is None:
        yield Found("nothing is published", "run a night: kravoversikt run")
        return
    manifest = read_manifest(folder)
    wrong = [name for name, file in manifest.files.items() if _sha256(folder / name) != file.sha256]
    for name in wrong:
        cure = "run a night with --full" if name.startswith("documents/") else "kravoversikt rollback"
        yield Found(f"{folder.name}/{name} is gone or not as it was", f"{cure}, or restore it from a backup")
    if not wrong:
        yield Found(f"published: {folder.name}, {len(manifest.files)} files as they were made")


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _earlier(home: Path) -> Iterator[Found]:
    """Those that can be gone back to: by the lengths of their files, for most are the published one's."""
    current, whole = published_snapshot(home), 0
    for folder in retained.published(home):
        if folder == current:
            continue
        damaged = damaged_files(folder, read_manifest(folder))
        whole += not damaged
        if damaged:
            yield Found(f"{folder.name}: {len(damaged)} files are gone or cut short", "don't go back to it")
    yield Found(f"earlier: {whole} whole snapshots to go back to")


def _deliveries(home: Path) -> Iterator[Found]:
    """The accepted rows of the deliveries in force, which the next night needs."""
    from transforms.accept.sources import what_it_lacks

    manifest = _manifest(home)
    if manifest is None:
        return
    lacking = [
        (one.folder, why) for one in manifest.used if (why := what_it_lacks(home / DELIVERIES / one.folder, one))
    ]
    for folder, why in lacking:
        yield Found(f"{DELIVERIES}/{folder}: {why}", TO_DO["L3-ACCEPTED-LOST"])
    if not lacking:
        yield Found(f"deliveries: the rows of {len(manifest.used)} in force are there")


def _manifest(home: Path) -> SnapshotManifest | None:
    folder = published_snapshot(home)
    return read_manifest(folder) if folder else None


def _analysts(home: Path) -> Iterator[Found]:
    """The link, and whether the views lead to this home: they hold absolute paths."""
    current, link = published_snapshot(home), home / ANALYTICS
    if current is None:
        return
    if not link.is_symlink() or link.resolve() != current / ANALYTICS:
        yield Found(f"{link} does not lead to the published snapshot", f"ln -sfn {CURRENT}/{ANALYTICS} {link}")
        return
    try:
        with duckdb.connect(str(link), read_only=True) as connection:
            views = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
    except duckdb.Error:
        yield Found(f"{link} cannot be opened", "close what holds it, or run a night, which makes it anew")
        return
    paths = {path for (sql,) in views for path in re.findall(r"'(/[^']+)'", sql)}
    if all(path.startswith(f"{home}/") for path in paths):
        yield Found(f"analysts: {len(views)} views of the published snapshot")
    else:
        yield Found("the analysts' views are of another path: the home was moved", "run a night, which makes them anew")


def _space(home: Path) -> Iterator[Found]:
    """A night that makes everything anew writes a snapshot as large as the last, and its posts beside it.

    It begins only where the ballast can be laid beside the one that lies there.
    """
    manifest, written = _manifest(home), 0
    if manifest is not None:
        rows = (file for one in manifest.used for file in (home / DELIVERIES / one.folder).rglob("*") if file.is_file())
        written = sum(file.bytes for file in manifest.files.values()) + sum(file.stat().st_size for file in rows)
    needed = max(BALLAST_BYTES, written) + (0 if (home / BALLAST).exists() else BALLAST_BYTES)
    free = shutil.disk_usage(home).free
    told = f"space: {free / 1e6:,.0f} MB free, the next night may need {needed / 1e6:,.0f} MB"
    yield Found(told, "make room, or keep fewer dates (run --keep)" if free < needed else "")


def _left(home: Path) -> Iterator[Found]:
    """What nights that failed have left, which the next one removes."""
    if is_held(home):
        return
    known = set(retained.published(home))
    left = [path for path in (home / SNAPSHOTS).glob("*/") if path not in known]
    left += [home / ".work"] if (home / ".work").exists() else []
    if left:
        names = ", ".join(str(path.relative_to(home)) for path in left)
        yield Found(f"left by a night that failed: {names}: the next one goes on with it or removes it")
