"""Logs as JSON lines, one per answer: ``access`` for operations, ``audit`` for who saw what.

No number stands in the clear. A consumer goes by its configured name, a part by a keyed hash: with the key, whoever
may can ask the audit log about a part; without it nobody can try all numbers. What a token calls its client, itself or
a consent stands as it is, unless it isn't a plain word or someone's number can be read in it: then its hash does.
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
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from serving.address import Proxies
from serving.consent import SystemUser
from serving.errors import UnreadableError
from serving.journal import Journal
from serving.numbers import names_someone

HELD_SECONDS = 0.05
"""How long a line is held at most: a write for every answer would cost more than the rest of it."""

MOST_HELD = 100_000
"""Lines held at most while they can't be written."""

BEHIND_SECONDS = 5.0
"""An audit line that waits longer to be written means that what is shown is not audited."""

log = logging.getLogger("kravoversikt")


class Lines:
    """A file of lines, or standard output. Lines are written whole, so those of several workers don't mix.

    Adding a line never waits for the writing. What can't be written is held, the oldest ``MOST_HELD`` lines of it;
    lines that come when there is no room are dropped and counted.
    """

    def __init__(self, place: str) -> None:
        """``place``: a path, ``-`` for standard output, or empty for nowhere."""
        self._file = _open(place)
        self._atomic = select.PIPE_BUF if self._file is not None and _is_pipe(self._file) else 1 << 20
        self._held: deque[bytes] = deque()  # one thread adds and another takes: both at once, without a lock
        self._being_written: list[bytes] = []
        self._waiting: float | None = None
        self._failing = False
        self._writing = threading.Lock()
        self._dropped, self._dropped_told = 0, 0
        self._journal: Journal | None = None
        self._kept: deque[int] = deque()  # of each line that is held: how many bytes of it are in the journal
        self._unkept = 0

    def write(self, line: str) -> None:
        """Adds a line; ``flush`` writes it."""
        if self._file is None:
            return
        if len(self._held) + len(self._being_written) >= MOST_HELD:
            self._dropped += 1
            return
        encoded = f"{line}\n".encode()
        if self._journal:
            kept = self._journal.add(encoded)
            self._unkept += not kept
            self._kept.append(len(encoded) if kept else 0)
        self._held.append(encoded)
        if self._waiting is None:
            self._waiting = time.monotonic()

    def keep_in(self, folder: Path) -> None:
        """Keeps lines in a journal until they are written; those of processes that were killed are written first.

        One that was just written when its process ended is written twice.
        """
        if self._file is None:
            return
        try:
            self._journal = Journal(folder)
        except OSError as error:
            log.error("lines of the audit log will not survive a killed worker: %s", error.strerror)
            return
        self._kept.extend(map(len, self._journal.found))
        self._held.extend(self._journal.found)
        if self._held:
            log.warning("%d lines of the audit log are of workers that ended before they wrote them", len(self._held))

    def full(self) -> bool:
        """Whether the next line would be dropped, or might not outlive this process."""
        return self.held() >= MOST_HELD or self._unkept > 0

    def held(self) -> int:
        """How many lines are still to be written."""
        return len(self._held) + len(self._being_written)

    def dropped(self) -> int:
        """How many lines were dropped since this was last asked."""
        before, self._dropped_told = self._dropped_told, self._dropped
        return self._dropped_told - before

    def behind(self) -> float:
        """For how many seconds the oldest line has waited."""
        waiting = self._waiting
        return time.monotonic() - waiting if waiting else 0.0

    def flush(self) -> None:
        """Writes what is held; what could not be written is held on. A fault is told once, not every time."""
        with self._writing:
            began = time.monotonic()
            if self._held and self._waiting is None:
                self._waiting = began
            self._being_written += [self._held.popleft() for _ in range(len(self._held))]
            lines = len(self._being_written)
            self._being_written = self._write(self._being_written)
            if self._journal:
                self._forget(self._journal, lines - len(self._being_written))
            if not self._being_written:
                self._waiting = began if self._held else None

    def _forget(self, journal: Journal, lines: int) -> None:
        """So many lines are written."""
        kept = [self._kept.popleft() for _ in range(lines)]
        journal.remove(sum(kept))
        self._unkept -= kept.count(0)

    def _write(self, lines: list[bytes]) -> list[bytes]:
        """The lines that could not be written. A pipe takes only so many bytes at a time in one piece."""
        start = 0
        while self._file is not None and start < len(lines):
            end = self._fitting(lines, start)
            try:
                piece = b"".join(lines[start:end])
                written = os.write(self._file, piece)
            except OSError as error:
                if not self._failing:
                    log.error("a log cannot be written, its lines are held: %s", error.strerror)
                self._failing = True
                return lines[start:]
            start = end if written == len(piece) else _after(lines, start, written)
        self._failing = False
        return []

    def _fitting(self, lines: list[bytes], start: int) -> int:
        """The end of the lines from ``start`` that go in one piece: at least one."""
        if sum(map(len, lines[start:])) <= self._atomic:
            return len(lines)
        size, end = len(lines[start]), start + 1
        while end < len(lines) and size + len(lines[end]) <= self._atomic:
            size, end = size + len(lines[end]), end + 1
        return end


