"""What lies in an inbox, and how a delivery's files lie in it, before any file is read (CONTRACT sections 1 and 2)."""

import hashlib
import os

import pytest

from tests.accept.accepting import edit
from transforms.accept.inbox import MANIFEST, check_files, find_deliveries, read_delivery, state


def found(inbox):
    """Source and number of the deliveries found, the names of strays and of what may not be read."""
    of = find_deliveries(inbox)
    deliveries = [(delivery.kilde, delivery.nummer) for delivery in of.deliveries]
    return deliveries, [stray.fil for stray in of.stray], [refusal.fil for refusal in of.without_access]


def test_deliveries_come_by_source_and_number(place):
    for kilde, nr in (("skatt", 2), ("mva", 10), ("mva", 9)):
        place.deliver(nr, kilde=kilde)
    assert found(place.inbox) == ([("mva", 9), ("mva", 10), ("skatt", 2)], [], [])


def test_a_folder_without_manifest_is_no_delivery_yet(place):
    (place.deliver() / MANIFEST).unlink()
    (place.inbox / "a-file").touch()
    (place.inbox / "mva" / "000002").touch()
    (place.inbox / "empty").mkdir()
    assert found(place.inbox) == ([], [], [])


@pytest.mark.parametrize(
    ("kilde", "folder", "told"),
    [
        ("mva", "1", "mva/1"),
        ("mva", "0000001", "mva/000000#"),
        ("mva", "00000a", "mva/00000a"),
        ("mva", "٠٠٠٠٠١", "mva/٠٠٠٠٠١"),  # digits, but not ours
        ("MVA", "000001", "MVA/000001"),
        ("m" * 33, "000001", "m" * 33 + "/000001"),
    ],
)
def test_a_folder_that_is_not_named_as_one_of_a_delivery(place, kilde, folder, told):
    place.deliver().rename(place.inbox / "mva" / folder)
    (place.inbox / "mva").rename(place.inbox / kilde)
    deliveries, stray, _ = found(place.inbox)
    assert (deliveries, stray) == ([], [told])


def test_a_link_that_leads_nowhere_waits(place):
    (place.inbox / "mva").mkdir()
    (place.inbox / "mva" / "000001").symlink_to("gone")
    (place.inbox / "skatt").symlink_to("gone")
    assert found(place.inbox) == ([], [], ["mva/000001", "skatt"])


def test_an_inbox_that_is_not_there(place):
    with pytest.raises(FileNotFoundError):
        find_deliveries(place.inbox / "gone")


def test_too_many_open_files_are_nobodys_fault(place, monkeypatch):
    def none(_):
        raise OSError(24, "Too many open files")

    folder = place.deliver()
    monkeypatch.setattr("transforms.accept.inbox.read_delivery", none)
    with pytest.raises(OSError, match="Too many open files"):
        find_deliveries(folder.parents[1])


# manifests


def test_a_manifest_is_known_by_its_bytes(place):
    folder = place.deliver(7)
    delivery = read_delivery(folder)
    assert delivery.refusals == ()
    assert (delivery.kilde, delivery.nummer, delivery.folder) == ("mva", 7, folder)
    assert delivery.manifest_sha256 == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert delivery.manifest.tabeller["krav"].oere == 7950


def test_a_byte_order_mark_is_ignored(place):
    folder = place.deliver()
    (folder / MANIFEST).write_bytes(b"\xef\xbb\xbf" + (folder / MANIFEST).read_bytes())
    assert read_delivery(folder).refusals == ()


def reasons(refusals):
    return [(refusal.code, refusal.message) for refusal in refusals]


def test_every_field_that_is_wrong_is_told_and_none_that_nobody_knows(place):
    """What stands there is not: it may be anyone's number."""
    folder = place.deliver()
    wrong = {"type": "delta", "tabeller": {"123456785": {"filer": [], "rader": 0}, "krav": {"filer": [{}], "rader": 0}}}
    edit(folder, lambda manifest: manifest.update(wrong))
    delivery = read_delivery(folder)
    assert delivery.manifest is None
    assert {refusal.code for refusal in delivery.refusals} == {"L1-MANIFEST-FIELD"}
    told = [refusal.message.partition(":")[0] for refusal in delivery.refusals]
    assert sorted(told) == [
        *("tabeller.?", "tabeller.krav.filer.0.rader", "tabeller.krav.filer.0.sha256", "tabeller.krav.filer.0.sti"),
        "type",
    ]
    assert "123456785" not in str(delivery.refusals)


