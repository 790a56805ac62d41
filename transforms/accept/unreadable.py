"""Why a delivered file cannot be used, in words that show nothing of what it holds (CONTRACT section 2, level 1)."""

import csv
import errno
import os

import pyarrow as pa


class FileRefused(Exception):  # noqa: N818 - a verdict, not a failure
    """The file cannot be used; ``reasons`` are (code, explanation) pairs."""

    def __init__(self, *reasons: tuple[str, str]) -> None:
        super().__init__("; ".join(explanation for _, explanation in reasons))
        self.reasons = reasons


def unreadable(text: str) -> FileRefused:
    """The refusal of a file whose content cannot be read."""
    return FileRefused(("L1-UNREADABLE", text))


RAGGED = "a line has another number of fields than the header"
NO_CSV = "the lines cannot be read as CSV"
NOT_UTF8 = "the text is not UTF-8"
STRAY_QUOTE = "a quote stands inside a field: quote the whole field and double the quotes in it"
OPEN_QUOTE = "a quote is never closed"
LONGEST_ROW = 16 << 20
"""Bytes. A longer row is broken by that, or by a quote that is never closed."""
LONG_ROW = f"a row is larger than {LONGEST_ROW >> 20} MiB, or {OPEN_QUOTE}"
_SIGNS = {
    "CSV parse error: Expected ": RAGGED,
    "CSV parse error": NO_CSV,
    "UTF8": NOT_UTF8,
    "UTF-8": NOT_UTF8,
    "utf-8": NOT_UTF8,
    "Frame requires too much memory": "its zstd window is larger than 128 MiB: compress it without --long and --ultra",
    "Truncated compressed stream": "it ends in the middle of its compressed content: a copy cut short",
    "zlib inflate failed: incorrect header check": "it is not gzip, or something that is not gzip follows it",
    "zlib inflate failed": "its gzip content is damaged",
    "Unknown frame descriptor": "it is not zstd, or something that is not zstd follows it",
    "ZSTD decompress failed": "its zstd content is damaged",
    "encrypted metadata": "it is encrypted",
    "Cannot decrypt": "it is encrypted",
    "Parquet magic bytes not found": "it is not Parquet, or was cut short",
    "Parquet file size is": "it is not Parquet, or was cut short",
    "deserialize thrift": "its Parquet structure is damaged",
    "LZO compression": "its codec, LZO, is not read here: use zstd, snappy or gzip",
    "Unsupported compression codec": "its codec is not read here: use zstd, snappy or gzip",
    "GZipCodec failed": "its gzip content is damaged",
    "Corrupt": "its compressed content is damaged",
}
"""What the libraries say, and what is said instead: they show the offending line. The first that fits counts."""


DAMAGED = (
    *(pa.ArrowInvalid, pa.ArrowIndexError, pa.ArrowNotImplementedError, pa.ArrowCapacityError),
    *(UnicodeDecodeError, csv.Error, OSError),
)
"""What is raised over what a file holds. Anything else is ours: a fault of the program, or of the machine."""

_ITS_OWN = {None, errno.EIO, errno.ENOENT, errno.ESTALE, errno.EACCES, errno.EPERM}
"""What the system may say of one file: pyarrow's own errors have no number, then the disk, gone, not to be read.

Too many open files or no memory say nothing of the file.
"""


def is_its_own(error: Exception) -> bool:
    """Whether an error of the kinds ``DAMAGED`` is one of the file, and not of the machine that reads it."""
    if isinstance(error, OSError):
        return error.errno in _ITS_OWN and "not enough memory" not in str(error)  # as zstd says it
    return True


def plain(error: Exception) -> str:
    """What is wrong, without the data or the path that the library's own words may show."""
    if isinstance(error, FileRefused):
        return str(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    text = str(error)
    return next((words for sign, words in _SIGNS.items() if sign in text), "the content cannot be read")
