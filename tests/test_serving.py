"""What is served for a part and a period: windows, error codes and their precedence, documents held back, damage."""

import hashlib
import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from schemas.store import INDEX_SCHEMA, OVERSIKTER, SEGMENTS
from serving.errors import STATUS, KravoversiktError
from serving.numbers import check_part
from serving.period import Period, one_year_after
from serving.store import Snapshot, export
from tests.nights import Nights, S, counts_of
from tests.plain.numbers import national_number, organisation_number, with_wrong_check_digit
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.home.snapshot import read_index

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
A, B, C, D = (organisation_number(number) for number in range(1, 5))
DAYS = ("0001-01-01", "1899-12-31", "1969-12-31", "1970-01-01", "2023-01-01", "2023-12-31", "2024-02-29", "9999-12-31")
"""The days on which A has a krav, a payment and a payout, each named by its day."""


def statement():
    """A's posts on odd days, every other krav paid; B has none; C pays once; D's claim doesn't add up from the first
    night on."""
    posts = [part(A), part(B), part(C), part(D), innbetaling("C1", C, 1)]
    for number, day in enumerate(DAYS):
        posts += [
            krav(f"K{day}", A, 100, opprettelsesdato=day),
            kravforfall(f"F{day}", f"K{day}", 100, day),
            innbetaling(f"I{day}", A, 100, day),
            utbetaling(f"U{day}", A, 10, day),
        ]
        if number % 2:
            posts.append(plassering(f"P{day}", "INNBETALING", f"F{day}", f"I{day}", 100))
    return rows(*posts, krav("D1", D, 100), kravforfall("D2", "D1", 99, "2023-01-01"))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Two nights: on the second, C's second payment is refused, so C keeps its documents of the first."""
    nights = Nights(tmp_path_factory.mktemp("serving"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "skatt", 1, "full", statement())
    nights.publish(date(2026, 11, 22))
    write_delivery(nights.inbox, "skatt", 2, "endring", rows(innbetaling("C2", C, -1)))
    nights.publish(S, full=True)
    return nights


@pytest.fixture
def snapshot(published):
    return published.snapshot()


def window(snapshot, fra, til, kind="krav", whose=A):
    """The days of what the window shows, or the error's code."""
    try:
        document = json.loads(snapshot.document(kind, whose, Period.parse(fra, til)))
    except KravoversiktError as error:
        return error.kode
    assert document["periode"] == {"start": f"{fra}T00:00:00.000Z", "slutt": f"{til}T00:00:00.000Z"}
    (posts,) = (value for value in document.values() if isinstance(value, list))
    return [post[DATED_BY[kind]][:10] for post in posts]


DATED_BY = {"krav": "opprettelsesdatoForKrav", "innbetalinger": "innbetalingsdato", "utbetalinger": "utbetaltdato"}


# windows


@pytest.mark.parametrize("kind", ["krav", "innbetalinger", "utbetalinger"])
@pytest.mark.parametrize(
    ("fra", "til", "shown"),
    [
        ("2023-01-01", "2023-12-31", ["2023-01-01", "2023-12-31"]),  # both days included
        ("2023-01-01", "2023-01-01", ["2023-01-01"]),
        ("2023-01-02", "2023-12-31", ["2023-12-31"]),
        ("2023-01-01", "2023-12-30", ["2023-01-01"]),
        ("2023-01-01", "2024-01-01", ["2023-01-01", "2023-12-31"]),  # one year
        ("2023-03-01", "2024-02-29", ["2023-12-31", "2024-02-29"]),
        ("2024-02-29", "2025-02-28", ["2024-02-29"]),
        ("1969-12-31", "1970-01-01", ["1969-12-31", "1970-01-01"]),  # the store counts from 1970
        ("1969-01-01", "1969-12-31", ["1969-12-31"]),
        ("1899-01-01", "1899-12-31", ["1899-12-31"]),
        ("0001-01-01", "0002-01-01", ["0001-01-01"]),
        ("9999-01-01", "9999-12-31", ["9999-12-31"]),
        ("9998-12-31", "9999-12-31", ["9999-12-31"]),
        ("2023-01-02", "2023-12-30", "KB-007"),
        ("2030-01-01", "2030-12-31", "KB-007"),
    ],
)
def test_window(snapshot, kind, fra, til, shown):
    assert window(snapshot, fra, til, kind) == shown


@pytest.mark.parametrize(
    ("fra", "til", "word"),
    [
        (None, "2023-01-01", "fraOgMed"),
        ("", "2023-01-01", "fraOgMed"),
        ("2023-01-01", None, "tilOgMed"),
        ("2023-01-02", "2023-01-01", "before"),
        ("2023-01-01", "2024-01-02", "one year"),
        ("2024-02-29", "2025-03-01", "one year"),
        ("9998-12-30", "9999-12-31", "one year"),
        ("2023-02-29", "2023-03-01", "fraOgMed"),
        ("2023-01-01", "2023-13-01", "tilOgMed"),
        ("0000-01-01", "0000-12-31", "fraOgMed"),
        ("2023-1-1", "2023-03-01", "fraOgMed"),
        ("20230101", "2023-03-01", "fraOgMed"),
        ("2023-W01-1", "2023-03-01", "fraOgMed"),
        ("2023-01-01T00:00:00Z", "2023-03-01", "fraOgMed"),
        ("٢٠٢٣-01-01", "2023-03-01", "fraOgMed"),
        (" 2023-01-01", "2023-03-01", "fraOgMed"),
        ("2023-01-01\n", "2023-03-01", "fraOgMed"),
    ],
)
def test_period_that_is_not_valid(fra, til, word):
    with pytest.raises(KravoversiktError, match=word) as error:
        Period.parse(fra, til)
    assert error.value.kode == "KB-006"


def test_a_window_needs_a_period(snapshot):
    with pytest.raises(KravoversiktError, match="KB-006"):
        snapshot.document("krav", A)


def test_one_year_after():
    assert one_year_after(date(2023, 1, 1)) == date(2024, 1, 1)
    assert one_year_after(date(2024, 2, 29)) == date(2025, 2, 28)
    assert one_year_after(date(2023, 2, 28)) == date(2024, 2, 28)
    assert one_year_after(date(9999, 6, 1)) == date(9999, 12, 31)


@pytest.mark.parametrize("kind", ["krav", "innbetalinger", "utbetalinger"])
def test_history_is_all_windows_end_to_end(snapshot, kind):
    """The bytes of the posts are the same whichever way they are fetched."""
    before, _, history = snapshot.history(kind, A).partition(b"[")
    windows = [snapshot.document(kind, A, Period.parse(day, day)) for day in DAYS]
    posts = [window.partition(b":[")[2].removesuffix(b"]}") for window in windows]
    assert history.removesuffix(b"]}") == b",".join(posts)
    assert b'"periode"' not in before


# part numbers


@pytest.mark.parametrize("number", [A, B, national_number(1)])
def test_valid_part(number):
    assert check_part(number) == number


@pytest.mark.parametrize(
    "number",
    [
        *("0" * 9, "0" * 11, "", "1", A[:-1], A + "0", " " + A, A + "\n", "x" * 9, "٣" * 9, "²" * 9, "-" + A[1:]),
        *(with_wrong_check_digit(A), with_wrong_check_digit(national_number(1)), national_number(1)[:-1]),
    ],
)
def test_part_that_is_not_valid(number):
    with pytest.raises(KravoversiktError, match="KB-006"):
        check_part(number)


# codes and which comes first


def code(snapshot, whose, kind="oversikt", period=None):
    try:
        snapshot.document(kind, whose, period)
    except KravoversiktError as error:
        return error.kode
    return None


PERIOD = Period(date(2023, 1, 1), date(2023, 12, 31))
EMPTY_PERIOD = Period(date(2000, 1, 1), date(2000, 12, 31))


def test_codes(snapshot):
    unknown = organisation_number(99)
    assert code(snapshot, A) is None
    assert code(snapshot, B) is None  # an empty oversikt is an oversikt
    assert code(snapshot, B, "krav", PERIOD) == "KB-007"
    assert code(snapshot, unknown) == "KB-009"
    assert code(snapshot, unknown, "krav", EMPTY_PERIOD) == "KB-009"
    assert code(snapshot, D) == "KB-002"
    assert code(snapshot, D, "krav", EMPTY_PERIOD) == "KB-002"
    assert set(STATUS) == {f"KB-{number:03d}" for number in range(1, 11)}


@pytest.mark.parametrize("number", ["0", "999999999", "zzz", "", A[:-1]])
def test_whatever_is_asked_for_outside_the_index_is_unknown(snapshot, number):
    assert code(snapshot, number) == "KB-009"


def test_empty_oversikt(snapshot):
    assert json.loads(snapshot.document("oversikt", B)) == {
        "forespurtPart": B,
        "aapentKravMedGjenstaaendeBeloep": [],
        "innbetalingMedUplassertBeloep": [],
        "totalOversikt": dict.fromkeys(
            ("stipulerteRenter", "forfalteKrav", "ikkeForfalteKrav", "uplasserteInnbetalinger", "saldo"), 0
        ),
        "oversiktPerKravgruppe": [],
    }


def test_export_shows_published_parts_in_order(snapshot):
    assert list(snapshot.parts()) == sorted([A, B, C])
    exported = list(export(snapshot, "krav"))
    assert [json.loads(document)["forespurtPart"] for document in exported] == sorted([A, B, C])
    assert exported[1] == b'{"forespurtPart":"%s","krav":[]}' % B.encode()
    with pytest.raises(KravoversiktError, match="KB-003"):
        list(export(snapshot, "everything"))


def test_no_message_names_the_part(snapshot):
    for whose in (organisation_number(99), D):
        with pytest.raises(KravoversiktError) as error:
            snapshot.document("oversikt", whose)
        assert whose not in str(error.value)


# documents held back


def test_documents_held_back_have_their_own_snapshot_date(snapshot, published):
    assert snapshot.snapshot_date(A) == S
    assert snapshot.snapshot_date(C) == date(2026, 11, 22)
    assert window(snapshot, "2023-01-01", "2023-01-01", "innbetalinger", C) == ["2023-01-01"]
    assert counts_of(published.last, "build").held_back_parts == 1


# damage


@pytest.fixture
def copy(published, tmp_path):
    """The published snapshot, to be damaged."""
    return shutil.copytree(published.snapshot().folder, tmp_path / "snapshot")


def segment_of(folder, whose, of):
    """The file that the part's documents lie in, its overview's or its histories'."""
    index = read_index(folder)
    return folder / "documents" / f"{index.filter(index['part'] == whose)[of.column].item()}.zst"


def test_nothing_published(tmp_path):
    with pytest.raises(KravoversiktError, match="KB-002"):
        Snapshot.current(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "documents/index.arrow"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "rubbish"])
