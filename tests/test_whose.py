"""A part's document is never another's: what is read is held to the part asked for, wherever it leaves."""

import hashlib
import itertools
import json
import shutil
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner

from cli.main import main
from schemas import documents
from schemas.store import HISTORIES, INDEX_SCHEMA, KINDS, SEGMENTS
from serving import store
from serving.errors import KravoversiktError
from serving.period import Period
from serving.store import Snapshot, export
from serving.whose import Whose
from tests.api.handler import app_over, ask, header
from tests.nights import Nights, S, counts_of
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.home.snapshot import read_index

pytestmark = pytest.mark.slow

A, B, ENK, OTHER_ENK, *TWINS = (organisation_number(number) for number in range(1, 25))
OWNER, OTHER_OWNER = national_number(1), national_number(2)
PARTS = (A, B, ENK, OTHER_ENK, OWNER, OTHER_OWNER)
YEAR, EMPTY = Period(date(2026, 1, 1), date(2026, 12, 31)), Period(date(2000, 1, 1), date(2000, 12, 31))
CODINGS = ("identity", "gzip", "zstd")


def posts_of(whose, name):
    """An open krav, a settled one, a payment and a payout, the same of everyone."""
    return (
        krav(f"K{name}", whose, 5000, opprettelsesdato="2026-02-01"),
        kravforfall(f"F{name}", f"K{name}", 5000, "2026-03-01"),
        krav(f"N{name}", whose, 0, opprettelsesdato="2026-02-02"),
        kravforfall(f"G{name}", f"N{name}", 0, "2026-03-01"),
        innbetaling(f"I{name}", whose, 10, "2026-02-02"),
        utbetaling(f"U{name}", whose, 7, "2026-02-03"),
    )


