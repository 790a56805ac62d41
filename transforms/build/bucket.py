"""Builds one bucket of households: balances, overviews, documents. Pure, idempotent, on its own.

This is the unit of bounded memory and of working in parallel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from schemas.published import DELIVERED_BY, PUBLISHED
from schemas.snapshot import Accepted
from schemas.store import HISTORIES, OVERSIKTER, Segments
from schemas.tables import TABLES
from transforms.build import far_ends
from transforms.build.documents import DATES, SegmentWriter, opened_posts, write_documents
from transforms.build.far_ends import PLACEMENT_TABLES, Bucket
from transforms.build.frames import write_rows
from transforms.build.places import Under, all_there, by_document, days, in_order, places_of
from transforms.home.snapshot import Segment
from transforms.rules import balances
from transforms.text.json_text import Places

FROM = tuple(column.name for column in DELIVERED_BY)
"""Where a row is from."""

OF_PART = [*TABLES["part"].names, *FROM]
"""What a snapshot has of a part beside where its documents lie."""

POSTS = (
    *("part", "krav", "kravforfall", "innbetaling", "utbetaling", "plassering"),
    *("far_forfall", "far_innbetaling"),
)
"""The tables that a bucket comes as, see ``buckets``."""


@dataclass(frozen=True)
class Delivered:
    """Which delivery a row of a table is from: rows are numbered through the deliveries ``used`` (``row_files``)."""

    used: Sequence[Accepted]

    def by(self, name: str, rows: pl.Series) -> dict[str, pl.Series]:
        """``kilde`` and ``leveransenummer`` of the rows with these numbers in the table."""
        firsts = np.cumsum([0, *(one.good(name) for one in self.used)])
        which = np.searchsorted(firsts, rows.to_numpy(), "right") - 1
        return {
            "kilde": pl.Series([one.kilde for one in self.used], dtype=pl.String).gather(which),
            "leveransenummer": pl.Series([one.leveransenummer for one in self.used], dtype=pl.UInt32).gather(which),
        }


@dataclass(frozen=True)
class Making:
    """What every segment of a snapshot is made with, beside posts: the snapshot's folder, the rates, ``S``, and which
    rows were delivered by whom.
    """

    snapshot: Path
    rates: pl.DataFrame
    snapshot_date: date
    delivered: "Delivered"

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
    bucket = with_places({name: _read(job, name) for name in POSTS})
    bucket |= far_ends.placements(bucket)
    bucket |= balanced(bucket, making.rates, making.snapshot_date)
    bucket |= far_ends.shown(bucket)
    part = bucket["part"]
    owners = places_of(part["innehaver_row"], part["part_row"])
    shown = {name: shown_posts(bucket[name], name, owners) for name in DATES}
    bucket |= overviews(bucket, shown)
    of_histories, of_oversikter = (Segment.new(making.snapshot, of, number) for of in (HISTORIES, OVERSIKTER))
    with (
        SegmentWriter(of_histories, part["part"]) as histories,
        SegmentWriter(of_oversikter, part["part"]) as oversikter,
    ):
        write_documents(histories, oversikter, bucket, shown)
    bucket |= with_delivered(bucket, making.delivered)
    bucket["plassering"] = placement_ends(bucket)
    for segment in (of_histories, of_oversikter):
        write_tables(segment, {name: _rows(bucket[name], name, segment.of) for name in segment.of.tables})
    return Built(
        bucket["part"].select(OF_PART),
        making.dated(oversikter.index()),
        histories.index(),
        histories.raw_bytes + oversikter.raw_bytes,
        histories.packed_bytes + oversikter.packed_bytes,
    )


def with_delivered(bucket: Bucket, delivered: Delivered) -> Bucket:
    """The delivered tables with where each row is from (``FROM``)."""
    return {name: bucket[name].with_columns(**delivered.by(name, bucket[name]["row"])) for name in TABLES}


def _read(job: Job, name: str) -> pl.DataFrame:
    rows = job.posts / name / f"bucket={job.number}" / "0.parquet"
    columns = pl.Schema(pl.read_parquet_schema(job.posts / f"{name}.parquet"))
    if not rows.exists():
        return columns.to_frame()
    return pl.read_parquet(rows, columns=list(columns), hive_partitioning=False).rechunk()  # so gathering is faster


def with_places(bucket: Bucket) -> Bucket:
    """The bucket's tables sorted as they are published, with the places of what their row numbers name: ``doc``, of a
    post's part among the parts, beside ``part`` itself, and ``krav``, of a due date's krav.
    """
    part = bucket["part"].sort("part_row")
    posts = {name: _with_part(bucket[name], part) for name in (*DATES, "kravforfall")}
    bucket = bucket | posts | {"part": part} | {name: by_date(posts[name], name) for name in DATES}
    return bucket | {"kravforfall": _dues(bucket)}


def _with_part(posts: pl.DataFrame, part: pl.DataFrame) -> pl.DataFrame:
    doc = all_there(places_of(posts["part_row"], part["part_row"]))
    return posts.with_columns(part["part"].gather(doc), doc=doc)


def by_date(posts: pl.DataFrame, name: str) -> pl.DataFrame:
    """A table's posts by part, date and identifier."""
    return posts[in_order(posts["doc"].to_numpy(), days(posts[DATES[name]]), posts[TABLES[name].key])]


