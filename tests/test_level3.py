"""What stops a run before it publishes (CONTRACT section 2, level 3). Yesterday's documents stay up."""

import json
from datetime import datetime, timedelta

import pytest

from schemas.snapshot import OSLO
from tests.nights import Nights, S, counts_of, stops_of
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, part, rows
from tests.plain.write import write_delivery
from transforms.home.report import StoppedError
from transforms.night import Night
from transforms.run import Settings

pytestmark = pytest.mark.slow

YESTERDAY = S - timedelta(days=1)


@pytest.fixture
def nights(nights):
    nights.inbox.mkdir(parents=True)
    return nights


def deliver(nights, nr=1, type="full", said=None, kilde="skatt", **how):
    said = said or rows(part(organisation_number(1)))
    return write_delivery(nights.inbox, kilde, nr, type, said, **how)


def companies(count):
    return [part(organisation_number(number)) for number in range(count)]


def refused_payments(*numbers):
    """Payments of nothing, which are refused, each by the company of the number."""
    return [innbetaling(f"bad-{number}", organisation_number(number), 0) for number in numbers]


def stopped_by(nights):
    """The codes that the run's report says it was stopped by; nothing when it was published."""
    newest = max((nights.home / "runs").iterdir())
    report = json.loads((newest / "report.json").read_text())
    assert report["outcome"] == ("stopped" if report["stops"] else "published")
    return [stop.partition(" ")[0] for stop in report["stops"]]


def reasons(nights, snapshot_date=S, **settings):
    """The codes of the reasons to stop that the stages find that can find them, without building anything."""
    night = Night(Settings(nights.inbox, nights.home, snapshot_date, "0000", memory="500MB", **settings))
    if night.do("accept").used:
        night.do("check")
    night.finish()
    return [stop.code for stop in stops_of(night)]


# held back: more than the share stops, exactly the share doesn't


@pytest.mark.parametrize(("parts", "codes"), [(100, []), (99, ["L3-HELD-BACK"])])
def test_share_held_back(nights, parts, codes):
    deliver(nights, said=rows(*companies(parts), *refused_payments(1)))
    assert reasons(nights, max_held_back=0.01) == codes


def test_a_part_counts_once_however_many_rows_hold_it_back(nights):
    twice = [innbetaling(f"I{number}", organisation_number(1), 0) for number in range(5)]
    deliver(nights, said=rows(*companies(100), *twice))
    assert reasons(nights) == []


def test_a_row_that_leads_to_no_part_counts_as_one(nights):
    """Two rows without a part among 100: 2 % is more than 1 %."""
    nowhere = [innbetaling("I1", None, 1), innbetaling("I2", None, 1)]
    deliver(nights, said=rows(*companies(100), *nowhere))
    assert reasons(nights, max_held_back=0.02) == []
    assert reasons(nights, max_held_back=0.019) == ["L3-HELD-BACK"]


def test_a_part_that_is_not_in_the_register_counts_too(nights):
    deliver(nights, said=rows(*companies(10), innbetaling("I", organisation_number(99), 1)))
    assert reasons(nights, max_held_back=0.09) == ["L3-HELD-BACK"]


def test_an_owner_held_back_takes_his_sole_proprietorships_along(nights):
    owner = national_number(1)
    owned = [part(organisation_number(number), "ENK", owner) for number in range(50, 53)]
    deliver(nights, said=rows(part(owner, "PERSON"), *owned, innbetaling("I", owner, 0)))
    nights.run(max_held_back=0.99)  # 4 of 4
    assert stopped_by(nights) == ["L3-HELD-BACK"]


def test_when_no_part_is_accepted_any_row_is_too_many(nights):
    deliver(nights, said=rows(*refused_payments(1)))
    assert reasons(nights, max_held_back=100) == ["L3-HELD-BACK"]


# a source too old: whole days in Oslo between its last used delivery and S


@pytest.mark.parametrize(
    ("extracted", "codes"),
    [
        ("2026-11-20T00:00:00+01:00", []),  # three days before S
        ("2026-11-19T22:59:59Z", ["L3-SOURCE-OLD"]),  # four, by a second
        ("2026-11-25T03:00:00+01:00", ["L3-DATE-EXTRACTS"]),  # extracted after S: not old, but has to be asked for
    ],
)
def test_source_too_old(nights, extracted, codes):
    deliver(nights, uttrekkstidspunkt=extracted)
    assert reasons(nights) == codes


def test_max_age_days_is_what_the_run_is_given(nights):
    deliver(nights, uttrekkstidspunkt="2026-11-22T23:00:00+01:00")
    assert reasons(nights, max_age_days=0) == ["L3-SOURCE-OLD"]
    assert reasons(nights, max_age_days=1) == []


