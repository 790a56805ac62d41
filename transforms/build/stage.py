"""The stage ``build``: a snapshot's documents and tables, made tonight or carried over from the one before."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import polars as pl

from schemas.receipts import AcceptReceipt, BuildReceipt, CheckReceipt, SpreadReceipt
from schemas.report import BuildCounts
from transforms.build.bucket import Built, Delivered, Job, Making, build_bucket
from transforms.build.carry_over import NOTHING, CarriedOver, Staying, carry_over
from transforms.build.redate import Redated, redate, redate_jobs
from transforms.home import snapshot
from transforms.home.report import StoppedError
from transforms.rules import reference
from transforms.run import Settings
from transforms.stops import stop

Segments = list[Built | Redated]


def build(
    run: Settings,
    accepted: AcceptReceipt,
    checked: CheckReceipt,
    spread: SpreadReceipt,
    progress: Callable[[str], None],
) -> BuildReceipt:
    """Builds the documents of every bucket, gives others the new date, and carries over those that stay.

    Raises ``StoppedError`` when the previous snapshot is damaged.
    """
    folder = run.snapshot(run.name)
    snapshot.start_snapshot(folder)
    parts = pl.read_parquet(run.parts)
    previous = run.previous()
    ways = {way: parts.filter(way=way).select("part") for way in ("build", "redate", "same", "held back")}
    rates, delivered = reference.read_rates(run.rates), Delivered(accepted.in_force)
    making = Making(folder, rates, run.snapshot_date, delivered)
    made: list[Callable[[], Built | Redated]] = [
        partial(build_bucket, Job(making, number, run.posts)) for number in range(spread.counts.buckets)
    ]
    if previous:
        made += [partial(redate, job) for job in redate_jobs(making, previous, ways["redate"])]
    segments = _make(made, run.workers, progress)
    stay = NOTHING
    if previous:
        staying = Staying(ways["held back"], ways["same"], ways["redate"])
        lost = {Path(name).stem for name in accepted.lost}
        stay = carry_over(previous, folder, run.snapshot_date, staying, lost, link=not checked.all_because)
    index = _write_index(folder, segments, stay, parts.filter("known")["part"])
    return BuildReceipt(
        snapshot=run.name,
        counts=_counts(index, segments, stay, ways),
        stops=[stop("L3-SCHEMA", name) for name in snapshot.tables_unlike_their_schema(folder)],
    )


def _make(made: list[Callable[[], Built | Redated]], workers: int, progress: Callable[[str], None]) -> Segments:
    segments: Segments = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for segment in pool.map(lambda make: make(), made):
                segments.append(segment)
                progress(f"documents {len(segments)} of {len(made)} segments")
        except snapshot.HomeDamagedError as error:
            raise StoppedError([stop("L3-HOME-DAMAGED", f"{error}: run with --full")]) from error
    return segments


def _write_index(folder: Path, segments: Segments, stay: CarriedOver, known: pl.Series) -> pl.DataFrame:
    """Writes the index and the table ``part``; returns the index."""
    built = [segment for segment in segments if isinstance(segment, Built)]
    oversikter = [stay.oversikter, *(segment.oversikter for segment in segments)]
    histories = [stay.histories, *(segment.histories for segment in built)]
    part = pl.concat([stay.part, *(segment.part for segment in built)])
    index = snapshot.write_index(folder, oversikter, histories, part, known)
    snapshot.write_part(folder, index, part)
    return index


def _counts(index: pl.DataFrame, segments: Segments, stay: CarriedOver, ways: dict[str, pl.DataFrame]) -> BuildCounts:
    published = int(index["snapshotdato"].is_not_null().sum())
    held_back = stay.oversikter.join(ways["held back"], on="part", how="semi").height
    return BuildCounts(
        parts=published,
        built_parts=ways["build"].height,
        redated_parts=ways["redate"].height,
        same_parts=stay.oversikter.height - held_back,
        held_back_parts=held_back,
        parts_without_documents=index.height - published,
        documents=4 * published,
        posts_in_documents={
            kind: int(index[f"{kind}_antall"].sum()) for kind in ("krav", "innbetalinger", "utbetalinger")
        },
        json_bytes=sum(segment.raw_bytes for segment in segments),
        stored_bytes=sum(segment.packed_bytes for segment in segments),
    )
