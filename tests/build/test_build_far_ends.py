"""What a placement's documents show of its far end, which lies in the same bucket or came with it."""

from datetime import date

import pytest

from tests.build.building import MOTPOSTS, RATES, S, bucket
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from transforms.build import far_ends
from transforms.build.bucket import balanced, with_places
from transforms.build.far_ends import PLACEMENT_TABLES

DEBIT = krav("K", "A", 100), kravforfall("F", "K", 100, "2026-01-15")
CREDIT = krav("C", "B", -50, kravtype="Moms"), kravforfall("G", "C", -50, "2026-02-15")


def balanced_bucket(*said, **far):
    tables = with_places(bucket(*said, **far))
    tables |= far_ends.placements(tables)
    tables |= balanced(tables, RATES, S)
    return tables | far_ends.shown(tables)


def placed(*said, **far):
    """The rows of every placement table that has some: whose the near end is, the identifiers of the posts at both ends
    as ``post`` and ``motpost``, and what is shown of the far one.
    """
    tables = balanced_bucket(*said, **far)
    dues = tables["shown_dues"].rename({"kravforfallsidentifikator": "id"})
    posts = {
        "kravforfall": dues.hstack(tables["shown_krav"][dues["krav"]]),
        "innbetaling": tables["shown_payments"].rename({"innbetalingsidentifikator": "id"}),
        "utbetaling": tables["utbetaling"].select(id="utbetalingsidentifikator"),
    }
    found = {}
    for name, (kind, end) in PLACEMENT_TABLES.items():
        rows = tables[name]
        near, far_end = ("kravforfall", MOTPOSTS[kind]) if end == "kravforfall" else (MOTPOSTS[kind], "kravforfall")
        ends = {
            "part": tables["part"]["part"][rows["doc"]],
            "post": posts[near]["id"][rows["post"]],
            "plasseringsidentifikator": tables["plassering"]["plasseringsidentifikator"][rows["plassering"]],
        }
        shown = posts[far_end][rows["motpost"]].rename({"id": "motpost"})
        if rows.height:
            found[name] = rows.drop("post", "motpost").with_columns(**ends).hstack(shown)
    return found


def test_a_payment_and_what_it_covers_each_show_the_other():
    payment = innbetaling("I", "B", 60, "2026-03-01", fra_kontonummer="****7947")
    tables = placed(part("A"), part("B"), *DEBIT, payment, plassering("P", "INNBETALING", "F", "I", 40))
    shown = tables["innbetaling_on_forfall"].select("part", "post", "motpost", "innbetalt_beloep", "fra_kontonummer")
    assert shown.rows() == [("A", "F", "I", 6000, "****7947")]
    shown = tables["forfall_on_innbetaling"].select("part", "post", "motpost", "kravidentifikator", "plassert_beloep")
    assert shown.rows() == [("B", "I", "F", "K", 4000)]
    assert len(tables) == 2


def test_two_krav_that_are_netted_each_show_the_other():
    tables = placed(part("A"), part("B"), *DEBIT, *CREDIT, plassering("P", "MOTKRAV", "F", "G", 40))
    columns = ("part", "post", "motpost", "kravbeskrivelse", "forfallsdato")
    assert tables["motkrav_on_debit"].select(columns).rows() == [("A", "F", "G", "Moms", date(2026, 2, 15))]
    assert tables["motkrav_on_credit"].select(columns).rows() == [("B", "G", "F", "Skatt", date(2026, 1, 15))]
    assert len(tables) == 2


def test_a_payout_shows_the_krav_that_it_pays():
    tables = placed(part("B"), *CREDIT, utbetaling("U", "B", 50), plassering("P", "UTBETALING", "G", "U", 50))
    assert tables["utbetaling_on_forfall"].select("part", "post", "motpost").rows() == [("B", "G", "U")]
    shown = tables["forfall_on_utbetaling"].select("post", "kravidentifikator", "kravtype", "krav_opprinnelig")
    assert shown.rows() == [("U", "C", "Moms", -5000)]
    assert len(tables) == 2


