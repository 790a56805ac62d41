"""Which deliveries are in force: the highest good full, then every change without a gap."""

import itertools
import shutil

import pytest

from tests.accept.accepting import COMPANY, LEDGER, Place, edit
from tests.plain.statement import krav
from transforms.accept.sources import choose

CHANGE = {"krav": [krav("K1", COMPANY, "100.00")]}


def deliver(place, *said):
    """``full 1``, ``change 2``, ``bad full 3`` …"""
    for words in said:
        *bad, type, nr = words.split()
        tables = LEDGER if type == "full" else CHANGE
        folder = place.deliver(int(nr), "full" if type == "full" else "endring", tables)
        if bad:
            edit(folder, lambda m: m["tabeller"]["krav"].update(kontrollsum="1"))


CHAINS = [
    ([], []),
    (["full 1"], [1]),
    (["full 7"], [7]),
    (["full 1", "change 2", "change 3"], [1, 2, 3]),
    (["full 1", "change 3"], [1]),
    (["full 1", "bad change 2", "change 3"], [1]),
    (["change 1", "full 2", "change 3"], [2, 3]),
    (["full 1", "change 2", "full 3"], [3]),
    (["full 1", "change 2", "full 5", "change 6"], [5, 6]),
    (["full 1", "bad change 2", "full 3", "change 4"], [3, 4]),
    (["full 1", "change 2", "bad full 3", "change 4"], [1, 2]),
    (["bad full 1", "change 2"], []),
    (["bad full 1", "full 2", "bad full 3"], [2]),
    (["change 1", "change 2"], []),
]


@pytest.mark.parametrize(("said", "used"), CHAINS)
def test_what_is_in_force(place, said, used):
    deliver(place, *said)
    assert place.used() == used
    assert place.used() == used  # and the night after


def test_the_order_of_arrival_does_not_matter(tmp_path):
    said = ["full 1", "change 2", "change 3"]
    for n, order in enumerate(itertools.permutations(said)):
        place = Place(tmp_path / str(n))
        for words in order[:-1]:
            deliver(place, words)
            place.night()
        deliver(place, order[-1])
        assert place.used() == [1, 2, 3]
        assert place.night().refusals == []


def test_a_corrected_delivery_comes_again_under_its_number(place):
    deliver(place, "full 1", "bad change 2", "change 3")
    assert place.reasons() == [("L1-CONTROL-SUM", "manifest.json"), ("L1-GAP", None)]
    deliver(place, "change 2")
    assert place.used() == [1, 2, 3]


def test_a_new_full_heals(place):
    deliver(place, "full 1", "bad change 2", "change 3")
    place.night()
    deliver(place, "full 4")
    tonight = place.night()
    assert [one.leveransenummer for one in tonight.used["mva"]] == [4]
    (told,) = tonight.refusals  # of the first, which was used, it says nothing
    assert (told.code, told.message) == ("R-SUPERSEDED", "2 of them below 000004")


def test_a_delivery_that_waits_is_checked_all_the_same(place):
    deliver(place, "full 1", "bad change 3", "change 4")
    assert place.reasons() == [("L1-CONTROL-SUM", "manifest.json"), ("L1-GAP", None)]


def test_one_source_does_not_wait_for_another(place):
    deliver(place, "full 1")
    place.deliver(1, "endring", CHANGE, kilde="skatt")
    tonight = place.night()
    assert (list(tonight.used), tonight.waiting) == (["mva"], 1)


def test_what_is_accepted_stays_in_force_when_the_inbox_is_emptied(place):
    deliver(place, "full 1", "change 2")
    place.night()
    shutil.rmtree(place.inbox / "mva")
    tonight = place.night()
    assert [one.leveransenummer for one in tonight.used["mva"]] == [1, 2]
    assert (tonight.new, tonight.refusals) == ([], [])
    deliver(place, "change 3")
    assert place.used() == [1, 2, 3]


def test_an_accepted_delivery_is_not_opened_again(place):
    deliver(place, "full 1")
    place.night()
    for file in (place.inbox / "mva" / "000001").glob("*.csv"):
        file.unlink()
    tonight = place.night()
    assert ([one.leveransenummer for one in tonight.used["mva"]], tonight.refusals) == ([1], [])


def test_accepted_rows_that_are_more_than_they_were_are_lost(place):
    deliver(place, "full 1")
    (rows,) = (place.deliveries / place.night().used["mva"][0].folder / "krav").iterdir()
    shutil.copy(rows, rows.with_name("again.parquet"))
    shutil.rmtree(place.inbox / "mva")
    assert [why for _, why in place.night().lost] == ["not all rows of krav are there"]


def test_accepted_rows_that_are_lost_are_not_taken_of_other_content(place):
    deliver(place, "full 1", "change 2")
    shutil.rmtree(place.deliveries / place.night().used["mva"][1].folder)
    place.deliver(2, "endring", {"krav": [krav("K1", COMPANY, "200.00")]})
    tonight = place.night()
    assert [told.code for told in tonight.refusals] == ["L1-CHANGED"]
    assert [one.leveransenummer for one, _ in tonight.lost] == [2]
    assert [one.leveransenummer for one in tonight.used["mva"]] == [1]


def test_a_delivery_not_yet_published_may_change(place):
    deliver(place, "full 1")
    choose(place.inbox, place.deliveries, [])  # a night that stopped before publishing
    place.deliver(1, tables={})
    tonight = choose(place.inbox, place.deliveries, [])
    assert (tonight.refusals, tonight.used["mva"][0].receipt) == ([], {})


def test_an_accepted_delivery_whose_manifest_is_spoilt(place):
    deliver(place, "full 1", "change 2")
    place.night()
    (place.inbox / "mva" / "000001" / "manifest.json").write_text("{")
    assert place.reasons() == [("L1-CHANGED", None)]
    assert place.used() == [1, 2]


def test_an_older_full_arriving_late_changes_nothing(place):
    deliver(place, "full 2", "change 3")
    place.night()
    deliver(place, "full 1")
    assert place.used() == [2, 3]


def test_new_are_those_that_no_snapshot_has_used(place):
    deliver(place, "full 1")
    assert [one.leveransenummer for one in place.night().new] == [1]
    deliver(place, "change 2")
    tonight = place.night()
    assert [one.leveransenummer for one in tonight.new] == [2]
    assert tonight.new[0].rows("krav") == 1
    assert tonight.new[0].rows("part") == 0
    assert tonight.new[0].extracted_at.utcoffset() is not None
    place.deliver(1, kilde="skatt")
    assert [(one.kilde, one.leveransenummer) for one in place.night().new] == [("skatt", 1)]