def first_delivery():
    known = (part(A), part(B), part(OWNER, "PERSON"), part(OTHER_OWNER, "PERSON"))
    owned = (part(ENK, "ENK", OWNER), part(OTHER_ENK, "ENK", OTHER_OWNER))
    posts = (one for number, whose in enumerate((*PARTS, *TWINS)) for one in posts_of(whose, f"{number:02d}"))
    return rows(*known, *owned, *map(part, TWINS), *posts)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    nights = Nights(tmp_path_factory.mktemp("whose"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "skatt", 1, "full", first_delivery())
    nights.publish()
    return nights


@pytest.fixture
def home(published, tmp_path):
    """A copy of the published home, to be damaged."""
    return shutil.copytree(published.home, tmp_path / "home", symlinks=True)


def folder_of(home):
    return (home / "current").resolve()


def write_index(home, table):
    """Puts the index in place of the home's, and tells the manifest."""
    path, manifest = folder_of(home) / "documents" / "index.arrow", folder_of(home) / "manifest.json"
    path.unlink()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    content = json.loads(manifest.read_text())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    content["files"]["documents/index.arrow"] = {"bytes": path.stat().st_size, "sha256": sha256}
    manifest.write_text(json.dumps(content))


def index_of(home):
    return read_index(folder_of(home)).to_arrow().cast(INDEX_SCHEMA)


def give(home, whose, other, columns):
    """The index leads to the other's documents, by these columns of its row, as if they were the part's."""
    index = read_index(folder_of(home))
    others = index.filter(pl.col("part") == other).row(0, named=True)
    changed = [pl.when(pl.col("part") == whose).then(pl.lit(others[n])).otherwise(n).alias(n) for n in columns]
    write_index(home, index.with_columns(changed).to_arrow().cast(INDEX_SCHEMA))


def forget_owners(home):
    """The index is as the program wrote it that did not tell of owners."""
    write_index(home, index_of(home).drop_columns("innehaver"))


def answer(snapshot, kind, whose, period=YEAR):
    try:
        return snapshot.document(kind, whose, None if kind == "oversikt" else period)
    except KravoversiktError as error:
        return error.kode


def answers(home, whose):
    snapshot = Snapshot.current(home)
    return {kind: answer(snapshot, kind, whose) for kind in KINDS}


def twins(home, kind):
    """Two parts whose frames of the kind are of one length, and where those lie in their segment."""
    column = next(of.column for of in SEGMENTS if kind in of.kinds)
    places = read_index(folder_of(home)).filter(pl.col("part").is_in(TWINS))
    by_length = places.group_by(f"{kind}_length", column, maintain_order=True).head(2)
    pair = by_length.filter(pl.len().over(f"{kind}_length", column) == 2).head(2)
    path = folder_of(home) / "documents" / f"{pair[column][0]}.zst"
    return pair["part"].to_list(), path, pair[f"{kind}_offset"].to_list(), pair[f"{kind}_length"][0]


def exchange(home, kind):
    """Exchanges the frames of two twins, in the file itself; gives their numbers."""
    pair, path, offsets, length = twins(home, kind)
    content = path.read_bytes()
    frames = [content[offset : offset + length] for offset in offsets]
    assert frames[0] != frames[1]
    with path.open("r+b") as file:
        for offset, frame in zip(offsets, reversed(frames), strict=True):
            file.seek(offset)
            file.write(frame)
    return pair


def url(kind, whose, period="fraOgMed=2026-01-01&tilOgMed=2026-12-31"):
    return f"/v1/finans/{whose}/{kind}" + ("" if kind == "oversikt" else f"?{period}")


def kode(response):
    return json.loads(response.body)["kode"] if response.status >= 400 else response.status


# A segment in the place of another of its length


@pytest.mark.parametrize("kind", KINDS)
def test_another_segment_of_the_same_length(home, kind):
    """It leaves by no way: not as text, packed, as 304 or from what is kept ready; not even that there is nothing."""
    tags = {
        coding: header(ask(app_over(home), url(kind, TWINS[0]), accept_encoding=coding), "etag") for coding in CODINGS
    }
    pair = exchange(home, kind)
    for whose in pair:
        assert answer(Snapshot.current(home), kind, whose) == "KB-002"
        if kind != "oversikt":
            assert answer(Snapshot.current(home), kind, whose, EMPTY) == "KB-002"
        app = app_over(home)
        for coding, _ in itertools.product(CODINGS, range(2)):
            assert kode(ask(app, url(kind, whose), accept_encoding=coding)) == "KB-002"
            assert kode(ask(app, url(kind, whose), accept_encoding=coding, if_none_match="*")) == "KB-002"
    assert all(tags.values())
    shown = []
    with pytest.raises(KravoversiktError, match="KB-002"):
        shown.extend(export(Snapshot.current(home), kind))
    assert [json.loads(one)["forespurtPart"] for one in shown] == sorted((*PARTS, *TWINS))[: len(shown)]
    assert not set(pair) & {json.loads(one)["forespurtPart"] for one in shown}


def test_it_is_told_in_the_log_and_on_the_command_line_without_a_number(home, tmp_path):
    whose, _ = exchange(home, "krav")
    app = app_over(home, access=str(tmp_path / "log"))
    said = ask(app, url("krav", whose), korrelasjonsid="me").body.decode()
    app._logs.flush()
    line = next(line for line in (tmp_path / "log").read_text().splitlines() if '"log":"error"' in line)
    what = "has a history that is not the part's"
    assert (what in line, '"korrelasjonsid":"me"' in line, what in said) == (True, True, False)
    words = ("--fra-og-med", "2026-01-01", "--til-og-med", "2026-12-31", "--home", str(home))
    typed = CliRunner().invoke(main, ["get", "krav", whose, *words])
    assert (typed.exit_code, typed.stdout) == (1, "")
    assert typed.stderr.startswith("KB-002: the published snapshot cannot be read: segment ")
    assert what in typed.stderr
    assert not any(number in line + said + typed.stderr for number in TWINS)


def test_what_is_overwritten_while_it_is_in_use(home, monkeypatch):
    """A document that was found right once is looked at again when it is read again."""
    monkeypatch.setattr(store, "RECENT_BYTES", 0)
    snapshot, app = Snapshot.current(home), app_over(home)
    (whose, _), *_ = twins(home, "oversikt")
    assert whose in answer(snapshot, "oversikt", whose).decode()
    assert kode(ask(app, url("oversikt", whose), accept_encoding="zstd")) == 200
    exchange(home, "oversikt")
    assert answer(snapshot, "oversikt", whose) == "KB-002"
    assert kode(ask(app, url("oversikt", whose), accept_encoding="zstd")) == "KB-002"


# An index that leads to another's


PAIRS = [(A, B), (A, OWNER), (OWNER, A), (OWNER, OTHER_OWNER), (OWNER, ENK), (ENK, OTHER_ENK), (ENK, A)]


@pytest.mark.parametrize("of", SEGMENTS, ids=lambda of: of.column)
@pytest.mark.parametrize(("whose", "other"), [*PAIRS, (ENK, OWNER)])
def test_the_place_of_another(home, of, whose, other):
    """Also of an ENK and its owner, all of whose posts stand in the first one's documents."""
    places = [name for name in of.numbers if not name.endswith(("_antall", "_aapne"))]
    give(home, whose, other, [of.column, *places])
    assert {answers(home, whose)[kind] for kind in of.kinds} == {"KB-002"}


@pytest.mark.parametrize("of", SEGMENTS, ids=lambda of: of.column)
@pytest.mark.parametrize(("whose", "other"), PAIRS)
def test_the_place_and_the_counts_of_another(home, of, whose, other):
    give(home, whose, other, [of.column, *of.numbers])
    assert {answers(home, whose)[kind] for kind in of.kinds} == {"KB-002"}


def test_an_overview_whose_open_krav_are_anothers(home, monkeypatch):
    """The overview is the part's by its beginning, and what it lists is not."""
    of_others = Snapshot.current(home).oversikt(Snapshot.current(home).find(B), B)
    monkeypatch.setattr(Snapshot, "oversikt", lambda *_: of_others)
    assert answer(Snapshot.current(home), "krav", A) == "KB-002"


def test_everyones_own_is_served(home):
    for whose in PARTS:
        assert all(f'"forespurtPart":"{whose}"' in one.decode() for one in answers(home, whose).values())
    posts = json.loads(answers(home, ENK)["krav"])["krav"]
    assert [one["part"] for one in posts] == [ENK, OWNER, ENK, OWNER]


def test_what_begins_a_document_and_a_post():
    """The check reads the first field; it is the only one that says whose the post is."""
    models = [one for one in vars(documents).values() if isinstance(one, type) and issubclass(one, documents._Model)]
    with_part = [model for model in models if "part" in model.model_fields]
    assert with_part == [documents.Krav, documents.Innbetaling, documents.Utbetaling]
    assert {next(iter(model.model_fields)) for model in with_part} == {"part"}
    assert {next(iter(model.model_fields)) for model in documents.DOCUMENTS.values()} == {"forespurtPart"}


def frame_of(*whose):
    """A history without its words, and where each post ends."""
    posts = [b',{"part":"%s","x":1}' % one.encode() for one in whose]
    return b"".join(posts), list(itertools.accumulate(map(len, posts)))


def test_whose_posts_may_stand_in_a_history():
    of_enk, of_person = Whose(ENK, OWNER), Whose(OWNER, None)
    assert of_enk.has_posts(frame_of(ENK, OWNER, ENK)[0], 0, frame_of(ENK, OWNER, ENK)[1])
    assert not of_enk.has_posts(frame_of(ENK, OTHER_OWNER)[0], 0, frame_of(ENK, OTHER_OWNER)[1])
    assert not of_person.has_posts(frame_of(OWNER, ENK)[0], 0, frame_of(OWNER, ENK)[1])


def test_one_person_whose_number_is_not_known():
    def has(whose, *shown):
        frame, ends = frame_of(*shown)
        return Whose(whose, None, innehaver_known=False).has_posts(frame, 0, ends)

    assert has(ENK, ENK, OWNER, ENK, OWNER)
    assert not has(ENK, OWNER, OTHER_OWNER)
    assert not has(ENK, ENK, OTHER_ENK)
    assert not has(OWNER, OWNER, OTHER_OWNER)


def test_a_history_ends_where_its_last_post_does():
    frame, ends = frame_of(A, A)
    assert Whose(A, None).has_posts(b"words" + frame, 5, ends)
    assert not Whose(A, None).has_posts(frame, 0, ends[:1])
    assert not Whose(A, None).has_posts(frame[:-1], 0, ends)
    assert not Whose(A, None).has_posts(frame, 0, [])


# A snapshot of the program before, whose index does not tell of owners


def test_a_snapshot_that_does_not_tell_of_owners_is_served(home):
    before = {whose: answers(home, whose) for whose in PARTS}
    forget_owners(home)
    assert {whose: answers(home, whose) for whose in PARTS} == before


@pytest.mark.parametrize(("whose", "other"), [pair for pair in PAIRS if pair != (A, OWNER)])
def test_without_owners_no_other_organisation_and_one_person_at_most(home, whose, other):
    give(home, whose, other, [HISTORIES.column, *HISTORIES.numbers])
    forget_owners(home)
    assert {answers(home, whose)[kind] for kind in HISTORIES.kinds} == {"KB-002"}


def test_the_night_after_a_snapshot_that_does_not_tell_of_owners(published, tmp_path):
    """Its documents are carried over, given the new date or held back, and their owners are told from then on: of one
    that is held back the owner that its documents show, whatever tonight's rows say."""
    nights = Nights(shutil.copytree(published.folder, tmp_path / "night", symlinks=True), count=1)
    forget_owners(nights.home)
    held_back = (part(OTHER_ENK, "ENK", OWNER), krav("X", OTHER_ENK, 10))
    changed = (innbetaling("I-new", A, 10, "2026-02-02"),)
    write_delivery(nights.inbox, "skatt", 2, "endring", rows(*held_back, *changed))
    night = nights.publish(S + timedelta(days=60))
    counts = {name: getattr(counts_of(night, "build"), f"{name}_parts") for name in ("built", "redated", "held_back")}
    assert (counts["built"] > 0, counts["redated"] > 0, counts["held_back"] > 0) == (True, True, True)
    owners = read_index(folder_of(nights.home)).select("part", "innehaver").drop_nulls()
    assert dict(owners.iter_rows()) == {ENK: OWNER, OTHER_ENK: OTHER_OWNER}
    for whose in PARTS:
        assert f'"forespurtPart":"{whose}"' in nights.oversikt(whose)
    assert [one["part"] for one in json.loads(answers(nights.home, OTHER_ENK)["krav"])["krav"]] == [
        *(OTHER_ENK, OTHER_OWNER) * 2
    ]
