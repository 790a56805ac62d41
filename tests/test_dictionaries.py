"""The dictionaries of the histories: frames say which they need, and snapshots keep those that theirs need."""

import shutil
from datetime import timedelta

import polars as pl
import pytest
import zstandard

from schemas.store import SEGMENTS
from serving.errors import KravoversiktError
from serving.store import Snapshot
from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.home import dictionaries
from transforms.home.snapshot import read_index

pytestmark = pytest.mark.slow

A, B = organisation_number(1), organisation_number(2)


@pytest.fixture
def nights(tmp_path):
    """One night published: A has posts of every kind, B a payment."""
    nights = Nights(tmp_path)
    nights.inbox.mkdir()
    posts = [part(A), krav("K", A, 100), kravforfall("F", "K", 100, "2023-01-01"), innbetaling("I", A, 10)]
    posts += [utbetaling("U", A, 10), part(B), innbetaling("J", B, 1)]
    write_delivery(nights.inbox, "skatt", 1, "full", rows(*posts))
    nights.publish(S - timedelta(days=1))
    return nights


@pytest.fixture
def others(tmp_path, monkeypatch):
    """Other dictionaries, as a later version of the code may have."""
    folder = tmp_path / "dictionaries"
    folder.mkdir()
    for number, kind in enumerate(dictionaries.HISTORIES.kinds, start=50_001):
        samples = [f'{{"part":"{n}","{kind}":{n * n % 977},"andre":"{kind}{n}"}}'.encode() * 9 for n in range(500)]
        trained = zstandard.train_dictionary(2_000, samples, dict_id=number)
        (folder / f"{kind}-{number}.dict").write_bytes(trained.as_bytes())
    return lambda: monkeypatch.setattr(dictionaries, "FOLDER", folder)


def numbers(snapshot, whose):
    """By kind the number of the dictionary that the part's frame asks for."""
    row = read_index(snapshot).row(by_predicate=pl.col("part") == whose, named=True)
    numbers = {}
    for of in SEGMENTS:
        stored = (snapshot / "documents" / f"{row[of.column]}.zst").read_bytes()
        places = {kind: row[f"{kind}_offset"] for kind in of.kinds if row[f"{kind}_length"]}
        numbers |= {kind: zstandard.get_frame_parameters(stored[place:]).dict_id for kind, place in places.items()}
    return numbers


def test_histories_name_their_dictionary_and_an_oversikt_needs_none(nights):
    snapshot = nights.snapshot().folder
    assert numbers(snapshot, A) == {
        "oversikt": 0,
        **{kind: dictionaries.dictionary(kind).dict_id() for kind in dictionaries.HISTORIES.kinds},
    }


def test_kept_documents_are_read_with_the_dictionaries_that_they_were_made_with(nights, others):
    before = nights.answer(B)
    write_delivery(nights.inbox, "skatt", 2, "endring", rows(innbetaling("J2", B, -1)))
    others()
    nights.publish(full=True)
    assert nights.answer(B) == before
    snapshot = nights.snapshot().folder
    assert numbers(snapshot, B)["innbetalinger"] < 50_000 < numbers(snapshot, A)["innbetalinger"]


def test_a_snapshot_needs_nothing_of_the_code_that_made_it(nights, others):
    before = nights.documents()
    others()
    assert nights.documents() == before


@pytest.mark.parametrize("damage", ["missing", "cut", "overwritten", "another's"])
def test_a_damaged_dictionary_is_never_a_wrong_document(nights, tmp_path, damage):
    copy = tmp_path / "copy"
    shutil.copytree(nights.snapshot().folder, copy)
    krav_dict, other = sorted((copy / "documents").glob("*.dict"))[1], sorted((copy / "documents").glob("*.dict"))[0]
    content = krav_dict.read_bytes()
    krav_dict.unlink()
    if damage != "missing":
        half, middle = len(content) // 2, bytes(byte ^ 1 for byte in content[-8_000:])
        wrong = {"cut": content[:half], "overwritten": content[:-8_000] + middle, "another's": other.read_bytes()}
        krav_dict.write_bytes(wrong[damage])
    try:
        answer = Snapshot(copy).history("krav", A)
    except KravoversiktError as error:
        assert error.kode == "KB-002"
    else:
        assert answer == nights.snapshot().history("krav", A)
