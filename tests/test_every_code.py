"""Every code of ``docs/refusals.md`` by a statement that triggers it, and only it and what follows from it.

Those of whole deliveries, of values and of runs have tests of their own; the last test here holds all of them
together against ``schemas.refusals``, so that a code without a test fails.
"""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from cli.main import main
from schemas.refusals import SENTENCES
from tests.accept.test_accept_refused_whole import ALONE, BAD_DELIVERIES
from tests.accept.test_accept_values import REFUSED
from tests.nights import S, stops_of
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.home import snapshot
from transforms.home.report import NOTHING_NEW, last_report
from transforms.night import Night
from transforms.run import Settings

pytestmark = pytest.mark.slow

COMPANY, STRANGER, ENK = organisation_number(1), organisation_number(2), organisation_number(3)
OWNER, DAY = national_number(1), "2026-01-15"
GOOD = [
    *(part(COMPANY), part(OWNER, "PERSON")),
    *(krav("K", COMPANY, 100), kravforfall("F", "K", 100, DAY)),
    *(krav("C", COMPANY, -50), kravforfall("FC", "C", -50, DAY)),
    *(innbetaling("I", COMPANY, 80), utbetaling("U", COMPANY, 30)),
    *(plassering("P", "INNBETALING", "F", "I", 60), plassering("PM", "MOTKRAV", "F", "FC", 10)),
    plassering("PU", "UTBETALING", "FC", "U", 30),
]

ROWS = {
    # code: what is wrong with a ledger that else is good, and the rows refused: table, key and code
    "L2-KEY-TWICE": (
        [innbetaling("I2", COMPANY, 5), innbetaling("I2", COMPANY, 6)],
        [("innbetaling", "I2", "L2-KEY-TWICE")] * 2,
    ),
    "L2-PART-OWNER": ([part(ENK, "ENK", national_number(2))], [("part", None, "L2-PART-OWNER")]),
    "L2-PART-UNKNOWN": ([utbetaling("U2", STRANGER, 5)], [("utbetaling", "U2", "L2-PART-UNKNOWN")]),
    "L2-CLAIM-UNKNOWN": ([kravforfall("F2", "no such", 5, DAY)], [("kravforfall", "F2", "L2-CLAIM-UNKNOWN")]),
    "L2-CLAIM-NO-DUE-DATE": ([krav("K2", COMPANY, 5)], [("krav", "K2", "L2-CLAIM-NO-DUE-DATE")]),
    "L2-CLAIM-SUM": (
        [krav("K2", COMPANY, 5), kravforfall("F2", "K2", 4, DAY)],
        [("krav", "K2", "L2-CLAIM-SUM"), ("kravforfall", "F2", "L2-CLAIM-OF-REFUSED")],
    ),
    "L2-CLAIM-SIGN": (
        [krav("K2", COMPANY, 5), kravforfall("F2", "K2", 6, DAY), kravforfall("F3", "K2", -1, DAY)],
        [("krav", "K2", "L2-CLAIM-SIGN"), *(("kravforfall", key, "L2-CLAIM-OF-REFUSED") for key in ("F2", "F3"))],
    ),
    "L2-PLACEMENT-DUE-DATE": (
        [plassering("P2", "INNBETALING", "no such", "I", 1)],
        [("plassering", "P2", "L2-PLACEMENT-DUE-DATE")],
    ),
    "L2-PLACEMENT-MOTPOST": (
        [plassering("P2", "INNBETALING", "F", "U", 1)],
        [("plassering", "P2", "L2-PLACEMENT-MOTPOST")],
    ),
    "L2-PLACEMENT-OVER": (
        [plassering("P2", "INNBETALING", "F", "I", 21)],  # 60 of 80 are placed, 70 of 100 covered
        [("plassering", "P", "L2-PLACEMENT-OVER"), ("plassering", "P2", "L2-PLACEMENT-OVER")],
    ),
}
KNOWN = {"kravtype": "Forskuddsskatt"}
REPORTS = {
    "R-KRAVTYPE-UNKNOWN": [krav("K2", COMPANY, 5, kravtype="Ukjent"), kravforfall("F2", "K2", 5, DAY)],
    "R-KID": [krav("K2", COMPANY, 5, **KNOWN), kravforfall("F2", "K2", 5, DAY, kidnummer="1234567")],
    "R-KONTONUMMER": [innbetaling("I2", COMPANY, 5, fra_kontonummer="******17947")],
    "R-IBAN": [utbetaling("U2", COMPANY, 5, til_iban="NO0086011117947")],
}
TIMES = {
    "R-EXTRACT-AFTER": ["2026-11-22T23:00:00+01:00", "2026-11-24T00:00:00+01:00"],
    "R-EXTRACT-ORDER": ["2026-11-22T23:00:00+01:00", "2026-11-22T22:59:59+01:00"],
}
"""When the first and the second delivery of a source were extracted; S is 2026-11-23."""


