"""The reconciliation can fail: documents altered after they are built are never published (CONTRACT section 5).

Each case changes the stored bytes themselves, as a fault in serializing, compressing or copying would:
a frame is unpacked, changed, packed again, and the index set right for the new lengths.
"""

import re
import struct
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pytest
import zstandard

from schemas.store import END_BITS, END_MASK, HISTORIES, INDEX_SCHEMA, KINDS, SEGMENTS, frame_reader
from tests.nights import LET_THROUGH, Nights, counts_of, stops_of
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.build import fragments
from transforms.home.snapshot import read_index
from transforms.night import Night
from transforms.receipts import before
from transforms.reconcile.stage import reconcile
from transforms.reconcile.totals import from_documents
from transforms.run import Settings

pytestmark = pytest.mark.slow

S = date(2023, 8, 28)
COMPANY, ENK, OWNER = organisation_number(1), organisation_number(2), national_number(1)

STATEMENT = rows(
    part(COMPANY),
    part(ENK, "ENK", OWNER),
    part(OWNER, "PERSON"),
    krav("K1", COMPANY, 70000, kravtype="Merverdiavgift"),
    kravforfall("F1", "K1", 65000, "2022-04-11"),
    kravforfall("F2", "K1", 5000, "2023-09-11"),
    krav("K2", COMPANY, 900, kravtype="Forskuddstrekk"),
    kravforfall("F3", "K2", 900, "2023-03-15"),
    krav("C", COMPANY, -800, kravtype="Merverdiavgift tilgode"),
    kravforfall("C1", "C", -800, "2023-03-15"),
    krav("K3", OWNER, 400),
    kravforfall("F4", "K3", 400, "2023-09-15"),
    krav("K4", ENK, 333),
    kravforfall("F5", "K4", 333, "2023-01-15"),
    # settled, so that their text stands in histories; that of the others in overviews only
    krav("C2", COMPANY, -700, kravtype="Merverdiavgift tilgode"),
    kravforfall("C3", "C2", -700, "2023-03-15"),
    krav("K5", COMPANY, 3000),
    kravforfall("F6", "K5", 3000, "2023-03-15"),
    krav("K6", COMPANY, 700),
    kravforfall("F7", "K6", 700, "2023-03-15"),
    krav("K7", OWNER, 200),
    kravforfall("F8", "K7", 200, "2023-03-15"),
    innbetaling("I1", COMPANY, 4000, "2023-02-01"),
    innbetaling("I2", OWNER, 150, "2023-02-01"),
    utbetaling("U", COMPANY, 500, "2023-04-01"),
    plassering("P1", "INNBETALING", "F1", "I1", 3500),
    plassering("P2", "MOTKRAV", "F3", "C1", 250),
    plassering("P3", "UTBETALING", "C1", "U", 500),
    plassering("P4", "INNBETALING", "F4", "I2", 100),
    innbetaling("I3", COMPANY, 3000, "2023-02-02"),
    innbetaling("I4", OWNER, 200, "2023-02-02"),
    plassering("P5", "INNBETALING", "F6", "I3", 3000),
    plassering("P6", "MOTKRAV", "F7", "C3", 700),
    plassering("P7", "INNBETALING", "F8", "I4", 200),
)

AMOUNT = re.compile(r'"(\w+)":(-?[0-9]+\.[0-9]{2})')


