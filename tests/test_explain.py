"""An explanation of a figure ends in what the document says; its steps are of the rules, and its rows the delivered."""

import json
import shutil
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from analysis.explain import TOTALS, explain
from analysis.posts import UnknownError
from analysis.told import told
from cli.main import main
from tests.nights import Nights
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.rules.interest import rate_periods, weights
from transforms.rules.reference import RATES, read_rates

pytestmark = pytest.mark.slow

S = date(2023, 8, 28)
A, ENK, OWNER = organisation_number(1), organisation_number(2), national_number(1)
SAID = (
    *(part(A), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    # the published case: 8 424 of 61 244 since 2022-04-11, over four rates; and a due date of which too little is owed
    *(krav("K", A, 61_500), kravforfall("F", "K", 61_400, "2022-04-11"), kravforfall("F2", "K", 100, "2023-01-10")),
    *(innbetaling("I", OWNER, 200), plassering("PI", "INNBETALING", "F", "I", 100, "2022-05-01")),
    *(krav("C", A, -80), kravforfall("G", "C", -80, "2023-02-01"), plassering("PM", "MOTKRAV", "F", "G", 56)),
    *(utbetaling("U", A, 20), plassering("PU", "UTBETALING", "G", "U", 20)),
    *(krav("R", OWNER, 70, kravtype="Forsinkelsesrente"), kravforfall("FR", "R", 70, "2023-01-01")),
    *(krav("L", ENK, 900), kravforfall("FL", "L", 900, S)),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    nights = Nights(tmp_path_factory.mktemp("explain"))
    write_delivery(nights.inbox, "mva", 1, "full", rows(*SAID))
    nights.publish(S)
    return nights.home


def explained(home, part, krav=None, forfall=None, total=None):
    return explain(home / "analytics.duckdb", part, krav, forfall, total)


def test_a_due_date_over_four_rates_read_line_by_line(home):
    lines = [" ".join(line.split()) for line in told(explained(home, A, forfall="F")).splitlines()]
    assert lines[6:18] == [
        "due date F, due 2022-04-11",
        "original 61 400.00 mva 000001 kravforfall-1.csv row 1",
        f"payment I of part {OWNER}, placed 2022-05-01 (PI) -100.00 mva 000001 plassering-1.csv row 1",
        f"motkrav G of part {A}, placed 2023-01-01 (PM) -56.00 mva 000001 plassering-1.csv row 2",
        "remaining 61 244.00",
        "2022-04-12 through 2022-06-30: 80 days × 8.50 % ÷ 365 1140.9841",
        "2022-07-01 through 2022-12-31: 184 days × 9.25 % ÷ 365 2855.8161",
        "2023-01-01 through 2023-06-30: 181 days × 10.75 % ÷ 365 3264.8086",
        "2023-07-01 through 2023-08-28: 59 days × 11.75 % ÷ 365 1163.2165",
        "in all 8424.8253, rounded down to 8 424.00",
        "stipulerte renter 8 424.00",
        "",
    ]


def test_motkrav_is_told_from_either_side(home):
    debit, credit = (told(explained(home, A, forfall=forfall)) for forfall in ("F", "G"))
    assert f"  motkrav G of part {A}, placed" in debit
    assert f"  used as motkrav for F of part {A}, placed" in credit


def document(home, part):
    done = CliRunner().invoke(main, ["get", "oversikt", part, "--home", str(home)])
    return json.loads(done.stdout, parse_float=Decimal)


@pytest.mark.parametrize("part", [A, ENK, OWNER])
def test_every_explanation_ends_in_what_the_document_says(home, part):
    said = document(home, part)
    for name in TOTALS:
        total = explained(home, part, total=name).total
        assert total.beloep == said["totalOversikt"][name]
        assert total.beloep == sum(one.beloep for one in (*total.poster, *total.av))
    for listed in said["aapentKravMedGjenstaaendeBeloep"]:
        found = explained(home, part, krav=listed["kravidentifikator"]).krav
        assert (
            found.gjenstaaende_beloep
            == listed["gjenstaaendeBeloep"]
            == sum(f.gjenstaaende_beloep for f in found.forfall)
        )
        assert found.stipulerte_renter == listed["stipulerteRenter"] == sum(f.stipulerte_renter for f in found.forfall)
        dues = [(f.kravforfallsidentifikator, f.gjenstaaende_beloep) for f in found.forfall]
        assert dues == [(f["kravforfallsIdentifikator"], f["gjenstaaendeBeloep"]) for f in listed["kravforfall"]]


@pytest.mark.parametrize(
    ("whose", "forfall", "why"),
    [
        (A, "G", "it is owed to the part"),
        (OWNER, "FR", "its krav is of a kravtype that bears none"),
        (ENK, "FL", f"it is not due before {S}"),
        (ENK, "FR", "its krav is of a kravtype that bears none"),  # its owner's
    ],
)
def test_why_there_is_no_interest(home, whose, forfall, why):
    [due] = explained(home, whose, forfall=forfall).krav.forfall
    assert (due.hvorfor_ikke, due.perioder, due.stipulerte_renter) == (why, (), 0)


def test_interest_under_fifty_kroner_is_told_to_be_none(home):
    explanation = explained(home, A, forfall="F2")
    [due] = explanation.krav.forfall
    assert 0 < due.renter_foer_avrunding < 50 and due.stipulerte_renter == 0
    assert "rounded down to 6.00; under 50 it is 0" in told(explanation)


def test_what_is_placed_from_a_credit_counts_the_other_way(home):
    [due] = explained(home, A, forfall="G").krav.forfall
    assert [(one.plasseringsidentifikator, one.beloep, one.motpost) for one in due.plasseringer] == [
        ("PM", 56, "F"),
        ("PU", 20, "U"),
    ]
    assert due.gjenstaaende_beloep == -4


@pytest.mark.parametrize("asked", [{"krav": "L"}, {"forfall": "nope"}, {"krav": "K", "forfall": "G"}])
def test_what_is_not_in_the_parts_documents_is_not_explained(home, asked):
    with pytest.raises(UnknownError, match="no such krav or due date"):
        explained(home, A, **asked)
    with pytest.raises(UnknownError, match="the part has no documents"):
        explained(home, organisation_number(9), **asked)


NEW_AND_WRONG = krav("N", OWNER, 500), kravforfall("FN", "N", 500, "2023-01-01"), innbetaling("wrong", ENK, -5)


@pytest.fixture(scope="module")
def held_back(tmp_path_factory):
    """A home of two nights; on the second the ENK alone is held back, and its owner has a new krav."""
    nights = Nights(tmp_path_factory.mktemp("held-back"))
    write_delivery(nights.inbox, "mva", 1, "full", rows(*SAID))
    nights.publish(S)
    write_delivery(nights.inbox, "mva", 2, "endring", rows(*NEW_AND_WRONG))
    nights.publish(S + timedelta(days=1))
    return nights.home


def test_an_enk_held_back_alone_is_explained_as_its_documents_show_its_owner(held_back):
    for name in TOTALS:
        assert explained(held_back, ENK, total=name).total.beloep == document(held_back, ENK)["totalOversikt"][name]
    assert explained(held_back, ENK).snapshotdato == S
    assert explained(held_back, OWNER, krav="N").krav.kravidentifikator == "N"
    with pytest.raises(UnknownError, match="no such krav"):
        explained(held_back, ENK, krav="N")


def test_it_is_told_that_a_part_is_held_back(held_back):
    explanation = explained(held_back, ENK)
    assert f"held back since {S + timedelta(days=1)} (L2-VALUE-POSITIVE): its documents" in told(explanation)
    assert "held back" not in told(explained(held_back, OWNER))


def test_an_owner_as_of_a_night_that_is_gone_is_not_explained(held_back):
    """The last that reads this home: it takes the night away."""
    [gone] = held_back.glob(f"snapshots/{S}-*")
    shutil.rmtree(gone)
    with pytest.raises(UnknownError, match=f"as on {S}, a night that is no longer kept"):
        explained(held_back, ENK)


@pytest.fixture(scope="module")
def rerun(tmp_path_factory):
    """A home of one date, run anew: in the rerun the ENK alone is held back, and its owner has a new krav."""
    nights = Nights(tmp_path_factory.mktemp("rerun"))
    write_delivery(nights.inbox, "mva", 1, "full", rows(*SAID))
    nights.publish(S)
    write_delivery(nights.inbox, "mva", 2, "endring", rows(*NEW_AND_WRONG))
    nights.publish(S)
    return nights


def test_an_enk_held_back_in_a_rerun_is_explained_as_its_documents_show_its_owner(rerun):
    for name in TOTALS:
        assert explained(rerun.home, ENK, total=name).total.beloep == document(rerun.home, ENK)["totalOversikt"][name]
    explanation = explained(rerun.home, ENK)
    assert (explanation.snapshot, explanation.holdt_tilbake.siden) == (f"{S}-0001", S)
    with pytest.raises(UnknownError, match="no such krav"):
        explained(rerun.home, ENK, krav="N")


def test_when_the_first_run_is_gone_so_is_the_explanation(rerun):
    """The last that reads this home. The owner is held back too, but later than the ENK."""
    wrong_too = innbetaling("wrong too", OWNER, -5)
    write_delivery(rerun.inbox, "mva", 3, "endring", rows(wrong_too))
    rerun.publish(S + timedelta(days=1))
    with pytest.raises(UnknownError, match=f"as on {S}, a night that is no longer kept"):
        explained(rerun.home, ENK)


def test_a_copied_home_is_not_explained_by_the_one_it_was_copied_from(home, tmp_path):
    copy = shutil.copytree(home, tmp_path / "copy", symlinks=True)
    done = CliRunner().invoke(main, ["explain", A, "--home", str(copy)])
    assert (done.exit_code, "its views read another home" in done.stderr) == (1, True)
    with (
        duckdb.connect(str(copy / "analytics.duckdb"), read_only=True) as connection,
        pytest.raises(duckdb.InvalidInputException, match=f"read the home {home}"),
    ):
        connection.execute("FROM rad").fetchall()


def test_the_command(home, tmp_path):
    def run(*words):
        return CliRunner().invoke(main, ["explain", *words, "--home", str(home)])

    done = json.loads(run(A, "--forfall", "F", "--json").stdout)
    assert done["krav"]["forfall"][0]["stipulerte_renter"] == "8424.00"
    assert done["krav"]["forfall"][0]["rader"] == [
        {"kilde": "mva", "leveransenummer": 1, "fil": "kravforfall-1.csv", "rad": 1, "slettet": False}
    ]
    assert run(A).stdout.splitlines()[-1].split() == ["saldo", "69", "764.00"]
    assert (run(A, "--krav", "L").exit_code, run(A, "--krav", "K", "--total", "saldo").exit_code) == (1, 2)
    missing = CliRunner().invoke(main, ["explain", A, "--home", str(tmp_path)])
    assert (missing.exit_code, "nothing is published" in missing.stderr) == (1, True)
    (tmp_path / "analytics.duckdb").write_bytes(b"none")
    damaged = CliRunner().invoke(main, ["explain", A, "--home", str(tmp_path)])
    assert (damaged.exit_code, "run a night, which makes it anew" in damaged.stderr) == (1, True)


@given(st.dates(date(2015, 1, 1), date(2027, 12, 31)), st.integers(-10, 4_000))
def test_periods_are_the_days_that_interest_is_of(due, days):
    until, rates = due + timedelta(days=days), read_rates(RATES)
    periods = rate_periods(due, rates, until)
    weight = weights(pl.Series([due]), rates, until)["vekt"].item()
    assert sum(((last - first).days + 1) * sats for first, last, sats in periods) == weight
    assert all(one[1] + timedelta(days=1) == other[0] for one, other in pairwise(periods))
