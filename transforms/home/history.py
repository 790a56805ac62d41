"""What a home keeps of every night for good: ``<home>/history.parquet`` and ``history_refused.parquet``.

Each snapshot has the rows of its own night (``schemas.history``). Here they are gathered: of each date those of the
snapshot that stands for it. What is missing, because a night ended before it, is gathered later, for as long as its
snapshot is kept.
"""

from pathlib import Path

import polars as pl

from schemas.history import FILES
from transforms.home.retained import by_date, withdrawn
from transforms.home.snapshot import whole_file


def ensure(home: Path) -> None:
    """Each of the home's files is there and can be read. One that cannot is put aside, and begun anew."""
    home.mkdir(exist_ok=True, parents=True)
    for name in FILES:
        _read(home, name)


def gather(home: Path) -> None:
    """Brings the home's files to what the kept snapshots say; rows of nights that are no longer kept stay.

    Rows of a snapshot that was rolled back from go. Called with the lock held. Raises ``OSError``,
    ``HomeDamagedError``.
    """
    standing = by_date(home)
    gone = [path.name for path in withdrawn(home)]
    for name in FILES:
        known = _read(home, name)
        told = {str(day): rows for day, path in standing.items() if (rows := _told(path / name)) is not None}
        stay = ~pl.col("snapshot").is_in(gone) & ~pl.col("snapshotdato").cast(pl.String).is_in(list(told))
        rows = pl.concat([known.filter(stay), *told.values()]).sort("snapshotdato", maintain_order=True)
        if not rows.equals(known):
            _write(home / name, rows)


def _told(path: Path) -> pl.DataFrame | None:
    """What a snapshot tells; nothing of one that an earlier program made, or that is damaged."""
    try:
        return _conformed(pl.read_parquet(path), path.name)
    except (pl.exceptions.PolarsError, OSError):
        return None


def _conformed(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """With the columns of this program's: null where an earlier one had none."""
    missing = [pl.lit(None, dtype).alias(column) for column, dtype in FILES[name].items() if column not in rows.columns]
    return rows.with_columns(missing).select(FILES[name].names()).cast(FILES[name])


def _read(home: Path, name: str) -> pl.DataFrame:
    path = home / name
    if path.is_file():
        try:
            return _conformed(pl.read_parquet(path), name)
        except (pl.exceptions.PolarsError, OSError):
            path.replace(_free(path))
    rows = FILES[name].to_frame()
    _write(path, rows)
    return rows


def _free(path: Path) -> Path:
    """A name beside it that nothing has: what cannot be read is never written over."""
    names = (path.with_name(f"{path.stem}.unreadable-{number}{path.suffix}") for number in range(1, 1_000_000))
    return next(name for name in names if not name.exists())


def _write(path: Path, rows: pl.DataFrame) -> None:
    with whole_file(path) as half_written:
        rows.write_parquet(half_written, compression="zstd")
