"""How documents become frames of a segment."""

import polars as pl
import pytest
import zstandard

from schemas.store import HISTORIES, OVERSIKTER, frame_reader
from transforms.build.documents import SegmentWriter, compressor_of
from transforms.home.dictionaries import FOLDER
from transforms.home.snapshot import Segment
from transforms.text.json_text import texts_of


@pytest.fixture
def snapshot(tmp_path):
    (tmp_path / "documents").mkdir()
    return tmp_path


def content(segment, index, kind):
    read = frame_reader(path.read_bytes() for path in FOLDER.glob("*.dict"))
    stored = segment.documents.read_bytes()
    places = index.select(f"{kind}_offset", f"{kind}_length").rows()
    return [read(stored[offset : offset + length]) if length else b"" for offset, length in places]


def test_a_segment_says_where_each_document_lies(snapshot):
    """One without a text has a length of 0 and no frame."""
    segment = Segment(snapshot, HISTORIES, "a-segment")
    with SegmentWriter(segment, pl.Series(["A", "B", "C"])) as writer:
        writer.column("krav_aapne", pl.Series([0, 0, 1]))
        for kind in HISTORIES.kinds:
            writer.add(kind, texts_of(pl.Series([f"of A, {kind}", "", f"of C, {kind}"])), pl.Series([2, 0, 1]))
    index = writer.index()
    assert index.columns == HISTORIES.columns
    assert index[HISTORIES.column].to_list() == ["a-segment"] * 3
    for kind in HISTORIES.kinds:
        assert content(segment, index, kind) == [f"of A, {kind}".encode(), b"", f"of C, {kind}".encode()]
        assert index[f"{kind}_antall"].to_list() == [2, 0, 1]
        assert index[f"{kind}_length"][1] == 0
    assert writer.packed_bytes == segment.documents.stat().st_size
    assert writer.raw_bytes == sum(2 * len(f"of A, {kind}") for kind in HISTORIES.kinds)


def test_an_overview_is_one_document(snapshot):
    segment = Segment(snapshot, OVERSIKTER, "a-segment")
    with SegmentWriter(segment, pl.Series(["A", "B"])) as writer:
        writer.add("oversikt", texts_of(pl.Series(["{1}", "{2}"])))
    index = writer.index()
    assert index["oversikt_antall"].to_list() == [1, 1]
    assert content(segment, index, "oversikt") == [b"{1}", b"{2}"]


def test_frames_of_before_are_copied_as_they_are(snapshot):
    """With what their index rows say of them, though they lie elsewhere now."""
    frames = [zstandard.compress(text) for text in (b"one", b"three")]
    rows = pl.DataFrame({"krav_length": [len(frames[0]), 0, len(frames[1])], "krav_antall": [4, 2, 1]})
    rows = rows.with_columns(krav_aapne=pl.Series([1, 2, 0]), innbetalinger_length=0, innbetalinger_antall=0)
    rows = rows.with_columns(utbetalinger_length=pl.Series([len(frames[0]), 0, 0]), utbetalinger_antall=5)
    segment = Segment(snapshot, HISTORIES, "copied")
    with SegmentWriter(segment, pl.Series(["A", "B", "C"])) as writer:
        for kind, some in (("krav", frames), ("innbetalinger", []), ("utbetalinger", frames[:1])):
            writer.copy(kind, some, rows)
    index = writer.index()
    assert segment.documents.read_bytes() == b"".join([*frames, frames[0]])
    assert content(segment, index, "krav") == [b"one", b"", b"three"]
    assert content(segment, index, "utbetalinger") == [b"one", b"", b""]
    assert index.select("krav_antall", "krav_aapne").rows() == [(4, 1), (2, 2), (1, 0)]


@pytest.mark.parametrize("kind", HISTORIES.kinds)
def test_a_history_names_its_dictionary_and_an_overview_needs_none(kind):
    numbers = {
        kind: int(path.stem.rpartition("-")[2]) for kind in HISTORIES.kinds for path in FOLDER.glob(f"{kind}-*.dict")
    }
    told = zstandard.get_frame_parameters(compressor_of(kind).compress(b"text" * 9))
    assert (told.dict_id, told.has_checksum) == (numbers[kind], True)
    told = zstandard.get_frame_parameters(compressor_of("oversikt").compress(b"text" * 9))
    assert (told.dict_id, told.has_checksum) == (0, True)
