"""Why a file cannot be read is said as plainly as it is known, and with nothing of what it holds."""

import base64
import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest
import zstandard

from schemas.tables import PART
from tests.accept.accepting import COMPANY
from transforms.accept.files import read_batches
from transforms.accept.unreadable import FileRefused

CSV = b"part,parttype,innehaver\n" + f"{COMPANY},VIRKSOMHET,\n".encode() * 50
GZIP, ZSTD = gzip.compress(CSV), zstandard.ZstdCompressor(write_checksum=True).compress(CSV)
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
    "not UTF-8": ("csv", CSV + "Å,,\n".encode("latin-1"), "the text is not UTF-8"),
    "UTF-16": ("csv", CSV.decode().encode("utf-16"), "the text is not UTF-8"),
    "ragged": ("csv", CSV + b"1,2\n", "a line has another number of fields than the header"),
    "no bytes": ("csv", b"", "the file is empty"),
    "a quote open": ("csv", CSV + b'"', "a quote is never closed"),
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


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst", "parquet"])
def test_what_the_system_says_of_a_file(tmp_path, ending):
    why = "the file cannot be read: No such file or directory"
    assert reasons(tmp_path / f"part.{ending}") == (("L1-UNREADABLE", why),)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst"])
def test_a_disk_that_gives_errors(tmp_path, ending):
    """As the memory of a process does, read as a file: nothing is at its start."""
    (tmp_path / f"part.{ending}").symlink_to("/proc/self/mem")
    assert reasons(tmp_path / f"part.{ending}") == (("L1-UNREADABLE", "the file cannot be read: Input/output error"),)