def _dues(bucket: Bucket) -> pl.DataFrame:
    """Due dates by part, their krav's identifier, date and identifier."""
    dues, krav = bucket["kravforfall"], bucket["krav"]
    doc, rank = krav["doc"].to_numpy(), np.empty(krav.height, np.int64)
    rank[in_order(doc, np.zeros_like(doc), krav["kravidentifikator"])] = np.arange(krav.height)
    places = all_there(places_of(dues["krav_row"], krav["row"]))
    order = in_order(rank[places], days(dues["forfallsdato"]), dues["kravforfallsidentifikator"])
    return dues.with_columns(krav=places)[order]


def balanced(bucket: Bucket, rates: pl.DataFrame, snapshot_date: date) -> Bucket:
    """The bucket's krav, due dates and payments with remaining, interest and totals."""
    dues = balances.balance_forfall(bucket["kravforfall"], bucket["krav"], bucket, rates, snapshot_date)
    payments = balances.balance_innbetaling(bucket["innbetaling"], bucket["forfall_on_innbetaling"])
    return {"krav": balances.balance_krav(bucket["krav"], dues), "kravforfall": dues, "innbetaling": payments}


def shown_posts(posts: pl.DataFrame, name: str, owners: Places) -> Under:
    """Which documents show which of a table's posts, which are sorted. ``owners``: see ``by_document``."""
    return by_document(posts["doc"].to_numpy(), posts[DATES[name]], posts[TABLES[name].key], owners)


def overviews(bucket: Bucket, shown: dict[str, Under]) -> Bucket:
    """The tables ``oversikt`` and ``oversikt_per_kravgruppe``, of the open posts that documents show."""
    krav = _shown_rows(bucket, "krav", shown, "kravgruppe", *balances.TOTALS)
    payments = _shown_rows(bucket, "innbetaling", shown, "uplassert_beloep")
    return overview_tables(bucket["part"], balances.per_kravgruppe(krav), balances.unplaced(payments))


def _shown_rows(bucket: Bucket, name: str, shown: dict[str, Under], *columns: str) -> pl.DataFrame:
    """The open posts that documents show, with the ``doc``."""
    posts = shown[name].those(opened_posts(bucket, name))
    return bucket[name].select(columns)[posts.which].with_columns(doc=posts.parent)


def overview_tables(part: pl.DataFrame, groups: pl.DataFrame, unplaced: pl.DataFrame) -> Bucket:
    """The tables of overviews with the parts' numbers. ``part`` is sorted; the others: see ``balances.per_part``."""
    oversikt = balances.per_part(part.height, groups, unplaced)
    return {
        "oversikt": oversikt.with_columns(forespurt_part=part["part"]),
        "oversikt_per_kravgruppe": groups.with_columns(forespurt_part=part["part"].gather(groups["doc"])),
    }


_REMAINS = {"krav": pl.col("aapent"), "kravforfall": pl.col("gjenstaaende_beloep") != 0}
"""The krav and due dates that a new date may move (``schemas.store.OVERSIKTER``)."""


def _rows(table: pl.DataFrame, name: str, of: Segments) -> pl.DataFrame:
    """The table's rows that lie in segments ``of`` this kind."""
    return table.filter(_REMAINS[name] == of.dated) if name in _REMAINS else table


def placement_ends(bucket: Bucket) -> pl.DataFrame:
    """All placements as seen from the bucket's parts: ``plassering`` with ``part``, ``ende`` and ``post``.

    ``ende`` is ``kravforfall`` or ``motpost``, the end that is the part's; ``post`` the identifier at it.
    """
    columns = ("doc", "number", "plassering", "plassert_beloep", "plasseringsdato")
    ends = pl.concat(
        bucket[name].select(*columns, ende=pl.lit(end == "motpost", pl.Int64))
        for name, (_, end) in PLACEMENT_TABLES.items()
    )
    doc, ende = (ends[name].to_numpy() for name in ("doc", "ende"))
    ends = ends[np.argsort((doc << 32) + 2 * ends["number"].to_numpy() + ende)]
    placed, which, ende = bucket["plassering"], ends["plassering"].to_numpy(), ends["ende"].to_numpy()
    both = pl.concat([placed["kravforfallsidentifikator"], placed["motpost"].alias("")], rechunk=True)
    return ends.with_columns(
        placed["plasseringsidentifikator"].gather(which),
        *(placed[name].gather(which) for name in ("plasseringstype", *FROM)),
        part=bucket["part"]["part"].gather(ends["doc"]),
        ende=pl.Series(["kravforfall", "motpost"]).gather(ende),
        post=both.gather(which + ende * placed.height),
        motpost=both.gather(which + (1 - ende) * placed.height),
    )


def write_tables(segment: Segment, tables: Bucket) -> None:
    """Writes a segment's rows of the tables in it, in the columns of ``schemas.published``."""
    for name in segment.of.tables:
        rows = storable(tables[name], segment.name).select(PUBLISHED[name].stored.names())
        write_rows(rows, segment.table(name))


def storable(table: pl.DataFrame, segment: str) -> pl.DataFrame:
    """With the name of the segment that the rows belong to, and without 128-bit integers, which Parquet has not:
    they become decimals without decimals, still øre.
    """
    wide = [name for name, dtype in table.schema.items() if dtype == pl.Int128]
    return table.with_columns(pl.col(wide).cast(pl.Decimal(38, 0)), segment=pl.lit(segment))
