"""The answers of ``docs/analytics.md``: those that the homes give, and those that are reckoned a second way."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from synthetic.generate import generate
from tests.analytics_page import OF_FAULTS, Question, ask, questions, shown
from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import write_delivery
from tests.second_way import SECOND_WAYS, Sample
from transforms.home.snapshot import ANALYTICS

pytestmark = pytest.mark.slow

QUESTIONS = questions()
A, B, C, D = (organisation_number(index) for index in range(1, 5))
DAY_BEFORE = date(2026, 11, 22)


def connected(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str((home / ANALYTICS).resolve()), read_only=True)


def nights_with_faults(nights: Nights) -> Nights:
    """B's krav is faulty from the first night; on the second, C's payment, and what is placed of D's. Then A has a
    new krav, and a payment of which some is placed on the old one.
    """
    mva = [
        *(part(A), part(B), part(C), part(D)),
        *(krav("KA", A, 1000), kravforfall("FA", "KA", 1000, "2026-12-10", kidnummer="1234567")),
        *(krav("KB", B, 500), kravforfall("FB", "KB", 400, "2026-12-10")),
        *(krav("KC", C, 300), kravforfall("FC", "KC", 300, "2026-12-10")),
    ]
    skatt = [krav("KD", D, 200), kravforfall("FD", "KD", 200, "2026-12-10"), innbetaling("ID", D, 150)]
    skatt += [plassering("PD", "INNBETALING", "FD", "ID", 150)]
    before = "2026-11-21T23:00:00+01:00"
    write_delivery(nights.inbox, "mva", 1, "full", rows(*mva), uttrekkstidspunkt=before)
    write_delivery(nights.inbox, "skatt", 1, "full", rows(*skatt), uttrekkstidspunkt=before)
    nights.publish(DAY_BEFORE)
    mva = [innbetaling("IC", C, "-5.50"), innbetaling("IA", A, 50), plassering("PA", "INNBETALING", "FA", "IA", 40)]
    mva += [krav("KA2", A, 70), kravforfall("FA2", "KA2", 70, "2026-12-10")]
    write_delivery(nights.inbox, "mva", 2, "endring", rows(*mva))
    write_delivery(nights.inbox, "skatt", 2, "endring", rows(plassering("PD2", "INNBETALING", "FD", "ID", 100)))
    nights.publish(S)
    return nights


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """As ``make run`` makes it: the home's database, and what it is reckoned from."""
    nights = Nights(tmp_path_factory.mktemp("sample"))
    generate(nights.inbox, parts=500, nights=1, date=S)
    nights.publish()
    with connected(nights.home) as connection:
        yield connection, Sample(nights.inbox, nights.documents())


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    with connected(nights_with_faults(Nights(tmp_path_factory.mktemp("faults"))).home) as connection:
        yield connection


def numbered(numbers: range) -> list:
    asked = [question for question in QUESTIONS if question.number in numbers]
    assert [question.number for question in asked] == list(numbers)
    return [pytest.param(question, id=str(question.number)) for question in asked]


@pytest.mark.parametrize("question", numbered(range(1, len(SECOND_WAYS) + 1)))
def test_an_answer_is_the_homes_and_the_second_ways(sample, question: Question):
    connection, reckoned = sample
    names, answer = ask(connection, question)
    assert question.answer == shown(names, answer), "run python -m tests.analytics_page"
    assert answer == SECOND_WAYS[question.number - 1](reckoned)


OVER, SUM, POSITIVE = "L2-PLACEMENT-OVER", "L2-CLAIM-SUM", "L2-VALUE-POSITIVE"
REFUSED = {
    24: [
        ("mva", 1, "L2-CLAIM-OF-REFUSED", 1, 1, Decimal(400)),
        ("mva", 1, SUM, 1, 0, Decimal(500)),
        ("mva", 2, POSITIVE, 1, 0, Decimal("-5.50")),
        ("skatt", 1, OVER, 1, 0, Decimal(150)),
        ("skatt", 2, OVER, 1, 0, Decimal(100)),
    ],
    25: [
        (B, DAY_BEFORE, False, SUM, "mva", 1, "krav", "KB", "krav-1.csv", 2),
        (C, S, True, POSITIVE, "mva", 2, "innbetaling", "IC", "innbetaling-1.csv", 1),
        (D, S, True, OVER, "skatt", 1, "plassering", "PD", "plassering-1.csv", 1),
        (D, S, True, OVER, "skatt", 2, "plassering", "PD2", "plassering-1.csv", 1),
    ],
    26: [
        ("mva", SUM, "krav", 1, Decimal(500), 1),
        ("mva", SUM, "kravforfall", 1, Decimal(400), 1),
        ("mva", POSITIVE, "innbetaling", 1, Decimal("-5.50"), 1),
        ("skatt", OVER, "plassering", 2, Decimal(250), 1),
    ],
    27: [(A, "KA", "FA", "1234567", Decimal(960), "mva", 1)],
    28: [
        ("innbetaling", "IA", A, "ny", "", None, Decimal(10)),
        ("krav", "KA", A, "endret", "gjenstaaende_beloep", Decimal(1000), Decimal(960)),
        ("krav", "KA2", A, "ny", "", None, Decimal(70)),
        ("kravforfall", "FA", A, "endret", "gjenstaaende_beloep", Decimal(1000), Decimal(960)),
        ("kravforfall", "FA2", A, "ny", "", None, Decimal(70)),
        ("plassering", "PA", A, "ny", "", None, Decimal(40)),
    ],
    # C's 300 and D's 50 stand as they were: opening, new, changed, gone, interest, closing
    29: [
        ("Andre krav", *map(Decimal, (1350, 70, -40, 0, 0, 1380))),
        (None, *map(Decimal, (0, -10, 0, 0, 0, -10))),
    ],
    30: [(DAY_BEFORE, Decimal(1000)), (S, Decimal(1020))],
    31: [
        (DAY_BEFORE, "mva", "L2-CLAIM-OF-REFUSED", 1, Decimal(400)),
        (DAY_BEFORE, "mva", SUM, 1, Decimal(500)),
        (S, "mva", "L2-CLAIM-OF-REFUSED", 1, Decimal(400)),
        (S, "mva", SUM, 1, Decimal(500)),
        (S, "mva", POSITIVE, 1, Decimal("-5.50")),
        (S, "skatt", OVER, 2, Decimal(250)),
    ],
}
"""What the faults put in come to."""


@pytest.mark.parametrize("question", numbered(OF_FAULTS))
def test_an_answer_about_faults_is_the_homes_and_what_was_put_in(faults, question: Question):
    names, answer = ask(faults, question)
    assert question.answer == shown(names, answer), "run python -m tests.analytics_page"
    assert answer == REFUSED[question.number]
