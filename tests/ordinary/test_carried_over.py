"""What stays as it was: segments shared, copied and left behind, and what is damaged or gone."""

import polars as pl
import pytest

from tests.nights import S, counts_of, held_back_of, stops_of
from tests.ordinary.statement import ENK, FIRST, OWNER, A, B, C, D, built, deliver, inodes, rewrite, tables
from tests.plain.numbers import organisation_number
from tests.plain.statement import krav, kravforfall, part
from transforms.build import carry_over
from transforms.home.snapshot import HELD_BACK, QUARANTINED, SAME

pytestmark = pytest.mark.slow


def test_rows_that_are_kept_get_the_columns_of_tonight(home):
    """The tables are as another program made them. Most parts are held back, so their segment is mostly in use."""
    deliver(home, *(krav(f"bad-{whose}", whose, 7) | {"slettet": False} for whose in (A, B, C, D)))
    for table in (home.home / "current" / "tables" / "krav").glob("*.parquet"):
        rewrite(home, table, pl.read_parquet(table).drop("kravbeskrivelse").with_columns(another=1))
    home.publish(full=True)
    assert len(tables(home.home)["krav"]) == 4


def test_a_damaged_segment_is_not_carried_over(home):
    before = home.documents()
    segment = next((home.home / "current" / "documents").glob("*.zst"))
    segment.write_bytes(segment.read_bytes()[:-9])
    night = home.publish()
    assert counts_of(night, "build").built_parts == 6
    assert home.documents() == before


def test_of_a_part_held_back_nothing_is_left_when_its_segment_is_damaged(home):
    deliver(home, krav("K-bad", A, 7) | {"slettet": False})
    segment = next((home.home / "current" / "documents").glob("*-oversikt.zst"))
    segment.write_bytes(segment.read_bytes()[:-9])
    assert held_back_of(home.publish()) == {A}
    assert home.answer(A) == "KB-002"
    assert set(home.documents()) == {B, C, D, OWNER, ENK}


@pytest.mark.parametrize("name", ["findings.parquet", "reconciliation.json", "analytics.duckdb"])
def test_what_the_next_night_does_not_need_may_be_gone(home, name):
    (home.home / "current" / name).unlink()
    assert built(home) == set()


@pytest.mark.parametrize("name", ["documents/index.arrow", "tables/part/part.parquet", HELD_BACK, QUARANTINED, SAME])
def test_what_the_next_night_needs_stops_it_when_it_is_gone(home, name):
    (home.home / "current" / name).unlink()
    assert [stop.code for stop in stops_of(home.run())] == ["L3-HOME-DAMAGED"]


def test_a_segment_mostly_in_use_is_shared_and_one_that_is_not_is_left_behind(home):
    first = inodes(home)
    built(home, krav("K-O", OWNER, 10, kravbeskrivelse="Ny"))
    assert first < inodes(home)
    built(home, *(row for table in ("krav", "innbetaling") for row in FIRST[table]))
    assert not first & inodes(home)
    assert len(tables(home.home)["part"]) == 6 and len(tables(home.home)["krav"]) == 4


def test_many_small_segments_become_one(home, monkeypatch):
    """Each night's new part lies in segments of its own, and those of all nights stay in use."""
    built(home, krav("K-O", OWNER, 10, kravbeskrivelse="Ny"))
    monkeypatch.setattr(carry_over, "SMALL_SEGMENTS", 1)
    for number in range(60, 62):
        before = home.documents()
        new = organisation_number(number)
        built(home, part(new), krav(f"K{number}", new, 5), kravforfall(f"F{number}", f"K{number}", 5, S))
        assert home.documents().items() > before.items()
    assert len(inodes(home)) <= 6  # of eight, without
    assert len(tables(home.home)["krav"]) == 6


def test_parts_without_posts_are_copied_too(home, monkeypatch):
    """Their histories' segment has no bytes."""
    monkeypatch.setattr(carry_over, "SMALL_SEGMENTS", 0)
    new = organisation_number(50)
    built(home, part(new))
    deliver(home, krav("K-BAD", new, 7) | {"slettet": False})  # without due dates: the part is held back, and copied
    assert held_back_of(home.publish(full=True)) == {new}
    assert new in home.documents()


def test_without_hard_links_segments_are_copied(home, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(carry_over.os, "link", refused)
    before, first = home.documents(), inodes(home)
    assert built(home) == set()
    assert home.documents() == before
    assert not first & inodes(home)
