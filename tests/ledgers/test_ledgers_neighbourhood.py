"""Which rows an ordinary night looks at: those whose verdict can be another, and all that they lean on."""

import polars as pl
import pytest

from schemas.tables import BUT_PART, TABLES
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S
from transforms.accept.stage import accept
from transforms.home.snapshot import HELD_BACK, QUARANTINED, SAME
from transforms.ledgers import neighbourhood
from transforms.ledgers.connection import ledgers
from transforms.ledgers.neighbourhood import (
    hand_over_near,
    look_around_changes,
    look_around_parts,
    look_at_everything,
    look_there_again,
    suffices_for,
)

A, B, C, D, ENK, F, OWNER = *(organisation_number(n) for n in range(1, 7)), national_number(1)

STATEMENT = (
    *(part(A), part(B), part(C), part(D), part(F), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    # A's krav, which B and F have paid
    *(krav("K-A", A, 100), kravforfall("F-A", "K-A", 100, S), kravforfall("F-A0", "K-A", 0, S)),
    *(innbetaling("I-B", B, 80), plassering("P-AB", "INNBETALING", "F-A", "I-B", 60)),
    *(innbetaling("I-F", F, 30), plassering("P-AF", "INNBETALING", "F-A", "I-F", 30)),
    # C's, that nothing is placed on, and a payout of nobody's
    *(krav("K-C", C, 50), kravforfall("F-C", "K-C", 50, S), utbetaling("U-D", D, 5)),
    # the owner's and the ENK's
    *(krav("K-O", OWNER, 10), kravforfall("F-O", "K-O", 10, S), innbetaling("I-E", ENK, 3)),
)
OF_A = {"K-A", "F-A", "F-A0", "P-AB", "I-B", "P-AF", "I-F"}
"""All that hangs together with A's krav."""
OF_C = {"K-C", "F-C"}
OF_OWNER = {"K-O", "F-O"}


@pytest.fixture(params=["few", pytest.param("many", marks=pytest.mark.slow)])
def share(request, monkeypatch):
    """Whether the parts near by count as few, so that what their documents show is looked at too, or as many."""
    monkeypatch.setattr(neighbourhood, "MANY", {"few": 2, "many": 0}[request.param])
    return request.param


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(neighbourhood, "MANY", 2)


def keys(connection, relation="rows"):
    """The keys of the posts looked at."""
    queries = (f"SELECT {TABLES[name].key} FROM {relation}_{name}" for name in BUT_PART)
    return {key for (key,) in connection.sql(" UNION ALL ".join(queries)).fetchall()}


@pytest.fixture
def looked(small):
    """What is looked at after a change, and what more is asked of the connection."""

    def look(*said, removed=(), asked=keys, **before):
        small.deliver(*STATEMENT)
        if said or removed:
            small.deliver(*said, nr=2, removed=removed)
        run = small.settings()
        previous = run.path / "before"
        previous.mkdir(parents=True)
        keys_of = {QUARANTINED: ["tabell", "noekkel"], SAME: ["tabell", "noekkel"], HELD_BACK: ["part"]}
        for file, columns in keys_of.items():
            schema = dict.fromkeys(columns, pl.String)
            pl.DataFrame(before.get(file.partition(".")[0], []), schema, orient="row").write_parquet(previous / file)
        used = accept(run, lambda _: None).used
        with ledgers(run, used) as connection:
            look_around_changes(connection, previous, run.deliveries, used["mva"][1:])
            return asked(connection)

    return look


def test_everything(small):
    small.deliver(*STATEMENT)
    with small.connection() as connection:
        look_at_everything(connection)
        assert keys(connection) == keys(connection, "counted") == keys(connection, "ledger")
        assert len(connection.sql("FROM rows_part").fetchall()) == 7


def test_nothing_new_is_nothing_to_look_at(looked, share):
    assert looked() == set()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (krav("K-A", A, 100, kravbeskrivelse="Ny"), OF_A),
        (kravforfall("F-A0", "K-A", 0, "2026-12-01"), OF_A),
        (plassering("P-AB", "INNBETALING", "F-A", "I-B", 70), OF_A),
        (innbetaling("I-B", B, 90), OF_A),
        (krav("K-C", C, 50, kravbeskrivelse="Ny"), OF_C),
        (krav("K-C", D, 50), OF_C),
        (utbetaling("U-D", D, 6), {"U-D"}),
    ],
)
def test_a_changed_post_and_all_that_it_hangs_together_with(looked, monkeypatch, said, found):
    monkeypatch.setattr(neighbourhood, "MANY", 0)
    assert looked(said) == found


