"""Documents for a person: indented, every number as it is written, and of the liveliest overview a page."""

import io
import json
import sys

import pytest

from cli import pretty
from cli.pretty import indented

DOCUMENT = '{"a":[],"b":{},"c":[{"d":-12.00,"e":"x: {[,]} \\" æ"},{"d":0.10}],"f":true}'


def test_indented_as_a_person_reads_it_and_nothing_else_changed():
    text = indented(DOCUMENT)
    assert json.loads(text) == json.loads(DOCUMENT)
    assert text.splitlines()[:6] == ["{", '  "a": [],', '  "b": {},', '  "c": [', "    {", '      "d": -12.00,']


def overview(part, claims, unplaced=0):
    return json.dumps(
        {
            "forespurtPart": part,
            "aapentKravMedGjenstaaendeBeloep": [{"n": n} for n in range(claims)],
            "innbetalingMedUplassertBeloep": [{"n": n} for n in range(unplaced)],
        },
        separators=(",", ":"),
    )


@pytest.fixture
def printed(monkeypatch, capsys):
    def run(*overviews):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(overviews).encode())))
        monkeypatch.setattr(sys, "argv", ["pretty", "data/home"])
        pretty.main()
        return capsys.readouterr().out.splitlines()

    return run


def test_a_page_of_the_liveliest_overview_and_how_to_see_the_rest(printed):
    lines = printed(overview("A", 1), overview("B", 9, 1), overview("C", 90, 1))
    assert '  "forespurtPart": "B",' in lines
    assert len(lines) == 1 + pretty.PAGE + 1
    assert lines[-1] == "… 13 more lines: kravoversikt get oversikt B --pretty --home data/home"


def test_a_short_overview_is_all_there(printed):
    assert [line for line in printed(overview("A", 0)) if "more" in line] == []


def test_without_documents(printed):
    with pytest.raises(SystemExit, match="there are no documents"):
        printed()
