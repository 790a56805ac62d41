"""What the sources said for the snapshot that is published: what tonight's rows are held to."""

from schemas.tables import TABLES
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, part
from transforms.check.said import said_before

A, B = organisation_number(1), organisation_number(2)


def test_before_the_first_snapshot_nothing_was_said(small):
    assert said_before(small.settings()) == {}


def test_it_stands_in_the_manifest(small):
    small.publish(part(A), said={"mva": {"part": 7}})
    assert said_before(small.settings()) == {"mva": {"part": 7}}


def test_where_an_earlier_program_did_not_write_it_rows_are_counted_again(small):
    """Of the deliveries that the snapshot used, refused rows too: not of those that have come since."""
    small.deliver(part(A), part(B), innbetaling("I", A, 5), innbetaling("refused", A, 0))
    small.deliver(part(A), kilde="skatt")
    used = small.accept().in_force
    small.deliver(innbetaling("I2", A, 5), nr=2)
    small.publish(part(A), used=used, said=None)
    nothing = dict.fromkeys(TABLES, 0)
    assert said_before(small.settings()) == {
        "mva": {**nothing, "part": 2, "innbetaling": 2},
        "skatt": {**nothing, "part": 1},
    }
