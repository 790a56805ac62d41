"""Takes one delivery in: whole-delivery checks, then typed rows and refused rows, once per delivery.

Out comes a folder that later nights read instead of the delivery:

    <out>/manifest.json              the delivery's own, byte for byte
    <out>/<table>/<n>.parquet        the good rows of the table's n-th file: typed columns, slettet, fil, rad
    <out>/refused.parquet            the rows that values or keys refused (CONTRACT 2.2.1, 2.2.2)
    <out>/receipt.json               rows, refused and removed per table, and the sums

``fil`` is the file's place in the manifest's list for the table, ``rad`` the row's number in it.
"""

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pyarrow.parquet

from schemas.refusals import Refusal
from schemas.snapshot import TableReceipt
from schemas.tables import REFERENCES, REMOVED, TABLES, UNIQUE, Table
from transforms.accept.files import read_batches
from transforms.accept.inbox import MANIFEST, Delivery, check_files, state
from transforms.accept.unreadable import FileRefused
from transforms.accept.values import check_values
from transforms.home.refused import REFUSED_SCHEMA
from transforms.home.shown import shown
from transforms.rules.check_digits import count_failing
from transforms.rules.money import kroner

REFUSED = ".refused"
"""The folder where the refused rows of each file wait for those of the others."""

PACKED: dict[str, Any] = {"compression": "zstd", "compression_level": 1}

ROWS_TOO_MANY = 1_000_000
"""A file with so many rows more than twice what the manifest says is not read to its end."""


@dataclass
class _FileResult:
    rows: int = 0
    oere: int = 0
    removed: int = 0
    hashes: pl.Series = field(default_factory=lambda: pl.Series("hash", dtype=pl.UInt64))
    failing: Counter[tuple[str, str]] = field(default_factory=Counter)


CHANGED_MEANWHILE = ("L1-SHA256", "the file was changed while it was read")


def accept_delivery(delivery: Delivery, out: Path, workers: int) -> list[Refusal]:
    """Checks the delivery and writes its rows to ``out``. Returns why it is refused, or nothing.

    When it is refused ``out`` is removed again. ``workers``: how many files are read at a time.
    """
    if delivery.manifest is None:
        return list(delivery.refusals)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    refusals = _take_in(delivery, out, workers)
    if refusals:
        shutil.rmtree(out)
    return refusals


def _take_in(delivery: Delivery, out: Path, workers: int) -> list[Refusal]:
    assert delivery.manifest is not None  # noqa: S101
    files = check_files(delivery)
    refusals, results = [*delivery.refusals, *files.refusals], {}
    jobs = [
        (TABLES[tabell], place, file)
        for tabell, table in delivery.manifest.tabeller.items()
        for place, file in enumerate(table.filer)
        if file.sti in files.paths
    ]
    removals = delivery.manifest.type == "endring"
    with _readers(workers) as (pool, stopped):
        read = [
            pool.submit(_read_file, files.paths[file.sti], table, removals, place, file.rader, out, stopped)
            for table, place, file in jobs
        ]
        for (table, _, file), result in zip(jobs, read, strict=True):
            try:
                while wait([result], timeout=1).not_done:  # Polars' SIGINT does not end a wait without an end
                    pass
                results[file.sti] = result.result()
                same = state(files.paths[file.sti]) == files.states[file.sti]
                reasons: tuple[tuple[str, str], ...] = () if same else (CHANGED_MEANWHILE,)
            except FileRefused as error:
                reasons = error.reasons
            refusals += [delivery.refusal(code, text, fil=shown(file.sti), tabell=table.name) for code, text in reasons]
    refusals += _check_totals(delivery, results)
    if not refusals:
        _finish(delivery, results, out)
    return refusals


