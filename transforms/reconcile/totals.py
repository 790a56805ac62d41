"""The control totals, made twice by different routes (CONTRACT section 5).

``expected`` adds up the accepted rows in DuckDB; ``from_documents`` reads the stored documents back,
byte for byte as they will be served, and adds up what they list (``read_back``). The two share no code,
and neither uses a figure that the other has made. Over the documents made anew tonight, each post counted once.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from schemas.receipts import Totals
from schemas.store import HISTORIES, OVERSIKTER, Segments, frame_reader
from transforms.home.snapshot import PART_TABLE, Segment
from transforms.reconcile.grammar import POSTS
from transforms.reconcile.read_back import Read, number_of, read

NOT_IN_DOCUMENTS = {"antall_utbetalt_paa_kredit", "sum_utbetalt_paa_kredit"}
"""A payout is not listed on the due date that it pays (CONTRACT section 4)."""


@dataclass(frozen=True)
class ReadBack:
    """What the stored documents of some parts add up to, and how many of them contradict themselves."""

    totals: Totals
    contradictions: int


def differences(expected: Totals, read: ReadBack, rows: Totals) -> Iterator[str]:
    """What does not reconcile, in words, without anyone's figures but sums.

    ``expected``: the posts' totals; ``rows``: how many the sources ``said``, are ``accepted`` and ``quarantined``.
    """
    for name in sorted(set(read.totals) | (set(expected) - NOT_IN_DOCUMENTS)):
        if expected.get(name, 0) != read.totals.get(name, 0):
            yield f"{name} is {expected.get(name, 0)} by the posts, {read.totals.get(name, 0)} by the documents"
    if read.contradictions:
        yield f"{read.contradictions} documents contradict themselves, or other documents of the same posts"
    said, accepted, quarantined = (rows[name] for name in ("said", "accepted", "quarantined"))
    if accepted + quarantined != said:
        yield f"{accepted} accepted and {quarantined} quarantined rows are not the {said} that the sources say"


def from_documents(snapshot: Path, index: pl.DataFrame, snapshot_date: date, workers: int = 2) -> ReadBack:
    """Reads the documents of the ``index`` rows back from the segments, those of a segment of overviews at a time.

    Where the lengths of histories are null, of a segment's every row, those stay as they were, and are not read.
    """
    column = OVERSIKTER.column
    segments = index.partition_by(column, maintain_order=True)
    part = pl.read_parquet(snapshot / PART_TABLE, columns=["part", "innehaver", column]).drop_nulls("innehaver")
    owners = part.select(column, number_of("part"), whose=number_of("innehaver"))
    owners_in = owners.partition_by(column, as_dict=True, include_key=False)

    def read_one(rows: pl.DataFrame) -> ReadBack:
        return _read_segment(snapshot, rows, owners_in.get((rows[column][0],), owners.clear()), snapshot_date)

    with ThreadPoolExecutor(workers) as pool:
        return together(pool.map(read_one, segments))


def together(read: Iterable[ReadBack]) -> ReadBack:
    """What all of them add up to."""
    totals: Totals = {}
    contradictions = 0
    for one in read:
        contradictions += one.contradictions
        for name, value in one.totals.items():
            totals[name] = totals.get(name, 0) + value
    return ReadBack(totals, contradictions)


def _read_segment(snapshot: Path, index: pl.DataFrame, owners: pl.DataFrame, snapshot_date: date) -> ReadBack:
    """The documents of rows with one segment of overviews, and one of histories: what they add up to, and where they
    contradict themselves or each other.

    ``owners``: ``part``, and ``whose`` posts it shows beside its own.
    """

    def segment(of: Segments) -> bytes:
        return Segment(snapshot, of, index[of.column].unique().item()).documents.read_bytes()

    content = frame_reader(path.read_bytes() for path in (snapshot / "documents").glob("*.dict"))
    oversikter = read(segment(OVERSIKTER), index, "oversikt", content)
    opened = oversikter.items.filter(pl.col("model") == "Krav")
    found = [
        _read_oversikter(oversikter, index.height, snapshot_date),
        ReadBack(
            _totals(_sums_of_krav(oversikter), "krav"), _wrong_copies(opened, owners) + _miscounted(opened, index)
        ),
    ]
    if index["krav_length"].is_not_null().all():
        data = segment(HISTORIES)
        found += [
            _read_histories(read(data, index, kind, content), kind, oversikter, owners) for kind in HISTORIES.kinds
        ]
    both = together(found)
    # interest stands in no extract: the krav say as much of it as the overviews list
    interest = both.totals.pop("sum_renter_krav") != both.totals.pop("sum_renter_oversikt")
    return ReadBack(both.totals, both.contradictions + interest)


def _read_histories(histories: Read, kind: str, oversikter: Read, owners: pl.DataFrame) -> ReadBack:
    """What histories add up to, and how many do not read as they must, or are at odds with the ``oversikter``.

    Of krav those that overviews list have only their place in the history, and of payments also their text.
    """
    listed = oversikter.items.filter(pl.col("model") == POSTS[kind].__name__)
    posts = histories.items
    wrong = histories.refused + _wrong_dates(posts) + _wrong_copies(posts, owners)
    if kind == "krav":
        wrong += _misplaced(listed, histories.elsewhere)
    else:
        wrong += _wrong_copies(listed, owners) + _strange(listed, posts)
    return ReadBack(_totals(histories.sums, kind), wrong)


# --- posts ----------------------------------------------------------------------------------------

_AMOUNTS = {
    "krav": {
        "krav": "Krav.opprinneligBeloep",
        "kravforfall": "Kravforfall.opprinneligBeloep",
        "gjenstaaende_kravforfall": "Kravforfall.gjenstaaendeBeloep",
        "gjenstaaende_krav": "Krav.gjenstaaendeBeloep",
        "renter_krav": "Krav.stipulerteRenter",
        "innbetalt_paa_krav": "PlassertInnbetaling.innbetaltBeloep",
        "innbetaling_paa_krav": "PlassertInnbetaling.plassertBeloep",
        "motkrav_paa_debet": "PlassertMotkrav.plassertBeloep",
        "motkrav_paa_kredit": "PlassertMotkrav.plassertBeloep",
    },
    "innbetalinger": {
        "innbetaling": "Innbetaling.innbetaltBeloep",
        "uplassert": "Innbetaling.uplassertBeloep",
        "krav_paa_innbetaling": "PlassertInnbetalingMotKrav.plassertBeloep",
    },
    "utbetalinger": {
        "utbetaling": "Utbetaling.utbetaltBeloep",
        "grunnlag_opprinnelig": "GrunnlagForUtbetaling.opprinneligBeloep",
        "grunnlag_gjenstaaende": "GrunnlagForUtbetaling.gjenstaaendeBeloep",
    },
}
"""The totals that the histories of each kind make, and the field that each sums up."""
_BELOW = {"motkrav_paa_debet": True, "motkrav_paa_kredit": False}
"""Of the totals of one field that are told apart by its sign: whether it is below 0."""
_ONLY_SUMS = ("gjenstaaende_krav", "gjenstaaende_kravforfall", "renter_krav", "uplassert")

_IS_OWN = pl.col("whose") == pl.col("part")


def _totals(sums: pl.DataFrame, kind: str) -> Totals:
    """``antall_`` and ``sum_`` of the amounts of each name."""
    totals: Totals = {}
    for name, field in _AMOUNTS[kind].items():
        signs = [_BELOW[name]] if name in _BELOW else [False, True]
        some = sums.filter(pl.col("field") == field, pl.col("below").is_in(signs))
        totals[f"antall_{name}"], totals[f"sum_{name}"] = int(some["antall"].sum()), int(some["oere"].sum())
    return {name: value for name, value in totals.items() if name.removeprefix("antall_") not in _ONLY_SUMS}


def _sums_of_krav(oversikter: Read) -> pl.DataFrame:
    """The amounts of the krav that overviews list as their parts' own, added up as ``Read.sums`` of histories."""
    items = oversikter.items.select("model", own=_IS_OWN).with_row_index("item")
    own = items.filter("own", pl.col("model") == "Krav").select(pl.col("item").cast(pl.Int64))
    amounts = oversikter.amounts.join(own, on="item", how="semi").group_by("field", below=pl.col("oere") < 0)
    return amounts.agg(antall=pl.len(), oere=pl.col("oere").sum())


