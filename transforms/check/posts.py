"""All sources together: which rows are good posts, which are quarantined (CONTRACT 2.2.2-2.2.5).

Each check is a lookup or a group-by, done once, in the contract's order, over what the earlier ones left. Keys of two
sources are compared as text; after that each key is one row's, and rows are followed by number (``ledgers.links``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import duckdb
import numpy as np
import polars as pl

from schemas.tables import REFERENCES, TABLES, Table
from transforms.ledgers.good import show_good
from transforms.ledgers.keys import ROWS_AT_A_TIME, standing_twice
from transforms.ledgers.links import (
    MOTPOSTER,
    PLACED,
    Links,
    Named,
    Numbered,
    all_linked,
    key_of,
    keys_of,
    link_due_dates,
    link_placements,
    link_to_part,
    number_parts,
)
from transforms.rules.money import compared, summed


def check_posts(
    connection: duckdb.DuckDBPyConnection, hand_over: Callable[[str, pl.DataFrame], None] = lambda *_: None
) -> None:
    """Runs every check over ``rows_*``; afterwards ``good_*`` are the posts, ``bad_*`` the refused keys, with the table
    ``quarantined``. How the posts hang together is handed over as it is found, a table's ``ledgers.links`` at a time.
    """
    show_good(connection)
    refused = _Refused(connection)

    def named(name: str, link: Callable[[pl.DataFrame], pl.DataFrame]) -> Named:
        return Named.of(_read(connection, name, link), name)

    def end(name: str, posts: Named) -> Named:
        """Hands over posts that placements name. All that is asked of them from there on is their amount."""
        hand_over(name, posts.rows.drop_nulls("row"))
        return Named(posts.rows.select("row", "beloep"), posts.keys)

    part = Named.of(_check_parts(_read(connection, "part"), refused), "part")
    hand_over("part", part.rows)

    def of_parts(name: str) -> Named:
        return _check_whose(named(name, partial(link_to_part, part=part)), name, refused)

    krav = of_parts("krav")
    krav, dues = _check_claims(krav, named("kravforfall", partial(link_due_dates, krav=krav)), refused)
    hand_over("krav", krav.rows.drop_nulls("row"))
    posts = {"kravforfall": end("kravforfall", dues)}
    del krav, dues  # which no more rows name: keys take as much memory as all else
    posts |= {name: end(name, of_parts(name)) for name in ("innbetaling", "utbetaling")}
    placed = _read(connection, "plassering", partial(_check_ends, posts=posts))
    amounts = {name: post.rows.drop_nulls("row") for name, post in posts.items()}
    del posts
    hand_over("plassering", _check_over(_without_refused(placed, refused), amounts, refused))
    _collect_quarantined(connection)


def _read(
    connection: duckdb.DuckDBPyConnection, name: str, link: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows
) -> pl.DataFrame:
    """The ``keys_of`` the table's rows, linked as they are read: what they name is not held as a key.

    One key in two sources: the same content is one post, anything else refuses all (2.2.2).
    """

    def read() -> pl.DataFrame:
        return all_linked(keys_of(connection, name), link)

    rows = read()
    return read() if _refuse_shared(connection, TABLES[name], rows) else rows


def _refuse_shared(connection: duckdb.DuckDBPyConnection, table: Table, rows: pl.DataFrame) -> bool:
    """Whether two sources say a key. Only where two rows share a hash are keys compared as text."""
    name = table.name
    refused: pl.DataFrame = connection.sql(
        f"SELECT noekkel, kilde FROM ledger_refused WHERE tabell = '{name}' AND noekkel IS NOT NULL"
    ).pl()
    hashes = rows[key_of(name)], refused["noekkel"].hash(1)
    again = pl.Series(standing_twice(*(some.to_numpy() for some in hashes)))
    if again.is_empty():
        return False
    suspects = rows.filter(pl.col(key_of(name)).is_in(again.implode())).select("row")
    said = _with_text(connection, table, suspects, "kilde").pl().select(noekkel=table.key, kilde="kilde")
    said = pl.concat([said, refused.filter(hashes[1].is_in(again.implode()))])
    shared = said.group_by("noekkel").agg(pl.col("kilde").n_unique()).filter(pl.col("kilde") > 1).select("noekkel")
    if shared.is_empty():
        return False
    connection.register(f"shared_{name}", shared.to_arrow())
    _judge_shared(connection, table)
    connection.unregister(f"shared_{name}")
    return True


def _with_text(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: pl.DataFrame, *columns: str
) -> duckdb.DuckDBPyRelation:
    """Some of the table's rows, by their number, with their key and others of its ``columns`` as text."""
    said = connection.sql(f"SELECT row, {', '.join((table.key, *columns))} FROM rows_{table.name}")
    return connection.from_arrow(rows.to_arrow()).join(said, "row")


