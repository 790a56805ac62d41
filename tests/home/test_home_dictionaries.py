"""The dictionaries of the histories: which there are, what a snapshot has of them, how new ones are made."""

import polars as pl
import pytest
import zstandard

from schemas.store import HISTORIES
from transforms.home import dictionaries
from transforms.home.dictionaries import copy_dictionaries, dictionary, train


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """In place of the project's: dictionaries of no content."""
    folder = tmp_path / "dictionaries"
    folder.mkdir()
    for kind in HISTORIES.kinds:
        (folder / f"{kind}-1.dict").write_bytes(b"old")
    monkeypatch.setattr(dictionaries, "FOLDER", folder)
    return folder


def test_there_is_one_of_each_kind_with_the_number_of_its_name():
    for kind in HISTORIES.kinds:
        (path,) = dictionaries.FOLDER.glob(f"{kind}-*.dict")
        assert path.stem == f"{kind}-{dictionary(kind).dict_id()}"


def test_a_snapshot_has_todays_and_those_of_before(tmp_path, folder):
    documents, previous = tmp_path / "documents", tmp_path / "previous"
    for place in (documents, previous):
        place.mkdir()
    (previous / "krav-1.dict").write_bytes(b"not the one of that number")
    (previous / "krav-0.dict").write_bytes(b"older")
    (previous / "a.zst").touch()
    copy_dictionaries(documents, previous)
    there = {path.name: path.read_bytes() for path in documents.iterdir()}
    assert there == {"krav-0.dict": b"older", **{f"{kind}-1.dict": b"old" for kind in HISTORIES.kinds}}


def test_new_ones_are_trained_on_the_posts_of_a_snapshot(tmp_path, folder):
    """Not on their words: every history begins with a word of 8 bytes for each post."""
    documents = tmp_path / "snapshot" / "documents"
    documents.mkdir(parents=True)
    posts = {
        kind: [f',{{"{kind}":"{n * n}","x":"{n}"}}'.encode() * 5 for n in range(1, 300)] for kind in HISTORIES.kinds
    }
    rows, stored = {HISTORIES.column: ["a"] * 299}, b""
    for kind, texts in posts.items():
        frames = [zstandard.compress(b"\xff" * 40 + text) for text in texts]
        ends = [len(stored)]
        for frame in frames:
            stored += frame
            ends.append(len(stored))
        rows |= {f"{kind}_offset": ends[:-1], f"{kind}_length": list(map(len, frames)), f"{kind}_antall": [5] * 299}
    (documents / "a.zst").write_bytes(stored)
    pl.DataFrame(rows).write_ipc(documents / "index.arrow", compat_level=pl.CompatLevel.oldest())
    train(tmp_path / "snapshot", 70)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{kind}-{number}.dict" for number, kind in enumerate(HISTORIES.kinds, start=70)
    )
    for number, kind in enumerate(HISTORIES.kinds, start=70):
        trained = dictionary(kind)
        assert trained.dict_id() == number
        assert kind.encode() in trained.as_bytes() and b"\xff" * 8 not in trained.as_bytes()
