"""Which bucket each post goes to, what it shows of far ends, and what remains of krav there."""

import polars as pl
import pytest

from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import MOST
from tests.small import looking_at
from tests.spread.test_spread_expected import BEYOND_64_BITS
from tests.spread.test_spread_files import SAID
from transforms.check.posts import check_posts
from transforms.spread.buckets import bucket_count, far_forfall, far_innbetaling, in_buckets, remaining

A, B, ENK, OWNER = *(organisation_number(n) for n in range(1, 4)), national_number(1)


@pytest.mark.parametrize(
    ("parts", "count"), [(0, 1), (1, 1), (4_000, 1), (4_001, 2), (8_000, 2), (8_001, 4), (100_000, 32)]
)
def test_as_many_buckets_as_hold_the_parts_a_power_of_two(parts, count):
    assert bucket_count(parts) == count


FORFALL = {"F": 0, "F-B": 1, "G": 2, "G2": 3}
"""The due dates' numbers: their places in the statement."""


def spread(*parts, buckets):
    """The links of the statement, and those of the parts in so many buckets."""
    with looking_at(*SAID) as connection:
        links = check_posts(connection)
    return links, in_buckets(links, pl.DataFrame({"part": parts}, {"part": pl.String}), buckets)


def test_posts_of_parts_that_are_not_built_are_nowhere():
    _, chosen = spread(A, buckets=1)
    assert {name: rows.height for name, rows in chosen.items()} == {
        **{"part": 1, "krav": 1, "kravforfall": 1, "innbetaling": 0, "utbetaling": 1},
        "plassering": 3,  # PB is B's alone
    }
    ends = chosen["plassering"].sort("row").select("forfall_bucket", "motpost_bucket")
    assert ends.rows() == [(0, None), (0, None), (None, 0)]


def test_far_ends_are_of_a_bucket_that_shows_them():
    _, chosen = spread(A, buckets=1)
    assert sorted(far_forfall(chosen["plassering"]).rows()) == [(0, FORFALL["G"], False), (0, FORFALL["G2"], True)]
    assert far_innbetaling(chosen["plassering"]).rows() == [(0, 0)]


def test_in_one_bucket_nothing_is_far():
    _, chosen = spread(A, B, ENK, OWNER, buckets=1)
    assert far_forfall(chosen["plassering"]).is_empty() and far_innbetaling(chosen["plassering"]).is_empty()


def test_what_remains_of_debits_and_credits():
    """Of A's debit of 100 with 60 paid and 10 covered; of B's debit of 8, which is covered; and of B's credit of 50, of
    which 18 cover debits and 15 are paid out.
    """
    links, _ = spread(buckets=1)
    left = remaining(pl.Series([0, 1, 2], dtype=pl.UInt32), links)
    assert sorted(left.rows()) == [(0, 3_000), (1, 0), (2, -1_700)]


def test_what_remains_beyond_64_bits():
    with looking_at(*BEYOND_64_BITS) as connection:
        left = remaining(pl.Series([0], dtype=pl.UInt32), check_posts(connection))
    assert left.rows() == [(0, 10 * 100 * MOST)]
