"""Why a night makes every part's documents anew: each reason by itself."""

import pytest

from schemas.snapshot import Accepted
from transforms.spread.affected import why_all


def delivery(kilde: str, nr: int, type: str = "endring") -> Accepted:
    return Accepted(kilde, nr, type, "2026-11-22T23:00:00+01:00", "", {}, {})


FIRST, CHANGE = delivery("mva", 1, "full"), delivery("mva", 2)
BEFORE = {"made_with": {"code": "a"}, "used": [FIRST.as_json(), CHANGE.as_json()]}


@pytest.mark.parametrize(
    ("manifest", "code", "used", "damaged", "why"),
    [
        (BEFORE, "a", [FIRST, CHANGE], [], None),
        (BEFORE, "a", [FIRST, CHANGE, delivery("mva", 3)], [], None),
        (None, "a", [FIRST], [], "nothing is published"),
        (BEFORE, "b", [FIRST, CHANGE], [], "another"),
        (BEFORE, "a", [FIRST, CHANGE], ["documents/a.zst"], "1 files"),
        (BEFORE, "a", [FIRST], [], "new full"),  # fewer than before: the change is lost
        (BEFORE, "a", [delivery("mva", 3, "full")], [], "new full"),
        (BEFORE, "a", [FIRST, CHANGE, delivery("skatt", 1, "full")], [], "new full"),
    ],
)
def test_why_every_part_is_built(manifest, code, used, damaged, why):
    told = why_all(manifest, {"code": code}, used, damaged)
    assert told is None if why is None else why in told
