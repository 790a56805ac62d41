"""What is read back of stored text is what ``json`` reads in it, and text that is anything else is refused."""

import json
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.documents import DOCUMENTS, LISTS
from schemas.store import END_BITS, EPOCH_ORDINAL, KINDS, frame_reader
from tests.conftest import examples
from tests.plain.ledger import part_documents
from tests.plain.strategies import KRAVTYPER, RATES, SNAPSHOT_DATE, good_ledgers
from transforms.reconcile.grammar import GRAMMARS, POSTS
from transforms.reconcile.read_back import number_of, read

pytestmark = pytest.mark.usefixtures("fenced_loops")

PART = "123456785"
MODELS = {kind: model.__name__ for kind, model in POSTS.items()}
HISTORIES = tuple(LISTS)


def history(posts):
    """The stored form of posts, each its day and its JSON."""
    words, text = b"", b""
    for day, post in posts:
        text += b"," + post
        words += (((day.toordinal() - EPOCH_ORDINAL) << END_BITS) + len(text)).to_bytes(8, "little", signed=True)
    return words + text, len(posts)


def read_frames(kind, frames):
    """What is read of frames. ``frames``: part, content and number of posts."""
    packed = [zstandard.compress(content) for _, content, _ in frames]
    index = pl.DataFrame(
        {
            "part": [part for part, _, _ in frames],
            f"{kind}_offset": [sum(map(len, packed[:place])) for place in range(len(packed))],
            f"{kind}_length": [
                len(frame) if content else 0 for frame, (_, content, _) in zip(packed, frames, strict=True)
            ],
            f"{kind}_antall": [antall for _, _, antall in frames],
        },
        schema_overrides={"part": pl.String},
    )
    return read(b"".join(packed), index, kind, frame_reader([]))


def number(part):
    return int(f"1{part}")


def digits(day):
    return int(day[:10].replace("-", ""))


def oere(amount):
    return int(str(amount).replace(".", ""))  # exact, however many digits


def loads(text):
    return json.loads(text, parse_float=Decimal)


# what it reads


ledgers = good_ledgers(big_amounts=True).map(lambda rows: part_documents(rows, SNAPSHOT_DATE, RATES, KRAVTYPER))


@settings(max_examples=examples(60))
@given(ledgers)
def test_the_posts_of_histories(parts):
    for kind in HISTORIES:
        frames = [
            (part, *history([(day, post.encode()) for day, post in of.histories[kind]])) for part, of in parts.items()
        ]
        found = read_frames(kind, frames)
        expected = [
            (
                MODELS[kind],
                number(part),
                number(loads(post)["part"]),
                int(f"{day:%Y%m%d}"),
                day.toordinal() - EPOCH_ORDINAL,
            )
            for part, of in parts.items()
            for day, post in of.histories[kind]
        ]
        assert found.refused == 0
        assert found.items.select("model", "part", "whose", "dato", "day").rows() == expected
        texts = [post for of in parts.values() for _, post in of.histories[kind]]
        assert found.items["key"].n_unique() == len(set(texts))


def amounts_in(model, value):
    """The amounts in an object or a list of the model, each as field and øre, in order."""
    if isinstance(value, list):
        return [one for element in value for one in amounts_in(model, element)]
    found = []
    for name, field in value.items():
        if isinstance(field, Decimal):
            found.append((f"{model}.{name}", oere(field)))
        elif isinstance(field, dict | list):
            found += amounts_in(NESTED.get(name, name), field)
    return found


NESTED = {
    "kravforfall": "Kravforfall",
    "plassertInnbetaling": "PlassertInnbetaling",
    "plassertMotkrav": "PlassertMotkrav",
    "plassertInnbetalingMotKrav": "PlassertInnbetalingMotKrav",
    "grunnlagForUtbetaling": "GrunnlagForUtbetaling",
    "aapentKravMedGjenstaaendeBeloep": "Krav",
    "innbetalingMedUplassertBeloep": "Innbetaling",
    "totalOversikt": "TotalOversikt",
    "oversiktPerKravgruppe": "OversiktPerKravgruppe",
}
"""The models of what is nested, by the field that it stands in."""


@settings(max_examples=examples(60))
@given(ledgers)
def test_the_sums_of_histories(parts):
    """Of what is the part's own, those below 0 by themselves."""
    for kind in HISTORIES:
        frames = [
            (part, *history([(day, post.encode()) for day, post in of.histories[kind]])) for part, of in parts.items()
        ]
        own = [
            amount
            for part, of in parts.items()
            for _, post in of.histories[kind]
            if loads(post)["part"] == part
            for amount in amounts_in(MODELS[kind], loads(post))
        ]
        for field, below, antall, summed in (
            read_frames(kind, frames).sums.select("field", "below", "antall", "oere").rows()
        ):
            some = [value for name, value in own if name == field and (value < 0) == below]
            assert (antall, summed) == (len(some), sum(some)), field
        assert {name for name, _ in own} <= set(GRAMMARS[kind].fields)


