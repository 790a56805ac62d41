"""No content of a CSV changes on its way in, wherever the reader's blocks and the compressed pieces end.

What is expected is what ``tests/plain/csv_text.py`` reads. KRAVOVERSIKT_FUZZ_EXAMPLES says how many random files.
"""

import gzip
import itertools
import os
import sys

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.tables import PART
from tests.plain.csv_text import csv_rows
from transforms.accept import csv_pieces
from transforms.accept.files import read_batches
from transforms.accept.unreadable import FileRefused

HEADER = "part,parttype,innehaver"
REFUSED = "refused"
PACKED = {"csv": bytes, "csv.gz": lambda content: gzip.compress(content, 1), "csv.zst": zstandard.compress}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("blocks")


def read(folder, ending, content, block=csv_pieces.CSV_BLOCK_BYTES):
    """The file's rows, read in blocks of so many bytes."""
    path = folder / f"part.{ending}"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_pieces, "CSV_BLOCK_BYTES", block)
        try:
            return [list(row) for frame in read_batches(path, PART, removals=False) for row in frame.rows()]
        except FileRefused:
            return REFUSED


def expected(content):
    try:
        header, *rows = csv_rows(content)
    except ValueError:
        return REFUSED
    return rows if ",".join(header) == HEADER else REFUSED


LETTERS = ["\0", "\t", " ", "å", "€", "𝔘", "\ufeff"]
QUOTED = ['""', ",", "\n", "\r", "\r\n", *LETTERS]
FIELDS = [
    *(f'"{"".join(pair)}"' for pair in itertools.product(QUOTED, repeat=2)),
    *(
        "",
        '""',
        '""""',
        "a",
        *LETTERS,
        "a\0b",
        "\ufeff\ufeff",
        '"\r\n\r\n"',
        '"\r\r\n"',
    ),
]
ENDS = ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r", "\r\n\n\r"]


@pytest.mark.slow
def test_every_sequence_across_the_end_of_a_block(folder):
    """Every field in every column; blocks of many sizes end at most of the bytes."""
    rows = [
        ",".join(field if at == place else "xy" for at in range(3)) + ENDS[number % len(ENDS)]
        for number, (field, place) in enumerate(itertools.product(FIELDS, range(3)))
    ]
    content = f"{HEADER}\r\n{''.join(rows)}".encode()
    whole = expected(content)
    assert len(whole) == len(rows)
    for block in range(len(HEADER), len(HEADER) + 100):
        assert read(folder, "csv", content, block) == whole, block


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("long", ['"{}"', "{}"])
def test_a_row_as_large_as_a_block_wherever_it_lies(folder, long, end):
    largest = long.format("x" * (64 - 2 - len(long.format("")))) + ",,"
    assert len(largest) == 64
    for before in range(70):
        rows = ["1,,\n" * (before // 10), "\n" * (before % 10), largest, end, "2,,\n", largest]
        content = f"{HEADER}\n{''.join(rows)}".encode()
        assert read(folder, "csv", content, 64) == expected(content), before
    too_large = "".join(rows).replace("x", "xxxx", 1)
    assert read(folder, "csv", f"{HEADER}\n{too_large}".encode(), 64) == REFUSED


def test_a_last_row_without_its_end(folder):
    for field in FIELDS:
        for content in (f"{HEADER}\n1,,\n,2,{field}", f'{HEADER}\r\n"{"x" * 80}",,{field}'):
            assert read(folder, "csv", content.encode(), 100) == expected(content.encode()), field


STRAY = ['"a"b', 'a"b"', '"a" ', ' "a"', '"a""', '"', 'a"', '"a"\t', '"a"\0', '\ufeff"a"', '"a"\ufeff', '"""', '""a""']


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("after", ["", ",", "\n1,,\n"])
def test_a_stray_quote_wherever_it_lies(folder, stray, after):
    for before in range(40):
        content = f'{HEADER}\n"{"x" * before}",,\n2,,{stray}{after}'.encode()
        assert expected(content) == REFUSED
        assert read(folder, "csv", content, 50) == REFUSED, before


def test_blocks_of_blank_lines_only(folder):
    for blank, count in itertools.product(["\n", "\r", "\r\n"], range(90, 110)):
        content = f"{HEADER}\n1,,\n{blank * count}2,,\n".encode()
        assert read(folder, "csv", content, 30) == [["1", None, None], ["2", None, None]]


PIECES = [
    '"',
    '""',
    ",",
    "\n",
    "\r",
    "\r\n",
    "a",
    *LETTERS,
    '"\r\n"',
    '","',
    ",,\n",
    '"\r\n",,\r\n',
]
FIELD = st.one_of(
    st.lists(st.sampled_from(["", "a", "\0", "\t", " ", "å", "€", "𝔘", "\ufeff"]), max_size=3).map("".join),
    st.lists(st.sampled_from(QUOTED), max_size=6).map(lambda pieces: f'"{"".join(pieces)}"'),
)
ROW = st.tuples(st.tuples(FIELD, FIELD, FIELD).map(",".join), st.sampled_from(ENDS)).map("".join)
TEXT = st.one_of(st.lists(ROW, max_size=12).map("".join), st.lists(st.sampled_from(PIECES), max_size=40).map("".join))


@st.composite
def packed(draw):
    """A random file: its content, and that content in one piece or many, compressed or not."""
    begin = draw(st.sampled_from(["", "\ufeff", "\n", "\r\n", "\ufeff\r\n\n"]))
    content = f"{begin}{HEADER}{draw(st.sampled_from(ENDS))}{draw(TEXT)}".encode()
    ending = draw(st.sampled_from(list(PACKED)))
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=4)))
    pieces = [content[start:end] for start, end in itertools.pairwise([0, *cuts, len(content)])]
    return content, ending, b"".join(map(PACKED[ending], pieces))


