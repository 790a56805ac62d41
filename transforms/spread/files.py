"""Writes the posts of each bucket to files of its own, in one pass over the rows of each table."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow.parquet

from schemas.tables import BUT_PART, TABLES, UNIQUE, Table
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.links import Links, Numbered
from transforms.ledgers.row_files import RowFile, read_rows
from transforms.rules.check_digits import with_flags
from transforms.rules.shown import KRAV_SHOWN, PAYMENT_SHOWN, masked, with_texts
from transforms.spread.buckets import Buckets, far_posts, remaining

WRITERS = 2
ROWS_A_GROUP = 4_000
"""Fewer rows in a row group of a bucket's file cost more by themselves than by what is in them."""


def write_buckets(
    files: Mapping[str, Sequence[RowFile]],
    links: LinkFiles,
    buckets: Buckets,
    out: Path,
    kravtyper: pl.DataFrame,
    failing: Mapping[str, Collection[str]],
) -> None:
    """Writes ``<out>/<table>/bucket=<n>/0.parquet`` for every bucket that has rows of a table, and
    ``<out>/<table>.parquet``, the columns without rows, for the others.

    ``files``: by table, those that have its rows. Columns are those of the delivered tables and the numbers of
    ``buckets``, but for the part's key: ``part_row`` says it. Texts are filled in from ``kravtyper``, flags tell whose
    check digits fail, of the columns ``failing`` by table, and the payer's account is masked. A placement goes to the
    bucket of each end. ``far_forfall`` and ``far_innbetaling`` have what documents show of far ends.
    """
    out.mkdir(parents=True, exist_ok=True)
    far_dues, far_payments = far_posts(links, buckets)
    dues = buckets.krav_of(far_dues.select("row").unique())
    far = {"kravforfall": dues, "krav": dues.select(row="krav_row"), "innbetaling": far_payments.select("row")}
    met: dict[str, pl.DataFrame] = {}
    with ThreadPoolExecutor(WRITERS) as pool:
        write_rows([buckets.part], out / "part", pool)
        for name in BUT_PART:
            elsewhere = Numbered(far.get(name, _NOBODY).unique("row"))
            rows = _rows(files[name], TABLES[name], kravtyper, failing.get(name, ()))
            pieces = _Pieces(rows, partial(_here, buckets, name), elsewhere)
            write_rows(pieces, out / name, pool)
            met[name] = pl.concat(pieces.met)
        paid_out = dues.join(far_dues.filter("paid_out"), on="row", how="semi")["krav_row"]
        shown = _shown_of_dues(far_dues, met, remaining(paid_out, links.around(paid_out)))
        write_rows([shown], out / "far_forfall", pool)
        write_rows(
            [far_payments.join(met["innbetaling"].select("row", *PAYMENT_SHOWN), on="row")],
            out / "far_innbetaling",
            pool,
        )


_NOBODY = pl.DataFrame(schema={"row": pl.UInt32})