@contextmanager
def _readers(workers: int) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Threads that read files, and what tells them that the run ends: they look at it between two batches."""
    stopped = Event()
    with ThreadPoolExecutor(workers) as pool:  # waits for its threads, however it is left
        try:
            yield pool, stopped
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _read_file(
    path: Path, table: Table, removals: bool, place: int, rader: int, out: Path, stopped: Event
) -> _FileResult:
    """One file, batch by batch: the typed rows are written, and beside them the refused ones."""
    total = _FileResult()
    target = out / table.name / f"{place:05d}.parquet"
    with _Writer(target) as good, _Writer(_refused_file(target)) as refused:
        for raw in read_batches(path, table, removals=removals):
            if stopped.is_set():
                break  # nobody asks for the result
            checked = check_values(raw, table, total.rows + 1)
            total.rows += raw.height
            if total.rows > 2 * rader + ROWS_TOO_MANY:
                text = f"the manifest says {rader} rows, reading stopped at {total.rows}"
                raise FileRefused(("L1-ROWS", text))
            total.oere += checked.oere
            total.removed += int(checked.typed["slettet"].sum())
            total.failing.update(count_failing(_not_removed(checked.typed), table))
            total.hashes.append(raw.select(hash=pl.col(table.key).drop_nulls().hash())["hash"])
            refused.write(checked.refused.select(_as_refused(checked.refused.columns, table, place)))
            good.write(checked.typed.with_columns(fil=pl.lit(place, pl.Int32)))
    return total


def _not_removed(typed: pl.DataFrame) -> pl.DataFrame:
    return typed.filter(~pl.col("slettet")) if typed["slettet"].any() else typed


class _Writer:
    """Frames of one schema, written to one Parquet file as they come; no frame, no file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: pyarrow.parquet.ParquetWriter | None = None

    def __enter__(self) -> "_Writer":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, frame: pl.DataFrame) -> None:
        rows = frame.to_arrow(compat_level=pl.CompatLevel.newest())  # as Polars has it, without a copy of the texts
        if self.file is None:
            encodings = {name: _encoding(name, dtype) for name, dtype in frame.schema.items()}
            self.file = pyarrow.parquet.ParquetWriter(
                self.path,
                rows.schema,
                use_dictionary=[name for name, encoding in encodings.items() if not encoding],
                column_encoding={name: encoding for name, encoding in encodings.items() if encoding},
                # What lets a reader pass over rows or take fewer bits; nobody looks for other texts than keys.
                write_statistics=[
                    name for name, dtype in frame.schema.items() if dtype != pl.String or name in {"part", *UNIQUE}
                ],
                store_schema=False,
                **PACKED,
            )
        self.file.write_table(rows)

    def __exit__(self, *_: object) -> None:
        if self.file:
            self.file.close()


def _encoding(name: str, dtype: pl.DataType) -> str | None:
    """What is small, and fast to write and to read; nothing for a dictionary, which is for what repeats."""
    if name == "rad":
        return "DELTA_BINARY_PACKED"
    if dtype == pl.Int64:
        return "BYTE_STREAM_SPLIT"
    if name in UNIQUE:
        return "DELTA_LENGTH_BYTE_ARRAY"
    return "PLAIN" if name.endswith("kidnummer") else None


def _refused_file(good: Path) -> Path:
    """Where the refused rows of a file wait for the delivery's other files."""
    return good.parent.parent / REFUSED / f"{good.parent.name}-{good.name}"


def _as_refused(columns: Collection[str], table: Table, place: int) -> list[pl.Expr]:
    """What makes raw or typed rows with ``koder`` rows of ``REFUSED_SCHEMA``.

    Of a removal nothing but the key counts, which of ``part`` is the part (CONTRACT section 1).
    """
    return [
        pl.lit(table.name).alias("tabell"),
        pl.col(table.key).cast(pl.String).alias("noekkel"),
        pl.lit(place, pl.Int32).alias("fil"),
        pl.col("rad", "koder"),
        *((_leading(name, table) if name in columns else pl.lit(None, pl.String)).alias(name) for name in REFERENCES),
        pl.col(REMOVED.name),
        pl.when(~pl.col(REMOVED.name)).then("beloep" if "beloep" in columns else _amount(table)).alias("beloep"),
    ]


def _amount(table: Table) -> pl.Expr:
    return pl.col(table.amount) if table.amount else pl.lit(None, pl.Int64)


def _leading(name: str, table: Table) -> pl.Expr:
    """What a refused row leads to parts by in the column: nothing when it is a removal and this is not its key."""
    reference = pl.col(name).cast(pl.String)
    return reference if name == table.key else pl.when(~pl.col(REMOVED.name)).then(reference)


