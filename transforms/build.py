"""Builds one bucket of households: balances, overviews, documents. Pure, idempotent, on its own.

This is the unit of bounded memory and of working in parallel.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from schemas.tables import PLASSERING
from transforms import balances, far_ends
from transforms.documents import write_documents

POSTS = (
    *("part", "krav", "kravforfall", "innbetaling", "utbetaling", "plassering"),
    *("far_forfall", "far_innbetaling"),
)
"""The tables that a bucket comes as, see ``buckets``."""

SORTING = {
    "krav": ("part", "opprettelsesdato", "kravidentifikator"),
    "kravforfall": ("part", "kravidentifikator", "forfallsdato", "kravforfallsidentifikator"),
    "innbetaling": ("part", "innbetalingsdato", "innbetalingsidentifikator"),
    "utbetaling": ("part", "utbetalingsdato", "utbetalingsidentifikator"),
}


@dataclass(frozen=True)
class Making:
    """What every segment of a snapshot is made with, beside posts: the snapshot's folder, the rates, and ``S``."""

    snapshot: Path
    rates: pl.DataFrame
    snapshot_date: date

    def segment(self, number: str) -> str:
        """The name of a segment and its table files, unique among all snapshots."""
        return f"{self.snapshot.name}-{number}"


@dataclass(frozen=True)
class Job:
    """One bucket to build: what it is made with, and where its posts are."""

    making: Making
    number: int
    posts: Path  # <posts>/<table>/bucket=<number>/*.parquet
    schemas: dict[str, pl.Schema]


@dataclass(frozen=True)
class Built:
    """What came of a bucket: its parts, the index rows of its documents, their bytes raw and on disk."""

    part: pl.DataFrame
    index: pl.DataFrame
    raw_bytes: int
    packed_bytes: int


def build(job: Job) -> Built:
    """Builds the bucket: ``documents/<segment>.zst`` and ``tables/<table>/<segment>.parquet``."""
    making, segment = job.making, job.making.segment(f"{job.number:04d}")
    bucket = {name: _read(job, name) for name in POSTS}
    part = bucket["part"] = bucket["part"].sort("part")
    bucket |= far_ends.placements(bucket)
    tables = balance(bucket, making.rates, making.snapshot_date)
    bucket["forfall_on_utbetaling"] = far_ends.with_remaining(bucket["forfall_on_utbetaling"], tables["krav"])
    with (making.snapshot / "documents" / f"{segment}.zst").open("wb") as out:
        index, raw_bytes = write_documents(out, part, tables, bucket, making.snapshot_date, segment)
        packed_bytes = out.tell()
    tables["plassering"] = placement_ends(bucket)
    write_tables(making.snapshot, segment, tables)
    return Built(part, index, raw_bytes, packed_bytes)


def _read(job: Job, name: str) -> pl.DataFrame:
    files = sorted((job.posts / name / f"bucket={job.number}").glob("*.parquet"))
    if not files:
        return job.schemas[name].to_frame()
    return pl.read_parquet(files, hive_partitioning=False, columns=job.schemas[name].names())


def balance(bucket: dict[str, pl.DataFrame], rates: pl.DataFrame, snapshot_date: date) -> dict[str, pl.DataFrame]:
    """The bucket's tables with remaining, interest and totals, sorted as the documents sort."""
    part = bucket["part"]
    dues = balances.balance_forfall(bucket, rates, snapshot_date)
    krav = balances.balance_krav(bucket["krav"], dues)
    payments = balances.balance_innbetaling(bucket["innbetaling"], bucket["forfall_on_innbetaling"])
    shown = balances.shown_under(part)
    groups = balances.per_kravgruppe(krav, shown)
    tables = {
        "krav": krav,
        "kravforfall": dues,
        "innbetaling": payments,
        "utbetaling": bucket["utbetaling"],
        "oversikt": balances.per_part(part, shown, groups, payments),
        "oversikt_per_kravgruppe": groups,
    }
    return {name: table.sort(SORTING[name]) if name in SORTING else table for name, table in tables.items()}


def placement_ends(bucket: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """All placements as seen from the bucket's parts: ``plassering`` with ``part``, ``ende`` and ``post``.

    ``ende`` is ``kravforfall`` or ``motpost``, the end that is the part's; ``post`` the identifier at it.
    """
    frames = [
        bucket[name].select(
            "doc",
            "number",
            PLASSERING.key,
            "plasseringstype",
            "part",
            pl.lit("motpost" if name in _MOTPOST_ENDS else "kravforfall").alias("ende"),
            "post",
            "motpost",
            "plassert_beloep",
            "plasseringsdato",
        )
        for name in far_ends.PLACEMENT_TABLES
    ]
    return pl.concat(frames).sort("doc", "number", "ende").drop("doc", "number")


_MOTPOST_ENDS = ("motkrav_on_credit", "forfall_on_innbetaling", "forfall_on_utbetaling")


def write_tables(snapshot: Path, segment: str, tables: dict[str, pl.DataFrame]) -> None:
    """Writes a segment's rows of every table. ``forfalt`` is a matter of the snapshot's date: see ``snapshot``."""
    for name, table in (tables | {"kravforfall": tables["kravforfall"].drop("forfalt", strict=False)}).items():
        target = snapshot / "tables" / name / f"{segment}.parquet"
        storable(table, segment).write_parquet(target, compression="zstd", compression_level=1)


def storable(table: pl.DataFrame, segment: str) -> pl.DataFrame:
    """With the name of the segment that the rows belong to, and without 128-bit integers, which Parquet has not:
    they are kept as decimals without decimals, still øre.
    """
    wide = [name for name, dtype in table.schema.items() if dtype == pl.Int128]
    return table.with_columns(pl.col(wide).cast(pl.Decimal(38, 0)), segment=pl.lit(segment))
