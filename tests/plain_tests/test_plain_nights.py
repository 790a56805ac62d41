"""The plain reading of deliveries, quarantine and held-back parts: small nights with known outcomes."""

import json
from collections import Counter
from datetime import date
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from schemas import tables
from tests.plain.columns import TABLES
from tests.plain.deliveries import read_delivery
from tests.plain.faults import Plan, faulty_nights, refused_numbers
from tests.plain.numbers import national_number, organisation_number, with_wrong_check_digit
from tests.plain.quarantine import night, publish, stops
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, row, rows, utbetaling
from tests.plain.strategies import KRAVTYPER, RATES, good_ledgers
from tests.plain.write import FORMATS, cell_text, control_sum, write_delivery

pytestmark = pytest.mark.slow

S = date(2026, 11, 23)
A, B, C, ENK = (organisation_number(index) for index in range(4))
OWNER = national_number(1)
GOOD = [
    *(part(A), part(B), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    *(krav("KA", A, 100), kravforfall("FA", "KA", 100, "2023-01-01")),
    *(krav("KB", B, -50), kravforfall("FB", "KB", -50, "2023-01-01")),
    *(krav("KO", OWNER, 30), kravforfall("FO", "KO", 30, "2023-01-01")),
    *(innbetaling("IA", A, 80), utbetaling("UB", B, 10)),
    *(plassering("P1", "INNBETALING", "FA", "IA", 60), plassering("P2", "MOTKRAV", "FA", "FB", 40)),
    plassering("P3", "UTBETALING", "FB", "UB", 10),
]


class Office:
    """An inbox, and nights run over it one after another."""

    def __init__(self, inbox):
        self.inbox = inbox
        self.published = None
        self.refused = set()

    def full(self, nr, said, kilde="mva", **more):
        write_delivery(self.inbox, kilde, nr, "full", rows(*said), **more)

    def endring(self, nr, *said, kilde="mva"):
        write_delivery(self.inbox, kilde, nr, "endring", rows(*said))

    def night(self, publishing=True):
        this = night(self.inbox, S, RATES, KRAVTYPER, self.published, self.refused)
        if publishing:
            self.published = publish(this, self.published)
        return this


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path)
    office.full(1, GOOD)
    assert office.night().quarantined == []
    return office


def refused(this):
    return {(entry.row.table, entry.row.key): entry.stage for entry in this.quarantined}


def changed(table_row, **values):
    return {**table_row, **values}


def good(key):
    return next(one for one in GOOD if next(iter(one.values())) == key)


# values


@pytest.mark.parametrize(
    ("key", "column", "bad"),
    [
        ("KA", "opprinnelig_beloep", "1.234"),
        ("KA", "opprinnelig_beloep", " 1"),
        ("KA", "opprettelsesdato", "2023-02-29"),
        ("KA", "opprettelsesdato", "20230201"),
        ("KA", "part", None),
        ("KA", "part", "x" * 65),
        ("KA", "kravtype", "x" * 65),
        ("KA", "kravtype", ""),
        ("FA", "utsatt_iverksettelse", "ja"),
        ("IA", "innbetalt_beloep", "0.00"),
        ("IA", "innbetalt_beloep", "-80"),
        ("P1", "plasseringstype", "MOTPOST"),
        (A, "parttype", "PERSON"),
        (A, "innehaver", OWNER),
        (ENK, "innehaver", None),
        (ENK, "innehaver", A),
    ],
)
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_bad_value_is_refused(tmp_path, key, column, bad, format):
    office = Office(tmp_path)
    office.full(1, [changed(one, **{column: bad}) if one is good(key) else one for one in GOOD], format=format)
    stages = {entry.row.key: entry.stage for entry in office.night().quarantined}
    assert stages[key] == "values"


def test_check_digits(office):
    """In ``part`` a value; where it is referred to, a part that is not accepted."""
    wrong = with_wrong_check_digit(A)
    office.endring(2, part(wrong), innbetaling("I", wrong, 1))
    this = office.night()
    assert refused(this) == {("part", wrong): "values", ("innbetaling", "I"): "parts"}
    assert (this.held_back, this.leading_nowhere) == ({wrong}, 0)


# keys


