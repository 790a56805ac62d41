"""Keys are found by two hashes of their text, in batches, whatever the text."""

import duckdb
import numpy as np
import polars as pl
import pytest

from transforms.ledgers import keys
from transforms.ledgers.keys import AGAIN, Keys, standing_twice, with_hashes

ODD = ["", " ", "K-1", "K-1 ", "k-1", "ø", "o\u0338", "\U0001f600", "K\n1", "1" * 64]


def hashed(*texts):
    with duckdb.connect() as connection:
        connection.register(
            "said", pl.DataFrame({"n": range(len(texts)), "key": texts}, {"n": int, "key": str}).to_arrow()
        )
        return pl.concat(with_hashes(connection, "SELECT n, key FROM said ORDER BY n", ["key"]))


@pytest.mark.parametrize("at_a_time", [1, 3, 1_000])
def test_a_key_is_found_by_its_text_and_by_no_other(monkeypatch, at_a_time):
    monkeypatch.setattr(keys, "ROWS_AT_A_TIME", at_a_time)
    rows = hashed(*ODD)
    assert rows.schema == {"n": pl.Int64, "key": pl.UInt64, "key" + AGAIN: pl.UInt64}
    asked = hashed(*reversed(ODD), "K-2", "K")
    assert Keys(rows, "key").places(asked, "key").to_list() == [*reversed(range(len(ODD))), None, None]


def test_the_same_key_may_be_asked_for_many_times():
    assert Keys(hashed("a", "b"), "key").places(hashed("b", "a", "b", "c"), "key").to_list() == [1, 0, 1, None]


def test_among_none_none_is_found():
    assert Keys(hashed(), "key").places(hashed("a"), "key").to_list() == [None]
    assert Keys(hashed("a"), "key").places(hashed(), "key").to_list() == []


def test_keys_that_share_one_hash_are_told_apart_by_the_other():
    """Two may share the first: each is found, and a third that has it is not there."""
    rows = pl.DataFrame(
        {"key": [7, 5, 7, 9], "key" + AGAIN: [1, 1, 2, 1]}, dict.fromkeys(("key", "key" + AGAIN), pl.UInt64)
    )
    asked = pl.DataFrame(
        {"ref": [7, 7, 7, 5, 9, 9], "ref" + AGAIN: [2, 1, 3, 1, 1, 2]}, dict.fromkeys(("ref", "ref" + AGAIN), pl.UInt64)
    )
    assert Keys(rows, "key").places(asked, "ref").to_list() == [2, 0, None, 1, 3, None]


@pytest.mark.parametrize(
    ("hashes", "twice"),
    [([], []), ([1], []), ([3, 1, 2], []), ([3, 1, 3, 2, 1, 3], [1, 3]), ([2**64 - 1] * 2, [2**64 - 1])],
)
def test_hashes_that_stand_there_more_than_once(hashes, twice):
    assert standing_twice(np.array(hashes, np.uint64)).tolist() == twice
