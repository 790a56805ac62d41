"""One delivery: its files, and the manifest that is written last (CONTRACT section 1)."""

import gzip
import hashlib
import json
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
import zstandard

from schemas.tables import TABLES

Format = Literal["parquet", "csv"]

# Every ending that the contract allows is met with.
_CSV_ENDINGS = {
    "krav": ".csv.gz",
    "kravforfall": ".csv.zst",
    "utbetaling": ".csv.gz",
    "plassering": ".csv.zst",
}

_ROW_GROUP = 100_000


def folder(inbox: Path, kilde: str, leveransenummer: int) -> Path:
    """Where a delivery lies."""
    return inbox / kilde / f"{leveransenummer:06d}"


def extracted_at(snapshot: date) -> str:
    """Eleven in the evening before the snapshot date, with the offset that Oslo had then."""
    moment = datetime.combine(snapshot - timedelta(1), time(23), ZoneInfo("Europe/Oslo"))
    return moment.isoformat()


def kroner_text(oere: int) -> str:
    """Øre written as kroner with two decimals."""
    sign = "-" if oere < 0 else ""
    return f"{sign}{abs(oere) // 100}.{abs(oere) % 100:02d}"


def oere_sum(column: pl.Series) -> int:
    """The exact sum of a decimal column with scale 2, null counting 0."""
    return int(column.to_physical().sum() or 0)


def _csv(frame: pl.DataFrame, ending: str) -> bytes:
    """RFC 4180; the compressed headers carry no time and no name, so the bytes repeat."""
    buffer = BytesIO()
    frame.write_csv(buffer)
    plain = buffer.getvalue()
    if ending == ".csv.gz":
        return gzip.compress(plain, compresslevel=4, mtime=0)
    if ending == ".csv.zst":
        return zstandard.ZstdCompressor(level=3).compress(plain)
    return plain


class Delivery:
    """A delivery under way. ``add`` writes a file, ``close`` the manifest; before that it is none."""

    def __init__(
        self,
        inbox: Path,
        kilde: str,
        leveransenummer: int,
        *,
        snapshot: date,
        full_tables: tuple[str, ...] | None,
        format: Format,
    ) -> None:
        self.folder = folder(inbox, kilde, leveransenummer)
        self.folder.mkdir(parents=True)
        self.format = format
        self.sums: dict[str, int] = {}
        self.tables: dict[str, dict[str, Any]] = {}
        for table in full_tables or ():
            self._table(table)
        self.manifest: dict[str, Any] = {
            "skjemaversjon": "1",
            "kilde": kilde,
            "leveransenummer": leveransenummer,
            "type": "endring" if full_tables is None else "full",
            "uttrekkstidspunkt": extracted_at(snapshot),
        }

    def _table(self, table: str) -> dict[str, Any]:
        self.sums.setdefault(table, 0)
        return self.tables.setdefault(table, {"filer": [], "rader": 0})

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Write one more file of a table; nothing for no rows."""
        if frame.is_empty():
            return
        entry = self._table(table)
        ending = ".parquet" if self.format == "parquet" else _CSV_ENDINGS.get(table, ".csv")
        path = self.folder / f"{table}-{len(entry['filer']) + 1:04d}{ending}"
        self._write(path, frame, ending)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        entry["filer"].append({"sti": path.name, "rader": frame.height, "sha256": sha256})
        entry["rader"] += frame.height
        amount = TABLES[table].amount
        if amount:
            self.sums[table] += oere_sum(frame.get_column(amount))

    def _write(self, path: Path, frame: pl.DataFrame, ending: str) -> None:
        if ending == ".parquet":
            frame.write_parquet(path, compression="zstd", compression_level=3, row_group_size=_ROW_GROUP)
        else:
            path.write_bytes(_csv(frame, ending))

    def close(self) -> None:
        """Write the manifest, all at once: the delivery is there from now on."""
        for table, entry in self.tables.items():
            if TABLES[table].amount:
                entry["kontrollsum"] = kroner_text(self.sums[table])
        whole = self.manifest | {"tabeller": self.tables}
        temporary = self.folder / "manifest.json.tmp"
        temporary.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        temporary.rename(self.folder / "manifest.json")
