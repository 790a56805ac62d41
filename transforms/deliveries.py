"""Finds deliveries in the inbox and checks each one as a whole (CONTRACT section 1 and 2, level 1).

A folder without ``manifest.json`` is not a delivery yet. Everything wrong with a delivery is
listed; nothing of a refused one is used.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from schemas.manifest import DeliveredFile, DeliveredTable, Manifest
from schemas.refusals import Refusal
from schemas.tables import TABLES
from transforms.tabular import ENDINGS

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 8 << 20


@dataclass(frozen=True)
class Delivery:
    """A delivery found in the inbox.

    ``manifest`` is None when it cannot be read as one; ``refusals`` says what is wrong so far.
    ``manifest_sha256`` is what the delivery is known by once it has been accepted.
    """

    kilde: str
    nummer: int
    folder: Path
    manifest_sha256: str
    manifest: Manifest | None
    refusals: tuple[Refusal, ...] = ()

    def refusal(self, code: str, message: str, **place: Any) -> Refusal:
        """A level 1 refusal of this delivery."""
        return Refusal(1, code, message, self.kilde, self.nummer, **place)


def find_deliveries(inbox: Path) -> tuple[list[Delivery], list[Refusal]]:
    """All deliveries in the inbox, by source and number, and what lies there that is none."""
    found, stray = [], []
    for folder in sorted(path.parent for path in inbox.glob(f"*/*/{MANIFEST}")):
        name = folder.name
        if len(name) == 6 and name.isascii() and name.isdigit() and _source_is_named_well(folder.parent.name):
            found.append(read_delivery(folder))
        else:
            text = "a folder with a manifest is not named <kilde>/<six digits>"
            kilde = folder.parent.name if _source_is_named_well(folder.parent.name) else None
            stray.append(Refusal(1, "L1-FOLDER", text, kilde, fil=shown(f"{folder.parent.name}/{name}")))
    return found, stray


def _source_is_named_well(name: str) -> bool:
    return 1 <= len(name) <= 32 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in name)


def read_delivery(folder: Path) -> Delivery:
    """The delivery in ``<kilde>/<number>``, its manifest read and held against the folder's name."""
    kilde, nummer, path = folder.parent.name, int(folder.name), folder / MANIFEST

    def refused(sha256: str, *reasons: tuple[str, str], manifest: Manifest | None = None) -> Delivery:
        refusals = tuple(Refusal(1, code, text, kilde, nummer, fil=MANIFEST) for code, text in reasons)
        return Delivery(kilde, nummer, folder, sha256, manifest, refusals)

    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
            return refused("", ("L1-MANIFEST-JSON", "it is not a plain file of a sensible size"))
        content = path.read_bytes()
    except OSError:
        return refused("", ("L1-MANIFEST-JSON", "it cannot be read"))
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        text = content.decode("utf-8-sig")  # json.loads would take UTF-16 too
        data = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        doubled = str(error) if isinstance(error, _DoubledFieldError) else "it is not JSON in UTF-8"
        return refused(sha256, ("L1-MANIFEST-JSON", doubled))
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        return refused(sha256, *_field_reasons(error))
    wrong = []
    if manifest.kilde != kilde:
        wrong.append(("L1-FOLDER", "kilde is not the name of the source's folder"))
    if manifest.leveransenummer != nummer:
        wrong.append(("L1-FOLDER", f"leveransenummer {manifest.leveransenummer} lies in folder {folder.name}"))
    return refused(sha256, *wrong, manifest=manifest)


