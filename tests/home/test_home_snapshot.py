"""A snapshot on disk: which is published, what is told of damage, and which rows count."""

import json
import os
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl
import pytest

from schemas.published import PUBLISHED
from schemas.snapshot import Accepted, StoredFile
from schemas.store import HISTORIES, INDEX_SCHEMA, OVERSIKTER, SEGMENTS
from tests.manifests import manifest
from transforms.home.snapshot import (
    INTERNAL,
    MANIFEST,
    PART_TABLE,
    TABLE_NAMES,
    HomeDamagedError,
    Segment,
    checksums,
    damaged_files,
    empty_index,
    make_durable,
    published_chain,
    published_snapshot,
    read_index,
    read_json,
    read_manifest,
    rows_sql,
    start_snapshot,
    switch,
    tables_unlike_their_schema,
    write_index,
    write_json,
    write_part,
)

S = date(2026, 11, 23)


FIRST, SECOND, THIRD, FOURTH = (f"{S}-000{number}" for number in range(1, 5))


def write_manifest(folder, previous=None, used=(), files=None):
    """``files``: sha256 by name, each of three bytes."""
    stored = {name: StoredFile(bytes=3, sha256=sha256) for name, sha256 in (files or {}).items()}
    whole = manifest(list(used)).model_copy(update={"previous": previous, "files": stored})
    write_json(folder / MANIFEST, whole.model_dump(mode="json"))
    return whole


def complete(home, name, previous=None, used: tuple[Accepted, ...] = ()):
    """A snapshot with a manifest."""
    folder = home / "snapshots" / name
    start_snapshot(folder)
    write_manifest(folder, previous, used)
    return folder


class Flush(NamedTuple):
    """A file or folder that is flushed to disk: what is in the file, and whether a snapshot is published by then."""

    path: Path
    content: bytes | None
    published: bool


@pytest.fixture
def flushes(tmp_path, monkeypatch):
    """All of them, in order."""
    found = []

    def fsync(handle):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        content = path.read_bytes() if path.is_file() else None
        found.append(Flush(path, content, (tmp_path / "current").is_symlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def names(folder):
    """Of all that is in the folder."""
    return sorted(path.name for path in folder.iterdir())


# which is published


def test_nothing_is_published_before_the_first_switch(tmp_path):
    """A complete snapshot too is what an interrupted run left, as long as none comes after another."""
    assert published_snapshot(tmp_path) is None
    folder = complete(tmp_path, FIRST)
    assert published_snapshot(tmp_path) is None
    switch(tmp_path, folder)
    assert published_snapshot(tmp_path) == folder
    assert (tmp_path / "current").readlink() == Path(f"snapshots/{FIRST}")  # relative: a home may be moved


def test_the_switch_leads_to_the_next(tmp_path):
    switch(tmp_path, complete(tmp_path, FIRST))
    (tmp_path / ".current.next").symlink_to("nowhere")  # left by a run that was killed
    second = complete(tmp_path, SECOND, FIRST)
    switch(tmp_path, second)
    assert published_snapshot(tmp_path) == second
    assert published_chain(tmp_path) == [second, tmp_path / "snapshots" / FIRST]
    assert names(tmp_path) == ["current", "snapshots"]


def test_a_home_that_has_lost_what_was_published(tmp_path):
    switch(tmp_path, complete(tmp_path, FIRST))
    second = complete(tmp_path, SECOND, FIRST)
    switch(tmp_path, second)
    (second / MANIFEST).unlink()
    with pytest.raises(HomeDamagedError, match="current leads to no snapshot"):
        published_snapshot(tmp_path)
    write_manifest(second, FIRST)
    (tmp_path / "current").unlink()
    with pytest.raises(HomeDamagedError, match="there are snapshots, but no current"):
        published_snapshot(tmp_path)


def test_a_chain_ends_where_a_snapshot_is_gone_or_comes_again(tmp_path):
    one, two = complete(tmp_path, FIRST, f"{S}-gone"), complete(tmp_path, SECOND, FIRST)
    switch(tmp_path, two)
    assert published_chain(tmp_path) == [two, one]
    complete(tmp_path, FIRST, SECOND)
    assert published_chain(tmp_path) == [two, one]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (b"\xff", "cannot be read"),
        ('{"skjemaversjon": "3", "previous": null}', "is not one of a snapshot"),
    ],
)
def test_a_manifest_that_is_none(tmp_path, content, says):
    if content is not None:
        (tmp_path / MANIFEST).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(HomeDamagedError, match=says):
        read_manifest(tmp_path)


