"""What a person reads in Dagster of findings, sources and totals."""

import base64
import json
import re
from xml.etree import ElementTree

import polars as pl
import pytest

from pipelines import pages, plots
from pipelines.figures import Debts, OneNight
from schemas.operations import Operations, Source
from schemas.refusals import Refusal
from schemas.snapshot import Accepted
from tests.nights import S
from transforms.home.findings import SCHEMA, findings

REFUSED = Refusal(1, "L1-SHA256", "the content is not what the manifest was made for", "mva", 4, "krav|1.parquet")
STOP = Refusal(3, "L3-HELD-BACK", "9 of 10, the limit is 1.00%")
REPORT = Refusal(0, "R-KID", "3 in kidnummer", "skatt", 1, tabell="kravforfall")


def quarantined(code, row, parts, kilde="mva"):
    named = {"nivaa": 2, "kode": code, "melding": "a sentence", "kilde": kilde, "leveransenummer": 1, "fil": "a.csv"}
    return {**dict.fromkeys(SCHEMA), **named, "rad": row, "tabell": "krav", "parter_holdt_tilbake": parts}


def found(*rows):
    return pl.concat([findings([REPORT, REFUSED, STOP]), pl.DataFrame(rows, schema=SCHEMA, orient="row")])


def lines(text):
    """The cells of the table's rows below its head."""
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_findings_are_grouped_and_the_worst_come_first():
    rows = [quarantined("L2-CLAIM-SUM", 7, 1), quarantined("L2-VALUE-DATE", 3, 2), quarantined("L2-VALUE-DATE", 9, 2)]
    text = pages.of_findings(found(*rows))
    codes = ["L3-HELD-BACK", "L1-SHA256", "L2-VALUE-DATE", "L2-CLAIM-SUM", "R-KID"]
    assert [line[0] for line in lines(text)] == codes
    assert lines(text)[2][1:8] == ["mva", "000001", "a.csv", "krav", "2", "3", "4"]
    assert lines(text)[1][3] == r"krav\|1.parquet"
    assert re.findall(r"^- \*\*(\S+)\*\*", text, re.MULTILINE) == codes
    assert "*To do:* often a copy cut short: copy again." in text


def test_a_night_without_findings_says_so():
    assert pages.of_findings(findings([])) == "Nothing was refused or reported."
    assert pages.in_short({}) == "none"


def test_more_findings_than_one_reads_are_told_to_be_there():
    rows = [quarantined("L2-VALUE-DATE", 1, 1, f"kilde-{n:03d}") for n in range(pages.LINES + 5)]
    text = pages.of_findings(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    assert len(lines(text)) == pages.LINES
    assert "and 5 lines more: `kravoversikt findings`" in text


def test_in_short_the_worst_code_is_first_with_its_cure():
    assert pages.in_short(pages.by_code(found())) == (
        "L3-HELD-BACK × 1, L1-SHA256 × 1, R-KID × 1. "
        "To do: find the cause under level 2; raise the limit only when it is understood"
    )


def test_refusals_are_warnings_and_other_reports_are_not():
    codes = ["L1-GAP", "L2-CLAIM-SUM", "R-SOURCE-MISSED", "R-KID", "L3-HELD-BACK"]
    assert pages.warnings(dict.fromkeys(codes, 1)) == ["L1-GAP", "L2-CLAIM-SUM", "R-SOURCE-MISSED"]


def test_a_stop_says_why_and_what_to_do():
    assert pages.of_stops([STOP]) == (
        "stopped by L3-HELD-BACK too many parts are held back: 9 of 10, the limit is 1.00%; "
        "to do: find the cause under level 2; raise the limit only when it is understood; what was published stays up"
    )


def accepted(kilde, day):
    rows = {"krav": {"rader": 12, "refused": 0, "removed": 0, "oere": 0, "failing": {}}}
    said = {"type": "full", "uttrekkstidspunkt": f"{day}T23:00:00+01:00", "manifest_sha256": "0" * 64, "filer": {}}
    return Accepted.model_validate_json(json.dumps({"kilde": kilde, "leveransenummer": 3, "receipt": rows, **said}))


def test_each_source_has_its_age_and_its_own_limit():
    used = {"mva": [accepted("mva", "2026-11-22")], "skatt": [accepted("skatt", "2026-11-20")]}
    limits = pages.age_limits(used, Operations(sources={"mva": Source(max_age_days=9)}), 3)
    assert lines(pages.of_sources(used, S, limits)) == [
        ["skatt", "000003 (full)", "2026-11-20 23:00", "3", "3", "12"],
        ["mva", "000003 (full)", "2026-11-22 23:00", "1", "9", "12"],
    ]


def test_the_largest_loss_and_the_totals_that_differ_come_first():
    said, before = {"mva": {"part": 5, "krav": 90}}, {"mva": {"part": 5, "krav": 100}, "gone": {"krav": 1}}
    assert lines(pages.of_rows(said, before, 0.2)) == [
        ["mva", "krav", "100", "90", "10.00%", "20.00%"],
        ["mva", "part", "5", "5", "0.00%", "20.00%"],
    ]
    totals = pages.of_totals({"a": 1, "b": 2}, {"a": 1, "b": 5})
    assert lines(totals) == [["b", "2", "5", "3"], ["a", "1", "1", "0"]]


# pictures

NIGHT = OneNight(S, True, 0.002, 5, {"accept": 1.0, "check": 2.0})


def bars(text):
    """How long the bars of a small picture are."""
    svg = base64.b64decode(text.partition("base64,")[2].rstrip(")")).decode()
    return [int(long) for long in re.findall(r"h([0-9]+)M|h([0-9]+)'", svg) for long in long if long], svg


def test_a_small_picture_is_shown_at_once_whatever_there_is_to_show():
    text = plots.small({f"kravgruppe <{n}>": 1000.0 - n for n in range(30)}, "told")
    assert len(text) < plots.INLINE
    assert "kravgruppe &lt;0&gt;" in bars(text)[1]


def test_bars_are_as_long_as_their_values():
    assert bars(plots.small({"a": 200.0, "b": -100.0, "c": 0.0}, "told"))[0] == [180, 90, 0]
    assert bars(plots.small({}, "told"))[0] == []


@pytest.mark.parametrize("nights", [[], [NIGHT], [NIGHT] * 14])
def test_the_large_picture_is_whole_and_small_enough_for_an_event(nights):
    debts = Debts({f"gruppe {n}": 10.0 * n for n in range(11)}, {"not due": -5.0, "older": 7.0})
    text = plots.markdown(plots.of_the_night(debts, nights, 0.01), "told")
    svg = bars(text)[1]
    ElementTree.fromstring(svg)  # noqa: S314 - our own
    assert len(text) < 60_000
    assert svg.count("<rect") > len(nights) * 4
