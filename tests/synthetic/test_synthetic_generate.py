"""The deliveries as a whole: all good on every night, and the same for the same seed."""

import csv
import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from plain_books import (
    FIRST,
    NIGHTS,
    Books,
    Row,
    check,
    iban_is_valid,
    kid_is_valid,
    manifests,
    mod11_is_right,
    read_delivery,
)

from schemas.manifest import Manifest
from schemas.tables import TABLES
from synthetic.generate import generate
from synthetic.texts import ODD
from synthetic.tracks import UNKNOWN, known

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).parents[2] / "data" / "reference"


def books_after(inbox: Path, nights: int) -> Books:
    books = Books()
    for night in range(1, nights + 1):
        books.take(inbox, night)
    return books


@pytest.mark.parametrize("night", range(1, NIGHTS + 1))
def test_every_row_is_good_after_every_night(parquet_inbox: Path, night: int) -> None:
    check(books_after(parquet_inbox, night))


def test_manifests_are_as_the_contract_says(parquet_inbox: Path) -> None:
    for night, moment in ((1, "2026-11-22T23:00:00+01:00"), (3, "2026-11-24T23:00:00+01:00")):
        found = manifests(parquet_inbox, night)
        assert [manifest["kilde"] for _, manifest in found] == ["mva", "partsregister", "skatt"]
        for _, manifest in found:
            Manifest.model_validate(manifest)
            assert manifest["leveransenummer"] == night
            assert manifest["type"] == ("full" if night == 1 else "endring")
            assert manifest["uttrekkstidspunkt"] == moment


def test_summer_time_is_in_the_offset(tmp_path: Path) -> None:
    generate(tmp_path, 1, date=date(2026, 3, 30))
    assert {m["uttrekkstidspunkt"] for _, m in manifests(tmp_path, 1)} == {"2026-03-29T23:00:00+02:00"}


def test_a_table_is_left_out_some_nights(parquet_inbox: Path) -> None:
    left_out = [set(TABLES) - {"part"} - set(m["tabeller"]) for n in (2, 3) for _, m in manifests(parquet_inbox, n)]
    assert {"utbetaling"} in left_out


