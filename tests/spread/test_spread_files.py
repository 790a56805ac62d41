"""What a bucket gets: its households' posts, and of far ends what its documents show."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import polars as pl
import pyarrow.parquet
import pytest

from schemas.tables import BUT_PART
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S, looking_at
from transforms.check.posts import check_posts
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.row_files import RowFile
from transforms.spread.buckets import Buckets
from transforms.spread.files import write_buckets, write_rows

A, B, ENK, OWNER = *(organisation_number(n) for n in range(1, 4)), national_number(1)
SAID = (
    *(part(A), part(B), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    *(krav("K", A, 100), kravforfall("F", "K", 100, S), krav("K-B", B, 8), kravforfall("F-B", "K-B", 8, S)),
    *(innbetaling("I-B", B, 80, fra_kontonummer="15030000000"), plassering("PI", "INNBETALING", "F", "I-B", 60)),
    *(krav("C", B, -50), kravforfall("G", "C", -30, S), kravforfall("G2", "C", -20, S)),
    *(plassering("PM", "MOTKRAV", "F", "G", 10), plassering("PB", "MOTKRAV", "F-B", "G", 8)),
    *(utbetaling("U", A, 40), plassering("PU", "UTBETALING", "G2", "U", 15)),
)
KRAVTYPER = pl.DataFrame(
    [("Skatt", "Skatt av inntekt", None, True)],
    {"kravtype": pl.String, "tekst": pl.String, "kravgruppe": pl.String, "renteberegnes": pl.Boolean},
    orient="row",
)


@pytest.fixture
def spread(tmp_path):
    """Spreads the parts over so many buckets; what is read of each table, by bucket, with each row's ``part``."""

    def write(*parts, count=1):
        with looking_at(*SAID) as connection:
            links = LinkFiles(tmp_path / "links")
            check_posts(connection, links.write)
            buckets = Buckets(links, pl.DataFrame({"part": parts}, {"part": pl.String}), count)
            for name in BUT_PART:
                connection.sql(f"FROM rows_{name}").write_parquet(str(tmp_path / f"{name}-said.parquet"))
            files = {name: [RowFile(tmp_path / f"{name}-said.parquet")] for name in BUT_PART}
            write_buckets(files, links, buckets, tmp_path, KRAVTYPER, {"innbetaling": {"fra_kontonummer"}})
        names = links.whole("part").select("part_row", "part")

        def rows(table, *columns):
            found = {}
            for path in tmp_path.glob(f"{table}/bucket=*/0.parquet"):
                frame = pl.read_parquet(path, hive_partitioning=False)
                for number in [name for name in frame.columns if name.endswith("part_row")]:
                    text = names.rename({"part_row": number, "part": number.removesuffix("_row")})
                    frame = frame.join(text, on=number) if number != "part_row" or table != "part" else frame
                found[path.parent.name] = sorted(frame.select(columns).rows())
            return found

        return rows

    return write


def all_of(rows):
    return sorted(row for some in rows.values() for row in some)


def test_in_one_bucket_nothing_is_far(spread, tmp_path):
    rows = spread(A, B, OWNER, ENK)
    assert all_of(rows("part", "part")) == sorted([(A,), (B,), (OWNER,), (ENK,)])
    assert all_of(rows("kravforfall", "kravforfallsidentifikator", "part")) == [
        *(("F", A), ("F-B", B), ("G", B), ("G2", B)),
    ]
    assert all_of(rows("plassering", "plasseringsidentifikator", "forfall_part", "motpost_part")) == [
        *(("PB", B, B), ("PI", A, B), ("PM", A, B), ("PU", B, A)),
    ]
    assert rows("far_forfall") == rows("far_innbetaling") == {}
    assert pl.read_parquet(tmp_path / "far_forfall.parquet").height == 0  # its columns, for a bucket without any


def test_texts_are_filled_in_and_the_payers_account_is_masked(spread):
    rows = spread(A, B)
    assert rows("krav", "kravbeskrivelse", "kravgruppe", "renteberegnes") == {
        "bucket=0": [("Skatt av inntekt", "Andre krav", True)] * 3
    }
    flags = ("fra_kontonummer_feiler", "til_kontonummer_feiler")  # by the number as delivered
    assert rows("innbetaling", "fra_kontonummer", *flags) == {"bucket=0": [("******00000", True, False)]}


