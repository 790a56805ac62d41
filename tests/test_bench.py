"""The bench compares like with like: every way that it measures makes our documents, and a difference is noticed."""

import importlib
from argparse import Namespace
from pathlib import Path

import polars as pl
import pytest

from bench import compare, duckdb_night, floor, growth, night, ours, process
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


def ways(inbox):
    """Those of the bench that can be run here, by name."""
    environment = ours.ROOT / ".venv-bench/bin/python"
    memory = {"duckdb_memory": "1GB", "spark_memory": "1g"}
    given = Namespace(parts=200, pandas_parts=200, python=environment, without=[], **memory)
    return {way.name: way for way in night.ways(given, inbox, inbox)}


@pytest.mark.parametrize("name", ["polars", "duckdb-fragments", "duckdb-nested", "chdb"])
def test_each_way_makes_the_same_documents(name, nights, documents, tmp_path):
    way = ways(nights.inbox).get(name)
    if name == "chdb" and not way:
        pytest.skip("the bench's own environment is missing")
    night.measure(way, tmp_path, documents)
    assert way.failure is None
    assert way.costs[0].cpu_seconds > 0


def test_a_wrong_byte_fails_the_bench(nights, documents, tmp_path):
    made = tmp_path / "made"
    duckdb_night.write_documents(nights.inbox, made, str(S), "fragments", "1GB")
    krav = pl.read_parquet(made / "krav.parquet")
    one = pl.int_range(pl.len()) == 7
    other = pl.when(one).then(pl.col("document").str.replace("]}", "] }", literal=True)).otherwise("document")
    krav.with_columns(document=other).write_parquet(made / "krav.parquet")
    copied = night.Way("copied", "Copied", ["cp", "-r", "{}", "{}"], 200, made)
    with pytest.raises(SystemExit, match="copied made other documents: 1 documents differ, 0 are missing"):
        night.measure(copied, tmp_path, documents)


def test_the_table_says_what_each_row_includes_and_names_the_yardstick():
    stages = {name: {"seconds": seconds} for name, seconds in {"accept": 2, "build": 5, "reconcile": 1}.items()}
    mine = ours.Night(process.Cost(10, 1000, 15), {"stages": stages})
    costs = {"Quick": process.Cost(5, 4000, 7.5), "Slow": process.Cost(20, 500, 40)}
    others = [night.Way(name, name, [], 100, Path(), [cost]) for name, cost in costs.items()]
    told = night.table([mine], others, 100).splitlines()
    assert told[2] == (
        "| kravoversikt, checked | the whole process: accept, build, reconcile "
        "| 10.0 | 1.00 | 1.43 | 15.0 | 1.00 | 1000 | 1.00 | 1.50 |"
    )
    assert told[3].startswith("| kravoversikt, unchecked | the same without accept, reconcile | 7.0 | 0.70 | 1.00 |")
    assert told[5].startswith(
        "| Slow | documents only, nothing checked | 20.0 | 2.00 | 2.86 | 40.0 | 2.67 | 500 | 0.50 |"
    )
    assert told[-1] == (
        "The yardstick is Quick. Ours ÷ it: seconds 2.00, unchecked 1.40; processor seconds 2.00; memory 0.25"
    )


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