class Made:
    """A night that has come to its reconciliation, and its documents as they lie in their segments.

    They are built, or redated: of a second night, on which everyone has more that is overdue. Then only the overviews
    are of that night.
    """

    def __init__(self, nights, how):
        nights.inbox.mkdir()
        write_delivery(nights.inbox, "skatt", 1, "full", STATEMENT)
        self.redated = how == "redated"
        if self.redated:
            nights.publish(S, max_age_days=10_000)
        day = S + timedelta(days=23) if self.redated else S
        self.night = Night(Settings(nights.inbox, nights.home, day, "0002", memory="500MB", **LET_THROUGH))
        for stage in before("reconcile"):
            self.night.do(stage)
        assert getattr(counts_of(self.night, "build"), f"{how}_parts") == 3
        self.left = self.night.through("build")
        self.folder = self.night.settings.snapshot(self.left.build.snapshot)
        self.index = read_index(self.folder)
        self.kinds = ("oversikt",) if self.redated else KINDS
        segments = {kind: self.index[of.column].unique().item() for of in SEGMENTS for kind in of.kinds}
        self.paths = {kind: self.folder / "documents" / f"{segments[kind]}.zst" for kind in self.kinds}
        self.stored = {kind: path.read_bytes() for kind, path in self.paths.items()}

    def frame(self, kind, whose):
        """The document's words, empty for an oversikt, and its text."""
        row = self.index.row(by_predicate=pl.col("part") == whose, named=True)
        start, length = row[f"{kind}_offset"], row[f"{kind}_length"]
        content = frame_reader(path.read_bytes() for path in self.paths[kind].parent.glob("*.dict"))
        frame = content(self.stored[kind][start : start + length]) if length else b""
        words = 0 if kind == "oversikt" else 8 * row[f"{kind}_antall"]
        return frame[:words], frame[words:].decode()

    def documents(self):
        return [(kind, whose) for kind in self.kinds for whose in self.index["part"]]

    def store(self, kind, whose, words, text):
        """Stores the document anew, at the end of the segment. ``\\udcff`` in the text stands for the byte FF."""
        body = text.encode("utf-8", "surrogateescape")
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(words + body)
        self.paths[kind].write_bytes(self.stored[kind] + packed)
        here = pl.col("part") == whose
        changed = {"offset": len(self.stored[kind]), "length": len(packed)}
        if kind != "oversikt":
            changed["antall"] = len(words) // 8
        self.write_index(
            self.index.with_columns(
                pl.when(here).then(pl.lit(value, pl.Int64)).otherwise(f"{kind}_{name}").alias(f"{kind}_{name}")
                for name, value in changed.items()
            )
        )

    def write_index(self, index):
        path = self.folder / "documents" / "index.arrow"
        with pa.ipc.new_file(path.with_suffix(".new"), INDEX_SCHEMA) as writer:
            writer.write_table(index.to_arrow().cast(INDEX_SCHEMA))
        path.with_suffix(".new").replace(path)  # the old one stays mapped

    def restore(self):
        for kind, path in self.paths.items():
            path.write_bytes(self.stored[kind])
        self.write_index(self.index)

    def stops(self):
        """The codes that the reconciliation stops the night with, over what is stored now."""
        return self.stops_with(self.left.check)

    def stops_with(self, checked):
        receipt = reconcile(self.night.settings, checked, self.left.spread, self.left.build)
        return {stop.code for stop in receipt.stops}


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    there = {}

    def make(how):
        if how not in there:
            there[how] = Made(Nights(tmp_path_factory.mktemp(how)), how)
        return there[how]

    yield make
    for made in there.values():
        made.night.finish()


@pytest.fixture(params=["built", "redated"])
def made(request, made_once):
    made = made_once(request.param)
    yield made
    made.restore()


@pytest.fixture
def built(made_once):
    """For what is about histories, which nobody makes anew for a new date."""
    made = made_once("built")
    yield made
    made.restore()


def altered(text, place):
    """The text with the digit before the point of its place-th amount changed."""
    found = list(AMOUNT.finditer(text))[place]
    point = found.end() - 3
    digit = str((int(text[point - 1]) + 1) % 10)
    return text[: point - 1] + digit + text[point:]


def test_untouched_documents_reconcile(made):
    assert made.stops() == set()


def test_storing_a_document_anew_is_no_alteration(made):
    """Or the tests below would prove nothing."""
    for kind, whose in made.documents():
        words, text = made.frame(kind, whose)
        if text:
            made.store(kind, whose, words, text)
            assert made.stops() == set()


def alter(made, kind, whose, pattern):
    """Changes the amount that the pattern's first match ends with."""
    words, text = made.frame(kind, whose)
    end = re.search(pattern + r"-?[0-9]+\.[0-9]{2}", text).end()
    place = [found.end() for found in AMOUNT.finditer(text)].index(end)
    made.store(kind, whose, words, altered(text, place))


