"""Which parts must be built anew tonight, and which get its date; the others have the documents that they would get.

A part's documents are made of its household's posts, of what its placements show of their far ends, of the
reference data, and of the date through interest and what is overdue. So those parts are affected to which a
changed post belongs or belonged, those at the other end of a placement on it, and those paid out of a krav whose
remaining has changed. Those whom only the date moves are redated (``redate``). A post has changed when a delivery
used since the last snapshot names its key, or when it is quarantined tonight and was not then, or the other way
about. What it was before is one of its versions in the deliveries in force (``neighbourhood``): the last snapshot's
documents show those of then, but for parts held back then, which are built or still held back tonight.
``docs/decisions/0012`` has the argument why this is all; a test holds nights built this way to whole ones.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from schemas.snapshot import Accepted
from schemas.store import OVERSIKTER
from schemas.tables import TABLES, WITH_PART
from transforms.home.snapshot import HELD_BACK, QUARANTINED, read_index, rows_sql
from transforms.home.sql import sql_text
from transforms.ledgers.delivered import delivered_keys_sql
from transforms.rules.interest import stipulated, weights


class Chosen(NamedTuple):
    """The parts (``part``) to build, and those that get the new date: whole households."""

    to_build: pl.DataFrame
    to_redate: pl.DataFrame


def hold_chosen(connection: duckdb.DuckDBPyConnection, chosen: Chosen) -> None:
    """Creates ``to_build`` and ``to_redate``."""
    connection.register("chosen_to_build", chosen.to_build.to_arrow())
    connection.register("chosen_to_redate", chosen.to_redate.to_arrow())
    connection.execute("CREATE TEMP TABLE to_build AS FROM chosen_to_build")
    connection.execute("CREATE TEMP TABLE to_redate AS FROM chosen_to_redate")


def show_previous(connection: duckdb.DuckDBPyConnection, previous: Path) -> None:
    """Creates ``previous_<table>``: the rows of the tables of the snapshot ``previous``."""
    for name in TABLES:
        connection.execute(f"CREATE TEMP VIEW previous_{name} AS {rows_sql(previous, name)}")


def everyone(connection: duckdb.DuckDBPyConnection) -> Chosen:
    """Builds every part that is not held back."""
    to_build: pl.DataFrame = connection.sql("SELECT part FROM good_part ANTI JOIN held_back USING (part)").pl()
    return Chosen(to_build, to_build.clear())


def those_affected(
    connection: duckdb.DuckDBPyConnection,
    previous: Path,
    deliveries: Path,
    changes: Sequence[Accepted],
    rates: pl.DataFrame,
    dates: tuple[date, date],
) -> Chosen:
    """Builds the affected parts of those not held back. Those of the others whom the date moves are redated, if the
    overviews of their household lie in one segment of the previous snapshot.

    ``changes``: the deliveries used tonight that the previous snapshot did not use. ``dates``: the previous snapshot's
    and tonight's. Needs ``versions_*``, ``good_*``, ``forfall`` and ``plassering_ends`` around the changes,
    ``quarantined`` and ``held_back``.
    """
    show_previous(connection, previous)
    _find_changed(connection, previous, deliveries, changes)
    connection.execute("CREATE TEMP TABLE affected (part VARCHAR)")
    connection.execute(f"CREATE TEMP VIEW previous_held_back AS FROM read_parquet({sql_text(previous / HELD_BACK)})")
    queries = [*_OWNERS, _FAR_ENDS, _NEAR_PAYOUTS, _RELEASED]
    if connection.execute("SELECT count(*) FROM turned WHERE tabell = 'plassering'").fetchall()[0][0]:
        queries.append(_FAR_PAYOUTS)
    for query in queries:
        connection.execute(f"INSERT INTO affected {query}")
    connection.register("moved", _moved_by_date(connection, rates, *dates).to_arrow())
    documents = (
        read_index(previous).filter(pl.col("snapshotdato").is_not_null()).select("part", segment=OVERSIKTER.column)
    )
    connection.register("documents", documents.to_arrow())
    connection.execute(
        """
        INSERT INTO affected SELECT part FROM good_part ANTI JOIN documents USING (part);
        CREATE TEMP VIEW members AS
        SELECT coalesce(innehaver, part) AS household, part FROM good_part ANTI JOIN held_back USING (part);
        CREATE TEMP TABLE touched AS
        SELECT part FROM members WHERE household IN (
          SELECT coalesce(innehaver, part) FROM good_part SEMI JOIN affected USING (part));
        CREATE TEMP TABLE dated AS
        SELECT part, segment, household
        FROM members JOIN documents USING (part) ANTI JOIN touched USING (part)
        WHERE household IN (SELECT coalesce(innehaver, part) FROM good_part SEMI JOIN moved USING (part));
        CREATE TEMP TABLE scattered AS
        SELECT household FROM dated GROUP BY household HAVING min(segment) <> max(segment)
        """
    )
    return Chosen(
        connection.sql("FROM touched UNION ALL SELECT part FROM dated SEMI JOIN scattered USING (household)").pl(),
        connection.sql("SELECT part FROM dated ANTI JOIN scattered USING (household)").pl(),
    )


def _find_changed(
    connection: duckdb.DuckDBPyConnection, previous: Path, deliveries: Path, changes: Sequence[Accepted]
) -> None:
    """``changed_<table> (noekkel)``: the posts that may be others than they were; a krav with its due dates.
    ``placed_posts (post)``: at the ends of the placements among them, now and before.
    """
    before = f"read_parquet({sql_text(previous / QUARANTINED)})"
    connection.execute(
        f"""
        CREATE TEMP TABLE turned AS
        (FROM quarantined EXCEPT SELECT tabell, noekkel FROM {before})
        UNION ALL (SELECT tabell, noekkel FROM {before} EXCEPT FROM quarantined)
        """
    )
    for name, table in TABLES.items():
        named = delivered_keys_sql(deliveries, changes, table)
        connection.execute(
            f"CREATE TEMP TABLE changed_{name} AS SELECT noekkel FROM turned WHERE tabell = '{name}' "
            f"UNION SELECT noekkel FROM ({named})"
        )
    connection.execute(
        """
        INSERT INTO changed_krav
        SELECT kravidentifikator FROM versions_kravforfall
        WHERE kravforfallsidentifikator IN (FROM changed_kravforfall);
        INSERT INTO changed_kravforfall
        SELECT kravforfallsidentifikator FROM forfall WHERE kravidentifikator IN (FROM changed_krav);
        CREATE TEMP TABLE placed_posts AS
        SELECT DISTINCT unnest([kravforfallsidentifikator, motpost]) AS post FROM versions_plassering
        WHERE plasseringsidentifikator IN (FROM changed_plassering)
        """
    )


_OWNERS = (
    "FROM changed_part",
    *(f"SELECT part FROM versions_{name} WHERE {TABLES[name].key} IN (FROM changed_{name})" for name in WITH_PART),
    *(
        f"SELECT part FROM versions_{name} WHERE {TABLES[name].key} IN (FROM placed_posts)"
        for name in ("innbetaling", "utbetaling")
    ),
    """SELECT part FROM versions_krav WHERE kravidentifikator IN (
       SELECT kravidentifikator FROM versions_kravforfall WHERE kravforfallsidentifikator IN (FROM placed_posts))""",
)
"""Whose the changed posts are and were, and those at the ends of changed placements. A due date is its krav's."""

