"""Level 2, values and doubled keys: each row that is refused, and why; its neighbours are not."""

import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.snapshot import TableReceipt
from schemas.tables import PART, TABLES
from tests.accept.accepting import COMPANY, LEDGER, OTHER, OWNER, put
from tests.plain.numbers import national_number, organisation_number, with_wrong_check_digit
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering
from transforms.accept.values import check_values, valid_number

EXACT = {
    "part": part(COMPANY, "ENK", OWNER),
    "krav": krav("K", COMPANY, "1.00"),
    "kravforfall": kravforfall("F", "K", "1.00", "2023-02-15"),
    "innbetaling": innbetaling("I", COMPANY, "1.00"),
    "plassering": plassering("P", "INNBETALING", "F", "I", "1.00"),
}


def as_text(value):
    return value if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def check(table, *rows):
    """The rows as text, checked."""
    names = [*TABLES[table].names, *(["slettet"] if "slettet" in rows[0] else [])]
    texts = {name: [as_text(row.get(name)) for row in rows] for name in names}
    raw = pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String))
    return check_values(raw, TABLES[table], 1)


def codes(table, **cells):
    """Why a row that is right but for these cells is refused."""
    checked = check(table, EXACT[table] | cells)
    return checked.refused["koder"].to_list()[0] if checked.refused.height else []


REFUSED = [
    ("krav", {"kravidentifikator": None}, "L2-VALUE-NULL"),
    ("krav", {"part": None}, "L2-VALUE-NULL"),
    ("krav", {"kravtype": None}, "L2-VALUE-NULL"),
    ("krav", {"opprinnelig_beloep": None}, "L2-VALUE-NULL"),
    ("kravforfall", {"utsatt_iverksettelse": None}, "L2-VALUE-NULL"),
    ("part", {"parttype": None}, "L2-VALUE-NULL"),
    ("krav", {"kravidentifikator": "x" * 65}, "L2-VALUE-LENGTH"),
    ("krav", {"kravtype": "ø" * 65}, "L2-VALUE-LENGTH"),
    ("plassering", {"motpost": "x" * 65}, "L2-VALUE-LENGTH"),
    ("part", {"part": with_wrong_check_digit(COMPANY)}, "L2-VALUE-NUMBER"),
    ("part", {"part": COMPANY[:8]}, "L2-VALUE-NUMBER"),
    ("part", {"part": " " + COMPANY}, "L2-VALUE-NUMBER"),
    ("part", {"part": "١٢٣٤٥٦٧٨٩"}, "L2-VALUE-NUMBER"),
    ("part", {"part": COMPANY + "\n"}, "L2-VALUE-NUMBER"),
    ("part", {"part": OWNER}, "L2-VALUE-NUMBER"),  # eleven digits for an ENK
    ("part", {"parttype": "PERSON", "innehaver": None}, "L2-VALUE-NUMBER"),  # nine for a person
    ("part", {"innehaver": with_wrong_check_digit(OWNER)}, "L2-VALUE-NUMBER"),
    ("part", {"innehaver": OTHER}, "L2-VALUE-NUMBER"),
    ("part", {"innehaver": None}, "L2-VALUE-INNEHAVER"),
    ("part", {"parttype": "VIRKSOMHET"}, "L2-VALUE-INNEHAVER"),
    ("part", {"parttype": "enk"}, "L2-VALUE-CODE"),
    ("plassering", {"plasseringstype": "GAVE"}, "L2-VALUE-CODE"),
    *(("krav", {"opprettelsesdato": text}, "L2-VALUE-DATE") for text in (
        "2023-02-29", "2023-13-01", "2023-00-10", "0000-01-01", "10000-01-01", "2023-1-1", "20230101",
        "01.02.2023", "2023-01-01 ", "2023-01-01T00:00:00", "-001-01-01", "２０２３-01-01", "NaT",
    )),
    ("krav", {"periode_slutt": "2023-02-30"}, "L2-VALUE-DATE"),
    *(("krav", {"opprinnelig_beloep": text}, "L2-VALUE-AMOUNT") for text in (
        "12345678901234567", "1.234", "1.", ".5", "+1", "1e3", "1,00", "1 000", " 1", "1\n", "--1", "-",
        "NaN", "inf", "0x1", "١", "1.00-",
    )),
    ("innbetaling", {"innbetalt_beloep": "0.00"}, "L2-VALUE-POSITIVE"),
    ("innbetaling", {"innbetalt_beloep": "-0"}, "L2-VALUE-POSITIVE"),
    ("plassering", {"plassert_beloep": "-0.01"}, "L2-VALUE-POSITIVE"),
    *(("kravforfall", {"utsatt_iverksettelse": text}, "L2-VALUE-FLAG") for text in (
        "True", "TRUE", "1", "ja", "true ",
    )),
    ("krav", {"slettet": "yes"}, "L2-VALUE-FLAG"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "cells", "code"), REFUSED)
