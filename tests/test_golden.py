"""Small account statements and the documents that they must become, byte for byte.

The documents in ``golden/`` were written by hand from CONTRACT sections 3 and 4. S is 2023-08-28, and the
rates and kravtyper are those of ``data/reference``: 61 244.00 due 2022-04-11 has borne 8 424 by then.
"""

from datetime import date
from pathlib import Path

import pytest

from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import FORMATS, write_delivery

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"
S = date(2023, 8, 28)
A, B, ENK = organisation_number(1), organisation_number(2), organisation_number(3)
OWNER = national_number(1)

TO_THE_STATE = {"kontoeiers_navn": "Skatteinnkreving", "kontonummer": "76940510042"}

PARTIAL_PAYMENT = rows(
    part(A),
    krav(
        "K1",
        A,
        "70000.00",
        kravtype="Merverdiavgift",
        kravbeskrivelse="Merverdiavgift 1. termin 2022",
        opprettelsesdato="2022-03-10",
        kravperiode="1. termin 2022",
        periode_start="2022-01-01",
        periode_slutt="2022-02-28",
    ),
    kravforfall("F1", "K1", "70000.00", "2022-04-11", kidnummer="1234567897", **TO_THE_STATE),
    innbetaling(
        "I1",
        A,
        "8756.00",
        "2022-04-12",
        fra_kidnummer="1234567897",
        fra_kontoeiers_navn="Bakeriet AS",
        fra_kontonummer="15030012345",
        til_kontonummer="76940510042",
    ),
    plassering("P1", "INNBETALING", "F1", "I1", "8756.00", "2022-04-13"),
)

MOTKRAV = rows(
    part(A),
    part(B),
    krav("D", A, "1000.00", kravbeskrivelse="Restskatt 2022", opprettelsesdato="2023-06-01"),
    kravforfall("D1", "D", "600.00", "2023-08-28"),  # due on S itself: not overdue
    kravforfall("D2", "D", "400.00", "2023-08-27"),  # one day: too little interest to count
    krav("C", B, "-500.50", kravbeskrivelse="Merverdiavgift tilgode", opprettelsesdato="2023-05-01"),
    kravforfall("C1", "C", "-500.50", "2023-05-15"),
    plassering("P2", "MOTKRAV", "D1", "C1", "150.25", "2023-06-02"),
    plassering("P1", "MOTKRAV", "D2", "C1", "100.00", "2023-06-02"),
)

PAYOUT = rows(
    part(A),
    krav(
        "C",
        A,
        "-1200.00",
        kravtype="Merverdiavgift tilgode",
        opprettelsesdato="2023-03-01",
        periode_start="2023-01-01",
        periode_slutt="2023-02-28",
    ),
    kravforfall("C1", "C", "-1000.00", "2023-03-21"),
    kravforfall("C2", "C", "-200.00", "2023-04-21"),
    krav("B", A, "-50.00", kravtype="Fors.rente kredit", opprettelsesdato="2023-03-01"),
    kravforfall("B1", "B", "-50.00", "2023-03-21"),
    utbetaling(
        "U1",
        A,
        "1100.00",
        "2023-03-22",
        utbetalingsbeskrivelse="Merverdiavgift til gode",
        til_kidnummer="99",
        til_bankinformasjon="DNB",
        til_kontoeiers_navn="Bakeriet AS",
        til_kontonummer="15030012345",
        til_iban="NO9386011117947",
        til_swift_bic="DNBANOKK",
    ),
    plassering("P1", "UTBETALING", "C1", "U1", "950.00", "2023-03-22"),
    plassering("P2", "UTBETALING", "C2", "U1", "100.00", "2023-03-22"),
    plassering("P3", "UTBETALING", "B1", "U1", "50.00", "2023-03-22"),
)

SOLE_PROPRIETORSHIP = rows(
    part(ENK, "ENK", OWNER),
    part(OWNER, "PERSON"),
    krav("K1", ENK, "300.00", kravtype="Arbeidsgiveravgift", opprettelsesdato="2023-07-01"),
    kravforfall("F1", "K1", "300.00", "2023-09-15", utsatt_iverksettelse=True),
    krav("K2", OWNER, "450.00", kravtype="Forskuddsskatt", opprettelsesdato="2023-02-01"),
    kravforfall("F2", "K2", "200.00", "2023-03-15"),
    kravforfall("F3", "K2", "250.00", "2023-09-15"),
    innbetaling("I1", OWNER, "260.00", "2023-03-14"),
    plassering("P1", "INNBETALING", "F2", "I1", "200.00", "2023-03-15"),
)

UNPLACED = rows(
    part(A),
    innbetaling(
        "I2",
        A,
        "0.01",
        "2023-08-28",
        fra_kontonummer="12345",  # all but the last five characters: nothing to mask
    ),
    innbetaling(
        "I1",
        A,
        "500.00",
        "2023-08-28",
        fra_kidnummer="7",
        fra_bankinformasjon="Sparebank",
        fra_kontoeiers_navn="Kari Nordmann",
        fra_kontonummer="97101123456",
        fra_iban="NO9386011117947",
        fra_swift_bic="SPRONO22",
        til_bankinformasjon="DNB",
        til_kontoeiers_navn="Skatteinnkreving",
        til_kontonummer="76940510042",
        til_iban="NO8376940510042",
        til_swift_bic="DNBANOKK",
    ),
)

ODD_TEXTS = rows(
    part(A),
    krav(
        'K"1\\',
        A,
        "12.30",
        kravtype="a/b",
        kravbeskrivelse='Si "ja"\nog \\ så\r\tnei',
        kravgruppe="Ærlig \U0001f600 gruppe",
        kravperiode="\x01\x08\x0c\x1f\x7f",
    ),
    kravforfall(
        "F\u2028\u2029",
        'K"1\\',
        "12.30",
        "2023-08-28",
        kidnummer="</script>",
        kontoeiers_navn="  Åse Øst-Ærlig  ",
        bankinformasjon="e\u0301 er to tegn, \u00e9 er ett",
    ),
)

NOTHING_BUT_WHAT_MUST_BE = rows(
    part(A),
    krav("K", A, "0.50", kravtype="ukjent", opprettelsesdato="2022-12-31"),
    kravforfall("F", "K", "0.50", "2023-01-01"),
    innbetaling("I", A, "10.00", "2023-01-01"),
    utbetaling("U", A, "5.00", "2023-12-31"),
)

STATEMENTS = {
    "partial_payment": PARTIAL_PAYMENT,
    "motkrav": MOTKRAV,
    "payout": PAYOUT,
    "sole_proprietorship": SOLE_PROPRIETORSHIP,
    "unplaced": UNPLACED,
    "odd_texts": ODD_TEXTS,
    "nothing_but_what_must_be": NOTHING_BUT_WHAT_MUST_BE,
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_becomes_its_golden_documents(nights, name):
    """Each file is named ``<statement>.<part>.<kind>.json``; together they are all that is compared."""
    nights.inbox.mkdir()
    format = FORMATS[list(STATEMENTS).index(name) % len(FORMATS)]
    write_delivery(nights.inbox, "skatt", 1, "full", STATEMENTS[name], format=format)
    nights.publish(S)
    golden = sorted(GOLDEN.glob(f"{name}.*.json"))
    assert golden
    for path in golden:
        _, whose, kind, _ = path.name.split(".")
        made = nights.snapshot().history(kind, whose)
        assert made == path.read_bytes(), path.name


def test_no_golden_document_is_left_over():
    assert {path.name.split(".")[0] for path in GOLDEN.iterdir()} == set(STATEMENTS)
