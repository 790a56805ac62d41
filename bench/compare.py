"""The documents that each way has made, as hashes by kind and part, so that they can be compared byte for byte."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

from bench import ours
from bench.inbox import KINDS

Hashes = dict[tuple[str, str], bytes]
"""Per kind and part the SHA-256 of the document."""

_PART = slice(len(b'{"forespurtPart":"'), None)
_ESCAPE = re.compile(rb"\\(?:u00[0-9A-F]{2}|.)")


def of_home(home: Path) -> tuple[Hashes, int]:
    """What ``kravoversikt export`` prints of a home, and how many bytes that is."""
    hashes, size = {}, 0
    for kind in KINDS:
        command = [str(ours.COMMAND), "export", kind, "--home", str(home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            for line in process.stdout or ():
                document = line.removesuffix(b"\n")
                hashes[kind, _part(document)] = _hash(document)
                size += len(document)
        if process.returncode:
            raise RuntimeError(f"export {kind} failed")
    return hashes, size


def of_output(out: Path) -> Hashes:
    """What another way has left in ``out``: per kind Parquet files, or lines or frames, zstd."""
    return {(kind, _part(document)): _hash(document) for kind in KINDS for document in _documents(out, kind)}


def _documents(out: Path, kind: str) -> Iterator[bytes]:
    lines = out / f"{kind}.ndjson.zst"
    if lines.exists():
        with lines.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            rest = b""
            while chunk := reader.read(1 << 20):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
            if rest:
                yield rest
        return
    parquet, frames = out / f"{kind}.parquet", out / f"{kind}.zst"
    if frames.exists():
        with frames.open("rb") as file:
            for length in pq.read_table(parquet, columns=["length"])["length"].to_pylist():
                yield zstandard.ZstdDecompressor().decompress(file.read(length))
        return
    for path in sorted(parquet.glob("*.parquet")) if parquet.is_dir() else [parquet]:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=1024, columns=["document"]):
            yield from (document.as_py().encode() for document in batch.column("document"))


def _part(document: bytes) -> str:
    return document[_PART].partition(b'"')[0].decode()


def _hash(document: bytes) -> bytes:
    """The one freedom left: a control character is ``\\u001b`` or ``\\u001B``, as each library has it."""
    if b"\\u00" in document:
        document = _ESCAPE.sub(lambda found: found[0].lower() if found[0][1:2] == b"u" else found[0], document)
    return hashlib.sha256(document).digest()


def difference(ours: Hashes, theirs: Hashes) -> str | None:
    """What differs, counted, without naming a part; None when nothing does."""
    other = sum(ours[key] != theirs[key] for key in ours.keys() & theirs.keys())
    missing, extra = len(ours.keys() - theirs.keys()), len(theirs.keys() - ours.keys())
    if not other and not missing and not extra:
        return None
    return f"{other} documents differ, {missing} are missing, {extra} are too many, of {len(ours)}"