def test_a_value_that_is_not_valid(table, cells, code):
    assert codes(table, **cells) == [code]


ACCEPTED = [
    *(("krav", {"opprinnelig_beloep": text}) for text in ("0", "-0", "-0.00", "007", "1.5", "-1.05")),
    ("krav", {"kravidentifikator": "\x00\x1b\u202e" + "ø" * 61}),
    ("krav", {"kravidentifikator": "𝔘" * 64}),
    ("krav", {"part": "not a number, but it is only looked up"}),
    (
        "krav",
        {"opprettelsesdato": "0001-01-01", "periode_start": "9999-12-31", "periode_slutt": "2024-02-29"},
    ),
    ("part", {"parttype": "VIRKSOMHET", "innehaver": None}),
    ("part", {"part": OWNER, "parttype": "PERSON", "innehaver": None}),
    ("krav", {"slettet": "false"}),
    ("krav", {"slettet": None}),
]


@pytest.mark.parametrize(("table", "cells"), ACCEPTED)
def test_a_value_that_is_valid(table, cells):
    assert codes(table, **cells) == []


def test_a_key_that_is_too_long_beside_one_that_is_not():
    checked = check("krav", EXACT["krav"], EXACT["krav"] | {"part": "x" * 65})
    assert checked.refused["rad"].to_list() == [2]


def test_all_reasons_of_a_row_each_once():
    cells = {"kravtype": None, "part": None, "opprettelsesdato": "today", "periode_start": "then"}
    assert codes("krav", **cells, opprinnelig_beloep="a lot") == [
        "L2-VALUE-NULL",
        "L2-VALUE-DATE",
        "L2-VALUE-AMOUNT",
    ]


def test_amounts_are_exact_to_the_last_oere():
    amounts = {
        "9999999999999999.99": 999999999999999999,
        "-9999999999999999.99": -999999999999999999,
        "0.1": 10,
        "-0.07": -7,
        "90071992547409.93": 9007199254740993,  # not a floating-point number
    }
    rows = [EXACT["krav"] | {"opprinnelig_beloep": amount} for amount in amounts]
    checked = check("krav", *rows)
    assert checked.typed["opprinnelig_beloep"].to_list() == list(amounts.values())
    assert checked.oere == sum(amounts.values())


def test_a_sum_beyond_64_bits():
    checked = check("krav", *[EXACT["krav"] | {"opprinnelig_beloep": "9" * 16}] * 20)
    assert checked.oere == 20 * int("9" * 16 + "00")


def test_an_amount_that_is_not_one_counts_nothing():
    amounts = ("1.00", "many", None, "2.00")
    assert check("krav", *[EXACT["krav"] | {"opprinnelig_beloep": text} for text in amounts]).oere == 300


def test_rows_are_numbered_from_the_first():
    checked = check("krav", EXACT["krav"], EXACT["krav"] | {"part": None}, EXACT["krav"])
    assert (checked.typed["rad"].to_list(), checked.refused["rad"].to_list()) == ([1, 3], [2])


