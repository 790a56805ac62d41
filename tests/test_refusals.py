"""``docs/refusals.md`` tells of every code, and of no other."""

import re
from pathlib import Path

from schemas.refusals import REPORT, REPORT_TO_DO, RUN, SENTENCES, TO_DO

PAGE = Path(__file__).parent.parent / "docs" / "refusals.md"


def test_the_page_has_every_code_once():
    told = re.findall(r"^\| `([A-Z0-9-]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(SENTENCES)


def test_the_page_and_the_summary_say_the_same_of_what_to_do():
    told = re.findall(r"^\| `(L3-[A-Z-]+)` \|.*\| ([^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert dict(told) == TO_DO
    assert set(TO_DO) == set(RUN)


def test_it_is_known_what_to_do_about_every_report():
    assert set(REPORT_TO_DO) == set(REPORT)
