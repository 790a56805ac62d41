"""Carries documents over from the previous snapshot: those that tonight would make the same, and those held back.

A segment is a hard link to the previous snapshot's as long as most of it is still in use: the snapshots share its
bytes, each folder is whole by itself, and the disk lets go of it with the last folder that has it. What is still
in use of other segments is copied together into new ones, so what is not in use never outweighs what is.
Histories and overviews lie in segments of their own and are carried over apart: of redated parts only the histories.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from schemas.store import KINDS_IN
from schemas.tables import PART as PART_TABLE
from transforms.build.documents import Store
from transforms.build.frames import Frames
from transforms.home.dictionaries import keep_dictionaries
from transforms.home.snapshot import (
    HISTORY_COLUMNS,
    OVERSIKT_COLUMNS,
    PART,
    PARTS_PER_SEGMENT,
    TABLES_IN,
    empty_index,
    read_index,
    segment_name,
    whose,
)

SMALL_SEGMENTS = 32
"""So many segments of less than half a bucket may there be before they are put together."""


class Staying(NamedTuple):
    """The parts (``part``) whose documents stay: those held back, with the date that they have, and those that would
    get the ``same`` anew, with tonight's. Of those ``redated`` the histories stay.
    """

    held_back: pl.DataFrame
    same: pl.DataFrame
    redated: pl.DataFrame


class CarriedOver(NamedTuple):
    """Index rows of overviews and of histories, and the ``part`` rows of them all; see ``build.Built``."""

    oversikter: pl.DataFrame
    histories: pl.DataFrame
    part: pl.DataFrame


NOTHING = CarriedOver(
    empty_index().select(OVERSIKT_COLUMNS),
    empty_index().select(HISTORY_COLUMNS),
    pl.DataFrame(schema=dict.fromkeys(PART_TABLE.names, pl.String)),
)
"""What is carried over from no snapshot."""


def carry_over(
    previous: Path, snapshot: Path, snapshot_date: date, staying: Staying, lost: Collection[str], *, link: bool = True
) -> CarriedOver:
    """Takes what stays of the documents and table rows of ``previous`` into ``snapshot``, and tells where it lies now.

    ``lost``: segments that cannot be read, and so not be kept. Unless ``link``, all is copied.
    """
    keep_dictionaries(snapshot / "documents", previous / "documents")
    held_back, same, redated = staying
    dated = [
        held_back.with_columns(dato=pl.lit(None, pl.Date), redated=False),
        same.join(held_back, on="part", how="anti").with_columns(dato=snapshot_date, redated=False),
        redated.with_columns(dato=snapshot_date, redated=True),
    ]
    readable = pl.all_horizontal(~pl.col(column).is_in(list(lost)) for column in KINDS_IN)
    index = read_index(previous).filter(pl.col("snapshotdato").is_not_null() & readable)
    rows = index.join(pl.concat(dated), on="part", maintain_order="left")
    rows = rows.with_columns(snapshotdato=pl.coalesce("dato", "snapshotdato"))
    oversikter = rows.filter(~pl.col("redated")).select(OVERSIKT_COLUMNS)
    part = pl.read_parquet(previous / PART).select(PART_TABLE.names).join(rows, on="part", how="semi")
    return CarriedOver(
        _carry_over(previous, oversikter, snapshot, "oversikt_segment", link=link),
        _carry_over(previous, rows.select(HISTORY_COLUMNS), snapshot, "segment", link=link),
        part,
    )


def _carry_over(previous: Path, index: pl.DataFrame, snapshot: Path, column: str, *, link: bool) -> pl.DataFrame:
    """The index rows with the new places of what is in the segments of the ``column`` (``schemas.store.KINDS_IN``)."""
    if index.is_empty():
        return index
    segments = _segments(previous, index, column)
    linked = segments.filter(pl.col("most_in_use")) if link else segments.clear()
    small = linked.filter(pl.col("parts") < PARTS_PER_SEGMENT // 2)
    if small.height > SMALL_SEGMENTS:
        linked = linked.join(small, on=column, how="anti")
    for segment in linked[column]:
        _link(previous, snapshot, segment, column)
    stay = index.join(linked.select(column), on=column, how="semi")
    chunks = enumerate(_chunks(index, segments.join(linked, on=column, how="anti"), column))
    copied = [_copy(previous, rows, snapshot, f"kept-{number:04d}", column) for number, rows in chunks]
    return pl.concat([stay, *(rows.select(stay.columns) for rows in copied)])


def _segments(previous: Path, index: pl.DataFrame, column: str) -> pl.DataFrame:
    """The segments, how many ``parts`` are still in use, and whether they are most of its bytes."""
    lengths = pl.sum_horizontal(f"{kind}_length" for kind in KINDS_IN[column])
    live = index.group_by(column).agg(parts=pl.len(), live=lengths.sum()).sort(column)
    sizes = [(previous / "documents" / f"{segment}.zst").stat().st_size for segment in live[column]]
    return live.with_columns(most_in_use=pl.col("live") * 2 >= pl.Series(sizes, dtype=pl.Int64))


def _link(previous: Path, snapshot: Path, segment: str, column: str) -> None:
    for file in (f"documents/{segment}.zst", *(f"tables/{table}/{segment}.parquet" for table in TABLES_IN[column])):
        try:
            os.link(previous / file, snapshot / file)
        except OSError:  # a file system without hard links, or a file with all the links it can have
            shutil.copyfile(previous / file, snapshot / file)


def _chunks(index: pl.DataFrame, segments: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    """The index rows of the segments, a bucket's worth of parts at a time."""
    rows = index.join(segments.select(column), on=column, how="semi").sort(column, "part")
    for start in range(0, rows.height, PARTS_PER_SEGMENT):
        yield rows.slice(start, PARTS_PER_SEGMENT)


def _copy(previous: Path, rows: pl.DataFrame, snapshot: Path, number: str, column: str) -> pl.DataFrame:
    """Copies the frames and table rows of the index rows into a segment of their own."""
    segment = segment_name(snapshot, number, column)
    frames = Frames(previous / "documents", rows, column)
    with (snapshot / "documents" / f"{segment}.zst").open("wb") as out:
        store = Store(out, rows["part"])
        for kind in KINDS_IN[column]:
            store.keep(kind, frames.packed(kind), rows)
    for table in TABLES_IN[column]:
        _copy_rows(previous, rows, snapshot, table, segment, column)
    places = store.index(column, segment)
    return rows.drop(places.columns[1:]).join(places, on="part", maintain_order="left")


def _copy_rows(previous: Path, rows: pl.DataFrame, snapshot: Path, table: str, segment: str, column: str) -> None:
    """The table's rows of those parts, in the columns that tonight's files have."""
    found = [
        pl.scan_parquet(previous / "tables" / table / f"{old}.parquet").filter(
            pl.col(whose(table)).is_in(parts["part"].implode())
        )
        for (old,), parts in rows.group_by(column, maintain_order=True)
    ]
    kept = pl.concat(found, how="diagonal_relaxed").with_columns(segment=pl.lit(segment)).collect()
    new = next((snapshot / "tables" / table).glob("*.parquet"), None)
    if new:
        kept = kept.match_to_schema(
            pl.read_parquet_schema(new), missing_columns="insert", extra_columns="ignore", integer_cast="upcast"
        )
    kept.write_parquet(snapshot / "tables" / table / f"{segment}.parquet", compression="zstd", compression_level=1)
