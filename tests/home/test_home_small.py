"""What is short in a home: names that may be shown, SQL texts, paths, the lock, the code's version, deliveries."""

import hashlib
import os
from datetime import date, datetime
from importlib.metadata import version as version_of
from pathlib import Path

import duckdb
import pytest

from schemas.snapshot import Accepted, TableReceipt
from schemas.tables import REFERENCES
from tests.manifests import accepted
from transforms.home import version
from transforms.home.lock import LOCK, HomeInUseError, is_held, locked
from transforms.home.path import FORBIDDEN, HomePathError, check_path
from transforms.home.refused import REFUSED_SCHEMA
from transforms.home.shown import shown
from transforms.home.sql import sql_text
from transforms.root import ROOT

# names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("krav-1.parquet", "krav-1.parquet"),
        ("krav-20261123.csv", "krav-202611##.csv"),
        ("123456", "123456"),
        ("123456785", "123456###"),
        ("123456-123456", "123456-123456"),
        ("a\n\x1b[31mb\u202e", "a??[31mb?"),
        ("æ" * 121, "æ" * 120),
        ("", ""),
    ],
)
def test_a_name_is_shown_without_anyones_number_and_in_print(name, told):
    assert shown(name) == told


@pytest.mark.parametrize("value", ["plain", "it's", "''", "a\\b\n", "", Path("/home/o'neil")])
def test_a_text_in_sql_is_the_same_text(value):
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {sql_text(value)}").fetchall() == [(str(value),)]


# paths


@pytest.mark.parametrize("sign", FORBIDDEN)
def test_a_home_must_not_hold_what_engines_take_for_patterns(tmp_path, sign):
    with pytest.raises(HomePathError, match="the path of the home must not hold any of"):
        check_path(tmp_path / f"a{sign}b" / "home", "the home")


def test_a_home_is_looked_at_where_it_really_lies(tmp_path, monkeypatch):
    (tmp_path / "a*").mkdir()
    (tmp_path / "plain").symlink_to("a*")
    with pytest.raises(HomePathError):
        check_path(tmp_path / "plain", "the home")
    monkeypatch.chdir(tmp_path / "a*")
    with pytest.raises(HomePathError):
        check_path(Path("home"), "the home")
    check_path(tmp_path / "æ 'o' {1}", "the home")


# the lock


def test_one_run_at_a_time_and_who_it_is(tmp_path):
    home = tmp_path / "new" / "home"
    assert not is_held(home)  # there is none yet
    with locked(home, "0001") as still:
        assert still() and is_held(home)
        with pytest.raises(HomeInUseError, match=f"the home is in use by run 0001, process {os.getpid()}"):
            locked(home, "0002").__enter__()
        assert (home / LOCK).read_text() == f"run 0001, process {os.getpid()}"
    assert not is_held(home)
    with locked(home, "2") as still:
        assert still()
        assert (home / LOCK).read_text() == f"run 2, process {os.getpid()}"  # nothing is left of what was longer


def test_a_run_that_fails_lets_go(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path, "0001"):
        raise RuntimeError
    assert not is_held(tmp_path)


@pytest.mark.parametrize("becomes", ["removed", "replaced"])
def test_a_lock_that_is_another_file_now_is_not_held(tmp_path, becomes):
    with locked(tmp_path, "0001") as still:
        (tmp_path / LOCK).unlink()
        if becomes == "replaced":
            (tmp_path / LOCK).touch()
        assert not still()


# which code


def test_the_version_is_of_every_source_file_and_library():
    content = b"".join(
        path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0"
        for path in version.source_files()
    )
    assert version.CODE["code"] == hashlib.sha256(content).hexdigest()
    assert version.CODE["polars"] == version_of("polars")
    assert {"duckdb", "numba", "numpy", "pyarrow", "zstandard"} <= version.CODE.keys()


@pytest.mark.parametrize("change", ["content", "name", "a new one"])
def test_any_change_of_a_source_file_is_another_version(tmp_path, monkeypatch, change):
    monkeypatch.setattr(version, "ROOT", tmp_path)
    for folder in ("schemas", "transforms/build"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("a = 1")
    before, one = version._code_sha256(), tmp_path / "transforms" / "build" / "a.py"
    assert version._code_sha256() == before
    if change == "content":
        one.write_text("a = 2")
    elif change == "name":
        one.rename(one.with_name("b.py"))
    else:
        one.with_name("b.py").touch()
    assert version._code_sha256() != before


def test_the_root_has_what_is_found_from_it():
    assert (ROOT / "transforms" / "root.py").is_file() and (ROOT / "data" / "reference").is_dir()


# accepted deliveries


def extracted(moment):
    return accepted("mva", 42, moment)


def test_where_the_rows_of_a_delivery_lie():
    one = extracted("2026-11-22T23:30:00Z").model_copy(update={"manifest_sha256": "0123456789abcdef" + "0" * 48})
    assert one.folder == "mva/000042-0123456789abcdef"


def test_the_day_of_an_extract_is_oslos():
    assert extracted("2026-11-22T23:30:00Z").day == date(2026, 11, 23)
    assert extracted("2026-06-30T21:59:59Z").day == date(2026, 6, 30)  # summer time
    assert extracted("2026-06-30T22:00:00Z").day == date(2026, 7, 1)
    assert extracted("2026-11-22T23:30:00+01:00").extracted_at == datetime.fromisoformat("2026-11-22T22:30:00+00:00")


KRAV = TableReceipt(rader=7, refused=1, removed=2, oere=500, failing={"R-KID kidnummer": 1})


def test_rows_of_a_table_that_was_delivered_and_of_one_that_was_not():
    one = accepted("mva", 1, receipt={"krav": KRAV})
    assert (one.rows("krav"), one.rows("utbetaling")) == (7, 0)
    assert (one.refused("krav"), one.refused("utbetaling"), one.refused()) == (1, 0, 1)


def test_a_manifest_keeps_all_of_a_delivery():
    one = accepted("mva", 1, receipt={"krav": KRAV})
    assert Accepted.model_validate_json(one.model_dump_json()) == one


def test_a_refused_row_has_what_it_leads_to_parts_by():
    assert set(REFERENCES) < set(REFUSED_SCHEMA)
