"""What redated documents keep is, to the byte, what the previous snapshot has (``redate``).

Payments and payouts are kept frame by frame, and overviews list the same unplaced payments. None of it is added up
again (``reconcile``): it was when it was built, and a frame that is the part's own from then is right.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import polars as pl

from schemas.store import frame_reader
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
    content = frame_reader(())  # overviews need no dictionary
    wrong = sum(_unlike(new, old, rows, kind, bytes) for kind in KINDS)
    wrong += sum(int((rows[f"{kind}_antall"] != rows[f"{kind}_antall_before"]).sum()) for kind in KINDS)
    return wrong + _unlike(new, old, rows, "oversikt", lambda frame: _unplaced(content(frame)))


def _unlike(new: bytes, old: bytes, rows: pl.DataFrame, kind: str, what: Callable[[bytes], bytes]) -> int:
    places = rows.select(f"{kind}_{name}" for name in ("offset", "length", "offset_before", "length_before"))
    return sum(
        what(new[start : start + length]) != what(old[start_before : start_before + length_before])
        for start, length, start_before, length_before in places.iter_rows()
    )


def _unplaced(oversikt: bytes) -> bytes:
    """The list of unplaced payments: neither literal can stand in a text, where its quotes would be escaped."""
    end = oversikt.rfind(b'],"totalOversikt":')
    return oversikt[oversikt.rfind(b'],"innbetalingMedUplassertBeloep":[', 0, end) : end]
