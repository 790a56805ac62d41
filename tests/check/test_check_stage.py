"""The stage ``check`` by itself: what it hands over, what it counts, and for which reasons it stops the night."""

import polars as pl
import pytest

from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part
from tests.small import S
from transforms.check.stage import check
from transforms.home.findings import SCHEMA
from transforms.home.report import StoppedError
from transforms.home.snapshot import FINDINGS, HELD_BACK, QUARANTINED, SAME
from transforms.ledgers.good import BAD
from transforms.ledgers.good import SAME as SECOND
from transforms.receipts import night_of

A, B = organisation_number(1), organisation_number(2)
BAD_KRAV = krav("K", A, 5, kravtype="Forskuddsskatt")
"""It has no due date."""


def checked(small, **settings):
    run = small.settings(**settings)
    return run, check(run, small.accept(**settings))


def read(path):
    return pl.read_parquet(path).rows()


def test_what_is_handed_over(small):
    """A refused krav holds A back; a payment of two sources is one."""
    small.deliver(part(A), part(B), BAD_KRAV, innbetaling("I", B, 5))
    small.deliver(innbetaling("I", B, 5), kilde="skatt")
    run, _ = checked(small)
    assert read(run.checked / BAD) == [("krav", "K", "L2-CLAIM-NO-DUE-DATE")]
    assert read(run.checked / SECOND) == [("innbetaling", "I", "skatt")]
    assert read(run.checked / HELD_BACK) == [(A,)]
    assert read(run.checked / QUARANTINED) == [("krav", "K")]
    assert read(run.checked / SAME) == [("innbetaling", "I")]
    findings = pl.read_parquet(run.checked / FINDINGS)
    assert findings.schema == SCHEMA
    assert findings.select("kode", "fil", "rad").rows() == [("L2-CLAIM-NO-DUE-DATE", "krav-1.csv", 1)]
    assert not run.near.exists()  # all was looked at


def test_what_is_counted(small):
    small.deliver(part(A), part(B), BAD_KRAV, innbetaling("I", B, 5))
    small.deliver(innbetaling("I", B, 5), kilde="skatt")
    _, left = checked(small)
    assert left.said["mva"] == {**dict.fromkeys(left.counts.rows, 0), "part": 2, "krav": 1, "innbetaling": 1}
    assert left.rows == {"said": 5, "accepted": 4, "quarantined": 1}
    counts = left.counts
    assert (counts.rows["innbetaling"], counts.posts["innbetaling"], counts.from_two_sources) == (2, 1, 1)
    assert (counts.quarantined, counts.quarantined_by_code) == (1, {"L2-CLAIM-NO-DUE-DATE": 1})
    assert (counts.held_back, counts.leads_nowhere) == (1, 0)
    assert counts.reported_by_code == {"R-KEY-SOURCES-SAME": 1}
    assert [report.code for report in left.reports] == ["R-KEY-SOURCES-SAME"]


@pytest.mark.parametrize(("limit", "codes"), [(0.5, []), (0.49, ["L3-HELD-BACK"])])
def test_too_many_held_back_is_a_reason_to_stop(small, limit, codes):
    small.deliver(part(A), part(B), BAD_KRAV)
    _, left = checked(small, max_held_back=limit)
    assert [stop.code for stop in left.stops] == codes


def test_a_source_that_has_shrunk_is_a_reason_to_stop(small):
    small.deliver(part(A))
    small.publish(part(A), said={"mva": {"part": 10, "krav": 0}})
    _, left = checked(small)
    assert [(stop.code, stop.kilde) for stop in left.stops] == [("L3-SOURCE-SHRUNK", "mva")]


def test_without_a_source_there_is_nothing_to_check(small):
    (small.folder / "inbox").mkdir()
    with pytest.raises(StoppedError, match="L3-NO-SOURCE"):
        checked(small)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({}, ""),
        ({"made_with": {"code": "another"}}, "the program or the reference data is another"),
        ({"used": []}, "a source has a new full delivery"),
    ],
)
def test_why_every_row_is_looked_at_or_only_those_around_the_changes(small, change, because):
    small.deliver(part(A), part(B), krav("K", A, 5), kravforfall("F", "K", 5, S))
    used = small.accept().in_force
    small.deliver(innbetaling("I", A, 3), nr=2)
    told = {"made_with": night_of(small.settings()).made_with, "said": {"mva": {"part": 2}}, **change}
    small.publish(part(A), part(B), krav("K", A, 5), kravforfall("F", "K", 5, S), **{"used": used, **told})
    run, left = checked(small)
    assert left.all_because == because
    assert run.near.exists() == (not because)
    assert left.counts.posts["krav"] == 1  # counted, whether looked at or not


def test_all_is_looked_at_when_it_is_asked_for(small):
    small.deliver(part(A))
    _, left = checked(small, full=True)
    assert left.all_because == "asked for"