# JSON, whole or not at all


def test_json_is_written_as_it_is_read(tmp_path):
    write_json(tmp_path / "a.json", {"tekst": "æ"})
    write_json(tmp_path / "a.json", {"tekst": "ø", "flere": [1]})
    assert read_json(tmp_path / "a.json") == {"tekst": "ø", "flere": [1]}
    assert names(tmp_path) == ["a.json"]


def test_json_is_flushed_whole_and_then_its_name(tmp_path, flushes):
    write_json(tmp_path / "a.json", {"tekst": "æ"})
    assert [flush.path for flush in flushes] == [tmp_path / ".a.json.part", tmp_path]
    assert json.loads(flushes[0].content) == {"tekst": "æ"}


def test_json_that_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    def full(_):
        raise OSError("no space")

    write_json(tmp_path / "a.json", {"tekst": "æ"})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_json(tmp_path / "a.json", {"tekst": "ø"})
    assert read_json(tmp_path / "a.json") == {"tekst": "æ"}
    assert names(tmp_path) == ["a.json"]


def test_json_that_need_not_outlive_the_system_is_not_flushed(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "fsync")
    write_json(tmp_path / "a.json", {"tekst": "æ"}, flush=False)
    assert read_json(tmp_path / "a.json") == {"tekst": "æ"}
    assert names(tmp_path) == ["a.json"]


