"""The bench compares like with like: every way that it measures makes our documents, and a difference is noticed."""

import importlib
from pathlib import Path

import pytest

from bench import compare, duckdb_night, floor, growth, ours, process
from synthetic.generate import generate
from tests.nights import Nights, S

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    nights = Nights(tmp_path_factory.mktemp("bench"))
    generate(nights.inbox, 200, 1, 1, date=S)
    nights.publish()
    return nights


@pytest.fixture(scope="module")
def documents(nights):
    hashes, size = compare.of_home(nights.home)
    assert len(hashes) == 4 * len(nights.snapshot())
    assert size > 100_000
    return hashes


def test_nested_sql_in_duckdb_makes_the_same_documents(nights, documents, tmp_path):
    duckdb_night.write_documents(nights.inbox, tmp_path / "out", str(S), "1GB")
    assert compare.difference(documents, compare.of_output(tmp_path / "out")) is None


@pytest.mark.parametrize("name", ["pandas_night", "pyspark_night"])
def test_the_others_do_too_where_their_libraries_are(name, nights, documents, tmp_path):
    for library in {"pandas_night": ("pandas", "orjson"), "pyspark_night": ("pyspark",)}[name]:
        pytest.importorskip(library)
    importlib.import_module(f"bench.{name}").write_documents(nights.inbox, tmp_path / "out", str(S))
    assert compare.difference(documents, compare.of_output(tmp_path / "out")) is None


def test_a_difference_is_counted_and_names_no_part(documents):
    first, *rest = documents
    theirs = {key: documents[key] for key in rest} | {rest[0]: b"other", ("krav", "x"): b"new"}
    told = compare.difference(documents, theirs)
    assert told == f"1 documents differ, 1 are missing, 1 are too many, of {len(documents)}"
    assert first[1] not in told


def test_the_floor_is_measured_on_what_the_night_left(nights, tmp_path):
    least = floor.measure(nights.inbox, nights.home, tmp_path / "scratch")
    assert min(least.read, least.compress, least.write) > 0
    assert not (tmp_path / "scratch").exists()


def test_a_process_that_fails_is_told_with_its_last_words(tmp_path):
    with pytest.raises(process.FailedError, match="no memory"):
        process.run(["python3", "-c", "raise SystemExit('no memory')"], Path.cwd(), tmp_path / "log")


def test_the_first_inbox_has_no_second_night(tmp_path):
    ours.generate(tmp_path / "inbox", 20, 2, str(S))
    first = growth.first_night_of(tmp_path / "inbox", tmp_path)
    assert {path.name for path in first.glob("*/*")} == {"000001"}