def test_a_manifest_of_another_folder(place):
    folder = place.deliver(7)
    delivery = read_delivery(folder.rename(folder.with_name("000008")))
    assert reasons(delivery.refusals) == [("L1-FOLDER", "leveransenummer 7 lies in folder 000008")]
    delivery = read_delivery(place.deliver(7, manifest_changes={"kilde": "skatt"}))
    assert reasons(delivery.refusals) == [("L1-FOLDER", "kilde is not the name of the source's folder")]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json(place, content):
    folder = place.deliver()
    (folder / MANIFEST).write_bytes(content)
    assert [refusal.code for refusal in read_delivery(folder).refusals] == ["L1-MANIFEST-JSON"]


def test_a_manifest_that_is_a_link_or_a_folder(place):
    folder = place.deliver()
    (folder / MANIFEST).rename(folder / "other.json")
    (folder / MANIFEST).symlink_to("other.json")
    assert [refusal.code for refusal in read_delivery(folder).refusals] == ["L1-MANIFEST-JSON"]
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    assert [refusal.code for refusal in read_delivery(folder).refusals] == ["L1-MANIFEST-JSON"]


# files

FILES = ["krav-1.csv", "kravforfall-1.csv", "part-1.csv"]


def checked(folder):
    """The files that can be read, and what is wrong with the others."""
    checks = check_files(read_delivery(folder))
    return sorted(checks.paths), sorted((refusal.code, refusal.fil) for refusal in checks.refusals)


def test_files_that_lie_as_the_manifest_says(place):
    folder = place.deliver()
    assert checked(folder) == (FILES, [])
    checks = check_files(read_delivery(folder))
    assert {sti: state(folder / sti) for sti in FILES} == checks.states


def test_every_file_that_is_wrong_is_told_and_the_others_can_be_read(place):
    folder = place.deliver()
    (folder / "krav-1.csv").unlink()
    (folder / "part-1.csv").write_text("other")
    (folder / "more").mkdir()
    for name in ("more/unlisted.csv", "_SUCCESS", ".part-1.csv.crc"):
        (folder / name).touch()
    assert checked(folder) == (
        ["kravforfall-1.csv"],
        [
            ("L1-FILE-MISSING", "krav-1.csv"),
            ("L1-FILE-UNLISTED", "more/unlisted.csv"),
            ("L1-SHA256", "part-1.csv"),
        ],
    )


@pytest.mark.parametrize(
    ("sti", "codes"),
    [
        ("../krav-1.csv", ["L1-FILE-OUTSIDE"]),
        ("/krav-1.csv", ["L1-FILE-OUTSIDE"]),
        ("a\\krav-1.csv", ["L1-FILE-OUTSIDE"]),
        ("linked/krav-1.csv", ["L1-FILE-OUTSIDE"]),
        (MANIFEST, ["L1-FILE-ENDING", "L1-FILE-OUTSIDE"]),
        ("krav-1.txt", ["L1-FILE-ENDING", "L1-FILE-MISSING"]),
        (f"{'a' * 300}.csv", ["L1-UNREADABLE"]),
        ("./part-1.csv", ["L1-FILE-TWICE", "L1-FILE-TWICE", "L1-SHA256"]),
    ],
)
def test_paths_that_are_not_those_of_a_file_of_its_own(place, sti, codes):
    """One file in two spellings is listed twice, and told at both."""
    folder = place.deliver()
    (folder / "linked").symlink_to(".")
    edit(folder, lambda manifest: manifest["tabeller"]["krav"]["filer"][0].update(sti=sti))
    refusals = check_files(read_delivery(folder)).refusals
    told = sorted(refusal.code for refusal in refusals if refusal.code != "L1-FILE-UNLISTED")
    assert told == codes


def test_the_state_of_a_file_tells_every_change(tmp_path):
    path = tmp_path / "a.csv"
    assert state(path) == state(tmp_path / "\0") == ()
    path.write_text("one")
    before = state(path)
    assert state(path) == before
    os.utime(path, (1, 1))
    touched = state(path)
    path.rename(tmp_path / "b.csv")
    path.write_text("one")
    os.utime(path, (1, 1))
    assert len({before, touched, state(path)}) == 3  # the last is another file with the same content and time
