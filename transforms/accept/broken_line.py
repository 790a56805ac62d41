"""The line where a CSV file breaks. The reader reads several blocks at a time and tells of no place: it is looked for
once the file is known to be broken, so that other files cost nothing.
"""

import io
import re
from pathlib import Path

import pyarrow as pa

from transforms.accept.unreadable import LONG_ROW, LONGEST_ROW, NOT_UTF8, OPEN_QUOTE, RAGGED, STRAY_QUOTE

MOST_LOOKED = 2 << 30
"""So many bytes are looked through, in about a minute; so what unpacks to far more than it is keeps no night."""

LEAST_OF_A_LINE = 100
"""A line counts as so many at least, by what it costs."""

_QUOTED = re.compile(r'"[^"]*"')
_ROW = re.compile(r'(?:"[^"]*+(?:""[^"]*+)*+"|[^",]*+)(?:,(?:"[^"]*+(?:""[^"]*+)*+"|[^",]*+))*+')
"""Possessive: nothing is tried twice, and a long row takes no memory."""


def broken_line(path: Path, compression: str | None) -> tuple[int, str] | None:
    """The first line, from 1, that is not UTF-8, or where a row begins that has another number of fields than the
    header, a quote where RFC 4180 has none, or one that is never closed; and which of these it is. None when it is not
    found.
    """
    try:
        with pa.input_stream(path, compression=compression) as source:
            # A character a byte, so that what is no UTF-8 has a line too; any of the three line ends.
            return _first_broken(io.TextIOWrapper(source, "latin-1", newline=None))
    except (pa.ArrowException, OSError):  # gone, or damaged further on, since the reader has met it
        return None


def _first_broken(text: io.TextIOWrapper) -> tuple[int, str] | None:
    fields, row, begun, size, looked = 0, [], 1, 0, 0
    is_open = False  # whether a quote is
    for number, line in enumerate(iter(lambda: text.readline(LONGEST_ROW), ""), start=1):
        looked += max(len(line), LEAST_OF_A_LINE)
        if looked > MOST_LOOKED:
            return None
        if not line.isascii() and not _is_utf8(line):
            return number, NOT_UTF8
        begun, size = (begun, size + len(line)) if is_open else (number, len(line))
        if size >= LONGEST_ROW:
            return begun, LONG_ROW
        is_open ^= bool(line.count('"') & 1)
        row.append(line)
        if not is_open:
            whole, row = "".join(row).removeprefix(_BOM).rstrip("\n"), []
            found = _fields(whole)
            fields = fields or found
            if whole and (not found or found != fields):
                return begun, RAGGED if found else STRAY_QUOTE
    return (begun, OPEN_QUOTE) if is_open else None


def _fields(row: str) -> int:
    """How many fields the row has; none when a quote stands where there may be none."""
    if '"' not in row:
        return row.count(",") + bool(row)
    return _QUOTED.sub("", row).count(",") + 1 if _ROW.fullmatch(row) else 0


_BOM = b"\xef\xbb\xbf".decode("latin-1")


def _is_utf8(line: str) -> bool:
    try:
        line.encode("latin-1").decode()
    except UnicodeDecodeError:
        return False
    return True