def deliver(nights, *said, kilde="mva", nr=1, **how):
    nights.inbox.mkdir(exist_ok=True)
    return write_delivery(nights.inbox, kilde, nr, "full", rows(*said), **how)


def found(nights, **settings) -> pl.DataFrame:
    """What the stages find that refuse rows, without building anything."""
    night = Night(Settings(nights.inbox, nights.home, S, "0001", memory="500MB", **settings))
    night.do("accept")
    counts = night.do("check").counts
    night.finish()
    findings = nights.findings()
    level_2 = findings.filter(pl.col("nivaa") == 2)
    assert counts.quarantined_by_code == dict(level_2.group_by("kode").len().sort("kode").iter_rows())
    return findings


def refused(nights):
    return sorted(found(nights).filter(pl.col("nivaa") == 2).select("tabell", "noekkel", "kode").rows(), key=str)


def known(row):
    """The row, a krav with a kravtype that the reference data knows."""
    return {**row, **KNOWN} if "kravtype" in row else row


def test_the_good_ledger_is_good(nights):
    deliver(nights, *map(known, GOOD))
    assert found(nights).is_empty()


@pytest.mark.parametrize("code", ROWS)
def test_a_row_is_quarantined(nights, code):
    wrong, expected = ROWS[code]
    deliver(nights, *GOOD, *wrong)
    assert refused(nights) == sorted(expected, key=str)


def test_a_key_of_two_sources_with_other_content(nights):
    deliver(nights, *GOOD, innbetaling("I2", COMPANY, 5))
    deliver(nights, innbetaling("I2", COMPANY, 6), kilde="skatt")
    assert refused(nights) == [("innbetaling", "I2", "L2-KEY-SOURCES")] * 2


@pytest.mark.parametrize("code", REPORTS)
def test_what_is_reported(nights, code):
    deliver(nights, *map(known, GOOD), *REPORTS[code])
    assert found(nights).select("nivaa", "kode").rows() == [(0, code)]


def test_of_unknown_kravtyper_good_krav_are_counted_once(nights):
    """Two, of which one is said by two sources; a third is refused."""
    unknown = [krav(key, COMPANY, 5, kravtype="Ukjent") for key in ("K2", "K3", "REFUSED")]
    due_dates = [kravforfall(f"F-{key}", key, 5, DAY) for key in ("K2", "K3")]
    deliver(nights, *map(known, GOOD), *unknown, *due_dates)
    deliver(nights, unknown[0], due_dates[0], kilde="skatt")
    (told,) = found(nights).filter(kode="R-KRAVTYPE-UNKNOWN").select("kilde", "melding").rows()
    assert told[0] == "mva" and "1 kravtyper on 2 krav:" in told[1] and told[1].endswith(": Ukjent")


def test_unknown_kravtyper_are_named_by_source_as_far_as_they_may_be_shown(nights):
    """The most frequent first; a number put in the wrong column is masked, and nothing steers a terminal."""
    names = ["usual", OWNER, "a\x1b[2J", *(f"rare {number}" for number in range(12))]
    said = [krav(f"K{place}", COMPANY, 0, kravtype=name) for place, name in enumerate([*names, "usual"])]
    deliver(
        nights,
        *map(known, GOOD),
        *said,
        *(kravforfall(f"F-{row['kravidentifikator']}", row["kravidentifikator"], 0, DAY) for row in said),
    )
    deliver(
        nights, krav("L", COMPANY, 0, kravtype="lone"), kravforfall("F-L", "L", 0, DAY), part(COMPANY), kilde="skatt"
    )
    of = dict(found(nights).filter(kode="R-KRAVTYPE-UNKNOWN").select("kilde", "melding").rows())
    assert of["skatt"].endswith("1 kravtyper on 1 krav: they bear interest, and need a kravgruppe of their own: lone")
    named = of["mva"].rpartition("own: ")[2]
    assert "15 kravtyper on 16 krav" in of["mva"]
    assert named.startswith(f"usual, {OWNER[:6]}#####, a?[2J, rare 0, rare 1, ") and named.endswith(", …")
    assert len(named.split(", ")) == 11


