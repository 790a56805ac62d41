"""What a home and an inbox know, the partitions, and when a night begins by itself. Nothing is run."""

from datetime import date, datetime, time, timedelta

import dagster as dg
import pytest

from pipelines import nights as nights_module
from pipelines.known import Known, known
from pipelines.nights import nights, nights_with
from pipelines.starts import LATE_TAG, decide, make_schedule, make_sensor
from schemas.operations import Operations, Source
from schemas.snapshot import OSLO, SnapshotManifest
from schemas.store import STORE_VERSION
from tests.plain.write import write_delivery
from transforms.home.retained import roll_back
from transforms.home.snapshot import switch, write_json

DAY = date(2026, 11, 23)


def moment(clock, day=DAY):
    return datetime.combine(day, time.fromisoformat(clock), OSLO)


def deliver(inbox, kilde, nummer, extracted="2026-11-22T23:00:00+01:00"):
    write_delivery(inbox, kilde, nummer, "full", {}, manifest_changes={"uttrekkstidspunkt": extracted})


def published(day, **last):
    """A manifest of a snapshot of the day, with the last delivery of each source that it used."""
    said = {"type": "full", "manifest_sha256": "0" * 64, "filer": {}, "receipt": {}}
    at = datetime.fromisoformat("2026-11-21T23:00:00+01:00")
    used = [
        {"kilde": kilde, "leveransenummer": nummer, "uttrekkstidspunkt": at, **said} for kilde, nummer in last.items()
    ]
    empty = {"posts": {}, "documents": {}, "contradictions": 0, "rows": {}}
    return SnapshotManifest.model_validate(
        {"skjemaversjon": "1", "made_with": {}, "snapshot": f"{day}-a", "snapshotdato": day, "run": "a", "made_at": at}
        | {"extracted_at": at, "previous": None, "used": used, "accepted": used, "stages": {}}
        | {"reconciliation": empty, "files": {}}
    )


def asked(inbox, clock, operations=None, manifest=None):
    """What is decided at the time of day."""
    return decide(Known(inbox, manifest, known(inbox, inbox / "home").inbox), operations or Operations(), moment(clock))


def test_the_inbox_is_known_by_its_deliveries(tmp_path):
    deliver(tmp_path, "mva", 2)
    deliver(tmp_path, "mva", 1, "2026-11-20T23:00:00+01:00")
    (tmp_path / "skatt" / "000001").mkdir(parents=True)  # no manifest yet
    (tmp_path / "Stray").mkdir()
    told = known(tmp_path, tmp_path / "home")
    assert (told.inbox, told.sources) == ({"mva": [1, 2]}, ["mva"])
    assert told.first_night() == date(2026, 11, 21)  # extracted in the evening before
    assert known(tmp_path / "none", tmp_path / "home") == Known(tmp_path / "none")


def test_the_home_knows_its_sources_and_its_first_night_when_the_inbox_is_emptied(tmp_path):
    told = Known(tmp_path, published(DAY, mva=3))
    assert (told.sources, told.first_night()) == (["mva"], date(2026, 11, 22))


def test_partitions_run_from_the_first_night_through_today_in_oslo(tmp_path, monkeypatch):
    monkeypatch.delenv("KRAVOVERSIKT_FIRST_NIGHT", raising=False)
    told, at = Known(tmp_path, published(DAY, mva=3)), moment("00:30", date(2026, 11, 24))
    assert nights(told).get_partition_keys(at) == ["2026-11-22", "2026-11-23", "2026-11-24"]
    monkeypatch.setenv("KRAVOVERSIKT_FIRST_NIGHT", "2026-11-24")
    assert nights(told).get_partition_keys(at) == ["2026-11-24"]


@pytest.mark.parametrize("day", [date(2019, 1, 1), DAY, date(2031, 5, 5)])
def test_the_command_line_has_a_partition_for_any_date(day, monkeypatch):
    monkeypatch.setattr(nights_module, "today", lambda: DAY)
    keys = nights_with(day).get_partition_keys(moment("12:00"))
    assert str(day) in (keys[0], keys[-1])