def test_damaged_manifest_or_index(copy, name, damage):
    path = copy / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "rubbish": b"\xff" * 100}[damage])
    with pytest.raises(KravoversiktError, match="KB-002"):
        Snapshot(copy)


def test_an_index_that_is_not_the_manifests(copy):
    """A sound Arrow file, but A's documents stand under C: nobody may be shown another's."""
    path = copy / "documents" / "index.arrow"
    with pa.memory_map(str(path)) as source:
        index = pa.ipc.open_file(source).read_all().to_pylist()
    of_a, of_c = (next(row for row in index if row["part"] == whose) for whose in (A, C))
    of_a["part"], of_c["part"] = C, A
    index.sort(key=lambda row: row["part"])
    path.unlink()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, INDEX_SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(index, INDEX_SCHEMA))
    with pytest.raises(KravoversiktError, match="KB-002"):
        Snapshot(copy).document("oversikt", A)


def test_a_changed_bit_in_the_index_is_no_crash(copy):
    """In a process of its own: an Arrow file with a wrong length inside could take the whole server down."""
    path = copy / "documents" / "index.arrow"
    content = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", TRY_BITS, str(copy), A, str(len(content))], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.decode().split()) == (0, ["KB-002"])


TRY_BITS = """
import sys
from pathlib import Path
from serving.errors import KravoversiktError
from serving.store import Snapshot
folder, part, length = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
path, answers = folder / "documents" / "index.arrow", set()
content = path.read_bytes()
for place in range(0, length, 37):
    damaged = bytearray(content)
    damaged[place] ^= 4
    path.unlink()
    path.write_bytes(damaged)
    try:
        Snapshot(folder).document("oversikt", part)
        answers.add("served")
    except KravoversiktError as error:
        answers.add(error.kode)
print(*sorted(answers))
"""