def test_a_bucket_has_what_its_documents_show_of_far_ends(spread):
    """B is not built: A's bucket has B's payment, the credit used, and the due date that A is paid out of."""
    rows = spread(A)
    assert all_of(rows("krav", "kravidentifikator")) == [("K",)]
    assert all_of(rows("plassering", "plasseringsidentifikator")) == [("PI",), ("PM",), ("PU",)]
    assert all_of(rows("far_innbetaling", "innbetalingsidentifikator", "innbetalt_beloep")) == [("I-B", 8_000)]
    # Of the krav that is paid out what remains: 50 less 10, 8 and 15.
    far = all_of(rows("far_forfall", "kravforfallsidentifikator", "krav_opprinnelig", "krav_gjenstaaende"))
    assert [(due, original, int(remains)) for due, original, remains in far] == [
        *(("G", -5_000, -1_700), ("G2", -5_000, -1_700)),
    ]


def test_a_household_is_in_one_bucket_and_others_are_where_their_number_leads(spread):
    rows = spread(A, B, OWNER, ENK, count=64)
    where = {part: bucket for bucket, some in rows("part", "part").items() for (part,) in some}
    assert where[OWNER] == where[ENK] == f"bucket={int(OWNER) * 2654435761 // 65536 % 64}"
    assert where[A] == f"bucket={int(A) * 2654435761 // 65536 % 64}" != where[B]
    ends = rows("plassering", "plasseringsidentifikator")
    assert ends == {where[A]: [("PI",), ("PM",), ("PU",)], where[B]: [("PB",), ("PI",), ("PM",), ("PU",)]}


def pieces(*rows):
    """Frames of so many rows each, a fourth of them to each bucket."""
    for count in rows:
        texts = [f"{row}-{'x' * 80}" for row in range(count)]
        yield pl.DataFrame({"post": texts, "bucket": [row % 4 for row in range(count)]})


def written(rows, out):
    with ThreadPoolExecutor(2) as pool:
        write_rows(rows, out, pool)
    return {int(path.parent.name.partition("=")[2]): pl.read_parquet(path).height for path in out.glob("*/0.parquet")}


def test_rows_lie_in_their_buckets(tmp_path):
    assert written(pieces(10, 3), tmp_path / "krav") == {0: 4, 1: 4, 2: 3, 3: 2}
    assert pl.read_parquet_schema(tmp_path / "krav.parquet") == {"post": pl.String}


def test_only_texts_that_repeat_have_a_dictionary(tmp_path):
    rows = pl.DataFrame({"row": [1, 1], "part_row": [7, 7], "kravtype": ["Skatt"] * 2, "kravidentifikator": ["K"] * 2})
    written([rows.with_columns(bucket=0)], tmp_path / "krav")
    group = pyarrow.parquet.read_metadata(tmp_path / "krav" / "bucket=0" / "0.parquet").row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    assert [one.path_in_schema for one in columns if one.has_dictionary_page] == ["kravtype"]


def test_rows_that_end_in_an_error(tmp_path):
    """It is an error, not a crash: whoever writes has ended before files close."""

    def failing():
        yield from pieces(200_000)
        raise RuntimeError("no memory")

    for run in range(3):
        (tmp_path / str(run)).mkdir()
        with pytest.raises(RuntimeError, match="no memory"):
            written(failing(), tmp_path / str(run) / "krav")


def test_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    write, calls = pyarrow.parquet.ParquetWriter.write_table, []

    def full(self, table):
        calls.append(table)
        if len(calls) == 2:
            raise OSError("no space")
        write(self, table)

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", full)
    for run in range(3):
        calls.clear()
        (tmp_path / str(run)).mkdir()
        with pytest.raises(OSError, match="no space"):
            written(pieces(200_000, 200_000), tmp_path / str(run) / "krav")


def test_no_file_is_closed_while_a_thread_writes_to_it(tmp_path, monkeypatch):
    """Whoever writes gives an early end a moment to close the file."""
    write, close = pyarrow.parquet.ParquetWriter.write_table, pyarrow.parquet.ParquetWriter.close
    writing, closed, closed_early = Event(), Event(), []

    def slow(self, table):
        writing.set()
        if closed.wait(0.1):
            closed_early.append(self)
        else:
            write(self, table)

    def told(self):
        closed.set()
        close(self)

    def failing():
        yield from pieces(20_000)
        assert writing.wait(10)
        raise RuntimeError("no memory")

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", slow)
    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "close", told)
    with pytest.raises(RuntimeError, match="no memory"):
        written(failing(), tmp_path / "krav")
    assert closed.is_set() and not closed_early
