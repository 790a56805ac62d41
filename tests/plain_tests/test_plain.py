"""The plain reading against published figures and small hand-reckoned account statements."""

import json
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings

from tests.plain.balances import Kravtype, Ledger, rate_days
from tests.plain.jsontext import json_text
from tests.plain.ledger import InvalidPeriodError, check_period, documents, part_documents, window
from tests.plain.numbers import national_number, organisation_number
from tests.plain.shapes import masked
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.strategies import KRAVTYPER, RATES, SNAPSHOT_DATE, good_ledgers

pytestmark = pytest.mark.slow

S = date(2023, 8, 28)
A, B, ENK = organisation_number(1), organisation_number(2), organisation_number(3)
OWNER = national_number(1)


def shown(ledger, for_part=A, kind="oversikt", snapshot_date=S):
    text = documents(ledger, snapshot_date, RATES, KRAVTYPER)[for_part][kind]
    return json.loads(text, parse_float=Decimal)


def one_krav(amount, day, **said):
    return rows(part(A), krav("K", A, amount, **said), kravforfall("F", "K", amount, day))


# interest


def test_published_interest():
    total = shown(one_krav("61244.00", "2022-04-11"))["totalOversikt"]
    assert total["stipulerteRenter"] == 8424
    assert total["saldo"] == Decimal("69668.00")


def test_published_overview_totals():
    """161 467 overdue + 62 500 not yet + 19 124 interest + 0 unplaced = 243 091."""
    ledger = rows(
        part(A),
        krav("K1", A, 161467),
        krav("K2", A, 62500),
        kravforfall("F1", "K1", 161467, S - timedelta(days=373)),
        kravforfall("F2", "K2", 62500, S),
    )
    rates = [(date(2022, 6, 1), Decimal("11.59"))]
    text = documents(ledger, S, rates, KRAVTYPER)[A]["oversikt"]
    assert '"totalOversikt":{"stipulerteRenter":19124.00,"forfalteKrav":161467.00,' in text
    assert '"ikkeForfalteKrav":62500.00,"uplasserteInnbetalinger":0.00,"saldo":243091.00}' in text


@pytest.mark.parametrize(
    ("amount", "day", "kravtype", "expected"),
    [
        (-61244, "2022-04-11", "Skatt", 0),  # a credit
        (61244, "2023-08-28", "Skatt", 0),  # due on the day itself
        (61244, "2023-08-27", "Skatt", 0),  # one day: 19.72, under 50
        ("155320.20", "2023-08-27", "Skatt", 50),  # one day: 50.0003
        ("155319.10", "2023-08-27", "Skatt", 0),  # one day: 49.99998
        (61244, "2022-04-11", "Forsinkelsesrente", 0),
        (61244, "2022-04-11", "never heard of", 8424),
        (100, "1993-01-01", "Skatt", 302),  # 302.8; the days before 1994 bear none
    ],
)
def test_what_bears_interest(amount, day, kravtype, expected):
    assert shown(one_krav(amount, day, kravtype=kravtype))["totalOversikt"]["stipulerteRenter"] == expected


def test_rate_days_day_by_day():
    for after, through in ((date(2021, 12, 30), S), (date(1993, 12, 1), date(1994, 1, 3)), (S, S)):
        counted = Fraction(0)
        for offset in range(1, (through - after).days + 1):
            known = [rate for start, rate in RATES if start <= after + timedelta(days=offset)]
            counted += Fraction(known[-1]) if known else 0
        assert rate_days(RATES, after, through) == counted


# signs, motkrav, payouts, unplaced payments


