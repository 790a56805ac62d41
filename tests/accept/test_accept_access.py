"""What the run's user may not read is told and waits like a gap (CONTRACT section 1); it is never taken for nothing."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accept.accepting import COMPANY, LEDGER, Place
from tests.nights import S, stops_of
from tests.plain.statement import part
from tests.plain.write import write_delivery
from tests.without_rights import without_rights
from transforms.home.report import StoppedError
from transforms.night import Night
from transforms.run import Settings

pytestmark = pytest.mark.slow

FULL_2 = Path("mva", "000002")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Two full deliveries of one source, of which the second is in force when it can be read."""
    place = Place(tmp_path)
    place.deliver(1, tables={"part": [part(COMPANY)]})
    place.deliver(2)
    with without_rights():
        yield place
    for path, _, _ in os.walk(tmp_path):
        Path(path).chmod(0o700)


def lock(path: Path) -> None:
    path.chmod(0)


def test_the_place_is_good(place):
    assert (place.used(), place.night().waiting) == ([2], 0)


@pytest.mark.parametrize(
    ("locked", "nummer", "fil", "used"),
    [
        ("mva", None, "mva", []),
        ("mva/000002", 2, "mva/000002", [1]),
        ("mva/000002/manifest.json", 2, "mva/000002", [1]),
        ("mva/000002/krav-1.csv", 2, "krav-1.csv", [1]),
        ("mva/000002/more", 2, "more", [1]),
    ],
)
def test_what_may_not_be_read_waits(place, locked, nummer, fil, used):
    (place.inbox / FULL_2 / "more").mkdir()
    lock(place.inbox / locked)
    tonight = place.night()
    told = [(one.code, one.kilde, one.leveransenummer, one.fil) for one in tonight.refusals]
    assert told == [("L1-NO-ACCESS", "mva", nummer, fil)]
    assert "Permission denied" in tonight.refusals[0].message
    assert (tonight.refused, tonight.waiting) == (0, 1)
    assert [one.leveransenummer for one in tonight.used.get("mva", [])] == used


def test_what_follows_it_waits_too_and_what_lets_it_be_read_heals(place):
    place.deliver(3, "endring", {"part": [part(COMPANY)]})
    place.deliver(4, "endring", {"part": [part(COMPANY)]})
    lock(place.inbox / "mva" / "000003")
    assert {(code, fil) for code, fil in place.reasons() if code[0] == "L"} == {
        ("L1-NO-ACCESS", "mva/000003"),
        ("L1-GAP", None),
    }
    assert place.used() == [2]
    (place.inbox / "mva" / "000003").chmod(0o700)
    assert place.used() == [2, 3, 4]


@pytest.mark.parametrize("locked", ["mva", "mva/000002", "mva/000002/manifest.json"])
def test_an_accepted_copy_stays_in_force_and_is_not_said_to_have_changed(place, locked):
    place.night()
    lock(place.inbox / locked)
    assert [code for code, _ in place.reasons() if code[0] == "L"] == ["L1-NO-ACCESS"]
    assert place.used() == [2]


def test_another_fault_still_refuses_the_delivery(place):
    lock(place.inbox / FULL_2 / "krav-1.csv")
    (place.inbox / FULL_2 / "more.csv").touch()
    tonight = place.night()
    assert sorted(one.code for one in tonight.refusals) == ["L1-FILE-UNLISTED", "L1-NO-ACCESS"]
    assert (tonight.refused, tonight.waiting) == (1, 0)


def test_a_link_that_leads_where_one_may_not_go(place):
    (place.inbox.parent / "away" / "000001").mkdir(parents=True)
    (place.inbox / "skatt").symlink_to(place.inbox.parent / "away" / "000001")
    lock(place.inbox.parent / "away")
    assert [code for code, _ in place.reasons() if code[0] == "L"] == ["L1-NO-ACCESS"]


@pytest.mark.parametrize("link", ["skatt", "mva/000003"])
@pytest.mark.parametrize("target", ["not mounted", "skatt", "000003"])
def test_a_link_that_leads_nowhere(place, link, target):
    """A place that is not mounted, or the link itself, is not taken for no delivery."""
    (place.inbox / link).symlink_to(target)
    assert [reason for reason in place.reasons() if reason[0][0] == "L"] == [("L1-NO-ACCESS", link)]
    assert place.used() == [2]


def test_a_manifest_that_the_disk_cannot_read_has_not_changed(place, monkeypatch):
    place.night()

    def broken(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_bytes", broken)
    tonight = place.night()
    assert {one.code for one in tonight.refusals} == {"L1-NO-ACCESS"}
    assert "Input/output error" in tonight.refusals[0].message
    assert [one.leveransenummer for one in tonight.used["mva"]] == [2]


def test_too_many_open_files_is_no_fault_of_a_delivery(place, monkeypatch):
    """It would be every delivery's, and the night would be published without them."""

    def open_no_more(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    for name in ("os.scandir", "hashlib.file_digest"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="Too many open files"):
            patch.setattr(name, open_no_more)
            place.night()


def test_an_inbox_that_may_not_be_read_stops_the_night(place):
    lock(place.inbox)
    night = Night(Settings(place.inbox, place.inbox.parent / "home", S, "0001"))
    with pytest.raises(StoppedError, match="L3-INBOX-NO-ACCESS"):
        night.do("accept")
    assert [one.code for one in stops_of(night)] == ["L3-INBOX-NO-ACCESS"]


def test_accepted_rows_that_may_not_be_read_are_told_as_that(place):
    rows = place.deliveries / place.night().used["mva"][-1].folder / "krav"
    (place.inbox / FULL_2).rename(place.inbox.parent / "away")
    lock(rows)
    (_, why), *others = place.night().lost
    assert (why, others) == ("they cannot be read (Permission denied)", [])


# what a folder may hold beside what the manifest names


@pytest.mark.parametrize("stray", ["_SUCCESS", "._SUCCESS.crc", ".krav-1.csv.crc", ".nfs0000000000c0ffee", "a/_x"])
def test_what_programs_leave_beside_their_files_is_ignored(tmp_path, stray):
    place = Place(tmp_path)
    path = place.deliver() / stray
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert place.reasons() == []


def test_a_file_of_such_a_name_that_the_manifest_names_is_read(tmp_path):
    place = Place(tmp_path)

    def rename(manifest):
        manifest["tabeller"]["krav"]["filer"][0]["sti"] = "_krav.csv"

    folder = write_delivery(place.inbox, "mva", 1, "full", LEDGER, manifest_changes=rename)
    assert place.reasons() == [("L1-FILE-MISSING", "_krav.csv"), ("L1-FILE-UNLISTED", "krav-1.csv")]
    (folder / "krav-1.csv").rename(folder / "_krav.csv")
    assert len(place.rows("krav")) == 2