def test_it_is_the_last_delivery_used_that_counts(nights):
    """An old full is fine with a fresh change; a fresh change that waits makes nothing younger."""
    deliver(nights, uttrekkstidspunkt="2026-10-01T00:00:00+02:00")
    deliver(nights, 3, "endring", rows(part(organisation_number(2))))
    nights.run()
    assert stopped_by(nights) == ["L3-SOURCE-OLD"]
    deliver(nights, 2, "endring", rows(part(organisation_number(3))), uttrekkstidspunkt="2026-10-02T00:00:00+02:00")
    nights.run()
    assert stopped_by(nights) == []


def test_one_old_source_of_two_stops_all(nights):
    deliver(nights)
    deliver(nights, kilde="mva", said=rows(part(organisation_number(2))), uttrekkstidspunkt="2026-11-01T00:00:00+01:00")
    night = nights.run()
    assert stopped_by(nights) == ["L3-SOURCE-OLD"]
    assert [stop.kilde for stop in stops_of(night)] == ["mva"]


# a date that has to be asked for


def test_a_date_before_what_is_published(nights):
    deliver(nights, uttrekkstidspunkt="2026-11-20T23:00:00+01:00")
    nights.run()
    assert reasons(nights, YESTERDAY, allow_date=True) == []
    with pytest.raises(StoppedError, match="L3-DATE-BACK"):
        reasons(nights, YESTERDAY)
    nights.run(YESTERDAY)
    assert stopped_by(nights) == ["L3-DATE-BACK"]
    nights.run(YESTERDAY, allow_date=True)
    assert stopped_by(nights) == []
    assert nights.snapshot().snapshot_date(organisation_number(1)) == YESTERDAY
    nights.run(YESTERDAY)  # the same date again
    assert stopped_by(nights) == []


def test_a_date_in_the_future(nights):
    today = datetime.now(OSLO).date()
    deliver(nights, uttrekkstidspunkt=f"{today}T00:00:00+01:00")
    assert reasons(nights, today) == []
    with pytest.raises(StoppedError, match="L3-DATE-FUTURE"):
        reasons(nights, today + timedelta(days=2))  # tomorrow, should midnight pass meanwhile
    assert reasons(nights, today + timedelta(days=2), allow_date=True) == []


@pytest.mark.parametrize(
    ("extracted", "codes", "reports"),
    [
        (["23T23:59:59+01:00", "23T23:59:59+01:00"], [], 0),  # S is the 23rd
        (["24T00:00:00+01:00", "23T12:00:00+01:00"], [], 1),  # one after S is reported
        (["23T23:00:00Z", "24T00:00:00+01:00"], ["L3-DATE-EXTRACTS"], 2),  # midnight in Oslo, both
    ],
)
def test_a_date_before_all_extracts(nights, extracted, codes, reports):
    for kilde, moment in zip(("mva", "skatt"), extracted, strict=True):
        deliver(nights, kilde=kilde, uttrekkstidspunkt=f"2026-11-{moment}")
    nights.run()
    assert stopped_by(nights) == codes
    assert nights.findings().filter(kode="R-EXTRACT-AFTER").height == reports
    nights.run(allow_date=True)
    assert stopped_by(nights) == []


# a source that shrinks


def payments(*numbers):
    return [innbetaling(f"I{number}", organisation_number(1), 10) for number in numbers]


@pytest.fixture(scope="module")
def ten_payments(tmp_path_factory):
    """Ten payments of one part, published yesterday."""
    nights = Nights(tmp_path_factory.mktemp("ten"))
    nights.inbox.mkdir()
    deliver(nights, said=rows(part(organisation_number(1)), *payments(*range(10))))
    nights.publish(YESTERDAY)
    return nights


@pytest.mark.parametrize(("rows_left", "codes"), [(8, []), (7, ["L3-SOURCE-SHRUNK"])])
def test_a_full_with_fewer_rows(ten_payments, nights, rows_left, codes):
    nights.take_over(ten_payments)
    deliver(nights, 2, said=rows(part(organisation_number(1)), *payments(*range(rows_left))))
    night = nights.run(max_loss=0.2)
    assert stopped_by(nights) == codes
    assert [(stop.kilde, "innbetaling" in stop.message) for stop in stops_of(night)] == [("skatt", True)] * len(codes)


def test_a_full_that_is_empty_stops_whatever_its_source_is_called_and_said(nights):
    """The rows of another source, however many, do not hide it."""
    deliver(nights, said=rows(part(organisation_number(1)), *payments(1)))
    deliver(nights, kilde="mva", said=rows(*companies(50)))
    nights.publish(YESTERDAY)
    deliver(nights, 2, said=rows())
    night = nights.run()
    assert {(stop.code, stop.kilde) for stop in stops_of(night)} == {("L3-SOURCE-SHRUNK", "skatt")}
    assert nights.oversikt(organisation_number(1)).count('"innbetalingsdato"') == 1