STATEMENT = rows(
    part(A),
    part(B),
    krav("D", A, "1000", kravbeskrivelse="Restskatt", periode_start="2022-01-01"),
    kravforfall("D1", "D", "600", "2023-09-01", kidnummer="123"),
    kravforfall("D2", "D", "400", "2023-10-01"),
    krav("C", B, "-500", kravtype="Mva"),
    kravforfall("C1", "C", "-500", "2023-09-01"),
    innbetaling("I", B, "700", "2023-02-01", fra_kontonummer="97101123456", fra_iban="NO9386011117947"),
    utbetaling("U", B, "150", "2023-03-01", til_kontonummer="97101123456"),
    plassering("P1", "INNBETALING", "D1", "I", "600", "2023-02-02"),
    plassering("P2", "MOTKRAV", "D2", "C1", "300", "2023-02-03"),
    plassering("P3", "UTBETALING", "C1", "U", "150", "2023-03-01"),
)


def test_debit_side():
    oversikt = shown(STATEMENT, A)
    (found,) = oversikt["aapentKravMedGjenstaaendeBeloep"]
    first, second = found["kravforfall"]
    assert (found["opprinneligBeloep"], found["gjenstaaendeBeloep"]) == (1000, 100)
    assert first["plassertInnbetaling"] == [
        {
            "innbetalingsidentifikator": "I",
            "innbetalingsdato": "2023-02-01T00:00:00.000Z",
            "innbetaltBeloep": -700,
            "betaltFra": {"konto": {"kontonummer": "******23456"}},
            "plassertBeloep": -600,
            "plasseringsdato": "2023-02-02T00:00:00.000Z",
        }
    ]
    assert first["gjenstaaendeBeloep"] == 0
    assert second["plassertMotkrav"] == [
        {
            "motkravBeskrivelse": "Merverdiavgift",
            "motkravForfallsIdentifikator": "C1",
            "motkravForfallsdato": "2023-09-01T00:00:00.000Z",
            "plassertBeloep": -300,
            "plasseringsdato": "2023-02-03T00:00:00.000Z",
        }
    ]
    assert second["gjenstaaendeBeloep"] == 100
    assert oversikt["totalOversikt"]["ikkeForfalteKrav"] == 100


def test_credit_side():
    oversikt = shown(STATEMENT, B)
    (found,) = oversikt["aapentKravMedGjenstaaendeBeloep"]
    (due,) = found["kravforfall"]
    (motkrav,) = due["plassertMotkrav"]
    assert (motkrav["motkravBeskrivelse"], motkrav["motkravForfallsIdentifikator"]) == ("Restskatt", "D2")
    assert motkrav["plassertBeloep"] == 300
    assert due["gjenstaaendeBeloep"] == -50  # -500 + 300 to the debit + 150 paid out, which is not listed
    assert oversikt["totalOversikt"] == {
        "stipulerteRenter": 0,
        "forfalteKrav": 0,
        "ikkeForfalteKrav": -50,
        "uplasserteInnbetalinger": -100,
        "saldo": -150,
    }
    assert [group["kravgruppe"] for group in oversikt["oversiktPerKravgruppe"]] == ["Merverdiavgift"]


def test_payment_and_payout():
    (payment,) = shown(STATEMENT, B, "innbetalinger")["innbetaling"]
    assert (payment["innbetaltBeloep"], payment["uplassertBeloep"]) == (-700, -100)
    assert payment["plassertInnbetalingMotKrav"] == [
        {
            "dekketKrav": "Restskatt",
            "kravperiode": {"start": "2022-01-01T00:00:00.000Z"},
            "kravforfallIdentifikator": "D1",
            "plassertBeloep": 600,
            "plasseringsdato": "2023-02-02T00:00:00.000Z",
        }
    ]
    (payout,) = shown(STATEMENT, B, "utbetalinger")["utbetaling"]
    assert payout["utbetaltBeloep"] == 150
    assert payout["betaltTil"] == {"konto": {"kontonummer": "97101123456"}}
    assert payout["grunnlagForUtbetaling"] == [
        {
            "dekketKrav": "Merverdiavgift",
            "kravIdentifikator": "C",
            "kravtype": "Mva",
            "kravperiode": {},
            "opprinneligBeloep": -500,
            "gjenstaaendeBeloep": -50,
        }
    ]