def _after(lines: list[bytes], start: int, written: int) -> int:
    """The place of the first line not written whole. One that is torn is begun anew, on a line of its own."""
    while written and written >= len(lines[start]):
        written, start = written - len(lines[start]), start + 1
    if written:
        lines[start] = b"\n" + lines[start].lstrip(b"\n")
    return start


def _open(place: str) -> int | None:
    if not place:
        return None
    if place == "-":
        return sys.stdout.fileno()
    return os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def _is_pipe(file: int) -> bool:
    return stat.S_ISFIFO(os.fstat(file).st_mode)


@dataclass(slots=True)
class About:
    """What the audit log tells besides, of an answer about a part."""

    part: str
    rettighetspakke: str
    period: str | None
    snapshot: str | None = None


class Bearer(NamedTuple):
    """What an access token says of who bears it: any text, or what was read of it."""

    client: str | None = None
    jti: str | None = None
    supplier: str | None = None
    """The organisation number of one that acts for the consumer: it is only ever hashed."""


NOBODY = Bearer()


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
    own_id: bool = False
    """Whether the id is of our own making, and so holds no one's number."""
    stranger: str | None = None
    """The organisation number of a caller without an agreement: it is only ever hashed."""
    about: About | None = None
    """When the answer was about a part."""
    request: str = ""
    """Our own id of the request, whatever the caller calls it."""
    bearer: Bearer = NOBODY
    consent: str | None = None
    """What Altinn calls the consent that let the caller in; any text."""
    system_user: SystemUser | None = None
    """Who was asked about last."""
    peer: str = ""
    """The connection's address."""
    forwarded: str | None = None
    """``X-Forwarded-For``, any text."""


