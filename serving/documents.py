"""A document as an answer: its headers, its coding, and whether the caller has it already."""

import gzip
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import zstandard

from serving.errors import PRECONDITION_FAILED, beyond_the_codes
from serving.etag import etag, matches, matches_strongly
from serving.request import Asked
from serving.store import Document, Snapshot, nothing_in_period

JSON = "application/json"


@dataclass(slots=True)
class Wanted:
    """What is asked for, in which coding, and on which conditions (RFC 9110, 13)."""

    asked: Asked
    coding: str
    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(slots=True)
class Response:
    """One answer. To HEAD the body is empty; ``content-length`` says what it would have been."""

    status: int
    head: str
    """Its headers as HTTP writes them, a line each: so those that many answers share are put together once."""
    body: bytes
    digest: str = ""
    """Of a document, or of 304 without one: what its tag tells of it."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names and values."""
        pairs = (line.partition(": ") for line in self.head.split("\r\n")[:-1])
        return [(name, value) for name, _, value in pairs]


def header_lines(*headers: tuple[str, str]) -> str:
    """Headers as ``Response.head`` has them."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def document(snapshot: Snapshot, row: int, wanted: Wanted, stored: Document | None = None) -> Response:
    """A document, or 304 when the caller has it; made of ``stored`` when that is at hand. Raises KB-002, KB-007 or 412.

    An overview's tag is made of its stored frame, whatever it is sent as; a window's of its text, so that it stays when
    only what is outside the window changes.
    """
    asked, coding = wanted.asked, wanted.coding
    stored = stored or _stored(snapshot, row, wanted)
    if not stored.content:
        raise nothing_in_period()
    head, current = _head(snapshot, row, wanted, stored.digest)
    if current:
        return Response(304, head, b"", stored.digest)
    if coding == "identity":
        return Response(200, head + _JSON, stored.content, stored.digest)
    body = stored.content if coding == "zstd" and asked.period is None else coded(stored.content, coding)
    return Response(200, f"{head}{_JSON}content-encoding: {coding}\r\n", body, stored.digest)


def at_hand(snapshot: Snapshot, wanted: Wanted) -> Document | None:
    """What the document is made of, when it was read a short while ago."""
    asked = wanted.asked
    if asked.period:
        return snapshot.at_hand(asked.route.kind, asked.part, asked.period.text)
    return snapshot.at_hand("packed" if wanted.coding == "zstd" else "oversikt", asked.part)


def _stored(snapshot: Snapshot, row: int, wanted: Wanted) -> Document:
    asked = wanted.asked
    if asked.period:
        return snapshot.window(asked.route.kind, row, asked.part, asked.period)
    return (snapshot.packed_oversikt if wanted.coding == "zstd" else snapshot.oversikt)(row, asked.part)


def key_of(asked: Asked) -> Hashable:
    """What a document is remembered by."""
    return asked.route.kind, asked.part, asked.period


def known(snapshot: Snapshot, row: int, wanted: Wanted) -> Response | None:
    """304 or 412 over a document that is not read again, for what its tag tells is remembered; None otherwise."""
    if not (wanted.if_match or wanted.if_none_match):
        return None
    digest = snapshot.remembered(key_of(wanted.asked))
    if digest is None:
        return None
    head, current = _head(snapshot, row, wanted, digest)
    return Response(304, head, b"", digest) if current else None


def _head(snapshot: Snapshot, row: int, wanted: Wanted, digest: str) -> tuple[str, bool]:
    """Those of 200 and 304 alike, and whether the caller has the document. Raises 412 over ``If-Match``."""
    tag = etag(digest, wanted.coding)
    if wanted.if_match and not matches_strongly(wanted.if_match, tag):
        raise beyond_the_codes(PRECONDITION_FAILED, "the document is another than the one in If-Match")
    head = f"etag: {tag}\r\n{_of_day(snapshot.date_of(row), snapshot.extracted_at)}"
    return head, bool(wanted.if_none_match and matches(wanted.if_none_match, tag))


_JSON = header_lines(("content-type", JSON))


@lru_cache(maxsize=64)
def _of_day(day: date, extracted_at: str | None) -> str:
    """The headers that are the same for all documents of a day in a snapshot, which has few of them."""
    return header_lines(
        ("snapshot-date", str(day)),
        ("cache-control", "private, no-cache"),
        ("vary", "accept-encoding"),
        ("x-content-type-options", "nosniff"),
        *([("extracted-at", extracted_at)] if extracted_at else ()),
    )


def coded(content: bytes, coding: str) -> bytes:
    """Fast rather than small: it is done for every answer."""
    if coding == "identity":
        return content
    if coding == "gzip":
        return gzip.compress(content, 1, mtime=0)
    return _threads.zstd.compress(content)


class _OfThread(threading.local):
    """A compressor is not shared between threads."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdCompressor(level=1)


_threads = _OfThread()