def test_what_is_no_object_is_not_read(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(ValueError, match=r"a\.json is not an object"):
        read_json(tmp_path / "a.json")


# the index and the table of parts


def index_rows(*names, segment="a", day=S):
    """Rows of overviews and of histories, of one segment each."""
    texts = {"part": list(names), "snapshotdato": [day] * len(names)}
    texts |= {segments.column: f"{segment}{segments.suffix}" for segments in SEGMENTS}
    numbers = {field.name: 1 for field in INDEX_SCHEMA if str(field.type) == "int64"}
    rows = pl.DataFrame(texts | {name: [1] * len(names) for name in numbers})
    return rows.select(OVERSIKTER.columns), rows.select(HISTORIES.columns)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "snapshots" / f"{S}-0001"
    start_snapshot(folder)
    return folder


PARTS = pl.DataFrame(
    {
        "part": ["B", "A"],
        "parttype": ["PERSON", "ENK"],
        "innehaver": [None, "B"],
        "kilde": "mva",
        "leveransenummer": [2, 1],
    },
    schema_overrides={"innehaver": pl.String, "leveransenummer": pl.UInt32},
)


def test_the_index_has_every_known_part_in_order(folder):
    """Who has no documents yet has no date either, and lengths of 0."""
    oversikter, histories = index_rows("B", "A")
    written = write_index(folder, [oversikter], [histories.reverse()], PARTS, pl.Series(["C", "A", "B", "A"]))
    assert read_index(folder).equals(written)
    assert written.select("part", "snapshotdato", "innehaver", "segment", "krav_length", "krav_aapne").rows() == [
        ("A", S, "B", "a", 1, 1),
        ("B", S, None, "a", 1, 1),
        ("C", None, None, None, 0, 0),
    ]
    assert written.columns == empty_index().columns == INDEX_SCHEMA.names


def test_overviews_and_histories_must_be_of_the_same_parts(folder):
    (oversikter, _), (_, histories) = index_rows("A", "B"), index_rows("A")
    with pytest.raises(ValueError, match="of different parts"):
        write_index(folder, [oversikter], [histories], PARTS, PARTS["part"])


def test_a_part_has_documents_once(folder):
    oversikter, histories = index_rows("A")
    with pytest.raises(pl.exceptions.ComputeError):
        write_index(folder, [oversikter, oversikter], [histories], PARTS, PARTS["part"])


def test_an_index_of_before_the_owners_stood_in_it(folder):
    schema = INDEX_SCHEMA.remove(INDEX_SCHEMA.get_field_index("innehaver"))
    oversikter, histories = index_rows("A")
    rows = oversikter.join(histories, on="part").select(schema.names)
    rows.write_ipc(folder / "documents" / "index.arrow", compat_level=pl.CompatLevel.oldest())
    assert read_index(folder)["innehaver"].to_list() == [None]


def test_the_table_of_parts_has_those_with_documents(folder):
    oversikter, histories = index_rows("B", "A")
    index = write_index(folder, [oversikter], [histories], PARTS, pl.Series(["A", "B", "C"]))
    write_part(folder, index, PARTS)
    assert pl.read_parquet(folder / PART_TABLE).rows() == [
        ("A", "ENK", "B", S, "mva", 1, "a", "a-oversikt"),
        ("B", "PERSON", None, S, "mva", 2, "a", "a-oversikt"),
    ]


# which rows count


def test_rows_count_that_lie_in_their_parts_segments(folder):
    """A krav may lie in the segment of either; whether a due date is past is by the date of its part's documents."""
    held = index_rows("B", segment="old", day=date(2026, 1, 1))
    tonight = index_rows("A")
    index = write_index(folder, [held[0], tonight[0]], [held[1], tonight[1]], PARTS, PARTS["part"])
    write_part(folder, index, PARTS)
    segments = ["a", "a-oversikt", "old", "old", "gone", "a"]
    rows = pl.DataFrame(
        {
            "id": ["1", "2", "3", "4", "superseded", "another's"],
            "part": ["A", "A", "B", "B", "A", "B"],
            "forfallsdato": [S, date(2026, 11, 22), date(2026, 1, 1), date(2025, 12, 31), S, S],
            "segment": segments,
        }
    )
    for number, (segment,) in enumerate(rows.select("segment").unique().iter_rows()):
        rows.filter(segment=segment).write_parquet(folder / "tables" / "kravforfall" / f"{number}.parquet")
        rows.filter(segment=segment).write_parquet(folder / "tables" / "innbetaling" / f"{number}.parquet")
    with duckdb.connect() as connection:
        due = connection.sql(f"SELECT id, forfalt FROM ({rows_sql(folder, 'kravforfall')}) ORDER BY id").fetchall()
        paid = connection.sql(f"SELECT id FROM ({rows_sql(folder, 'innbetaling')}) ORDER BY id")
        assert due == [("1", False), ("2", True), ("3", False), ("4", True)]
        assert paid.fetchall() == [("1",), ("3",), ("4",)]  # which lie in no segment of overviews
        parts = connection.sql(f"SELECT part FROM ({rows_sql(folder, 'part')})").fetchall()
        assert sorted(parts) == [("A",), ("B",)]


def test_names_of_segments(folder):
    segments = [Segment.new(folder, of, "0007") for of in SEGMENTS]
    assert [segment.name for segment in segments] == [f"{S}-0001-0007", f"{S}-0001-0007-oversikt"]
    assert segments[0].documents == folder / "documents" / f"{S}-0001-0007.zst"
    assert segments[1].table("krav") == folder / "tables" / "krav" / f"{S}-0001-0007-oversikt.parquet"


# files


def test_a_new_snapshot_begins_empty(folder):
    (folder / "tables" / "krav" / "left.parquet").touch()
    start_snapshot(folder)
    assert sorted(path.name for path in (folder / "tables").glob("*/")) == sorted(TABLE_NAMES)
    assert "superseded" in (folder / INTERNAL).read_text("utf-8")  # whoever finds the files is told
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".dict", ".txt"}