def test_removals_count_and_refused_rows_are_still_said(ten_payments, nights):
    nights.take_over(ten_payments)
    refused = [innbetaling(f"I{number}", organisation_number(1), 0) for number in range(5)]
    deliver(nights, 2, "endring", rows(*refused))
    nights.publish()
    removed = [{"innbetalingsidentifikator": f"I{number}", "slettet": True} for number in range(5, 8)]
    deliver(nights, 3, "endring", {"innbetaling": removed})
    nights.run(max_held_back=1)
    assert stopped_by(nights) == ["L3-SOURCE-SHRUNK"]


def test_refused_removals_are_no_rows(ten_payments, nights):
    """Or they would hide the rows that are gone."""
    nights.take_over(ten_payments)
    removed = [{"innbetalingsidentifikator": f"I{number}", "slettet": True} for number in range(5)]
    deliver(nights, 2, "endring", {"innbetaling": [*removed, *[{"slettet": True}] * 5]})
    night = nights.run(max_held_back=9)
    assert [stop.message for stop in stops_of(night)] == ["innbetaling has lost 5 of 10 rows; the limit is 20.00%"]
    assert counts_of(night, "check").quarantined == 5
    nights.run(max_held_back=9, max_loss=0.5, full=True)
    assert stopped_by(nights) == []


def test_a_snapshot_that_does_not_tell_its_rows_is_counted_anew(nights):
    """As those made by the program before it counted them."""
    deliver(nights, said=rows(part(organisation_number(1)), *payments(*range(10))))
    deliver(nights, 2, "endring", {"innbetaling": [{"innbetalingsidentifikator": "I1", "slettet": True}]})
    nights.publish(YESTERDAY, max_loss=1)
    path = nights.home / "current" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest.pop("said")["skatt"]["innbetaling"] == 9
    path.write_text(json.dumps(manifest))
    deliver(nights, 3, said=rows(part(organisation_number(1)), *payments(*range(7))))
    night = nights.run()
    assert [stop.message for stop in stops_of(night)] == ["innbetaling has lost 2 of 9 rows; the limit is 20.00%"]


# a source gone, no source at all


def test_no_source(nights):
    nights.run()
    assert stopped_by(nights) == ["L3-NO-SOURCE"]
    assert nights.answer(organisation_number(1)) == "KB-002"


def test_no_source_has_a_full(nights):
    deliver(nights, 2, "endring")
    nights.run()
    assert stopped_by(nights) == ["L3-NO-SOURCE"]
    assert "L1-NO-FULL" in nights.codes()


def test_a_source_gone_from_the_inbox_is_still_there_as_accepted(nights):
    deliver(nights)
    nights.publish(YESTERDAY)
    (nights.inbox / "skatt").rename(nights.folder / "away")
    nights.run()
    assert stopped_by(nights) == []


def test_a_new_source_that_is_refused_does_not_stop_the_others(nights):
    deliver(nights)
    deliver(nights, kilde="mva", manifest_changes={"skjemaversjon": "2"})
    nights.run()
    assert stopped_by(nights) == []
    assert "L1-MANIFEST-FIELD" in nights.codes()


# what a stop leaves


def test_a_stopped_run_leaves_yesterdays_documents(nights):
    one, two = organisation_number(1), organisation_number(2)
    deliver(nights, said=rows(part(one), innbetaling("I1", one, 100)))
    nights.publish(YESTERDAY)
    before, current = nights.documents(), (nights.home / "current").resolve()
    deliver(nights, 2, "endring", rows(part(two), innbetaling("I2", one, 200), innbetaling("I3", two, 0)))
    nights.run()
    assert stopped_by(nights) == ["L3-HELD-BACK"]
    assert nights.documents() == before
    assert nights.snapshot().snapshot_date(one) == YESTERDAY
    assert (nights.home / "current").resolve() == current
    assert [path.name for path in (nights.home / "snapshots").iterdir()] == [current.name]
    assert not (nights.home / ".work" / "spread").exists()
    nights.run(max_held_back=1)
    assert stopped_by(nights) == []
    assert nights.oversikt(one).count('"innbetaltBeloep"') == 2


def test_every_reason_to_stop_is_told(nights):
    deliver(nights, said=rows(*companies(2), *refused_payments(1)), uttrekkstidspunkt="2026-11-01T00:00:00+01:00")
    nights.run()
    assert stopped_by(nights) == ["L3-SOURCE-OLD", "L3-HELD-BACK"]
    assert {"L3-SOURCE-OLD", "L3-HELD-BACK"} <= nights.codes()