def test_numbers_by_their_check_digits():
    good = [organisation_number(n) for n in range(50)] + [national_number(n) for n in range(50)]
    others = [number[:-1] + digit for number in good for digit in "0123456789"]
    assert valid_number(pl.Series([*good, None])).to_list() == [True] * 100 + [None]
    assert valid_number(pl.Series(others)).sum() == 100


def test_all_zeros_are_no_number_though_they_check():
    assert valid_number(pl.Series(["0" * 9, "0" * 11])).to_list() == [False, False]


# removals


def removal(key, **cells):
    return {"kravidentifikator": key, "slettet": "true", **cells}


def test_of_a_removal_only_the_key_counts():
    nonsense = {"opprettelsesdato": "never", "opprinnelig_beloep": "all", "kravtype": "x" * 99}
    checked = check("krav", removal("K", **nonsense), removal("K2", opprinnelig_beloep="7.00"))
    assert checked.typed["kravidentifikator"].to_list() == ["K", "K2"]
    assert checked.typed["slettet"].to_list() == [True, True]
    assert checked.oere == 700  # counts in kontrollsum all the same


def test_accounts_that_fail_are_not_counted_in_removals(place):
    place.deliver(1)
    row = kravforfall("F8", "K1", "1.00", "2023-02-15", kontonummer="15030000001")
    place.deliver(2, "endring", {"kravforfall": [row, row | {"kravforfallsidentifikator": "F9", "slettet": True}]})
    receipt = place.night().used["mva"][1].receipt["kravforfall"]
    assert receipt.failing == {"R-KONTONUMMER kontonummer": 1}


def test_a_removal_without_key():
    assert check("krav", removal(None)).refused["koder"].to_list() == [["L2-VALUE-NULL"]]


def test_a_removal_of_a_part_needs_no_check_digits():
    checked = check("part", {"part": "123", "parttype": "?", "innehaver": "1", "slettet": "true"})
    assert checked.typed.height == 1
    assert PART.key == "part"


# Parquet's own types


def test_parquet_dates_far_away(place):
    days = [2932896, 2932897, -719162, -719163, 2**31 - 1, -(2**31)]  # 9999-12-31 and 0001-01-01 are good
    rows = [krav(f"K{n}", COMPANY, 1) for n in range(len(days))]
    folder = place.deliver(tables={"krav": rows}, format="parquet")
    table = pq.read_table(folder / "krav-1.parquet")
    column = table.schema.get_field_index("opprettelsesdato")
    table = table.set_column(column, "opprettelsesdato", pa.array(days, pa.int32()).cast(pa.date32()))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    put(folder, "krav-1.parquet", sink.getvalue())
    assert [row["kravidentifikator"] for row in place.rows("krav")] == ["K0", "K2"]
    assert {codes[0] for _, _, codes in place.refused_rows()} == {"L2-VALUE-DATE"}


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_refused_rows_lead_to_their_parts(place, format):
    rows = [plassering("P1", "GAVE", "F1", "I1", "5.00"), plassering("P2", "MOTKRAV", "F1", "F2", "5.00")]
    place.deliver(tables={"plassering": rows}, format=format)
    folder = place.deliveries / place.night().used["mva"][0].folder
    assert pl.read_parquet(folder / "refused.parquet").to_dicts() == [
        {
            "tabell": "plassering",
            "noekkel": "P1",
            "fil": 0,
            "rad": 1,
            "koder": ["L2-VALUE-CODE"],
            "part": None,
            "kravidentifikator": None,
            "kravforfallsidentifikator": "F1",
            "motpost": "I1",
            "slettet": False,
            "beloep": 500,
        }
    ]


