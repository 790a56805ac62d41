"""All sources together: which rows are good posts, which are quarantined (CONTRACT 2.2.2-2.2.5).

Each check is a join or a group-by, done once, in the contract's order, over what the earlier ones left. Keys of two
sources are compared as text; after that each key is one row's, and rows are followed by number (``ledgers.links``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import polars as pl

from schemas.tables import REFERENCES, TABLES, WITH_PART, Table
from transforms.ledgers.good import show_good
from transforms.ledgers.links import (
    MOTPOSTER,
    Links,
    keys_of,
    link_due_dates,
    link_placements,
    link_to_part,
    number_parts,
    without_keys,
)


def check_posts(connection: duckdb.DuckDBPyConnection) -> Links:
    """Runs every check over ``rows_*``; afterwards ``good_*`` are the posts, ``bad_*`` the refused keys, with the table
    ``quarantined``. Returns how the posts hang together.
    """
    show_good(connection)
    refused = _Refused(connection)

    def keys(name: str) -> pl.DataFrame:
        return _check_keys(connection, TABLES[name])

    links = {"part": _check_parts(keys("part"), refused)}
    for name in WITH_PART:
        links[name] = _check_whose(keys(name), name, links["part"], refused)
    links |= _check_claims(links["krav"], keys("kravforfall"), refused)
    links["plassering"] = _check_placements(keys("plassering"), links, refused)
    _collect_quarantined(connection)
    return without_keys(links)


def _check_keys(connection: duckdb.DuckDBPyConnection, table: Table) -> pl.DataFrame:
    """One key in two sources: the same content is one post, anything else refuses all (2.2.2).

    Returns the ``keys_of`` the rows that are left. Whether there is such a key is told by hashes: if no two rows have
    the same, there is none.
    """
    name, key = table.name, table.key
    rows = keys_of(connection, name, "kilde")
    refused: pl.DataFrame = connection.sql(
        f"SELECT noekkel, kilde FROM ledger_refused WHERE tabell = '{name}' AND noekkel IS NOT NULL"
    ).pl()
    hashes = pl.concat([rows[key], refused["noekkel"].alias(key)]).hash()
    again = hashes.is_duplicated()
    if not again.any():
        return rows.drop("kilde")
    said = pl.concat([rows.select(noekkel=key, kilde="kilde"), refused]).filter(again)
    shared = said.group_by("noekkel").agg(pl.col("kilde").n_unique()).filter(pl.col("kilde") > 1).select("noekkel")
    if shared.is_empty():
        return rows.drop("kilde")
    connection.register(f"shared_{name}", shared.to_arrow())
    _judge_shared(connection, table)
    connection.unregister(f"shared_{name}")
    return keys_of(connection, name)


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
        code = pl.lit(kode) if isinstance(kode, str) else kode
        keys = rows.select(TABLES[name].key, kode=code).to_arrow()
        self.connection.from_arrow(keys).insert_into(f"bad_{name}")


def _check_parts(part: pl.DataFrame, refused: _Refused) -> pl.DataFrame:
    """An ENK whose innehaver is no accepted PERSON (2.2.3). Returns the others, numbered."""
    owners = part.filter(parttype="PERSON").select(innehaver="part")
    orphans = part.filter(parttype="ENK").join(owners, on="innehaver", how="anti")
    refused.add("part", orphans, "L2-PART-OWNER")
    return number_parts(part.join(orphans, on="part", how="anti"))


def _check_whose(rows: pl.DataFrame, name: str, part: pl.DataFrame, refused: _Refused) -> pl.DataFrame:
    """Posts whose part is not accepted (2.2.3). Returns the others with their part's number."""
    linked = link_to_part(rows, part)
    refused.add(name, linked.filter(pl.col("part_row").is_null()), "L2-PART-UNKNOWN")
    return linked.drop_nulls("part_row")


