"""Level 1: each fault of a delivery is refused with its own code, and all that is wrong is listed."""

import io
import json
import os
import socket
import stat
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.accept.accepting import COMPANY, LEDGER, edit, put, swap
from tests.plain.statement import krav, part
from transforms.accept import delivery as accept
from transforms.accept.files import read_batches

pytestmark = pytest.mark.slow

MANIFEST = "manifest.json"
KRAV = "krav-1.csv"


def file_of(manifest, table="krav"):
    return manifest["tabeller"][table]["filer"][0]


def told(**fields):
    """A manifest with other values in its fields."""
    return lambda folder: edit(folder, lambda manifest: manifest.update(fields))


def untold(field):
    return lambda folder: edit(folder, lambda manifest: manifest.pop(field))


def of_krav(**fields):
    return lambda folder: edit(folder, lambda manifest: manifest["tabeller"]["krav"].update(fields))


def of_krav_file(**fields):
    return lambda folder: edit(folder, lambda manifest: file_of(manifest).update(fields))


def twice(folder):
    edit(folder, lambda m: m["tabeller"]["krav"]["filer"].append({**file_of(m), "sti": f"./{KRAV}"}))


def in_two_tables(folder):
    edit(folder, lambda m: m["tabeller"]["krav"]["filer"].append(file_of(m, "part")))


def linked(folder):
    (folder / KRAV).rename(folder.parent / "elsewhere.csv")
    (folder / KRAV).symlink_to(folder.parent / "elsewhere.csv")


def renamed(folder):
    (folder / KRAV).rename(folder / "krav.txt")
    of_krav_file(sti="krav.txt")(folder)


def csv(old, new):
    return lambda folder: swap(folder, KRAV, old, new)


def raw_manifest(content):
    return lambda folder: (folder / MANIFEST).write_bytes(content)


