"""Write a delivery into an inbox, with a manifest that is right unless a test changes it."""

import gzip
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.plain.columns import AMOUNTS, REMOVED, TABLES, Column, Kind, Table

Row = Mapping[str, Any]
AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,2})?")
FORMATS = ("csv", "csv.gz", "csv.zst", "parquet")
OERE = Decimal("0.01")


def write_delivery(
    inbox: Path,
    kilde: str,
    nr: int,
    type: str,
    tables: Mapping[str, Sequence[Row]],
    *,
    uttrekkstidspunkt: str = "2026-11-22T23:00:00+01:00",
    format: str = "csv",
    split: int = 1,
    manifest_changes: Mapping[str, Any] | Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write ``tables`` as delivery ``nr`` of ``kilde`` and return its folder.

    A row names the columns it fills, the rest are null; values are str, Decimal, date, bool or None.
    The column ``slettet`` is written when a row names it. Each table becomes ``split`` files.
    ``manifest_changes`` is laid over the manifest, or called with it, before it is written.
    """
    folder = inbox / kilde / f"{nr:06d}"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    manifest: dict[str, Any] = {
        "skjemaversjon": "1",
        "kilde": kilde,
        "leveransenummer": nr,
        "type": type,
        "uttrekkstidspunkt": uttrekkstidspunkt,
        "tabeller": {name: _write_table(folder, TABLES[name], rows, format, split) for name, rows in tables.items()},
    }
    if callable(manifest_changes):
        manifest_changes(manifest)
    else:
        manifest |= manifest_changes or {}
    (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
    return folder


def _write_table(folder: Path, table: Table, rows: Sequence[Row], format: str, split: int) -> dict[str, Any]:
    columns = list(table.columns)
    if any(REMOVED.name in row for row in rows):
        columns.append(REMOVED)
    files = []
    for number, chunk in enumerate(_chunks(rows, split), start=1):
        content = _file_content(columns, chunk, format)
        name = f"{table.name}-{number}.{format}"
        (folder / name).write_bytes(content)
        files.append({"sti": name, "rader": len(chunk), "sha256": hashlib.sha256(content).hexdigest()})
    described: dict[str, Any] = {"filer": files, "rader": len(rows)}
    if table.amount:
        described["kontrollsum"] = control_sum(row.get(table.amount) for row in rows)
    return described


def _chunks(rows: Sequence[Row], split: int) -> Iterator[Sequence[Row]]:
    size = -(-len(rows) // split)
    for start in range(split):
        yield rows[start * size : (start + 1) * size]


def control_sum(values: Iterable[Any]) -> str:
    """The exact sum; a cell that is not a well-formed amount counts 0."""
    texts = [cell_text(value) for value in values]
    amounts = [Decimal(text) for text in texts if AMOUNT.fullmatch(text)]
    oere = sum(int(amount.scaleb(2)) for amount in amounts)
    return f"{'-' if oere < 0 else ''}{abs(oere) // 100}.{abs(oere) % 100:02d}"


def cell_text(value: Any) -> str:
    """A value as CSV writes it, unquoted; null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _file_content(columns: list[Column], rows: Sequence[Row], format: str) -> bytes:
    if format == "parquet":
        return _parquet_content(columns, rows)
    content = _csv_content(columns, rows)
    if format == "csv.gz":
        return gzip.compress(content, mtime=0)
    if format == "csv.zst":
        return _zstd(content)
    return content


def _zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def _csv_content(columns: list[Column], rows: Sequence[Row]) -> bytes:
    lines = [[column.name for column in columns]]
    lines += [[cell_text(row.get(column.name)) for column in columns] for row in rows]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines).encode()


def _quoted(text: str) -> str:
    if any(special in text for special in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _parquet_content(columns: list[Column], rows: Sequence[Row]) -> bytes:
    """Typed columns; all of them strings when one value has no place in its column's type."""
    try:
        arrays = [_typed_array(column, rows) for column in columns]
    except (ValueError, pa.ArrowException):
        arrays = [pa.array([_string(row.get(column.name)) for row in rows], pa.string()) for column in columns]
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, names=[column.name for column in columns]), sink)
    return sink.getvalue()


def _string(value: Any) -> str | None:
    return None if value is None else cell_text(value)


def _typed_array(column: Column, rows: Sequence[Row]) -> pa.Array:
    values = [row.get(column.name) for row in rows]
    if column.kind in AMOUNTS:
        return pa.array([_amount(value) for value in values], pa.decimal128(18, 2))
    if column.kind is Kind.DATE:
        return pa.array([_day(value) for value in values], pa.date32())
    if column.kind is Kind.FLAG:
        return pa.array([_flag(value) for value in values], pa.bool_())
    return pa.array([_string(value) for value in values], pa.string())


def _amount(value: Any) -> Decimal | None:
    if value is None:
        return None
    if not AMOUNT.fullmatch(cell_text(value)):
        raise ValueError("not an amount")
    return Decimal(cell_text(value)).quantize(OERE)


def _day(value: Any) -> date | None:
    if value is None or isinstance(value, date):
        return value
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("not a date")
    return date.fromisoformat(value)


def _flag(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise ValueError("not a flag")
    return bool(value == "true")
