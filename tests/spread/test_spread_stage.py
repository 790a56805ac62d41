"""The stage ``spread`` by itself: whose documents are made and how, and for which of them posts lie in buckets."""

from datetime import timedelta

import polars as pl
import pytest

from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part
from tests.small import S
from transforms.check.stage import check
from transforms.home.report import StoppedError
from transforms.ledgers import neighbourhood
from transforms.receipts import night_of
from transforms.spread.stage import spread
from transforms.stops import stop

A, B, C, D = (organisation_number(n) for n in range(1, 5))
LETTERS = {A: "A", B: "B", C: "C", D: "D"}
DUE = S + timedelta(days=3)
STATEMENT = (
    *(part(A), part(B), part(C), innbetaling("I-C", C, 3)),
    *(krav("K-A", A, 5), kravforfall("F-A", "K-A", 5, DUE), krav("K-B", B, 7), kravforfall("F-B", "K-B", 7, DUE)),
)


def spread_out(small, **settings):
    run = small.settings(**settings)
    accepted = small.accept(**settings)
    checked = check(run, accepted)
    return run, spread(run, accepted, checked)


def ways(run):
    """By letter of the part, how it comes by its documents, and whether it stands in ``part``."""
    return {LETTERS[part]: (way, known) for part, way, known in pl.read_parquet(run.parts).iter_rows()}


def in_buckets(run, table, column):
    return {value for path in run.posts.glob(f"{table}/*/0.parquet") for value in pl.read_parquet(path)[column]}


def test_a_first_night_builds_everyone_but_who_is_held_back(small):
    """Of D there is only a refused krav; C's has no due date."""
    small.deliver(*STATEMENT, krav("BAD", C, 1), krav("BAD2", D, 1))
    run, left = spread_out(small, max_held_back=1)
    assert ways(run) == {
        **dict.fromkeys("AB", ("build", True)),
        "C": ("held back", True),
        "D": ("held back", False),
    }
    assert in_buckets(run, "part", "part") == {A, B}
    assert (left.counts.buckets, left.counts.parts, left.counts.of, left.counts.redated_parts) == (1, 2, 3, 0)
    assert left.counts.all_because == "nothing is published yet"
    assert (left.expected["antall_parter"], left.expected["sum_krav"]) == (2, 1_200)


@pytest.mark.parametrize("many", [0, 2])
def test_an_ordinary_night_builds_whom_changes_touch_and_redates_whom_the_date_moves(small, monkeypatch, many):
    """Whether the posts to build are those that ``check`` looked at, or have to be looked for again."""
    monkeypatch.setattr(neighbourhood, "MANY", many)
    small.deliver(*STATEMENT)
    made_with, used = night_of(small.settings()).made_with, small.accept().in_force
    small.publish(*STATEMENT, made_with=made_with, used=used)
    small.deliver(innbetaling("I-A", A, 2), nr=2)
    run, left = spread_out(small, day=DUE + timedelta(days=1), max_age_days=9, allow_date=True)
    assert ways(run) == {"A": ("build", True), "B": ("redate", True), "C": ("same", True)}
    assert in_buckets(run, "krav", "kravidentifikator") == {"K-A"}
    assert (left.counts.parts, left.counts.redated_parts, left.counts.of, left.counts.all_because) == (1, 1, 3, "")
    assert (left.expected["antall_parter"], left.expected["sum_krav"]) == (2, 1_200)
    assert left.expected["sum_innbetaling"] == -200


def test_nothing_is_spread_of_a_night_that_may_not_publish(small):
    small.deliver(*STATEMENT)
    run, accepted = small.settings(), small.accept()
    checked = check(run, accepted)
    stopped = checked.model_copy(update={"stops": [stop("L3-HELD-BACK", "1 of 3")]})
    with pytest.raises(StoppedError, match="L3-HELD-BACK"):
        spread(run, accepted, stopped)
    late = accepted.model_copy(update={"stops": [stop("L3-SOURCE-OLD", "9 days", "mva", 1)]})
    with pytest.raises(StoppedError, match="L3-SOURCE-OLD"):
        spread(run, late, checked)
    assert not run.parts.exists() and not run.posts.exists()