def _check_claims(krav: pl.DataFrame, dues: pl.DataFrame, refused: _Refused) -> Links:
    """A due date without its krav; then a krav that its due dates do not make up, with them (2.2.4).

    Returns the other ``krav`` and ``kravforfall``, with each due date's krav.
    """
    linked = link_due_dates(dues, krav)
    refused.add("kravforfall", linked.filter(pl.col("krav_row").is_null()), "L2-CLAIM-UNKNOWN")
    linked = linked.drop_nulls("krav_row")
    sums = linked.group_by(row="krav_row").agg(
        total=pl.col("beloep").cast(pl.Int128).sum(), lowest=pl.col("beloep").min(), highest=pl.col("beloep").max()
    )
    wrong = krav.join(sums, on="row", how="left").filter(
        pl.col("total").is_null()
        | (pl.col("total") != pl.col("beloep"))
        | ((pl.col("beloep") > 0) & (pl.col("lowest") < 0))
        | ((pl.col("beloep") < 0) & (pl.col("highest") > 0))
    )
    why = (
        pl.when(pl.col("total").is_null())
        .then(pl.lit("L2-CLAIM-NO-DUE-DATE"))
        .when(pl.col("total") != pl.col("beloep"))
        .then(pl.lit("L2-CLAIM-SUM"))
        .otherwise(pl.lit("L2-CLAIM-SIGN"))
    )
    refused.add("krav", wrong, why)
    of_refused = wrong.select(krav_row="row")
    refused.add("kravforfall", linked.join(of_refused, on="krav_row", how="semi"), "L2-CLAIM-OF-REFUSED")
    good = krav.join(wrong, on="row", how="anti") if len(wrong) else krav
    return {"krav": good, "kravforfall": linked.join(of_refused, on="krav_row", how="anti") if len(wrong) else linked}


def _check_placements(placements: pl.DataFrame, links: Links, refused: _Refused) -> pl.DataFrame:
    """An end that is not there or of the wrong kind; then posts with more placed than they are (2.2.5).

    Returns the other placements with the posts at both ends.
    """
    ends = link_placements(placements, links)
    paid_out = pl.col("plasseringstype") == "UTBETALING"
    no_due_date = pl.col("forfall_row").is_null() | ((pl.col("forfall_beloep") < 0) != paid_out)
    wrong = no_due_date | pl.col("motpost_row").is_null()
    why = pl.when(no_due_date).then(pl.lit("L2-PLACEMENT-DUE-DATE")).otherwise(pl.lit("L2-PLACEMENT-MOTPOST"))
    refused.add("plassering", ends.filter(wrong), why)
    ends = ends.filter(~wrong)
    over = pl.concat(_over(ends, name) for name in MOTPOSTER.values())
    if len(over):
        refused.add("plassering", ends.join(over, on="row", how="semi"), "L2-PLACEMENT-OVER")
    return ends.join(over, on="row", how="anti") if len(over) else ends


def _over(ends: pl.DataFrame, name: str) -> pl.DataFrame:
    """``row`` of all placements on those posts of the table of which more is placed than their amount; on due dates,
    from either end.
    """
    (kind,) = (kind for kind, table in MOTPOSTER.items() if table == name)
    on = [
        ends.filter(plasseringstype=kind).select("row", "plassert_beloep", post="motpost_row", beloep="motpost_beloep")
    ]
    if name == "kravforfall":
        on.append(ends.select("row", "plassert_beloep", post="forfall_row", beloep="forfall_beloep"))
    placed = pl.concat(on)
    sums = placed.group_by("post").agg(pl.col("plassert_beloep").cast(pl.Int128).sum(), pl.col("beloep").first().abs())
    over = sums.filter(pl.col("plassert_beloep") > pl.col("beloep"))
    return placed.join(over, on="post", how="semi").select("row")


def _collect_quarantined(connection: duckdb.DuckDBPyConnection) -> None:
    """``quarantined``: every refused row in force: its place, reasons and what it refers to."""
    parts = []
    for table in TABLES.values():
        references = [name if name in table.names else f"NULL::VARCHAR AS {name}" for name in REFERENCES]
        parts.append(
            f"""
            SELECT '{table.name}' AS tabell, said.{table.key} AS noekkel, said.fil, said.rad,
                   bad.koder, {", ".join(references)}, false AS slettet, kilde, leveransenummer
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
