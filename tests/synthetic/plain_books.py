"""Deliveries read and kept in plain Python, a row at a time, and the rules of the contract's level 2.

It knows nothing of how the deliveries were made. All cells are text, whatever the file's format.
"""

import csv
import gzip
import hashlib
import io
import json
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

from schemas.tables import REMOVED, TABLES, Kind

Row = dict[str, str | None]

FIRST = date(2026, 11, 23)
NIGHTS = 3


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def read_file(path: Path) -> list[Row]:
    """The rows of one delivered file."""
    if path.suffix == ".parquet":
        return [{name: _text(cell) for name, cell in row.items()} for row in pq.read_table(path).to_pylist()]
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    header = next(reader)
    return [{name: cell or None for name, cell in zip(header, row, strict=True)} for row in reader]


def manifests(inbox: Path, night: int) -> list[tuple[Path, dict]]:
    """The folders and manifests of one night's deliveries, by source."""
    paths = sorted(inbox.glob(f"*/{night:06d}/manifest.json"))
    return [(path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def read_delivery(folder: Path, manifest: dict) -> dict[str, list[Row]]:
    """The rows of one delivery by table, checked against what its manifest says of them."""
    tables = {}
    listed = {"manifest.json"}
    for table, entry in manifest["tabeller"].items():
        rows = []
        for file in entry["filer"]:
            path = folder / file["sti"]
            listed.add(file["sti"])
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
            some = read_file(path)
            assert len(some) == file["rader"]
            rows += some
        assert len(rows) == entry["rader"]
        if amount := TABLES[table].amount:
            assert sum(Decimal(row[amount] or 0) for row in rows) == Decimal(entry["kontrollsum"])
        else:
            assert "kontrollsum" not in entry
        tables[table] = rows
    assert listed == {path.name for path in folder.iterdir()}
    return tables


class Books:
    """What all sources say after some nights."""

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, dict[str, Row]]] = {}
        self.removed: dict[str, int] = defaultdict(int)

    def take(self, inbox: Path, night: int) -> None:
        """Take in one night's deliveries."""
        for folder, manifest in manifests(inbox, night):
            delivered = read_delivery(folder, manifest)
            if manifest["type"] == "full":
                self.sources[manifest["kilde"]] = {table: {} for table in TABLES}
            for table, rows in delivered.items():
                self._upsert(self.sources[manifest["kilde"]][table], table, rows, manifest["type"])

    def _upsert(self, kept: dict[str, Row], table: str, rows: list[Row], kind: str) -> None:
        spec = TABLES[table]
        seen = set()
        for row in rows:
            key = row[spec.key]
            assert key and key not in seen, f"{table}: no key, or one twice in a delivery"
            seen.add(key)
            assert set(row) - {REMOVED.name} == set(spec.names)
            assert kind == "endring" or REMOVED.name not in row
            if row.pop(REMOVED.name, None) == "true":
                assert key in kept, f"{table}: something unknown is removed"
                del kept[key]
                self.removed[table] += 1
            else:
                kept[key] = row

    def table(self, name: str) -> dict[str, Row]:
        """All sources' rows of one table by key; a key in two sources is a fault."""
        together: dict[str, Row] = {}
        for source in self.sources.values():
            assert not together.keys() & source[name].keys(), f"{name}: a key in two sources"
            together |= source[name]
        return together

    def source_of(self, table: str, key: str) -> str:
        """Which source has the key."""
        return next(kilde for kilde, tables in self.sources.items() if key in tables[table])


def mod11_is_right(number: str, weights: tuple[int, ...]) -> bool:
    """Whether the weighted sum of all digits but the last, and the last, come to a multiple of eleven."""
    head, last = number[: len(weights)], int(number[len(weights)])
    return (sum(int(d) * w for d, w in zip(head, weights, strict=True)) + last) % 11 == 0


