"""Logs as JSON lines, one per answer: ``access`` for operations, ``audit`` for who saw what.

No number stands in the clear. A consumer goes by its configured name, a part by a keyed hash: with the key, whoever
may can ask the audit log about a part; without it nobody can try all numbers.
"""

import json
import logging
import os
import re
import select
import stat
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

HELD_SECONDS = 0.05
"""How long a line is held at most: a write for every answer would cost more than the rest of it."""


MOST_HELD = 100_000
"""Lines held at most while they can't be written."""

BEHIND_SECONDS = 5.0
"""An audit line that waits longer to be written means that what is shown is not audited."""

log = logging.getLogger("kravoversikt")


class Lines:
    """A file of lines, or standard output. Lines are written whole, so those of several workers don't mix.

    Adding a line never waits for the writing. What can't be written is held, the oldest ``MOST_HELD`` lines of it.
    """

    def __init__(self, place: str) -> None:
        """``place``: a path, ``-`` for standard output, or empty for nowhere."""
        self._file = _open(place)
        self._atomic = select.PIPE_BUF if self._file is not None and _is_pipe(self._file) else 1 << 20
        self._held: list[bytes] = []
        self._waiting: float | None = None
        self._failing = False
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self.dropped = 0

    def write(self, line: str) -> None:
        """Adds a line; ``flush`` writes it."""
        if self._file is None:
            return
        with self._lock:
            if len(self._held) >= MOST_HELD:
                self.dropped += 1
                return
            self._held.append(line.encode() + b"\n")
            self._waiting = self._waiting or time.monotonic()

    def behind(self) -> float:
        """For how many seconds the oldest line has waited."""
        waiting = self._waiting
        return time.monotonic() - waiting if waiting else 0.0

    def flush(self) -> None:
        """Writes what is held; what could not be written is held on. A fault is told once, not every time."""
        with self._writing:
            with self._lock:
                held, self._held = self._held, []
            left = self._write(held)
            with self._lock:
                self._held = left + self._held
                self._waiting = time.monotonic() if self._held and not left else self._waiting if left else None

    def _write(self, lines: list[bytes]) -> list[bytes]:
        """The lines that could not be written. A pipe takes only so many bytes at a time in one piece."""
        while lines:
            size = fit = 0
            while fit < len(lines) and (not fit or size + len(lines[fit]) <= self._atomic):
                size, fit = size + len(lines[fit]), fit + 1
            try:
                _write_all(self._file, b"".join(lines[:fit]))
            except OSError as error:
                if not self._failing:
                    log.error("a log cannot be written, its lines are held: %s", error.strerror)
                self._failing = True
                return lines
            lines, self._failing = lines[fit:], False
        return []


def _open(place: str) -> int | None:
    if not place:
        return None
    if place == "-":
        return sys.stdout.fileno()
    return os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def _is_pipe(file: int) -> bool:
    return stat.S_ISFIFO(os.fstat(file).st_mode)


def _write_all(file: int | None, content: bytes) -> None:
    while content and file is not None:
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
            f'"korrelasjonsid":"{self._id(answer.korrelasjonsid)}","method":"{answer.method}","route":"{answer.route}",'
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
        facts = {"korrelasjonsid": self._id(korrelasjonsid), "error": type(error).__name__, "where": where}
        self._access.write(json.dumps({"log": "error", "time": now, **facts}, separators=(",", ":")))

    def _id(self, korrelasjonsid: str) -> str:
        """The caller's id, hashed when it could hold a part's number: it is echoed to the caller as it is."""
        return part_hash(self._key, korrelasjonsid) if _NUMBER.search(korrelasjonsid) else korrelasjonsid

    def audited(self) -> bool:
        """Whether what is shown now will be audited: the lines before it could be written."""
        return self._audit.behind() < BEHIND_SECONDS and not self._audit.dropped

    def flush(self) -> None:
        """Writes what is held."""
        self._audit.flush()
        if self._audit.behind() < BEHIND_SECONDS:
            self._audit.dropped = 0
        self._access.flush()


_NUMBER = re.compile(r"[0-9]{9}")


def _text(value: str | None) -> str:
    return f'"{value}"' if value else "null"


def part_hash(key: bytes, part: str) -> str:
    """The keyed hash (BLAKE2b, RFC 7693) by which the audit log knows a part."""
    return blake2b(part.encode(), key=key[:64], digest_size=16).hexdigest()
