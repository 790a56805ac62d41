"""Files made to exhaust the reader: refused in bounded time and memory, with a plain sentence."""

import contextlib
import gzip
import io
import random
import resource
import subprocess
import sys
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from schemas.tables import TABLES
from tests.accept.accepting import COMPANY, LEDGER, edit, put
from tests.plain.statement import krav
from transforms.accept.files import read_batches
from transforms.accept.parquet_pieces import parquet_pieces
from transforms.accept.unreadable import LONG_ROW, FileRefused

pytestmark = pytest.mark.slow

HEADER = ",".join(LEDGER["krav"][0]).encode() + b"\n"
KRAV = {"krav": [krav("K1", COMPANY, "1.00")]}


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """The limits, scaled down so that the bombs may be small."""
    monkeypatch.setattr("transforms.accept.batches.UNPACKED_BYTES", 4 << 20)
    monkeypatch.setattr("transforms.accept.csv_pieces.CSV_BLOCK_BYTES", 1 << 20)
    monkeypatch.setattr("transforms.accept.broken_line.LONGEST_ROW", 1 << 20)
    monkeypatch.setattr("transforms.accept.batches.BATCH_BYTES", 1 << 19)


def zeros_of(letter, count, before=b""):
    """A zstd stream of very many equal bytes, made a piece at a time."""
    sink, piece = io.BytesIO(before), letter * (1 << 20)
    packer = zstandard.ZstdCompressor().compressobj()
    packed = packer.compress(before) + b"".join(packer.compress(piece) for _ in range(count))
    sink.write(packed + packer.flush())
    return sink.getvalue()


def refused(place, ending, content, **said):
    folder = place.deliver(tables=KRAV, format=ending)
    put(folder, f"krav-1.{ending}", content, **said)
    return [(refusal.code, refusal.message) for refusal in place.night().refusals]


UNPACKS = [("L1-UNREADABLE", "it unpacks to more than 1000 times its size")]


@pytest.mark.parametrize("letter", [b"\n", b"\r"])
@pytest.mark.parametrize("before", [b"", HEADER])
def test_a_bomb_of_blank_lines(place, letter, before):
    assert refused(place, "csv.zst", zeros_of(letter, 6, before)) == UNPACKS


def test_a_bomb_of_one_endless_line(place):
    [(code, message)] = refused(place, "csv.zst", zeros_of(b"x", 3, HEADER))
    assert (code, message) == ("L1-UNREADABLE", f"line 2: {LONG_ROW}")


def test_a_bomb_of_one_endless_header(place):
    [(code, message)] = refused(place, "csv.zst", zeros_of(b"x", 3))
    assert (code, message) == ("L1-UNREADABLE", "the first line is longer than 64 KiB")


def test_many_more_rows_than_the_manifest_says_are_not_read_to_their_end(place, monkeypatch):
    monkeypatch.setattr("transforms.accept.delivery.ROWS_TOO_MANY", 10_000)
    monkeypatch.setattr("transforms.accept.csv_pieces.CSV_BLOCK_BYTES", 1 << 16)
    content = gzip.compress(HEADER + b",,,,,,,,,\n" * 500_000)
    [(code, message)] = refused(place, "csv.gz", content)
    assert code == "L1-ROWS"
    assert int(message.split()[-1]) < 30_000


def test_thousands_of_columns(place):
    names = HEADER.strip() + b"".join(b",x%d" % n for n in range(5000)) + b"\n"
    [(code, message)] = refused(place, "csv", names)
    assert (code, message[:39]) == ("L1-COLUMN-UNKNOWN", "5000 of 5010 columns are not among krav")
    sink = io.BytesIO()
    pq.write_table(pa.table({f"x{n}": [1] for n in range(2000)}), sink)
    assert {code for code, _ in refused(place, "parquet", sink.getvalue())} == {
        "L1-COLUMN-MISSING",
        "L1-COLUMN-UNKNOWN",
    }


def parquet(rows, **columns):
    sink = io.BytesIO()
    arrays = {name: pa.array(["2"] * rows) for name in LEDGER["krav"][0]} | columns
    pq.write_table(pa.table(arrays), sink, compression="zstd")
    return sink.getvalue()


