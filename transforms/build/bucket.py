"""Builds one bucket of households: balances, overviews, documents. Pure, idempotent, on its own.

This is the unit of bounded memory and of working in parallel.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from schemas.published import PUBLISHED
from schemas.store import HISTORIES, OVERSIKTER
from schemas.tables import PLASSERING
from transforms.build import far_ends
from transforms.build.documents import SegmentWriter, Tables, write_documents
from transforms.home.snapshot import Segment
from transforms.rules import balances

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

    def dated(self, oversikter: pl.DataFrame) -> pl.DataFrame:
        """Index rows of overviews with their date."""
        return oversikter.with_columns(snapshotdato=self.snapshot_date).select(OVERSIKTER.columns)


@dataclass(frozen=True)
class Job:
    """One bucket to build: what it is made with, and where its posts are."""

    making: Making
    number: int
    posts: Path  # <posts>/<table>/bucket=<number>/0.parquet, <posts>/<table>.parquet


@dataclass(frozen=True)
class Built:
    """What came of a bucket: its parts, the index rows of their overviews and of their histories
    (``Segments.columns``), their bytes raw and on disk.
    """

    part: pl.DataFrame
    oversikter: pl.DataFrame
    histories: pl.DataFrame
    raw_bytes: int
    packed_bytes: int


def build_bucket(job: Job) -> Built:
    """Builds the bucket: ``documents/<segment>.zst`` and ``tables/<table>/<segment>.parquet`` of both its segments."""
    making, number = job.making, f"{job.number:04d}"
    bucket = {name: _read(job, name) for name in POSTS}
    part = bucket["part"] = bucket["part"].sort("part")
    bucket |= far_ends.placements(bucket)
    tables = balance(bucket, making.rates, making.snapshot_date)
    bucket["forfall_on_utbetaling"] = far_ends.with_remaining(bucket["forfall_on_utbetaling"], tables["krav"])
    of_histories, of_oversikter = (Segment.new(making.snapshot, of, number) for of in (HISTORIES, OVERSIKTER))
    with (
        SegmentWriter(of_histories, part["part"]) as histories,
        SegmentWriter(of_oversikter, part["part"]) as oversikter,
    ):
        write_documents(histories, oversikter, part, tables, bucket)
    tables["plassering"] = placement_ends(bucket)
    write_tables(of_histories, _rows(tables, settled=True))
    write_tables(of_oversikter, _rows(tables, settled=False))
    return Built(
        part,
        making.dated(oversikter.index()),
        histories.index(),
        histories.raw_bytes + oversikter.raw_bytes,
        histories.packed_bytes + oversikter.packed_bytes,
    )


_REMAINS = {"krav": pl.col("aapent"), "kravforfall": pl.col("gjenstaaende_beloep") != 0}
"""The krav and due dates that a new date may move (``schemas.store.OVERSIKTER``)."""


def _rows(tables: Tables, *, settled: bool) -> Tables:
    """The tables with either the ``settled`` krav and due dates or the others."""
    return tables | {name: tables[name].filter(rest != settled) for name, rest in _REMAINS.items()}


def _read(job: Job, name: str) -> pl.DataFrame:
    rows = job.posts / name / f"bucket={job.number}" / "0.parquet"
    columns = pl.Schema(pl.read_parquet_schema(job.posts / f"{name}.parquet"))
    return (
        pl.read_parquet(rows, columns=list(columns), hive_partitioning=False) if rows.exists() else columns.to_frame()
    )


def balance(bucket: dict[str, pl.DataFrame], rates: pl.DataFrame, snapshot_date: date) -> Tables:
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
        "oversikt": balances.per_part(part, groups, balances.unplaced(shown, payments)),
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


def write_tables(segment: Segment, tables: Tables) -> None:
    """Writes a segment's rows of the tables in it, in the columns of ``schemas.published``."""
    for name in segment.of.tables:
        rows = storable(tables[name], segment.name).select(PUBLISHED[name].stored.names())
        rows.write_parquet(segment.table(name), compression="zstd", compression_level=1)


def storable(table: pl.DataFrame, segment: str) -> pl.DataFrame:
    """With the name of the segment that the rows belong to, and without 128-bit integers, which Parquet has not:
    they become decimals without decimals, still øre.
    """
    wide = [name for name, dtype in table.schema.items() if dtype == pl.Int128]
    return table.with_columns(pl.col(wide).cast(pl.Decimal(38, 0)), segment=pl.lit(segment))