def test_the_same_post_of_two_sources_is_reported(nights):
    deliver(nights, *map(known, GOOD))
    deliver(nights, part(COMPANY), kilde="skatt")
    assert found(nights).select("nivaa", "kode", "tabell").rows() == [(0, "R-KEY-SOURCES-SAME", "part")]


def test_a_delivery_below_the_full_in_force_is_reported(nights):
    for nr in (1, 2):
        deliver(nights, *map(known, GOOD), nr=nr)
    assert found(nights).select("nivaa", "kode").rows() == [(0, "R-SUPERSEDED")]


@pytest.mark.parametrize("code", TIMES)
def test_extracts_of_odd_times_are_reported(nights, code):
    for nr, moment in enumerate(TIMES[code], start=1):
        deliver(nights, *map(known, GOOD), nr=nr, uttrekkstidspunkt=moment)
        if nr == 1:
            nights.publish()
    told = found(nights, allow_date=True)
    assert told.select("nivaa", "kode", "kilde", "leveransenummer").rows() == [(0, code, "mva", 2)]


@pytest.mark.parametrize(
    ("begin", "reports"),
    [
        (["2026-07-01"], 0),
        (["2026-12-31"], 0),
        (["2026-06-30"], 1),
        (["2026-06-30", "2027-01-01"], 1),  # S is 2026-11-23
        (["2027-01-01"], 1),
    ],
)
def test_rates_that_have_run_out_are_reported(nights, begin, reports):
    deliver(nights, *map(known, GOOD))
    path = nights.folder / "rates.csv"
    path.write_text("fra_dato,sats\n" + "".join(f"{day},12.00\n" for day in begin))
    assert found(nights, rates=path).select("nivaa", "kode").rows() == [(0, "R-RATES-OLD")] * reports


def test_a_source_that_has_missed_a_night_is_reported(nights):
    """Not on the same date again, and not the source that has delivered, though it was refused."""
    for kilde in ("mva", "renter", "skatt"):
        deliver(nights, part(COMPANY), kilde=kilde)
    nights.publish(S - timedelta(days=1))
    write_delivery(nights.inbox, "skatt", 2, "endring", rows(part(COMPANY)))
    write_delivery(nights.inbox, "renter", 2, "endring", rows(part(COMPANY)), manifest_changes={"type": "delta"})
    for _ in range(2):
        nights.publish()
        missed = nights.findings().filter(kode="R-SOURCE-MISSED")
        assert missed.select("nivaa", "kilde", "leveransenummer").rows() == [(0, "mva", 1)]
        assert missed["melding"].item().endswith("its last one is 1 day old")
        assert last_report(nights.home).told == []


def test_a_night_for_which_no_source_has_delivered_says_so(nights):
    for kilde in ("mva", "skatt"):
        deliver(nights, part(COMPANY), kilde=kilde)
    nights.publish(S - timedelta(days=1))
    assert last_report(nights.home).told == []
    shutil.rmtree(nights.inbox)
    for _ in range(2):
        nights.publish()
        assert last_report(nights.home).told == [NOTHING_NEW]
    status = CliRunner().invoke(main, ["status", "--home", str(nights.home)]).stdout
    assert f": published\n  {NOTHING_NEW}\n" in status


@pytest.mark.parametrize(
    ("stop_at", "warn_at", "codes"),
    [
        (0.5, 0.4, ["R-HELD-BACK"]),
        (0.5, 0.5, []),  # exactly the share
        (0.4, 0.3, ["L3-HELD-BACK"]),  # which says it
    ],
)
def test_a_share_held_back_below_the_one_that_stops_is_reported(nights, stop_at, warn_at, codes):
    deliver(nights, part(COMPANY), part(STRANGER), innbetaling("I", COMPANY, 0))
    told = found(nights, max_held_back=stop_at, warn_held_back=warn_at).filter(pl.col("kode").str.contains("HELD"))
    assert told["kode"].to_list() == codes
    assert all("1 of 2, " in words and "rows refused: 1 of mva 000001" in words for words in told["melding"])