OF_KRAV = [
    r'\],"opprinneligBeloep":',  # a krav's
    r'Z","opprinneligBeloep":',  # a due date's
    r'\],"gjenstaaendeBeloep":',  # a due date's
    r'[0-9],"gjenstaaendeBeloep":',  # a krav's
    r'\}\},"plassertBeloep":',  # what a payment covers
    r'Z","plassertBeloep":-',  # what a motkrav covers
    r'Z","plassertBeloep":(?!-)',  # what is taken from a credit
]
OF_OVERVIEWS = [
    '"stipulerteRenter":',
    '"uplassertBeloep":',
    *(
        f'"totalOversikt":.*?"{total}":'
        for total in ("stipulerteRenter", "forfalteKrav", "ikkeForfalteKrav", "uplasserteInnbetalinger", "saldo")
    ),
    *(
        f'"oversiktPerKravgruppe":.*?"{total}":'
        for total in ("stipulerteRenter", "forfalteKrav", "ikkeForfalteKrav", "saldo")
    ),
]
OF_PAYMENTS = ['"innbetaltBeloep":', '"uplassertBeloep":', '"plassertBeloep":']


@pytest.mark.parametrize("pattern", [*OF_KRAV, *OF_OVERVIEWS])
def test_one_amount_of_an_overview_altered(made, pattern):
    alter(made, "oversikt", COMPANY, pattern)
    assert made.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        *(("krav", pattern) for pattern in OF_KRAV),
        *(("innbetalinger", pattern) for pattern in OF_PAYMENTS),
        ("utbetalinger", '"utbetaltBeloep":'),
    ],
)
def test_one_amount_of_a_history_altered(built, kind, pattern):
    alter(built, kind, COMPANY, pattern)
    assert built.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize("whose", [COMPANY, ENK, OWNER], ids=["company", "sole proprietorship", "owner"])
def test_any_amount_altered(made, whose):
    """Wherever it stands in whichever document."""
    unseen = []
    for kind in made.kinds:
        words, text = made.frame(kind, whose)
        for place, found in enumerate(AMOUNT.finditer(text)):
            made.store(kind, whose, words, altered(text, place))
            if not made.stops():
                unseen.append(f"{kind} {place}: {found[0]}")
        made.restore()
    assert unseen == []


@pytest.mark.parametrize("kind", ["krav", "innbetalinger", "utbetalinger"])
def test_a_post_that_is_missing(built, kind):
    """The last post is left out, of the words and of the text."""
    words, text = built.frame(kind, COMPANY)
    left = words[:-8]
    end = int.from_bytes(left[-8:], "little") & ((1 << END_BITS) - 1) if left else 0
    built.store(kind, COMPANY, left, text.encode()[:end].decode())
    assert built.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize("kind", ["krav", "innbetalinger", "utbetalinger"])
