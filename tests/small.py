"""What one stage needs of those before it, made by hand of account statements: for tests of one stage at a time.

``looking_at`` gives what checks and spreading read, from frames; ``Small`` a home with deliveries that are accepted,
and with a snapshot in place of one that a night has published.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from schemas.receipts import AcceptReceipt
from schemas.snapshot import Accepted
from schemas.tables import TABLES
from tests.build.building import TYPES, bucket, in_oere, snapshot_of
from tests.manifests import manifest
from tests.plain.statement import rows
from tests.plain.write import write_delivery
from transforms.accept.stage import accept
from transforms.home.findings import findings
from transforms.home.refused import REFUSED_SCHEMA
from transforms.home.snapshot import FINDINGS, HELD_BACK, MANIFEST, QUARANTINED, SAME, checksums, switch, write_json
from transforms.ledgers.connection import ledgers
from transforms.run import Settings

S = date(2026, 11, 23)
PLACE = {"kilde": pl.String, "leveransenummer": pl.Int32, "fil": pl.Int32, "rad": pl.UInt32}
NO_FILES: Mapping[str, bytes] = {}
Row = dict[str, Any]


def looking_at(*mva: Row, skatt: Sequence[Row] = (), refused: Sequence[Row] = ()) -> duckdb.DuckDBPyConnection:
    """A connection with ``ledger_<table>``, ``rows_<table>`` and ``counted_<table>``: the rows that two sources say.

    ``refused``: the rows in ``ledger_refused``; of each only what matters is said, and it is the source mva's.
    """
    connection = duckdb.connect()
    sources = {"mva": rows(*mva), "skatt": rows(*skatt)}
    for name in TABLES:
        said = [
            in_oere(row) | {"kilde": kilde, "leveransenummer": 1, "fil": 0, "rad": rad}
            for kilde, tables in sources.items()
            for rad, row in enumerate(tables[name], start=1)
        ]
        frame = pl.DataFrame(said, schema={**TYPES[name], **PLACE}).with_row_index("row")
        for view in ("ledger", "rows", "counted"):
            connection.register(f"{view}_{name}", frame.to_arrow())
    schema = {**REFUSED_SCHEMA, "kilde": pl.String, "leveransenummer": pl.Int32}
    filled = [{"fil": 0, "rad": 9, "slettet": False, "kilde": "mva", "leveransenummer": 1, **row} for row in refused]
    connection.register("ledger_refused", pl.DataFrame(filled, schema=schema).to_arrow())
    return connection


def hold(connection: duckdb.DuckDBPyConnection, name: str, *parts: str) -> None:
    """A relation of the parts (``part``)."""
    connection.register(name, pl.DataFrame({"part": parts}, schema={"part": pl.String}).to_arrow())


@dataclass
class Small:
    """A home and an inbox in a folder, of which a stage by itself is done."""

    folder: Path

    def settings(self, day: date = S, run: str = "0001", **settings: Any) -> Settings:
        """One thread: what is small is done before others have begun."""
        return Settings(self.folder / "inbox", self.folder / "home", day, run, memory="200MB", workers=1, **settings)

    def deliver(self, *said: Row, nr: int = 1, kilde: str = "mva", removed: Sequence[Row] = (), **how: Any) -> None:
        """The source's delivery of this number: a full one if it is the first, else a change."""
        gone = [row | {"slettet": True} for row in removed]
        stands = [row | {"slettet": False} for row in said] if gone else said
        tables = {name: some for name, some in rows(*stands, *gone).items() if some}
        write_delivery(self.folder / "inbox", kilde, nr, "full" if nr == 1 else "endring", tables, **how)

    def accept(self, **settings: Any) -> AcceptReceipt:
        """What the stage ``accept`` leaves."""
        return accept(self.settings(**settings), lambda _: None)

    @contextlib.contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """With what all deliveries of the inbox say."""
        with ledgers(self.settings(), self.accept().used) as connection:
            yield connection

    def publish(
        self,
        *said: Row,
        used: Sequence[Accepted] = (),
        day: date = S,
        quarantined: Sequence[tuple[str, str]] = (),
        held_back: Sequence[str] = (),
        files: Mapping[str, bytes] = NO_FILES,
        **changes: Any,
    ) -> Path:
        """A snapshot of a statement, published. ``quarantined``: table and key. ``files``: more of them.
        ``changes``: of its manifest.
        """
        home = self.settings().path
        folder = snapshot_of(home, bucket(*said), run="0000", day=day)
        keys = {"tabell": pl.String, "noekkel": pl.String}
        for name, some in ((QUARANTINED, quarantined), (SAME, ())):
            pl.DataFrame(some, keys, orient="row").write_parquet(folder / name)
        pl.DataFrame({"part": held_back}, {"part": pl.String}).write_parquet(folder / HELD_BACK)
        findings([]).write_parquet(folder / FINDINGS)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        told = {"snapshot": folder.name, "run": "0000", "snapshotdato": day, "previous": None, **changes}
        whole = manifest(list(used)).model_copy(update={"files": checksums(folder), **told})
        write_json(folder / MANIFEST, whole.model_dump(mode="json"))
        switch(home, folder)
        return folder