def _check_totals(delivery: Delivery, results: dict[str, _FileResult]) -> list[Refusal]:
    """``rader`` per file and table, and ``kontrollsum``, against what was read."""
    assert delivery.manifest is not None  # noqa: S101
    refusals = []
    for tabell, table in delivery.manifest.tabeller.items():
        for file in table.filer:
            if file.sti in results and results[file.sti].rows != file.rader:
                text = f"the file has {results[file.sti].rows} rows, the manifest says {file.rader}"
                refusals.append(delivery.refusal("L1-ROWS", text, fil=shown(file.sti), tabell=tabell))
        read = [results[file.sti] for file in table.filer if file.sti in results]
        if len(read) < len(table.filer):
            continue  # some file could not be read: the table's totals can't be known
        rows, oere = sum(result.rows for result in read), sum(result.oere for result in read)
        if rows != table.rader:
            text = f"the table has {rows} rows, the manifest says {table.rader}"
            refusals.append(delivery.refusal("L1-ROWS", text, fil=MANIFEST, tabell=tabell))
        if TABLES[tabell].amount and oere != table.oere:
            text = f"the amounts sum to {kroner(oere)}, the manifest says {kroner(table.oere)}"
            refusals.append(delivery.refusal("L1-CONTROL-SUM", text, fil=MANIFEST, tabell=tabell))
    return refusals


def _finish(delivery: Delivery, results: dict[str, _FileResult], out: Path) -> None:
    assert delivery.manifest is not None  # noqa: S101
    receipts = {}
    for tabell, table in delivery.manifest.tabeller.items():
        read = [results[file.sti] for file in table.filer]
        unremoved = _refuse_doubled_keys(TABLES[tabell], [result.hashes for result in read], out)
        refused = sum(pyarrow.parquet.read_metadata(path).num_rows for path in _refused_files(out, tabell))
        failing = sum((result.failing for result in read), Counter[tuple[str, str]]())
        receipts[tabell] = TableReceipt(
            rader=sum(result.rows for result in read),
            refused=refused,
            removed=sum(result.removed for result in read) - unremoved,
            oere=sum(result.oere for result in read),
            failing={" ".join(what): count for what, count in sorted(failing.items())},
        ).model_dump()
    with _Writer(out / "refused.parquet") as writer:
        writer.write(REFUSED_SCHEMA.to_frame())
        for path in _refused_files(out):
            with pyarrow.parquet.ParquetFile(path) as file:
                for batch in file.iter_batches():
                    writer.write(pl.DataFrame(batch))
    shutil.rmtree(out / REFUSED, ignore_errors=True)
    (out / "receipt.json").write_text(json.dumps(receipts))
    shutil.copyfile(delivery.folder / MANIFEST, out / MANIFEST)


def _refused_files(out: Path, tabell: str = "*") -> list[Path]:
    return sorted((out / REFUSED).glob(f"{tabell}-*.parquet"))


def _refuse_doubled_keys(table: Table, hashes: Sequence[pl.Series], out: Path) -> int:
    """A key in two rows of the delivery refuses both, whatever they say (CONTRACT 2.2.2).

    Moves them from the good rows to the refused ones; returns how many of them are removals. Hashes of all
    keys are compared first: only when two agree are the keys themselves looked at.
    """
    all_hashes = pl.concat([pl.Series("hash", dtype=pl.UInt64), *hashes])
    if all_hashes.n_unique() == all_hashes.len():
        return 0
    suspects = all_hashes.filter(all_hashes.is_duplicated()).unique()
    good, refused = sorted((out / table.name).glob("*.parquet")), _refused_files(out, table.name)
    keys = [pl.scan_parquet(path).select(noekkel=table.key) for path in good]
    keys += [pl.scan_parquet(path).select("noekkel") for path in refused]
    suspected = pl.concat(keys).filter(pl.col("noekkel").hash().is_in(suspects.implode()))
    counted = suspected.drop_nulls().group_by("noekkel").len().filter(pl.col("len") > 1)
    doubled = counted.select("noekkel").collect(engine="streaming")["noekkel"].implode()
    if doubled.item().is_empty():
        return 0
    code, unremoved = pl.lit(["L2-KEY-TWICE"]), 0
    for path in refused:
        also = pl.when(pl.col("noekkel").is_in(doubled)).then(pl.col("koder").list.concat(code)).otherwise("koder")
        _rewrite(path, pl.scan_parquet(path).with_columns(koder=also))
    for path in good:
        rows, twice = pl.scan_parquet(path), pl.col(table.key).is_in(doubled)
        moved = rows.filter(twice).with_columns(koder=code)
        unremoved += moved.select(pl.col("slettet").sum()).collect().item()
        moved.select(_as_refused(table.names, table, int(path.stem))).sink_parquet(
            out / REFUSED / f"{table.name}-{path.stem}-doubled.parquet", **PACKED
        )
        _rewrite(path, rows.filter(~twice))
    return unremoved


def _rewrite(path: Path, rows: pl.LazyFrame) -> None:
    """Writes a file anew, from rows that may be read from itself."""
    rows.sink_parquet(path.with_suffix(".left"), **PACKED)
    path.with_suffix(".left").replace(path)
