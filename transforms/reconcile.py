"""The control totals, made twice by different routes (CONTRACT section 5).

``from_posts`` adds up the accepted rows in DuckDB; ``from_documents`` reads the stored documents back,
byte for byte as they will be served, and adds up what they list. The two share no code, and neither
uses a figure that the other has made. Over the newly built parts, each post counted once.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from schemas.store import END_BITS, frame_reader

Totals = dict[str, int]
"""Name of a count or a sum to its value; sums in øre."""

NOT_IN_DOCUMENTS = {"antall_utbetalt_paa_kredit", "sum_utbetalt_paa_kredit"}
"""A payout is not listed on the due date that it pays (CONTRACT section 4)."""


def from_posts(connection: duckdb.DuckDBPyConnection) -> Totals:
    """Counts and sums of the accepted posts of the ``parts`` that are built."""
    own = "SELECT {columns} FROM {table} SEMI JOIN parts USING (part)"
    forfall = own.format(columns="*", table="forfall")
    grunnlag = f"""SELECT * FROM (
        SELECT DISTINCT motpost, kravidentifikator FROM good_plassering
        JOIN forfall USING (kravforfallsidentifikator)
        SEMI JOIN ({own.format(columns="*", table="good_utbetaling")}) AS near
          ON near.utbetalingsidentifikator = motpost WHERE plasseringstype = 'UTBETALING')
        JOIN good_krav USING (kravidentifikator) JOIN utbetalt_krav USING (kravidentifikator)"""
    queries = {
        "parter": "SELECT count(*), NULL FROM parts",
        "krav": own.format(columns="count(*), sum(opprinnelig_beloep)", table="good_krav"),
        "kravforfall": f"SELECT count(*), sum(opprinnelig_beloep) FROM ({forfall})",
        "innbetaling": own.format(columns="count(*), -sum(innbetalt_beloep)", table="good_innbetaling"),
        "utbetaling": own.format(columns="count(*), sum(utbetalt_beloep)", table="good_utbetaling"),
        "innbetaling_paa_krav": f"""SELECT count(*), -sum(plassert_beloep) FROM good_plassering
            SEMI JOIN ({forfall}) AS near USING (kravforfallsidentifikator) WHERE plasseringstype = 'INNBETALING'""",
        "krav_paa_innbetaling": f"""SELECT count(*), sum(plassert_beloep) FROM good_plassering
            SEMI JOIN ({own.format(columns="*", table="good_innbetaling")}) AS near
              ON near.innbetalingsidentifikator = motpost WHERE plasseringstype = 'INNBETALING'""",
        "motkrav_paa_debet": f"""SELECT count(*), -sum(plassert_beloep) FROM good_plassering
            SEMI JOIN ({forfall}) AS near USING (kravforfallsidentifikator) WHERE plasseringstype = 'MOTKRAV'""",
        "motkrav_paa_kredit": f"""SELECT count(*), sum(plassert_beloep) FROM good_plassering
            SEMI JOIN ({forfall}) AS near ON near.kravforfallsidentifikator = motpost
            WHERE plasseringstype = 'MOTKRAV'""",
        "utbetalt_paa_kredit": f"""SELECT count(*), sum(plassert_beloep) FROM good_plassering
            SEMI JOIN ({forfall}) AS near USING (kravforfallsidentifikator) WHERE plasseringstype = 'UTBETALING'""",
        "innbetalt_paa_krav": f"""SELECT count(*), -sum(innbetalt_beloep) FROM good_plassering
            JOIN good_innbetaling ON innbetalingsidentifikator = motpost
            SEMI JOIN ({forfall}) AS near USING (kravforfallsidentifikator)
            WHERE plasseringstype = 'INNBETALING'""",
        "grunnlag_opprinnelig": f"SELECT count(*), sum(opprinnelig_beloep) FROM ({grunnlag})",
        "grunnlag_gjenstaaende": f"SELECT count(*), sum(gjenstaaende) FROM ({grunnlag})",
    }
    totals: Totals = {}
    for name, query in queries.items():
        count, oere = connection.execute(query).fetchall()[0]
        totals[f"antall_{name}"] = int(count)
        if name != "parter":
            totals[f"sum_{name}"] = int(oere or 0)
    return totals


def expected_remaining(posts: Totals) -> Totals:
    """Σ remaining = Σ original − Σ placed on debits + Σ placed from credits; unplaced likewise.

    Payouts' placements stand in no document, so theirs are the accepted rows'.
    """
    remaining = (
        posts["sum_kravforfall"]
        + posts["sum_innbetaling_paa_krav"]
        + posts["sum_motkrav_paa_debet"]
        + posts["sum_motkrav_paa_kredit"]
        + posts["sum_utbetalt_paa_kredit"]
    )
    return {
        "sum_gjenstaaende_krav": remaining,
        "sum_gjenstaaende_kravforfall": remaining,
        "sum_gjenstaaende_oversikt": remaining,
        "sum_uplassert": posts["sum_innbetaling"] + posts["sum_krav_paa_innbetaling"],
        "sum_uplassert_oversikt": posts["sum_innbetaling"] + posts["sum_krav_paa_innbetaling"],
    }


@dataclass(frozen=True)
class ReadBack:
    """What the stored documents of some parts add up to, and how many of them contradict themselves."""

    totals: Totals
    contradictions: int


def from_documents(snapshot: Path, index: pl.DataFrame, snapshot_date: date, workers: int = 2) -> ReadBack:
    """Reads every document of the ``index`` rows back from the segments, a segment at a time."""
    segments = index.group_by("segment", maintain_order=True)
    with ThreadPoolExecutor(workers) as pool:
        read = list(
            pool.map(lambda group: _read_segment(snapshot, str(group[0][0]), group[1], snapshot_date), segments)
        )
    totals: Totals = {name: 0 for one in read for name in one.totals}
    for one in read:
        for name, value in one.totals.items():
            totals[name] += value
    return ReadBack(totals, sum(one.contradictions for one in read))


def _read_segment(snapshot: Path, segment: str, index: pl.DataFrame, snapshot_date: date) -> ReadBack:
    """A segment's documents: what they add up to, and where they contradict themselves or each other."""
    data = (snapshot / "documents" / f"{segment}.zst").read_bytes()
    content = frame_reader(path.read_bytes() for path in (snapshot / "documents").glob("*.dict"))
    owners = pl.read_parquet(snapshot / "tables" / "part" / f"{segment}.parquet", columns=["part", "innehaver"])
    overviews = _documents(data, index, "oversikt", content)
    listed = _listed_posts(overviews)
    totals: Totals = {"antall_parter": index.height}
    contradictions = _contradictions(overviews, snapshot_date) + _misplaced(overviews)
    for kind, reader in _READERS.items():
        documents = _documents(data, index, kind, content)
        posts = _posts(documents, pl.col("body"))
        totals |= reader(_own(posts))
        contradictions += _wrong_words(documents, posts, kind) + _wrong_copies(posts, posts, owners)
        if kind in listed:
            contradictions += _wrong_copies(listed[kind], _own(posts), owners)
            totals |= _LISTED[kind](_own(listed[kind]))
    # interest stands in no extract: the krav say as much of it as the overviews list
    contradictions += totals.pop("sum_renter_krav") != totals.pop("sum_renter_oversikt")
    return ReadBack(totals, contradictions)


