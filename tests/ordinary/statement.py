"""A small statement published for S, and what the nights after it build of it."""

import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl

from tests.nights import Nights as Home
from tests.nights import S
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.home.snapshot import TABLE_NAMES, read_index, read_manifest
from transforms.publish.apart import find
from transforms.publish.at_home import AT_HOME
from transforms.publish.views import Of, views

A, B, C, D, ENK, OWNER = *(organisation_number(n) for n in range(1, 6)), national_number(1)


FIRST = rows(
    *(part(A), part(B), part(C), part(D), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    # A's claim, paid by B
    *(krav("K-A", A, 100, kravbeskrivelse="Skatt"), kravforfall("F-A", "K-A", 100, S + timedelta(days=30))),
    *(innbetaling("I-B", B, 80), plassering("P-AB", "INNBETALING", "F-A", "I-B", 60)),
    # C's credit, paid out to D and used for B's claim
    *(krav("K-C", C, -500), kravforfall("F-C", "K-C", -500, "2026-01-15")),
    *(utbetaling("U-D", D, 200), plassering("P-CD", "UTBETALING", "F-C", "U-D", 200)),
    *(krav("K-B", B, 50), kravforfall("F-B", "K-B", 50, "2026-01-15")),
    # the owner's claim
    *(krav("K-O", OWNER, 10), kravforfall("F-O", "K-O", 10, S + timedelta(days=30))),
)


def deliver(home: Home, *changes: dict) -> None:
    """The source's next delivery."""
    number = 1 + max(int(folder.name) for folder in (home.inbox / "mva").iterdir())
    write_delivery(home.inbox, "mva", number, "endring", rows(*changes))


def built(home: Home, *changes: dict, day: date = S, removed: tuple[dict, ...] = ()) -> set[str]:
    """Publishes the next night, with the changes if there are any; whose documents were built anew from their posts."""
    if changes or removed:
        flagged = [row | {"slettet": False} for row in changes] + [row | {"slettet": True} for row in removed]
        deliver(home, *flagged)
    home.publish(day)
    assert set(home.dates().values()) == {day}
    return in_segments(home, f"{day}-{home.count:04d}-[0-9]")


def redated(home: Home, day: date) -> set[str]:
    """Whose documents the last night, on ``day``, gave the new date."""
    return in_segments(home, f"{day}-{home.count:04d}-redated")


def in_segments(home: Home, name: str) -> set[str]:
    """Whose overviews lie in segments whose names begin so."""
    index = read_index((home.home / "current").resolve())
    return set(index.filter(index["oversikt_segment"].str.contains(f"^{name}"))["part"])


def tables(home: Path) -> dict[str, list]:
    """Every row that the analyst sees, of every table: by the queries of the views."""
    snapshot = (home / "current").resolve()
    day = read_manifest(snapshot).snapshotdato
    with duckdb.connect() as connection:
        connection.execute(f"CREATE SCHEMA intern; CREATE MACRO {AT_HOME} AS true")
        apart = find(connection, snapshot, day, some_without_documents=False)
        queries = views(Of(home, home / "deliveries", snapshot, ()), apart, day)
        return {name: sorted(connection.sql(queries[name]).fetchall(), key=repr) for name in TABLE_NAMES}


def inodes(home: Home) -> set[int]:
    return {path.stat().st_ino for path in (home.home / "current" / "documents").glob("*.zst")}


def rewrite(home: Home, table: Path, content: pl.DataFrame) -> None:
    """Other content in a table's file, as long as its manifest says."""
    content.write_parquet(table)
    path = home.home / "current" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][f"tables/{table.parent.name}/{table.name}"]["bytes"] = table.stat().st_size
    path.write_text(json.dumps(manifest))
