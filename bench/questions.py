"""What the questions of ``docs/analytics.md`` cost: ``python -m bench.questions HOME``.

Each is asked of the home's views and, beside it, of plain tables: what ``export tables --format duckdb`` writes, and a
table of ``rad``; there the views that join others are tables too. In one connection, with two threads, the quickest of
``--rounds``. Prints Markdown: seconds on the clock and of the processor. Posts that the page names are the sample's;
here others take their place, of which there is most to tell.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path

import duckdb

from analysis.tables import write_duckdb
from transforms.home.snapshot import ANALYTICS
from transforms.home.sql import sql_text

_MOST_PLACED = "SELECT {0} FROM plassert_motkrav GROUP BY {0} ORDER BY count(*) DESC, {0} LIMIT 1"
OF_THE_PAGE = {
    "'363471331'": "SELECT forespurt_part FROM oversikt_per_kravgruppe GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 1",
    "'300000207'": "SELECT max(forespurt_part) FROM oversikt",
    "'F69218488'": "SELECT arg_max(kravforfallsidentifikator, stipulerte_renter) FROM kravforfall",
    "'F1013548488'": _MOST_PLACED.format("kravforfallsidentifikator"),
    "'F929050832'": _MOST_PLACED.format("kravforfallsidentifikator"),
    "'K100664857'": "SELECT arg_max(kravidentifikator, antall_forfall) FROM krav",
    "'2026-11-22'": "SELECT min(snapshotdato) FROM snapshots",
    "'2026-11-23'": "SELECT max(snapshotdato) FROM snapshots",
}
"""What the page names, and how another home's is found."""
PAGE = Path(__file__).resolve().parent.parent / "docs" / "analytics.md"
QUESTION = re.compile(r"^### (.*)\n\n((?:    .*\n)+)", re.MULTILINE)
NIGHTS = ("endringer(", "saldobro(", "_as_of(")
"""Macros of several nights, which plain tables of one have not."""


def connected(file: Path) -> duckdb.DuckDBPyConnection:
    """To the database, with two threads."""
    return duckdb.connect(str(file.resolve()), read_only=True, config={"threads": 2})


def questions(home: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """What the page asks, and its SQL, about posts and nights of the home."""
    page = PAGE.read_text("utf-8")
    for named, found in OF_THE_PAGE.items():
        (own,) = home.execute(found).fetchone() or ("",)
        page = page.replace(named, sql_text(str(own)))
    return QUESTION.findall(page)


def seconds(connection: duckdb.DuckDBPyConnection, sql: str, rounds: int) -> list[float]:
    """On the clock, and of the processor: the least of the rounds."""
    taken = []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        connection.execute(sql).fetchall()
        taken.append((time.perf_counter() - clock, time.process_time() - processor))
    return [min(column) for column in zip(*taken, strict=True)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, connected(given.home / ANALYTICS) as home:
        plain_file = Path(folder) / "plain.duckdb"
        write_duckdb((given.home / "current").resolve(), plain_file)
        with duckdb.connect(str(plain_file)) as filled:
            filled.execute(f"ATTACH {sql_text((given.home / ANALYTICS).resolve())} AS home (READ_ONLY)")
            filled.execute("CREATE TABLE rad AS FROM home.rad")
        with connected(plain_file) as plain:
            print("| question | s | processor s | plain tables: s | processor s |\n|---|---|---|---|---|")
            for asked, sql in questions(home):
                figures = seconds(home, sql, given.rounds)
                if not any(macro in sql for macro in NIGHTS):
                    figures += seconds(plain, sql, given.rounds)
                cells = [f"{one:.3f}" for one in figures]
                print(f"| {asked} | {' | '.join([*cells, *[''] * (4 - len(cells))])} |", flush=True)


if __name__ == "__main__":
    main()
