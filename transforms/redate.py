"""The documents of parts of whom tonight only the date is another, made of those of the previous snapshot.

A date decides what is overdue and the interest: in the documents that is one amount of an open krav and the
totals of the overview, nothing else. So payments and payouts are kept as they lie, the krav are cut where their
words say, the amount is replaced where it has moved, and no other post is read (docs/decisions/0012).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import zstandard

from schemas.store import END_MASK
from transforms import balances
from transforms.build import SORTING, Built, Making, write_tables
from transforms.documents import Store, by_document, histories, listed, overviews
from transforms.frames import Frames
from transforms.json_text import Texts, texts_of, with_amount
from transforms.snapshot import PART, SEGMENT_TABLES, HomeDamagedError, read_index, whose

_OF_PART = ["part", "parttype", "innehaver"]

PARTS_PER_JOB = 2_000
"""The krav of a part stand in memory four times over, and who owes something overdue has more of them than most."""


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


def redate_jobs(making: Making, previous: Path, parts: pl.DataFrame) -> Iterator[RedateJob]:
    """The jobs that redate the parts (``part``): of every segment of ``previous`` all, some ``PARTS_PER_JOB`` each.

    Small segments so become one, or there would be more of them every night.
    """
    index = read_index(previous).join(parts, on="part", how="semi")
    segments = index.group_by("segment").len("parts").sort("segment")
    job = (pl.col("parts").cum_sum() - pl.col("parts")) // PARTS_PER_JOB
    rows = index.join(segments.select("segment", job=job), on="segment")
    rows = rows.join(pl.read_parquet(previous / PART, columns=_OF_PART), on="part")
    for number, (_, some) in enumerate(rows.sort("job", "part").group_by("job", maintain_order=True)):
        yield RedateJob(making, number, previous, some.select(_OF_PART), some.select(index.columns))


def redate(job: RedateJob) -> Built:
    """Writes ``documents/<segment>.zst`` and ``tables/<table>/<segment>.parquet`` as a build of the parts would.

    Raises ``HomeDamagedError`` when the previous snapshot's documents and tables are not of the same posts.
    """
    making, segment, part = job.making, job.making.segment(f"redated-{job.number:04d}"), job.part
    before = {name: _rows(job, name) for name in SEGMENT_TABLES}
    tables = before | _with_new_interest(before, part, making)
    try:
        with (making.snapshot / "documents" / f"{segment}.zst").open("wb") as out:
            store = Store(out, part["part"])
            _add_documents(store, job, part, tables, before["krav"])
            packed_bytes = out.tell()
    except zstandard.ZstdError as error:
        raise HomeDamagedError("documents of the previous snapshot cannot be read") from error
    write_tables(making.snapshot, segment, tables)
    index = store.index(making.snapshot_date, segment)
    return Built(part, index, store.raw_bytes, packed_bytes)


def _rows(job: RedateJob, name: str) -> pl.DataFrame:
    """The parts' rows of a table of the previous snapshot, as a build has them before they are stored.

    Of a segment those of its parts: it may also have rows of parts that are somewhere else by now.
    """
    found = [
        pl.scan_parquet(job.previous / "tables" / name / f"{segment}.parquet").filter(
            pl.col(whose(name)).is_in(parts["part"].implode())
        )
        for (segment,), parts in job.index.group_by("segment", maintain_order=True)
    ]
    return (
        pl.concat(found)
        .drop("segment")
        .with_columns(pl.selectors.by_dtype(pl.Decimal(38, 0)).cast(pl.Int128))
        .collect()
    )


def _with_new_interest(before: dict[str, pl.DataFrame], part: pl.DataFrame, making: Making) -> dict[str, pl.DataFrame]:
    """The tables that the date moves. Only where something remains does it."""
    rest = pl.col("gjenstaaende_beloep") != 0
    dues, settled = before["kravforfall"].filter(rest), before["kravforfall"].filter(~rest)
    dues = balances.with_interest(dues, making.rates, making.snapshot_date)
    krav = balances.with_totals(before["krav"], dues).sort(SORTING["krav"])
    shown = balances.shown_under(part)
    groups = balances.per_kravgruppe(krav, shown)
    return {
        "krav": krav,
        "kravforfall": pl.concat([settled, dues.select(settled.columns)]),
        "oversikt": balances.per_part(part, shown, groups, before["innbetaling"]),
        "oversikt_per_kravgruppe": groups,
    }


def _add_documents(
    store: Store, job: RedateJob, part: pl.DataFrame, tables: dict[str, pl.DataFrame], krav_before: pl.DataFrame
) -> None:
    frames = Frames(job.previous / "documents", job.index)
    was = krav_before.select(id="kravidentifikator", before="stipulerte_renter")
    krav = tables["krav"].select(
        "part", dato="opprettelsesdato", id="kravidentifikator", open="aapent", now="stipulerte_renter"
    )
    rows = by_document(krav.join(was, on="id", maintain_order="left"), part)
    rows = rows.with_columns(post=pl.int_range(pl.len(), dtype=pl.UInt32))  # each document has its own text of a krav
    antall = np.bincount(rows["doc"], minlength=part.height)
    if not np.array_equal(antall, job.index["krav_antall"]):
        raise HomeDamagedError("the previous snapshot has other krav in its tables than in its documents")
    texts = _redated(_krav(frames), rows)
    documents, _ = histories(rows, texts, part.height)
    store.add("krav", documents, job.index["krav_antall"])
    for kind in ("innbetalinger", "utbetalinger"):
        store.keep(kind, frames.packed(kind), job.index)
    opened = {"krav": listed(rows.filter("open"), texts), "innbetalinger": _unplaced(frames)}
    store.add("oversikt", overviews(part, tables, opened))


def _krav(frames: Frames) -> Texts:
    """The krav of the parts' histories, one after another, cut where the words say.

    Raises ``HomeDamagedError`` when the words of a history do not end where it does.
    """
    counts = frames.index["krav_antall"].filter(frames.index["krav_length"] > 0).to_numpy()
    cut = [
        (content[: 8 * count].ljust(8 * count), memoryview(content)[8 * count :])
        for content, count in zip(frames.unpacked("krav"), counts, strict=True)
    ]
    words = np.frombuffer(b"".join(words for words, _ in cut), np.int64)
    lengths = np.array([len(body) for _, body in cut], np.int64)
    ends = np.repeat(lengths.cumsum() - lengths, counts) + (words & END_MASK)
    if (np.diff(ends, prepend=0) <= 0).any() or not np.array_equal(ends[counts.cumsum() - 1], lengths.cumsum()):
        raise HomeDamagedError("documents of the previous snapshot cannot be cut where they say")
    bodies = np.frombuffer(b"".join(body for _, body in cut), np.uint8)
    return Texts(bodies, np.concatenate([np.zeros(1, np.int64), ends]))


def _redated(krav: Texts, rows: pl.DataFrame) -> Texts:
    """The krav with the interest that is ``now`` in place of what it was ``before``."""
    try:
        return with_amount(krav, "stipulerteRenter", rows["before"], rows["now"])
    except ValueError as error:
        raise HomeDamagedError("documents of the previous snapshot have other interest than its tables") from error


# Not those of ``read_back``, which shares no code with what it reads back.
_PAYMENTS, _TOTALS = '],"innbetalingMedUplassertBeloep":', '],"totalOversikt":'


def _unplaced(frames: Frames) -> Texts:
    """The unplaced payments as the overviews list them, one text for each part, from the bracket to the last."""
    bodies = pl.Series(list(frames.unpacked("oversikt")), dtype=pl.Binary).cast(pl.String)
    overviews = pl.DataFrame({"body": bodies}).with_row_index("parent")
    text = pl.col("body")
    start = text.str.find(_PAYMENTS, literal=True).cast(pl.Int64) + len(_PAYMENTS)
    end = text.str.find(_TOTALS, literal=True).cast(pl.Int64)
    lists = overviews.select(text.cast(pl.Binary).bin.slice(start, end - start).cast(pl.String)).to_series()
    return texts_of(lists, overviews["parent"])