def test_a_key_in_two_rows_of_one_delivery_refuses_both_also_the_same(office):
    office.full(2, [*GOOD, krav("KA", A, 100)])
    this = office.night()
    assert refused(this) == {
        ("krav", "KA"): "keys",
        ("kravforfall", "FA"): "claims",
        ("plassering", "P1"): "placements",
        ("plassering", "P2"): "placements",
    }
    assert len(this.quarantined) == 5
    assert this.held_back == {A, B}


def test_a_key_twice_when_one_is_refused_by_its_values(office):
    office.full(2, [*GOOD, krav("KO", None, 30)])
    this = office.night()
    assert Counter(entry.stage for entry in this.quarantined) == {"values": 1, "keys": 1, "claims": 1}
    assert this.held_back == {OWNER, ENK}


def test_one_post_from_two_sources(office):
    office.full(1, [part(A), innbetaling("IA", A, "80.00")], kilde="skatt", format="parquet")
    this = office.night()
    assert this.quarantined == []
    assert this.shared == {("part", A), ("innbetaling", "IA")}
    assert this.accepted_rows == len(this.said) == len(GOOD) + 2


def test_other_content_in_another_source(office):
    office.full(1, [innbetaling("IA", A, 80, fra_iban="NO1")], kilde="skatt")
    assert refused(office.night()) == {("innbetaling", "IA"): "keys", ("plassering", "P1"): "placements"}


def test_refused_in_another_source(office):
    bad = changed(innbetaling("IA", A, 80), innbetalingsdato="2023-02-30")
    office.full(1, [bad], kilde="skatt")
    stages = Counter((entry.row.kilde, entry.stage) for entry in office.night().quarantined)
    assert stages == {("skatt", "values"): 1, ("mva", "keys"): 1, ("mva", "placements"): 1}


# parts, claims, placements


def test_an_owner_that_is_refused_takes_the_enk_and_their_posts(office):
    office.full(2, [one for one in GOOD if one is not good(OWNER)])
    this = office.night()
    assert refused(this) == {("part", ENK): "parts", ("krav", "KO"): "parts", ("kravforfall", "FO"): "claims"}
    assert this.held_back == {OWNER, ENK}


@pytest.mark.parametrize(
    "due_dates",
    [
        [],
        [kravforfall("FO", "KO", 29, "2023-01-01")],
        [kravforfall("FO", "KO", 31, "2023-01-01"), kravforfall("FX", "KO", -1, "2023-01-01")],
    ],
)
def test_due_dates_that_do_not_fit_their_krav(office, due_dates):
    office.full(2, [*(one for one in GOOD if one is not good("FO")), *due_dates])
    this = office.night()
    assert set(refused(this).values()) == {"claims"}
    assert len(this.quarantined) == 1 + len(due_dates)


def test_zero_fits_any_sign(office):
    office.full(
        2,
        [
            *(*GOOD, krav("Z", A, 0), kravforfall("Z1", "Z", 5, S), kravforfall("Z2", "Z", -5, S)),
            *(krav("Y", A, -3), kravforfall("Y1", "Y", 0, S), kravforfall("Y2", "Y", -3, S)),
        ],
    )
    assert office.night().quarantined == []


@pytest.mark.parametrize(
    "bad",
    [
        plassering("P", "INNBETALING", "FB", "IA", 1),
        plassering("P", "INNBETALING", "FO", "FB", 1),
        plassering("P", "MOTKRAV", "FO", "FA", 1),
        plassering("P", "UTBETALING", "FO", "UB", 1),
        plassering("P", "INNBETALING", "FO", "nowhere", 1),
        plassering("P", "INNBETALING", "nowhere", "IA", 1),
    ],
)
def test_a_wrong_end(office, bad):
    office.endring(2, bad)
    assert refused(office.night()) == {("plassering", "P"): "placements"}


def test_too_much_placed_refuses_all_on_that_post(office):
    """30 from IA to FO: 90 of 80 is placed, so both of IA's go; P2 on FA stays."""
    office.endring(2, plassering("P4", "INNBETALING", "FO", "IA", 30))
    this = office.night()
    assert refused(this) == {("plassering", "P1"): "placements", ("plassering", "P4"): "placements"}
    assert this.held_back == {A, OWNER, ENK}


def test_checks_run_once():
    """FA is over-placed and so is IA: what P1's going would have mended is refused all the same."""
    with TemporaryDirectory() as folder:
        office = Office(Path(folder))
        office.full(
            1,
            [
                *(*GOOD, plassering("P5", "INNBETALING", "FA", "IA", 1)),
                plassering("P6", "INNBETALING", "FO", "IA", 20),
            ],
        )
        assert {key for _, key in refused(office.night())} == {"P1", "P2", "P5", "P6"}