def _documents(data: bytes, index: pl.DataFrame, kind: str, content: Callable[[bytes], bytes]) -> pl.DataFrame:
    """``part``, ``words`` and ``body``, the text of its document or of its posts."""
    rows = index.filter(pl.col(f"{kind}_length") > 0).select(
        "part", offset=f"{kind}_offset", length=f"{kind}_length", antall=f"{kind}_antall"
    )
    words_of = 0 if kind == "oversikt" else 8
    frames = [
        (frame[: words * words_of], frame[words * words_of :])
        for offset, length, words in rows.select("offset", "length", "antall").iter_rows()
        for frame in (content(data[offset : offset + length]),)
    ]
    return rows.select("part").with_columns(
        words=pl.Series([words for words, _ in frames], dtype=pl.Binary),
        body=pl.Series([body for _, body in frames], dtype=pl.Binary).cast(pl.String),
    )


def _posts(documents: pl.DataFrame, body: pl.Expr) -> pl.DataFrame:
    """``part`` and ``post``, one row per post in order: its text from the number of its part on.

    A post begins with its part and nothing else does; within a text the quotes would be escaped, so
    a key with its quotes can be found without parsing.
    """
    pieces = documents.select("part", post=body.str.split('{"part":"').list.slice(1))
    return pieces.explode("post", empty_as_null=False).with_columns(pl.col("post").str.strip_suffix(","))


