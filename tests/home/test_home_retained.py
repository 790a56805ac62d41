"""Which published snapshots stay, which are removed, and the way back to an earlier one."""

import json
from datetime import date
from pathlib import Path

import pytest

from schemas.snapshot import Accepted
from tests.home.test_home_snapshot import complete, names
from tests.manifests import accepted
from transforms.home.retained import (
    RECORD,
    NoSuchSnapshotError,
    accepted_in,
    before,
    clean,
    day_of,
    matching,
    pin,
    pinned,
    published,
    remove_unpublished,
    roll_back,
    rolled_back_since,
    shown_on,
    target,
    withdrawn,
)
from transforms.home.snapshot import MANIFEST, HomeDamagedError, published_snapshot, switch

DAYS = {letter: f"2026-11-{20 + place}-{letter}" for place, letter in enumerate("ABCDEFGH")}
"""Names of snapshots, a date each."""


def publish(home: Path, name: str, used: tuple[Accepted, ...] = ()) -> Path:
    """A snapshot of the name after the published one, as a night makes it."""
    previous = published_snapshot(home)
    folder = complete(home, name, previous.name if previous else None, used)
    switch(home, folder)
    return folder


def of_days(home: Path, letters: str) -> list[Path]:
    return [publish(home, DAYS[letter]) for letter in letters]


def kept(home: Path, keep: int = 7) -> list[str]:
    """The names of the snapshots that are there after one more cleaning."""
    clean(home, keep)
    return names(home / "snapshots")


# retention


def test_the_newest_are_retained_with_the_deliveries_that_they_use(tmp_path):
    deliveries = [accepted("mva", number) for number in range(1, 5)]
    for letter, delivery in zip("ABC", deliveries, strict=False):
        publish(tmp_path, DAYS[letter], (delivery,))
    complete(tmp_path, DAYS["D"], DAYS["C"])  # never published
    for delivery in deliveries:
        (tmp_path / "deliveries" / delivery.folder / "krav").mkdir(parents=True)
    (tmp_path / "deliveries" / ".work").mkdir()
    assert kept(tmp_path, 2) == [DAYS["B"], DAYS["C"]]
    assert names(tmp_path / "deliveries" / "mva") == [Path(one.folder).name for one in deliveries[1:3]]
    assert names(tmp_path / "deliveries") == ["mva"]
    assert not (tmp_path / RECORD).exists()  # the manifests tell all


@pytest.mark.parametrize("keep", [0, -1, 1])
def test_the_published_one_is_never_removed(tmp_path, keep):
    of_days(tmp_path, "AB")
    assert kept(tmp_path, keep) == [DAYS["B"]]
    publish(tmp_path, DAYS["A"] + "again")  # of an earlier date than what is kept
    assert kept(tmp_path, keep) == [DAYS["A"] + "again", DAYS["B"]]


def test_nothing_is_removed_of_a_damaged_home(tmp_path):
    of_days(tmp_path, "AB")
    (tmp_path / "snapshots" / DAYS["B"] / MANIFEST).write_text(json.dumps({}))
    with pytest.raises(HomeDamagedError):
        clean(tmp_path, 1)
    assert names(tmp_path / "snapshots") == [DAYS["A"], DAYS["B"]]


def test_dates_are_kept_and_not_runs(tmp_path):
    """Of a date its last run, of the current one also the run before: that is the way back from a bad rerun."""
    of_days(tmp_path, "AB")
    again = [publish(tmp_path, f"{DAYS['C']}{number}").name for number in range(4)]
    assert kept(tmp_path, 3) == [DAYS["A"], DAYS["B"], *again[2:]]
    publish(tmp_path, DAYS["D"])
    assert kept(tmp_path, 3) == [DAYS["B"], again[3], DAYS["D"]]
    assert [path.name for path in published(tmp_path)] == [DAYS["B"], again[3], DAYS["D"]]


