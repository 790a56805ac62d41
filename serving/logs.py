"""Logs as JSON lines, one per answer: ``access`` for operations, ``audit`` for who saw what.

No number stands in the clear. A consumer goes by its configured name, a part by a keyed hash: with the key, whoever
may can ask the audit log about a part; without it nobody can try all numbers.
"""

import json
import os
import sys
import threading
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

HELD_SECONDS = 0.05
"""How long a line is held at most: a write for every answer would cost more than the rest of it."""


class Lines:
    """A file of lines, or standard output. Lines are written whole, so those of several workers don't mix."""

    def __init__(self, place: str) -> None:
        """``place``: a path, ``-`` for standard output, or empty for nowhere."""
        self._file = _open(place)
        self._held: list[str] = []
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Adds a line; ``flush`` writes it."""
        if self._file is not None:
            with self._lock:
                self._held.append(line)

    def flush(self) -> None:
        """Writes what is held."""
        with self._lock:
            held, self._held = self._held, []
            if held and self._file is not None:
                _write(self._file, "\n".join([*held, ""]).encode())


def _open(place: str) -> int | None:
    if not place:
        return None
    if place == "-":
        return sys.stdout.fileno()
    return os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


@dataclass(slots=True)
class Answered:
    """What is told of one answer. Every value is one of ours, or was checked: none can break out of a line."""

    korrelasjonsid: str
    method: str
    route: str = "unknown"
    status: int = 0
    kode: str | None = None
    consumer: str | None = None
    coding: str | None = None
    sent: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class About:
    """What the audit log tells besides, of an answer about a part."""

    part: str
    rettighetspakke: str
    period: str | None
    snapshot: str | None = None


class Logs:
    """The two logs of a worker. ``flush`` must be called every ``HELD_SECONDS``, and at the end."""

    def __init__(self, access: str, audit: str, key: bytes) -> None:
        """``key``: of the hashes, at least 32 bytes, the same for as long as the audit log is to be asked."""
        self._access = Lines(access)
        self._audit = Lines(audit)
        self._key = key

    def answered(self, answer: Answered, about: About | None) -> None:
        """One answer: to the access log, and to the audit log when it was about a part.

        Put together by hand: this is done for every answer, and a JSON library takes ten times as long.
        """
        facts = (
            f'"time":"{datetime.now(UTC).isoformat(timespec="milliseconds")}",'
            f'"korrelasjonsid":"{answer.korrelasjonsid}","method":"{answer.method}","route":"{answer.route}",'
            f'"status":{answer.status},"kode":{_text(answer.kode)},"consumer":{_text(answer.consumer)}'
        )
        if about:
            self._audit.write(
                f'{{"log":"audit",{facts},"part":"{part_hash(self._key, about.part)}",'
                f'"rettighetspakke":"{about.rettighetspakke}","period":{_text(about.period)},'
                f'"snapshot":{_text(about.snapshot)}}}'
            )
        self._access.write(
            f'{{"log":"access",{facts},"coding":{_text(answer.coding)},"bytes":{answer.sent},'
            f'"ms":{answer.seconds * 1000:.3f}}}'
        )

    def unexpected(self, error: Exception, korrelasjonsid: str) -> None:
        """An error that is ours: its type and where it was raised, for its message could hold anything."""
        frames = traceback.extract_tb(error.__traceback__)
        where = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-5:]]
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        facts = {"korrelasjonsid": korrelasjonsid, "error": type(error).__name__, "where": where}
        self._access.write(json.dumps({"log": "error", "time": now, **facts}, separators=(",", ":")))

    def flush(self) -> None:
        """Writes what is held."""
        self._audit.flush()
        self._access.flush()


def _text(value: str | None) -> str:
    return f'"{value}"' if value else "null"


def part_hash(key: bytes, part: str) -> str:
    """The keyed hash (BLAKE2b, RFC 7693) by which the audit log knows a part."""
    return blake2b(part.encode(), key=key[:64], digest_size=16).hexdigest()
