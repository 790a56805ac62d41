"""The same rows, however they are written down."""

import gzip
import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.accept.accepting import COMPANY, LEDGER, edit, put, swap
from tests.plain.statement import krav, kravforfall, part
from tests.plain.write import FORMATS
from transforms.accept.batches import gathered

ODD_TEXTS = [
    'a "quoted" word',
    '"',
    '""',
    "a, b",
    "two\nlines",
    "two\r\nlines",
    "\n",
    " spaces ",
    "back\\slash \\n",
    "Blåbær på Øya €",
    "𝔘𝔫𝔦",
    "NULL",
    "NaN",
    "true",
    "007",
    "1e5",
    "'",
    "a\0b\x1f\x7f",
    "\ufeffbom",
]


def of_texts(texts):
    return {"krav": [krav(f"K{n}", COMPANY, n, kravbeskrivelse=text) for n, text in enumerate(texts)]}


@pytest.mark.parametrize("format", FORMATS)
def test_texts_come_out_as_they_went_in(place, format):
    place.deliver(tables=of_texts(ODD_TEXTS), format=format)
    assert [row["kravbeskrivelse"] for row in place.rows("krav")] == ODD_TEXTS


def test_the_same_rows_from_every_format(place):
    read = []
    for nr, format in enumerate(FORMATS, start=1):
        place.deliver(nr, format=format)
        read.append([place.rows(table) for table in LEDGER])
    assert all(one == read[0] for one in read)
    assert read[0][1][1]["opprinnelig_beloep"] == -2050  # øre


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_in_many_files(place, format):
    tables = of_texts("abcdefghij")
    place.deliver(1, tables=tables, format=format)
    whole = place.rows("krav")
    place.deliver(2, tables=tables, format=format, split=7)  # the last files are empty
    assert place.rows("krav") == whole


def test_files_in_folders_of_their_own(place):
    folder = place.deliver()
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "krav-1.csv").rename(folder / "a" / "b" / "krav.csv")
    edit(folder, lambda m: m["tabeller"]["krav"]["filer"][0].update(sti="a/b/krav.csv"))
    assert place.used() == [1]


def test_csv_and_parquet_in_one_table(place):
    folder = place.deliver(tables=of_texts("ab"), split=2)
    sink = io.BytesIO()
    pq.write_table(pa.table({name: ["2"] for name in LEDGER["krav"][0]}), sink)
    (folder / "krav-2.csv").rename(folder / "krav-2.parquet")
    edit(folder, lambda m: m["tabeller"]["krav"]["filer"][1].update(sti="krav-2.parquet"))
    edit(folder, lambda m: m["tabeller"]["krav"].update(kontrollsum="2.00"))
    put(folder, "krav-2.parquet", sink.getvalue(), rader=1)
    assert [row["kravidentifikator"] for row in place.rows("krav")] == ["K0"]
    assert place.refused_rows() == [("krav", "2", ["L2-VALUE-DATE"])]


PART = f"part,parttype,innehaver\n{COMPANY},VIRKSOMHET,\n"
SAME_CSV = {
    "as it is": PART,
    "BOM": "\ufeff" + PART,
    "CRLF": PART.replace("\n", "\r\n"),
    "no final newline": PART.rstrip("\n"),
    "blank lines first": "\n\r\n" + PART,
    "BOM and blank lines": "\ufeff\r\n\r\n" + PART,
    "blank lines between": PART.replace("\n", "\n\n\r\n"),
    "blank lines last": PART + "\n\n\r\n",
    "all quoted": PART.replace(COMPANY, f'"{COMPANY}"').replace("VIRKSOMHET,", '"VIRKSOMHET",""'),
    "header quoted": PART.replace("parttype", '"parttype"'),
    "columns in another order": f"innehaver,part,parttype\n,{COMPANY},VIRKSOMHET\n",
}


@pytest.mark.parametrize("pack", [("csv", bytes), ("csv.gz", gzip.compress), ("csv.zst", zstandard.compress)])
@pytest.mark.parametrize("how", SAME_CSV)
def test_csv_written_in_other_ways(place, how, pack):
    ending, compress = pack
    folder = place.deliver(tables={"part": [part(COMPANY)]}, format=ending)
    put(folder, f"part-1.{ending}", compress(SAME_CSV[how].encode()))
    assert place.rows("part") == [{"part": COMPANY, "parttype": "VIRKSOMHET", "innehaver": None, "slettet": False}]


@pytest.mark.parametrize("header", ["part,parttype,innehaver", "part,parttype,innehaver\r\n\n"])
def test_only_a_header(place, header):
    folder = place.deliver(tables={"part": []})
    put(folder, "part-1.csv", header.encode())
    assert place.night().used["mva"][0].rows("part") == 0


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_an_empty_text_is_null(place, format):
    tables = {"krav": [krav("K1", COMPANY, 1, kravbeskrivelse=""), krav("", COMPANY, 1)]}
    place.deliver(tables=tables, format=format)
    assert [row["kravbeskrivelse"] for row in place.rows("krav")] == [None]
    assert place.refused_rows() == [("krav", None, ["L2-VALUE-NULL"])]


def test_two_compressed_streams_after_each_other(place):
    folder = place.deliver(tables={"part": [part(COMPANY)]}, format="csv.gz")
    first, second = PART[:30].encode(), PART[30:].encode()
    put(folder, "part-1.csv.gz", gzip.compress(first) + gzip.compress(second))
    assert len(place.rows("part")) == 1