def test_the_order_is_known_where_one_between_was_removed(tmp_path):
    """The manifest of what stays names a snapshot that is gone; what is left of that folder is rubbish."""
    of_days(tmp_path, "A")
    one, two = (publish(tmp_path, f"{DAYS['B']}{number}") for number in (1, 2))
    publish(tmp_path, DAYS["C"])
    assert kept(tmp_path) == [DAYS["A"], two.name, DAYS["C"]]
    assert [path.name for path in published(tmp_path)] == [DAYS["A"], two.name, DAYS["C"]]
    complete(tmp_path, one.name, DAYS["A"])  # as if it had not been removed quite
    assert kept(tmp_path) == [DAYS["A"], two.name, DAYS["C"]]
    of_days(tmp_path, "DE")
    assert kept(tmp_path, 3) == [DAYS[letter] for letter in "CDE"]


def test_one_that_is_pinned_stays_until_it_is_not(tmp_path):
    first, *_ = of_days(tmp_path, "AB")
    pin(tmp_path, first)
    of_days(tmp_path, "CD")
    assert kept(tmp_path, 2) == [DAYS[letter] for letter in "ACD"]
    assert pinned(tmp_path) == {first}
    pin(tmp_path, first, remove=True)
    assert kept(tmp_path, 2) == [DAYS["C"], DAYS["D"]]


def test_what_no_night_published_goes_while_another_is_built(tmp_path):
    of_days(tmp_path, "AB")
    complete(tmp_path, DAYS["C"], DAYS["B"])
    remove_unpublished(tmp_path)
    assert names(tmp_path / "snapshots") == [DAYS["A"], DAYS["B"]]


@pytest.mark.parametrize("content", ["", "{", '{"published": ["../x"]}', '{"pinned": 1}'])
def test_a_record_that_cannot_be_read_is_damage(tmp_path, content):
    of_days(tmp_path, "AB")
    (tmp_path / RECORD).write_text(content)
    with pytest.raises(HomeDamagedError, match=r"published\.json cannot be read"):
        clean(tmp_path, 1)
    assert names(tmp_path / "snapshots") == [DAYS["A"], DAYS["B"]]


def test_a_home_that_has_lost_current_is_damaged_though_it_was_its_first_night(tmp_path):
    (only,) = of_days(tmp_path, "A")
    pin(tmp_path, only)
    (tmp_path / "current").unlink()
    with pytest.raises(HomeDamagedError, match="there are snapshots, but no current"):
        clean(tmp_path, 1)


# back, and forward again


def test_back_to_the_one_before_and_forward_again(tmp_path):
    one, two, three = of_days(tmp_path, "ABC")
    assert target(tmp_path, None) == two
    roll_back(tmp_path, two)
    assert (published_snapshot(tmp_path), withdrawn(tmp_path)) == (two, {three})
    assert published(tmp_path) == [one, two, three]
    assert target(tmp_path, None) == one
    roll_back(tmp_path, target(tmp_path, str(day_of(three))))
    assert (published_snapshot(tmp_path), withdrawn(tmp_path)) == (three, set())
    assert rolled_back_since(tmp_path) == []


def test_what_was_rolled_back_from_stays_until_the_next_night_is_published(tmp_path):
    _, two, three = of_days(tmp_path, "ABC")
    roll_back(tmp_path, two)
    assert rolled_back_since(tmp_path) == [three]
    assert kept(tmp_path, 1) == [DAYS["B"], DAYS["C"]]  # as the next night begins
    publish(tmp_path, DAYS["D"])
    assert target(tmp_path, None) == two
    assert kept(tmp_path) == [DAYS["B"], DAYS["D"]]  # A went with keep=1


def test_a_withdrawn_one_that_is_pinned_counts_for_no_date(tmp_path):
    """One of a date by mistake would push others out; and of its date it is not the last published."""
    _, two = of_days(tmp_path, "AB")
    mistaken = publish(tmp_path, "2027-01-01-x")
    roll_back(tmp_path, two)
    pin(tmp_path, mistaken)
    publish(tmp_path, DAYS["C"])
    assert kept(tmp_path, 2) == [DAYS["B"], DAYS["C"], mistaken.name]
    assert before(tmp_path, day_of(mistaken)).name == DAYS["C"]
    assert target(tmp_path, "2027-01-01") == mistaken


