"""The overviews of parts of whom tonight only the date is another, made of those of the previous snapshot.

A date decides what is overdue and the interest: in the documents that is one amount of an open krav and the totals of
the overview, and open krav stand in overviews only. So of those the krav are cut out, the amount is replaced where it
has moved, and the totals are made anew; the histories stay where they are (docs/decisions/0012).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import zstandard

from schemas.store import OVERSIKTER, open_krav, unplaced_payments
from transforms.build.bucket import SORTING, Making, write_tables
from transforms.build.documents import SegmentWriter, Tables, by_document, oversikt_texts, per_document
from transforms.build.frames import Frames, table_rows
from transforms.home.snapshot import PART_TABLE, HomeDamagedError, Segment, read_index
from transforms.rules import balances
from transforms.text.json_text import Texts, with_amount

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
    making, part = job.making, job.part
    before = {name: _rows(job, name) for name in ("krav", "kravforfall", "oversikt")}
    tables = _with_tonights_date(before, part, making)
    segment = Segment.new(making.snapshot, OVERSIKTER, f"redated-{job.number:04d}")
    try:
        krav, payments = _listed(job)
    except (zstandard.ZstdError, ValueError) as error:
        raise HomeDamagedError("overviews of the previous snapshot cannot be read") from error
    opened = {"krav": _redated(krav, before["krav"], tables["krav"], job), "innbetalinger": payments}
    with SegmentWriter(segment, part["part"]) as oversikter:
        oversikter.add("oversikt", oversikt_texts(part, tables, opened))
    write_tables(segment, tables)
    return Redated(making.dated(oversikter.index()), oversikter.raw_bytes, oversikter.packed_bytes)


def _rows(job: RedateJob, name: str) -> pl.DataFrame:
    """The parts' rows of a table of the previous snapshot, as a build has them before they are stored."""
    found = pl.concat(table_rows(job.previous, OVERSIKTER, job.index, name)).drop("segment")
    return found.with_columns(pl.selectors.by_dtype(pl.Decimal(38, 0)).cast(pl.Int128)).collect()


def _with_tonights_date(before: Tables, part: pl.DataFrame, making: Making) -> Tables:
    """The tables that the date moves."""
    dues = balances.with_interest(before["kravforfall"], making.rates, making.snapshot_date)
    krav = balances.with_totals(before["krav"], dues).sort(SORTING["krav"])
    groups = balances.per_kravgruppe(krav, balances.shown_under(part))
    unplaced = before["oversikt"].select("forespurt_part", "uplasserte_innbetalinger")
    return {
        "krav": krav,
        "kravforfall": dues,
        "oversikt": balances.per_part(part, groups, unplaced),
        "oversikt_per_kravgruppe": groups,
    }


def _listed(job: RedateJob) -> tuple[Texts, Texts]:
    """What the overviews list: their open krav, and for each its unplaced payments as one text."""
    krav: list[list[bytes]] = []
    payments = []
    for oversikt in Frames(job.previous, OVERSIKTER, job.index).unpacked("oversikt"):
        krav.append(open_krav(oversikt))
        payments.append(unplaced_payments(oversikt))
    counts = [len(some) for some in krav]
    if counts != job.index["krav_aapne"].to_list():
        raise HomeDamagedError("the previous snapshot's overviews list other krav than its index says")
    parents = np.arange(len(krav), dtype=np.uint32)
    return _texts([one for some in krav for one in some], parents.repeat(counts)), _texts(payments, parents)


def _texts(pieces: list[bytes], parents: np.ndarray[Any, np.dtype[np.uint32]]) -> Texts:
    ends = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    return Texts(np.frombuffer(b"".join(pieces), np.uint8), ends, pl.Series(parents, dtype=pl.UInt32))


def _redated(texts: Texts, before: pl.DataFrame, krav: pl.DataFrame, job: RedateJob) -> Texts:
    """The krav with tonight's interest in place of what it was ``before``."""
    was = before.select(id="kravidentifikator", before="stipulerte_renter")
    now = krav.select("part", dato="opprettelsesdato", id="kravidentifikator", now="stipulerte_renter")
    rows = by_document(now.join(was, on="id", maintain_order="left"), job.part)
    if not per_document(rows, job.part.height).equals(job.index["krav_aapne"]):
        raise HomeDamagedError("the previous snapshot has other open krav in its tables than in its overviews")
    try:
        return with_amount(texts, "stipulerteRenter", rows["before"], rows["now"])
    except ValueError as error:
        raise HomeDamagedError("overviews of the previous snapshot have other interest than its tables") from error