def _here(buckets: Buckets, name: str, rows: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows that are built: of placements those in the bucket of one end, and those in another one's too."""
    if name != "plassering":
        return [buckets.posts(name, rows)]
    placed = buckets.placed(rows)
    one, other = (pl.col(name) for name in _BUCKETS)
    both = placed.filter(one.is_not_null() & other.is_not_null() & (one != other))
    return [
        placed.with_columns(bucket=pl.coalesce(one, other)).drop(_BUCKETS),
        both.with_columns(bucket=other).drop(_BUCKETS),
    ]


_BUCKETS = ("forfall_bucket", "motpost_bucket")


def _shown_of_dues(far: pl.DataFrame, met: Links, rest: pl.DataFrame) -> pl.DataFrame:
    """What documents show of due dates elsewhere. Parquet has no 128-bit integers; a decimal without decimals is as
    exact.
    """
    dues = met["kravforfall"].select("row", "krav_row", "kravforfallsidentifikator", "forfallsdato")
    krav = met["krav"].select(*KRAV_SHOWN, krav_row="row", krav_opprinnelig="opprinnelig_beloep")
    rest = rest.with_columns(pl.col("krav_gjenstaaende").cast(pl.Decimal(38, 0)))
    shown = far.select("bucket", "row").unique().join(dues, on="row").join(krav, on="krav_row")
    return shown.join(rest, on="krav_row", how="left")


def _rows(
    files: Sequence[RowFile], table: Table, kravtyper: pl.DataFrame, failing: Collection[str]
) -> Iterator[pl.DataFrame]:
    """The table's rows as documents and tables show them, first none of them."""
    left_out = {"part", "fra_iban"} - {*failing}  # the IBAN is shown nowhere
    columns = [name for name in table.names if name not in left_out]
    none = pl.DataFrame(schema={"row": pl.UInt32, **table.accepted}).select("row", *columns)
    for delivered in chain([none], read_rows(files, columns)):
        rows = with_flags(delivered, table, failing)
        match table.name:
            case "krav":
                yield with_texts(rows, kravtyper)
            case "innbetaling":
                yield rows.drop("fra_iban", strict=False).with_columns(masked("fra_kontonummer"))
            case _:
                yield rows


class _Pieces:
    """The rows that are ``here``, as they come. ``met``: of those that have passed, the ones that are ``far``."""

    def __init__(
        self, rows: Iterable[pl.DataFrame], here: Callable[[pl.DataFrame], Iterable[pl.DataFrame]], far: Numbered
    ) -> None:
        self._rows, self._here, self._far = rows, here, far
        self.met: list[pl.DataFrame] = []

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for rows in self._rows:
            self.met.append(_by_itself(self._far.among(rows)))
            yield from self._here(rows)


def _by_itself(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without the text of those that they were filtered from, which Polars goes on holding."""
    return pl.DataFrame(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), schema=rows.schema)


def write_rows(pieces: Iterable[pl.DataFrame], out: Path, pool: ThreadPoolExecutor) -> None:
    """Writes the rows to a file per ``bucket`` as they come, ``ROWS_A_GROUP`` or more at a time, and ``<out>.parquet``
    without any.
    """
    waiting: dict[int, list[pl.DataFrame]] = {}
    with ExitStack() as files:
        writers: dict[int, pyarrow.parquet.ParquetWriter] = {}

        def write(bucket: int) -> None:
            table = pl.concat(waiting.pop(bucket)).to_arrow(compat_level=pl.CompatLevel.oldest())
            if bucket not in writers:
                folder = out / f"bucket={bucket}"
                folder.mkdir(parents=True)
                writers[bucket] = files.enter_context(_writer(folder / "0.parquet", table.schema))
            writers[bucket].write_table(table)

        written: list[Future[None]] = []
        try:
            for piece in pieces:
                if not (columns := out.with_suffix(".parquet")).exists():
                    piece.clear().drop("bucket").write_parquet(columns)
                split = piece.partition_by("bucket", as_dict=True, include_key=False)
                _finish(written)  # of the pieces before: they were written while this one was read
                for (bucket,), frame in split.items():
                    waiting.setdefault(bucket, []).append(frame)
                enough = [bucket for bucket, frames in waiting.items() if sum(map(len, frames)) >= ROWS_A_GROUP]
                written = [pool.submit(write, bucket) for bucket in enough]
            _finish(written)
            written = [pool.submit(write, bucket) for bucket in list(waiting)]
            _finish(written)
        finally:
            wait(written)  # whatever happened: no file may be closed while another thread writes to it


def _writer(path: Path, schema: pyarrow.Schema) -> pyarrow.parquet.ParquetWriter:
    """With a dictionary for texts that repeat only: to look for one among numbers costs more than it saves."""
    repeat = [field.name for field in schema if field.type == pyarrow.large_string() and field.name not in UNIQUE]
    return pyarrow.parquet.ParquetWriter(path, schema, write_statistics=False, use_dictionary=repeat, compression="lz4")


def _finish(written: Iterable[Future[None]]) -> None:
    for one in written:
        one.result()