def test_a_post_that_is_there_twice(built, kind):
    words, text = built.frame(kind, COMPANY)
    built.store(kind, COMPANY, words, text + text)
    assert built.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda words: words[1:], id="that of an open krav is missing"),
        pytest.param(lambda words: [words[0], *words[2:]], id="one is missing: two posts would be served as one"),
        pytest.param(lambda words: [words[1], words[0], *words[2:]], id="out of order"),
        pytest.param(lambda words: [words[0] + 1, *words[1:]], id="an end within the next post"),
        pytest.param(lambda words: [*words[:-1], words[-1] - 1], id="the last end before the text's"),
        pytest.param(lambda words: [*words[:-1], words[-1] + 1], id="the last end past the text's"),
        pytest.param(lambda words: [words[0] + (1 << END_BITS), *words[1:]], id="another date than the open krav's"),
        pytest.param(
            lambda words: [words[0], words[1] + (1 << END_BITS), *words[2:]], id="another date than the post's"
        ),
        pytest.param(lambda words: [], id="none"),
    ],
)
def test_words_that_are_not_the_posts(built, changed):
    """The text is right: only a period of it would be cut wrong. The first krav is open, the second is not."""
    words, text = built.frame("krav", COMPANY)
    others = changed(list(struct.unpack("<6q", words)))
    built.store("krav", COMPANY, struct.pack(f"<{len(others)}q", *others), text)
    assert built.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize(
    ("kind", "was", "becomes"),
    [
        pytest.param("utbetalinger", '"utbetaltBeloep":500.00', '"utbetaltBeloep":500.000', id="a decimal too many"),
        pytest.param("utbetalinger", '"utbetaltBeloep":500.00', '"utbetaltBeloep":500.0', id="a decimal too few"),
        pytest.param("utbetalinger", '"utbetaltBeloep"', '"utbetaltBelop"', id="another key"),
        pytest.param("krav", '"kravtype":"', '"kravtype":"a"b', id="a quote that is not escaped"),
        pytest.param("krav", '"kravtype":"', '"kravtype":"\n', id="a control character"),
        pytest.param("krav", '"kravtype":"', '"kravtype":"\udcff', id="a byte that is not UTF-8"),
        pytest.param("oversikt", '"kravtype":"', '"kravtype":"\udcff', id="a byte that is not UTF-8, in the overview"),
        pytest.param("oversikt", '"totalOversikt":', '"totalOversikt": ', id="a space"),
        pytest.param("oversikt", "}]}", "}]", id="the overview is cut off"),
        pytest.param("oversikt", "}]}", "}]}}", id="the overview goes on"),
    ],
)
def test_a_text_that_is_not_the_models(built, kind, was, becomes):
    """Every amount is right, where it can be read. The words are moved along with what follows."""
    words, text = built.frame(kind, COMPANY)
    at = text.rindex(was)
    more = len(becomes.encode("utf-8", "surrogateescape")) - len(was.encode())
    begin = len(text[:at].encode())
    moved = [word + more if word & END_MASK > begin else word for (word,) in struct.iter_unpack("<q", words)]
    built.store(kind, COMPANY, struct.pack(f"<{len(moved)}q", *moved), text[:at] + becomes + text[at + len(was) :])
    assert built.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize("kind", ["krav", "innbetalinger", "utbetalinger"])
def test_a_history_that_is_cut_off(built, kind):
    words, text = built.frame(kind, COMPANY)
    built.store(kind, COMPANY, words, text[:-1])
    assert built.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize(
    ("kind", "text"), [("krav", "K7"), ("innbetalinger", "I2"), ("oversikt", "K3"), ("oversikt", "I2")]
)
def test_a_copy_that_differs_in_a_byte_of_text_only(built, kind, text):
    """Every amount is right: what a sole proprietorship shows is still not what its owner shows."""
    words, whole = built.frame(kind, ENK)
    at = whole.index(f'"{text}"') + 1  # the owner's
    built.store(kind, ENK, words, whole[:at] + "X" + whole[at + 1 :])
    assert built.stops() == {"L3-RECONCILE"}


def test_a_payment_that_the_overview_lists_otherwise_than_its_history(built):
    words, whole = built.frame("oversikt", COMPANY)
    built.store("oversikt", COMPANY, words, whole.replace('"I1"', '"X1"'))
    assert built.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize("text", ["K1", "I1"])
def test_a_redated_overview_that_lists_a_post_otherwise_than_before(made_once, text):
    """Every amount is right."""
    redated = made_once("redated")
    words, whole = redated.frame("oversikt", COMPANY)
    redated.store("oversikt", COMPANY, words, whole.replace(f'"{text}"', f'"X{text[1]}"'))
    stops = redated.stops()
    redated.restore()
    assert stops == {"L3-RECONCILE"}


def test_histories_that_are_not_read_back(built):
    """Then only what overviews list is added up."""
    unread = [pl.lit(None, pl.Int64).alias(f"{kind}_length") for kind in HISTORIES.kinds]
    read = from_documents(built.folder, built.index.with_columns(unread), built.night.settings.snapshot_date)
    assert read.contradictions == 0
    assert "sum_innbetaling" not in read.totals
    assert read.totals["sum_uplassert_oversikt"] == -550_00
    assert (read.totals["antall_krav"], read.totals["sum_krav"]) == (5, 70_833_00)


