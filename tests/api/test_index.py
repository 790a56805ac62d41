"""An index that changes while it is mapped: what it then leads to is not shown."""

import pyarrow as pa
import pytest

from schemas.store import INDEX_SCHEMA
from serving.errors import KravoversiktError
from serving.period import Period
from serving.store import Snapshot
from tests.nights import Nights
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, rows
from tests.plain.write import write_delivery
from transforms.home.snapshot import read_index

pytestmark = pytest.mark.slow

ENK, OTHER_ENK = organisation_number(1), organisation_number(2)
OWNER, OTHER_OWNER = national_number(1), national_number(2)
YEAR = Period.parse("2026-01-01", "2026-12-31")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two sole proprietorships without posts of their own: their documents show their owners' only."""
    nights = Nights(tmp_path_factory.mktemp("index"))
    nights.inbox.mkdir()
    posts = [part(OWNER, "PERSON"), part(OTHER_OWNER, "PERSON")]
    posts += [part(ENK, "ENK", OWNER), part(OTHER_ENK, "ENK", OTHER_OWNER)]
    for name, whose in (("A", OWNER), ("B", OTHER_OWNER)):
        posts += [krav(f"K{name}", whose, 0, opprettelsesdato="2026-02-01")]
        posts += [kravforfall(f"F{name}", f"K{name}", 0, "2026-03-01"), innbetaling(f"I{name}", whose, 5, "2026-02-01")]
    write_delivery(nights.inbox, "skatt", 1, "full", rows(*posts))
    nights.publish()
    return nights.home


@pytest.fixture
def mapped(home):
    """The snapshot, open; and its index as bytes to be changed, put back at the end."""
    snapshot = Snapshot.current(home)
    snapshot.open_all()
    path = snapshot.folder / "documents" / "index.arrow"
    before = path.read_bytes()
    yield snapshot, path
    overwrite(path, before)


def overwrite(path, content):
    """In place, as no program of ours does: what is mapped sees it."""
    with path.open("r+b") as file:
        file.write(content)


def shown(snapshot, kind, whose):
    try:
        return snapshot.document(kind, whose, None if kind == "oversikt" else YEAR)
    except KravoversiktError as error:
        return error.kode


def test_an_index_in_whose_place_another_is_written(mapped):
    """A sound one, of the same size, in which each of two has the other's documents and owner."""
    snapshot, path = mapped
    right = shown(snapshot, "krav", OWNER)
    swapped = {ENK: OTHER_ENK, OTHER_ENK: ENK}
    by_part = {row["part"]: row for row in rows_of(snapshot)}
    put(path, [by_part[swapped.get(part, part)] | {"part": part} for part in by_part])
    for kind in ("krav", "oversikt"):
        assert shown(snapshot.for_another_thread(), kind, ENK) == "KB-002"
    assert shown(snapshot.for_another_thread(), "krav", OWNER) == right  # its row is as it was


def test_one_in_which_payments_are_taken_for_krav(mapped):
    """They are the part's own, whole, and as many as the index says: only the row itself tells."""
    snapshot, path = mapped
    changed = rows_of(snapshot)
    for row in changed:
        for what in ("offset", "length", "antall"):
            row[f"krav_{what}"] = row[f"innbetalinger_{what}"]
    put(path, changed)
    assert shown(snapshot, "krav", OWNER) == "KB-002"


def rows_of(snapshot):
    return read_index(snapshot.folder).to_arrow().cast(INDEX_SCHEMA).to_pylist()


def put(path, rows):
    """An index of these rows, as large as the one before, in its place."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, INDEX_SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(rows, INDEX_SCHEMA))
    assert len(sink.getvalue()) == path.stat().st_size
    overwrite(path, sink.getvalue())


def test_no_number_changes_unseen(mapped):
    """One bit, anywhere in the index: each document is the right one, or KB-002."""
    snapshot, path = mapped
    content = path.read_bytes()
    asked = [(kind, whose) for kind in ("krav", "oversikt") for whose in (ENK, OWNER)]
    right = {one: shown(snapshot, *one) for one in asked}
    seen = set()
    for place in range(0, len(content), 5):
        overwrite(path, content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        other = snapshot.for_another_thread()
        for one in asked:
            said = shown(other, *one)
            assert said in (right[one], "KB-002")
            seen.add(said == "KB-002")
    assert seen == {True, False}