_FAR_ENDS = """
    SELECT unnest([forfall_part, motpost_part]) FROM plassering_ends
    WHERE plasseringsidentifikator IN (FROM changed_plassering)
       OR kravforfallsidentifikator IN (FROM changed_kravforfall)
       OR motpost IN (FROM changed_kravforfall UNION ALL FROM changed_innbetaling UNION ALL FROM changed_utbetaling)"""
"""Both ends of every placement that has changed, or is on a post that has."""

_PAYOUTS = """
    WITH krav AS (
      SELECT DISTINCT kravidentifikator FROM forfall WHERE kravforfallsidentifikator IN (FROM placed_posts)),
    dues AS (SELECT kravforfallsidentifikator FROM forfall SEMI JOIN krav USING (kravidentifikator))
    SELECT {part} FROM {placements}
    WHERE plasseringstype = 'UTBETALING' AND {due_date} IN (FROM dues)"""
"""Whom a krav is paid out to whose remaining has changed: a payout shows it."""

_NEAR_PAYOUTS = _PAYOUTS.format(part="motpost_part", placements="plassering_ends", due_date="kravforfallsidentifikator")
_FAR_PAYOUTS = _PAYOUTS.format(
    part="part", placements="(FROM previous_plassering WHERE ende = 'motpost')", due_date="motpost"
)
"""The same of a placement that turns bad because too much is placed: it may lie so far from the change that the payouts
on its krav are not near (``neighbourhood``); they are as they were in the previous snapshot, or changed themselves."""

_RELEASED = "SELECT part FROM previous_held_back ANTI JOIN held_back USING (part)"
"""Parts that were held back: their documents are older than the previous snapshot."""


def _moved_by_date(
    connection: duckdb.DuckDBPyConnection, rates: pl.DataFrame, before: date, tonight: date
) -> pl.DataFrame:
    """The parts with a due date that is overdue on one of the dates only, or bears other interest."""
    if before == tonight:
        return pl.DataFrame(schema={"part": pl.String})
    dues: pl.DataFrame = connection.sql(
        """
        SELECT part, forfallsdato, gjenstaaende_beloep, renteberegnes, forfalt, stipulerte_renter
        FROM previous_kravforfall WHERE gjenstaaende_beloep <> 0 AND forfallsdato < $1
        """,
        params=[max(before, tonight)],
    ).pl()
    dues = dues.rename({"stipulerte_renter": "renter_before", "forfalt": "forfalt_before"})
    dues = dues.with_columns(forfalt=pl.col("forfallsdato") < tonight).join(
        weights(dues["forfallsdato"], rates, tonight), on="forfallsdato", how="left"
    )
    moved = (pl.col("forfalt") != pl.col("forfalt_before")) | (stipulated() != pl.col("renter_before").cast(pl.Int128))
    return dues.filter(moved).select(pl.col("part").unique())