# what a source says


def test_a_refused_row_stands_for_its_key_until_named_again(office):
    before = office.published.documents[A]
    office.endring(2, changed(good("KA"), part=None))
    for _ in range(2):  # the second night finds A in the first's key table, by what was kept
        this = office.night()
        assert {A, B} <= this.held_back
        assert office.published.documents[A] is before
    office.endring(3, good("KA"))
    assert office.night().held_back == set()
    assert office.published.documents[A] is not before


def test_a_row_without_key_stays_until_the_next_full(office):
    office.endring(2, changed(good("KA"), kravidentifikator=None, part=None))
    office.endring(3, good("KA"))
    this = office.night()
    assert (this.held_back, this.leading_nowhere, this.share) == (set(), 1, Fraction(1, 4))
    assert stops(this) == ["too large a share is held back"]
    office.full(4, GOOD)
    assert office.night().quarantined == []


def test_removal(office):
    office.endring(2, changed(row("krav", kravidentifikator="KO"), slettet=True))
    office.endring(3, changed(row("kravforfall", kravforfallsidentifikator="FO"), slettet=True))
    this = office.night()
    assert this.quarantined == []
    assert len(this.said) == len(GOOD) - 2
    assert json.loads(office.published.documents[OWNER].texts()["krav"])["krav"] == []


def test_removal_of_an_unknown_key_and_of_a_refused_one(office):
    wrong = with_wrong_check_digit(C)
    office.endring(2, part(wrong))
    assert office.night().held_back == {wrong}
    office.endring(
        3,
        changed(row("part", part=wrong), slettet=True),
        changed(row("part", part=C), slettet=True),
    )
    this = office.night()
    assert (this.quarantined, this.held_back, len(this.said)) == ([], set(), len(GOOD))


def test_a_removal_and_a_row_of_the_same_key(office):
    office.endring(2, changed(good("IA"), slettet=True, part=C), changed(good("IA"), slettet=False))
    this = office.night()
    assert [entry.row.removes for entry in this.quarantined if entry.stage == "keys"] == [True, False]
    assert this.held_back == {A}  # the removed row's part counts for nothing


# deliveries


def test_a_gap_waits_and_a_full_heals(office):
    office.endring(3, part(C))
    office.refused = {("mva", 4)}
    office.full(4, [part(C)])
    assert [delivery.leveransenummer for delivery in office.night().chains["mva"]] == [1]
    office.endring(2, part(C))
    assert [delivery.leveransenummer for delivery in office.night().chains["mva"]] == [1, 2, 3]
    office.refused = set()
    this = office.night()
    assert [delivery.leveransenummer for delivery in this.chains["mva"]] == [4]
    assert set(office.published.documents) == {C}


def test_a_source_without_a_full_says_nothing(office):
    office.endring(2, part(C), kilde="skatt")
    assert set(office.night().chains) == {"mva"}


def test_an_accepted_delivery_never_changes(office):
    office.full(1, [part(C)])
    this = office.night()
    assert this.changed == {("mva", 1)}
    assert set(office.published.documents) == {A, B, OWNER, ENK}
    (office.inbox / "mva" / "000001" / "manifest.json").unlink()
    this = office.night()
    assert (this.changed, set(this.documents)) == (set(), {A, B, OWNER, ENK})


def test_a_delivery_that_no_published_snapshot_used_may_change(office):
    office.endring(2, part(C))
    office.night(publishing=False)
    office.endring(2, part(organisation_number(9)))
    assert organisation_number(9) in office.night().documents


# held back


def test_a_payment_that_loses_its_part_holds_back_whom_it_belonged_to(office):
    office.full(2, [changed(one, part=None) if one is good("IA") else one for one in GOOD])
    assert office.night().held_back == {A}


def test_a_placement_leads_to_both_its_ends_and_on_to_the_enk(office):
    office.endring(2, plassering("P", "INNBETALING", "FO", "FB", 1))
    assert office.night().held_back == {OWNER, ENK, B}


