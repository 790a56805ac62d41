"""Where exactly a night is stopped, and by how many reasons, of what is awkward to bring about by a whole night."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from schemas.snapshot import Accepted
from tests.manifests import accepted
from tests.nights import S
from transforms.run import Settings
from transforms.stops import (
    damaged_home,
    date_before_extracts,
    shrunk_sources,
    too_many_held_back,
    unasked_date,
    unreadable_inbox,
    unusable_sources,
)


def extracted(kilde: str, day: date, nr: int = 1) -> Accepted:
    return accepted(kilde, nr, f"{day}T12:00:00+01:00", "full")


def told(stops):
    return [(stop.code, stop.kilde) for stop in stops]


def test_an_inbox_that_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    assert unreadable_inbox(tmp_path) == []
    for name in ("gone", "file", "file/below"):
        (one,) = unreadable_inbox(tmp_path / name)
        assert (one.level, one.code, one.message) == (3, "L3-INBOX-MISSING", str(tmp_path / name))


@pytest.mark.parametrize(
    ("published", "today", "codes"),
    [
        (None, S, []),
        (S, S, []),
        (S + timedelta(days=1), S, ["L3-DATE-BACK"]),
        (None, S - timedelta(days=1), ["L3-DATE-FUTURE"]),
        (S + timedelta(days=1), S - timedelta(days=1), ["L3-DATE-BACK", "L3-DATE-FUTURE"]),
    ],
)
def test_dates_that_must_be_asked_for(published, today, codes):
    assert [stop.code for stop in unasked_date(S, published, today)] == codes


def test_every_source_that_is_too_old_is_told_by_its_last_delivery():
    old, older = S - timedelta(days=4), S - timedelta(days=9)
    used = {
        "a": [extracted("a", old)],
        "b": [extracted("b", older), extracted("b", S, 2)],
        "c": [extracted("c", older)],
    }
    assert told(unusable_sources(used, [], [], S, lambda _: 3)) == [("L3-SOURCE-OLD", "a"), ("L3-SOURCE-OLD", "c")]
    assert told(unusable_sources(used, [], [], S, lambda _: 4)) == [("L3-SOURCE-OLD", "c")]


@pytest.mark.parametrize(
    ("moment", "snapshot_date", "codes"),
    [
        ("2026-11-20T00:00:00+01:00", S, []),  # three days before S
        ("2026-11-19T23:59:59+01:00", S, ["L3-SOURCE-OLD"]),  # four, by a second
        ("2026-11-19T23:00:00Z", S, []),  # midnight in Oslo
        ("2026-11-19T22:59:59Z", S, ["L3-SOURCE-OLD"]),
        ("2026-11-20T07:59:00+09:00", S, ["L3-SOURCE-OLD"]),  # the 20th in Tokyo
        ("2026-11-19T19:00:00-04:00", S, []),  # the 19th in the west
        ("2026-11-23T03:00:00+01:00", S, []),
        ("2026-11-25T03:00:00+01:00", S, []),  # after S
        ("2026-07-01T21:59:59Z", date(2026, 7, 5), ["L3-SOURCE-OLD"]),  # in summer 22:00Z is midnight
        ("2026-07-01T21:59:59Z", date(2026, 7, 4), []),
    ],
)
def test_days_are_whole_ones_in_oslo(moment, snapshot_date, codes):
    used = {"a": [accepted("a", 1, moment, "full")]}
    assert [stop.code for stop in unusable_sources(used, [], [], snapshot_date, lambda _: 3)] == codes


def test_a_source_may_have_a_limit_of_its_own():
    used = {kilde: [extracted(kilde, S - timedelta(days=2))] for kilde in ("a", "b")}
    limits = Settings(Path(), Path(), S, "", max_age_days=3, source_max_age={"b": 1}).oldest_of
    (one,) = unusable_sources(used, [], [], S, limits)
    assert (one.code, one.kilde, one.message) == ("L3-SOURCE-OLD", "b", "2 days, the limit is 1")


def test_every_source_that_is_gone_is_told():
    stops = unusable_sources({"b": [extracted("b", S)]}, {"c", "a"}, [], S, lambda _: 3)
    assert told(stops) == [("L3-SOURCE-GONE", "a"), ("L3-SOURCE-GONE", "c")]
    assert told(unusable_sources({}, [], [], S, lambda _: 3)) == [("L3-NO-SOURCE", None)]


def test_a_date_before_the_oldest_of_the_last_extracts():
    later = S + timedelta(days=1)
    assert date_before_extracts({"a": [extracted("a", later)], "b": [extracted("b", S)]}, S) == []
    both = {"a": [extracted("a", later)], "b": [extracted("b", S), extracted("b", later, 2)]}
    (one,) = date_before_extracts(both, S)
    assert (one.code, one.kilde, one.leveransenummer) == ("L3-DATE-EXTRACTS", "a", 1)


def test_every_table_that_has_shrunk_is_told_of_sources_that_both_nights_have():
    used = {kilde: [extracted(kilde, S, nr)] for nr, kilde in enumerate(("a", "new"), start=7)}
    said = {"a": {"krav": 79, "part": 0}, "new": {"krav": 1, "part": 1}}
    before = {"a": {"krav": 100, "part": 1}, "gone": {"krav": 100, "part": 1}}
    (one,) = shrunk_sources(used, said, before, 0.2)
    assert (one.kilde, one.leveransenummer) == ("a", 7)
    assert one.message == "krav has lost 21 of 100 rows, part has lost 1 of 1 rows; the limit is 20.00%"
    assert shrunk_sources(used, {"a": {"krav": 80, "part": 1}}, before, 0.2) == []
    assert shrunk_sources(used, {"a": {"krav": 71, "part": 1}}, before, 0.29) == []  # 0.29 × 100 is less in binary


@pytest.mark.parametrize(
    ("left", "limit", "codes"),
    [
        (10, 0.2, []),
        (8, 0.2, []),  # exactly the share
        (7, 0.2, ["L3-SOURCE-SHRUNK"]),
        (7, 0.3, []),  # 0.3 × 10 in binary is just under 3
        (0, 0.2, ["L3-SOURCE-SHRUNK"]),
        (0, 0.99, ["L3-SOURCE-SHRUNK"]),
        (0, 1, []),
        (9, 0, ["L3-SOURCE-SHRUNK"]),
    ],
)
def test_the_share_of_ten_rows_that_may_be_lost(left, limit, codes):
    used = {"a": [extracted("a", S)]}
    stops = shrunk_sources(used, {"a": {"innbetaling": left}}, {"a": {"innbetaling": 10}}, limit)
    assert [stop.code for stop in stops] == codes


@pytest.mark.parametrize(
    ("parts", "held", "share", "codes"),
    [
        (100, 1, 0.01, []),  # exactly the share
        (99, 1, 0.01, ["L3-HELD-BACK"]),
        (100, 2, 0.01, ["L3-HELD-BACK"]),
        (200, 2, 0.01, []),
        (10, 1, 0.1, []),
        (10, 3, 0.3, []),
        (10, 4, 0.3, ["L3-HELD-BACK"]),
        (10, 7, 0.7, []),  # 0.7 × 10 in binary is just under 7
        (100, 29, 0.29, []),  # and 0.29 × 100 just under 29
        (10, 0, 0.0, []),
        (10, 1, 0.0, ["L3-HELD-BACK"]),
        (2, 2, 1.0, []),
    ],
)
def test_the_share_that_may_be_held_back(parts, held, share, codes):
    assert [stop.code for stop in too_many_held_back(held, parts, share)] == codes


def test_what_is_refused_is_told_with_the_share_that_it_holds_back():
    (one,) = too_many_held_back(3, 100, 0.02, "; rows refused: 3 of mva 000042")
    assert one.message == "3 of 100, the limit is 2.00%; rows refused: 3 of mva 000042"


def test_a_share_without_limit_lets_everything_through():
    assert too_many_held_back(5, 0, float("inf")) == []
    assert told(too_many_held_back(5, 0, 1)) == [("L3-HELD-BACK", None)]


def test_damaged_documents_alone_stop_no_night():
    """They are made anew; what the next night reads of the tables is not."""
    damaged = ["documents/a.zst", "documents/index.arrow", "tables/krav/a.parquet", "findings.parquet"]
    assert [stop.message.split()[0] for stop in damaged_home(damaged)] == [
        "documents/index.arrow",
        "tables/krav/a.parquet",
    ]
