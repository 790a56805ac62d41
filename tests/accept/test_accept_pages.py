"""How large the pages of a Parquet file are, whoever wrote it."""

import random
from itertools import product

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.accept import parquet_pages
from transforms.accept.parquet_pages import largest_page

RANDOM = random.Random(1)
LONGEST = 3_000
TEXTS = [f"{RANDOM.getrandbits(400):0100x}" for _ in range(40_000)] + ["å" * (LONGEST // 2)]
ROWS = pa.table({"number": range(len(TEXTS)), "text": TEXTS})
PYARROW = {
    f"{encoding}, page {page}, {codec}, {'with' if more else 'without'} statistics and checksums": {
        "use_dictionary": encoding == "RLE_DICTIONARY",
        "column_encoding": None if encoding == "RLE_DICTIONARY" else {"text": encoding, "number": "PLAIN"},
        **{"data_page_version": page, "compression": codec, "write_statistics": more, "write_page_checksum": more},
        **{"data_page_size": 1 << 16, "dictionary_pagesize_limit": 1 << 16},
    }
    for encoding, page, codec, more in product(
        ("PLAIN", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY"), ("1.0", "2.0"), ("none", "zstd"), (True, False)
    )
}


def largest(path):
    """The largest page of the texts, and all of them together."""
    chunk = pq.read_metadata(path).row_group(0).column(1)
    return largest_page(path, chunk), chunk.total_uncompressed_size


@pytest.mark.parametrize("how", PYARROW)
def test_pages_of_pyarrow(tmp_path, how):
    pq.write_table(ROWS, tmp_path / "f.parquet", **PYARROW[how])
    page, _ = largest(tmp_path / "f.parquet")
    assert LONGEST < page < 3 << 16


def test_pages_of_others(tmp_path):
    path = tmp_path / "f.parquet"
    pl.DataFrame(pl.from_arrow(ROWS)).write_parquet(path, data_page_size=1 << 16)
    page, whole = largest(path)
    assert LONGEST < page < whole // 2
    with duckdb.connect() as duck:
        duck.register("given", pa.concat_tables([ROWS] * 3))
        for version in ("v1", "v2"):
            duck.execute(f"COPY given TO '{path}' (FORMAT parquet, PARQUET_VERSION {version})")
            page, whole = largest(path)
            assert LONGEST < page <= whole


def test_a_page_per_text(tmp_path):
    """A page of format 1.0 has the text, its length in 4 bytes, and 6 of which values are null."""
    table = pa.table({"number": range(3), "text": ["x", "x" * 500, "xx"]})
    pq.write_table(table, tmp_path / "f.parquet", use_dictionary=False, data_page_size=1, write_batch_size=1)
    assert largest(tmp_path / "f.parquet")[0] == 500 + 4 + 6


def test_where_pages_cannot_be_told_it_is_all_that_there_is(tmp_path, monkeypatch):
    path = tmp_path / "f.parquet"
    pq.write_table(ROWS, path, use_dictionary=False)
    chunk, content = pq.read_metadata(path).row_group(0).column(1), path.read_bytes()
    assert largest_page(path, chunk) < chunk.total_uncompressed_size
    for spoilt in (b"\0", b"\x19", b"\xff" * 40, b"\x1c" * 10_000):
        at = chunk.data_page_offset
        path.write_bytes(content[:at] + spoilt + content[at + len(spoilt) :])
        assert largest_page(path, chunk) == chunk.total_uncompressed_size
    path.write_bytes(content)
    monkeypatch.setattr(parquet_pages, "MAX_PAGES", 2)
    assert largest_page(path, chunk) == chunk.total_uncompressed_size