def test_refused_rows_have_their_amounts_if_they_are_well_formed(place):
    removed = innbetaling("I4", "no number", "4.00") | {"slettet": True}
    good = [row | {"slettet": None} for row in (innbetaling("I1", COMPANY, 1), innbetaling("I1", COMPANY, "2.00"))]
    bad = [innbetaling("I2", COMPANY, "0"), innbetaling("I3", COMPANY, 3) | {"innbetalt_beloep": "3,00"}]
    place.deliver(nr=1, tables={"part": [part("123")]})
    rows = [*good, *(row | {"slettet": None} for row in bad), removed, removed]
    place.deliver(nr=2, type="endring", tables={"innbetaling": rows})
    one, two = (
        pl.read_parquet(place.deliveries / used.folder / "refused.parquet") for used in place.night().used["mva"]
    )
    assert one["beloep"].to_list() == [None]  # of a part
    by_key = dict(two.sort("fil", "rad").select("noekkel", "beloep").rows())
    assert by_key == {"I1": 200, "I2": 0, "I3": None, "I4": None}


# a key in two rows of one delivery


@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize("split", [1, 3])
def test_a_doubled_key_refuses_both(place, format, split):
    same, other = krav("K1", COMPANY, 1), krav("K1", COMPANY, 2)
    place.deliver(tables={"krav": [same, krav("K2", COMPANY, 1), other]}, format=format, split=split)
    assert [row["kravidentifikator"] for row in place.rows("krav")] == ["K2"]
    assert place.refused_rows() == [("krav", "K1", ["L2-KEY-TWICE"])] * 2


def test_refused_rows_of_many_batches_and_files_are_all_kept(place, monkeypatch):
    """They are written as they come, and a key that is doubled is found among refused and good rows alike."""
    monkeypatch.setattr("transforms.accept.csv_pieces.CSV_BLOCK_BYTES", 1 << 16)
    bad = [krav(f"K{n}", COMPANY, 1) | {"kravtype": None} for n in range(5_000)]
    place.deliver(tables={"krav": [*bad, krav("K7", COMPANY, 1), krav("good", COMPANY, 1)]}, split=3)
    assert [row["kravidentifikator"] for row in place.rows("krav")] == ["good"]
    refused = {}
    for _, key, codes in place.refused_rows():
        refused.setdefault(key, []).append(codes)
    assert refused.pop("K7") == [["L2-KEY-TWICE"], ["L2-VALUE-NULL", "L2-KEY-TWICE"]]
    assert list(refused.values()) == [[["L2-VALUE-NULL"]]] * 4_999
    folder = place.deliveries / place.night().used["mva"][-1].folder
    assert {path.name for path in folder.iterdir()} == {"krav", "manifest.json", "receipt.json", "refused.parquet"}


def test_a_doubled_key_with_the_same_content(place):
    place.deliver(tables={"krav": [krav("K1", COMPANY, 1)] * 3})
    assert place.rows("krav") == []
    assert place.refused_rows() == [("krav", "K1", ["L2-KEY-TWICE"])] * 3


def test_a_doubled_key_of_which_values_refused_one(place):
    bad = krav("K1", COMPANY, 1) | {"kravtype": None}
    place.deliver(tables={"krav": [bad, krav("K1", COMPANY, 1)]})
    assert place.rows("krav") == []
    assert place.refused_rows() == [
        ("krav", "K1", ["L2-KEY-TWICE"]),
        ("krav", "K1", ["L2-VALUE-NULL", "L2-KEY-TWICE"]),
    ]


def test_a_removal_and_a_row_of_one_key(place):
    place.deliver(1)
    gone = krav("K1", COMPANY, 1) | {"slettet": True}
    place.deliver(2, "endring", {"krav": [gone, krav("K1", COMPANY, 1), gone | {"kravidentifikator": "K2"}]})
    assert [(row["kravidentifikator"], row["slettet"]) for row in place.rows("krav")] == [("K2", True)]
    assert place.refused_rows() == [("krav", "K1", ["L2-KEY-TWICE"])] * 2
    receipt = place.night().used["mva"][1].receipt["krav"]
    assert receipt == TableReceipt(rader=3, refused=2, removed=1, oere=300, failing={})  # each row counted once


def test_one_key_in_two_tables_or_without_a_key_is_not_doubled(place):
    place.deliver(tables={**LEDGER, "krav": [krav("F1", COMPANY, 1)] + [krav(None, COMPANY, 1)] * 2})
    assert place.refused_rows() == [("krav", None, ["L2-VALUE-NULL"])] * 2