def _judge_shared(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """The keys in ``shared_<table>``, by the content of their rows."""
    name, key = table.name, table.key
    content = ", ".join(f"{column} := {column}" for column in table.names)
    connection.execute(
        f"""
        CREATE TEMP TABLE shared_rows_{name} AS
        SELECT {key} AS noekkel, kilde, false AS refused, struct_pack({content}) AS content
        FROM ledger_{name} WHERE {key} IN (SELECT noekkel FROM shared_{name})
        UNION ALL
        SELECT noekkel, kilde, true, NULL FROM ledger_refused
        WHERE tabell = '{name}' AND noekkel IN (SELECT noekkel FROM shared_{name});
        INSERT INTO bad_{name}
        SELECT noekkel, 'L2-KEY-SOURCES' FROM shared_rows_{name}
        GROUP BY noekkel HAVING bool_or(refused) OR count(DISTINCT content) > 1;
        INSERT INTO same_{name}
        SELECT noekkel, kilde FROM shared_rows_{name}
        WHERE noekkel NOT IN (SELECT noekkel FROM bad_{name})
        QUALIFY row_number() OVER (PARTITION BY noekkel ORDER BY kilde) > 1;
        DROP TABLE shared_rows_{name}
        """
    )


@dataclass(frozen=True)
class _Refused:
    """Puts refused keys into ``bad_<table>``."""

    connection: duckdb.DuckDBPyConnection

    def add(self, name: str, rows: pl.DataFrame, kode: pl.Expr | str) -> None:
        """These rows of the table, with a code or each with its own."""
        if rows.is_empty():
            return
        table, code = TABLES[name], pl.lit(kode) if isinstance(kode, str) else kode
        found = _with_text(self.connection, table, rows.select("row", kode=code))
        found.project(f"{table.key}, kode").insert_into(f"bad_{name}")


def _check_parts(part: pl.DataFrame, refused: _Refused) -> pl.DataFrame:
    """An ENK whose innehaver is no accepted PERSON (2.2.3). Returns the others, numbered."""
    owners = part.filter(parttype="PERSON").select(innehaver="part")
    orphans = part.filter(parttype="ENK").join(owners, on="innehaver", how="anti")
    refused.add("part", orphans, "L2-PART-OWNER")
    return number_parts(part.join(orphans, on="part", how="anti"))


def _check_whose(posts: Named, name: str, refused: _Refused) -> Named:
    """Posts whose part is not accepted (2.2.3). Returns the others."""
    good = posts.rows["part_row"].is_not_null()
    refused.add(name, posts.rows.filter(~good), "L2-PART-UNKNOWN")
    return posts.those(good)


def _check_claims(krav: Named, dues: Named, refused: _Refused) -> tuple[Named, Named]:
    """A due date without its krav; then a krav that its due dates do not make up, with them (2.2.4).

    Returns the other krav and due dates.
    """
    there = dues.rows["krav_row"].is_not_null()
    refused.add("kravforfall", dues.rows.filter(~there), "L2-CLAIM-UNKNOWN")
    why = _why_wrong(krav.rows, dues.rows.filter(there) if not there.all() else dues.rows)
    wrong = krav.rows.with_columns(kode=why).drop_nulls("kode")
    if wrong.is_empty():
        return krav, dues.those(there)
    refused.add("krav", wrong, pl.col("kode"))
    of_refused = there & dues.rows["krav_row"].is_in(wrong["row"].implode())
    refused.add("kravforfall", dues.rows.filter(of_refused), "L2-CLAIM-OF-REFUSED")
    return krav.those(why.is_null()), dues.those(there & ~of_refused)


def _why_wrong(krav: pl.DataFrame, dues: pl.DataFrame) -> pl.Series:
    """Of each krav the code that its due dates refuse it with, if any; of those refused before, none."""
    place = Numbered(krav.select("row").with_row_index("place").drop_nulls("row")).values(dues["krav_row"], "place")
    amount, places, oere = krav["beloep"], place.to_numpy(), dues["beloep"]
    there, above, below = (np.zeros(krav.height, np.bool_) for _ in range(3))
    there[places] = above[places[(oere > 0).to_numpy()]] = below[places[(oere < 0).to_numpy()]] = True
    other = compared(summed(krav.height, [(places, oere)]), amount, pl.Series.ne)
    sign = ((amount > 0) & pl.Series(below)) | ((amount < 0) & pl.Series(above))
    code = (
        pl.when(amount.is_null())
        .then(None)
        .when(~pl.Series(there))
        .then(pl.lit("L2-CLAIM-NO-DUE-DATE"))
        .when(other)
        .then(pl.lit("L2-CLAIM-SUM"))
        .when(sign)
        .then(pl.lit("L2-CLAIM-SIGN"))
    )
    return pl.select(code.cast(_CLAIM_CODES).alias("kode")).to_series()


_CLAIM_CODES = pl.Enum(["L2-CLAIM-NO-DUE-DATE", "L2-CLAIM-SUM", "L2-CLAIM-SIGN"])
_PLACEMENT_CODES = pl.Enum(["L2-PLACEMENT-DUE-DATE", "L2-PLACEMENT-MOTPOST"])


def _check_ends(placements: pl.DataFrame, posts: Mapping[str, Named]) -> pl.DataFrame:
    """The placements with both ends, and the ``kode`` of one that is not there or of the wrong kind (2.2.5)."""
    ends, paid_out = link_placements(placements, posts), pl.col("plasseringstype") == "UTBETALING"
    no_due_date = pl.col("forfall_row").is_null() | ((pl.col("forfall_beloep") < 0) != paid_out)
    code = (
        pl.when(no_due_date)
        .then(pl.lit("L2-PLACEMENT-DUE-DATE"))
        .when(pl.col("motpost_row").is_null())
        .then(pl.lit("L2-PLACEMENT-MOTPOST"))
    )
    return ends.select(*PLACED, key_of("plassering"), kode=code.cast(_PLACEMENT_CODES))


def _without_refused(placed: pl.DataFrame, refused: _Refused) -> pl.DataFrame:
    """The placements without those that ``_check_ends`` refuses."""
    wrong = placed["kode"].is_not_null()
    refused.add("plassering", placed.filter(wrong), pl.col("kode"))
    return placed.select(PLACED).filter(~wrong) if wrong.any() else placed.select(PLACED)


def _check_over(placed: pl.DataFrame, posts: Links, refused: _Refused) -> pl.DataFrame:
    """All placements on posts with more placed than they are (2.2.5). Returns the others.

    ``posts``: by table, ``row`` and ``beloep``.
    """
    over = pl.concat(_over(placed, posts[name], name) for name in MOTPOSTER.values())
    if over.is_empty():
        return placed
    refused.add("plassering", over.unique(), "L2-PLACEMENT-OVER")
    return placed.join(over, on="row", how="anti")


def _over(placed: pl.DataFrame, posts: pl.DataFrame, name: str) -> pl.DataFrame:
    """``row`` of all placements on those posts of the table of which more is placed than their amount; on due dates,
    from either end.
    """
    (kind,) = (kind for kind, table in MOTPOSTER.items() if table == name)
    numbered = Numbered(posts)

    def on() -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
        """The placements on the table's posts, some at a time, and the place of the post of each."""
        for some in placed.iter_slices(ROWS_AT_A_TIME):
            by_type = some.filter(plasseringstype=kind)
            yield by_type, numbered.places(by_type["motpost_row"])
            if name == "kravforfall":
                yield some, numbered.places(some["forfall_row"])

    sums = summed(posts.height, ((at, rows["plassert_beloep"]) for rows, at in on()))
    over = compared(sums, posts["beloep"], lambda some, oere: some > oere.abs()).to_numpy()
    if not over.any():
        return placed.select("row").clear()
    return pl.concat(rows.filter(over[at]).select("row") for rows, at in on())


def _collect_quarantined(connection: duckdb.DuckDBPyConnection) -> None:
    """``quarantined``: every refused row in force: its place, reasons, what it refers to, and its amount."""
    parts = []
    for table in TABLES.values():
        amount = f"said.{table.amount}" if table.amount else "NULL::BIGINT"
        references = [name if name in table.names else f"NULL::VARCHAR AS {name}" for name in REFERENCES]
        parts.append(
            f"""
            SELECT '{table.name}' AS tabell, said.{table.key} AS noekkel, said.fil, said.rad,
                   bad.koder, {", ".join(references)}, false AS slettet, {amount} AS beloep, kilde, leveransenummer
            FROM rows_{table.name} AS said JOIN (
              SELECT noekkel, list(DISTINCT kode ORDER BY kode) AS koder FROM bad_{table.name} GROUP BY noekkel
            ) AS bad ON bad.noekkel = said.{table.key}
            """
        )
    connection.execute(
        f"CREATE TEMP TABLE quarantined AS SELECT * FROM ledger_refused UNION ALL {' UNION ALL '.join(parts)}"
    )


def said_twice() -> str:
    """The keys of which two sources say the same, but for parts, as SQL: ``tabell``, ``noekkel``."""
    return " UNION ".join(f"SELECT '{name}' AS tabell, noekkel FROM same_{name}" for name in TABLES if name != "part")


@dataclass(frozen=True)
class Count:
    """The rows of a table: what the sources say, with refused removals; those accepted; posts, each counted once."""

    said: int
    accepted: int
    posts: int


def count_said(connection: duckdb.DuckDBPyConnection, sources: Iterable[str]) -> dict[str, dict[str, int]]:
    """The rows that each of the sources says of each table, by source, by table: refused ones too, but no removals.

    Needs ``counted_*`` and ``ledger_refused``.
    """
    refused = "SELECT kilde, tabell, count(*) FROM ledger_refused WHERE slettet IS NOT TRUE GROUP BY ALL"
    good = [f"SELECT kilde, '{name}', count(*) FROM counted_{name} GROUP BY ALL" for name in TABLES]
    counted = {kilde: dict.fromkeys(TABLES, 0) for kilde in sources}
    for kilde, tabell, rows in connection.execute(" UNION ALL ".join([refused, *good])).fetchall():
        counted[kilde][tabell] += rows
    return counted


def count_posts(connection: duckdb.DuckDBPyConnection, table: Table, said: int) -> Count:
    """Counts the posts of a table of which the sources say so many rows (``count_said``).

    Needs ``rows_*``, ``bad_*``, ``same_*`` and ``ledger_refused``.
    """
    name = table.name
    refused, removals, bad, again = connection.execute(
        f"""
        SELECT (SELECT count(*) FROM ledger_refused WHERE tabell = '{name}'),
               (SELECT count(*) FROM ledger_refused WHERE tabell = '{name}' AND slettet IS TRUE),
               (SELECT count(*) FROM rows_{name} WHERE {table.key} IN (SELECT noekkel FROM bad_{name})),
               (SELECT count(*) FROM same_{name} ANTI JOIN bad_{name} USING (noekkel))
        """
    ).fetchall()[0]
    accepted = said + removals - refused - bad
    return Count(said + removals, accepted, accepted - again)