@settings(max_examples=examples(60))
@given(ledgers)
def test_overviews(parts):
    found = read_frames("oversikt", [(part, of.oversikt.encode(), 1) for part, of in parts.items()])
    overviews = {part: loads(of.oversikt) for part, of in parts.items()}
    assert found.refused == 0
    assert found.items.filter(model="Oversikt")["whose"].to_list() == [number(part) for part in parts]
    assert found.amounts.select("field", "oere").rows() == [
        amount for overview in overviews.values() for amount in amounts_in("Oversikt", overview)
    ]
    dues = [
        (number(part), number(krav["part"]), digits(due["forfallsdato"]), oere(due["gjenstaaendeBeloep"]))
        for part, overview in overviews.items()
        for krav in overview["aapentKravMedGjenstaaendeBeloep"]
        for due in krav["kravforfall"]
    ]
    remaining = found.amounts.filter(field="Kravforfall.gjenstaaendeBeloep")
    of_items = found.items[remaining["item"]].select("part", "whose")
    assert of_items.with_columns(remaining["forfall"], remaining["oere"]).rows() == dues
    names = [
        item["kravgruppe"]
        for overview in overviews.values()
        for item in overview["aapentKravMedGjenstaaendeBeloep"] + overview["oversiktPerKravgruppe"]
    ]
    gruppe = found.items.filter(pl.col("model").is_in(["Krav", "OversiktPerKravgruppe"]))["gruppe"].to_list()
    assert len(set(zip(names, gruppe, strict=True))) == len(set(names)) == len(set(gruppe))


# what it refuses

UTBETALING = (
    '{"part":"123456785","utbetalingsbeskrivelse":"Å \\"b\\u001f","utbetaltdato":"2023-04-01T00:00:00.000Z",'
    '"utbetaltBeloep":500.00,"betaltTil":{"kidnummer":"1","konto":{"iban":"2"}},"utbetalingIdentifikator":"U",'
    '"grunnlagForUtbetaling":[{"dekketKrav":"K","kravIdentifikator":"C","kravtype":"Skatt",'
    '"kravperiode":{"slutt":"2023-04-01T00:00:00.000Z"},"opprinneligBeloep":-800.00,"gjenstaaendeBeloep":0.00}]}'
)
DAY = date(2023, 4, 1)


def refused(kind, *frames):
    return read_frames(kind, [(PART, *frame) for frame in frames]).refused


def refused_utbetaling(*posts):
    return refused("utbetalinger", history([(DAY, post) for post in posts]))


