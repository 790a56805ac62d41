"""Carries documents over from the previous snapshot: those that tonight would make the same, and those held back.

A segment is a hard link to the previous snapshot's as long as most of it is still in use: the snapshots share its
bytes, each folder is whole by itself, and the disk lets go of it with the last folder that has it. What is still
in use of other segments is copied together into new ones, so what is not in use never outweighs what is.
Histories and overviews lie in segments of their own and are carried over apart: of redated parts only the histories.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from schemas.published import PUBLISHED
from schemas.store import HISTORIES, OVERSIKTER, SEGMENTS, Segments
from transforms.build.bucket import OF_PART
from transforms.build.documents import SegmentWriter
from transforms.build.frames import Frames, table_rows, write_rows
from transforms.home.dictionaries import copy_dictionaries
from transforms.home.snapshot import PART_TABLE, PARTS_PER_SEGMENT, Segment, empty_index, read_index

SMALL_SEGMENTS = 32
"""So many segments of less than half a bucket may there be before they are put together."""


class Staying(NamedTuple):
    """The parts (``part``) whose documents stay: those held back, with the date that they have, and those that would
    get the ``same`` anew, with tonight's. Of those ``redated`` the histories stay.
    """

    held_back: pl.DataFrame
    same: pl.DataFrame
    redated: pl.DataFrame


_OF_PART = pl.Schema({name: PUBLISHED["part"].stored[name] for name in OF_PART})


def _read_part(previous: Path) -> pl.DataFrame:
    """What a snapshot has of its parts beside places: null what an earlier program's has not."""
    part = pl.read_parquet(previous / PART_TABLE)
    return part.match_to_schema(_OF_PART, missing_columns="insert", extra_columns="ignore")


class CarriedOver(NamedTuple):
    """Index rows of overviews and of histories, and the ``part`` rows of them all; see ``build.Built``."""

    oversikter: pl.DataFrame
    histories: pl.DataFrame
    part: pl.DataFrame


NOTHING = CarriedOver(
    empty_index().select(OVERSIKTER.columns),
    empty_index().select(HISTORIES.columns),
    _OF_PART.to_frame(),
)
"""What is carried over from no snapshot."""


def carry_over(
    previous: Path, snapshot: Path, snapshot_date: date, staying: Staying, lost: Collection[str], *, link: bool = True
) -> CarriedOver:
    """Takes what stays of the documents and table rows of ``previous`` into ``snapshot``, and tells where it lies now.

    ``lost``: segments that cannot be read, and so not be carried over. Unless ``link``, all is copied.
    """
    copy_dictionaries(snapshot / "documents", previous / "documents")
    held_back, same, redated = staying
    dated = [
        held_back.with_columns(dato=pl.lit(None, pl.Date), redated=False),
        same.join(held_back, on="part", how="anti").with_columns(dato=snapshot_date, redated=False),
        redated.with_columns(dato=snapshot_date, redated=True),
    ]
    readable = pl.all_horizontal(~pl.col(segments.column).is_in(list(lost)) for segments in SEGMENTS)
    index = read_index(previous).filter(pl.col("snapshotdato").is_not_null() & readable)
    rows = index.join(pl.concat(dated), on="part", maintain_order="left")
    rows = rows.with_columns(snapshotdato=pl.coalesce("dato", "snapshotdato"))
    return CarriedOver(
        _Carrying(previous, snapshot, OVERSIKTER).carry(rows.filter(~pl.col("redated")), link=link),
        _Carrying(previous, snapshot, HISTORIES).carry(rows, link=link),
        _read_part(previous).join(rows, on="part", how="semi"),
    )


@dataclass(frozen=True)
class _Carrying:
    """Takes documents and table rows over from the segments ``of`` one kind."""

    previous: Path
    snapshot: Path
    of: Segments

    def carry(self, index: pl.DataFrame, *, link: bool) -> pl.DataFrame:
        """The index rows' columns that are about these segments, with the new places."""
        index, column = index.select(self.of.columns), self.of.column
        if index.is_empty():
            return index
        segments = self._segments(index)
        linked = segments.filter(pl.col("most_in_use")) if link else segments.clear()
        small = linked.filter(pl.col("parts") < PARTS_PER_SEGMENT // 2)
        if small.height > SMALL_SEGMENTS:
            linked = linked.join(small, on=column, how="anti")
        for name in linked[column]:
            self._link(name)
        stay = index.join(linked.select(column), on=column, how="semi")
        chunks = enumerate(self._chunks(index, segments.join(linked, on=column, how="anti")))
        copied = [self._copy(rows, f"copied-{number:04d}") for number, rows in chunks]
        return pl.concat([stay, *(rows.select(stay.columns) for rows in copied)])

    def _segments(self, index: pl.DataFrame) -> pl.DataFrame:
        """The segments, how many ``parts`` are still in use, and whether they are most of its bytes."""
        lengths, column = pl.sum_horizontal(f"{kind}_length" for kind in self.of.kinds), self.of.column
        live = index.group_by(column).agg(parts=pl.len(), live=lengths.sum()).sort(column)
        sizes = [Segment(self.previous, self.of, name).documents.stat().st_size for name in live[column]]
        return live.with_columns(most_in_use=pl.col("live") * 2 >= pl.Series(sizes, dtype=pl.Int64))

    def _link(self, name: str) -> None:
        before, now = (Segment(folder, self.of, name) for folder in (self.previous, self.snapshot))
        tables = [(before.table(table), now.table(table)) for table in self.of.tables]
        for old, new in [(before.documents, now.documents), *tables]:
            try:
                os.link(old, new)
            except OSError:  # a file system without hard links, or a file with all the links it can have
                shutil.copyfile(old, new)

    def _chunks(self, index: pl.DataFrame, segments: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The index rows of the segments, a bucket's worth of parts at a time."""
        rows = index.join(segments.select(self.of.column), on=self.of.column, how="semi").sort(self.of.column, "part")
        for start in range(0, rows.height, PARTS_PER_SEGMENT):
            yield rows.slice(start, PARTS_PER_SEGMENT)

    def _copy(self, rows: pl.DataFrame, number: str) -> pl.DataFrame:
        """Copies the frames and table rows of the index rows into a segment of their own."""
        segment, frames = Segment.new(self.snapshot, self.of, number), Frames(self.previous, self.of, rows)
        with SegmentWriter(segment, rows["part"]) as writer:
            for kind in self.of.kinds:
                writer.copy(kind, frames.packed(kind), rows)
        for table in self.of.tables:
            self._copy_rows(rows, segment, table)
        places = writer.index()
        return rows.drop(places.columns[1:]).join(places, on="part", maintain_order="left")

    def _copy_rows(self, rows: pl.DataFrame, segment: Segment, table: str) -> None:
        """The table's rows of those parts, in the columns that it has now: an earlier program's may be others."""
        found = pl.concat(table_rows(self.previous, self.of, rows, table), how="diagonal_relaxed")
        copied = found.with_columns(segment=pl.lit(segment.name)).collect()
        stored = copied.match_to_schema(
            PUBLISHED[table].stored, missing_columns="insert", extra_columns="ignore", integer_cast="upcast"
        )
        write_rows(stored, segment.table(table))
