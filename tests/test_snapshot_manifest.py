"""A snapshot's manifest: as it is written, as it is read, and what is said of one that is no such thing."""

import json
import shutil

import pytest

from schemas.snapshot import SnapshotManifest, TableReceipt
from schemas.store import STORE_VERSION
from tests.manifests import accepted, manifest
from transforms.home.snapshot import (
    HomeDamagedError,
    OtherVersionError,
    published_chain,
    published_snapshot,
    read_manifest,
    write_json,
)

SUMS = TableReceipt(rader=1, refused=0, removed=0, oere=-(10**40), failing={"R-KID kidnummer": 1})
MANIFEST = manifest([accepted("mva", 1, type="full", receipt={"krav": SUMS})])
CONTENT = MANIFEST.model_dump(mode="json")
TEXT = """{
 "skjemaversjon": "3",
 "made_with": {
  "code": "a"
 },
 "snapshot": "2026-11-23-0002",
 "snapshotdato": "2026-11-23",
 "run": "0002",
 "made_at": "2026-11-24T02:30:00+00:00",
 "extracted_at": "2026-11-22T23:00:00+01:00",
 "previous": "2026-11-22-0001",
 "used": [
  {
   "kilde": "mva",
   "leveransenummer": 1,
   "type": "full",
   "uttrekkstidspunkt": "2026-11-22T23:00:00+01:00",
   "manifest_sha256": "SHA",
   "filer": {
    "krav": [
     "krav-1.parquet"
    ]
   },
   "receipt": {
    "krav": {
     "rader": 1,
     "refused": 0,
     "removed": 0,
     "oere": -10000000000000000000000000000000000000000,
     "failing": {
      "R-KID kidnummer": 1
     }
    }
   }
  }
 ],
 "said": {
  "mva": {
   "krav": 1
  }
 },
""".replace("SHA", "a" * 64)
"""How it begins. The homes that are there have it so: a change here is another store version."""


@pytest.fixture
def folder(tmp_path):
    """A snapshot's folder in a home without any other."""
    folder = tmp_path / "snapshots" / MANIFEST.snapshot
    folder.mkdir(parents=True)
    (tmp_path / "current").symlink_to(folder)
    return folder


def put(folder, content):
    (folder / "manifest.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_it_is_written_as_ever_and_read_as_it_was(folder):
    write_json(folder / "manifest.json", CONTENT)
    text = (folder / "manifest.json").read_text()
    assert text[: len(TEXT)] == TEXT
    assert list(json.loads(text))[-4:] == ["accepted", "stages", "reconciliation", "files"]
    assert read_manifest(folder) == MANIFEST
    assert MANIFEST.files.keys() == {"documents/æ.zst"}


@pytest.mark.parametrize(
    ("moment", "day"),
    [("2026-11-22T22:30:00.250000+00:00", 22), ("2026-11-22T23:00:00+00:00", 23), ("2026-11-22T23:30:00+05:30", 22)],
)
def test_a_moment_keeps_its_form(moment, day):
    content = CONTENT | {"extracted_at": moment, "used": [CONTENT["used"][0] | {"uttrekkstidspunkt": moment}]}
    read = SnapshotManifest.model_validate_json(json.dumps(content))
    assert read.model_dump(mode="json") == content
    assert (read.used[0].day.day, read.used[0].folder) == (day, f"mva/000001-{'a' * 16}")


def test_the_rows_of_a_table():
    (one,) = MANIFEST.used
    assert (one.rows("krav"), one.rows("part")) == (1, 0)


def test_one_of_an_earlier_program_does_not_tell_its_rows(folder):
    put(folder, {name: said for name, said in CONTENT.items() if name != "said"})
    assert read_manifest(folder).said is None


def test_what_a_later_program_adds_is_ignored(folder):
    put(folder, CONTENT | {"more": 1, "files": {"a": {"bytes": 1, "sha256": "a", "blocks": 2}}})
    assert read_manifest(folder).files["a"].bytes == 1


@pytest.mark.parametrize("lacking", [{}, {"made_with": [], "files": None}])
def test_another_version_is_told_before_anything_is_wrong(folder, lacking):
    put(folder, (CONTENT if lacking else {"previous": None}) | {"skjemaversjon": "0"} | lacking)
    with pytest.raises(OtherVersionError, match=f"are of version 0, this program's of {STORE_VERSION}$"):
        read_manifest(folder)
    assert published_chain(folder.parent.parent) == [folder]


PERSONAL = "10987654321"
CANNOT, NONE = "cannot be read", "is not one of a snapshot"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", CANNOT),
        (json.dumps(CONTENT)[:-1], CANNOT),
        (json.dumps(CONTENT).replace('"0002"', f'"{PERSONAL}\\ud800"'), CANNOT),
        ("[" * 100_000, CANNOT),
        ([PERSONAL], CANNOT),
        ({}, NONE),
        *(({name: CONTENT[name] for name in CONTENT if name != left}, NONE) for left in CONTENT if left != "said"),
        *((CONTENT | {name: [{PERSONAL: PERSONAL}]}, NONE) for name in CONTENT),
        (CONTENT | {"skjemaversjon": PERSONAL}, NONE),
        (CONTENT | {"previous": f"../{PERSONAL}"}, NONE),
        (CONTENT | {"previous": f"2026-11-22-0001/{PERSONAL}"}, NONE),
        (CONTENT | {"snapshotdato": int(PERSONAL)}, NONE),
        (CONTENT | {"made_at": "2026-11-24T02:30:00"}, NONE),
        (CONTENT | {"files": {"a": {"bytes": PERSONAL, "sha256": ""}}}, NONE),
        (CONTENT | {"used": [CONTENT["used"][0] | {"type": PERSONAL}]}, NONE),
    ],
)
def test_what_is_no_manifest_is_told_without_its_content(folder, content, said):
    put(folder, content)
    with pytest.raises(HomeDamagedError) as error:
        read_manifest(folder)
    assert str(error.value) == f"the manifest of {folder.name} {said}"
    assert PERSONAL not in str(error.value.__cause__)


def test_a_manifest_that_is_gone(folder):
    with pytest.raises(HomeDamagedError, match=r"cannot be read$"):
        read_manifest(folder)


def test_the_chain_is_followed_whatever_version(folder):
    """An interrupted first run of any version was published by nobody; what comes after another was."""
    home = folder.parent.parent
    put(folder, {"skjemaversjon": "1", "previous": None})
    (home / "current").unlink()
    assert published_snapshot(home) is None
    before = shutil.copytree(folder, folder.with_name("2026-11-22-0001"))
    put(folder, {"skjemaversjon": "1", "previous": before.name})
    with pytest.raises(HomeDamagedError, match="no current"):
        published_snapshot(home)
    (home / "current").symlink_to(folder)
    assert published_chain(home) == [folder, before]
