"""What the compiled loops write is what the standard library would."""

import itertools
import json
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.rules.money import kroner
from transforms.text.json_text import (
    Listed,
    Texts,
    amount,
    array,
    day,
    document,
    flag,
    fragment,
    histories_of,
    obj,
    objects_of,
    text,
    texts_of,
    with_amount,
)

pytestmark = pytest.mark.usefixtures("fenced_loops")

ROW = document(
    text("navn", "navn"),
    obj("inni", text("kid", "kid", optional=True), day("start", "start", optional=True)),
    day("dato", "dato"),
    amount("beloep", "beloep"),
    flag("ja", "ja"),
)
ROWS = st.fixed_dictionaries(
    {
        "navn": st.text(
            st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\/\n\x00\x1f\x7fæ€😀'), max_size=40
        ),
        "kid": st.none() | st.text("0123456789", max_size=25),
        "start": st.none() | st.dates(),
        "dato": st.dates(),
        "beloep": st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-99999, 99999),
        "ja": st.booleans(),
    }
)
SCHEMA = {
    "navn": pl.String,
    "kid": pl.String,
    "start": pl.Date,
    "dato": pl.Date,
    "beloep": pl.Int64,
    "ja": pl.Boolean,
}


def each(texts):
    return [texts.data[start:end].tobytes().decode() for start, end in zip(texts.ends, texts.ends[1:], strict=False)]


def plain(row):
    midnight = "T00:00:00.000Z"
    inner = {"kid": row["kid"], "start": row["start"] and f"{row['start']}{midnight}"}
    fields = {
        "navn": row["navn"],
        "inni": {name: value for name, value in inner.items() if value is not None},
        "dato": f"{row['dato']}{midnight}",
        "beloep": "AMOUNT",
        "ja": row["ja"],
    }
    compact = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return compact.replace(',"beloep":"AMOUNT",', f',"beloep":{kroner(row["beloep"])},')


@given(st.lists(ROWS, max_size=20), st.integers(0, 3))
def test_objects(rows, skipped):
    frame = pl.DataFrame(rows, schema=SCHEMA)[skipped:]
    assert each(objects_of(ROW, frame)) == [plain(row) for row in rows[skipped:]]


@pytest.mark.parametrize(
    ("field", "longest"),
    [
        (text("t", "value"), "\x1b" * 1_000),
        (day("t", "value"), date(9999, 12, 31)),
        (amount("t", "value"), -(2**63) + 1),
        (amount("t", "value"), -(10**30)),
        (flag("t", "value"), False),
    ],
)
def test_the_longest_values_have_room(field, longest):
    """As much as a row can take, so often that what other fields leave of their room is too little for it."""
    dtype = pl.Int128 if isinstance(longest, int) and not isinstance(longest, bool) else None
    written = each(objects_of(document(*[field] * 100), pl.DataFrame({"value": pl.Series([longest] * 3, dtype=dtype)})))
    assert len(written) == 3 and all(json.loads(one) for one in written)


@given(st.lists(st.integers(-(10**30), 10**30), min_size=1))
def test_amounts_of_any_size(sums):
    frame = pl.DataFrame({"sum": sums}, schema={"sum": pl.Int128})
    assert each(objects_of(document(amount("sum", "sum")), frame)) == [f'{{"sum":{kroner(oere)}}}' for oere in sums]


def test_a_null_that_must_not_be():
    with pytest.raises(ValueError, match="navn is null in 1 rows"):
        objects_of(document(text("navn", "navn")), pl.DataFrame({"navn": ["a", None]}))


NAMES = objects_of(fragment(text("navn", "navn")), pl.DataFrame({"navn": ["a", "b", "c"]}))


def test_rows_list_texts_in_any_order_and_one_text_in_many():
    some = Listed(NAMES, np.array([0, 2, 1, 2]), np.array([0, 1, 1, 4]))
    none = Listed(NAMES, np.array([], np.int64), np.zeros(4, np.int64))
    parents = pl.DataFrame({"tall": [1, 2, 3]})
    shape = fragment(array("a", "a"), amount("n", "tall"), array("b", "b"), array("c", "c"))
    assert each(objects_of(shape, parents, a=some, b=none, c=some)) == [
        ',{"a":[{"navn":"a"}],"n":0.01,"b":[],"c":[{"navn":"a"}]}',
        ',{"a":[],"n":0.02,"b":[],"c":[]}',
        ',{"a":[{"navn":"c"},{"navn":"b"},{"navn":"c"}],"n":0.03,"b":[],"c":[{"navn":"c"},{"navn":"b"},{"navn":"c"}]}',
    ]


@pytest.mark.parametrize("which", [[3], [0, -1]])
def test_a_text_that_is_not_there_cannot_be_shown(which):
    with pytest.raises(ValueError, match="not there"):
        Listed(NAMES, np.array(which), np.array([0, len(which)]))


def test_lists_are_of_as_many_rows():
    with pytest.raises(ValueError, match="as many rows"):
        objects_of(
            document(array("a", "a")), pl.DataFrame({"n": [1, 2]}), a=Listed(NAMES, np.array([0]), np.array([0, 1]))
        )


def test_a_history_is_words_and_then_posts():
    days = [date(2026, 1, 2), date(1969, 12, 31), date(2026, 3, 4)]
    since = np.array([(one - date(1970, 1, 1)).days for one in days], np.int32)
    posts = Listed(texts_of(pl.Series([",{1}", ",{22}"])), np.array([0, 1, 1]), np.array([0, 2, 2, 3]))
    histories = histories_of(posts, since)
    words = [(int(since[0]) << 32) + 4, (int(since[1]) << 32) + 9, (int(since[2]) << 32) + 5]
    first, second, third = (word.to_bytes(8, "little", signed=True) for word in words)
    expected = [first + second + b",{1},{22}", b"", third + b",{22}"]
    ends = histories.ends
    assert [histories.data[s:e].tobytes() for s, e in itertools.pairwise(ends)] == expected


KRAV = texts_of(pl.Series([',{"a":1.00,"renter":0.00,"b":"x"}', ',{"renter":-12.00,"b":"\\"renter\\":5.00"}']))


def test_another_amount_in_a_field():
    changed = with_amount(KRAV, "renter", pl.Series([0, -1200]), pl.Series([123456, 0]))
    assert each(changed) == [',{"a":1.00,"renter":1234.56,"b":"x"}', ',{"renter":0.00,"b":"\\"renter\\":5.00"}']


@pytest.mark.parametrize(
    ("name", "before"), [("renter", [0, -120]), ("renter", [0, -12000]), ("rente", [0, -1200]), ("a", [100, 0])]
)
def test_a_field_that_is_not_what_it_was(name, before):
    with pytest.raises(ValueError, match="is not there, or another amount"):
        with_amount(KRAV, name, pl.Series(before), pl.Series([1, 1]))


def test_texts_cannot_be_written_to():
    texts = Texts(np.zeros(1, np.uint8), np.array([0, 1]))
    with pytest.raises(ValueError, match="read-only"):
        texts.data[0] = 1