def test_fields_of_many_megabytes_across_blocks(place):
    texts = [letter * 6_000_000 + '"\r\n,' for letter in "abcdef"]
    place.deliver(tables=of_texts(texts))
    assert [row["kravbeskrivelse"] for row in place.rows("krav")] == texts


@pytest.mark.parametrize("before", range(8))
def test_quotes_at_the_edge_of_a_block(place, before, monkeypatch):
    monkeypatch.setattr("transforms.accept.csv_pieces.CSV_BLOCK_BYTES", 512)
    texts = ['"' * n + "x" * (before + n) + '"\n' for n in range(1, 40)]
    place.deliver(tables=of_texts(texts))
    assert [row["kravbeskrivelse"] for row in place.rows("krav")] == texts


@pytest.mark.parametrize("before", range(4))
def test_a_stray_quote_at_the_edge_of_a_block(place, before, monkeypatch):
    monkeypatch.setattr("transforms.accept.csv_pieces.CSV_BLOCK_BYTES", 256)
    folder = place.deliver(tables=of_texts("a" * 20))
    swap(folder, "krav-1.csv", ",a,", ',"a"x,'.replace("a", "a" * (before + 1)))
    assert place.reasons() == [("L1-UNREADABLE", "krav-1.csv")]


def test_parquet_texts_of_other_types_and_many_row_groups(place):
    kinds = [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    folder = place.deliver(tables=of_texts("abcdef"), format="parquet")
    table = pq.read_table(folder / "krav-1.parquet")
    for kind, name in zip(kinds, ("kravidentifikator", "part", "kravbeskrivelse"), strict=True):
        column = table.schema.get_field_index(name)
        table = table.set_column(column, name, table[name].cast(kind))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2)
    whole = place.rows("krav")
    edit(folder, lambda m: m.update(leveransenummer=2))
    folder = folder.rename(folder.with_name("000002"))
    put(folder, "krav-1.parquet", sink.getvalue())
    assert place.used() == [2]
    assert place.rows("krav") == whole


@pytest.mark.parametrize("bits", ["decimal32(9, 2)", "decimal64(18, 2)", "decimal128(5, 2)", "decimal256(18, 2)"])  # fmt: skip # noqa: E501
def test_parquet_amounts_of_other_widths(place, bits):
    folder = place.deliver(tables={"kravforfall": LEDGER["kravforfall"]}, format="parquet")
    table = pq.read_table(folder / "kravforfall-1.parquet")
    width, digits = bits[:-1].replace("(", ",").split(",")[:2]
    column = table.schema.get_field_index("opprinnelig_beloep")
    kind = getattr(pa, width)(int(digits), 2)
    table = table.set_column(column, "opprinnelig_beloep", table["opprinnelig_beloep"].cast(kind))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    put(folder, "kravforfall-1.parquet", sink.getvalue())
    assert [row["opprinnelig_beloep"] for row in place.rows("kravforfall")] == [10000, -2050]


def test_rows_keep_their_numbers_over_batches(place, monkeypatch):
    monkeypatch.setattr("transforms.accept.batches.BATCH_ROWS", 3)
    rows = [kravforfall(f"F{n}", "K1", 1, "2023-02-15") for n in range(1, 11)]
    rows[7]["kravidentifikator"] = None
    random.Random(1).shuffle(rows)
    for nr, format in enumerate(("csv", "parquet"), start=1):
        place.deliver(nr, tables={"kravforfall": rows}, format=format)
        assert len(place.rows("kravforfall")) == 9
        assert place.refused_rows() == [("kravforfall", "F8", ["L2-VALUE-NULL"])]
        refused = place.deliveries / place.night().used["mva"][-1].folder / "refused.parquet"
        where = next(n for n, row in enumerate(rows, start=1) if row["kravidentifikator"] is None)
        assert pq.read_table(refused)["rad"].to_pylist() == [where]


@pytest.mark.parametrize("groups", [[1] * 10, [10, 0], [0, 10], [4, 0, 6]])
def test_what_is_kept_of_many_row_groups_has_one(place, groups):
    tables = of_texts("abcdefghij")
    folder = place.deliver(tables=tables, format="parquet")
    table, sink = pq.read_table(folder / "krav-1.parquet"), io.BytesIO()
    with pq.ParquetWriter(sink, table.schema) as writer:
        for place_of, size in enumerate(groups):
            writer.write_table(table.slice(sum(groups[:place_of]), size))
    put(folder, "krav-1.parquet", sink.getvalue())
    assert [row["kravbeskrivelse"] for row in place.rows("krav")] == list("abcdefghij")
    [kept] = (place.deliveries / place.night().used["mva"][0].folder / "krav").iterdir()
    assert pq.read_metadata(kept).num_row_groups == 1


def test_batches_are_as_large_as_may_be(monkeypatch):
    one = pa.record_batch({"text": ["abcdefgh"]})
    many = pa.record_batch({"text": ["abcdefgh"] * 7})
    assert [batch.num_rows for batch in gathered([one] * 4 + [many] + [one.slice(1)] + [one])] == [12]
    monkeypatch.setattr("transforms.accept.batches.BATCH_ROWS", 3)
    assert [batch.num_rows for batch in gathered([one] * 4 + [many, one])] == [3, 1, 3, 3, 2]
    monkeypatch.setattr("transforms.accept.batches.BATCH_BYTES", 2 * one.nbytes)
    assert [batch.num_rows for batch in gathered([one] * 5)] == [2, 2, 1]
    assert list(gathered([])) == list(gathered([one.slice(1)])) == []
