"""Frames are found by the index, in the index's order."""

import polars as pl
import pytest
import zstandard

from schemas.store import HISTORIES, OVERSIKTER
from transforms.build.frames import Frames

ONE, TWO, THREE = (zstandard.compress(text) for text in (b"one", b"two", b"three"))


def documents(snapshot):
    folder = snapshot / "documents"
    folder.mkdir(exist_ok=True)
    return folder


def index(kind, of, *rows):
    """Rows of segment, offset and length."""
    return pl.DataFrame(rows, [of.column, f"{kind}_offset", f"{kind}_length"], orient="row")


def test_documents_of_many_segments_come_in_the_order_of_the_rows(tmp_path):
    (documents(tmp_path) / "a.zst").write_bytes(ONE + TWO)
    (documents(tmp_path) / "b.zst").write_bytes(THREE)
    rows = ("a", len(ONE), len(TWO)), ("b", 0, len(THREE)), ("a", 0, len(ONE))
    frames = Frames(tmp_path, OVERSIKTER, index("oversikt", OVERSIKTER, *rows))
    assert list(frames.packed("oversikt")) == [TWO, THREE, ONE]
    assert list(frames.unpacked("oversikt")) == [b"two", b"three", b"one"]


def test_a_part_without_posts_of_the_kind_has_no_frame(tmp_path):
    """And a segment of parts without any posts has no bytes."""
    (documents(tmp_path) / "a.zst").write_bytes(ONE)
    (documents(tmp_path) / "empty.zst").touch()
    frames = Frames(tmp_path, HISTORIES, index("krav", HISTORIES, ("empty", 0, 0), ("a", 0, len(ONE))))
    assert list(frames.packed("krav")) == [ONE]


def test_a_frame_that_needs_a_dictionary_is_read_with_it(tmp_path):
    samples = [f'{{"part":"{n}","beloep":{n * n % 977},"tekst":"{n}"}}'.encode() * 9 for n in range(500)]
    dictionary = zstandard.train_dictionary(2_000, samples, dict_id=7)
    frame = zstandard.ZstdCompressor(dict_data=dictionary).compress(samples[1])
    (documents(tmp_path) / "a.zst").write_bytes(frame)
    rows = index("krav", HISTORIES, ("a", 0, len(frame)))
    with pytest.raises(zstandard.ZstdError, match="dictionary 7 is not there"):
        list(Frames(tmp_path, HISTORIES, rows).unpacked("krav"))
    (documents(tmp_path) / "krav-7.dict").write_bytes(dictionary.as_bytes())
    assert list(Frames(tmp_path, HISTORIES, rows).unpacked("krav")) == [samples[1]]


def test_a_damaged_frame_is_told(tmp_path):
    (documents(tmp_path) / "a.zst").write_bytes(b"\0" + ONE[1:])
    with pytest.raises(zstandard.ZstdError):
        list(Frames(tmp_path, HISTORIES, index("krav", HISTORIES, ("a", 0, len(ONE)))).unpacked("krav"))
