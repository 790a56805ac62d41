"""What a run leaves for the operator, whatever came of it; and what may be told of an error."""

import errno
import json
import os
from datetime import UTC, date, datetime

import polars as pl
import pytest

from schemas.refusals import SENTENCES, Refusal
from schemas.report import RunReport
from tests.manifests import accepted
from tests.plain.statement import part
from tests.test_receipts import receipts_of
from transforms.home import report as report_module
from transforms.home.findings import findings
from transforms.home.lock import locked
from transforms.home.report import (
    Report,
    StoppedError,
    add_failure,
    by_code,
    delivered_files,
    last_report,
    last_run,
    read_findings,
    read_report,
    sentence,
    systems_words,
    told,
)
from transforms.rules.reference import ReferenceFileError
from transforms.stops import stop

S = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def begun(home, run="0001", minute=0):
    report = Report(run, S, NOON.replace(minute=minute))
    report.begin(home)
    return report


def ended(home, run="0001", *, published=False, **said):
    report = begun(home, run)
    for name, value in said.items():
        setattr(report, name, value)
    report.end(home, findings(report.refusals()), published=published)
    return read_report(last_run(home, run))


# in words


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (stop("L3-NO-SOURCE", ""), f"L3-NO-SOURCE {SENTENCES['L3-NO-SOURCE']}"),
        (stop("L3-SOURCE-OLD", "9 days", "mva", 7), f"L3-SOURCE-OLD mva 000007: {SENTENCES['L3-SOURCE-OLD']}: 9 days"),
        (
            Refusal(1, "L1-SHA256", "", "mva", 7, fil="krav.csv"),
            f"L1-SHA256 mva 000007 krav.csv: {SENTENCES['L1-SHA256']}",
        ),
    ],
)
def test_a_refusal_in_a_line(refusal, words):
    assert sentence(refusal) == words
    assert str(StoppedError([refusal, refusal])) == f"{words}; {words}"


def test_codes_are_counted_by_level():
    refusals = [
        Refusal(1, "L1-SHA256", ""),
        Refusal(0, "R-KID", ""),
        Refusal(1, "L1-GAP", ""),
        Refusal(1, "L1-GAP", ""),
    ]
    assert by_code(refusals, 1) == {"L1-GAP": 2, "L1-SHA256": 1}
    assert by_code(refusals, 0, 1) == {"L1-GAP": 2, "L1-SHA256": 1, "R-KID": 1}


def test_the_files_of_deliveries_by_their_number_in_a_table():
    one = accepted("mva", 3).model_copy(update={"filer": {"krav": ["krav-1.csv", "krav-123456785.csv"], "part": ["p"]}})
    assert delivered_files([one]).rows() == [
        ("mva", 3, "krav", 0, "krav-1.csv"),
        ("mva", 3, "krav", 1, "krav-123456###.csv"),
        ("mva", 3, "part", 0, "p"),
    ]
    assert delivered_files([]).height == 0


# what may be told of an error: never what it quotes


def met(error):
    try:
        raise error
    except type(error) as met:
        return told(met)


def test_errors_of_ours_are_told_in_full():
    assert met(ReferenceFileError("rates.csv has no rates")) == "ReferenceFileError: rates.csv has no rates"
    assert met(StoppedError([stop("L3-NO-SOURCE", "")])).startswith("StoppedError: L3-NO-SOURCE")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("Kari Nordmann, 01810001050"), "ValueError at tests/home/test_home_report.py:"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret"),
            f"OSError: {os.strerror(errno.ENOSPC)} at tests/",
        ),
        (
            RuntimeError(f"engine: {os.strerror(errno.EACCES)} 01810001050"),
            f"RuntimeError: {os.strerror(errno.EACCES)} at",
        ),
    ],
)
def test_of_others_their_kind_the_systems_words_and_where_in_our_code(error, words):
    assert met(error).startswith(words)
    assert "0181" not in met(error) and "secret" not in met(error)


def test_an_error_that_was_never_in_our_code():
    assert told(KeyError("x")) == "KeyError at a place outside our code"


def test_the_systems_words_for_itself():
    assert systems_words("database or disk is full (13)") == ": database or disk is full"
    assert systems_words("a krav") == ""


# from its beginning


def test_a_run_that_has_begun_is_told_of(tmp_path):
    assert last_report(tmp_path) is None and last_run(tmp_path) is None
    begun(tmp_path)
    assert last_report(tmp_path) == RunReport(run="0001", snapshotdato=S, outcome="unfinished")
    with locked(tmp_path, "0001"):
        assert last_report(tmp_path).outcome == "running"


def test_the_last_run_and_the_last_of_a_name(tmp_path):
    for run, minute in (("a", 0), ("b", 1), ("a", 2), ("c", 3)):
        begun(tmp_path, run, minute)
    assert [last_run(tmp_path, run).name for run in (None, "a", "b")] == [
        *("20261123T120300000000-c", "20261123T120200000000-a", "20261123T120100000000-b"),
    ]
    assert last_run(tmp_path, "d") is None


