"""Why a file cannot be read is said as plainly as it is known, and with nothing of what it holds."""

import base64
import csv
import errno
import gzip
import io
import os
import resource

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest
import zstandard

from schemas.tables import PART
from tests.accept.accepting import COMPANY
from transforms.accept.files import read_batches
from transforms.accept.unreadable import RAGGED, FileRefused
from transforms.accept.unreadable import STRAY_QUOTE as STRAY

CSV = b"part,parttype,innehaver\n" + f"{COMPANY},VIRKSOMHET,\n".encode() * 50
GZIP, ZSTD = gzip.compress(CSV), zstandard.ZstdCompressor(write_checksum=True).compress(CSV)
PACKED = {"csv": CSV, "csv.gz": GZIP, "csv.zst": ZSTD}
ROWS = pa.table({"part": [COMPANY] * 50, "parttype": ["VIRKSOMHET"] * 50, "innehaver": pa.nulls(50, pa.string())})


def parquet(**how):
    sink = io.BytesIO()
    pq.write_table(ROWS, sink, **how)
    return sink.getvalue()


def of_a_large_window():
    sizes = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=sizes).compressobj()
    return packer.compress(CSV) + packer.flush()


def of_another_codec(number):
    """A Parquet file whose footer names another codec: in Thrift the field after a list of one name, zigzag."""
    content, name = parquet(compression="snappy"), b"part"
    for name in ROWS.schema.names:
        before = b"\x19\x18" + bytes([len(name)]) + name.encode() + b"\x15"
        content = content.replace(before + b"\x02", before + bytes([2 * number]))
    assert content != parquet(compression="snappy")
    return content


class _Keys(encryption.KmsClient):
    def __init__(self, _):
        super().__init__()

    def wrap_key(self, key, _):
        return base64.b64encode(key)


def encrypted(**how):
    keys = encryption.EncryptionConfiguration(footer_key="footer", column_keys={"column": ["part"]}, **how)
    factory, sink = encryption.CryptoFactory(_Keys), io.BytesIO()
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), keys)
    with pq.ParquetWriter(sink, ROWS.schema, encryption_properties=properties) as writer:
        writer.write_table(ROWS)
    return sink.getvalue()


WHOLE = parquet()
WINDOW = "its zstd window is larger than 128 MiB: compress it without --long and --ultra"
NO_PARQUET = "it is not Parquet, or was cut short"
NO_GZIP = "it is not gzip, or something that is not gzip follows it"
NO_ZSTD = "it is not zstd, or something that is not zstd follows it"
CUT = "it ends in the middle of its compressed content: a copy cut short"
CODEC = "use zstd, snappy or gzip"
BROKEN = b"\xef\xbb\xbf" + CSV + b'1,"\r\n\n",3\r4,"",5,6'
FILES = {
    "a large window": ("csv.zst", of_a_large_window(), WINDOW),
    "zstd cut": ("csv.zst", ZSTD[:-1], CUT),
    "zstd and more": ("csv.zst", ZSTD + b"more", NO_ZSTD),
    "no zstd": ("csv.zst", CSV, NO_ZSTD),
    "zstd damaged": ("csv.zst", ZSTD[:-1] + bytes([ZSTD[-1] ^ 255]), "its zstd content is damaged"),
    "gzip cut": ("csv.gz", GZIP[:-1], CUT),
    "gzip and more": ("csv.gz", GZIP + b"more", NO_GZIP),
    "no gzip": ("csv.gz", CSV, NO_GZIP),
    "gzip damaged": ("csv.gz", GZIP[:-8] + bytes(4) + GZIP[-4:], "its gzip content is damaged"),
    "not UTF-8": ("csv", CSV + "Å,,\n".encode("latin-1"), "line 52: the text is not UTF-8"),
    "UTF-16": ("csv", CSV.decode().encode("utf-16"), "line 1: the text is not UTF-8"),
    "ragged": ("csv", CSV + b"1,2\n", "line 52: a line has another number of fields than the header"),
    "no bytes": ("csv", b"", "the file is empty"),
    "a quote open": ("csv", CSV + b'"', "line 52: a quote is never closed"),
    "a quote inside": ("csv.gz", gzip.compress(CSV + b'\n"1\n",2,3\r\n1,2"",3\n'), f"line 55: {STRAY}"),
    "ragged after line breaks": ("csv.zst", zstandard.compress(BROKEN), f"line 55: {RAGGED}"),
    "ragged over lines": ("csv", CSV + b'1,"\n\n",3,4\n', f"line 52: {RAGGED}"),
    "ragged in quotes": ("csv", CSV + b'"a,","b"\n', f"line 52: {RAGGED}"),
    "Parquet cut": ("parquet", WHOLE[:-9], NO_PARQUET),
    "Parquet cut at its start": ("parquet", b"PAR1" + WHOLE[-8:], NO_PARQUET),
    "no Parquet": ("parquet", CSV, NO_PARQUET),
    "Parquet of no bytes": ("parquet", b"", NO_PARQUET),
    "Parquet damaged": ("parquet", WHOLE[:4] + b"\xff" * 20 + WHOLE[24:], "its Parquet structure is damaged"),
    "LZO": ("parquet", of_another_codec(3), f"its codec, LZO, is not read here: {CODEC}"),
    "a codec to come": ("parquet", of_another_codec(30), f"its codec is not read here: {CODEC}"),
    "not its codec": ("parquet", of_another_codec(2), "its gzip content is damaged"),
    "encrypted": ("parquet", encrypted(), "it is encrypted"),
    "a column encrypted": ("parquet", encrypted(plaintext_footer=True), "it is encrypted"),
}  # fmt: skip


