"""Finds deliveries in the inbox and checks each one as a whole (CONTRACT section 1 and 2, level 1).

A folder without ``manifest.json`` is not a delivery yet. Everything wrong with a delivery is
listed; nothing of a refused one is used. What may not be read is told, and waits like a gap.
"""

import errno
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
from transforms.accept.files import ENDINGS
from transforms.home.shown import shown

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 8 << 20
NO_ACCESS = "L1-NO-ACCESS"
"""The one code of a delivery's faults that refuses nothing: what may not be read waits like a gap."""


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


@dataclass
class Found:
    """What lies in the inbox: deliveries by source and number; ``stray``, what is none and is refused;
    ``without_access``, what may not be read, so that nobody knows what it is.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    stray: list[Refusal] = field(default_factory=list)
    without_access: list[Refusal] = field(default_factory=list)


def find_deliveries(inbox: Path) -> Found:
    """All that lies in the inbox. Raises ``OSError`` when the inbox itself cannot be read."""
    found = Found()
    for source in _folders(inbox):
        kilde = source.name if _source_is_named_well(source.name) else None
        try:
            numbers = _folders(source)
        except OSError as error:
            _raise_ours(error)
            found.without_access.append(_no_access(error, kilde, None, source.name))
            continue
        for folder in numbers:
            try:
                _find_delivery(folder, kilde, found)
            except OSError as error:
                _raise_ours(error)
                nummer = int(folder.name) if _is_number(folder.name) else None
                found.without_access.append(_no_access(error, kilde, nummer, f"{source.name}/{folder.name}"))
    return found


def _folders(folder: Path) -> list[Path]:
    """All that may be a folder in the folder: what is one, and what may not be looked at."""
    return sorted(Path(entry) for entry in os.scandir(folder) if not _is_no_folder(entry))


def _is_no_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a plain file. What cannot be looked at may be a folder, and so may what a link leads to in vain."""
    try:
        return not entry.is_dir() and not (entry.is_symlink() and not Path(entry).exists())
    except OSError:
        return False


def _find_delivery(folder: Path, kilde: str | None, found: Found) -> None:
    """Raises ``OSError`` when it can't be told whether the folder has a manifest, or what that says."""
    try:
        (folder / MANIFEST).lstat()
    except (FileNotFoundError, NotADirectoryError):
        if folder.is_symlink() and not folder.exists():
            raise
        return
    if kilde and _is_number(folder.name):
        found.deliveries.append(read_delivery(folder))
    else:
        text = "a folder with a manifest is not named <kilde>/<six digits>"
        name = shown(f"{folder.parent.name}/{folder.name}")
        found.stray.append(Refusal(1, "L1-FOLDER", text, kilde, fil=name))


def _is_number(name: str) -> bool:
    return len(name) == 6 and name.isascii() and name.isdigit()


def _no_access(error: OSError, kilde: str | None, nummer: int | None, name: str) -> Refusal:
    return Refusal(1, NO_ACCESS, _may_not(error), kilde, nummer, fil=shown(name))


def _raise_ours(error: OSError) -> None:
    """Raises the error again when it says nothing of the place: no more files may be open, or there is no memory."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise error


def _may_not(error: OSError) -> str:
    return f"let the user of the run read it ({error.strerror})"


def _source_is_named_well(name: str) -> bool:
    return 1 <= len(name) <= 32 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in name)


def read_delivery(folder: Path) -> Delivery:
    """The delivery in ``<kilde>/<number>``, its manifest read and held against the folder's name.

    Raises ``OSError`` when the manifest cannot be read.
    """
    kilde, nummer, path = folder.parent.name, int(folder.name), folder / MANIFEST

    def refused(sha256: str, *reasons: tuple[str, str], manifest: Manifest | None = None) -> Delivery:
        refusals = tuple(Refusal(1, code, text, kilde, nummer, fil=MANIFEST) for code, text in reasons)
        return Delivery(kilde, nummer, folder, sha256, manifest, refusals)

    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
        return refused("", ("L1-MANIFEST-JSON", "it is not a plain file of a sensible size"))
    content = path.read_bytes()
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
    below = _FilesBelow(delivery.folder)
    for name in sorted(below.names - {MANIFEST, *listed}):
        text = "list it in the manifest, or remove it"
        checks.refusals.append(delivery.refusal("L1-FILE-UNLISTED", text, fil=shown(name)))
    checks.refusals += [
        _no_access(error, delivery.kilde, delivery.nummer, name) for name, error in sorted(below.without_access.items())
    ]
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


class _FilesBelow:
    """``names``: all that lies in the folder, links included, but for plain folders and what programs leave beside
    their files (``_SUCCESS``, ``.crc``, ``.nfs…``). ``without_access``: folders that may not be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: set[str] = set()
        self.without_access: dict[str, PermissionError] = {}
        waiting = [folder]
        while waiting:  # no recursion: folders may be nested deeper than Python's stack
            top = waiting.pop()
            try:
                waiting += self._look_into(top)
            except PermissionError as error:
                self.without_access[self._name(top)] = error
            except OSError:  # its path is too long, say
                self.names.add(self._name(top))

    def _look_into(self, top: Path) -> list[Path]:
        """Keeps the names of what lies in it; returns the folders among them."""
        folders = []
        with os.scandir(top) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(top / entry.name)
                elif not entry.name.startswith((".", "_")):
                    self.names.add(self._name(top / entry.name))
        return folders

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


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
    except PermissionError as error:
        yield NO_ACCESS, _may_not(error)
        return
    except OSError as error:
        _raise_ours(error)
        yield "L1-UNREADABLE", f"it cannot be opened: {error.strerror}"
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
