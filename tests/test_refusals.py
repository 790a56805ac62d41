"""``docs/refusals.md`` tells of every code, and of no other."""

import re
from pathlib import Path

from schemas.refusals import SENTENCES

PAGE = Path(__file__).parent.parent / "docs" / "refusals.md"


def test_the_page_has_every_code_once():
    told = re.findall(r"^\| `([A-Z0-9-]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(SENTENCES)
