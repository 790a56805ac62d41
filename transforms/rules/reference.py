"""The reference data: rates of late-payment interest, and kravtyper (CONTRACT section 3)."""

import csv
import re
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import polars as pl

from transforms.root import ROOT

REFERENCE = ROOT / "data" / "reference"
RATES = REFERENCE / "forsinkelsesrente.csv"
KRAVTYPER = REFERENCE / "kravtyper.csv"

KRAVTYPER_SCHEMA = {
    "kravtype": pl.String,
    "tekst": pl.String,
    "kravgruppe": pl.String,
    "renteberegnes": pl.Boolean,
}

_CODELIST = "{urn:no:skatteetaten:kodelistebibliotek:domain:v1}"


class ReferenceFileError(ValueError):
    """A reference file cannot be used; the message says which, what and where."""


def read_rates(path: Path = RATES) -> pl.DataFrame:
    """Yearly rates: ``fra_dato`` (Date, ascending) and ``sats`` (Int64, hundredths of a percent a year).

    Raises ``ReferenceFileError``, also over a file without rates: no claim would bear interest.
    """
    rates: dict[date, int] = {}
    for line, row in _rows(path, ("fra_dato", "sats")):
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,2})?", row["sats"]):
            raise ReferenceFileError(f"{path.name} line {line}: sats must be percent with at most two decimals")
        try:
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", row["fra_dato"]):
                raise ValueError
            day = date.fromisoformat(row["fra_dato"])
        except ValueError as error:
            raise ReferenceFileError(f"{path.name} line {line}: fra_dato must be YYYY-MM-DD") from error
        if day in rates:
            raise ReferenceFileError(f"{path.name} line {line}: fra_dato {day} stands twice")
        whole, _, decimals = row["sats"].partition(".")
        rates[day] = int(whole) * 100 + int(decimals.ljust(2, "0"))
    if not rates:
        raise ReferenceFileError(f"{path.name} has no rates")
    return pl.DataFrame(
        {"fra_dato": list(rates), "sats": list(rates.values())},
        schema={"fra_dato": pl.Date, "sats": pl.Int64},
    ).sort("fra_dato")


def read_kravtyper(path: Path = KRAVTYPER) -> pl.DataFrame:
    """Kravtyper as ``KRAVTYPER_SCHEMA``, from the project's CSV form or the published XML code list.

    The XML gives the first three columns; ``renteberegnes`` is then that of the project's own table,
    and true for a kravtype that it doesn't have. Raises ``ReferenceFileError``.
    """
    if path.suffix == ".xml":
        return _read_codelist(path)
    flags = {"true": True, "false": False}
    kravtyper = []
    for line, row in _rows(path, tuple(KRAVTYPER_SCHEMA)):
        if row["renteberegnes"] not in flags:
            raise ReferenceFileError(f"{path.name} line {line}: renteberegnes must be true or false")
        kravtyper.append({**row, "renteberegnes": flags[row["renteberegnes"]]})
    return _checked(path, kravtyper)


def _read_codelist(path: Path) -> pl.DataFrame:
    own = read_kravtyper()
    interest = dict(zip(own["kravtype"], own["renteberegnes"], strict=True))
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - a file that the operator names, not input
    except (ET.ParseError, OSError) as error:
        raise ReferenceFileError(f"{path.name} is not a readable XML code list") from error
    except (LookupError, ValueError) as error:  # expat knows few encodings, and asks Python's codecs for the others
        raise ReferenceFileError(f"{path.name} is in an encoding that cannot be read: write it in UTF-8") from error

    def text(kode: ET.Element, *steps: str) -> str:
        return kode.findtext("/".join(_CODELIST + step for step in steps)) or ""

    codes = root.findall(_CODELIST + "kode")
    if root.tag != _CODELIST + "kodeliste" or not codes:
        raise ReferenceFileError(f"{path.name} is not a code list: its root must be kodeliste, with at least one kode")
    return _checked(
        path,
        [
            {
                "kravtype": (kravtype := text(kode, "tekniskNavn")),
                "tekst": text(kode, "beskrivelse", "spraakTekst", "tekst"),
                "kravgruppe": text(kode, "kodetillegg", "kravgruppe"),
                "renteberegnes": interest.get(kravtype, True),
            }
            for kode in codes
        ],
    )


def _checked(path: Path, rows: list[dict[str, object]]) -> pl.DataFrame:
    """As a frame, empty texts null; each kravtype named once, or posts would be counted twice."""
    if not rows:
        raise ReferenceFileError(f"{path.name} has no kravtyper")
    kravtyper = pl.DataFrame(rows, schema=KRAVTYPER_SCHEMA)
    kravtyper = kravtyper.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)))
    if kravtyper["kravtype"].null_count() or kravtyper["kravtype"].is_duplicated().any():
        raise ReferenceFileError(f"{path.name}: a kravtype is missing, or stands twice")
    return kravtyper


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = tuple(reader.fieldnames or ())
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReferenceFileError(f"{path.name} is not a readable CSV file in UTF-8") from error
    if header != columns:
        raise ReferenceFileError(f"{path.name}: the columns must be {','.join(columns)}")
    for line, row in rows:
        if None in row or None in row.values():
            raise ReferenceFileError(f"{path.name} line {line}: it has not {len(columns)} fields")
    return rows