class _DoubledFieldError(ValueError):
    """A field stands twice in one object; JSON readers disagree on which one counts."""


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _DoubledFieldError("a field stands twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _field_reasons(error: ValidationError) -> list[tuple[str, str]]:
    """One reason per wrong field; names that the contract doesn't know are not repeated."""
    reasons = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        words = [word for word in problem["loc"] if word != "[key]"]
        known = (str(word) if isinstance(word, int) or word in _WORDS else "?" for word in words)
        where = ".".join(known) or MANIFEST
        reasons.append(("L1-MANIFEST-FIELD", f"{where}: {problem['msg'].removeprefix('Value error, ')}"))
    return reasons


_WORDS = {*Manifest.model_fields, *DeliveredTable.model_fields, *DeliveredFile.model_fields, *TABLES}


# --- files -------------------------------------------------------------------------------------


@dataclass
class FileChecks:
    """The files of a delivery, in the manifest's order, and what is wrong with how they lie.

    ``states``: each file's ``state`` before its sha256 was taken, so that a change before it is read shows.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    states: dict[str, tuple[int, ...]] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


def check_files(delivery: Delivery) -> FileChecks:
    """Holds the folder against the manifest: missing, unlisted, outside, twice, ending, sha256."""
    checks = FileChecks()
    assert delivery.manifest is not None  # noqa: S101
    listed = Counter(_plain(file.sti) for table in delivery.manifest.tabeller.values() for file in table.filer)
    for tabell, table in delivery.manifest.tabeller.items():
        for file in table.filer:
            checks.states[file.sti] = state(delivery.folder / file.sti)
            reasons = list(_file_reasons(delivery.folder, file, listed))
            checks.refusals += [
                delivery.refusal(code, text, fil=shown(file.sti), tabell=tabell) for code, text in reasons
            ]
            if not reasons:
                checks.paths[file.sti] = delivery.folder / file.sti
    for name in sorted(_files_below(delivery.folder)):
        if name != MANIFEST and name not in listed:
            checks.refusals.append(
                delivery.refusal("L1-FILE-UNLISTED", "list it in the manifest, or remove it", fil=shown(name))
            )
    return checks


def state(path: Path) -> tuple[int, ...]:
    """What tells a file from another in its place, and from itself once written to; empty when there is none."""
    try:
        found = path.lstat()
    except (OSError, ValueError):  # ValueError: a path with a NUL
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _plain(sti: str) -> str:
    """The path in one spelling: ``./a//b`` is ``a/b``."""
    return str(PurePosixPath(sti))


def _files_below(folder: Path) -> Iterator[str]:
    """All that lies in the folder, links and what cannot be opened included, but for plain folders."""
    waiting = [folder]
    while waiting:  # no recursion: folders may be nested deeper than Python's stack
        top = waiting.pop()
        try:
            with os.scandir(top) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(top / entry.name)
                    else:
                        yield (top / entry.name).relative_to(folder).as_posix()
        except OSError:  # may not be opened, or its path is too long
            yield top.relative_to(folder).as_posix()


def shown(name: str) -> str:
    """A delivered file name as it may stand in a message: printable, of bounded length.

    A run of nine digits or more could be a part's number, so digits beyond six are masked.
    """
    printable = "".join(c if c.isprintable() else "?" for c in name)
    run, out = 0, []
    for c in printable[:120]:
        run = run + 1 if c.isdigit() else 0
        out.append("#" if run > 6 else c)
    return "".join(out)


def _file_reasons(folder: Path, file: DeliveredFile, listed: Counter[str]) -> Iterator[tuple[str, str]]:
    times = listed[_plain(file.sti)]
    if times > 1:
        yield "L1-FILE-TWICE", f"it is listed {times} times"
    if not file.sti.endswith(ENDINGS):
        yield "L1-FILE-ENDING", f"the ending is not one of {', '.join(ENDINGS)}"
    path = folder / file.sti
    try:
        if not _lies_within(folder, file.sti):
            yield "L1-FILE-OUTSIDE", "name a file in the delivery's own folder, not a link"
            return
        if not path.is_file():
            yield "L1-FILE-MISSING", "the file is not there"
            return
        with path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        yield "L1-UNREADABLE", "the file cannot be opened"
        return
    if sha256 != file.sha256.lower():
        yield "L1-SHA256", "the content is not what the manifest was made for"


def _lies_within(folder: Path, sti: str) -> bool:
    """Whether the path stays in the folder by its words and passes no link."""
    words = PurePosixPath(sti)
    if words.is_absolute() or ".." in words.parts or "\\" in sti or "\0" in sti or _plain(sti) in (".", MANIFEST):
        return False
    path = folder
    for word in words.parts:
        path = path / word
        if path.is_symlink():
            return False
    return True