def test_what_is_right_is_not_refused():
    assert refused_utbetaling(UTBETALING.encode(), UTBETALING.encode()) == 0


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        # fields
        ('"utbetaltdato"', '"utbetaltDato"'),
        ('"utbetaltdato":"2023-04-01T00:00:00.000Z",', ""),
        ('"utbetaltBeloep":500.00', '"utbetaltBeloep":500.00,"utbetaltBeloep":500.00'),
        ('"kidnummer":"1","konto":{"iban":"2"}', '"konto":{"iban":"2"},"kidnummer":"1"'),
        ('"konto":{"iban":"2"}', '"konto":null'),
        ('{"iban":"2"}', '{,"iban":"2"}'),
        ('{"iban":"2"}', '{"iban":"2",}'),
        ('{"iban":"2"}', '{"iban":"2","swift":"3"}'),
        (',"utbetalingsbeskrivelse"', '"utbetalingsbeskrivelse"'),
        ('"betaltTil":{', '"betaltTil": {'),
        # amounts
        ("500.00", "500"),
        ("500.00", "500."),
        ("500.00", "500.0"),
        ("500.00", "500.000"),
        ("500.00", "0500.00"),
        ("500.00", "00.00"),
        ("500.00", "+500.00"),
        ("500.00", "--500.00"),
        ("500.00", "-0.00"),
        ("500.00", ".50"),
        ("500.00", "-.50"),
        ("500.00", "5e2"),
        ("500.00", '"500.00"'),
        ("500.00", "5 00.00"),
        ("500.00", "1" * 29 + ".00"),
        # days and parts
        ("2023-04-01T00:00:00.000Z", "2023-04-01"),
        ("2023-04-01T00:00:00.000Z", "2023-04-01T00:00:00.000+"),
        ("2023-04-01T", "2023-4-01T"),
        ("2023-04-01T", "20230-4-01T"),
        ("123456785", "12345678"),
        ("123456785", "1234567850"),
        ("123456785", "123456785012"),
        ("123456785", "12345678a"),
        # texts
        ('"U"', '"U'),
        ('"U"', '"U"U"'),
        ('"U"', '"U\\"'),
        ('"U"', '"\\x"'),
        ('"U"', '"\\u12g4"'),
        ('"U"', '"\n"'),
        ('"U"', '"\0"'),
        # lists
        ("}]}", "},]}"),
        ("}]}", "}}"),
        ("}]}", "}]"),
        ("}]}", "}]}}"),
        ("}]}", "}] }"),
    ],
)
def test_a_post_that_is_not_as_its_model(was, becomes):
    assert UTBETALING.count(was)
    assert refused_utbetaling(UTBETALING.replace(was, becomes).encode()) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(b"\x80", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xe2(\xa1", b"\xf0\x9f\x98"),  # cut off
        *(b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf"),  # longer than need be
        *(b"\xed\xa0\x80", b"\xed\xbf\xbf"),  # surrogates
        *(b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff"),  # past the last character
    ],
)
def test_a_text_that_is_not_utf_8(text):
    assert refused_utbetaling(UTBETALING.encode().replace(b'"U"', b'"' + text + b'"')) == 1


@pytest.mark.parametrize(
    "text", ["\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"]
)
def test_a_text_that_is_utf_8(text):
    assert refused_utbetaling(UTBETALING.replace('"U"', f'"{text}"').encode()) == 0


def test_a_document_refused_leaves_nothing_of_itself_and_all_of_the_others():
    good, bad = UTBETALING.encode(), UTBETALING[:-1].encode()
    found = read_frames(
        "utbetalinger",
        [
            (PART, *history([(DAY, good)])),
            ("987654321", *history([(DAY, good), (DAY, bad)])),
            (PART, *history([(DAY, good)])),
        ],
    )
    assert found.refused == 1
    assert found.items["part"].to_list() == [number(PART)] * 2


@pytest.mark.parametrize(
    ("words", "antall"),
    [
        pytest.param(lambda word: word + 1, 1, id="past the end"),
        pytest.param(lambda word: word - 1, 1, id="before the end"),
        pytest.param(lambda word: 0, 1, id="at the begin"),
        pytest.param(lambda word: word, 0, id="no words"),
        pytest.param(lambda word: word, 2, id="more words"),
        pytest.param(lambda word: word, 1000, id="more words than there are bytes"),
    ],
)
def test_words_that_are_not_the_texts(words, antall):
    content, _ = history([(DAY, UTBETALING.encode())])
    word = words(int.from_bytes(content[:8], "little"))
    assert refused("utbetalinger", (word.to_bytes(8, "little") + content[8:], antall)) == 1


@pytest.mark.slow
@settings(max_examples=examples(300))
@given(ledgers, st.sampled_from(KINDS), st.data())
def test_whatever_is_not_refused_is_json_of_the_model(parts, kind, data):
    """Any byte may become any other, or go, or come twice."""
    of = next(iter(parts.values()))
    texts = [of.oversikt] if kind == "oversikt" else [post for _, post in of.histories[kind]]
    if not texts:
        return
    text = texts[0].encode()
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(
        st.one_of(
            st.binary(max_size=2), st.sampled_from([text[place : place + 1] * 2, *map(bytes, zip(b'"\\,{}[]:-.0'))])
        )
    )
    text = text[:place] + byte + text[place + 1 :]
    if refused(kind, (text, 1) if kind == "oversikt" else history([(DAY, text)])):
        return
    document = text.decode()
    if kind != "oversikt":
        periode = '{"start":"2023-01-01T00:00:00.000Z","slutt":"2023-12-31T00:00:00.000Z"}'
        document = f'{{"forespurtPart":"{PART}","periode":{periode},"{LISTS[kind]}":[{document}]}}'
    read_by_model = DOCUMENTS[kind].model_validate(loads(document))
    assert repr(read_by_model.model_dump(exclude_none=True)) == repr(loads(document))  # in the model's order


# amounts of any size


@pytest.mark.parametrize(
    "amount", ["9999999999999999.99", "99999999999999999.99", "1" + "0" * 27 + ".01", "9" * 28 + ".99"]
)
def test_amounts_of_more_digits_than_64_bits_hold(amount):
    posts = [UTBETALING.replace("500.00", amount).encode(), UTBETALING.replace("-800.00", f"-{amount}").encode()] * 50
    sums = read_frames("utbetalinger", [(PART, *history([(DAY, post) for post in posts]))]).sums
    paid = sums.filter(pl.col("field") == "Utbetaling.utbetaltBeloep").select("below", "antall", "oere").rows()
    original = sums.filter(pl.col("field") == "GrunnlagForUtbetaling.opprinneligBeloep").select(
        "below", "antall", "oere"
    )
    assert paid == [(False, 100, 50 * oere(Decimal(amount)) + 50 * 500_00), (True, 0, 0)]
    assert original.rows() == [(False, 0, 0), (True, 100, -50 * oere(Decimal(amount)) - 50 * 800_00)]


def test_parts_as_numbers():
    parts = ["012345678", "01234567890", "987654321"]
    assert pl.DataFrame({"part": parts}).select(number_of("part"))["part"].to_list() == [number(part) for part in parts]