def reasons(path):
    with pytest.raises(FileRefused) as refused:
        list(read_batches(path, PART, removals=False))
    return refused.value.reasons


@pytest.mark.parametrize("fault", FILES)
def test_why_a_file_cannot_be_read(tmp_path, fault):
    ending, content, why = FILES[fault]
    (tmp_path / f"part.{ending}").write_bytes(content)
    assert reasons(tmp_path / f"part.{ending}") == (("L1-UNREADABLE", why),)


ENDINGS = ["csv", "csv.gz", "csv.zst", "parquet"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_the_system_says_of_a_file(tmp_path, ending):
    assert reasons(tmp_path / f"part.{ending}") == (("L1-UNREADABLE", "No such file or directory"),)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst"])
def test_a_disk_that_gives_errors(tmp_path, ending):
    """As the memory of a process does, read as a file: nothing is at its start."""
    (tmp_path / f"part.{ending}").symlink_to("/proc/self/mem")
    assert reasons(tmp_path / f"part.{ending}") == (("L1-UNREADABLE", "Input/output error"),)


@pytest.mark.parametrize("ending", ENDINGS)
def test_too_many_open_files_are_no_fault_of_the_file(tmp_path, ending):
    path = tmp_path / f"part.{ending}"
    path.write_bytes(WHOLE if ending == "parquet" else PACKED[ending])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
        with pytest.raises(OSError) as raised:
            list(read_batches(path, PART, removals=False))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.errno == errno.EMFILE
    assert sum(frame.height for frame in read_batches(path, PART, removals=False)) == 50


def raising(error):
    """A reader that does nothing else."""

    def read(*_):
        raise error

    return read


OURS = [
    *(OSError(number, "x") for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC)),
    OSError("ZSTD decompress failed: Allocation error : not enough memory"),
    *(pa.ArrowMemoryError("malloc failed"), MemoryError(), ValueError("a bug"), KeyError("a bug")),
]


@pytest.mark.parametrize("error", OURS, ids=repr)
def test_what_no_file_is_to_blame_for_is_not_taken_for_its_fault(tmp_path, monkeypatch, error):
    """It would refuse every delivery, and the night would go on without them."""
    monkeypatch.setattr("transforms.accept.files.csv_pieces", raising(error))
    with pytest.raises(type(error)) as raised:
        list(read_batches(tmp_path / "part.csv", PART, removals=False))
    assert raised.value is error


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM])
def test_what_the_system_says_of_one_file_refuses_it(tmp_path, monkeypatch, number):
    monkeypatch.setattr("transforms.accept.files.csv_pieces", raising(OSError(number, "x")))
    assert reasons(tmp_path / "part.csv") == (("L1-UNREADABLE", os.strerror(number)),)


@pytest.mark.parametrize("kind", [pa.ArrowInvalid, pa.ArrowIndexError, pa.ArrowNotImplementedError, csv.Error, OSError])
def test_what_a_damaged_file_makes_the_reader_raise_refuses_it(tmp_path, monkeypatch, kind):
    """Found with random changes in files of every kind; what it shows of the data is not told."""
    monkeypatch.setattr("transforms.accept.files.parquet_pieces", raising(kind(COMPANY)))
    assert reasons(tmp_path / "part.parquet") == (("L1-UNREADABLE", "the content cannot be read"),)


def test_a_row_group_without_the_rows_that_it_says(tmp_path, monkeypatch):
    """In Thrift: the row group's size, then how many rows it has; twice the number, as integers are there."""
    monkeypatch.setattr("transforms.accept.parquet_pieces.SMALL_BYTES", 0)
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, ROWS.schema) as writer:
        writer.write_table(ROWS.slice(50))
    size = pq.read_metadata(sink).row_group(0).total_byte_size
    before = b"\x16" + bytes([2 * size]) + b"\x16"
    assert sink.getvalue().count(before + b"\0") == 1
    (tmp_path / "part.parquet").write_bytes(sink.getvalue().replace(before + b"\0", before + b"\x08"))
    assert reasons(tmp_path / "part.parquet") == (("L1-UNREADABLE", "its Parquet structure is damaged"),)
