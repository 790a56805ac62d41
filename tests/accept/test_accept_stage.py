"""The stage ``accept`` by itself: what is in force, what is wrong with deliveries, what of the home cannot be used."""

from datetime import date, timedelta

import pytest

from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, part
from tests.small import S
from transforms.home.report import StoppedError
from transforms.home.snapshot import ANALYTICS, MANIFEST
from transforms.receipts import night_of
from transforms.stops import home_can_be_read

A = organisation_number(1)


def stopped(small, **settings):
    """The codes that the stage stops for at once, for it leaves nothing."""
    with pytest.raises(StoppedError) as stopped, home_can_be_read():
        small.accept(**settings)
    return [reason.code for reason in stopped.value.reasons]


def codes(reasons):
    return [reason.code for reason in reasons]


@pytest.fixture
def delivered(small):
    small.deliver(part(A), innbetaling("I", A, 5))
    return small


def test_what_is_in_force_and_what_was_counted(delivered):
    delivered.deliver(innbetaling("I2", A, 5), nr=2)
    delivered.deliver(innbetaling("I4", A, 5), nr=4)  # 3 is missing
    delivered.deliver(part(A), kilde="skatt")
    left = delivered.accept()
    numbers = {kilde: [one.leveransenummer for one in chain] for kilde, chain in left.used.items()}
    assert numbers == {"mva": [1, 2], "skatt": [1]}
    assert left.in_force == left.new and left.accepted == []
    assert (left.stops, left.lost, left.night) == ([], [], night_of(delivered.settings()))
    counts = left.counts
    assert (counts.accepted, counts.used, counts.refused, counts.waiting) == (3, 3, 0, 1)
    assert (counts.rows["part"], counts.rows["innbetaling"]) == (2, 2)
    assert codes(left.refusals) == ["L1-GAP"] and counts.refused_by_code == {"L1-GAP": 1}


def test_what_an_earlier_snapshot_used_is_known_and_not_counted_again(delivered):
    delivered.publish(part(A), used=delivered.accept().in_force)
    delivered.deliver(innbetaling("I2", A, 5), nr=2)
    left = delivered.accept()
    assert [one.leveransenummer for one in left.in_force] == [1, 2]
    assert [one.leveransenummer for one in left.new] == [2]
    assert [one.leveransenummer for one in left.accepted] == [1]
    assert (left.counts.accepted, left.counts.used, left.counts.rows["part"]) == (1, 2, 0)


def test_what_an_earlier_night_has_left_is_removed(delivered):
    run = delivered.settings()
    for left_over in (run.work / "receipts", run.snapshot(f"{S}-dead")):
        left_over.mkdir(parents=True)
    delivered.accept()
    assert not run.work.exists() and not run.snapshot(f"{S}-dead").exists()


def test_an_inbox_that_is_not_there_stops_at_once(small):
    assert stopped(small) == ["L3-INBOX-MISSING"]


def test_reasons_that_a_night_goes_on_to_tell_of_others(delivered):
    """All are found before it stops."""
    used = delivered.accept().in_force
    other = used[0].model_copy(update={"kilde": "skatt"})
    delivered.publish(part(A), used=[*used, other])
    left = delivered.accept(day=S + timedelta(days=9), allow_date=True)
    assert codes(left.stops) == ["L3-SOURCE-OLD", "L3-SOURCE-GONE", "L3-ACCEPTED-LOST"]
    assert [stop.kilde for stop in left.stops] == ["mva", "skatt", "skatt"]


@pytest.mark.parametrize(("day", "code"), [(date(2026, 11, 22), "L3-DATE-BACK"), (date(9999, 1, 1), "L3-DATE-FUTURE")])
def test_a_date_that_nobody_would_ask_for(delivered, day, code):
    delivered.publish(part(A), used=delivered.accept().in_force)
    assert stopped(delivered, day=day) == [code]
    assert code not in codes(delivered.accept(day=day, allow_date=True).stops)


def test_a_date_before_all_extracts(small):
    small.deliver(part(A), uttrekkstidspunkt="2026-11-23T12:00:00+01:00")
    day = date(2026, 11, 22)
    assert codes(small.accept(day=day).stops) == ["L3-DATE-EXTRACTS"]
    assert codes(small.accept(day=day, allow_date=True).stops) == []


def damage(small, name):
    (path,) = small.settings().previous().glob(name)
    path.write_bytes(path.read_bytes() + b"more")


def test_documents_that_are_damaged_are_lost_and_tables_stop_the_night(delivered):
    delivered.publish(part(A), used=delivered.accept().in_force)
    damage(delivered, "findings.parquet")  # which no night needs
    damage(delivered, "documents/*-oversikt.zst")
    assert delivered.accept().lost == [f"documents/{S}-0000-0000-oversikt.zst"]
    damage(delivered, "tables/krav/*-oversikt.parquet")
    assert stopped(delivered) == ["L3-HOME-DAMAGED"]


def test_analytics_that_is_changed_or_gone_is_told_and_stops_nothing(delivered):
    def told():
        return [(one.level, one.message) for one in delivered.accept().refusals if one.code == "R-ANALYTICS-CHANGED"]

    folder = delivered.publish(part(A), used=delivered.accept().in_force, files={ANALYTICS: b"views"})
    assert told() == []
    (folder / ANALYTICS).write_bytes(b"VIEWS")  # as long as it was
    assert told() == [(0, folder.name)]
    (folder / ANALYTICS).unlink()
    assert told() == [(0, folder.name)]


@pytest.mark.parametrize(
    ("content", "code"), [("{", "L3-HOME-DAMAGED"), ('{"skjemaversjon": "2", "previous": null}', "L3-HOME-VERSION")]
)
def test_a_home_that_cannot_be_built_upon(delivered, content, code):
    """Nothing of it is removed."""
    delivered.publish(part(A), used=delivered.accept().in_force)
    previous = delivered.settings().previous()
    (previous / MANIFEST).write_text(content)
    assert stopped(delivered) == [code]
    assert (previous / "documents").exists() and list(delivered.settings().deliveries.glob("mva/*"))