def test_an_open_claim_that_the_overview_leaves_out(made):
    """Its totals still count it."""
    words, text = made.frame("oversikt", OWNER)
    start, end = text.index("[") + 1, text.index('],"innbetalingMedUplassertBeloep"')
    made.store("oversikt", OWNER, words, text[:start] + text[end:])
    assert made.stops() == {"L3-RECONCILE"}


def test_a_kravgruppe_that_the_overview_leaves_out(made):
    words, text = made.frame("oversikt", OWNER)
    before, _, _ = text.partition('"oversiktPerKravgruppe":[')
    made.store("oversikt", OWNER, words, before + '"oversiktPerKravgruppe":[]}')
    assert made.stops() == {"L3-RECONCILE"}


def test_a_due_date_on_the_wrong_side_of_the_snapshot_date(made):
    """Its amount stands under overdue, its date says that it isn't."""
    words, text = made.frame("oversikt", COMPANY)
    made.store("oversikt", COMPANY, words, text.replace('"forfallsdato":"2022-04-11', '"forfallsdato":"2024-04-11'))
    assert made.stops() == {"L3-RECONCILE"}


def test_a_part_that_is_missing(made):
    made.write_index(made.index.filter(pl.col("part") != COMPANY))
    assert made.stops() == {"L3-RECONCILE"}


@pytest.mark.parametrize("kind", KINDS)
def test_one_part_gets_the_documents_of_another(built, kind):
    """Every sum is right, every document holds together, and each is another's."""
    assert stops_when_swapped(built, kind) == {"L3-RECONCILE"}


def test_one_part_gets_the_overview_of_another(made):
    assert stops_when_swapped(made, "oversikt") == {"L3-RECONCILE"}


def stops_when_swapped(made, kind):
    """The codes that the reconciliation stops with when two parts have each other's documents of the kind."""
    columns = [f"{kind}_{name}" for name in ("offset", "length", "antall")]
    other = made.index.filter(pl.col("part") == OWNER).select(columns).row(0)
    own = made.index.filter(pl.col("part") == COMPANY).select(columns).row(0)
    swapped = {COMPANY: other, OWNER: own}
    made.write_index(
        pl.DataFrame(
            [
                row | dict(zip(columns, swapped.get(row["part"], [row[name] for name in columns]), strict=True))
                for row in made.index.to_dicts()
            ],
            schema=made.index.schema,
        )
    )
    return made.stops()


def test_a_row_that_is_neither_accepted_nor_quarantined(made):
    rows = made.left.check.rows
    assert made.stops_with(made.left.check.model_copy(update={"rows": rows | {"accepted": rows["accepted"] - 1}})) == {
        "L3-RECONCILE"
    }


def test_altered_documents_are_not_published(tmp_path, monkeypatch):
    """The whole night, with a serializer that writes one amount an øre off: yesterday's documents stay up."""
    nights = Nights(tmp_path)
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "skatt", 1, "full", STATEMENT)
    nights.publish(S - timedelta(days=1))
    before = nights.documents()
    objects_of, original = fragments.objects_of, pl.col("opprinnelig_beloep")

    def an_oere_off(shape, rows, **lists):
        if "opprinnelig_beloep" in rows.columns:
            rows = rows.with_columns(original + (original == 5000_00))
        return objects_of(shape, rows, **lists)

    with monkeypatch.context() as altered:
        altered.setattr(fragments, "objects_of", an_oere_off)
        night = nights.run(S, **LET_THROUGH, full=True)
    told = {stop.message: stop.code for stop in stops_of(night)}
    assert set(told.values()) == {"L3-RECONCILE"}
    assert "sum_kravforfall is 7403300 by the posts, 7403301 by the documents" in told
    assert nights.documents() == before
    nights.publish(S)
    assert nights.snapshot().snapshot_date(COMPANY) == S