@pytest.mark.parametrize("stored_as", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_parquet_of_one_large_text_many_times(place, stored_as):
    text = "x" * 20_000
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), pa.array([text]))
    content = parquet(2_000, kravbeskrivelse=repeated.cast(stored_as))
    assert refused(place, "parquet", content, rader=2_000) == UNPACKS


@pytest.mark.parametrize("written", [b"\x00", b"\x19\x1c", b"\xff\xff\xff\xff\x0f"])
def test_a_parquet_with_a_spoilt_footer(tmp_path, written):
    """Read as whole rows or refused; asking pyarrow for spoilt metadata may abort the process."""
    content, path = parquet(2), tmp_path / "krav.parquet"
    size = int.from_bytes(content[-8:-4], "little")
    for at in range(len(content) - 8 - size, len(content) - 8, 1 + size // 60):
        path.write_bytes(content[:at] + written + content[at + len(written) :])
        with contextlib.suppress(FileRefused):
            list(read_batches(path, TABLES["krav"], removals=False))


def test_a_parquet_of_large_pages(place):
    text = pa.array(["x" * 100_000] * 8)
    sink = io.BytesIO()
    arrays = dict.fromkeys(LEDGER["krav"][0], text)
    pq.write_table(pa.table(arrays), sink, compression="zstd", use_dictionary=False)
    assert refused(place, "parquet", sink.getvalue(), rader=8) == UNPACKS


def test_a_parquet_of_texts_that_build_on_the_one_before(place, tmp_path):
    """Refused by how long the texts are, before anything is read of the rest."""
    text = pa.array(["x" * 10_000] * 5_000)
    arrays = {name: pa.array(["2"] * 5_000) for name in LEDGER["krav"][0]} | {"kravbeskrivelse": text}
    encoding = {"kravbeskrivelse": "DELTA_BYTE_ARRAY"}
    path = tmp_path / "krav.parquet"
    pq.write_table(pa.table(arrays), path, use_dictionary=False, column_encoding=encoding)
    assert refused(place, "parquet", path.read_bytes(), rader=5_000) == UNPACKS
    with pytest.raises(FileRefused, match="it unpacks to more"):
        next(parquet_pieces(path, TABLES["krav"], False))


@pytest.mark.parametrize(
    "how", [{}, {"column_encoding": {"kravbeskrivelse": "DELTA_BYTE_ARRAY"}, "use_dictionary": False}]
)
def test_a_parquet_is_read_in_pieces_that_fit_in_memory(tmp_path, how, monkeypatch):
    """However little of each text is stored, none of the pieces takes much more than a batch may."""
    monkeypatch.setattr("transforms.accept.batches.UNPACKED_BYTES", 64 << 20)
    monkeypatch.setattr("transforms.accept.batches.BATCH_BYTES", 1 << 18)
    monkeypatch.setattr("transforms.accept.parquet_pieces.SMALL_BYTES", 0)
    arrays = {name: pa.array(["2"] * 800) for name in LEDGER["krav"][0]}
    arrays["kravbeskrivelse"] = pa.array(["2"] * 500 + ["x" * 20_000] * 300)
    pq.write_table(pa.table(arrays), tmp_path / "krav.parquet", **how)
    pieces = list(parquet_pieces(tmp_path / "krav.parquet", TABLES["krav"], False))
    assert sum(piece.num_rows for piece in pieces) == 800
    assert max(piece.nbytes for piece in pieces) < 5 << 18


STORED = {
    "repeated": {},
    "growing": {"column_encoding": {"kravbeskrivelse": "DELTA_BYTE_ARRAY"}, "use_dictionary": False},
    "plain": {"use_dictionary": False},
}


def says_it_is_a_byte(content):
    """The file with a footer that says of each row group that it takes 1 byte: in Thrift 2, as long as it was."""
    for place in range(pq.read_metadata(io.BytesIO(content)).num_row_groups):
        group = pq.read_metadata(io.BytesIO(content)).row_group(place)
        said = b"\x16" + varint(2 * group.total_byte_size) + b"\x16" + varint(2 * group.num_rows)
        size = len(varint(2 * group.total_byte_size))
        assert said in content
        content = content.replace(said, b"\x16\x82" + b"\x80" * (size - 2) + b"\0" + said[1 + size :], 1)
    return content


def varint(value):
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])


