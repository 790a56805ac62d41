"""Which bucket each post goes to, what it shows of far ends, and what remains of krav there."""

import polars as pl
import pytest

from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import MOST
from tests.small import looking_at
from tests.spread.test_spread_expected import BEYOND_64_BITS
from tests.spread.test_spread_files import SAID
from transforms.check.posts import check_posts
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.links import MOTPOSTER
from transforms.spread.buckets import Buckets, bucket_count, far_posts, remaining

A, B, ENK, OWNER = *(organisation_number(n) for n in range(1, 4)), national_number(1)


@pytest.mark.parametrize(
    ("parts", "count"), [(0, 1), (1, 1), (4_000, 1), (4_001, 2), (8_000, 2), (8_001, 4), (100_000, 32)]
)
def test_as_many_buckets_as_hold_the_parts_a_power_of_two(parts, count):
    assert bucket_count(parts) == count


FORFALL = {"F": 0, "F-B": 1, "G": 2, "G2": 3}
"""The due dates' numbers: their places in the statement."""


def links_of(folder, *said):
    """The links of a statement."""
    links = LinkFiles(folder / "links")
    with looking_at(*said) as connection:
        check_posts(connection, links.write)
    return links


@pytest.fixture
def spread(tmp_path):
    """The links of the statement, and the buckets of these parts."""
    links = links_of(tmp_path, *SAID)
    return lambda *parts: (links, Buckets(links, pl.DataFrame({"part": parts}, {"part": pl.String}), 1))


def test_posts_of_parts_that_are_not_built_are_nowhere(spread):
    links, buckets = spread(A)
    posts = {name: buckets.posts(name, links.whole(name)) for name in ("krav", *MOTPOSTER.values())}
    assert {name: rows.height for name, rows in posts.items()} == {
        **{"krav": 1, "kravforfall": 1, "innbetaling": 0, "utbetaling": 1}
    }
    assert posts["kravforfall"].select("row", "krav_row", "part_row", "bucket").rows() == [(0, 0, 1, 0)]
    assert buckets.part["part"].to_list() == [A]
    ends = buckets.ends(links.whole("plassering").sort("row"))  # PB is B's alone
    assert ends.select("forfall_bucket", "motpost_bucket").rows() == [(0, None), (0, None), (None, 0)]


def test_placements_rows_have_their_ends_whether_they_are_good_or_not(spread):
    links, buckets = spread(A, B)
    rows = links.whole("plassering").select("row", "plasseringstype").sort("row")
    not_good = rows.tail(1).with_columns(row=pl.lit(9, pl.UInt32))
    placed = buckets.placed(pl.concat([rows, not_good]))
    assert placed.equals(buckets.ends(links.whole("plassering").sort("row")).select(placed.columns))


def test_far_ends_are_of_a_bucket_that_shows_them(spread):
    dues, payments = far_posts(*spread(A))
    assert sorted(dues.rows()) == [(0, FORFALL["G"], False), (0, FORFALL["G2"], True)]
    assert payments.rows() == [(0, 0)]


def test_in_one_bucket_nothing_is_far(spread):
    dues, payments = far_posts(*spread(A, B, ENK, OWNER))
    assert dues.is_empty() and payments.is_empty()


def test_what_remains_of_debits_and_credits(spread):
    """Of A's debit of 100 with 60 paid and 10 covered; of B's debit of 8, which is covered; and of B's credit of 50, of
    which 18 cover debits and 15 are paid out.
    """
    krav = pl.Series([0, 1, 2], dtype=pl.UInt32)
    left = remaining(krav, spread()[0].around(krav))
    assert sorted(left.rows()) == [(0, 3_000), (1, 0), (2, -1_700)]


def test_what_remains_beyond_64_bits(tmp_path):
    krav = pl.Series([0], dtype=pl.UInt32)
    left = remaining(krav, links_of(tmp_path, *BEYOND_64_BITS).around(krav))
    assert left.rows() == [(0, 10 * 100 * MOST)]