def _miscounted(opened: pl.DataFrame, index: pl.DataFrame) -> int:
    """How many overviews list another number of krav than the index says are open."""
    listed = opened.group_by("part").agg(listed=pl.len().cast(pl.Int64))
    both = index.select(number_of("part"), "krav_aapne").join(listed, on="part", how="left")
    return both.filter(pl.col("krav_aapne") != pl.col("listed").fill_null(0)).height


def _misplaced(opened: pl.DataFrame, elsewhere: pl.DataFrame) -> int:
    """1 unless the krav that overviews list are, in their order and by their dates, those that histories leave out."""
    places = elsewhere.select("part", dato=_digits_of(pl.col("day")))
    return int(not opened.select("part", "dato").equals(places))


def _wrong_dates(posts: pl.DataFrame) -> int:
    """How many posts have another date than the word that periods are found by."""
    return posts.filter(_digits_of(pl.col("day")) != pl.col("dato")).height


def _digits_of(day: pl.Expr) -> pl.Expr:
    """Days since 1970 as YYYYMMDD, Int64."""
    dato = day.clip(_LONG_BEFORE, _LONG_AFTER).cast(pl.Int32).cast(pl.Date)
    return (dato.dt.year() * 10_000 + dato.dt.month().cast(pl.Int32) * 100 + dato.dt.day()).cast(pl.Int64)


_LONG_BEFORE, _LONG_AFTER = -800_000, 3_000_000
"""Days since 1970 that no date of four digits is; a word further off is as wrong."""


