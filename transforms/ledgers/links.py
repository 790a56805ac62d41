"""How the good posts hang together, by row numbers.

What a row names by a key is looked up once, in one join each; from there on posts are followed, added up and sorted by
numbers. ``row`` is a row's number in its table (``delivered``), a reference's number is that of the row that it names:
``krav_row``, ``forfall_row``, ``motpost_row``. ``part_row`` is a part's place among the good parts by code point, so
that sorting by it is sorting by part.
"""

from pathlib import Path

import duckdb
import polars as pl

from schemas.tables import KRAV, KRAVFORFALL, TABLES, WITH_PART

LINKS = "links"
"""The folder of links among what ``check`` hands over."""

Links = dict[str, pl.DataFrame]
"""The good rows of each table, amounts in øre (``beloep``; ``Int64``), numbers ``UInt32``:

- ``part``: ``part_row`` (ascending), ``part``, ``parttype``, ``innehaver``, ``innehaver_row``
- ``krav``, ``innbetaling``, ``utbetaling``: ``row``, ``part_row``, ``beloep``
- ``kravforfall``: ``row``, ``krav_row``, ``part_row``, ``beloep``
- ``plassering``: ``row``, ``plasseringstype``, ``plassert_beloep``, and of the post at both ends its number, part and
  amount: ``forfall_row``, ``forfall_part_row``, ``forfall_beloep``, ``motpost_row``, ``motpost_part_row``,
  ``motpost_beloep``
"""

MOTPOSTER = {"MOTKRAV": "kravforfall", "INNBETALING": "innbetaling", "UTBETALING": "utbetaling"}
"""In which table the ``motpost`` of a placement of each type is."""


def keys_of(connection: duckdb.DuckDBPyConnection, name: str, *others: str) -> pl.DataFrame:
    """Number, key, references and amount (``beloep``) of the rows in ``good_<table>``, and ``others`` of columns."""
    table = TABLES[name]
    columns = ["row", table.key, *table.references, *_MORE.get(name, (f"{table.amount} AS beloep",)), *others]
    keys: pl.DataFrame = connection.sql(f"SELECT {', '.join(columns)} FROM good_{name}").pl()
    return keys.with_columns(pl.col("plasseringstype").cast(_KINDS)) if name == "plassering" else keys


_MORE = {"part": ("parttype",), "plassering": ("plasseringstype", "plassert_beloep")}
_KINDS = pl.Enum(list(MOTPOSTER))


def links_of(connection: duckdb.DuckDBPyConnection) -> Links:
    """The links of the rows in ``good_<table>``, which are all known to be good."""
    part = number_parts(keys_of(connection, "part"))
    links = {name: link_to_part(keys_of(connection, name), part) for name in WITH_PART}
    links["kravforfall"] = link_due_dates(keys_of(connection, "kravforfall"), links["krav"])
    links["plassering"] = link_placements(keys_of(connection, "plassering"), links)
    return without_keys(links | {"part": part})


def number_parts(part: pl.DataFrame) -> pl.DataFrame:
    """Good parts by code point, each with its number and its owner's."""
    numbered = part.select("part", "parttype", "innehaver").sort("part").with_row_index("part_row")
    owners = numbered.select(innehaver="part", innehaver_row="part_row")
    return numbered.join(owners, on="innehaver", how="left", maintain_order="left")


def link_to_part(rows: pl.DataFrame, part: pl.DataFrame) -> pl.DataFrame:
    """The rows with ``part_row``, null when there is no such part."""
    return rows.join(part.select("part", "part_row"), on="part", how="left").drop("part")


def link_due_dates(dues: pl.DataFrame, krav: pl.DataFrame) -> pl.DataFrame:
    """The due dates with ``krav_row`` and ``part_row``, null when there is no such krav."""
    of = krav.select(KRAV.key, "part_row", krav_row="row")
    return dues.join(of, on=KRAV.key, how="left").drop(KRAV.key)


def link_placements(placements: pl.DataFrame, links: Links) -> pl.DataFrame:
    """The placements with the posts at both ends, null when there is no such post.

    A due date that is used for others is one below zero. ``links`` still have the posts' keys.
    """
    dues = links["kravforfall"]
    forfall = dues.select(KRAVFORFALL.key, forfall_row="row", forfall_part_row="part_row", forfall_beloep="beloep")
    ends = placements.join(forfall, on=KRAVFORFALL.key, how="left").drop(KRAVFORFALL.key)
    posts = links | {"kravforfall": dues.filter(pl.col("beloep") < 0)}
    return pl.concat(
        ends.filter(plasseringstype=kind)
        .join(
            posts[name].select(
                motpost=TABLES[name].key, motpost_row="row", motpost_part_row="part_row", motpost_beloep="beloep"
            ),
            on="motpost",
            how="left",
        )
        .drop("motpost")
        for kind, name in MOTPOSTER.items()
    )


def without_keys(links: Links) -> Links:
    """The links alone, which is what is handed over."""
    return {name: rows if name == "part" else rows.drop(TABLES[name].key) for name, rows in links.items()}


def hand_over_links(links: Links, checked: Path) -> None:
    """Writes the links, for ``read_links``."""
    (checked / LINKS).mkdir()
    for name, rows in links.items():
        rows.write_parquet(checked / LINKS / f"{name}.parquet", compression="uncompressed", statistics=False)


def read_links(checked: Path) -> Links:
    """The links that another stage has handed over."""
    return {name: pl.read_parquet(checked / LINKS / f"{name}.parquet") for name in TABLES}


def show_links(connection: duckdb.DuckDBPyConnection, links: Links) -> None:
    """Creates ``forfall`` and ``plassering_ends``: the due dates and placements of ``rows_*`` that have links, by their
    keys; placements with ``forfall_part`` and ``motpost_part``.
    """
    for name, rows in links.items():
        connection.register(f"links_of_{name}", rows.to_arrow())
    connection.execute(
        """
        CREATE TEMP VIEW forfall AS
        SELECT kravforfallsidentifikator, kravidentifikator
        FROM rows_kravforfall SEMI JOIN links_of_kravforfall USING (row);
        CREATE TEMP VIEW plassering_ends AS
        SELECT plasseringsidentifikator, said.plasseringstype, kravforfallsidentifikator, motpost,
               near.part AS forfall_part, far.part AS motpost_part
        FROM rows_plassering AS said JOIN links_of_plassering AS ends USING (row)
        JOIN links_of_part AS near ON near.part_row = forfall_part_row
        JOIN links_of_part AS far ON far.part_row = motpost_part_row
        """
    )