def pieces_of(tmp_path, monkeypatch, table, **how):
    """The pieces that a file is read in whose footer says too little; the file may be as much as it likes."""
    monkeypatch.setattr("transforms.accept.batches.UNPACKED_BYTES", 1 << 30)
    sink, path = io.BytesIO(), tmp_path / "krav.parquet"
    pq.write_table(table, sink, compression="zstd", **how)
    path.write_bytes(says_it_is_a_byte(sink.getvalue()))
    metadata = pq.read_metadata(path)
    assert {metadata.row_group(place).total_byte_size for place in range(metadata.num_row_groups)} == {1}
    return list(parquet_pieces(path, TABLES["krav"], False))


@pytest.mark.parametrize("how", STORED)
def test_a_parquet_that_says_it_is_small(tmp_path, how, monkeypatch):
    table = pa.table({name: ["2"] * 2_000 for name in LEDGER["krav"][0]} | {"kravbeskrivelse": ["x" * 5_000] * 2_000})
    pieces = pieces_of(tmp_path, monkeypatch, table, **STORED[how])
    assert sum(piece.num_rows for piece in pieces) == 2_000
    assert max(piece.nbytes for piece in pieces) < 5 << 18


def test_small_row_groups_that_are_not_looked_into_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("transforms.accept.parquet_pieces.SMALL_ROWS", 100)
    table = pa.table({name: ["2"] * 1_000 for name in LEDGER["krav"][0]})
    assert {piece.num_rows for piece in pieces_of(tmp_path, monkeypatch, table, row_group_size=50)} == {100}


def test_texts_that_build_on_the_one_before_are_not_read_in_crumbs(tmp_path, monkeypatch):
    """How long they may be is seen from the pages; the more rows, the fewer at a time it would else be."""
    monkeypatch.setattr("transforms.accept.batches.BATCH_BYTES", 16 << 20)
    count, read = 20_000, pq.ParquetFile.iter_batches
    table = pa.table({name: ["2"] * count for name in LEDGER["krav"][0]} | {"kravbeskrivelse": texts_of(240, count)})
    pq.write_table(table, tmp_path / "krav.parquet", data_page_size=1 << 16, write_batch_size=64, **STORED["growing"])
    pieces = []

    def counted(*args, **said):
        for piece in read(*args, **said):
            pieces.append(piece.num_rows)
            yield piece

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    assert [piece.num_rows for piece in parquet_pieces(tmp_path / "krav.parquet", TABLES["krav"], False)] == [count]
    assert len(pieces) < 200


def texts_of(length, count):
    """Texts that have nothing in common."""
    rng = random.Random(1)
    return [f"{rng.getrandbits(4 * length):0{length}x}" for _ in range(count)]


@pytest.mark.parametrize("field", ["filer", "tabeller"])
def test_a_manifest_with_far_too_many_of_something(place, field):
    folder = place.deliver()
    many = {"filer": [{}] * 20_000, "rader": 1, "kontrollsum": "1"}
    tables = {"krav": many} if field == "filer" else {f"t{n}": {} for n in range(20_000)}
    edit(folder, lambda manifest: manifest.update(tabeller=tables))
    assert place.reasons() == [("L1-MANIFEST-FIELD", "manifest.json")]


def test_a_manifest_of_many_megabytes(place):
    (place.deliver() / "manifest.json").write_bytes(b" " * (9 << 20))
    assert place.reasons() == [("L1-MANIFEST-JSON", "manifest.json")]


def test_control_characters_and_64_characters_in_keys(place):
    key = "\x00\x07\x1b[31m\r\n\t\u202e" + "x" * 53
    place.deliver(tables={"krav": [krav(key, COMPANY, 1)]})
    assert [row["kravidentifikator"] for row in place.rows("krav")] == [key]


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_is_bounded(tmp_path):
    """A bomb of 100 GB in a file of some MB, read in a process that may not take more than 3 GB."""
    text, count = "x" * 1_000_000, 100_000
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))
    (tmp_path / "bomb.parquet").write_bytes(parquet(count, kravbeskrivelse=repeated))
    program = """
        import sys
        from pathlib import Path
        from schemas.tables import KRAV
        from transforms.accept.files import read_batches
        from transforms.accept.unreadable import FileRefused
        try:
            for batch in read_batches(Path(sys.argv[1]), KRAV, removals=False):
                pass
        except FileRefused as refused:
            print(refused)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "bomb.parquet")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30)),
    )
    assert (done.returncode, done.stdout) == (0, "it unpacks to more than 1000 times its size\n")
