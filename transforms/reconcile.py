"""The control totals, made twice by different routes (CONTRACT section 5).

``from_posts`` adds up the accepted rows in DuckDB; ``from_documents`` reads the stored documents back,
byte for byte as they will be served, and adds up what they list. The two share no code, and neither
uses a figure that the other has made. Over the newly built parts, each post counted once.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import zstandard

from schemas.store import KINDS

Totals = dict[str, int]
"""Name of a count or a sum to its value; sums in øre."""

NOT_IN_DOCUMENTS = {"antall_utbetalt_paa_kredit", "sum_utbetalt_paa_kredit"}
"""A payout is not listed on the due date that it pays (CONTRACT section 4)."""


def from_posts(connection: duckdb.DuckDBPyConnection) -> Totals:
    """Counts and sums of the accepted posts of the ``parts`` that are built."""
    own = "SELECT {columns} FROM {table} SEMI JOIN parts USING (part)"
    forfall = own.format(columns="*", table="forfall")
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
        "grunnlag": f"""SELECT count(DISTINCT (motpost, kravidentifikator)), NULL FROM good_plassering
            JOIN forfall USING (kravforfallsidentifikator)
            SEMI JOIN ({own.format(columns="*", table="good_utbetaling")}) AS near
              ON near.utbetalingsidentifikator = motpost WHERE plasseringstype = 'UTBETALING'""",
    }
    totals: Totals = {}
    for name, query in queries.items():
        count, oere = connection.execute(query).fetchall()[0]
        totals[f"antall_{name}"] = int(count)
        if name not in ("parter", "grunnlag"):
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
        "sum_uplassert": posts["sum_innbetaling"] + posts["sum_krav_paa_innbetaling"],
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
    data = (snapshot / "documents" / f"{segment}.zst").read_bytes()
    totals: Totals = {"antall_parter": index.height}
    contradictions = 0
    for kind in KINDS:
        documents = _documents(data, index, kind)
        if kind == "oversikt":
            contradictions += _contradictions(documents, snapshot_date)
        else:
            totals |= _READERS[kind](_own_posts(documents))
    return ReadBack(totals, contradictions)


def _documents(data: bytes, index: pl.DataFrame, kind: str) -> pl.DataFrame:
    """``part`` and ``body``, the text of its document or of its posts."""
    rows = index.filter(pl.col(f"{kind}_length") > 0).select(
        "part", offset=f"{kind}_offset", length=f"{kind}_length", skip=8 * pl.col(f"{kind}_antall")
    )
    decompress, view = zstandard.ZstdDecompressor().decompress, memoryview(data)
    skip = 0 if kind == "oversikt" else 1
    bodies = [
        decompress(view[offset : offset + length])[words * skip :]
        for offset, length, words in rows.select("offset", "length", "skip").iter_rows()
    ]
    body = pl.Series("body", bodies, dtype=pl.Binary).cast(pl.String)
    return rows.select("part").with_columns(body)


def _own_posts(documents: pl.DataFrame) -> pl.DataFrame:
    """One row per post that is the part's own: the text from its number on.

    A post begins with its part and nothing else does; within a text the quotes would be escaped, so
    a key with its quotes can be found without parsing.
    """
    posts = documents.select("part", post=pl.col("body").str.split('{"part":"')).explode("post")
    return posts.filter(pl.col("post").str.starts_with(pl.col("part") + pl.lit('"'))).select("post")


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
            "gjenstaaende_krav": _found(posts, rf'[0-9],"gjenstaaendeBeloep":{_AMOUNT}'),
            "gjenstaaende_kravforfall": _found(posts, rf'\],"gjenstaaendeBeloep":{_AMOUNT}'),
        },
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
            "grunnlag": _found(posts, rf'"gjenstaaendeBeloep":{_AMOUNT}'),
        },
        grunnlag="antall",
    )


_READERS = {"krav": _read_krav, "innbetalinger": _read_innbetalinger, "utbetalinger": _read_utbetalinger}

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