def test_checksums_of_all_files_but_the_manifest(tmp_path, folder):
    (folder / "documents" / "a.zst").write_bytes(b"abc")
    (folder / MANIFEST).touch()
    files = checksums(folder)
    assert MANIFEST not in files
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files["documents/a.zst"] == StoredFile(bytes=3, sha256=sha256)


def test_what_is_linked_to_the_previous_snapshot_is_not_read_again(tmp_path, folder):
    previous = complete(tmp_path, f"{S}-0000")
    for name in ("linked.zst", "copied.zst"):
        (previous / "documents" / name).write_bytes(b"abc")
    write_manifest(previous, files={f"documents/{name}.zst": "told" for name in ("linked", "copied")})
    os.link(previous / "documents" / "linked.zst", folder / "documents" / "linked.zst")
    (folder / "documents" / "copied.zst").write_bytes(b"abc")
    files = checksums(folder, previous)
    assert files["documents/linked.zst"].sha256 == "told"
    assert files["documents/copied.zst"].sha256 != "told"


def test_files_that_are_gone_or_of_another_length(tmp_path):
    for name, content in {"same": b"abc", "longer": b"abcd"}.items():
        (tmp_path / name).write_bytes(content)
    told = write_manifest(tmp_path, files=dict.fromkeys(("same", "longer", "gone"), "told"))
    assert damaged_files(tmp_path, told) == ["longer", "gone"]


def test_tables_of_which_some_file_is_not_as_published(folder):
    for name, table in PUBLISHED.items():
        table.stored.to_frame().write_parquet(folder / "tables" / name / "0.parquet")
    assert tables_unlike_their_schema(folder) == []
    some = PUBLISHED["krav"].stored.to_frame()
    some.drop("kravtype").write_parquet(folder / "tables" / "krav" / "1.parquet")
    other = PUBLISHED["utbetaling"].stored.to_frame().cast({"utbetalt_beloep": pl.String})
    other.write_parquet(folder / "tables" / "utbetaling" / "0.parquet")
    assert tables_unlike_their_schema(folder) == ["krav", "utbetaling"]


def test_everything_is_flushed(folder, flushes):
    make_durable(folder)
    assert {flush.path for flush in flushes} == {*folder.rglob("*"), folder, folder.parent}


def test_a_file_is_flushed_when_its_checksum_is_taken(tmp_path, folder, flushes):
    """But for one that is the previous snapshot's too."""
    previous = complete(tmp_path, f"{S}-0000")
    (previous / "documents" / "linked.zst").write_bytes(b"abc")
    write_manifest(previous, files={"documents/linked.zst": "told"})
    flushes.clear()
    os.link(previous / "documents" / "linked.zst", folder / "documents" / "linked.zst")
    checksums(folder, previous)
    files = {path for path in folder.rglob("*") if path.is_file()}
    assert {flush.path for flush in flushes} == files - {folder / "documents" / "linked.zst"}


def test_a_snapshots_folders_are_flushed_before_it_is_published_and_the_switch_after(tmp_path, folder, flushes):
    switch(tmp_path, folder)
    folders = {path for path in folder.rglob("*") if path.is_dir()}
    assert {flush.path for flush in flushes if not flush.published} == {*folders, folder, folder.parent}
    assert [flush.path for flush in flushes if flush.published] == [tmp_path]


def test_what_is_flushed_is_closed(folder):
    handles = Path("/proc/self/fd")
    before = names(handles)
    make_durable(folder)
    assert names(handles) == before


def test_one_of_many_that_is_not_flushed_is_not_passed_over(folder, monkeypatch):
    def fails_for_one(handle):
        if Path(f"/proc/self/fd/{handle}").readlink().name == "tables":
            raise OSError("the disk fails")

    monkeypatch.setattr(os, "fsync", fails_for_one)
    with pytest.raises(OSError, match="the disk fails"):
        make_durable(folder)
