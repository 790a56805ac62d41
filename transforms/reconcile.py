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

from schemas.store import frame_reader
from transforms import read_back
from transforms.expected import Totals
from transforms.read_back import AMOUNT, TEXT, Documents, after
from transforms.snapshot import PART

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
    """Reads the documents of the ``index`` rows back from the segments, a segment at a time.

    Where the length of payments and payouts is null, of a segment's every row, those are ``kept`` and not read, and
    what overviews list of them is not added up.
    """
    segments = index.group_by("segment", maintain_order=True)
    with ThreadPoolExecutor(workers) as pool:
        read = pool.map(lambda group: _read_segment(snapshot, str(group[0][0]), group[1], snapshot_date), segments)
        return _together(read)


def _together(read: Iterable[ReadBack]) -> ReadBack:
    totals: Totals = {}
    contradictions = 0
    for one in read:
        contradictions += one.contradictions
        for name, value in one.totals.items():
            totals[name] = totals.get(name, 0) + value
    return ReadBack(totals, contradictions)


def _read_segment(snapshot: Path, segment: str, index: pl.DataFrame, snapshot_date: date) -> ReadBack:
    """A segment's documents: what they add up to, and where they contradict themselves or each other."""
    data = (snapshot / "documents" / f"{segment}.zst").read_bytes()
    content = frame_reader(path.read_bytes() for path in (snapshot / "documents").glob("*.dict"))
    part = pl.scan_parquet(snapshot / PART).filter(pl.col("segment") == segment)
    owners = part.select("part", "innehaver").collect()
    read = [ReadBack({"antall_parter": index.height, **dict.fromkeys(_NAMES, 0)}, 0)]
    posts: dict[str, list[pl.DataFrame]] = {kind: [_NO_POSTS] for kind in _FIELDS}
    listed: dict[str, list[pl.DataFrame]] = {kind: [_NO_POSTS] for kind in _LISTED}
    for documents in read_back.documents(data, index, "oversikt", content):
        keys, one = _read_overviews(documents, snapshot_date)
        read.append(one)
        for kind in _LISTED:
            listed[kind].append(keys[kind])
    for kind in _FIELDS:
        for documents in read_back.documents(data, index, kind, content):
            keys_of_kind, one = _read_history(documents, kind)
            read.append(one)
            posts[kind].append(keys_of_kind)
        read.append(ReadBack({}, _wrong_copies(pl.concat(posts[kind]), owners)))
    kept = index["innbetalinger_length"].is_null().any()
    for kind in _LISTED:
        here = pl.concat(listed[kind])
        strange = 0 if kept and kind == "innbetalinger" else _strange(here, pl.concat(posts[kind]))
        read.append(ReadBack({}, _wrong_copies(here, owners) + strange))
    together = _together(read)
    if kept:
        together.totals["sum_uplassert_oversikt"] = 0
    # interest stands in no extract: the krav say as much of it as the overviews list
    interest = together.totals.pop("sum_renter_krav") != together.totals.pop("sum_renter_oversikt")
    return ReadBack(together.totals, together.contradictions + interest)


# --- posts ----------------------------------------------------------------------------------------

_FIELDS = {
    "krav": {
        "krav": after('],"opprinnelig'),  # a krav's own amounts follow the list of its due dates
        "kravforfall": after('Z","opprinnelig'),  # a due date's follow its date or its lists
        "gjenstaaende_kravforfall": after('],"gjenstaaende'),
        "gjenstaaende_krav": after(',"gjenstaaende') & ~after('],"gjenstaaende'),
        "innbetalt_paa_krav": after('Z","innbetalt'),
        "innbetaling_paa_krav": after('}},"plassert'),  # after the payer's account
        "motkrav_paa_debet": after('Z","plassert') & pl.col("below"),
        "motkrav_paa_kredit": after('Z","plassert') & ~pl.col("below"),
    },
    "innbetalinger": {
        "innbetaling": after('Z","innbetalt'),
        "uplassert": after(',"uplassert'),
        "krav_paa_innbetaling": after('","plassert'),
    },
    "utbetalinger": {
        "utbetaling": after('Z","utbetalt'),
        "grunnlag_opprinnelig": after('},"opprinnelig'),
        "grunnlag_gjenstaaende": after(',"gjenstaaende'),
    },
}
"""The amounts of each kind of post: every amount is one of them, and only one. Each post has one of the first.

``below``: whether the amount is below 0.
"""
_TOLD_BY = len('],"gjenstaaendeBeloep":')
"""So much of the text before an amount tells them apart."""

_DATES = {"krav": "opprettelsesdatoForKrav", "innbetalinger": "innbetalingsdato", "utbetalinger": "utbetaltdato"}
_LISTED = ("krav", "innbetalinger")
"""The kinds of which overviews list some, with amounts that the totals sum up."""

