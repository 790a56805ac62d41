"""What redated parts keep: overviews list what they listed, and what histories hold is counted again."""

from datetime import timedelta

import polars as pl
import pytest
import zstandard

from schemas.store import HISTORIES
from tests.build.building import S, bucket, snapshot_of, start
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from transforms.build.redate import redate, redate_jobs
from transforms.home.snapshot import read_index
from transforms.reconcile.unchanged import listed_otherwise, totals_of_histories, without_histories

A, B, C = "300000118", "300000207", "300000304"
STATEMENT = (
    *(part(A), krav("K", A, 36_500), kravforfall("F", "K", 36_500, "2026-11-18")),  # bears ten a day
    *(
        krav("L", A, 7),
        kravforfall("G", "L", 7, S),
        innbetaling("I", A, 9),
        plassering("P", "INNBETALING", "G", "I", 7),
    ),
    *(part(B), krav("M", B, 5), kravforfall("H", "M", 5, S), utbetaling("U", B, 3), innbetaling("J", B, 1)),
)
PARTS = pl.DataFrame({"part": [A, B]})


@pytest.fixture
def previous(tmp_path):
    return snapshot_of(tmp_path, bucket(*STATEMENT))


def redated(tmp_path, previous):
    """A snapshot of two days later, and the index rows of what was redated into it."""
    making = start(tmp_path, "0002", S + timedelta(days=2))
    (made,) = (redate(job).oversikter for job in redate_jobs(making, previous, PARTS))
    return making.snapshot, made


def test_the_histories_of_who_is_redated_are_not_to_be_read(previous):
    index = read_index(previous)
    rows = without_histories(index, PARTS.filter(part=A))
    assert rows.select("part", *(f"{kind}_length" for kind in HISTORIES.kinds)).rows() == [
        (A, None, None, None),
        index.filter(part=B).select("part", *(f"{kind}_length" for kind in HISTORIES.kinds)).row(0),
    ]
    others = [name for name in index.columns if name not in rows.columns or not name.endswith("_length")]
    assert rows.select(others).equals(index.select(others))


def test_overviews_that_list_the_same_but_for_interest(tmp_path, previous):
    folder, index = redated(tmp_path, previous)
    assert listed_otherwise(folder, previous, index, workers=1) == 0


def rewritten(snapshot, index, change):
    """The overviews' segment with other content, and index rows of where each lies then."""
    (path,) = (snapshot / "documents").glob("*-oversikt.zst")
    places = index.select("oversikt_offset", "oversikt_length").rows()
    frames = [path.read_bytes()[offset : offset + length] for offset, length in places]
    stored = [zstandard.compress(change(zstandard.decompress(frame))) for frame in frames]
    path.write_bytes(b"".join(stored))
    lengths = pl.Series([len(frame) for frame in stored])
    return index.with_columns(oversikt_length=lengths, oversikt_offset=lengths.cum_sum() - lengths)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"kravidentifikator":"K"', b'"kravidentifikator":"X"'),
        (b'"gjenstaaendeBeloep":36500.00', b'"gjenstaaendeBeloep":36500.01'),
        (b'"innbetaltBeloep":-9.00', b'"innbetaltBeloep":-9.01'),
        (b'"forespurtPart":"%s"' % A.encode(), b'"forespurtPart":"%s"' % C.encode()),
    ],
)
def test_an_overview_that_lists_something_else(tmp_path, previous, old, new):
    folder, index = redated(tmp_path, previous)
    index = rewritten(folder, index, lambda text: text.replace(old, new))
    assert listed_otherwise(folder, previous, index, workers=1) == 1  # A's


def test_interest_and_totals_may_be_others(tmp_path, previous):
    """They are held to the posts and not to what they were."""
    folder, index = redated(tmp_path, previous)
    index = rewritten(folder, index, lambda text: text.replace(b'"stipulerteRenter":70.00', b'"stipulerteRenter":9.00'))
    index = rewritten(folder, index, lambda text: text.replace(b'"saldo":', b'"saldo":1'))
    assert listed_otherwise(folder, previous, index, workers=1) == 0


def test_an_overview_that_cannot_be_read_or_that_there_was_none_of(tmp_path, previous):
    folder, index = redated(tmp_path, previous)
    other = index.with_columns(part=pl.col("part").replace({B: C}))
    assert listed_otherwise(folder, previous, other, workers=1) == 1
    (path,) = (folder / "documents").glob("*-oversikt.zst")
    path.write_bytes(bytes(path.stat().st_size))
    assert listed_otherwise(folder, previous, index, workers=1) == 2


@pytest.mark.parametrize(
    ("parts", "krav", "paid", "paid_out"),
    [
        ((A,), (1, 700), (1, -900, -200), (0, 0)),  # the open krav stands in the overview
        ((B,), (0, 0), (1, -100, -100), (1, 300)),
        ((A, B), (1, 700), (2, -1000, -300), (1, 300)),
        ((), (0, 0), (0, 0, 0), (0, 0)),
    ],
)
def test_what_stands_in_histories_only(previous, parts, krav, paid, paid_out):
    redated = pl.DataFrame({"part": parts}, {"part": pl.String})
    names = (
        *("antall_krav", "sum_krav", "antall_innbetaling", "sum_innbetaling", "sum_uplassert"),
        *("antall_utbetaling", "sum_utbetaling"),
    )
    assert totals_of_histories(previous, redated) == dict(zip(names, (*krav, *paid, *paid_out), strict=True))