def test_the_newest_reports_are_retained(tmp_path, monkeypatch):
    monkeypatch.setattr(report_module, "RETAINED_REPORTS", 2)
    for minute in range(4):
        begun(tmp_path, f"{minute}", minute)
    assert sorted(path.name[-1] for path in (tmp_path / "runs").iterdir()) == ["2", "3"]


# its end


def test_a_run_that_published(tmp_path):
    report = ended(tmp_path, published=True)
    assert (report.outcome, report.failure, report.stops, report.findings) == ("published", None, [], {})


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"stops": [stop("L3-NO-SOURCE", "")]}, "stopped"),
        ({"stops": [stop("L3-NO-SOURCE", "")], "failure": "failed in check"}, "stopped"),
        ({"failure": "failed in check"}, "failed"),
        ({"failure": "failed in check", "partial": True}, "failed"),
        ({"partial": True}, "partial"),
        ({}, "failed"),
    ],
)
def test_a_run_that_did_not(tmp_path, said, outcome):
    report = ended(tmp_path, **said)
    assert (report.outcome, report.failure) == (outcome, said.get("failure"))


def test_it_tells_what_its_receipts_say(tmp_path, small):
    """Each reason once, though a stage left it and a later one raised it again."""
    receipts = dict(receipts_of(small.settings()))
    receipts["check"] = receipts["check"].model_copy(update={"reports": [Refusal(0, "R-RATES-OLD", "")]})
    report = ended(tmp_path, receipts=receipts, stops=[stop("L3-SCHEMA", "krav"), stop("L3-LOCK-LOST", "")])
    assert [words.split()[0] for words in report.stops] == ["L3-SCHEMA", "L3-LOCK-LOST"]
    assert [words.split()[0] for words in report.deliveries] == ["L1-SHA256"]
    assert report.findings == {"L1-SHA256": 1, "L3-LOCK-LOST": 1, "L3-SCHEMA": 1, "R-RATES-OLD": 1}
    assert report.stages.accept.accepted == 1 and list(report.stages.done()) == list(receipts)
    assert read_findings(last_run(tmp_path))["kode"].to_list() == [
        *("L1-SHA256", "L3-SCHEMA", "L3-LOCK-LOST", "R-RATES-OLD"),
    ]


def test_of_many_deliveries_refused_the_first_are_told_in_words(tmp_path, small):
    refusals = [Refusal(1, "L1-GAP", "", "mva", number) for number in range(30)]
    accept = receipts_of(small.settings())["accept"].model_copy(update={"refusals": refusals})
    report = ended(tmp_path, receipts={"accept": accept})
    assert (len(report.deliveries), report.findings) == (20, {"L1-GAP": 30})


def test_why_it_failed_may_be_met_after_the_end(tmp_path):
    for said, failure in (({}, "late"), ({"failure": "early"}, "early"), ({"partial": True}, None)):
        home = tmp_path / str(failure)
        ended(home, **said)
        add_failure(home, "0001", "late")
        assert last_report(home).failure == failure
    add_failure(tmp_path / "late", "nobody", "late")


# as far as it can be read


def test_a_run_that_published_and_could_not_end(small):
    small.publish(part("300000118"))
    home = small.settings().path
    begun(home, "0000")
    begun(home, "0001", 1)
    assert read_report(last_run(home, "0000")).outcome == "published"
    assert read_report(last_run(home, "0001")).outcome == "unfinished"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", json.dumps({"run": "0001"}), json.dumps({"run": "0001", "outcome": ""})]
)
def test_a_report_that_cannot_be_read(tmp_path, content):
    begun(tmp_path)
    (last_run(tmp_path) / "report.json").write_text(content)
    assert last_report(tmp_path) == RunReport(run="0001", outcome="unreadable")
    (last_run(tmp_path) / "report.json").unlink()
    assert last_report(tmp_path) == RunReport(run="0001", outcome="unfinished")


def test_findings_that_are_not_there_or_cannot_be_read(tmp_path):
    assert read_findings(tmp_path) is None
    (tmp_path / "findings.parquet").write_bytes(b"no Parquet")
    assert read_findings(tmp_path) is None
    pl.DataFrame({"kode": ["R-KID"]}).write_parquet(tmp_path / "findings.parquet")
    assert read_findings(tmp_path)["kode"].to_list() == ["R-KID"]


def test_why_a_run_failed_is_added_where_there_was_no_room_for_its_end(tmp_path):
    Report("0001", S).begin(tmp_path)
    add_failure(tmp_path, "0001", "Dagster: no room")
    told = last_report(tmp_path)
    assert (told.outcome, told.failure) == ("failed", "Dagster: no room")
