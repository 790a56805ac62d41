"""Which line of a CSV file is told to be broken."""

import gzip
import tracemalloc

import pytest

from schemas.tables import TABLES
from transforms.accept.broken_line import LEAST_OF_A_LINE, broken_line
from transforms.accept.csv_pieces import csv_pieces
from transforms.accept.unreadable import LONG_ROW, LONGEST_ROW, NOT_UTF8, OPEN_QUOTE, RAGGED, STRAY_QUOTE, FileRefused

HEADER = b"part,parttype\n"
GOOD = b"1,VIRKSOMHET\n"


def told(folder, content):
    path = folder / "part-1.csv"
    path.write_bytes(content)
    return broken_line(path, None)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEADER + GOOD, None),
        (HEADER + GOOD + b"2\n", (3, RAGGED)),
        (HEADER + GOOD + b"2,ENK,3\n" + GOOD, (3, RAGGED)),
        (HEADER + b"\n\n" + GOOD + b"2\n", (5, RAGGED)),
        (HEADER.replace(b"\n", b"\r\n") + b"1,VIRKSOMHET\r\n2\r\n", (3, RAGGED)),
        (b"\xef\xbb\xbf" + HEADER + GOOD + b"2\n", (3, RAGGED)),
        (HEADER + b'1,"VIRK\nSOM\n""HET"""\n' + b"2\n", (5, RAGGED)),
        (HEADER + b'1,VIRK"SOM"HET\n', (2, STRAY_QUOTE)),
        (b'part,part"type"\n' + GOOD, (1, STRAY_QUOTE)),
        (HEADER + GOOD + b'2,"ENK\n' + GOOD * 3, (3, OPEN_QUOTE)),
        (HEADER + GOOD + b"2,\xe6\n", (3, NOT_UTF8)),
        (HEADER + GOOD + "2,\u00e6\n".encode(), None),
        (HEADER + GOOD + b"2," + b"a" * LONGEST_ROW, (3, LONG_ROW)),
        (b"", None),
    ],
    ids=[
        "none",
        "too few",
        "too many",
        "after empty lines",
        "CR LF",
        "BOM",
        "after a field of three lines",
        "a stray quote",
        "a stray quote in the header",
        "never closed",
        "not UTF-8",
        "UTF-8",
        "a row too long",
        "empty",
    ],
)
def test_the_first_line_that_is_broken(tmp_path, content, line):
    assert told(tmp_path, content) == line


def test_a_field_of_several_lines_is_told_by_its_first(tmp_path):
    assert told(tmp_path, HEADER + GOOD + b'2,"E\nN\nK",3\n') == (3, RAGGED)


def test_the_reason_is_that_of_the_line(tmp_path):
    """Of two that are broken the reader may meet the later one first, or tell of a quote what comes of it."""
    path = tmp_path / "part-1.csv"
    path.write_bytes(b"part,parttype,innehaver\n1,PERSON\n1,\xe6,\n" + b'1,"PERSON,\n')
    with pytest.raises(FileRefused, match=f"^line 2: {RAGGED}$"):
        list(csv_pieces(path, TABLES["part"], removals=False))


def test_a_long_row_of_many_quotes_takes_no_memory(tmp_path):
    """Where each of them could be tried again it took a hundred times its size."""
    content = HEADER + b'"",' * 100_000 + b"x\n"
    tracemalloc.start()
    try:
        assert told(tmp_path, content) == (2, RAGGED)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(content)
    finally:
        tracemalloc.stop()


def test_so_much_is_looked_through_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr("transforms.accept.broken_line.MOST_LOOKED", 10 * LEAST_OF_A_LINE)
    assert told(tmp_path, HEADER + b"\n" * 8 + b"2\n") == (10, RAGGED)
    assert told(tmp_path, HEADER + b"\n" * 9 + b"2\n") is None


def test_compressed(tmp_path):
    path = tmp_path / "part-1.csv.gz"
    path.write_bytes(gzip.compress(HEADER + GOOD + b"2\n"))
    assert broken_line(path, "gzip") == (3, RAGGED)


def test_what_is_damaged_or_gone_meanwhile_has_no_line(tmp_path):
    path = tmp_path / "part-1.csv.gz"
    assert broken_line(path, "gzip") is None
    path.write_bytes(gzip.compress(HEADER + GOOD * 9)[:-12])
    assert broken_line(path, "gzip") is None