def test_settled_krav_is_only_in_the_history():
    settled = rows(
        *(part(A), krav("K", A, 10), kravforfall("F", "K", 10, "2022-01-01"), innbetaling("I", A, 10)),
        plassering("P", "INNBETALING", "F", "I", 10),
    )
    oversikt = shown(settled)
    assert oversikt["aapentKravMedGjenstaaendeBeloep"] == oversikt["innbetalingMedUplassertBeloep"] == []
    assert oversikt["oversiktPerKravgruppe"] == []
    assert [row["kravidentifikator"] for row in shown(settled, kind="krav")["krav"]] == ["K"]


def test_enk_shows_its_owners_posts_too_but_not_the_other_way_about():
    ledger = rows(
        *(part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
        *(krav("K1", ENK, 10), kravforfall("F1", "K1", 10, "2024-01-01")),
        *(krav("K2", OWNER, 5), kravforfall("F2", "K2", 5, "2022-12-01"), innbetaling("I", OWNER, 3)),
    )
    enk, owner = shown(ledger, ENK), shown(ledger, OWNER)
    assert enk["forespurtPart"] == ENK
    assert [row["part"] for row in enk["aapentKravMedGjenstaaendeBeloep"]] == [ENK, OWNER]
    assert (enk["totalOversikt"]["saldo"], owner["totalOversikt"]["saldo"]) == (12, 2)
    assert [row["part"] for row in owner["aapentKravMedGjenstaaendeBeloep"]] == [OWNER]


def test_texts_fall_back_on_the_reference_data():
    kravtyper = {"T": Kravtype("Teksten", "Gruppen", True), "U": Kravtype(None, None, True)}
    ledger = Ledger(
        rows(
            krav("1", A, 0, kravtype="T"),
            krav("2", A, 0, kravtype="U"),
            krav("3", A, 0, kravtype="V"),
            krav("4", A, 0, kravtype="T", kravbeskrivelse="Egen", kravgruppe="Egen gruppe"),
        ),
        *(S, RATES, kravtyper),
    )
    found = [(ledger.kravbeskrivelse(row), ledger.kravgruppe(row)) for row in ledger.krav.values()]
    assert found == [
        *(("Teksten", "Gruppen"), ("U", "Andre krav"), ("V", "Andre krav"), ("Egen", "Egen gruppe")),
    ]


# text


def test_a_whole_document_to_the_byte():
    ledger = rows(part(A), krav("K/æ", A, 0), kravforfall('"\n\x01', "K/æ", "-0", "2023-01-02"))
    assert documents(ledger, S, RATES, KRAVTYPER)[A]["krav"] == (
        f'{{"forespurtPart":"{A}","krav":[{{"part":"{A}","kravidentifikator":"K/æ",'
        '"kravbeskrivelse":"Restskatt – «skatt»","opprettelsesdatoForKrav":"2023-01-01T00:00:00.000Z",'
        '"kravforfall":[{"kravforfallsIdentifikator":"\\"\\n\\u0001","forfallsdato":"2023-01-02T00:00:00.000Z",'
        '"opprinneligBeloep":0.00,"plassertInnbetaling":[],"plassertMotkrav":[],"gjenstaaendeBeloep":0.00,'
        '"betalingsinformasjon":{"konto":{}},"utsattIverksettelse":false}],"opprinneligBeloep":0.00,'
        '"gjenstaaendeBeloep":0.00,"stipulerteRenter":0.00,"kravtype":"Skatt","kravgruppe":"Skatt"}]}'
    )


def test_amounts():
    texts = [json_text(Decimal(text)) for text in ("61244", "-0", "-0.5", "9999999999999999.99", "1E+3")]
    assert texts == ["61244.00", "0.00", "-0.50", "9999999999999999.99", "1000.00"]


def test_masking():
    assert [masked(text) for text in (None, "", "12345", "123456", "97101123456")] == [
        *(None, "", "12345", "*23456", "******23456")
    ]


# windows


@pytest.mark.parametrize(
    ("first", "last", "allowed"),
    [
        ("2023-01-01", "2024-01-01", True),
        ("2023-01-01", "2024-01-02", False),
        ("2024-02-29", "2025-02-28", True),
        ("2024-02-29", "2025-03-01", False),
        ("2023-02-28", "2024-02-28", True),
        ("2023-02-28", "2024-02-29", False),
        ("2023-01-01", "2023-01-01", True),
        ("2023-01-02", "2023-01-01", False),
        ("9999-06-01", "9999-12-31", True),
    ],
)
def test_longest_period(first, last, allowed):
    period = date.fromisoformat(first), date.fromisoformat(last)
    if allowed:
        check_period(*period)
    else:
        with pytest.raises(InvalidPeriodError):
            check_period(*period)


def test_window_holds_both_its_days():
    days = ["2023-01-01", "2023-01-02", "2023-01-31", "2023-02-01"]
    paid = [innbetaling(f"I{index}", A, 1, day) for index, day in enumerate(days)]
    built = part_documents(rows(part(A), *paid), S, RATES, KRAVTYPER)[A]
    text = window(built, "innbetalinger", date(2023, 1, 2), date(2023, 1, 31))
    assert text is not None
    assert text.startswith(
        f'{{"forespurtPart":"{A}","periode":{{"start":"2023-01-02T00:00:00.000Z",'
        '"slutt":"2023-01-31T00:00:00.000Z"},"innbetaling":[{"part"'
    )
    assert [row["innbetalingsIdentifikator"] for row in json.loads(text)["innbetaling"]] == ["I1", "I2"]
    assert window(built, "innbetalinger", date(2022, 1, 2), date(2022, 12, 31)) is None


# laws


@settings(max_examples=30, deadline=None)
@given(good_ledgers())
def test_remaining_is_original_and_placed_in_every_document(ledger):
    for texts in documents(ledger, SNAPSHOT_DATE, RATES, KRAVTYPER).values():
        found = {kind: json.loads(text, parse_float=Decimal) for kind, text in texts.items()}
        for row in found["krav"]["krav"]:
            assert row["opprinneligBeloep"] == sum(due["opprinneligBeloep"] for due in row["kravforfall"])
            assert row["gjenstaaendeBeloep"] == sum(due["gjenstaaendeBeloep"] for due in row["kravforfall"])
            for due in row["kravforfall"]:
                check_due_date(due)
        for row in found["innbetalinger"]["innbetaling"]:
            placed = sum(entry["plassertBeloep"] for entry in row["plassertInnbetalingMotKrav"])
            assert row["uplassertBeloep"] == row["innbetaltBeloep"] + placed <= 0
        check_totals(found["oversikt"])


def check_due_date(due):
    placed = [row["plassertBeloep"] for row in due["plassertInnbetaling"] + due["plassertMotkrav"]]
    left = due["opprinneligBeloep"] + sum(placed)
    if due["opprinneligBeloep"] >= 0:
        assert all(amount < 0 for amount in placed)
        assert due["gjenstaaendeBeloep"] == left >= 0
    else:  # payouts are not listed
        assert all(amount > 0 for amount in placed)
        assert left <= due["gjenstaaendeBeloep"] <= 0


def check_totals(oversikt):
    total, groups = oversikt["totalOversikt"], oversikt["oversiktPerKravgruppe"]
    unplaced = sum(row["uplassertBeloep"] for row in oversikt["innbetalingMedUplassertBeloep"])
    assert total["uplasserteInnbetalinger"] == unplaced
    assert total["saldo"] == sum(group["saldo"] for group in groups) + unplaced
    listed = oversikt["aapentKravMedGjenstaaendeBeloep"]
    assert total["stipulerteRenter"] == sum(row["stipulerteRenter"] for row in listed)
    assert total["forfalteKrav"] + total["ikkeForfalteKrav"] == sum(row["gjenstaaendeBeloep"] for row in listed)
    assert {group["kravgruppe"] for group in groups} == {row["kravgruppe"] for row in listed}
