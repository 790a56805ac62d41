"""Which kept files still hold parts that no source says any more: what erasure is held to (docs/erasure.md)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from schemas.snapshot import Accepted
from schemas.tables import TABLES
from transforms.home.snapshot import read_index
from transforms.ledgers.row_files import paths_of


@dataclass(frozen=True)
class Holding:
    """A folder of the home, by its path there, and how many parts it holds that are gone from the register."""

    folder: str
    parts: int


def register(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The parts (``part``) that the sources say, refused rows' too. Needs ``ledger_part`` and ``ledger_refused``."""
    said: pl.DataFrame = connection.sql(
        "SELECT part FROM ledger_part UNION SELECT innehaver FROM ledger_part WHERE innehaver IS NOT NULL "
        "UNION SELECT noekkel FROM ledger_refused WHERE tabell = 'part' AND noekkel IS NOT NULL AND slettet IS NOT TRUE"
    ).pl()
    return said


def held_by_snapshot(home: Path, snapshot: Path, known: pl.DataFrame) -> Holding:
    """Parts in a snapshot's index that are not in the register ``known``."""
    gone = read_index(snapshot).select("part").join(known, on="part", how="anti")
    return Holding(str(snapshot.relative_to(home)), gone.height)


def held_by_deliveries(deliveries: Path, used: Iterable[Accepted], known: pl.DataFrame) -> list[Holding]:
    """Of each accepted delivery that holds any: parts in its rows, replaced, removed and refused ones too."""
    found = []
    for delivery in used:
        frames = [_parts_in(paths_of(deliveries, delivery, name), name) for name in TABLES]
        frames += [_refused_in(deliveries / delivery.folder / "refused.parquet")] if delivery.refused() else []
        parts = pl.concat(frames).unique().collect(engine="streaming").join(known, on="part", how="anti")
        if parts.height:
            found.append(Holding(f"{deliveries.name}/{delivery.folder}", parts.height))
    return found


def _parts_in(files: list[Path], table: str) -> pl.LazyFrame:
    columns = [name for name in ("part", "innehaver") if name in TABLES[table].names]
    if not files or not columns:
        return pl.LazyFrame(schema={"part": pl.String})
    rows = pl.scan_parquet(files, glob=False)
    return pl.concat([rows.select(part=pl.col(name).cast(pl.String)) for name in columns]).drop_nulls()


def _refused_in(file: Path) -> pl.LazyFrame:
    """A refused row names parts by its key, its ``part`` and its ``innehaver``."""
    rows = pl.scan_parquet(file, glob=False)
    keys = rows.filter(tabell="part").select(part="noekkel")
    named = [rows.select(part=name) for name in ("part", "innehaver") if name in rows.collect_schema()]
    return pl.concat([keys, *named]).drop_nulls()