_ONLY_SUMS = ("gjenstaaende_krav", "gjenstaaende_kravforfall", "uplassert")
_COUNTED = [name for fields in _FIELDS.values() for name in fields if name not in _ONLY_SUMS]
_NAMES = [
    *(f"antall_{name}" for name in _COUNTED),
    *(f"sum_{name}" for name in (*_COUNTED, *_ONLY_SUMS)),
    *("sum_gjenstaaende_oversikt", "sum_uplassert_oversikt", "sum_renter_krav", "sum_renter_oversikt"),
]

_NO_POSTS = pl.DataFrame(schema={"part": pl.String, "whose": pl.String, "key": pl.UInt64})
_IS_OWN = pl.col("whose") == pl.col("part")
_INTEREST = rf'^{AMOUNT},"stipulerteRenter":({AMOUNT})[,}}]'
"""In the piece that begins with what remains of a krav."""


def _read_history(documents: Documents, kind: str) -> tuple[pl.DataFrame, ReadBack]:
    """The keys of the posts, and what those add up to that are the part's own."""
    posts = read_back.cut_posts(documents)
    if posts is None:
        return _NO_POSTS, ReadBack({}, 1)
    own = posts.filter(_IS_OWN).select("post")
    amounts = read_back.split_amounts(own)
    found = _by_kind(amounts, kind)
    totals = {name: value for name, value in found.items() if name in _NAMES}
    if kind == "krav":
        interest = amounts.filter(_FIELDS[kind]["gjenstaaende_krav"]).select(read_back.oere(_INTEREST).sum())
        totals["sum_renter_krav"] = int(interest.item())
    counts = [found[f"antall_{name}"] for name in _FIELDS[kind]]
    unknown = amounts.height - sum(counts)
    joined = counts[0] != own.height  # a post has one amount of the first kind, so every piece is one post
    wrong = unknown + joined + _wrong_dates(posts, kind)
    return posts.select(_NO_POSTS.columns), ReadBack(totals, wrong)


def _by_kind(amounts: pl.DataFrame, kind: str) -> Totals:
    """``antall_`` and ``sum_`` of each kind of amount of the ``kind`` of post.

    They are added up by the end of the text before them, of which there are few, and only those are told apart.
    """
    few = amounts.group_by(before=pl.col("before").str.tail(_TOLD_BY), below=pl.col("oere") < 0).agg(
        antall=pl.col("oere").count(), sum=pl.col("oere").sum()
    )
    totals = few.select(
        pl.col(column).filter(where).sum().alias(f"{column}_{name}")
        for name, where in _FIELDS[kind].items()
        for column in ("antall", "sum")
    )
    return totals.row(0, named=True)


def _wrong_dates(posts: pl.DataFrame, kind: str) -> int:
    """Whether some text is not begun as a post, or has another date than the word that periods are found by."""
    field = f'"{_DATES[kind]}":"'
    start = pl.col("post").str.find(field, literal=True) + len(field)
    day = pl.col("post").cast(pl.Binary).bin.slice(start, 10).cast(pl.String).str.to_date("%Y-%m-%d", strict=False)
    right = (day.cast(pl.Int64) == pl.col("day")).fill_null(False)
    return int(not posts.select((right & pl.col("begun")).all()).item())


def _wrong_copies(posts: pl.DataFrame, owners: pl.DataFrame) -> int:
    """How many parts show others' posts that are not, to the byte, those of the one that owns them.

    What an ENK shows of its owner's posts is what its owner shows: as many, and with the same keys.
    """
    shown = posts.group_by("part", "whose").agg(antall=pl.len(), keys=pl.col("key").cast(pl.Int128).sum())
    pairs = owners.drop_nulls("innehaver").select("part", whose="innehaver")
    own = pairs.join(shown.filter(_IS_OWN).drop("part"), on="whose")
    expected = own.select("part", "whose", "antall", "keys")
    others = shown.filter(~_IS_OWN)
    same = others.join(expected, on=["part", "whose", "antall", "keys"], how="semi").height
    return others.height + expected.height - 2 * same


def _strange(listed: pl.DataFrame, posts: pl.DataFrame) -> int:
    """How many of the posts that overviews list as their parts' own stand otherwise, or nowhere, in the history."""
    return listed.filter(_IS_OWN).join(posts.filter(_IS_OWN), on=["part", "key"], how="anti").height


# --- overviews, each against itself ---------------------------------------------------------------

_OF_KRAV = ("stipulerteRenter", "forfalteKrav", "ikkeForfalteKrav")
_OF_ALL = (*_OF_KRAV, "uplasserteInnbetalinger")


