"""What stays of the previous snapshot: by a link while most of a segment is in use, else by a copy of what is."""

from datetime import timedelta

import polars as pl
import pytest

from schemas.published import PUBLISHED
from schemas.store import HISTORIES, KINDS, OVERSIKTER, SEGMENTS
from tests.build.building import HISTORY, OVERSIKT, S, bucket, snapshot_of, start, texts
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering
from transforms.build import carry_over as carrying
from transforms.build.carry_over import NOTHING, Staying, carry_over
from transforms.home.snapshot import read_index, whose

NAMES = [f"A{number}" for number in range(4)]
TONIGHT = S + timedelta(days=1)


def statement(name):
    """An open krav and one that is paid."""
    said = part(name), krav(f"K{name}", name, 100), kravforfall(f"F{name}", f"K{name}", 100, S)
    paid = krav(f"L{name}", name, 7), kravforfall(f"G{name}", f"L{name}", 7, S), innbetaling(f"I{name}", name, 7)
    return [*said, *paid, plassering(f"P{name}", "INNBETALING", f"G{name}", f"I{name}", 7)]


@pytest.fixture
def previous(tmp_path):
    """Two segments of two parts each."""
    return snapshot_of(tmp_path, *(bucket(*statement(a), *statement(b)) for a, b in (NAMES[:2], NAMES[2:])))


def parts(*names):
    return pl.DataFrame({"part": names}, schema={"part": pl.String})


def carried(tmp_path, previous, *, held_back=(), same=(), redated=(), lost=(), link=True):
    folder = start(tmp_path, "0002", TONIGHT).snapshot
    staying = Staying(parts(*held_back), parts(*same), parts(*redated))
    return folder, carry_over(previous, folder, TONIGHT, staying, lost, link=link)


def is_linked(folder, previous, path):
    return (folder / path).exists() and (folder / path).samefile(previous / path)


def test_segments_in_use_are_links_and_so_are_their_tables(tmp_path, previous):
    folder, of = carried(tmp_path, previous, same=NAMES)
    for of_kind in SEGMENTS:
        for segment in read_index(previous)[of_kind.column].unique():
            assert is_linked(folder, previous, f"documents/{segment}.zst")
            assert all(is_linked(folder, previous, f"tables/{table}/{segment}.parquet") for table in of_kind.tables)
    assert of.oversikter.columns == OVERSIKTER.columns and of.histories.columns == HISTORIES.columns
    before = read_index(previous)
    assert of.histories.sort("part").equals(before.select(HISTORIES.columns))
    assert (
        of.oversikter.sort("part").drop("snapshotdato").equals(before.select(OVERSIKTER.columns).drop("snapshotdato"))
    )
    assert of.part.sort("part")["part"].to_list() == NAMES


def test_whose_documents_have_which_date(tmp_path, previous):
    """Of who would get the same anew tonight's; of who is held back the one that they have, though all else is same."""
    _, of = carried(tmp_path, previous, held_back=NAMES[:1], same=NAMES[:3])
    assert dict(of.oversikter.select("part", "snapshotdato").rows()) == {"A0": S, "A1": TONIGHT, "A2": TONIGHT}


def test_of_the_redated_only_the_histories_stay(tmp_path, previous):
    folder, of = carried(tmp_path, previous, same=NAMES[:2], redated=NAMES[2:])
    assert of.oversikter.sort("part")["part"].to_list() == NAMES[:2]
    assert of.histories.sort("part")["part"].to_list() == of.part.sort("part")["part"].to_list() == NAMES
    assert len(list((folder / "documents").glob("*-oversikt.zst"))) == 1