def test_a_payment_from_elsewhere_is_seen_from_here_only():
    far = innbetaling("I", "B", 60, "2026-03-01", fra_kidnummer="18")
    tables = placed(part("A"), *DEBIT, plassering("P", "INNBETALING", "F", "I", 40), far_innbetaling=[far])
    assert list(tables) == ["innbetaling_on_forfall"]
    shown = tables["innbetaling_on_forfall"].select("innbetalingsdato", "innbetalt_beloep", "fra_kidnummer")
    assert shown.rows() == [(date(2026, 3, 1), 6000, "18")]


FAR = {
    "kravforfallsidentifikator": "F",
    "kravidentifikator": "K",
    "kravbeskrivelse": "Skatt på inntekt",
    "kravtype": "Skatt",
    "forfallsdato": date(2026, 1, 15),
    "krav_opprinnelig": 10000,
    "krav_gjenstaaende": 10**19,  # beyond 64 bits
}


@pytest.mark.parametrize(
    ("near", "type", "table"),
    [
        (innbetaling("I", "B", 60), "INNBETALING", "forfall_on_innbetaling"),
        (utbetaling("I", "B", 60), "UTBETALING", "forfall_on_utbetaling"),
    ],
)
def test_a_due_date_from_elsewhere_is_seen_from_here_only(near, type, table):
    tables = placed(part("B"), *CREDIT, near, plassering("P", type, "F", "I", 40), far_forfall=[FAR])
    assert list(tables) == [table]
    columns = ("motpost", "kravidentifikator", "kravbeskrivelse", "krav_opprinnelig", "krav_gjenstaaende")
    shown = tables[table].select(columns)
    assert shown.rows() == [("F", "K", "Skatt på inntekt", 10000, 10**19)]


def test_a_payout_from_elsewhere_counts_here_though_nothing_of_it_is_shown():
    said = part("B"), *CREDIT, utbetaling("U", "B", 50), plassering("P", "UTBETALING", "G", "U", 50)
    tables = with_places(bucket(*said))
    seen = far_ends.placements(tables | {"utbetaling": tables["utbetaling"].clear()})
    assert seen["utbetaling_on_forfall"]["plassert_beloep"].to_list() == [5000]


def test_placements_have_their_ranks():
    """By identifier, and by date and identifier: whatever order they came in, lists are sorted by these numbers."""
    said = [plassering(key, "INNBETALING", "F", "I", 10, day) for key, day in DAYS.items()]
    tables = placed(part("B"), part("A"), *DEBIT, innbetaling("I", "B", 60), *said)
    for rows in tables.values():
        ranks = rows.select("plasseringsidentifikator", "number", "when").rows()
        assert sorted(ranks) == [("P1", 0, 3), ("P10", 1, 1), ("P11", 2, 2), ("P9", 3, 0)]
    assert len(tables) == 2


DAYS = {"P10": "2026-03-03", "P9": "1969-12-31", "P1": "2026-04-04", "P11": "2026-03-03"}


def test_what_remains_of_a_krav_here_is_the_buckets_own():
    said = part("B"), *CREDIT, utbetaling("U", "B", 57), plassering("P", "UTBETALING", "G", "U", 7)
    tables = balanced_bucket(*said, plassering("Q", "UTBETALING", "F", "U", 40), far_forfall=[FAR])
    assert tables["shown_krav"].select("kravidentifikator", "krav_gjenstaaende").rows() == [("C", -4300), ("K", 10**19)]


@pytest.mark.parametrize(
    ("table", "type", "far", "ends"),
    [
        ("far_innbetaling", "INNBETALING", innbetaling("G", "B", 60), ("F", "G")),
        ("far_forfall", "MOTKRAV", FAR | {"kravforfallsidentifikator": "G"}, ("F", "G")),
        ("far_forfall", "INNBETALING", FAR | {"kravforfallsidentifikator": "G"}, ("G", "I")),
    ],
)
def test_a_far_end_that_did_not_come_with_the_bucket(table, type, far, ends):
    """Nothing else may be shown in its place."""
    said = part("A"), *DEBIT, innbetaling("I", "A", 60), plassering("P", type, *ends, 40)
    tables = with_places(bucket(*said, **{table: [far]}))
    far_ends.placements(tables)
    with pytest.raises(ValueError, match="not in the bucket"):
        far_ends.placements(tables | {table: tables[table].clear()})
