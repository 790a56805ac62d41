"""``docs/refusals.md`` tells of every code, and of no other, what ``schemas.runbook`` does."""

import re
from pathlib import Path

from schemas.refusals import RUN, SENTENCES, TO_DO
from schemas.runbook import CURES, TRIGGERS, to_do

PAGE = Path(__file__).parent.parent / "docs" / "refusals.md"


def rows():
    """The page's rows: code, what triggers it, what to do; no cell of what to do where the table has none."""
    lines = re.findall(r"^\| `([A-Z0-9-]+)` \| (.*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [(code, [cell.strip() for cell in f"{cells} ".split(" | ")]) for code, cells in lines]


def test_the_page_has_every_code_once():
    assert sorted(code for code, _ in rows()) == sorted(SENTENCES)


def test_the_page_says_what_checks_and_messages_quote():
    assert {code: cells[0] for code, cells in rows()} == TRIGGERS
    assert {code: cells[1] for code, cells in rows() if cells[1:] and cells[1]} == CURES


def test_there_is_something_to_do_about_every_code():
    assert set(TO_DO) == set(RUN)
    assert [code for code in SENTENCES if not to_do(code)] == []
    assert to_do("L1-SHA256") == "often a copy cut short: copy again"
    assert to_do("L1-ROWS").startswith("have the source send the delivery again")
    assert to_do("of-a-later-program") == ""
