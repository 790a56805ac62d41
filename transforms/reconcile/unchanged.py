"""What redated parts keep is what the previous snapshot has (``redate``).

Their overviews list the same as before, to the byte but for the interest. Their histories stay where they are, and are
not read back again (``reconcile``): they were when they were built, and are right if the posts are still those. The
previous snapshot's tables are added up for that, and held to tonight's posts.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
import zstandard

from schemas.receipts import Totals
from schemas.store import HISTORIES, OVERSIKTER, frame_reader
from transforms.home.snapshot import Segment, read_index, rows_sql


def without_histories(index: pl.DataFrame, redated: pl.DataFrame) -> pl.DataFrame:
    """The index rows, with null for the lengths of the histories of the parts ``redated`` (``part``)."""
    stay = pl.col("part").is_in(redated["part"].implode())
    return index.with_columns(pl.when(~stay).then(f"{kind}_length").alias(f"{kind}_length") for kind in HISTORIES.kinds)


def listed_otherwise(snapshot: Path, previous: Path, index: pl.DataFrame, workers: int = 2) -> int:
    """How many overviews of the redated ``index`` rows list something else than those of ``previous``, but interest."""
    places = [OVERSIKTER.column, "oversikt_offset", "oversikt_length"]
    both = index.select("part", *places).join(read_index(previous).select("part", *places), on="part", suffix="_before")
    groups = [rows for _, rows in both.group_by(OVERSIKTER.column, f"{OVERSIKTER.column}_before", maintain_order=True)]
    with ThreadPoolExecutor(workers) as pool:
        return index.height - both.height + sum(pool.map(partial(_otherwise, snapshot, previous), groups))


def _otherwise(snapshot: Path, previous: Path, rows: pl.DataFrame) -> int:
    """The same of rows that are in one segment of each snapshot."""
    column = OVERSIKTER.column
    new = Segment(snapshot, OVERSIKTER, rows[column][0]).documents.read_bytes()
    old = Segment(previous, OVERSIKTER, rows[f"{column}_before"][0]).documents.read_bytes()
    content = frame_reader(())
    wrong = 0
    places = ("oversikt_offset", "oversikt_length", "oversikt_offset_before", "oversikt_length_before")
    for start, length, start_before, length_before in rows.select(places).iter_rows():
        frame, before = new[start : start + length], old[start_before : start_before + length_before]
        wrong += not _same(frame, before, content)
    return wrong


def _same(frame: bytes, before: bytes, content: Callable[[bytes], bytes]) -> bool:
    try:
        return _listed(content(frame)) == _listed(content(before))
    except zstandard.ZstdError:
        return False


def _listed(oversikt: bytes) -> list[bytes]:
    """What stands before the totals, cut where the interest of each krav was: the name of its field cannot stand in a
    text, where its quotes would be escaped, and a comma follows its amount.
    """
    before, *after = oversikt[: oversikt.rfind(b'],"totalOversikt":')].split(b'"stipulerteRenter":')
    return [before, *(piece[piece.find(b",") :] for piece in after)]


def totals_of_histories(previous: Path, redated: pl.DataFrame) -> Totals:
    """What the tables of ``previous`` have of what is in the histories of the parts ``redated`` (``part``) only.

    Named as in ``expected``.
    """

    def own(name: str) -> str:
        return f"FROM ({rows_sql(previous, name)}) SEMI JOIN redated USING (part)"

    names = {
        f"SELECT count(*), sum(opprinnelig_beloep) {own('krav')} WHERE NOT aapent": ("antall_krav", "sum_krav"),
        f"SELECT count(*), -sum(innbetalt_beloep), -sum(uplassert_beloep) {own('innbetaling')}": (
            *("antall_innbetaling", "sum_innbetaling", "sum_uplassert"),
        ),
        f"SELECT count(*), sum(utbetalt_beloep) {own('utbetaling')}": ("antall_utbetaling", "sum_utbetaling"),
    }
    with duckdb.connect() as connection:
        connection.register("redated", redated.to_arrow())
        found = [(of_it, connection.execute(query).fetchall()[0]) for query, of_it in names.items()]
    return {name: int(figure or 0) for of_it, row in found for name, figure in zip(of_it, row, strict=True)}