def number_is_valid(number: str) -> bool:
    """Whether an organisation number or a national number has the right check digits."""
    if len(number) == 9:
        return mod11_is_right(number, (3, 2, 7, 6, 5, 4, 3, 2))
    first = mod11_is_right(number, (3, 7, 6, 1, 8, 9, 4, 5, 2))
    return len(number) == 11 and first and mod11_is_right(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2))


def kid_is_valid(kid: str) -> bool:
    """Whether a KID is right by mod 10 (Luhn) or mod 11."""
    digits = [int(d) for d in kid[-2::-1]]
    luhn = sum(sum(divmod(d * 2, 10)) if n % 2 == 0 else d for n, d in enumerate(digits))
    if kid[-1] == str(-luhn % 10):
        return True
    eleven = -sum(d * (2 + n % 6) for n, d in enumerate(digits)) % 11
    return kid[-1] == ("-" if eleven == 10 else str(eleven))


def iban_is_valid(iban: str) -> bool:
    """Whether an IBAN's check digits are right."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def _check_values(table: str, row: Row) -> None:
    for column in TABLES[table].columns:
        value = row[column.name]
        if value is None:
            assert column.nullable, f"{table}.{column.name} is null"
        elif column.kind == Kind.KEY:
            assert 1 <= len(value) <= 64
        elif column.kind == Kind.CODE:
            assert value in column.codes
        elif column.kind == Kind.NUMBER:
            assert number_is_valid(value)
        elif column.kind == Kind.POSITIVE_AMOUNT:
            assert Decimal(value) > 0


def _check_parts(books: Books) -> None:
    parts = books.table("part")
    for row in parts.values():
        assert len(row["part"]) == (11 if row["parttype"] == "PERSON" else 9)
        assert (row["innehaver"] is not None) == (row["parttype"] == "ENK")
        if row["innehaver"]:
            assert parts[row["innehaver"]]["parttype"] == "PERSON"
    for table in ("krav", "innbetaling", "utbetaling"):
        assert all(row["part"] in parts for row in books.table(table).values())


def _check_claims(books: Books) -> None:
    krav = books.table("krav")
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for due in books.table("kravforfall").values():
        amount, claimed = (
            Decimal(due["opprinnelig_beloep"]),
            Decimal(krav[due["kravidentifikator"]]["opprinnelig_beloep"]),
        )
        assert amount * claimed >= 0, "a due date has the opposite sign"
        sums[due["kravidentifikator"]] += amount
    assert sums.keys() == krav.keys(), "a claim has no due dates"
    assert all(sums[key] == Decimal(row["opprinnelig_beloep"]) for key, row in krav.items())


def _check_placements(books: Books) -> None:
    dues = {key: Decimal(row["opprinnelig_beloep"]) for key, row in books.table("kravforfall").items()}
    paid = {key: Decimal(row["innbetalt_beloep"]) for key, row in books.table("innbetaling").items()}
    out = {key: Decimal(row["utbetalt_beloep"]) for key, row in books.table("utbetaling").items()}
    placed: dict[str, Decimal] = defaultdict(Decimal)
    for row in books.table("plassering").values():
        due, other, kind = row["kravforfallsidentifikator"], row["motpost"], row["plasseringstype"]
        assert dues[due] < 0 if kind == "UTBETALING" else dues[due] >= 0
        assert other in {"INNBETALING": paid, "MOTKRAV": dues, "UTBETALING": out}[kind]
        assert kind != "MOTKRAV" or dues[other] < 0
        for end in (due, other):
            placed[end] += Decimal(row["plassert_beloep"])
    worth = {key: abs(amount) for key, amount in (dues | paid | out).items()}
    assert all(amount <= worth[key] for key, amount in placed.items()), "more placed than there is"


def check(books: Books) -> None:
    """Every rule for rows: values, keys, parts, claims, placements."""
    for table in TABLES:
        for row in books.table(table).values():
            _check_values(table, row)
    _check_parts(books)
    _check_claims(books)
    _check_placements(books)