def test_back_two_and_the_night_after_is_made_from_there(tmp_path):
    one, two, three = of_days(tmp_path, "ABC")
    roll_back(tmp_path, one)
    assert withdrawn(tmp_path) == {two, three}
    four = publish(tmp_path, DAYS["B"] + "again")
    assert published(tmp_path) == [one, two, three, four]
    assert target(tmp_path, None) == one
    roll_back(tmp_path, three)
    assert withdrawn(tmp_path) == {four}  # two is what three was made after
    assert published_snapshot(tmp_path) == three


def test_of_a_date_it_is_the_last_that_is_not_published_now(tmp_path):
    one, two, three = (publish(tmp_path, f"{DAYS['A']}{number}") for number in range(3))
    assert target(tmp_path, str(day_of(one))) == two
    roll_back(tmp_path, two)
    assert target(tmp_path, str(day_of(one))) == one
    assert target(tmp_path, three.name) == three
    assert matching(tmp_path, str(day_of(one))) == [one, two, three]


def test_there_may_be_none_to_go_back_to(tmp_path):
    with pytest.raises(NoSuchSnapshotError, match="nothing is published"):
        target(tmp_path, None)
    (only,) = of_days(tmp_path, "A")
    for of, said in ((None, "before it"), ("2020-01-01", "of 2020-01-01"), (only.name, f"of {only.name}")):
        with pytest.raises(NoSuchSnapshotError, match=f"no other published snapshot {said} is kept"):
            target(tmp_path, of)


def test_a_delivery_is_accepted_though_what_used_it_was_rolled_back_from(tmp_path):
    first, second = accepted("mva", 1), accepted("mva", 2)
    one = publish(tmp_path, DAYS["A"], (first,))
    publish(tmp_path, DAYS["B"], (first, second))
    roll_back(tmp_path, one)
    assert accepted_in(tmp_path) == [first, second]


def test_the_snapshot_of_an_earlier_date(tmp_path):
    one, two = of_days(tmp_path, "AB")
    again = publish(tmp_path, DAYS["B"] + "again")
    assert before(tmp_path, day_of(again)) == one
    assert before(tmp_path, day_of(one)) is None
    roll_back(tmp_path, two)
    assert before(tmp_path, day_of(two)) == one


# what was shown on a date


LATER = date(2026, 12, 1)


def test_what_was_shown_on_a_date_is_that_nights_last(tmp_path):
    first, again = publish(tmp_path, DAYS["A"]), publish(tmp_path, DAYS["A"] + "-again")
    after = publish(tmp_path, DAYS["B"])
    assert shown_on(tmp_path, "2026-11-20", LATER) == again
    assert shown_on(tmp_path, "2026-11-21", LATER) == after
    assert shown_on(tmp_path, first.name, LATER) == first


def test_a_date_without_a_night_showed_the_one_before(tmp_path):
    before, _, last = of_days(tmp_path, "ACD")
    assert shown_on(tmp_path, "2026-11-21", LATER) == before
    assert shown_on(tmp_path, "2026-11-30", LATER) == last


@pytest.mark.parametrize("of", ["2026-11-19", "2026-11-22", "2026-12-02", "2026-11-2", "yesterday"])
def test_a_date_of_which_nobody_knows_what_was_shown(tmp_path, of):
    """Before the first, where a night has been removed, in the future, no date."""
    _, removed, gone, _ = of_days(tmp_path, "ABCD")
    pin(tmp_path, tmp_path / "snapshots" / DAYS["A"])
    clean(tmp_path, 1)
    assert not removed.exists()
    assert not gone.exists()
    with pytest.raises(NoSuchSnapshotError, match=f"{of} is kept"):
        shown_on(tmp_path, of, LATER)


def test_what_was_rolled_back_from_is_told_by_its_name(tmp_path):
    good, bad = of_days(tmp_path, "AB")
    roll_back(tmp_path, good)
    with pytest.raises(NoSuchSnapshotError, match=f"rolled back from: ask for {bad.name}"):
        shown_on(tmp_path, "2026-11-21", LATER)
    assert shown_on(tmp_path, bad.name, LATER) == bad
    assert shown_on(tmp_path, "2026-11-20", LATER) == good