def test_the_night_begins_when_every_required_source_has_delivered(tmp_path):
    deliver(tmp_path, "mva", 4)
    operations = Operations(sources={"skatt": Source(), "sanksjon": Source(required=False)})
    waits = asked(tmp_path, "00:10", operations)
    assert isinstance(waits, dg.SkipReason)
    assert waits.skip_message == "the night of 2026-11-23 waits for skatt until 05:00"
    deliver(tmp_path, "skatt", 1)
    begins = asked(tmp_path, "00:10", operations)
    assert (begins.run_key, begins.partition_key) == ("2026-11-23", "2026-11-23")
    assert LATE_TAG not in begins.tags


@pytest.mark.parametrize(
    ("extracted", "nummer", "delivered"),
    [
        ("2026-11-22T00:00:00+01:00", 4, True),
        ("2026-11-21T23:59:59+01:00", 4, False),  # for the night before
        ("2026-11-21T23:00:00+00:00", 4, True),  # midnight in Oslo
        ("2026-11-23T01:00:00+01:00", 4, True),
        ("2026-11-22T23:00:00+01:00", 3, False),  # in force already
    ],
)
def test_what_counts_as_delivered_for_the_night(tmp_path, extracted, nummer, delivered):
    deliver(tmp_path, "mva", nummer, extracted)
    decided = asked(tmp_path, "01:30", manifest=published(date(2026, 11, 22), mva=3))
    assert isinstance(decided, dg.RunRequest) == delivered


def test_a_manifest_that_cannot_be_read_is_no_delivery(tmp_path):
    deliver(tmp_path, "mva", 1)
    (tmp_path / "mva" / "000001" / "manifest.json").write_text("{")
    assert isinstance(asked(tmp_path, "04:59"), dg.SkipReason)


def test_at_the_deadline_it_begins_with_those_that_have_delivered_and_says_who_is_late(tmp_path):
    operations = Operations(sources={"mva": Source(), "skatt": Source(expected_by=time(3, 0))})
    waits = asked(tmp_path, "03:30", operations)
    assert waits.skip_message == "the night of 2026-11-23 waits for mva until 05:00"
    assert asked(tmp_path, "05:00", operations).tags[LATE_TAG] == "mva, skatt"
    deliver(tmp_path, "mva", 1)
    assert asked(tmp_path, "03:00", operations).tags[LATE_TAG] == "skatt"


def test_a_night_that_is_published_does_not_begin_again(tmp_path):
    deliver(tmp_path, "mva", 4)
    decided = asked(tmp_path, "06:00", manifest=published(DAY, mva=3))
    assert decided.skip_message == "what is published is of 2026-11-23"


def test_a_night_that_was_gone_back_from_is_not_begun_again_by_itself(tmp_path):
    """What was wrong with it lies in the inbox still: it would be published anew within a minute."""
    home = tmp_path / "home"
    before = None
    for day in (DAY - timedelta(days=1), DAY):
        manifest = published(day, mva=1).model_copy(
            update={"snapshot": f"{day}-a", "previous": before, "skjemaversjon": STORE_VERSION}
        )
        folder = home / "snapshots" / manifest.snapshot
        folder.mkdir(parents=True)
        write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
        switch(home, folder)
        before = manifest.snapshot
    deliver(tmp_path / "inbox", "mva", 2)
    roll_back(home, home / "snapshots" / f"{DAY - timedelta(days=1)}-a")
    decided = decide(known(tmp_path / "inbox", home), Operations(), moment("04:00"))
    assert isinstance(decided, dg.SkipReason) and "was rolled back from" in decided.skip_message
    tomorrow = DAY + timedelta(days=1)
    deliver(tmp_path / "inbox", "mva", 3, "2026-11-23T23:00:00+01:00")
    assert isinstance(decide(known(tmp_path / "inbox", home), Operations(), moment("04:00", tomorrow)), dg.RunRequest)


def test_nothing_begins_where_no_source_is_known(tmp_path):
    assert "no source" in asked(tmp_path, "06:00").skip_message


@dg.job
def some_job():
    pass


def test_both_are_off_until_switched_on():
    schedule, sensor = make_schedule(some_job), make_sensor(some_job)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED


def test_the_schedule_asks_for_the_day_that_it_is_in_oslo_and_leaves_nothing_behind():
    at = datetime(2026, 11, 22, 23, 30, tzinfo=OSLO).astimezone()
    context = dg.build_schedule_context(scheduled_execution_time=at)
    asked_for = make_schedule(some_job)(context)
    assert (asked_for.run_key, asked_for.partition_key) == ("2026-11-22", "2026-11-22")
    assert make_schedule(some_job).cron_schedule == "30 3 * * *"