def _read_overviews(documents: Documents, snapshot_date: date) -> tuple[dict[str, pl.DataFrame], ReadBack]:
    """The keys of the posts that they list, and what those add up to that are the part's own."""
    overviews = read_back.split_overviews(documents)
    posts = {kind: read_back.split_posts(overviews, pl.col(kind)) for kind in _LISTED}
    lines = pl.concat([_krav_lines(posts["krav"], snapshot_date), _innbetaling_lines(posts["innbetalinger"])])
    incomplete = sum(overviews.null_count().row(0))
    wrong = _misplaced(documents) + incomplete + _contradictions(overviews, lines)
    own = lines.filter(_IS_OWN).group_by("name").agg(pl.col("oere").sum())
    sums = {name: int(oere) for name, oere in own.rows()}
    totals = {
        "sum_renter_oversikt": sums.get("stipulerteRenter", 0),
        "sum_gjenstaaende_oversikt": sums.get("forfalteKrav", 0) + sums.get("ikkeForfalteKrav", 0),
        "sum_uplassert_oversikt": sums.get("uplasserteInnbetalinger", 0),
    }
    return {kind: frame.select(_NO_POSTS.columns) for kind, frame in posts.items()}, ReadBack(totals, wrong)


def _misplaced(documents: Documents) -> int:
    """How many overviews are not those of the part that the index gives them to."""
    start = pl.concat_str(pl.lit('{"forespurtPart":"'), "part", pl.lit('","aapentKravMedGjenstaaendeBeloep":['))
    bodies = documents.rows.with_columns(body=documents.bodies())
    return bodies.filter(~pl.col("body").str.starts_with(start)).height


def _krav_lines(posts: pl.DataFrame, snapshot_date: date) -> pl.DataFrame:
    """One line per due date's remaining and krav's interest.

    A line: ``part``, ``whose``, ``kravgruppe``, ``name`` of the total that counts it, ``oere``.
    """
    posts = posts.with_columns(kravgruppe=pl.col("post").str.extract(rf',"kravgruppe":"{TEXT}"\}}'))
    pieces = read_back.split_amounts(posts)
    fields, end = _FIELDS["krav"], '2022-04-11T00:00:00.000Z","opprinneligBeloep":'
    forfallsdato = pl.when(fields["kravforfall"]).then(pl.col("before").str.tail(len(end)).str.head(10))
    overdue = forfallsdato.forward_fill() < str(snapshot_date)
    name = pl.when(overdue).then(pl.lit("forfalteKrav")).otherwise(pl.lit("ikkeForfalteKrav"))
    dues = pieces.with_columns(name=name).filter(fields["gjenstaaende_kravforfall"])
    interest = pieces.filter(fields["gjenstaaende_krav"]).with_columns(
        name=pl.lit("stipulerteRenter"), oere=read_back.oere(_INTEREST)
    )
    return pl.concat([dues.select(_LINE), interest.select(_LINE)])


def _innbetaling_lines(posts: pl.DataFrame) -> pl.DataFrame:
    """One line per payment's unplaced rest."""
    rests = read_back.split_amounts(posts).filter(_FIELDS["innbetalinger"]["uplassert"])
    return rests.select(
        "part",
        "whose",
        pl.lit(None, pl.String).alias("kravgruppe"),
        pl.lit("uplasserteInnbetalinger").alias("name"),
        "oere",
    )


_LINE = ["part", "whose", "kravgruppe", "name", "oere"]


def _contradictions(overviews: pl.DataFrame, lines: pl.DataFrame) -> int:
    """How many overviews have a total that is not the sum of what they list."""
    per_group = lines.filter(pl.col("name").is_in(_OF_KRAV))
    total = lines.with_columns(kravgruppe=pl.lit(None, pl.String))
    listed = _with_saldo(pl.concat([per_group, total]))
    said = _said_lines(overviews)
    both = said.join(listed, on=["part", "kravgruppe", "name"], how="full", nulls_equal=True, coalesce=True)
    said_oere, listed_oere = pl.col("oere").fill_null(0), pl.col("oere_right").fill_null(0)
    return both.filter(said_oere != listed_oere)["part"].n_unique()


def _with_saldo(lines: pl.DataFrame) -> pl.DataFrame:
    sums = lines.group_by("part", "kravgruppe", "name").agg(pl.col("oere").sum())
    saldo = lines.group_by("part", "kravgruppe").agg(name=pl.lit("saldo"), oere=pl.col("oere").sum())
    return pl.concat([sums, saldo])


def _said_lines(overviews: pl.DataFrame) -> pl.DataFrame:
    """What ``totalOversikt`` (kravgruppe null) and ``oversiktPerKravgruppe`` say, as lines."""
    split = pl.col("totals").str.split('{"kravgruppe":"')
    total = overviews.select("part", kravgruppe=pl.lit(None, pl.String), said=split.list.first())
    groups = (
        overviews.select("part", said=split.list.slice(1))
        .explode("said", empty_as_null=False)
        .select("part", kravgruppe=pl.col("said").str.extract(f"^{TEXT}"), said="said")
    )
    return pl.concat(
        frame.select("part", "kravgruppe", name=pl.lit(name), oere=read_back.oere(rf'"{name}":({AMOUNT})[,}}]', "said"))
        for frame, names in ((total, _OF_ALL), (groups, _OF_KRAV))
        for name in (*names, "saldo")
    )