def test_when_the_parts_are_few_all_that_their_documents_show(looked, few):
    """A part's that a post has gone to, and that of a household."""
    assert looked(krav("K-C", D, 50)) == {*OF_C, "U-D"}


def test_a_household_is_few_parts_of_one(looked, few):
    assert looked(krav("K-O", OWNER, 10, kravbeskrivelse="Ny")) == {*OF_OWNER, "I-E"}


def test_what_is_removed_was_somewhere(looked, share):
    found = looked(
        removed=[plassering("P-AB", "INNBETALING", "F-A", "I-B", 60)], asked=lambda c: (keys(c), versions(c))
    )
    assert found == (OF_A - {"P-AB"}, OF_A)


def versions(connection):
    return keys(connection, "versions")


def test_a_changed_part_has_other_posts_good(looked, share):
    assert looked(part(C)) == OF_C


def test_a_refused_row_names_the_posts_that_lead_to_parts(looked, share):
    """A placement on C's due date is refused for its amount."""
    assert looked(plassering("P-bad", "INNBETALING", "F-C", "I-none", 0)) >= OF_C


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ({"quarantined": [("krav", "K-C")]}, OF_C),
        ({"quarantined": [("part", C)]}, OF_C),
        ({"same": [("kravforfall", "F-C")]}, OF_C),
        ({"held_back": [(C,)]}, OF_C),
        ({"quarantined": [("part", OWNER)]}, {*OF_OWNER, "I-E"}),  # an ENK of an owner that was refused
    ],
)
def test_what_was_refused_or_said_twice_or_held_back(looked, share, before, found):
    assert looked(**before) == found


def test_of_many_parts_texts_are_not_read(looked, share):
    columns = looked(krav("K-C", C, 51), asked=lambda connection: connection.sql("FROM rows_krav").columns)
    assert ("kravbeskrivelse" in columns) == (share == "few")
    assert {"kravidentifikator", "part", "opprinnelig_beloep", "kilde", "rad"} <= set(columns)


def test_as_many_rows_are_counted_as_all_say(looked, share):
    def counted(connection):
        return {name: connection.sql(f"SELECT count(*) FROM counted_{name}").fetchall()[0][0] for name in TABLES}

    assert looked(krav("K-C", C, 51), asked=counted) == {
        **{"part": 7, "krav": 3, "kravforfall": 4, "innbetaling": 3, "utbetaling": 1, "plassering": 2},
    }


def rows(connection, relation):
    tables = {name: f"{relation}_{name}" for name in BUT_PART}
    return {name: sorted(connection.sql(f"FROM {table}").fetchall(), key=repr) for name, table in tables.items()}


def test_another_connection_looks_at_the_same_rows(looked, small, few):
    near = small.folder / "near"

    def handed_over(connection):
        hand_over_near(connection, near)
        return rows(connection, "rows"), rows(connection, "versions")

    found = looked(krav("K-C", D, 50), asked=handed_over)
    with small.connection() as connection:
        look_there_again(connection, near)
        assert (rows(connection, "rows"), rows(connection, "versions")) == found
        assert len(connection.sql("FROM rows_part").fetchall()) == 7


def test_what_was_looked_at_suffices_for_the_parts_near_by_alone(looked, small, share):
    """And for nobody's documents when no texts were read."""
    near = small.folder / "near"
    looked(krav("K-C", D, 50), asked=lambda connection: hand_over_near(connection, near))
    with small.connection() as connection:
        look_there_again(connection, near)
        enough = [
            suffices_for(connection, pl.DataFrame({"part": parts}, {"part": pl.String}), near)
            for parts in ([], [C], [C, D], [C, A])
        ]
        assert enough == ([True, True, True, False] if share == "few" else [False] * 4)


@pytest.mark.parametrize(("parts", "found"), [((A,), OF_A), ((B,), OF_A), ((C, D), {*OF_C, "U-D"}), ((ENK,), {"I-E"})])
def test_around_parts_is_all_that_their_documents_show(small, few, parts, found):
    small.deliver(*STATEMENT)
    with small.connection() as connection:
        look_around_parts(connection, pl.DataFrame({"part": parts}))
        assert keys(connection) == found


def test_around_many_parts_is_everything(small):
    small.deliver(*STATEMENT)
    with small.connection() as connection:
        look_around_parts(connection, pl.DataFrame({"part": [A]}))
        assert keys(connection) == keys(connection, "ledger")
