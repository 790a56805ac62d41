"""The overviews of parts of whom tonight only the date is another, made of those of the previous snapshot.

A date decides what is overdue and the interest: in the documents that is one amount of an open krav and the totals of
the overview, and open krav stand in overviews only. So of those the krav are cut out, the amount is replaced where it
has moved, and the totals are made anew; the histories stay where they are (docs/decisions/0012).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import zstandard

from schemas.store import OVERSIKTER, open_krav, unplaced_payments
from transforms.build.bucket import Making, by_date, overview_tables, shown_posts, write_tables
from transforms.build.documents import SegmentWriter, oversikt_texts
from transforms.build.far_ends import Bucket
from transforms.build.frames import Frames, table_rows
from transforms.build.places import NOWHERE, Under, places_of
from transforms.home.snapshot import PART_TABLE, HomeDamagedError, Segment, read_index
from transforms.rules import balances
from transforms.text.json_text import Listed, Texts, with_amount

_OF_PART = ["part", "parttype", "innehaver"]

PARTS_PER_JOB = 4_000


@dataclass(frozen=True)
class RedateJob:
    """Parts of some segments of the ``previous`` snapshot, with their ``index`` rows there; a household is in one.

    ``part``: ``part``, by which both are sorted, ``parttype`` and ``innehaver``.
    """

    making: Making
    number: int
    previous: Path
    part: pl.DataFrame
    index: pl.DataFrame


@dataclass(frozen=True)
class Redated:
    """What came of a job: the index rows of the overviews (see ``build.Built``), their bytes raw and on disk."""

    oversikter: pl.DataFrame
    raw_bytes: int
    packed_bytes: int


def redate_jobs(making: Making, previous: Path, parts: pl.DataFrame) -> Iterator[RedateJob]:
    """The jobs that redate the parts (``part``): of every segment of ``previous`` all, some ``PARTS_PER_JOB`` each.

    Small segments so become one, or there would be more of them every night.
    """
    index = read_index(previous).drop("innehaver").join(parts, on="part", how="semi")
    segments = index.group_by(OVERSIKTER.column).len("parts").sort(OVERSIKTER.column)
    job = (pl.col("parts").cum_sum() - pl.col("parts")) // PARTS_PER_JOB
    rows = index.join(segments.select(OVERSIKTER.column, job=job), on=OVERSIKTER.column)
    rows = rows.join(pl.read_parquet(previous / PART_TABLE, columns=_OF_PART), on="part")
    for number, (_, some) in enumerate(rows.sort("job", "part").group_by("job", maintain_order=True)):
        yield RedateJob(making, number, previous, some.select(_OF_PART), some.select(index.columns))


def redate(job: RedateJob) -> Redated:
    """Writes ``documents/<segment>.zst`` and ``tables/<table>/<segment>.parquet`` as a build of the parts would.

    Raises ``HomeDamagedError`` when the previous snapshot's documents and tables are not of the same posts.
    """
    making, before = job.making, _with_places(job)
    segment = Segment.new(making.snapshot, OVERSIKTER, f"redated-{job.number:04d}")
    krav = before["krav"]
    shown = shown_posts(krav, "krav", places_of(job.part["innehaver"], job.part["part"]))
    tables = _with_tonights_date(before, shown, making)
    try:
        texts, payments = _listed(job)
    except (zstandard.ZstdError, ValueError) as error:
        raise HomeDamagedError("overviews of the previous snapshot cannot be read") from error
    if not shown.lengths.equals(job.index["krav_aapne"]):
        raise HomeDamagedError(_OTHER_KRAV)
    renter = (table["stipulerte_renter"].gather(shown.which) for table in (krav, tables["krav"]))
    try:
        redated = with_amount(texts, "stipulerteRenter", *renter)
    except ValueError as error:
        raise HomeDamagedError("overviews of the previous snapshot have other interest than its tables") from error
    listed = Listed(redated, np.arange(len(redated)), shown.firsts)
    with SegmentWriter(segment, job.part["part"]) as oversikter:
        oversikter.add("oversikt", oversikt_texts(tables, listed, payments))
    write_tables(segment, tables)
    return Redated(making.dated(oversikter.index()), oversikter.raw_bytes, oversikter.packed_bytes)


_OTHER_KRAV = "the previous snapshot has other open krav in its tables than in its overviews"


def _with_places(job: RedateJob) -> Bucket:
    """The parts, and their rows of the previous snapshot's tables, with the places of what they name (``places``)."""
    part, krav, dues, oversikt = job.part, *(_rows(job, name) for name in ("krav", "kravforfall", "oversikt"))
    krav = by_date(krav.with_columns(doc=places_of(krav["part"], part["part"])), "krav")
    dues = dues.with_columns(krav=places_of(dues["kravidentifikator"], krav["kravidentifikator"]))
    if (dues["krav"] == NOWHERE).any():
        raise HomeDamagedError(_OTHER_KRAV)
    oversikt = oversikt.with_columns(doc=places_of(oversikt["forespurt_part"], part["part"]))
    return {"part": part, "krav": krav, "kravforfall": dues, "oversikt": oversikt}


def _rows(job: RedateJob, name: str) -> pl.DataFrame:
    """The parts' rows of a table of the previous snapshot, as a build has them before they are stored."""
    found = pl.concat(table_rows(job.previous, OVERSIKTER, job.index, name)).drop("segment")
    return found.with_columns(pl.selectors.by_dtype(pl.Decimal(38, 0)).cast(pl.Int128)).collect()


def _with_tonights_date(before: Bucket, shown: Under, making: Making) -> Bucket:
    """The tables that the date moves. ``shown``: which overviews list which krav."""
    dues = balances.with_interest(before["kravforfall"], making.rates, making.snapshot_date)
    krav = balances.with_totals(before["krav"], dues)
    groups = balances.per_kravgruppe(krav[shown.which].with_columns(doc=shown.parent))
    unplaced = before["oversikt"].select("doc", "uplasserte_innbetalinger")
    return {"krav": krav, "kravforfall": dues, **overview_tables(before["part"], groups, unplaced)}


def _listed(job: RedateJob) -> tuple[Texts, Listed]:
    """What the overviews list: their open krav one after another, and for each its unplaced payments as one text."""
    krav: list[list[bytes]] = []
    payments = []
    for oversikt in Frames(job.previous, OVERSIKTER, job.index).unpacked("oversikt"):
        krav.append(open_krav(oversikt))
        payments.append(unplaced_payments(oversikt))
    if [len(some) for some in krav] != job.index["krav_aapne"].to_list():
        raise HomeDamagedError("the previous snapshot's overviews list other krav than its index says")
    return _texts([one for some in krav for one in some]), Listed(
        _texts(payments), np.arange(len(payments)), np.arange(len(payments) + 1)
    )


def _texts(pieces: list[bytes]) -> Texts:
    ends = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    return Texts(np.frombuffer(b"".join(pieces), np.uint8), ends)