class Logs:
    """The two logs of a worker. Each must be flushed every ``HELD_SECONDS``, by itself, and both at the end."""

    def __init__(self, access: str, audit: str, key: bytes, proxies: Iterable[str] = ()) -> None:
        """``key``: of the hashes, at least 32 bytes, the same for as long as the audit log is to be asked.

        ``proxies``: whose word is taken for the caller's address.
        """
        self.access = Lines(access)
        self.audit = Lines(audit)
        self._hash = partial(part_hash, key)
        self._proxies = Proxies(proxies)
        self._hash_of_part = lru_cache(maxsize=10_000)(self._hash)
        self._who = lru_cache(maxsize=10_000)(self._of_whom)

    def answered(self, answer: Answered) -> None:
        """One answer: to the access log, and to the audit log when it was about a part.

        Put together by hand: this is done for every answer, and a JSON library takes ten times as long.
        """
        name = answer.korrelasjonsid if answer.own_id else self._id(answer.korrelasjonsid)
        what = _what(answer.method, answer.route, answer.status, answer.kode, answer.consumer)
        facts = f'"time":"{_now()}","request":"{answer.request}","korrelasjonsid":"{name}",{what}'
        about = answer.about
        if about:
            stranger = self._hash(answer.stranger) if answer.stranger else None
            who = self._who(answer.bearer, answer.consent, answer.system_user, answer.peer, answer.forwarded)
            self.audit.write(
                f'{{"log":"audit",{facts},"stranger":{_text(stranger)},"part":"{self._hash_of_part(about.part)}",'
                f"{_of_what(about.rettighetspakke, about.period, about.snapshot)},{who}}}"
            )
        self.access.write(
            f'{{"log":"access",{facts},"coding":{_text(answer.coding)},"bytes":{answer.sent},'
            f'"ms":{answer.seconds * 1000:.3f}}}'
        )

    def _of_whom(
        self, bearer: Bearer, consent: str | None, user: SystemUser | None, peer: str, forwarded: str | None
    ) -> str:
        """By what right, for whom and from where: the same for request after request, and so remembered."""
        supplier = self._hash(bearer.supplier) if bearer.supplier else None
        told = {
            "client": self._of_token(bearer.client),
            "jti": self._of_token(bearer.jti),
            "supplier": supplier,
            "consent": self._of_token(consent),
            "systemuser": user.id if user else None,
            "systemuser_org": self._hash(user.organisation) if user else None,
            "address": self._proxies.address(peer, forwarded),
        }
        return ",".join(f'"{name}":{_text(value)}' for name, value in told.items())

    def _of_token(self, text: str | None) -> str | None:
        """Text of a token: as it is when it is a plain word and no one's number, else hashed."""
        if text is None or (_WORD.fullmatch(text) and not names_someone(text)):
            return text
        return self._hash(text)

    def unexpected(self, error: Exception, korrelasjonsid: str) -> None:
        """An error that is ours: its type and where it was raised, for its message could hold anything."""
        self._error(korrelasjonsid, error=type(error).__name__, where=where(error))

    def unreadable(self, error: UnreadableError, korrelasjonsid: str) -> None:
        """Something that is published cannot be read, or leads to what is not the part's."""
        self._error(korrelasjonsid, error=error.kode, what=error.what)

    def _error(self, korrelasjonsid: str, **facts: str | list[str]) -> None:
        line = {"log": "error", "time": _now(), "korrelasjonsid": self._id(korrelasjonsid), **facts}
        self.access.write(json.dumps(line, separators=(",", ":")))

    def _id(self, korrelasjonsid: str) -> str:
        """The caller's id, hashed when someone's number can be read in it: it is echoed to the caller as it is."""
        return self._hash(korrelasjonsid) if names_someone(korrelasjonsid) else korrelasjonsid

    def audited(self) -> bool:
        """Whether what is shown now will be audited: the lines before it could be written, and there is room."""
        return self.audit.behind() < BEHIND_SECONDS and not self.audit.full()

    def flush(self) -> None:
        """Writes what is held."""
        self.audit.flush()
        self.access.flush()


def where(error: BaseException) -> list[str]:
    """The last places that an error came by, as file, line and function."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-5:]]


def _now() -> str:
    """The time in UTC, to the millisecond."""
    return _moment(time.time_ns() // 1_000_000)


@lru_cache(maxsize=1)
def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


_WORD = re.compile("[A-Za-z0-9._:-]{1,128}")


@lru_cache(maxsize=1024)
def _what(method: str, route: str, status: int, kode: str | None, consumer: str | None) -> str:
    """What became of the request: the same few texts for all answers."""
    return f'"method":"{method}","route":"{route}","status":{status},"kode":{_text(kode)},"consumer":{_text(consumer)}'


@lru_cache(maxsize=1024)
def _of_what(rettighetspakke: str, period: str | None, snapshot: str | None) -> str:
    """What it was about but for the part: the same for many parts."""
    return f'"rettighetspakke":"{rettighetspakke}","period":{_text(period)},"snapshot":{_text(snapshot)}'


@lru_cache(maxsize=1024)
def _text(value: str | None) -> str:
    return f'"{value}"' if value else "null"


def part_hash(key: bytes, part: str) -> str:
    """The keyed hash (BLAKE2b, RFC 7693) by which the audit log knows a part."""
    return blake2b(part.encode("utf-8", "surrogatepass"), key=key[:64], digest_size=16).hexdigest()