def test_what_a_quarantined_row_refers_to_is_found_where_it_was_published(office):
    """KO and FO are gone from the extract; a placement still on FO leads to whose they were."""
    gone = {"KO", "FO"}
    kept = [one for one in GOOD if next(iter(one.values())) not in gone]
    office.full(2, [*kept, plassering("P", "INNBETALING", "FO", "nowhere", 1)])
    assert office.night().held_back == {OWNER, ENK}
    assert office.night().held_back == {OWNER, ENK}


def test_parts_gone_disappear_and_held_back_new_ones_answer_kb_002(office):
    office.full(2, [*(one for one in GOOD if one is not good(B)), part(C), krav("KC", C, 1)])
    office.night()
    assert [office.published.answer(number) for number in (A, B, C, organisation_number(9))] == [
        *("documents", "documents", "KB-002", "KB-009")  # B's krav remain, so B is held back and kept
    ]
    office.full(3, [part(A)])
    office.night()
    assert set(office.published.documents) == {A}


def test_stale_extract(tmp_path):
    office = Office(tmp_path)
    office.full(1, GOOD, uttrekkstidspunkt="2026-11-19T22:59:59+00:00")
    assert stops(office.night()) == ["too old an extract: mva"]
    office.full(2, GOOD, uttrekkstidspunkt="2026-11-19T23:00:00+00:00")  # 20 November in Oslo
    assert stops(office.night()) == []


# writing and reading


def test_the_systems_schema_has_the_contracts_columns():
    system = {
        name: [(column.name, column.nullable, column.codes) for column in table.columns]
        for name, table in tables.TABLES.items()
    }
    assert system == {
        name: [(column.name, column.nullable, column.codes) for column in table.columns]
        for name, table in TABLES.items()
    }


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ledger=good_ledgers(big_amounts=True))
def test_what_is_written_is_read(tmp_path, format, ledger):
    folder = write_delivery(tmp_path, "mva", 1, "full", ledger, format=format, split=2)
    read = read_delivery(folder)
    for table, table_rows in ledger.items():
        found = [one.cells for one in read.rows if one.table == table]
        assert [{name: value or "" for name, value in cells.items()} for cells in found] == [
            {name: cell_text(value) for name, value in one.items()} for one in table_rows
        ]
    this = night({read.number: read}, S, RATES, KRAVTYPER)
    assert this.quarantined == []
    assert {name: len(found) for name, found in this.accepted.items()} == {
        name: len(found) for name, found in ledger.items()
    }


def test_control_sum():
    assert control_sum(["1.00", "-3.5", None, "x", "1.234", "12345678901234567"]) == "-2.50"


# laws


@settings(max_examples=25, deadline=None)
@given(faulty_nights())
def test_any_nights(plans):
    with TemporaryDirectory() as folder:
        office = Office(Path(folder))
        for number, arrived in enumerate(plans, start=1):
            for plan in arrived.deliveries:
                plan.write(office.inbox)
            check_night(office, arrived, refused_numbers(plans[:number]))


def check_night(office, arrived, refused_deliveries):
    before = office.published
    this = night(office.inbox, arrived.snapshot_date, RATES, KRAVTYPER, before, refused_deliveries)
    assert this.accepted_rows + len(this.quarantined) == len(this.said)
    assert not this.held_back & set(this.documents)
    office.published = publish(this, before)
    for part_number, shown in office.published.documents.items():
        fresh = part_number in this.documents
        assert fresh or (before is not None and shown is before.documents[part_number])
    again = night(office.inbox, arrived.snapshot_date, RATES, KRAVTYPER, office.published, refused_deliveries)
    assert (again.held_back >= this.held_back, again.documents.keys() <= this.documents.keys()) == (
        True,
        True,
    )


@settings(max_examples=12, deadline=None)
@given(good_ledgers())
def test_a_split_delivery_says_the_same_as_a_whole_one(ledger):
    with TemporaryDirectory() as whole, TemporaryDirectory() as split:
        Plan("mva", 1, "full", ledger).write(Path(whole))
        halves = [{table: found[half::2] for table, found in ledger.items()} for half in (0, 1)]
        Plan("mva", 1, "full", halves[0], format="parquet").write(Path(split))
        Plan("mva", 2, "endring", halves[1]).write(Path(split))
        nights = [night(Path(inbox), S, RATES, KRAVTYPER) for inbox in (whole, split)]
    texts = [{key: shown.texts() for key, shown in this.documents.items()} for this in nights]
    assert texts[0] == texts[1]
    assert not any(this.quarantined for this in nights)