def _wrong_copies(posts: pl.DataFrame, owners: pl.DataFrame) -> int:
    """How many parts show others' posts that are not, to the byte, those of the one that owns them.

    What an ENK shows of its owner's posts is what its owner shows: as many, and with the same keys.
    ``owners``: ``part``, and ``whose`` posts it shows beside its own.
    """
    others = _shown(posts.filter(~_IS_OWN))
    own = _shown(posts.filter(_IS_OWN).join(owners, on="whose", how="semi")).drop("part")
    expected = owners.join(own, on="whose").select(others.columns)
    same = others.join(expected, on=others.columns, how="semi").height
    return others.height + expected.height - 2 * same


def _shown(posts: pl.DataFrame) -> pl.DataFrame:
    """``part``, ``whose`` posts it shows, how many they are, and all their keys as one."""
    return posts.group_by("part", "whose").agg(antall=pl.len(), keys=pl.col("key").cast(pl.Int128).sum())


def _strange(listed: pl.DataFrame, posts: pl.DataFrame) -> int:
    """How many of the posts that overviews list as their parts' own stand otherwise, or nowhere, in the history."""
    return listed.filter(_IS_OWN).join(posts.filter(_IS_OWN), on=["part", "key"], how="anti").height


# --- overviews, each against itself ---------------------------------------------------------------

_OF_KRAV = ("stipulerteRenter", "forfalteKrav", "ikkeForfalteKrav")
_COUNTED = {
    "Kravforfall.gjenstaaendeBeloep": None,  # by its due date
    "Krav.stipulerteRenter": "stipulerteRenter",
    "Innbetaling.uplassertBeloep": "uplasserteInnbetalinger",
}
"""The listed amounts that totals are made of, and the total that counts each."""
_ALL_GROUPS = pl.lit(0, pl.Int64)
"""The ``gruppe`` of ``totalOversikt``, which has none."""


def _read_oversikter(oversikter: Read, parts: int, snapshot_date: date) -> ReadBack:
    """What the listed posts add up to that are the part's own, and how many overviews of so many ``parts`` are not
    there, not theirs, or contradict themselves.
    """
    of_items = oversikter.items[oversikter.amounts["item"]]
    amounts = pl.concat([oversikter.amounts, of_items], how="horizontal")
    lines = _listed_lines(amounts, snapshot_date)
    own = lines.filter(_IS_OWN).group_by("name").agg(pl.col("oere").sum())
    sums = {name: int(oere) for name, oere in own.rows()}
    totals = {
        "antall_parter": parts,
        "sum_renter_oversikt": sums.get("stipulerteRenter", 0),
        "sum_gjenstaaende_oversikt": sums.get("forfalteKrav", 0) + sums.get("ikkeForfalteKrav", 0),
        "sum_uplassert_oversikt": sums.get("uplasserteInnbetalinger", 0),
    }
    right = oversikter.items.filter(pl.col("model") == "Oversikt", _IS_OWN).height
    return ReadBack(totals, parts - right + _contradictions(_said_lines(amounts), lines))


def _listed_lines(amounts: pl.DataFrame, snapshot_date: date) -> pl.DataFrame:
    """One line per due date's remaining, krav's interest and payment's unplaced rest.

    A line: ``part``, ``whose``, ``gruppe``, ``name`` of the total that counts it, ``oere``.
    """
    overdue = pl.col("forfall") < int(f"{snapshot_date:%Y%m%d}")
    by_date = pl.when(overdue).then(pl.lit("forfalteKrav")).otherwise(pl.lit("ikkeForfalteKrav"))
    name = pl.col("field").cast(pl.String).replace_strict(_COUNTED, return_dtype=pl.String).fill_null(by_date)
    return amounts.filter(pl.col("field").is_in(list(_COUNTED))).select("part", "whose", "gruppe", "oere", name=name)


def _said_lines(amounts: pl.DataFrame) -> pl.DataFrame:
    """What ``totalOversikt`` and ``oversiktPerKravgruppe`` say, as lines."""
    said = amounts.filter(pl.col("model").is_in(["TotalOversikt", "OversiktPerKravgruppe"]))
    name = pl.col("field").cast(pl.String).str.split(".").list.last()
    return said.select("part", "gruppe", "oere", name=name)


def _contradictions(said: pl.DataFrame, listed: pl.DataFrame) -> int:
    """How many overviews have a total that is not the sum of what they list."""
    per_group = listed.filter(pl.col("name").is_in(_OF_KRAV))
    sums = _with_saldo(pl.concat([per_group, listed.with_columns(gruppe=_ALL_GROUPS)]))
    both = said.join(sums, on=["part", "gruppe", "name"], how="full", coalesce=True)
    said_oere, listed_oere = pl.col("oere").fill_null(0), pl.col("oere_right").fill_null(0)
    return both.filter(said_oere != listed_oere)["part"].n_unique()


def _with_saldo(lines: pl.DataFrame) -> pl.DataFrame:
    sums = lines.group_by("part", "gruppe", "name").agg(pl.col("oere").sum())
    saldo = lines.group_by("part", "gruppe").agg(name=pl.lit("saldo"), oere=pl.col("oere").sum())
    return pl.concat([sums, saldo])
