"""How posts hang together: what a row names by key is found once, and followed by number from there."""

from threading import Event

import polars as pl
import pytest

from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S, looking_at
from transforms.ledgers.good import show_good
from transforms.ledgers.links import (
    LINKING,
    Named,
    Numbered,
    all_linked,
    keys_of,
    link_due_dates,
    link_placements,
    link_to_part,
    links_of,
    number_parts,
)

SAID = (
    *(part("E", "ENK", "O"), part("O", "PERSON"), part("A"), krav("K", "A", 100), kravforfall("F", "K", 100, S)),
    *(krav("C", "O", -30), kravforfall("G", "C", -30, S), innbetaling("I", "E", 80), utbetaling("U", "O", 20)),
    *(plassering("PI", "INNBETALING", "F", "I", 60), plassering("PM", "MOTKRAV", "F", "G", 10)),
    plassering("PU", "UTBETALING", "G", "U", 20),
)


@pytest.fixture
def connection():
    with looking_at(*SAID) as connection:
        show_good(connection)
        yield connection


def test_parts_are_numbered_by_code_point_and_know_their_owner(connection):
    numbered = links_of(connection)["part"]
    assert numbered.select("part_row", "part", "innehaver_row").rows() == [(0, "A", None), (1, "E", 2), (2, "O", None)]


def test_a_post_has_the_number_of_what_it_names(connection):
    """Numbers of rows are their places in the statement, and of each table from 0."""
    links = links_of(connection)
    assert sorted(links["krav"].select("row", "part_row", "beloep").rows()) == [(0, 0, 10_000), (1, 2, -3_000)]
    dues = links["kravforfall"].select("row", "krav_row", "part_row", "beloep")
    assert sorted(dues.rows()) == [(0, 0, 0, 10_000), (1, 1, 2, -3_000)]
    assert links["innbetaling"].select("row", "part_row", "beloep").rows() == [(0, 1, 8_000)]
    assert links["utbetaling"].select("row", "part_row", "beloep").rows() == [(0, 2, 2_000)]


def test_a_placement_has_the_posts_at_both_its_ends(connection):
    placed = links_of(connection)["plassering"].sort("row")
    assert placed.drop("row").rows() == [
        ("INNBETALING", 6_000, 0, 0),
        ("MOTKRAV", 1_000, 0, 1),
        ("UTBETALING", 2_000, 1, 0),
    ]


def test_batches_are_linked_side_by_side_and_stay_in_order():
    second_began = Event()

    def link(rows):
        if rows["n"].item() == 0:
            assert second_began.wait(10)
        second_began.set()
        return rows.with_columns(linked=pl.col("n") * 10)

    batches = (pl.DataFrame({"n": [n]}) for n in range(2))
    assert all_linked(batches, link).rows() == [(0, 0), (1, 10)]


def test_no_more_batches_are_read_than_are_linked_at_a_time():
    done = []

    def batches():
        for n in range(6):
            assert len(done) >= n + 1 - LINKING
            yield pl.DataFrame({"n": [n]})

    def link(rows):
        done.append(rows)
        return rows

    assert all_linked(batches(), link)["n"].to_list() == [*range(6)]


def keys(connection, name):
    return pl.concat(keys_of(connection, name))


def test_what_is_not_there_has_no_number(connection):
    part = Named.of(number_parts(keys(connection, "part").filter(part="A")), "part")
    krav = link_to_part(keys(connection, "krav"), part)
    assert krav.sort("row").select("row", "part_row").rows() == [(0, 0), (1, None)]
    dues = link_due_dates(keys(connection, "kravforfall"), Named.of(krav.filter(row=0), "krav"))
    assert dues.sort("row").select("row", "krav_row", "part_row").rows() == [(0, 0, 0), (1, None, None)]
    posts = {name: link_to_part(keys(connection, name), part) for name in ("innbetaling", "utbetaling")}
    named = {name: Named.of(rows, name) for name, rows in {"kravforfall": dues, **posts}.items()}
    named["kravforfall"] = named["kravforfall"].those(dues["row"] == 0)
    placed = link_placements(keys(connection, "plassering"), named)
    ends = ("forfall_row", "forfall_beloep", "motpost_row", "motpost_beloep")
    assert placed.sort("row").select(ends).rows() == [
        *((0, 10_000, 0, 8_000), (0, 10_000, None, None), (None, None, 0, 2_000)),
    ]


@pytest.mark.parametrize(
    "wrong", [plassering("P", "MOTKRAV", "F", "F2", 1), plassering("P", "INNBETALING", "F", "U", 1)]
)
def test_a_motpost_is_a_post_of_the_placements_kind(wrong):
    """Of motkrav that is a due date below zero."""
    with looking_at(*SAID, kravforfall("F2", "K", 5, S), wrong) as connection:
        show_good(connection)
        placed = links_of(connection)["plassering"].sort("row")
        assert placed.select("forfall_row", "motpost_row").rows()[-1] == (0, None)


def test_rows_are_found_by_their_number():
    """Whatever number is asked for: below, between and beyond those that are here."""
    here = Numbered(pl.DataFrame({"row": [7, 3], "bucket": ["seven", "three"]}, schema_overrides={"row": pl.UInt32}))
    asked = pl.DataFrame({"row": [0, 3, 4, 7, 8, 9, 4_000_000_000]}, schema={"row": pl.UInt32})
    assert here.among(asked).rows() == [(3, "three"), (7, "seven")]
    nobody = Numbered(pl.DataFrame(schema={"row": pl.UInt32, "bucket": pl.String}))
    assert nobody.among(asked).rows() == []
    assert here.values(asked["row"], "bucket").to_list() == [None, "three", None, "seven", None, None, None]
