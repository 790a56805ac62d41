"""Since when parts are held back: from one snapshot to the next."""

from datetime import date
from pathlib import Path

import polars as pl

from transforms.home.snapshot import HELD_BACK, read_manifest


def since(held_back: pl.DataFrame, previous: Path | None, snapshot_date: date) -> pl.DataFrame:
    """The parts (``part``) with ``siden`` (Date): what the ``previous`` snapshot has of those that it held back too,
    tonight for the others.

    One that an earlier program made says no ``siden``: then it is its own date.
    """
    if previous is None:
        return held_back.with_columns(siden=pl.lit(snapshot_date))
    before = pl.read_parquet(previous / HELD_BACK)
    if "siden" not in before.columns:
        before = before.with_columns(siden=pl.lit(read_manifest(previous).snapshotdato))
    known = held_back.join(before.select("part", "siden"), on="part", how="left", maintain_order="left")
    return known.with_columns(pl.col("siden").fill_null(snapshot_date))