def test_a_table_whose_files_differ_stops_the_run(nights, monkeypatch):
    deliver(nights, *GOOD)
    write_part = snapshot.write_part

    def spoilt(folder, *given):
        pl.DataFrame({"part": [1]}).write_parquet(folder / "tables" / "krav" / "spoilt.parquet")
        write_part(folder, *given)

    monkeypatch.setattr(snapshot, "write_part", spoilt)
    assert [(stop.code, stop.message) for stop in stops_of(nights.run())] == [("L3-SCHEMA", "krav")]
    assert nights.answer(COMPANY) == "KB-002"


def test_a_table_whose_files_all_differ_from_its_schema_stops_the_run(nights, monkeypatch):
    deliver(nights, *GOOD)
    write_part = snapshot.write_part

    def spoilt(folder, *given):
        for file in (folder / "tables" / "krav").iterdir():
            pl.read_parquet(file).with_columns(pl.col("antall_forfall").cast(pl.Int64)).write_parquet(file)
        write_part(folder, *given)

    monkeypatch.setattr(snapshot, "write_part", spoilt)
    assert [(stop.code, stop.message) for stop in stops_of(nights.run())] == [("L3-SCHEMA", "krav")]
    assert nights.answer(COMPANY) == "KB-002"


# what a row refused because of another comes from


def roots(nights):
    """Per table and key of a row refused because of another: code, table, key and number of the row it comes from."""
    columns = ("tabell", "noekkel", "rot_kode", "rot_tabell", "rot_noekkel", "rot_rad", "rot_fil")
    causes = found(nights).filter(pl.col("rot_kode").is_not_null()).select(columns)
    return {(row[0], row[1]): row[2:] for row in causes.iter_rows()}


def test_the_whole_cascade_comes_from_the_part(nights):
    """ENK without an accepted owner -> krav and payment -> due date -> placements on it and from it."""
    of_enk = [
        *(part(ENK, "ENK", national_number(2)), innbetaling("I2", ENK, 5), utbetaling("U2", ENK, 5)),
        *(krav("K2", ENK, 5), kravforfall("F2", "K2", 5, DAY), plassering("P2", "INNBETALING", "F2", "I", 1)),
        *(krav("C2", ENK, -5), kravforfall("FC2", "C2", -5, DAY), plassering("P3", "MOTKRAV", "F", "FC2", 1)),
        plassering("P4", "INNBETALING", "F", "I2", 1),
    ]
    deliver(nights, *GOOD, *of_enk)
    root = ("L2-PART-OWNER", "part", None, 3, "part-1.csv")
    assert roots(nights) == {
        **dict.fromkeys([("krav", "K2"), ("krav", "C2"), ("innbetaling", "I2"), ("utbetaling", "U2")], root),
        **dict.fromkeys([("kravforfall", "F2"), ("kravforfall", "FC2")], root),
        **dict.fromkeys([("plassering", key) for key in ("P2", "P3", "P4")], root),
    }


def test_the_cascade_comes_from_a_value(nights):
    """A due date without a day -> its krav -> the other due date -> the placement on that."""
    of_krav = [krav("K2", COMPANY, 10), kravforfall("F2", "K2", 5, None), kravforfall("F3", "K2", 5, DAY)]
    deliver(nights, *GOOD, *of_krav, plassering("P2", "INNBETALING", "F3", "I", 1))
    root = ("L2-VALUE-NULL", "kravforfall", "F2", 3, "kravforfall-1.csv")
    assert roots(nights) == dict.fromkeys([("krav", "K2"), ("kravforfall", "F3"), ("plassering", "P2")], root)


def test_a_krav_of_its_own_making_has_no_root(nights):
    """The krav is the root of its due dates, which come from no other row."""
    wrong, _ = ROWS["L2-CLAIM-SUM"]
    deliver(nights, *GOOD, *wrong, plassering("P2", "INNBETALING", "F2", "I", 1))
    root = ("L2-CLAIM-SUM", "krav", "K2", 3, "krav-1.csv")
    assert roots(nights) == dict.fromkeys([("kravforfall", "F2"), ("plassering", "P2")], root)


