"""Which line of a CSV file is told to be broken."""

import gzip

import pytest

from transforms.accept.broken_line import LONGEST_ROW, broken_line

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
        (HEADER + GOOD + b"2\n", 3),
        (HEADER + GOOD + b"2,ENK,3\n" + GOOD, 3),
        (HEADER + b"\n\n" + GOOD + b"2\n", 5),
        (HEADER.replace(b"\n", b"\r\n") + b"1,VIRKSOMHET\r\n2\r\n", 3),
        (b"\xef\xbb\xbf" + HEADER + GOOD + b"2\n", 3),
        (HEADER + b'1,"VIRK\nSOM\n""HET"""\n' + b"2\n", 5),
        (HEADER + b'1,VIRK"SOM"HET\n', 2),
        (HEADER + GOOD + b'2,"ENK\n' + GOOD * 3, 3),
        (HEADER + GOOD + b"2,\xe6\n", 3),
        (HEADER + GOOD + "2,\u00e6\n".encode(), None),
        (HEADER + GOOD + b"2," + b"a" * LONGEST_ROW, 3),
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
    assert told(tmp_path, HEADER + GOOD + b'2,"E\nN\nK",3\n') == 3


def test_compressed(tmp_path):
    path = tmp_path / "part-1.csv.gz"
    path.write_bytes(gzip.compress(HEADER + GOOD + b"2\n"))
    assert broken_line(path, "gzip") == 3


def test_what_is_damaged_or_gone_meanwhile_has_no_line(tmp_path):
    path = tmp_path / "part-1.csv.gz"
    assert broken_line(path, "gzip") is None
    path.write_bytes(gzip.compress(HEADER + GOOD * 9)[:-12])
    assert broken_line(path, "gzip") is None
