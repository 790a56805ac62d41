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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl
import pyarrow.parquet

from schemas.refusals import Refusal
from schemas.tables import TABLES, Table
from transforms.check_digits import count_failing
from transforms.deliveries import MANIFEST, Delivery, check_files, shown
from transforms.money import kroner
from transforms.tabular import FileRefused, read_batches
from transforms.values import check_values

REFERENCES = ("part", "kravidentifikator", "kravforfallsidentifikator", "motpost")
"""Columns through which a refused row leads to the parts it holds back (CONTRACT section 2)."""

REFUSED_SCHEMA = pl.Schema(
    {
        "tabell": pl.String(),
        "noekkel": pl.String(),
        "fil": pl.Int32(),
        "rad": pl.UInt32(),
        "koder": pl.List(pl.String()),
        **dict.fromkeys(REFERENCES, pl.String()),
    }
)
"""A refused row: its table, its key as delivered (null when it has none), its place and its reasons."""

WORKERS = 2

ROWS_TOO_MANY = 1_000_000
"""A file with so many rows more than twice what the manifest says is not read to its end."""


@dataclass(frozen=True)
class TableReceipt:
    """What was in one table of a delivery.

    ``oere``: the sum of its amounts. ``failing``: how many values have check digits that fail, by
    report and column (``R-KID kidnummer``).
    """

    rader: int
    refused: int
    removed: int
    oere: int
    failing: dict[str, int]


@dataclass
class _FileResult:
    rows: int
    oere: int
    removed: int
    hashes: pl.Series
    refused: pl.DataFrame
    failing: Counter[tuple[str, str]] = field(default_factory=Counter)


def accept_delivery(delivery: Delivery, out: Path) -> list[Refusal]:
    """Checks the delivery and writes its rows to ``out``. Returns why it is refused, or nothing.

    When it is refused ``out`` is removed again.
    """
    if delivery.manifest is None:
        return list(delivery.refusals)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    refusals = _take_in(delivery, out)
    if refusals:
        shutil.rmtree(out)
    return refusals


def _take_in(delivery: Delivery, out: Path) -> list[Refusal]:
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
    with ThreadPoolExecutor(WORKERS) as pool:
        read = [
            pool.submit(_read_file, files.paths[file.sti], table, removals, place, file.rader, out)
            for table, place, file in jobs
        ]
        for (table, _, file), result in zip(jobs, read, strict=True):
            try:
                results[file.sti] = result.result()
            except FileRefused as error:
                refusals += [
                    delivery.refusal(code, text, fil=shown(file.sti), tabell=table.name) for code, text in error.reasons
                ]
    refusals += _check_totals(delivery, results)
    if not refusals:
        _finish(delivery, results, out)
    return refusals


def _read_file(path: Path, table: Table, removals: bool, place: int, rader: int, out: Path) -> _FileResult:
    """One file, batch by batch: the typed rows are written, the refused ones kept."""
    total = _FileResult(0, 0, 0, pl.Series("hash", dtype=pl.UInt64), REFUSED_SCHEMA.to_frame())
    target = out / table.name / f"{place:05d}.parquet"
    target.parent.mkdir(exist_ok=True)
    writer: pyarrow.parquet.ParquetWriter | None = None
    try:
        for raw in read_batches(path, table, removals=removals):
            checked = check_values(raw, table, total.rows + 1)
            total.rows += raw.height
            if total.rows > 2 * rader + ROWS_TOO_MANY:
                text = f"the manifest says {rader} rows, reading stopped at {total.rows}"
                raise FileRefused(("L1-ROWS", text))
            total.oere += checked.oere
            total.removed += int(checked.typed["slettet"].sum())
            total.failing.update(count_failing(checked.typed.filter(~pl.col("slettet")), table))
            total.hashes.append(raw.select(hash=pl.col(table.key).drop_nulls().hash())["hash"])
            total.refused.extend(_as_refused(checked.refused, table, place))
            typed = checked.typed.with_columns(fil=pl.lit(place, pl.Int32)).to_arrow(
                compat_level=pl.CompatLevel.oldest()
            )
            writer = writer or pyarrow.parquet.ParquetWriter(
                target, typed.schema, compression="zstd", compression_level=1
            )
            writer.write_table(typed)
    finally:
        if writer:
            writer.close()
    return total