# identifiers that hold a number


def test_identifiers_show_six_digits_of_a_long_number(nights):
    """The row is found by its file and number."""
    keys = {
        f"{OWNER}-2024-1": f"{OWNER[:6]}###-2024-1",
        f"{OWNER}20241": f"{OWNER[:6]}###",
        f"K{COMPANY}": f"K{COMPANY[:6]}###",
        "2024-12345678": "2024-12345678",
    }
    wrong = [row for key in keys for row in (krav(key, COMPANY, 5), kravforfall(f"F{key}", key, 4, DAY))]
    deliver(nights, *GOOD, *wrong)
    refused = found(nights).filter(kode="L2-CLAIM-SUM").sort("rad")
    assert refused["noekkel"].to_list() == list(keys.values())
    assert refused.select("fil", "rad").rows() == [("krav-1.csv", 3 + place) for place in range(len(keys))]
    told = json.dumps(found(nights).to_dicts())
    assert OWNER not in told
    assert COMPANY not in told


def test_what_would_steer_a_terminal_is_shown_escaped(nights):
    """Escape sequences, also the one-character kind, and letters that turn the text about."""
    key = "K\x1b[31m\x9b2J\r\u202eslutt"
    deliver(nights, *GOOD, krav(key, COMPANY, 5))
    nights.run()
    for words in (["findings"], ["findings", "--json"]):
        shown = CliRunner().invoke(main, [*words, "--home", str(nights.home)]).stdout
        assert "K\\u001b[31m\\u009b2J\\r\\u202eslutt" in shown
        assert shown.replace("\n", "").isprintable()
        if "--json" in words:
            keys = [json.loads(line).get("noekkel") for line in shown.splitlines()]
            assert key in keys


# every code has its test

ELSEWHERE = {
    "L3-HELD-BACK": "test_level3.py",
    "L3-SOURCE-OLD": "test_level3.py",
    "L3-SOURCE-GONE": "test_survival.py",
    "L3-NO-SOURCE": "test_level3.py",
    "L3-INBOX-MISSING": "test_survival.py",
    "L3-INBOX-NO-ACCESS": "accept/test_accept_access.py",
    "L3-SOURCE-SHRUNK": "test_level3.py",
    "L3-DATE-BACK": "test_level3.py",
    "L3-DATE-FUTURE": "test_level3.py",
    "L3-DATE-EXTRACTS": "test_level3.py",
    "L1-NO-ACCESS": "accept/test_accept_access.py",
    "L3-ACCEPTED-LOST": "test_survival.py",
    "L3-HOME-DAMAGED": "test_survival.py",
    "L3-HOME-VERSION": "test_survival.py",
    "R-ANALYTICS-CHANGED": "accept/test_accept_stage.py",
    "L3-RECONCILE": "test_reconcile.py",
    "L3-NOT-RECONCILED": "test_publish_guard.py",
    "L3-STAGE-MISSING": "test_publish_guard.py",
    "L3-STAGE-OTHER": "test_night.py",
    "L3-LOCK-LOST": "test_told.py",
}
ON_THEIR_OWN = {"L2-KEY-SOURCES", "L3-SCHEMA", "R-KEY-SOURCES-SAME", "R-SUPERSEDED", "R-RATES-OLD", *TIMES}
ON_THEIR_OWN |= {"R-SOURCE-MISSED", "R-HELD-BACK"}
"""Those above that are not in a table."""


def test_every_code_has_a_test():
    deliveries = {code for _, reasons in BAD_DELIVERIES.values() for code, _ in reasons} | ALONE
    values = {code for _, _, code in REFUSED}
    in_rows = {code for _, expected in ROWS.values() for _, _, code in expected}
    assert deliveries | values | in_rows | set(REPORTS) | set(ELSEWHERE) | ON_THEIR_OWN == set(SENTENCES)
    for code, file in ELSEWHERE.items():
        assert f'"{code}"' in (Path(__file__).parent / file).read_text("utf-8"), f"{file} does not test {code}"
