"""The home's history: what every night said, gathered from its snapshots, and never cleaned away."""

from datetime import date

import polars as pl
import pytest

from schemas.history import FILES, HISTORY, HISTORY_REFUSED
from tests.home.test_home_retained import DAYS, publish
from transforms.home.history import ensure, gather
from transforms.home.retained import clean, roll_back

NAME, REFUSED = FILES


def night(home, letter, antall, run=""):
    """A published snapshot that tells of so many due dates."""
    folder = publish(home, DAYS[letter] + run)
    told = {"snapshotdato": date.fromisoformat(folder.name[:10]), "snapshot": folder.name, "antall": antall}
    pl.DataFrame([told], schema=HISTORY).write_parquet(folder / NAME)
    HISTORY_REFUSED.to_frame().write_parquet(folder / REFUSED)
    gather(home)
    return folder


def told(home):
    rows = pl.read_parquet(home / NAME)
    assert rows.schema == HISTORY
    return dict(rows.select(pl.col("snapshotdato").dt.day(), "antall").rows())


def test_nights_that_are_removed_stay_in_it(tmp_path):
    for number, letter in enumerate("ABC"):
        night(tmp_path, letter, number)
        clean(tmp_path, 1)
    gather(tmp_path)
    assert len(list((tmp_path / "snapshots").iterdir())) == 1
    assert told(tmp_path) == {20: 0, 21: 1, 22: 2}


def test_a_rerun_of_a_date_takes_the_place_of_it(tmp_path):
    night(tmp_path, "A", 1)
    night(tmp_path, "B", 2)
    night(tmp_path, "B", 3, run="again")
    assert told(tmp_path) == {20: 1, 21: 3}
    content = (tmp_path / NAME).read_bytes()
    gather(tmp_path)
    assert (tmp_path / NAME).read_bytes() == content


def test_what_is_rolled_back_from_goes_and_comes_again(tmp_path):
    first, rerun, last = night(tmp_path, "A", 1), night(tmp_path, "A", 2, run="again"), night(tmp_path, "B", 3)
    for to, left in ((rerun, {20: 2}), (first, {20: 1}), (last, {20: 2, 21: 3})):
        roll_back(tmp_path, to)
        gather(tmp_path)
        assert told(tmp_path) == left, to


def test_a_night_that_ended_before_it_was_gathered_is_gathered_by_the_next(tmp_path):
    night(tmp_path, "A", 1)
    (tmp_path / NAME).unlink()
    night(tmp_path, "B", 2)
    assert told(tmp_path) == {20: 1, 21: 2}


@pytest.mark.parametrize("content", [None, b"", b"no table"])
def test_a_snapshot_that_tells_nothing_is_passed_over(tmp_path, content):
    """An earlier program's, or a damaged one."""
    folder = night(tmp_path, "A", 1)
    (tmp_path / NAME).unlink()
    (folder / NAME).unlink()
    if content is not None:
        (folder / NAME).write_bytes(content)
    night(tmp_path, "B", 2)
    assert told(tmp_path) == {21: 2}


def test_a_file_that_cannot_be_read_is_put_aside(tmp_path):
    night(tmp_path, "A", 1)
    for number, content in enumerate((b"no table", b"nor this"), start=1):
        (tmp_path / NAME).write_bytes(content)
        ensure(tmp_path)
        assert (tmp_path / f"history.unreadable-{number}.parquet").read_bytes() == content
    assert told(tmp_path) == {}
    gather(tmp_path)
    assert told(tmp_path) == {20: 1}
