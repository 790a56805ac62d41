"""Which kept files still hold parts that have left the register: counted, never named."""

from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, part
from transforms.ledgers.gone import held_by_deliveries, held_by_snapshot, register

STAYS, LEAVES, REFUSED = (organisation_number(number) for number in range(1, 4))


def test_who_has_left_is_still_in_the_deliveries_until_a_full(small):
    small.deliver(part(STAYS), part(LEAVES), innbetaling("I", LEAVES, 5))
    small.deliver(part(STAYS), kilde="skatt")
    with small.connection() as connection:
        assert register(connection)["part"].sort().to_list() == sorted([STAYS, LEAVES])
    small.deliver(removed=[part(LEAVES)], nr=2)
    used, deliveries = small.accept().in_force, small.settings().deliveries
    with small.connection() as connection:
        known = register(connection)
    assert known["part"].to_list() == [STAYS]
    held = held_by_deliveries(deliveries, used, known)
    assert [(one.folder[: len("deliveries/mva/00000x")], one.parts) for one in held] == [
        ("deliveries/mva/000001", 1),
        ("deliveries/mva/000002", 1),  # which says that it is gone
    ]


def test_a_row_that_is_refused_is_said_and_holds_whom_it_names(small):
    small.deliver(part(STAYS), part(REFUSED) | {"parttype": "none such"}, innbetaling("I", LEAVES, 0))
    used, deliveries = small.accept().in_force, small.settings().deliveries
    with small.connection() as connection:
        known = register(connection)
    assert known["part"].sort().to_list() == sorted([STAYS, REFUSED])
    assert [one.parts for one in held_by_deliveries(deliveries, used, known)] == [1]


def test_what_an_earlier_snapshot_holds(small):
    folder = small.publish(part(STAYS), part(LEAVES))
    small.deliver(part(STAYS))
    with small.connection() as connection:
        held = held_by_snapshot(small.settings().path, folder, register(connection))
    assert (held.folder, held.parts) == (f"snapshots/{folder.name}", 1)
