"""Places of rows, their order, and which posts stand in which document."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.build.places import NOWHERE, Under, all_there, by_document, in_order, places_of

DAY, NEXT = date(2026, 1, 1), date(2026, 1, 2)
NUMBERS = st.integers(0, 2**32 - 2)


def numbers(*given):
    return pl.Series(given, dtype=pl.UInt32)


@given(st.lists(NUMBERS, unique=True), st.lists(NUMBERS | st.none()), st.randoms())
def test_places_are_where_numbers_lie(rows, others, random):
    wanted = random.sample(rows, len(rows) // 2) + others
    expected = [rows.index(number) if number in rows else NOWHERE for number in wanted]
    assert places_of(numbers(*wanted), numbers(*rows)).tolist() == expected


def test_a_row_that_must_be_there():
    assert all_there(np.array([0, 2])).tolist() == [0, 2]
    with pytest.raises(ValueError, match="not in the bucket"):
        all_there(np.array([0, NOWHERE]))


ROWS = st.tuples(st.integers(0, 2**31 - 1) | st.integers(0, 2), st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 1))


@given(st.lists(st.tuples(ROWS, st.text(st.characters(exclude_categories=["Cs"]), max_size=2)), unique=True))
def test_rows_are_sorted_by_numbers_and_where_those_tie_by_text(rows):
    first, then = (np.array([row[0][of] for row in rows], np.int64) for of in (0, 1))
    order = in_order(first, then, pl.Series([text for _, text in rows], dtype=pl.String))
    assert [rows[place] for place in order] == sorted(rows)


def test_rows_under_their_parents():
    under = Under.sorted(np.array([5, 3, 4]), np.array([1, 1, 3]), 5)
    assert [under.which[a:b].tolist() for a, b in zip(under.firsts, under.firsts[1:], strict=False)] == [
        *([], [5, 3], [], [4], []),
    ]
    assert under.lengths.to_list() == [0, 2, 0, 1, 0]


E, OWNER, V = range(3)
OWNERS = np.array([OWNER, NOWHERE, NOWHERE])
"""E is the owner's ENK."""


def shown(*posts):
    """Under their documents, posts of part, date and identifier; and the documents with the identifiers."""
    frame = pl.DataFrame(posts, {"doc": pl.Int64, "dato": pl.Date, "id": pl.String}, orient="row")
    frame = frame.sort("doc", "dato", "id")
    rows = by_document(frame["doc"].to_numpy(), frame["dato"], frame["id"], OWNERS)
    return rows, list(zip(rows.parent.tolist(), frame["id"].gather(rows.which), strict=True))


def test_an_enk_shows_its_owners_posts_among_its_own_and_nobody_else_does():
    rows, ids = shown((E, NEXT, "e1"), (E, DAY, "x"), (OWNER, DAY, "o"), (V, DAY, "v"), (OWNER, NEXT, "f"))
    assert ids == [*((E, "o"), (E, "x"), (E, "e1"), (E, "f")), *((OWNER, "o"), (OWNER, "f"), (V, "v"))]
    assert rows.lengths.to_list() == [4, 2, 1]


def test_an_enk_without_posts_of_its_own_shows_its_owners():
    rows, ids = shown((OWNER, DAY, "o"))
    assert ids == [(E, "o"), (OWNER, "o")]
    assert rows.lengths.to_list() == [1, 1, 0]


@pytest.mark.parametrize("day", [DAY, date(1900, 2, 3)])
def test_posts_stand_by_date_then_identifier(day):
    _, ids = shown((V, day, "b"), (V, day, "a"), (V, DAY, "c"), (OWNER, day, "z"))
    assert ids == [(E, "z"), (OWNER, "z"), (V, "a"), (V, "b"), (V, "c")]


def test_nobody_has_posts():
    rows, ids = shown()
    assert (rows.lengths.to_list(), ids) == ([0, 0, 0], [])


def test_some_of_the_rows_under_their_parents():
    some = Under(np.array([2, 0, 1, 0]), np.array([0, 2, 2, 4])).those(pl.Series([False, True, True]))
    assert (some.which.tolist(), some.firsts.tolist()) == ([2, 1], [0, 1, 1, 2])
    assert some.parent.tolist() == [0, 2]