BAD_DELIVERIES = {
    "not JSON": (raw_manifest(b"{"), [("L1-MANIFEST-JSON", MANIFEST)]),
    "empty": (raw_manifest(b""), [("L1-MANIFEST-JSON", MANIFEST)]),
    "NaN": (raw_manifest(b'{"leveransenummer": NaN}'), [("L1-MANIFEST-JSON", MANIFEST)]),
    "UTF-16": (raw_manifest('{"type": "full"}'.encode("utf-16")), [("L1-MANIFEST-JSON", MANIFEST)]),
    "a field twice": (raw_manifest(b'{"a": 1, "a": 1}'), [("L1-MANIFEST-JSON", MANIFEST)]),
    "deep": (raw_manifest(b'{"a":' * 100_000), [("L1-MANIFEST-JSON", MANIFEST)]),
    "a long number": (raw_manifest(b'{"a":' + b"9" * 9999 + b"}"), [("L1-MANIFEST-JSON", MANIFEST)]),
    "a list": (raw_manifest(b"[]"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "field missing": (untold("uttrekkstidspunkt"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "no offset": (told(uttrekkstidspunkt="2026-11-22T23:00:00"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "seconds": (told(uttrekkstidspunkt=1763848800), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "year 9999": (told(uttrekkstidspunkt="9999-12-31T23:59:59-12:00"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "version": (told(skjemaversjon="2"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "type": (told(type="delta"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "table": (told(tabeller={"gjeld": {"filer": [], "rader": 0}}), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "no control sum": (of_krav(kontrollsum=None), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "control sum a number": (of_krav(kontrollsum=79.5), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "rows a text": (of_krav(rader="2"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "rows true": (of_krav_file(rader=True), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "rows negative": (of_krav_file(rader=-1), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "number 0": (told(leveransenummer=0), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "sha256 short": (of_krav_file(sha256="ab"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "lone surrogate": (of_krav_file(sti="\ud800.csv"), [("L1-MANIFEST-FIELD", MANIFEST)]),
    "another source": (told(kilde="skatt"), [("L1-FOLDER", MANIFEST)]),
    "another number": (told(leveransenummer=2), [("L1-FOLDER", MANIFEST)]),
    "file missing": (lambda folder: (folder / KRAV).unlink(), [("L1-FILE-MISSING", KRAV)]),
    "a folder": (
        lambda folder: [(folder / KRAV).unlink(), (folder / KRAV).mkdir()],
        [("L1-FILE-MISSING", KRAV)],
    ),
    "unlisted": (lambda folder: (folder / "more.csv").touch(), [("L1-FILE-UNLISTED", "more.csv")]),
    "unlisted, deep": (
        lambda folder: [(folder / "a").mkdir(), (folder / "a" / MANIFEST).touch()],
        [("L1-FILE-UNLISTED", f"a/{MANIFEST}")],
    ),
    "linked": (linked, [("L1-FILE-OUTSIDE", KRAV)]),
    "outside": (
        of_krav_file(sti="../x.csv"),
        [("L1-FILE-OUTSIDE", "../x.csv"), ("L1-FILE-UNLISTED", KRAV)],
    ),
    "absolute": (
        of_krav_file(sti="/etc/passwd.csv"),
        [("L1-FILE-OUTSIDE", "/etc/passwd.csv"), ("L1-FILE-UNLISTED", KRAV)],
    ),
    "null byte": (
        of_krav_file(sti="\0.csv"),
        [("L1-FILE-OUTSIDE", "?.csv"), ("L1-FILE-UNLISTED", KRAV)],
    ),
    "long name": (
        of_krav_file(sti="x" * 300 + ".csv"),
        [("L1-UNREADABLE", "x" * 120), ("L1-FILE-UNLISTED", KRAV)],
    ),
    "twice": (twice, [("L1-FILE-TWICE", KRAV), ("L1-FILE-TWICE", f"./{KRAV}")]),
    "in two tables": (in_two_tables, [("L1-FILE-TWICE", "part-1.csv")] * 2),
    "ending": (renamed, [("L1-FILE-ENDING", "krav.txt")]),
    "sha256": (of_krav_file(sha256="0" * 64), [("L1-SHA256", KRAV)]),
    "rows of the file": (of_krav_file(rader=3), [("L1-ROWS", KRAV)]),
    "rows of the table": (of_krav(rader=3), [("L1-ROWS", MANIFEST)]),
    "control sum": (of_krav(kontrollsum="79.51"), [("L1-CONTROL-SUM", MANIFEST)]),
    "control sum of 40 digits": (of_krav(kontrollsum="1" * 40), [("L1-CONTROL-SUM", MANIFEST)]),
    "column missing and unknown": (
        csv("kravtype", "type"),
        [("L1-COLUMN-MISSING", KRAV), ("L1-COLUMN-UNKNOWN", KRAV)],
    ),
    "column twice": (csv("kravtype", "kravtype,kravtype"), [("L1-COLUMN-TWICE", KRAV)]),
    "slettet in a full": (csv("_beloep", "_beloep,slettet"), [("L1-COLUMN-UNKNOWN", KRAV)]),
    "too few fields": (csv(",100.00", ""), [("L1-UNREADABLE", KRAV)]),
    "too many fields": (csv(",100.00", ",100.00,"), [("L1-UNREADABLE", KRAV)]),
    "decimal comma": (csv(",100.00", ",100,00"), [("L1-UNREADABLE", KRAV)]),
    "not UTF-8": (
        lambda folder: put(folder, KRAV, (folder / KRAV).read_bytes().replace(b"Skatt", b"Sk\xe5tt")),
        [("L1-UNREADABLE", KRAV)],
    ),
    "no bytes": (lambda folder: put(folder, KRAV, b""), [("L1-UNREADABLE", KRAV)]),
    "only line breaks": (lambda folder: put(folder, KRAV, b"\r\n\n"), [("L1-UNREADABLE", KRAV)]),
    "a quote never closed": (csv("Skatt", '"Skatt'), [("L1-UNREADABLE", KRAV)]),
    "quotes inside a field": (csv("Skatt", 'Sk"at"t'), [("L1-UNREADABLE", KRAV)]),
    "text after a quote": (csv("Skatt", '"Skatt"s'), [("L1-UNREADABLE", KRAV)]),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_DELIVERIES)
def test_a_bad_delivery_is_refused(place, fault):
    change, expected = BAD_DELIVERIES[fault]
    change(place.deliver())
    tonight = place.night()
    assert [(refusal.code, refusal.fil) for refusal in tonight.refusals] == expected
    assert (tonight.used, tonight.refused, tonight.waiting) == ({}, 1, 0)
    assert not any(place.deliveries.glob("*/*"))  # nothing of it stays


WRONG_TYPES = {
    "amount a float": ("opprinnelig_beloep", pa.array([100.0])),
    "amount an int": ("opprinnelig_beloep", pa.array([100])),
    "amount NaN": ("opprinnelig_beloep", pa.array([float("nan")])),
    "amount of three decimals": ("opprinnelig_beloep", pa.array([Decimal(1)], pa.decimal128(18, 3))),
    "date a moment": ("opprettelsesdato", pa.array([datetime(2023, 1, 1)])),
    "date a number": ("opprettelsesdato", pa.array([20230101])),
    "text of bytes": ("kravtype", pa.array([b"Skatt"])),
    "text of bools": ("kravtype", pa.array([True])),
    "text of dates": ("kravtype", pa.array([date(2023, 1, 1)])),
    "text of numbers": ("kravidentifikator", pa.array([1])),
    "text in lists": ("kravtype", pa.array([["Skatt"]])),
    "text in structs": ("kravtype", pa.array([{"kravtype": "Skatt"}])),
}


def parquet_with(column, array):
    names = list(LEDGER["krav"][0])
    arrays = {name: pa.array(["2"]) for name in names} | {column: array}
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays), sink)
    return sink.getvalue()


@pytest.mark.parametrize("fault", WRONG_TYPES)
def test_a_parquet_column_of_another_type(place, fault):
    folder = place.deliver(tables={"krav": LEDGER["krav"]}, format="parquet")
    put(folder, "krav-1.parquet", parquet_with(*WRONG_TYPES[fault]), rader=1)
    assert place.reasons() == [("L1-COLUMN-TYPE", "krav-1.parquet")]


@pytest.mark.parametrize("dictionary", [True, False])
def test_parquet_text_that_is_not_utf8(place, dictionary):
    folder = place.deliver(tables={"krav": LEDGER["krav"]}, format="parquet")
    content = parquet_with("kravtype", pa.array(["Skaatt"]))
    put(folder, "krav-1.parquet", content.replace(b"Skaatt", b"Sk\xff\xfett"), rader=1)
    assert place.reasons() == [("L1-UNREADABLE", "krav-1.parquet")]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 100, b"a,b\n1,2\n"])
def test_a_parquet_file_that_is_none(place, content):
    put(place.deliver(format="parquet"), "krav-1.parquet", content)
    assert place.reasons() == [("L1-UNREADABLE", "krav-1.parquet")]


@pytest.mark.parametrize("format", ["csv.gz", "csv.zst"])
@pytest.mark.parametrize("change", [lambda c: c[:-9], lambda c: c + b"more", lambda c: b"plain text"])
def test_a_compressed_file_that_is_broken(place, format, change):
    folder = place.deliver(format=format)
    put(folder, f"krav-1.{format}", change((folder / f"krav-1.{format}").read_bytes()))
    assert place.reasons() == [("L1-UNREADABLE", f"krav-1.{format}")]


def test_all_that_is_wrong_is_listed(place):
    tables = {**LEDGER, "innbetaling": [], "utbetaling": [], "plassering": []}
    folder = place.deliver(tables=tables)
    swap(folder, KRAV, "kravperiode", "periode")
    swap(folder, "part-1.csv", "part,parttype", "parttype")
    (folder / "innbetaling-1.csv").unlink()
    of_krav(kontrollsum="1")(folder)
    told(kilde="skatt")(folder)
    edit(folder, lambda m: file_of(m, "utbetaling").update(sha256="0" * 64))
    edit(folder, lambda m: file_of(m, "plassering").update(rader=7))
    edit(folder, lambda m: m["tabeller"]["kravforfall"].update(rader=3, kontrollsum="0"))
    (folder / "notes.txt").touch()
    assert sorted(place.reasons()) == [
        ("L1-COLUMN-MISSING", KRAV),
        ("L1-COLUMN-MISSING", "part-1.csv"),
        ("L1-COLUMN-UNKNOWN", KRAV),
        ("L1-CONTROL-SUM", MANIFEST),
        ("L1-FILE-MISSING", "innbetaling-1.csv"),
        ("L1-FILE-UNLISTED", "notes.txt"),
        ("L1-FOLDER", MANIFEST),
        ("L1-ROWS", MANIFEST),
        ("L1-ROWS", "plassering-1.csv"),
        ("L1-SHA256", "utbetaling-1.csv"),
    ]


def test_all_fields_that_are_wrong_are_listed(place):
    folder = place.deliver()
    told(type="delta", skjemaversjon=1)(folder)
    edit(folder, lambda m: m["tabeller"].update({COMPANY: {}, "part": {"filer": [{}], "rader": 1}}))
    fields = {refusal.message.partition(":")[0] for refusal in place.night().refusals}
    assert fields == {
        "type",
        "skjemaversjon",
        "tabeller.?",  # the name of an unknown table may be anything, a person's number too
        "tabeller.?.filer",
        "tabeller.?.rader",
        "tabeller.part.filer.0.sti",
        "tabeller.part.filer.0.rader",
        "tabeller.part.filer.0.sha256",
    }


def test_unknown_fields_are_ignored(place):
    folder = place.deliver()
    told(merknad="from tonight's job")(folder)
    of_krav_file(bytes=1)(folder)
    assert place.used() == [1]


def test_a_folder_without_manifest_is_not_a_delivery_yet(place):
    (place.deliver() / MANIFEST).unlink()
    assert place.night().refusals == []


@pytest.mark.parametrize("name", ["42", "0000042", "full", "００００４２"])
def test_a_folder_that_is_not_six_digits(place, name):
    folder = place.deliver()
    folder.rename(folder.with_name(name))
    assert place.reasons() == [("L1-FOLDER", f"mva/{name}".replace("0000042", "000004#"))]


def test_a_source_that_is_named_badly(place):
    place.deliver(kilde="MVA")
    tonight = place.night()
    assert [(told.code, told.fil) for told in tonight.refusals] == [("L1-FOLDER", "MVA/000001")]
    assert (tonight.refused, tonight.waiting) == (1, 0)


def test_a_manifest_that_is_a_link(place):
    folder = place.deliver()
    (folder / MANIFEST).rename(place.inbox / "m.json")
    (folder / MANIFEST).symlink_to(place.inbox / "m.json")
    assert place.reasons() == [("L1-MANIFEST-JSON", MANIFEST)]


def test_a_folder_that_is_a_link(place):
    folder = place.deliver()
    (folder / "a").symlink_to("/etc")
    of_krav_file(sti="a/hosts.csv")(folder)
    assert place.reasons() == [("L1-FILE-OUTSIDE", "a/hosts.csv"), ("L1-FILE-UNLISTED", "a"), ("L1-FILE-UNLISTED", KRAV)]  # fmt: skip # noqa: E501


def pipe(path):
    os.mkfifo(path)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(path))  # the path of a socket is short


def device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # reads as zeros without end
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize("make", [pipe, unix_socket, device])
def test_what_is_no_plain_file_is_not_waited_for(place, make, monkeypatch):
    """Listed, beside the listed, and as the manifest."""
    folder = place.deliver()
    monkeypatch.chdir(folder)
    (folder / KRAV).unlink()
    make(folder / KRAV)
    assert place.reasons() == [("L1-FILE-MISSING", KRAV)]
    make(folder / "more.csv")
    assert place.reasons() == [("L1-FILE-MISSING", KRAV), ("L1-FILE-UNLISTED", "more.csv")]
    (folder / MANIFEST).unlink()
    make(folder / MANIFEST)
    assert place.reasons() == [("L1-MANIFEST-JSON", MANIFEST)]


def test_a_hard_link_is_a_file_like_any_other(place):
    """Copying tools make them of files that have not changed; what counts is the content's sha256."""
    folder = place.deliver()
    os.link(folder / KRAV, place.inbox / "yesterdays.csv")
    assert place.used() == [1]


@pytest.mark.parametrize("how", ["written to", "replaced", "linked", "gone"])
def test_a_file_that_changes_between_the_sha256_and_the_reading(place, how, monkeypatch):
    folder = place.deliver()
    content = (folder / KRAV).read_bytes()

    def read_meanwhile(path, *given, **named):
        if path.name == KRAV:
            if how != "written to":
                path.rename(place.inbox / "elsewhere.csv")
            if how in ("written to", "replaced"):
                path.write_bytes(content.replace(b"Skatt", b"Avgift"))
            elif how == "linked":
                path.symlink_to(place.inbox / "elsewhere.csv")
        return read_batches(path, *given, **named)

    monkeypatch.setattr(accept, "read_batches", read_meanwhile)
    expected = "L1-UNREADABLE" if how == "gone" else "L1-SHA256"
    assert place.reasons() == [(expected, KRAV)]
    assert not any(place.deliveries.glob("*/*"))


def test_folders_nested_deeper_than_python_recurses(place, monkeypatch):
    monkeypatch.chdir(place.deliver())
    depth = 1200
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("x.csv").touch()
    try:
        assert place.reasons() == [("L1-FILE-UNLISTED", "d/" * 60)]
    finally:  # what tidies up after pytest does recurse
        Path("x.csv").unlink()
        for _ in range(depth):
            os.chdir("..")
            Path("d").rmdir()


def test_a_name_with_a_number_in_it_is_masked(place):
    (place.deliver() / f"{COMPANY}.csv").touch()
    assert place.reasons() == [("L1-FILE-UNLISTED", f"{COMPANY[:6]}###.csv")]


# the chain: gaps, corrections and changes


def test_before_its_first_full_a_source_waits(place):
    place.deliver(1, "endring")
    assert place.reasons() == [("L1-NO-FULL", None)]


def test_a_gap_is_reported_and_waits(place):
    place.deliver(1)
    place.deliver(3, "endring", {"krav": [krav("K3", COMPANY, "1.00")]})
    tonight = place.night()
    assert [refusal.code for refusal in tonight.refusals] == ["L1-GAP"]
    assert (tonight.refused, tonight.waiting) == (0, 1)


def test_an_accepted_delivery_that_comes_changed(place):
    place.deliver(1)
    place.night()
    place.deliver(1, tables={"part": [part(COMPANY)]})
    assert place.reasons() == [("L1-CHANGED", None)]
    assert place.used() == [1]
    assert len(place.rows("part")) == 2  # the accepted copy stays


ALONE = {"L1-CHANGED", "L1-COLUMN-TYPE", "L1-GAP", "L1-NO-FULL"}
"""The codes that have tests of their own above."""


def test_no_table_is_a_delivery_too(place):
    place.deliver(tables={})
    assert place.used() == [1]


def test_json_bytes_are_what_a_delivery_is_known_by(place):
    folder = place.deliver()
    place.night()
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    assert place.reasons() == [("L1-CHANGED", None)]
