"""The views of a copied or moved home never read the home that it was copied from, whichever night's they are."""

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from schemas.analytics import VIEWS
from schemas.macros import AS_OF
from tests.build.building import S
from tests.test_analytics import OLD, STATEMENT, connected, of_a_night
from transforms.home.snapshot import ANALYTICS
from transforms.publish.at_home import MOST_UP, as_opened

NEXT = S + timedelta(days=1)
TABLES = {"leveranse", "rente_sats", "kravtype"}
"""They lie in the file itself."""
ANYWHERE = TABLES | {"snapshot"}
"""What a copy answers too: ``snapshot`` tells whose it is."""
ASKED = [
    *(f"FROM {name}" for name in VIEWS if name not in ANYWHERE | {"rad"}),
    *(f"FROM {name}_as_of('{S}')" for name in AS_OF),
    *(f"FROM endringer() WHERE tabell = '{name}'" for name in ("part", "krav", "plassering")),
    *("FROM saldobro()", "SELECT saldo('A')", "FROM betalt_i_tide(DATE '2026-01-01', DATE '2026-12-31')"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("at-home") / "home"
    home.mkdir()
    first = of_a_night(home, *STATEMENT)
    of_a_night(home, *STATEMENT, day=NEXT, previous=first, nights=[first])
    return home


@pytest.fixture(scope="module")
def copy(home):
    return shutil.copytree(home, home.with_name("copy"), symlinks=True)


def opened(path):
    return duckdb.connect(str(path), read_only=True)


@pytest.mark.parametrize("query", ASKED)
def test_a_copy_reads_no_other_home(home, copy, query):
    with connected(home) as connection:
        connection.execute(query).fetchall()
    with connected(copy) as connection, pytest.raises(duckdb.InvalidInputException, match=f"read the home {home}"):
        connection.execute(query).fetchall()


def test_nor_does_the_database_of_an_earlier_night(copy):
    with (
        opened(copy / "snapshots" / f"{S}-0001" / ANALYTICS) as connection,
        pytest.raises(duckdb.InvalidInputException, match="copied or moved"),
    ):
        connection.execute("SELECT count(*) FROM krav").fetchall()


def test_nor_does_one_that_is_attached_beside_its_home(home, copy):
    """Which of the two a view is of, it cannot know: both answer with the error. Another home does no harm."""
    other = home.with_name("home2")  # its path begins like the first one's
    other.mkdir(exist_ok=True)
    of_a_night(other, *STATEMENT)
    with duckdb.connect() as connection:
        for name, path in {"here": home, "other": other, "copied": copy}.items():
            connection.execute(f"ATTACH '{path / 'current' / ANALYTICS}' AS {name} (READ_ONLY)")
        for name in ("here", "copied"):
            with pytest.raises(duckdb.InvalidInputException, match=f"copy/.* read the home {home}\\."):
                connection.execute(f"FROM {name}.krav").fetchall()
        connection.execute("DETACH copied")
        for name in ("here", "other"):
            connection.execute(f"FROM {name}.krav").fetchall()


def test_what_lies_in_the_file_is_told_anywhere(home, copy):
    with connected(copy) as connection:
        assert connection.execute("SELECT hjem FROM snapshot").fetchall() == [(str(home),)]
        for name in TABLES:
            connection.execute(f"FROM {name}").fetchall()


def test_a_home_is_known_by_each_of_its_names(home, tmp_path, monkeypatch):
    """Also one that is a link, and one made through a link."""
    link = tmp_path / "link"
    link.symlink_to(home.parent)
    monkeypatch.chdir(home / "snapshots")
    for path in (home / "current", "../snapshots/../../home/./current", link / "home" / "current"):
        with opened(Path(path) / ANALYTICS) as connection:
            assert connection.execute("SELECT count(*) FROM part").fetchall() == [(3,)]
    through = link / "other"
    through.mkdir()
    of_a_night(through, *STATEMENT)
    for path in (through, through.resolve()):
        with opened(path / "current" / ANALYTICS) as connection:
            assert connection.execute("SELECT count(*) FROM part").fetchall() == [(3,)]


@pytest.mark.parametrize(
    ("opened", "name"),
    [
        *(("/a/home/x", "/a/home/x"), ("/a/./home/././x", "/a/home/x"), ("/a/b/../home//x", "/a/home/x")),
        *(("/a/b/c/../../home/x", "/a/home/x"), ("/a/..b/../home/x", "/a/home/x"), ("/a/b/.././home/x", "/a/home/x")),
        ("/a" + "/b" * MOST_UP + "/.." * MOST_UP + "/x", "/a/x"),
    ],
)
def test_a_path_is_told_without_its_detours(opened, name):
    """DuckDB before 2.0 tells them as they were written."""
    assert duckdb.execute(f"SELECT {as_opened('path')} FROM (SELECT $1 AS path)", [opened]).fetchall() == [(name,)]


OLD_CLIENT = """
import sys, duckdb
for path in sys.argv[1:]:
    with duckdb.connect(path, read_only=True) as connection:
        try:
            print(connection.execute("SELECT count(*) FROM part").fetchone()[0])
        except duckdb.InvalidInputException as error:
            print("copied or moved" in str(error))
"""


@pytest.mark.slow
@pytest.mark.skipif(OLD not in os.environ, reason=f"{OLD} names no Python with an old DuckDB (1.0 or later)")
def test_an_old_client_is_told_too(home, copy):
    paths = [f"./current/{ANALYTICS}", f"../home/current/{ANALYTICS}", f"../copy/current/{ANALYTICS}"]
    for python in os.environ[OLD].split(":"):
        command = [python, "-c", OLD_CLIENT, *paths, str(copy / "current" / ANALYTICS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home)
        assert (done.stdout.split(), done.stderr) == (["3", "3", "True", "True"], ""), python