@pytest.mark.slow
@settings(
    max_examples=int(os.environ.get("KRAVOVERSIKT_FUZZ_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="KRAVOVERSIKT_FUZZ_EXAMPLES" not in os.environ,
    database=None,
)
@given(packed(), st.integers(110, 200))
def test_a_random_file(folder, file, block):
    content, ending, stored = file
    assert read(folder, ending, stored, block) == expected(content)


WORDS = f"{HEADER}\n1,,\n".encode()


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst"])
def test_compressed_in_pieces_that_end_anywhere(folder, ending):
    pack, rows = PACKED[ending], [["1", None, None]]
    for cut in range(len(WORDS) + 1):
        assert read(folder, ending, pack(WORDS[:cut]) + pack(b"") + pack(WORDS[cut:])) == rows


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst"])
def test_compressed_content_that_is_cut_anywhere_or_followed_by_something(folder, ending):
    """Cut off between two pieces a file is whole as far as anyone can see: only ``rader`` and ``sha256`` tell."""
    first, second = PACKED[ending](WORDS), PACKED[ending](b"2,,\n")
    for cut in range(len(first) + len(second)):
        rows = [["1", None, None]] if cut == len(first) else REFUSED
        assert read(folder, ending, (first + second)[:cut]) == rows, cut
    for after in (b"\0", b"x", second[:1], second[:2], WORDS, b"\0" * 512):
        assert read(folder, ending, first + after) == REFUSED


@pytest.mark.parametrize("row", ['"",', '"a",b,', '""\r\n"', '"\n",'])
def test_where_rows_end_is_found_in_columns(row):
    """However many quotes there are, the calls are the same few: a loop over them takes minutes over a bad file."""

    def calls(data):
        counted = []
        sys.setprofile(lambda _frame, event, _: counted.append(event))
        try:
            csv_pieces.rows_end(data)
        finally:
            sys.setprofile(None)
        return len(counted)

    assert calls(f"{HEADER}\n{row * 2000}".encode()) == calls(f"{HEADER}\n{row * 2}".encode())


def test_a_line_of_blanks_is_no_empty_line(folder):
    assert read(folder, "csv", WORDS + b"  \n") == REFUSED
