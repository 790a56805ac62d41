"""Parquet as others write it: every way of storing the same rows is read as those rows."""

import subprocess
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.tables import PLASSERING
from tests.plain.write import OERE, cell_text
from transforms.accept import parquet_pieces
from transforms.accept.files import read_batches
from transforms.accept.values import check_values

SMALL_BYTES = parquet_pieces.SMALL_BYTES


@pytest.fixture(autouse=True)
def small_files_are_looked_into(monkeypatch):
    monkeypatch.setattr("transforms.accept.parquet_pieces.SMALL_BYTES", 0)


TYPES = {
    "plasseringsidentifikator": pa.string(),
    "plasseringstype": pa.string(),
    "kravforfallsidentifikator": pa.string(),
    "motpost": pa.string(),
    "plassert_beloep": pa.decimal128(9, 2),
    "plasseringsdato": pa.date32(),
    "slettet": pa.bool_(),
}
TEXTS = [name for name, dtype in TYPES.items() if dtype == pa.string()]
LONG = "Øk 𝔘 \r\n" * 40


def row(number, text):
    return {
        "plasseringsidentifikator": f"P{number:03d}",
        "plasseringstype": "MOTKRAV",
        "kravforfallsidentifikator": text,
        "motpost": text,
        "plassert_beloep": Decimal(number * 31 - 90).scaleb(-2) * 1000,
        "plasseringsdato": date(1969, 12, 30 + number % 2),
        "slettet": number % 3 == 0,
    }


VALUES = [row(number, f"{LONG[number:]} the end") for number in range(6)]
NULLS = [{name: value if (n + at) % 2 else None for at, (name, value) in enumerate(r.items())} for n, r in enumerate(VALUES)]  # fmt: skip # noqa: E501
NOTHING = [dict.fromkeys(TYPES) for _ in range(3)]

CONTENTS = {
    "values": (VALUES, [6]),
    "some nulls": (NULLS, [6]),
    "all null": (NOTHING, [3]),
    "empty texts": ([row(1, ""), row(2, "x")], [2]),
    "no rows": ([], [0]),
    "no row groups": ([], []),
    "a row group per row": (NULLS, [1] * 6),
    "an empty row group first": (VALUES, [0, 6]),
    "empty row groups between": (VALUES, [2, 0, 0, 4]),
    "an empty row group last": (VALUES, [6, 0]),
}
"""Rows, and how many of them each row group has."""


def as_table(rows, types):
    return pa.table({name: as_array([one[name] for one in rows], dtype) for name, dtype in types.items()})


def as_array(values, dtype):
    if pa.types.is_dictionary(dtype):
        return pa.array(values, dtype.value_type).dictionary_encode().cast(dtype)
    return pa.array(values, dtype)


def write(path, table, groups, **how):
    """With pyarrow, row group by row group."""
    with pq.ParquetWriter(path, table.schema, **how) as writer:
        for place, size in enumerate(groups):
            writer.write_table(table.slice(sum(groups[:place]), size))


def read(path):
    """Every cell as CSV would have it, null where it is null."""
    frames = read_batches(path, PLASSERING, removals=True)
    return [cells for frame in frames for cells in frame.select(pl.all().cast(pl.String)).to_dicts()]


def expected(rows):
    return [{name: cell_text(value) or None for name, value in one.items()} for one in rows]


def stored(text, day, amount, flag):
    """Without a dictionary, each kind in the encoding named."""
    names = dict.fromkeys(TEXTS, text) | {"plasseringsdato": day, "plassert_beloep": amount, "slettet": flag}  # fmt: skip # noqa: E501
    return {"use_dictionary": False, "column_encoding": names}


def typed(**types):
    return TYPES | types


def all_texts(dtype):
    return TYPES | dict.fromkeys(TEXTS, dtype)


def packed(dtype):
    return pa.dictionary(pa.int8(), dtype)