def files(inbox: Path) -> dict[str, str]:
    """The checksum of every file below a folder."""
    paths = (path for path in inbox.rglob("*") if path.is_file())
    return {str(path.relative_to(inbox)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_same_seed_gives_the_same_bytes(parquet_inbox: Path, tmp_path: Path) -> None:
    generate(tmp_path, 300, 5, 2, date=FIRST, chunk=160)
    again = files(tmp_path)
    assert len(again) > 15
    assert again.items() <= files(parquet_inbox).items()


def test_the_same_seed_gives_the_same_bytes_in_csv_and_another_seed_others(tmp_path: Path) -> None:
    for folder, seed in (("one", 9), ("two", 9), ("three", 10)):
        generate(tmp_path / folder, 20, seed, date=FIRST, format="csv")
    one, two, three = (files(tmp_path / folder) for folder in ("one", "two", "three"))
    assert one == two
    assert not one.items() & three.items()


def rows_of(inbox: Path) -> Iterator[tuple[str, int, str, list[Row]]]:
    for night in range(1, NIGHTS + 1):
        for folder, manifest in manifests(inbox, night):
            for table, rows in read_delivery(folder, manifest).items():
                yield manifest["kilde"], night, table, rows


def test_csv_and_parquet_say_the_same_whatever_the_chunk(parquet_inbox: Path, csv_inbox: Path) -> None:
    assert list(rows_of(parquet_inbox)) == list(rows_of(csv_inbox))
    assert len(files(csv_inbox)) < len(files(parquet_inbox))
    endings = {"".join(path.suffixes) for path in csv_inbox.rglob("*-0001*")}
    assert endings == {".csv", ".csv.gz", ".csv.zst"}


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mva" / "000002").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="already there"):
        generate(tmp_path, 10, 1, 2, date=FIRST)
    assert files(tmp_path) == {}
    with pytest.raises(ValueError, match="parts must be"):
        generate(tmp_path, 0, date=FIRST)


def test_very_few_parts(tmp_path: Path) -> None:
    generate(tmp_path, 1, 3, 2, date=FIRST)
    books = books_after(tmp_path, 2)
    check(books)
    assert len(books.table("part")) == 2


@pytest.fixture(scope="module")
def books(parquet_inbox: Path) -> Books:
    return books_after(parquet_inbox, NIGHTS)


def test_the_kinds_of_post_that_matter_are_all_there(books: Books) -> None:
    parts, krav, dues = books.table("part"), books.table("krav"), books.table("kravforfall")
    paid, placed = books.table("innbetaling"), books.table("plassering")
    assert {row["parttype"] for row in parts.values()} == {"VIRKSOMHET", "ENK", "PERSON"}
    owners = [row["innehaver"] for row in parts.values() if row["innehaver"]]
    assert len(owners) > len(set(owners)), "somebody owns several"
    assert {"INNBETALING", "MOTKRAV", "UTBETALING"} == {row["plasseringstype"] for row in placed.values()}
    assert any(row["opprinnelig_beloep"].startswith("-") for row in krav.values())
    assert any(row["utsatt_iverksettelse"] == "true" for row in dues.values())
    assert {row["kravtype"] for row in krav.values()} >= {"Forsinkelsesrente", "Fors.rente kredit"}
    assert books.removed["plassering"] > 0
    cross_source = cross_part = 0
    for key, row in placed.items():
        due = row["kravforfallsidentifikator"]
        cross_source += books.source_of("plassering", key) != books.source_of("kravforfall", due)
        owner = krav[dues[due]["kravidentifikator"]]["part"]
        cross_part += row["plasseringstype"] == "INNBETALING" and paid[row["motpost"]]["part"] != owner
    assert cross_source > 10
    assert cross_part > 10


def test_numbers_and_texts_are_as_odd_as_they_should_be(books: Books) -> None:
    dues, paid = books.table("kravforfall").values(), books.table("innbetaling").values()
    assert all(kid_is_valid(row["kidnummer"]) for row in dues if row["kidnummer"])
    assert all(iban_is_valid(row["iban"]) for row in dues if row["iban"])
    accounts = [row["fra_kontonummer"] for row in paid if row["fra_kontonummer"]]
    masked = [number for number in accounts if "*" in number]
    assert 0 < len(masked) < len(accounts) / 10
    assert all("*" in n or mod11_is_right(n, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) for n in accounts)
    names = {row["fra_kontoeiers_navn"] for row in paid} | {row["kontoeiers_navn"] for row in dues}
    assert len(names & set(ODD)) > 5
    assert None in names


def test_the_reference_data_know_the_kravtyper_but_a_few(books: Books) -> None:
    with (REFERENCE / "kravtyper.csv").open(encoding="utf-8", newline="") as file:
        table = {row["kravtype"]: row for row in csv.DictReader(file)}
    assert list(table) == sorted(table)
    assert known() <= table.keys()
    assert not set(UNKNOWN) & table.keys()
    used = {row["kravtype"] for row in books.table("krav").values()}
    assert used <= table.keys() | set(UNKNOWN)
    assert all(row["renteberegnes"] in ("true", "false") for row in table.values())
    interest = {name for name, row in table.items() if row["renteberegnes"] == "false"}
    assert {"Forsinkelsesrente", "Fors.rente kredit", "forsinkelsesrenterMva"} <= interest
    assert not interest & {"Merverdiavgift", "kildeskattRenter"}


def test_the_rates_are_in_order_and_hold_the_contracts_case() -> None:
    with (REFERENCE / "forsinkelsesrente.csv").open(encoding="utf-8", newline="") as file:
        rates = {row["fra_dato"]: row["sats"] for row in csv.DictReader(file)}
    assert list(rates) == sorted(rates)
    assert [rates[day] for day in ("2022-01-01", "2022-07-01", "2023-01-01", "2023-07-01")] == [
        "8.50", "9.25", "10.75", "11.75",
    ]  # fmt: skip