def _own(posts: pl.DataFrame) -> pl.DataFrame:
    """The posts that are the document's part's own."""
    return posts.filter(pl.col("post").str.starts_with(pl.col("part") + pl.lit('"')))


def _listed_posts(overviews: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The posts of the overviews' two lists, by the kind that their history has."""
    krav, rest = (pl.col("body").str.split('],"innbetalingMedUplassertBeloep":[').list.get(place) for place in (0, 1))
    return {
        "krav": _posts(overviews, krav),
        "innbetalinger": _posts(overviews, rest.str.split('],"totalOversikt":').list.first()),
    }


def _misplaced(overviews: pl.DataFrame) -> int:
    """How many overviews are not those of the part that the index gives them to."""
    start = pl.concat_str(pl.lit('{"forespurtPart":"'), "part", pl.lit('","aapentKravMedGjenstaaendeBeloep":['))
    return overviews.filter(~pl.col("body").str.starts_with(start)).height


def _wrong_copies(posts: pl.DataFrame, originals: pl.DataFrame, owners: pl.DataFrame) -> int:
    """How many posts say something else than where they stand under their own part, or are too few or too many.

    What an overview lists, and what an ENK shows of its owner's, are copies to the byte.
    """
    strange = posts.join(_own(originals), on="post", how="anti").height
    whose = posts.with_columns(whose=pl.col("post").str.split('"').list.first())
    counts = whose.group_by("part", "whose").len()
    pairs = owners.drop_nulls("innehaver").select("part", whose="innehaver")
    own = counts.filter(pl.col("part") == pl.col("whose")).select("whose", own="len")
    both = pairs.join(own, on="whose", how="left").join(counts, on=["part", "whose"], how="left")
    missing = both.filter(pl.col("own").fill_null(0) != pl.col("len").fill_null(0)).height
    others = counts.filter(pl.col("part") != pl.col("whose")).join(pairs, on=["part", "whose"], how="anti").height
    return strange + missing + others


_DATES = {"krav": "opprettelsesdatoForKrav", "innbetalinger": "innbetalingsdato", "utbetalinger": "utbetaltdato"}


def _wrong_words(documents: pl.DataFrame, posts: pl.DataFrame, kind: str) -> int:
    """Whether the words that periods are found by are not those of the posts: their dates and their ends."""
    day = pl.col("post").str.extract(rf'"{_DATES[kind]}":"([0-9-]{{10}})').str.to_date("%Y-%m-%d", strict=False)
    end = (pl.col("post").str.len_bytes().cast(pl.Int64) + len(',{"part":"')).cum_sum().over("part")
    expected = posts.select(word=day.cast(pl.Int64) * (1 << END_BITS) + end)["word"]
    stored = b"".join(documents["words"].to_list())
    words = pl.Series("word", pa.Array.from_buffers(pa.int64(), len(stored) // 8, [None, pa.py_buffer(stored)]))
    return int(not words.equals(expected))


def _oere(text: pl.Expr) -> pl.Expr:
    """Øre of an amount with exactly two decimals: its digits without the point."""
    return text.str.replace(".", "", literal=True).cast(pl.Int128)


def _found(posts: pl.DataFrame, pattern: str) -> tuple[int, int]:
    """How often the pattern stands in the posts, and the sum of the amounts that it ends with, in øre."""
    found = posts.select(found=pl.col("post").str.extract_all(pattern)).explode("found", empty_as_null=False)
    amounts = found.select(pl.col("found").str.extract(r"(-?[0-9]+\.[0-9]{2})$"))
    return found.height, int(amounts.select(_oere(pl.col("found")).sum()).item() or 0)


_AMOUNT = r"-?[0-9]+\.[0-9]{2}"


def _named(totals: dict[str, tuple[int, int]], **only: str) -> Totals:
    out: Totals = {}
    for name, (count, oere) in totals.items():
        if only.get(name) != "sum":
            out[f"antall_{name}"] = count
        if only.get(name) != "antall":
            out[f"sum_{name}"] = oere
    return out


def _read_krav(posts: pl.DataFrame) -> Totals:
    """A krav's own amounts follow the list of its due dates; a due date's follow its date or its lists."""
    return _named(
        {
            "krav": _found(posts, rf'\],"opprinneligBeloep":{_AMOUNT}'),
            "kravforfall": _found(posts, rf'Z","opprinneligBeloep":{_AMOUNT}'),
            "innbetaling_paa_krav": _found(posts, rf'\}},"plassertBeloep":{_AMOUNT}'),
            "motkrav_paa_debet": _found(posts, r'Z","plassertBeloep":-[0-9]+\.[0-9]{2}'),
            "motkrav_paa_kredit": _found(posts, r'Z","plassertBeloep":[0-9]+\.[0-9]{2}'),
            "innbetalt_paa_krav": _found(posts, rf'Z","innbetaltBeloep":{_AMOUNT}'),
            "renter_krav": _found(posts, rf'"stipulerteRenter":{_AMOUNT}'),
            "gjenstaaende_krav": _found(posts, rf'[0-9],"gjenstaaendeBeloep":{_AMOUNT}'),
            "gjenstaaende_kravforfall": _found(posts, rf'\],"gjenstaaendeBeloep":{_AMOUNT}'),
        },
        renter_krav="sum",
        gjenstaaende_krav="sum",
        gjenstaaende_kravforfall="sum",
    )


def _read_innbetalinger(posts: pl.DataFrame) -> Totals:
    return _named(
        {
            "innbetaling": _found(posts, rf'"innbetaltBeloep":{_AMOUNT}'),
            "krav_paa_innbetaling": _found(posts, rf'"plassertBeloep":{_AMOUNT}'),
            "uplassert": _found(posts, rf'"uplassertBeloep":{_AMOUNT}'),
        },
        uplassert="sum",
    )


def _read_utbetalinger(posts: pl.DataFrame) -> Totals:
    return _named(
        {
            "utbetaling": _found(posts, rf'"utbetaltBeloep":{_AMOUNT}'),
            "grunnlag_opprinnelig": _found(posts, rf'"opprinneligBeloep":{_AMOUNT}'),
            "grunnlag_gjenstaaende": _found(posts, rf'"gjenstaaendeBeloep":{_AMOUNT}'),
        }
    )


def _read_listed_krav(posts: pl.DataFrame) -> Totals:
    return {
        "sum_gjenstaaende_oversikt": _found(posts, rf'\],"gjenstaaendeBeloep":{_AMOUNT}')[1],
        "sum_renter_oversikt": _found(posts, rf'"stipulerteRenter":{_AMOUNT}')[1],
    }


def _read_listed_innbetalinger(posts: pl.DataFrame) -> Totals:
    return {"sum_uplassert_oversikt": _found(posts, rf'"uplassertBeloep":{_AMOUNT}')[1]}


_READERS = {"krav": _read_krav, "innbetalinger": _read_innbetalinger, "utbetalinger": _read_utbetalinger}
_LISTED = {"krav": _read_listed_krav, "innbetalinger": _read_listed_innbetalinger}

# --- each overview against itself -----------------------------------------------------------------

_OF_KRAV = ("stipulerteRenter", "forfalteKrav", "ikkeForfalteKrav")
_OF_ALL = (*_OF_KRAV, "uplasserteInnbetalinger")
_TEXT = r'((?:[^"\\]|\\.)*)'


def _contradictions(documents: pl.DataFrame, snapshot_date: date) -> int:
    """How many overviews have a total that is not the sum of what they list."""
    parts = documents.with_row_index("document").select(
        "document",
        listed=pl.col("body").str.split('"totalOversikt":').list.first(),
        totals=pl.col("body").str.split('"totalOversikt":').list.last(),
    )
    lines = _listed_lines(parts.select("document", "listed"), snapshot_date)
    per_group = lines.filter(pl.col("name").is_in(_OF_KRAV))
    total = lines.with_columns(kravgruppe=pl.lit(None, pl.String))
    listed = _with_saldo(pl.concat([per_group, total]))
    said = _said_lines(parts.select("document", "totals"))
    both = said.join(listed, on=["document", "kravgruppe", "name"], how="full", nulls_equal=True, coalesce=True)
    said_oere, listed_oere = pl.col("oere").fill_null(0), pl.col("oere_right").fill_null(0)
    return both.filter(said_oere != listed_oere)["document"].n_unique()


def _listed_lines(parts: pl.DataFrame, snapshot_date: date) -> pl.DataFrame:
    """One line per amount that counts in a total: a due date's remaining, a krav's interest, an unplaced rest."""
    posts = (
        parts.select("document", post=pl.col("listed").str.split('{"part":"'))
        .explode("post")
        .with_columns(kravgruppe=pl.col("post").str.extract(rf',"kravgruppe":"{_TEXT}"\}}'))
    )
    due = rf'"forfallsdato":"[0-9-]{{10}}|\],"gjenstaaendeBeloep":{_AMOUNT}'
    dues = (
        posts.select("document", "kravgruppe", due=pl.col("post").str.extract_all(due))
        .explode("due", empty_as_null=False)
        .select(
            "document",
            "kravgruppe",
            name=pl.when(pl.col("due").str.slice(-10).shift(1) < str(snapshot_date))
            .then(pl.lit("forfalteKrav"))
            .otherwise(pl.lit("ikkeForfalteKrav")),
            oere=_oere(pl.col("due").str.extract(r"(-?[0-9]+\.[0-9]{2})$")),
        )
        .drop_nulls("oere")
    )
    return pl.concat(
        [
            dues,
            _line(posts, "stipulerteRenter", "stipulerteRenter"),
            _line(posts, "uplassertBeloep", "uplasserteInnbetalinger"),
        ]
    )


def _line(frame: pl.DataFrame, field: str, name: str, column: str = "post") -> pl.DataFrame:
    """The field's amount in each text, as lines named ``name``."""
    return frame.select(
        "document",
        "kravgruppe",
        name=pl.lit(name),
        oere=_oere(pl.col(column).str.extract(rf'"{field}":({_AMOUNT})')),
    ).drop_nulls("oere")


def _with_saldo(lines: pl.DataFrame) -> pl.DataFrame:
    sums = lines.group_by("document", "kravgruppe", "name").agg(pl.col("oere").sum())
    saldo = lines.group_by("document", "kravgruppe").agg(name=pl.lit("saldo"), oere=pl.col("oere").sum())
    return pl.concat([sums, saldo])


def _said_lines(parts: pl.DataFrame) -> pl.DataFrame:
    """What ``totalOversikt`` (kravgruppe null) and ``oversiktPerKravgruppe`` say, as lines."""
    split = pl.col("totals").str.split('{"kravgruppe":"')
    total = parts.select("document", kravgruppe=pl.lit(None, pl.String), said=split.list.first())
    groups = (
        parts.select("document", said=split.list.slice(1))
        .explode("said", empty_as_null=False)
        .select("document", kravgruppe=pl.col("said").str.extract(f"^{_TEXT}"), said="said")
    )
    frames = [_line(total, name, name, "said") for name in (*_OF_ALL, "saldo")]
    frames += [_line(groups, name, name, "said") for name in (*_OF_KRAV, "saldo")]
    return pl.concat(frames)
