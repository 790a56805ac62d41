"""What redated documents keep is, to the byte, what the previous snapshot has (``redate``).

Payments and payouts are kept frame by frame, and overviews list the same unplaced payments. None of it is read back
again (``reconcile``): it was when it was built, and a whole frame that is the part's own from then is right, if the
posts are still those: the previous snapshot's tables are added up for that, and held to tonight's posts.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
import zstandard

from schemas.store import frame_reader
from transforms.expected import Totals
from transforms.snapshot import read_index

KINDS = ("innbetalinger", "utbetalinger")


def without_kept(index: pl.DataFrame, redated: pl.DataFrame) -> pl.DataFrame:
    """The index rows, with null for the lengths of what is kept of the parts ``redated`` (``part``)."""
    kept = pl.col("part").is_in(redated["part"].implode())
    return index.with_columns(pl.when(~kept).then(f"{kind}_length").alias(f"{kind}_length") for kind in KINDS)


def kept_otherwise(snapshot: Path, previous: Path, index: pl.DataFrame, workers: int = 2) -> int:
    """How often a document of the redated ``index`` rows has something else than ``previous`` where that is kept."""
    places = [f"{kind}_{name}" for kind in ("oversikt", *KINDS) for name in ("offset", "length", "antall")]
    before = read_index(previous).select("part", "segment", *places)
    both = index.select("part", "segment", *places).join(before, on="part", suffix="_before")
    groups = [rows for _, rows in both.group_by("segment", "segment_before", maintain_order=True)]
    with ThreadPoolExecutor(workers) as pool:
        return index.height - both.height + sum(pool.map(partial(_otherwise, snapshot, previous), groups))


def _otherwise(snapshot: Path, previous: Path, rows: pl.DataFrame) -> int:
    """The same of rows that are in one segment of each snapshot."""
    new = (snapshot / "documents" / f"{rows['segment'][0]}.zst").read_bytes()
    old = (previous / "documents" / f"{rows['segment_before'][0]}.zst").read_bytes()
    content = frame_reader(path.read_bytes() for path in (snapshot / "documents").glob("*.dict"))
    wrong = sum(int((rows[f"{kind}_antall"] != rows[f"{kind}_antall_before"]).sum()) for kind in KINDS)
    for kind in ("oversikt", *KINDS):
        places = rows.select(f"{kind}_{name}" for name in ("offset", "length", "offset_before", "length_before"))
        for start, length, start_before, length_before in places.iter_rows():
            frame, before = new[start : start + length], old[start_before : start_before + length_before]
            if length or length_before:
                wrong += not (
                    _same_payments(frame, before, content) if kind == "oversikt" else _same(frame, before, content)
                )
    return wrong


def _same(frame: bytes, before: bytes, content: Callable[[bytes], bytes]) -> bool:
    """Whether the frames are the same, and whole: a frame has a checksum of its content."""
    try:
        return frame == before and bool(content(frame))
    except zstandard.ZstdError:
        return False


def _same_payments(frame: bytes, before: bytes, content: Callable[[bytes], bytes]) -> bool:
    try:
        return _unplaced(content(frame)) == _unplaced(content(before))
    except zstandard.ZstdError:
        return False


def _unplaced(oversikt: bytes) -> bytes:
    """The list of unplaced payments: neither literal can stand in a text, where its quotes would be escaped."""
    end = oversikt.rfind(b'],"totalOversikt":')
    return oversikt[oversikt.rfind(b'],"innbetalingMedUplassertBeloep":[', 0, end) : end]


def kept_totals(connection: duckdb.DuckDBPyConnection) -> Totals:
    """What the previous snapshot's tables have of the payments and payouts of the parts ``to_redate``.

    Needs ``previous_innbetaling`` and ``previous_utbetaling``. Named as in ``expected``.
    """
    own = "FROM previous_{} SEMI JOIN to_redate USING (part)"
    payments = f"SELECT count(*), -sum(innbetalt_beloep), -sum(uplassert_beloep) {own.format('innbetaling')}"
    payouts = f"SELECT count(*), sum(utbetalt_beloep) {own.format('utbetaling')}"
    names = ("antall_innbetaling", "sum_innbetaling", "sum_uplassert", "antall_utbetaling", "sum_utbetaling")
    figures = (figure for query in (payments, payouts) for figure in connection.execute(query).fetchall()[0])
    return {name: int(figure or 0) for name, figure in zip(names, figures, strict=True)}
