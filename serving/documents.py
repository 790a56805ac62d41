"""A document as an answer: its headers, its coding, and whether the caller has it already."""

import gzip
import threading
from collections.abc import Hashable
from functools import lru_cache
from typing import NamedTuple

import zstandard

from serving.errors import PRECONDITION_FAILED, beyond_the_codes
from serving.etag import etag, matches, matches_strongly
from serving.request import Asked
from serving.store import Snapshot

JSON = "application/json"

Header = tuple[str, str]


class Wanted(NamedTuple):
    """What is asked for, in which coding, and on which conditions (RFC 9110, 13)."""

    asked: Asked
    coding: str
    if_match: str | None = None
    if_none_match: str | None = None


class Answer(NamedTuple):
    """A document, or 304 without one; ``digest`` is what its tag tells of it."""

    status: int
    headers: list[Header]
    body: bytes
    digest: str


def document(snapshot: Snapshot, row: int, wanted: Wanted) -> Answer:
    """A document, or 304 when the caller has it. Raises KB-002, KB-007 or 412.

    An overview's tag is made of its stored frame, whatever it is sent as; a window's of its text, so that it stays when
    only what is outside the window changes.
    """
    asked, coding = wanted.asked, wanted.coding
    if asked.period:
        stored = snapshot.window(asked.route.kind, row, asked.part, asked.period)
    else:
        stored = (snapshot.packed_oversikt if coding == "zstd" else snapshot.oversikt)(row, asked.part)
    headers, current = _headers(snapshot, row, wanted, stored.digest)
    if current:
        return Answer(304, headers, b"", stored.digest)
    headers.append(("content-type", JSON))
    if coding != "identity":
        headers.append(("content-encoding", coding))
    packed = coding == "zstd" and asked.period is None
    return Answer(200, headers, stored.content if packed else coded(stored.content, coding), stored.digest)


def key_of(asked: Asked) -> Hashable:
    """What a document is remembered by."""
    return asked.route.kind, asked.part, asked.period


def known(snapshot: Snapshot, row: int, wanted: Wanted) -> Answer | None:
    """304 or 412 over a document that is not read again, for what its tag tells is remembered; None otherwise."""
    if not (wanted.if_match or wanted.if_none_match):
        return None
    digest = snapshot.remembered(key_of(wanted.asked))
    if digest is None:
        return None
    headers, current = _headers(snapshot, row, wanted, digest)
    return Answer(304, headers, b"", digest) if current else None


def _headers(snapshot: Snapshot, row: int, wanted: Wanted, digest: str) -> tuple[list[Header], bool]:
    """Those of 200 and 304 alike, and whether the caller has the document. Raises 412 over ``If-Match``."""
    tag = etag(digest, wanted.coding)
    if wanted.if_match and not matches_strongly(wanted.if_match, tag):
        raise beyond_the_codes(PRECONDITION_FAILED, "the document is another than the one in If-Match")
    headers = [
        ("etag", tag),
        ("snapshot-date", _text(snapshot.date_of(row))),
        ("cache-control", "private, no-cache"),
        ("vary", "accept-encoding"),
        ("x-content-type-options", "nosniff"),
    ]
    if snapshot.extracted_at:
        headers.append(("extracted-at", snapshot.extracted_at))
    return headers, bool(wanted.if_none_match and matches(wanted.if_none_match, tag))


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


_text = lru_cache(maxsize=64)(str)
