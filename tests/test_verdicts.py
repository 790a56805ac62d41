"""Ledgers near the edge of being refused (CONTRACT 2.2.2 to 2.2.5): what is just good, and how far what is bad reaches.

``test_every_code`` has every code by itself.
"""

import pytest

from tests.nights import S
from tests.plain.numbers import national_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.test_every_code import COMPANY, DAY, ENK, GOOD, STRANGER, deliver, found, known, refused
from transforms.night import Night
from transforms.run import Settings

pytestmark = pytest.mark.slow


def test_what_is_just_good(nights):
    """A due date of 0 fits any krav, and any due dates a krav of 0; all placed is not too much."""
    just_good = [
        *(krav("K2", COMPANY, 5), kravforfall("F2", "K2", 5, DAY), kravforfall("F3", "K2", 0, DAY)),
        *(krav("C2", COMPANY, -5), kravforfall("FC2", "C2", -5, DAY), kravforfall("FC3", "C2", 0, DAY)),
        *(krav("K3", COMPANY, 0), kravforfall("F4", "K3", 7, DAY), kravforfall("F5", "K3", -7, DAY)),
        plassering("P2", "MOTKRAV", "F2", "FC2", 5),
    ]
    deliver(nights, *map(known, [*GOOD, *just_good]))
    assert found(nights).is_empty()


NEW_KRAV = [krav("K2", COMPANY, 10), kravforfall("F2", "K2", 10, DAY)]
NEW_CREDIT = [krav("C2", COMPANY, -50), kravforfall("FC2", "C2", -50, DAY)]
JUST_BAD = {
    # in a ledger that else is good: the rows refused, each with its code
    "a credit with a due date that is a debit": (
        [krav("C2", COMPANY, -5), kravforfall("FC2", "C2", -6, DAY), kravforfall("FC3", "C2", 1, DAY)],
        {"C2": "L2-CLAIM-SIGN", "FC2": "L2-CLAIM-OF-REFUSED", "FC3": "L2-CLAIM-OF-REFUSED"},
    ),
    "a krav refused for its part is not there for its due date": (
        [krav("K2", STRANGER, 5), kravforfall("F2", "K2", 5, DAY)],
        {"K2": "L2-PART-UNKNOWN", "F2": "L2-CLAIM-UNKNOWN"},
    ),
    "a due date of the other sign": (
        [plassering("P2", "INNBETALING", "FC", "I", 1), plassering("P3", "UTBETALING", "F", "U", 1)],
        {"P2": "L2-PLACEMENT-DUE-DATE", "P3": "L2-PLACEMENT-DUE-DATE"},
    ),
    "nothing can be taken from a due date of 0, though it may be covered": (
        [
            *(*NEW_KRAV, krav("C2", COMPANY, 0), kravforfall("FC2", "C2", 0, DAY)),
            *(plassering("P2", "MOTKRAV", "F2", "FC2", 1), plassering("P3", "INNBETALING", "FC2", "nobody's", 1)),
        ],
        {"P2": "L2-PLACEMENT-MOTPOST", "P3": "L2-PLACEMENT-MOTPOST"},
    ),
    "what a refused placement has placed does not count": (
        [plassering("P2", "INNBETALING", "F", "nobody's", 1000)],
        {"P2": "L2-PLACEMENT-MOTPOST"},
    ),
    "an øre too much": (
        [*NEW_KRAV, plassering("P2", "INNBETALING", "F2", "I", 5), plassering("P3", "INNBETALING", "F2", "I", "5.01")],
        {"P2": "L2-PLACEMENT-OVER", "P3": "L2-PLACEMENT-OVER"},
    ),
    "too much at both ends is told once": (
        [*NEW_KRAV, innbetaling("I2", COMPANY, 10), plassering("P2", "INNBETALING", "F2", "I2", 11)],
        {"P2": "L2-PLACEMENT-OVER"},
    ),
    "a credit that is paid out and used for more than it is": (
        [
            *(*NEW_KRAV, *NEW_CREDIT, utbetaling("U2", COMPANY, 45)),
            *(plassering("P2", "UTBETALING", "FC2", "U2", 45), plassering("P3", "MOTKRAV", "F2", "FC2", 6)),
        ],
        {"P2": "L2-PLACEMENT-OVER", "P3": "L2-PLACEMENT-OVER"},
    ),
    "a payout of more than it is": (
        [*NEW_CREDIT, utbetaling("U2", COMPANY, 30), plassering("P2", "UTBETALING", "FC2", "U2", 31)],
        {"P2": "L2-PLACEMENT-OVER"},
    ),
}


@pytest.mark.parametrize("case", JUST_BAD)
def test_what_is_just_bad(nights, case):
    said, expected = JUST_BAD[case]
    deliver(nights, *GOOD, *said)
    assert sorted((key, code) for _, key, code in refused(nights)) == sorted(expected.items())


def test_keys_of_two_sources(nights):
    """A key is refused in all when one row of it is refused; the same key in another table is another key."""
    owner = national_number(2)
    without_key = innbetaling(None, COMPANY, 5)
    both = [innbetaling("SAME", COMPANY, 5), innbetaling("STRANGER'S", STRANGER, 5)]
    of_mva = [innbetaling("I2", COMPANY, 5), innbetaling("I3", COMPANY, 5), without_key, part(owner)]
    deliver(nights, *map(known, GOOD), *both, *of_mva)
    of_skatt = [innbetaling("I2", COMPANY, 0), innbetaling("I3", COMPANY, 6), utbetaling("SAME", COMPANY, 0)]
    deliver(nights, *both, *of_skatt, part(owner, "PERSON"), part(ENK, "ENK", owner), kilde="skatt")
    night = Night(Settings(nights.inbox, nights.home, S, "0001", memory="500MB"))
    night.do("accept")
    counts = night.do("check").counts
    night.finish()
    told = nights.findings().select("nivaa", "tabell", "noekkel", "kode").rows()
    assert sorted((row[1:] for row in told if row[0] == 2), key=str) == sorted(
        [
            ("part", None, "L2-KEY-SOURCES"),
            ("part", None, "L2-VALUE-NUMBER"),
            ("part", None, "L2-PART-OWNER"),
            ("innbetaling", None, "L2-VALUE-NULL"),
            ("innbetaling", "I2", "L2-KEY-SOURCES"),
            ("innbetaling", "I2", "L2-VALUE-POSITIVE"),
            ("innbetaling", "I3", "L2-KEY-SOURCES"),
            ("innbetaling", "I3", "L2-KEY-SOURCES"),
            ("innbetaling", "STRANGER'S", "L2-PART-UNKNOWN"),
            ("innbetaling", "STRANGER'S", "L2-PART-UNKNOWN"),
            ("utbetaling", "SAME", "L2-VALUE-POSITIVE"),
        ],
        key=str,
    )
    assert counts.rows["innbetaling"] == 10
    assert counts.posts["innbetaling"] == 2
    assert counts.from_two_sources == 2
