"""What there is to tell, of a night and by the clock: pure functions of what is seen of a home."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from alarms.clock import overdue
from alarms.message import Message
from alarms.night import messages, not_begun, recovered
from alarms.seen import Seen, see
from schemas.operations import Operations, Source
from schemas.refusals import SENTENCES, Refusal
from schemas.report import CheckCounts, RunReport, Stages
from schemas.snapshot import Accepted, Reconciliation, SnapshotManifest
from tests.plain.write import write_delivery
from transforms.home.findings import findings
from transforms.home.report import NOTHING_NEW, Report, put_on_record

S = date(2026, 11, 23)
EVENING_BEFORE = datetime(2026, 11, 22, 22, tzinfo=UTC)
MORNING = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)  # half past six in Oslo
OPERATIONS = Operations(ui_url="http://dagster.example:3000/")


def used(kilde: str, at: datetime = EVENING_BEFORE) -> Accepted:
    return Accepted(
        kilde=kilde, leveransenummer=1, type="full", uttrekkstidspunkt=at, manifest_sha256="0", filer={}, receipt={}
    )


def manifest(*deliveries: Accepted, day: date = S, run: str = "r1") -> SnapshotManifest:
    return SnapshotManifest(
        skjemaversjon="1",
        made_with={},
        snapshot=f"{day}-{run}",
        snapshotdato=day,
        run=run,
        made_at=MORNING,
        extracted_at=EVENING_BEFORE,
        previous=None,
        used=list(deliveries),
        accepted=[],
        stages=Stages(),
        reconciliation=Reconciliation(posts={}, documents={}, contradictions=0, rows={}),
        files={},
    )


def seen(outcome: str = "published", *refusals: Refusal, **fields) -> Seen:
    """A night as it was left; ``fields``: of the report or of what is seen."""
    of_seen = {name: fields.pop(name) for name in ("published", "damage", "now", "run_id") if name in fields}
    report = RunReport(run="r1", snapshotdato=S, outcome=outcome, **fields)
    return Seen(**{"report": report, "findings": findings(refusals), "now": MORNING} | of_seen)


def only(told: list[Message], kind: str) -> Message:
    [message] = told
    assert message.kind == kind
    return message


# of a night


def test_of_a_good_night_there_is_nothing_to_tell():
    assert messages(seen(published=manifest(used("mva"))), OPERATIONS) == []


@pytest.mark.parametrize("outcome", ["running", "partial"])
def test_nobody_is_told_of_a_run_that_goes_on_or_was_asked_for_some_stages(outcome):
    assert messages(seen(outcome), OPERATIONS) == []


def test_a_night_that_stopped_tells_why_and_what_to_do_and_where_to_look():
    night = seen("stopped", Refusal(3, "L3-SOURCE-OLD", "4 days, the limit is 3", "mva", 7), run_id="r1-and-so-on")
    told = only(messages(night, OPERATIONS), "night-failed")
    assert (told.id, told.severity, told.snapshotdato) == ("night-failed-r1", "critical", S)
    [item] = told.items
    assert (item.code, item.sentence) == ("L3-SOURCE-OLD", SENTENCES["L3-SOURCE-OLD"])
    assert (item.kilde, item.leveransenummer) == ("mva", 7)
    assert item.to_do == "ask the source; look for a refused or waiting delivery of it"
    assert told.link == "http://dagster.example:3000/runs/r1-and-so-on"
    assert all(word in told.text for word in ("CRITICAL", "2026-11-23", "mva 000007", item.to_do, told.link))


def test_a_night_that_failed_tells_where():
    told = only(
        messages(seen("failed", failure="check: OSError: Input/output error at x.py:1"), OPERATIONS), "night-failed"
    )
    assert told.items[0].sentence == "check: OSError: Input/output error at x.py:1"


def test_a_night_that_died_is_told_of_by_whoever_looks_next():
    told = only(messages(seen("unfinished"), OPERATIONS), "night-failed")
    assert "its process died" in told.sentence


def test_refused_and_waiting_deliveries_are_one_message_each_code_of_each_once():
    refusals = [Refusal(1, "L1-ROWS", "2 of 3", "mva", 7), Refusal(1, "L1-ROWS", "4 of 5", "mva", 7)]
    refusals += [Refusal(1, "L1-GAP", "…", "mva", 8), Refusal(0, "R-KID", "3")]
    told = only(messages(seen("published", *refusals), OPERATIONS), "deliveries")
    assert told.severity == "warning"
    assert [(item.code, item.leveransenummer, item.count) for item in told.items] == [
        ("L1-ROWS", 7, 2),
        ("L1-GAP", 8, 1),
    ]
    assert told.sentence.endswith("met 1 reason to refuse deliveries, 1 reason why deliveries wait")


@pytest.mark.parametrize(("held_back", "told"), [(20, []), (21, ["held-back"])])
def test_parts_held_back_are_told_of_above_the_limit_for_warnings(held_back, told):
    checked = CheckCounts(posts={"part": 10_000}, held_back=held_back, quarantined_by_code={"L2-CLAIM-SUM": 3})
    found = messages(seen(stages=Stages(check=checked)), OPERATIONS)
    assert [message.kind for message in found] == told
    for message in found:
        assert "0.21% of the parts" in message.sentence
        assert [(item.code, item.count) for item in message.items] == [("L2-CLAIM-SUM", 3)]


def test_a_source_without_a_delivery_for_the_night_is_told_of_the_same_night():
    days_ago = EVENING_BEFORE - timedelta(days=1)
    night = seen(published=manifest(used("mva"), used("skatt", days_ago)))
    told = only(messages(night, OPERATIONS), "source-late")
    assert (told.id, told.items[0].kilde) == ("source-late-skatt-2026-11-23", "skatt")
    assert "its last extract is of 2026-11-21, 2 days before" in told.sentence


def test_a_source_that_is_not_required_is_never_late_and_one_that_is_named_may_never_have_come():
    settled = Operations(sources={"renter": Source(required=False), "toll": Source()})
    night = seen(published=manifest(used("mva"), used("renter", EVENING_BEFORE - timedelta(days=9))))
    told = only(messages(night, settled), "source-late")
    assert told.sentence == "toll has no delivery in force for the night of 2026-11-23: it has never delivered"


def test_that_no_source_has_delivered_is_told_once_a_date_whoever_is_required():
    """Which run it was matters to nobody: the night may have been run again."""
    operations = Operations(sources={"mva": Source(required=False)})
    of_this = manifest(used("mva", EVENING_BEFORE - timedelta(days=1)))
    told = only(messages(seen(told=[NOTHING_NEW], published=of_this), operations), "nothing-new")
    assert (told.id, told.severity) == (f"nothing-new-{S}", "warning")
    assert NOTHING_NEW in told.text
    assert "look whether the inbox is the right one" in told.text
    assert messages(seen(told=["another thing"], published=of_this), operations) == []


def test_a_good_night_after_a_bad_one_says_so():
    assert recovered(seen(published=manifest()), OPERATIONS, []) == []
    assert recovered(seen("stopped", published=manifest(run="r0")), OPERATIONS, ["night-failed-r0"]) == []
    told = only(recovered(seen(published=manifest()), OPERATIONS, ["night-failed-r0"]), "night-published")
    assert (told.severity, told.resolves) == ("ok", ["night-failed-r0"])


def test_a_night_that_could_not_begin():
    told = not_begun(Seen(now=MORNING), OPERATIONS, "r2", "another run goes on over the home")
    assert (told.id, told.severity) == ("night-not-begun-r2", "critical")
    assert "another run goes on over the home" in told.text


def test_no_text_of_a_finding_is_told():
    """It tells of the content: names of files and identifiers, if masked."""
    told = messages(seen("published", Refusal(1, "L1-SHA256", "a text", "mva", 7, fil="a-name.csv")), OPERATIONS)
    assert not any(word in told[0].model_dump_json() for word in ("a text", "a-name.csv"))


# by the clock


def at(hour: int, minute: int = 0, day: date = S) -> datetime:
    """A time of day in Oslo, in winter."""
    return datetime.combine(day, time(hour, minute), UTC) - timedelta(hours=1)


@pytest.mark.parametrize(("now", "told"), [(at(6, 59), []), (at(7), ["not-published-2026-11-23"])])
def test_no_new_snapshot_by_the_hour(tmp_path, now, told):
    night = seen(published=manifest(day=S - timedelta(days=1)), now=now)
    assert [message.id for message in overdue(night, OPERATIONS, tmp_path)] == told


def test_a_snapshot_of_today_is_in_time_and_a_home_that_is_being_set_up_has_none(tmp_path):
    assert overdue(seen(published=manifest(), now=at(12)), OPERATIONS, tmp_path) == []
    assert overdue(Seen(now=at(12)), OPERATIONS, tmp_path) == []


@pytest.mark.parametrize(
    ("now", "extracted", "told"),
    [
        (at(1, 59), "2026-11-21", []),
        (at(2), "2026-11-21", ["source-late-mva-2026-11-23"]),
        (at(2), "2026-11-22", []),
    ],
)
def test_a_delivery_that_is_not_in_the_inbox_by_its_hour(tmp_path, now, extracted, told):
    at_noon = f"{extracted}T12:00:00+01:00"
    write_delivery(tmp_path, "mva", 1, "full", {}, manifest_changes={"uttrekkstidspunkt": at_noon})
    settled = Operations(sources={"mva": Source(expected_by=time(2))})
    assert [message.id for message in overdue(Seen(now=now), settled, tmp_path)] == told


def test_an_inbox_that_is_not_there_leaves_what_is_in_force(tmp_path):
    settled = Operations(sources={"mva": Source(expected_by=time(2))})
    night = seen(published=manifest(used("mva")), now=at(3))
    assert overdue(night, settled, tmp_path / "none") == []


def test_a_home_whose_snapshot_cannot_be_read(tmp_path):
    told = only(overdue(Seen(damage="current leads to no snapshot", now=at(3)), OPERATIONS, tmp_path), "home-damaged")
    assert (told.severity, told.id) == ("critical", "home-damaged-2026-11-23")
    assert "current leads to no snapshot" in told.sentence


def test_the_run_asked_for_is_seen_although_a_later_one_has_begun(tmp_path):
    for run in ("11111111", "22222222"):
        Report(run, S).begin(tmp_path)
    assert see(tmp_path, "11111111-and-so-on").report.run == "11111111"
    assert see(tmp_path).report.run == "22222222"


def test_a_way_back_is_no_night(tmp_path):
    Report("died", S).begin(tmp_path)
    put_on_record(tmp_path, RunReport(run="back", kind="rollback", snapshotdato=S, outcome="published"))
    assert see(tmp_path).report.run == "died"