@pytest.mark.parametrize("how", [{"same": ["A0"], "link": False}, {"same": ["A0"]}])
def test_a_segment_of_which_little_is_in_use_is_copied(tmp_path, previous, how):
    """Into one with the same documents and the rows of those parts alone."""
    index = read_index(previous)
    if how.get("link", True):  # less than half of the bytes: as if there were more in the segment
        for segment in {*index[HISTORY], *index[OVERSIKT]}:
            with (previous / "documents" / f"{segment}.zst").open("ab") as file:
                file.write(bytes(10_000))
    folder, of = carried(tmp_path, previous, **how)
    before = index.filter(part="A0")
    for kind in KINDS:
        there = of.oversikter if kind == "oversikt" else of.histories
        assert texts(folder, there, kind) == texts(previous, before, kind)
        assert there[f"{kind}_antall"].to_list() == before[f"{kind}_antall"].to_list()
    for of_kind, made in ((HISTORIES, of.histories), (OVERSIKTER, of.oversikter)):
        segment = made[of_kind.column].item()
        assert segment not in index[of_kind.column].to_list()
        for table in of_kind.tables:
            rows = pl.read_parquet(folder / "tables" / table / f"{segment}.parquet")
            old = pl.read_parquet(previous / "tables" / table / f"{before[of_kind.column].item()}.parquet")
            assert rows.drop("segment").equals(old.filter(pl.col(whose(table)) == "A0").drop("segment"))
            assert set(rows["segment"]) <= {segment}
    assert of.histories["krav_aapne"].to_list() == [1]


def test_many_small_segments_are_put_together(tmp_path, previous, monkeypatch):
    monkeypatch.setattr(carrying, "SMALL_SEGMENTS", 1)
    _, of = carried(tmp_path, previous, same=NAMES)
    for made, column in ((of.oversikter, OVERSIKT), (of.histories, HISTORY)):
        assert made[column].n_unique() == 1
        assert made[column][0] not in read_index(previous)[column].to_list()


def test_a_copied_segment_has_no_more_parts_than_a_bucket(tmp_path, previous, monkeypatch):
    monkeypatch.setattr(carrying, "PARTS_PER_SEGMENT", 3)
    folder, of = carried(tmp_path, previous, same=NAMES, link=False)
    assert sorted(of.histories[HISTORY].value_counts()["count"].to_list()) == [1, 3]
    assert texts(folder, of.oversikter.sort("part"), "oversikt") == texts(previous, read_index(previous), "oversikt")


@pytest.mark.parametrize("column", [HISTORY, OVERSIKT])
def test_parts_of_a_lost_segment_do_not_stay(tmp_path, previous, column):
    """Neither their overviews nor their histories, whichever is lost."""
    lost = read_index(previous).filter(part="A3")[column].item()
    (previous / "documents" / f"{lost}.zst").unlink()
    _, of = carried(tmp_path, previous, same=NAMES, lost=[lost])
    assert sorted(of.oversikter["part"]) == sorted(of.histories["part"]) == sorted(of.part["part"]) == NAMES[:2]


def test_nobody_stays(tmp_path, previous):
    folder, of = carried(tmp_path, previous)
    assert of.oversikter.is_empty() and of.histories.is_empty() and of.part.is_empty()
    assert not list((folder / "documents").glob("*.zst"))
    for one, nothing in zip(of, NOTHING, strict=True):
        assert one.schema == nothing.schema


def test_dictionaries_of_earlier_snapshots_come_along(tmp_path, previous):
    (previous / "documents" / "krav-9.dict").write_bytes(b"older")
    folder, _ = carried(tmp_path, previous)
    assert (folder / "documents" / "krav-9.dict").read_bytes() == b"older"


def test_rows_of_before_get_the_columns_of_tonight(tmp_path, previous):
    """Of copied rows a column that the table has got since is null, and one that is no more goes."""
    folder = start(tmp_path, "0002", TONIGHT).snapshot
    (old,) = (path for path in (previous / "tables" / "krav").glob("*-0000-oversikt.parquet"))
    pl.read_parquet(old).drop("kravperiode").with_columns(gammelt=pl.lit("x")).write_parquet(old)
    staying = Staying(parts(), parts("A0"), parts())
    carry_over(previous, folder, TONIGHT, staying, (), link=False)
    (copied,) = (folder / "tables" / "krav").glob("*-copied-*-oversikt.parquet")
    rows = pl.read_parquet(copied)
    assert rows.schema == PUBLISHED["krav"].stored
    assert rows.select("part", "kravperiode").rows() == [("A0", None)]
