"""What is new since a snapshot, and why a night makes every part's documents anew: each reason by itself."""

import pytest

from schemas.snapshot import beyond
from tests.manifests import accepted, manifest
from transforms.ledgers.changes import why_all

FIRST, CHANGE = accepted("mva", 1, type="full"), accepted("mva", 2)
BEFORE = manifest([FIRST, CHANGE], code="a")


@pytest.mark.parametrize(
    ("before", "code", "used", "damaged", "why"),
    [
        (BEFORE, "a", [FIRST, CHANGE], [], None),
        (BEFORE, "a", [FIRST, CHANGE, accepted("mva", 3)], [], None),
        (None, "a", [FIRST], [], "nothing is published"),
        (BEFORE, "b", [FIRST, CHANGE], [], "another"),
        (BEFORE, "a", [FIRST, CHANGE], ["documents/a.zst"], "1 files"),
        (BEFORE, "a", [FIRST], [], "new full"),  # fewer than before: the change is lost
        (BEFORE, "a", [accepted("mva", 3, type="full")], [], "new full"),
        (BEFORE, "a", [FIRST, CHANGE, accepted("skatt", 1, type="full")], [], "new full"),
    ],
)
def test_why_every_part_is_built(before, code, used, damaged, why):
    told = why_all(before, {"code": code}, used, damaged)
    assert told is None if why is None else why in told


def test_what_is_new_are_the_deliveries_that_the_snapshot_did_not_use():
    new = [accepted("mva", 3), accepted("skatt", 2)]
    assert beyond([FIRST, CHANGE, *new], BEFORE.used) == new
    assert beyond([FIRST, CHANGE], BEFORE.used) == []
