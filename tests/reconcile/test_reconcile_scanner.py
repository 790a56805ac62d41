"""The walk over stored text, with steps of a small grammar: ``,{"<name>":<amount>}``, again and again."""

import numpy as np
import pytest

from transforms.reconcile.scanner import AMOUNT, DONE, ITEM, SUM, Documents, Steps, no_sums, scan

pytestmark = pytest.mark.usefixtures("fenced_loops")

NAME = b"a" * 60
"""As an item has at least 64 bytes in a document."""
BEFORE, AFTER = b',{"' + NAME + b'":', b"}"


def of(amount):
    return BEFORE + amount + AFTER


def steps(amount):
    """An item, the name and the amount, the end: as (begin and end of the literal, kind, field)."""
    end = len(BEFORE)
    rows = [(0, 1, ITEM, 0), (1, end, amount, 1), (end, end + 1, DONE, 0)]
    literal, literal_end, kind, field = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    none = np.zeros(len(rows), np.int64)
    return Steps(np.frombuffer(BEFORE + AFTER, np.uint8), literal, literal_end, kind, field, none, none - 1)


def walked(*documents, amount=AMOUNT):
    """``documents``: the pieces of each. Returns which are refused, and what stands in the others."""
    bodies = [memoryview(b"".join(pieces)) for pieces in documents]
    ends = np.array([end for pieces in documents for end in np.cumsum([len(piece) for piece in pieces])])
    numbers, days = (
        np.arange(1, len(documents) + 1),
        [10 * n for pieces in documents for n in range(1, 1 + len(pieces))],
    )
    counts = np.array([len(pieces) for pieces in documents])
    sums = no_sums(2)
    refused, items, amounts = scan(bodies, Documents(numbers, counts, ends, np.array(days)), steps(amount), sums)
    return refused.tolist(), items, amounts, sums


def test_pieces_that_read_as_they_must():
    refused, items, amounts, _ = walked([of(b"1.50"), of(b"-2.05")], [of(b"0.00")])
    assert refused == [False, False]
    assert items.part.tolist() == [1, 1, 2]
    assert items.day.tolist() == [10, 20, 10]
    assert amounts.item.tolist() == [0, 1, 2]
    assert amounts.low.tolist() == [150, -205, 0]
    assert amounts.field.tolist() == [1, 1, 1]


def test_amounts_that_are_added_up():
    _, items, amounts, sums = walked([of(b"1.50"), of(b"-2.05"), of(b"-1.00")], amount=SUM)
    assert (len(items.part), len(amounts.low)) == (3, 0)
    assert sums.antall.sum() == 0  # as these items are nobody's: only the document's own are added up


@pytest.mark.parametrize(
    "piece",
    [b"", of(b"1.5"), of(b"1.50")[:-1], of(b"1.50")[1:], of(b"1.50") + AFTER, of(b"1.50").replace(b"aa", b"ab", 1)],
)
def test_a_piece_that_does_not_takes_its_document_with_it(piece):
    refused, items, amounts, _ = walked([of(b"1.00"), piece], [of(b"2.00")])
    assert refused == [True, False]
    assert items.part.tolist() == [2]
    assert amounts.low.tolist() == [200]


def test_a_piece_ends_where_it_is_said_to():
    """Though the text goes on as it may, and ends with the last."""
    cut_early = [of(b"1.00")[:-1], AFTER + of(b"2.00")]
    refused, _, _, _ = walked([of(b"1.00") * 2], cut_early, [of(b"1.00")])
    assert refused == [True, True, False]


def test_amounts_of_more_digits_than_64_bits_hold():
    _, _, amounts, _ = walked([of(b"-" + b"9" * 28 + b".99")])
    assert int(amounts.high[0]) * 10**18 + int(amounts.low[0]) == -(10**30 - 1)


def test_documents_that_are_not_those_of_the_bodies():
    one = np.ones(1, np.int64)
    with pytest.raises(ValueError, match="not those of the bodies"):
        scan([memoryview(b"{}")] * 2, Documents(one, one, one, one), steps(AMOUNT), no_sums(2))
    with pytest.raises(ValueError, match="not those of the bodies"):
        scan([memoryview(b"{}")], Documents(one, 2 * one, one, one), steps(AMOUNT), no_sums(2))


def test_no_documents():
    refused, items, amounts, sums = walked(amount=SUM)
    assert refused == [] and not len(items.part) and not len(amounts.low) and not sums.antall.any()