@pytest.mark.parametrize("of", SEGMENTS, ids=lambda of: of.column)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "overwritten", "one bit"])
def test_damaged_segment_answers_kb_002_for_its_parts_only(copy, damage, of):
    path = segment_of(copy, A, of)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    whole = {"empty": b"", "cut": b"\x00", "overwritten": b"x" * len(content), "one bit": bytes(content)}
    if damage != "missing":
        path.write_bytes(whole[damage])
    snapshot = Snapshot(copy)
    codes = {
        whose: {code(snapshot, whose, kind, PERIOD) for kind in ("oversikt", "krav", "innbetalinger", "utbetalinger")}
        for whose in (A, B, C)
    }
    assert "KB-002" in codes[A] | codes[B]
    assert codes[A] | codes[B] <= {None, "KB-002", "KB-007"}
    assert codes[C] <= {None, "KB-007"}


def test_no_bit_can_change_unseen(copy):
    """Each frame carries a checksum: a changed bit anywhere in A's oversikt is never served."""
    path = segment_of(copy, A, OVERSIKTER)
    content, right = path.read_bytes(), Snapshot(copy).document("oversikt", A)
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        snapshot = Snapshot(copy)
        if code(snapshot, A) is None:
            assert snapshot.document("oversikt", A) == right


def test_an_overview_that_lists_fewer_krav_than_the_history_leaves_to_it_is_not_served(copy):
    """Both frames are whole: the index gives A the overview of B, who has nothing open."""
    index = read_index(copy)
    columns = ["oversikt_offset", "oversikt_length"]
    of_b = index.filter(pl.col("part") == B).row(0, named=True)
    others = [pl.when(pl.col("part") == A).then(of_b[name]).otherwise(name).alias(name) for name in columns]
    path = copy / "documents" / "index.arrow"
    path.unlink()  # what is mapped must not be cut
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, INDEX_SCHEMA) as writer:
        writer.write_table(index.with_columns(others).to_arrow().cast(INDEX_SCHEMA).combine_chunks())
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["documents/index.arrow"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert code(Snapshot(copy), A, "krav", PERIOD) == "KB-002"


def test_a_period_without_open_krav_needs_no_overview(copy):
    """The first krav is open, the second is not."""
    segment_of(copy, A, OVERSIKTER).write_bytes(b"")
    snapshot = Snapshot(copy)
    assert window(snapshot, DAYS[0], DAYS[0]) == "KB-002"
    assert window(snapshot, DAYS[1], DAYS[1]) == [DAYS[1]]
    assert window(snapshot, "2030-01-01", "2030-12-31") == "KB-007"