def _as_refused(raw: pl.DataFrame, table: Table, place: int) -> pl.DataFrame:
    """Refused raw rows as rows of ``REFUSED_SCHEMA``."""
    given = {name: raw[name].cast(pl.String) for name in REFERENCES if name in raw.columns}
    columns = {
        "tabell": pl.lit(table.name),
        "noekkel": raw[table.key].cast(pl.String),
        "fil": pl.lit(place, pl.Int32),
        "rad": raw["rad"],
        "koder": raw["koder"],
        **{name: given.get(name, pl.lit(None, pl.String)) for name in REFERENCES},
    }
    return raw.select(**columns).match_to_schema(REFUSED_SCHEMA)


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
    refused, receipts = [REFUSED_SCHEMA.to_frame()], {}
    for tabell, table in delivery.manifest.tabeller.items():
        read = [results[file.sti] for file in table.filer]
        rows = pl.concat([REFUSED_SCHEMA.to_frame(), *(result.refused for result in read)])
        rows, unremoved = _refuse_doubled_keys(TABLES[tabell], [result.hashes for result in read], rows, out)
        refused.append(rows)
        failing = sum((result.failing for result in read), Counter[tuple[str, str]]())
        receipts[tabell] = asdict(
            TableReceipt(
                rader=sum(result.rows for result in read),
                refused=rows.height,
                removed=sum(result.removed for result in read) - unremoved,
                oere=sum(result.oere for result in read),
                failing={" ".join(what): count for what, count in sorted(failing.items())},
            )
        )
    pl.concat(refused).write_parquet(out / "refused.parquet")
    (out / "receipt.json").write_text(json.dumps(receipts))
    shutil.copyfile(delivery.folder / MANIFEST, out / MANIFEST)


def _refuse_doubled_keys(
    table: Table, hashes: Sequence[pl.Series], refused: pl.DataFrame, out: Path
) -> tuple[pl.DataFrame, int]:
    """A key in two rows of the delivery refuses both, whatever they say (CONTRACT 2.2.2).

    Returns all refused rows, and how many removals are among those refused here. Hashes of all keys
    are compared first: only when two agree are the keys themselves looked at.
    """
    all_hashes = pl.concat([pl.Series("hash", dtype=pl.UInt64), *hashes])
    if all_hashes.n_unique() == all_hashes.len():
        return refused, 0
    suspects = all_hashes.filter(all_hashes.is_duplicated()).unique()
    files = sorted((out / table.name).glob("*.parquet"))
    named = [refused.select("noekkel")]
    for path in files:
        keys = pl.read_parquet(path, columns=[table.key]).select(noekkel=pl.col(table.key))
        named.append(keys.filter(pl.col("noekkel").hash().is_in(suspects.implode())))
    doubled = pl.concat(named).drop_nulls().filter(pl.col("noekkel").is_duplicated())["noekkel"].unique()
    if doubled.is_empty():
        return refused, 0
    in_doubt = pl.col("noekkel").is_in(doubled.implode())
    also = pl.col("koder").list.concat(pl.lit(["L2-KEY-TWICE"]))
    refused = refused.with_columns(koder=pl.when(in_doubt).then(also).otherwise("koder"))
    unremoved = 0
    for path in files:
        moved = _take_out(path, pl.col(table.key).is_in(doubled.implode()))
        unremoved += int(moved["slettet"].sum())
        moved = moved.with_columns(koder=pl.lit(["L2-KEY-TWICE"]))
        refused.extend(_as_refused(moved, table, int(path.stem)))
    return refused, unremoved


def _take_out(path: Path, which: pl.Expr) -> pl.DataFrame:
    """Those rows of the file, which is written anew without them."""
    rows = pl.scan_parquet(path)
    moved = rows.filter(which).collect(engine="streaming")
    if not moved.is_empty():
        left = path.with_suffix(".left")
        rows.filter(~which).sink_parquet(left, compression="zstd", compression_level=1)
        left.replace(path)
    return moved