TEXT_ENCODINGS = ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"]
INTEGER_ENCODINGS = ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
TEXT_TYPES = [pa.large_string(), pa.string_view(), packed(pa.string()), packed(pa.large_string())]
AMOUNT_TYPES = [
    *(pa.decimal32(9, 2), pa.decimal64(18, 2)),
    *(pa.decimal128(digits, 2) for digits in (5, 18, 19, 38)),
    *(pa.decimal256(digits, 2) for digits in (7, 38, 39, 76)),
]
WAYS = {
    "as pyarrow does": (TYPES, {}),
    **{f"{codec}": (TYPES, {"compression": codec}) for codec in ("none", "gzip", "brotli", "zstd", "lz4")},
    **{
        f"{text} page {page}": (TYPES, {**stored(text, number, "BYTE_STREAM_SPLIT", flag), "data_page_version": page})
        for page, (text, number, flag) in product(
            ("1.0", "2.0"), zip(TEXT_ENCODINGS, INTEGER_ENCODINGS, ["PLAIN", "RLE", "RLE"], strict=True)
        )
    },
    **{
        f"amounts as integers, {number}": (
            TYPES, {**stored("PLAIN", number, number, "RLE"), "store_decimal_as_integer": True}
        )
        for number in INTEGER_ENCODINGS
    },
    "amounts as delta bytes": (TYPES, stored("DELTA_BYTE_ARRAY", "PLAIN", "DELTA_BYTE_ARRAY", "PLAIN")),
    **{f"format {version}": (TYPES, {"version": version}) for version in ("1.0", "2.4", "2.6")},
    **{
        f"a page per value, {page} {encoding}": (
            TYPES, {"data_page_size": 1, "write_batch_size": 1, "data_page_version": page, **encoding}
        )
        for page, encoding in product(("1.0", "2.0"), ({}, {"use_dictionary": False}))
    },
    "a dictionary given up": (TYPES, {"dictionary_pagesize_limit": 1, "write_batch_size": 1}),
    "index and checksums": (TYPES, {"write_page_index": True, "write_page_checksum": True, "store_schema": False}),
    "no statistics": (TYPES, {"write_statistics": False}),
    **{
        f"{dtype}, {'with' if kept else 'without'} the Arrow schema, {'' if repeats else 'no '}dictionary": (
            all_texts(dtype), {"store_schema": kept, "use_dictionary": repeats}
        )
        for dtype, kept, repeats in product(TEXT_TYPES, (True, False), (True, False))
    },
    **{
        f"{dtype}{' as integers' if integers else ''}": (
            typed(plassert_beloep=dtype), {"store_decimal_as_integer": integers}
        )
        for dtype, integers in product(AMOUNT_TYPES, (True, False))
    },
    **{
        f"dates of 64 bits, {'with' if kept else 'without'} the Arrow schema": (
            typed(plasseringsdato=pa.date64()), {"store_schema": kept}
        )
        for kept in (True, False)
    },
    "dates and amounts in dictionaries": (
        typed(plasseringsdato=packed(pa.date32()), plassert_beloep=packed(pa.decimal128(9, 2))), {}
    ),
    "all as texts": (dict.fromkeys(TYPES, pa.string()), {}),
}  # fmt: skip
"""How pyarrow may store the same: the types of the columns, and what it is told."""


def as_written(rows, types):
    """The rows with texts where the column is one."""

    def value(name, given):
        return cell_text(given) if given is not None and types[name] == pa.string() else given

    return [{name: value(name, given) for name, given in one.items()} for one in rows]


@pytest.mark.parametrize("way", WAYS)
def test_what_pyarrow_writes(tmp_path, way):
    types, how = WAYS[way]
    for content, (rows, groups) in CONTENTS.items():
        write(tmp_path / "f.parquet", as_table(as_written(rows, types), types), groups, **how)
        assert read(tmp_path / "f.parquet") == expected(rows), content


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("kept", [True, False])
def test_a_column_of_no_type_where_nothing_is(tmp_path, name, kept):
    types = typed(**{name: pa.null()})
    for rows, groups in ((VALUES, [2, 0, 4]), ([], [0]), ([], [])):
        rows = [one | {name: None} for one in rows]
        write(tmp_path / "f.parquet", as_table(rows, types), groups, store_schema=kept)
        assert read(tmp_path / "f.parquet") == expected(rows)


@pytest.mark.parametrize("way", ["as pyarrow does", "DELTA_BYTE_ARRAY page 2.0", "DELTA_LENGTH_BYTE_ARRAY page 2.0"])
def test_a_row_at_a_time(tmp_path, way, monkeypatch):
    """As where each text may be as large as all memory."""
    monkeypatch.setattr("transforms.accept.batches.BATCH_BYTES", 1)
    test_what_pyarrow_writes(tmp_path, way)


@pytest.mark.parametrize("way", ["as pyarrow does", "all as texts", "a dictionary given up", *list(WAYS)[6:12]])
def test_small_files_are_not_looked_into(tmp_path, way, monkeypatch):
    """As they come on an ordinary night, with what the other tests leave out."""
    monkeypatch.setattr(parquet_pieces, "SMALL_BYTES", SMALL_BYTES)
    monkeypatch.setattr(parquet_pieces, "_first_row", None)
    test_what_pyarrow_writes(tmp_path, way)


TOO_LARGE = Decimal(10**16)


@pytest.mark.parametrize("dtype", [dtype for dtype in AMOUNT_TYPES if dtype.precision > 18], ids=str)
def test_an_amount_of_too_many_digits_is_a_wrong_amount(tmp_path, dtype):
    """17 digits before the point: the row is refused, and counts 0 in the sum."""
    amounts = [TOO_LARGE - OERE, OERE, TOO_LARGE, Decimal("9" * (dtype.precision - 2) + ".99")]
    rows = [row(number, "x") | {"plassert_beloep": amount} for number, amount in enumerate(amounts)]
    write(tmp_path / "f.parquet", as_table(rows, typed(plassert_beloep=dtype)), [4])
    [raw] = read_batches(tmp_path / "f.parquet", PLASSERING, removals=True)
    checked = check_values(raw.with_columns(slettet=None), PLASSERING, 1)
    assert checked.typed["plassert_beloep"].to_list() == [10**18 - 1, 1]
    assert checked.oere == 10**18
    assert checked.refused.select("rad", "koder").rows() == [(3, ["L2-VALUE-AMOUNT"]), (4, ["L2-VALUE-AMOUNT"])]


@pytest.mark.parametrize("written", ["v1", "v2"])
@pytest.mark.parametrize(
    "how", ["COMPRESSION zstd", "COMPRESSION uncompressed, ROW_GROUP_SIZE 2048", "DICTIONARY_SIZE_LIMIT 1"]
)
@pytest.mark.parametrize("texts", ["VARCHAR", "ENUM('MOTKRAV', 'INNBETALING')"])
def test_what_duckdb_writes(tmp_path, written, how, texts):
    path = tmp_path / "f.parquet"
    with duckdb.connect() as duck:
        for content, (rows, _) in CONTENTS.items():
            many = rows * (400 if content == "values" else 1)  # more than a row group has
            duck.register("given", as_table(many, TYPES))
            given = f"SELECT * REPLACE (plasseringstype::{texts} AS plasseringstype) FROM given"
            duck.execute(f"CREATE OR REPLACE TABLE delivered AS {given}")
            duck.execute(f"COPY delivered TO '{path}' (FORMAT parquet, PARQUET_VERSION {written}, {how})")
            assert read(path) == expected(many), content


POLARS = {
    "as it does": (pl.String, {}),
    "uncompressed": (pl.String, {"compression": "uncompressed"}),
    "a row group per row": (pl.String, {"row_group_size": 1}),
    "small pages": (pl.String, {"data_page_size": 1}),
    "categories": (pl.Categorical, {}),
    "of a few words": (pl.Enum(["MOTKRAV", "INNBETALING"]), {}),
}


@pytest.mark.parametrize("way", POLARS)
@pytest.mark.parametrize("sink", [True, False])
def test_what_polars_writes(tmp_path, way, sink):
    dtype, how = POLARS[way]
    path = tmp_path / "f.parquet"
    for content, (rows, _) in CONTENTS.items():
        frame = pl.DataFrame(pl.from_arrow(as_table(rows, TYPES))).with_columns(pl.col("plasseringstype").cast(dtype))
        if sink:
            frame.lazy().sink_parquet(path, **how)
        else:
            frame.write_parquet(path, **how)
        assert read(path) == expected(rows), content


SPARK = Path(__file__).parents[2] / ".venv-bench" / "bin" / "python"
SPARK_WRITES = """
import sys
from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow
given, out = sys.argv[1:]
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
for version in ("v1", "v2"):
    for repeats in ("true", "false"):
        frame = spark.read.parquet(given).coalesce(1)
        writer = frame.write.option("parquet.writer.version", version).option("parquet.enable.dictionary", repeats)
        writer.option("parquet.dictionary.page.size", "64").parquet(f"{out}/{version}-{repeats}")
"""


@pytest.mark.skipif(not SPARK.exists(), reason="Spark is not here: make .venv-bench/installed")
def test_what_spark_writes(tmp_path):
    """With its dictionaries given up on the way, and none."""
    rows = NULLS + VALUES * 300
    pq.write_table(as_table(rows, TYPES), tmp_path / "given.parquet")
    subprocess.run([SPARK, "-c", SPARK_WRITES, tmp_path / "given.parquet", tmp_path], check=True, capture_output=True)
    written = sorted(tmp_path.glob("v*/part-*.parquet"))
    assert len(written) == 4
    for path in written:
        assert read(path) == expected(rows), path.parent.name
