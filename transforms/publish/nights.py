"""Kept nights by their date, and what has changed from one to another: macros, for nights come and go.

A macro reads nothing before it is called, so a night that is no longer kept is told of only by who asks for it.
"""

from datetime import date

from schemas.macros import AS_OF
from schemas.published import PUBLISHED, PublishedTable
from transforms.home.snapshot import PART_TABLE, SNAPSHOTS
from transforms.home.sql import sql_text
from transforms.publish.views import Of, of_a_night


def night_macros(of: Of, day: date) -> list[str]:
    """The macros, each after those that it calls. ``day``: this snapshot's own."""
    named = {str(night): name for night, name in of.nights.items()} | {str(day): of.snapshot.name}
    known = {**{name: name for name in (*named.values(), of.previous) if name}, **named}
    when = " ".join(f"WHEN {sql_text(asked)} THEN {sql_text(name)}" for asked, name in known.items())
    which = f"CASE dato::VARCHAR {when} ELSE concat('no night of ', dato, ' is kept') END"
    folder = f"concat({sql_text(f'{of.home / SNAPSHOTS}/')}, {which})"
    queries = of_a_night(lambda file: f"concat(intern.mappe(dato), {sql_text(f'/{file}')})", "_as_of(dato)")
    asked = sql_text(of.previous or of.snapshot.name), sql_text(of.snapshot.name)
    return [
        f"CREATE MACRO intern.mappe(dato) AS {folder}",
        *(f"CREATE MACRO {name}_as_of(dato) AS TABLE {queries[name]}" for name in AS_OF),
        f"CREATE MACRO endringer(fra := {asked[0]}, til := {asked[1]}) AS TABLE {_CHANGES}",
        f"CREATE MACRO saldobro(fra := {asked[0]}, til := {asked[1]}) AS TABLE {_BRIDGE}",
    ]


AMOUNTS = {
    "part": "NULL",
    "krav": "gjenstaaende_beloep",
    "kravforfall": "gjenstaaende_beloep",
    "innbetaling": "uplassert_beloep",
    "utbetaling": "utbetalt_beloep",
    "plassering": "plassert_beloep",
}
"""Of each table of posts the amount that is shown of a row."""


def _compared(table: PublishedTable) -> list[str]:
    """The columns that say something of a post itself: as delivered, and what remains of it or is not placed."""
    made = ("gjenstaaende_beloep", "uplassert_beloep")
    columns = [column.name for column in table.columns if column.source or column.name in made]
    return [name for name in columns if name != table.key[0]]


def _rows_apart(name: str, night: str, other: str) -> str:
    """The rows of a table of one night, without those that the other has too, for they lie in the same segment."""
    due_end = " AND ende = 'kravforfall'" if name == "plassering" else ""
    if name == "part":
        return f"SELECT * FROM part_as_of({night})"
    return (
        f"SELECT r.* FROM read_parquet(concat(intern.mappe({night}), '/tables/{name}/*.parquet')) AS r "
        f"JOIN {_parts(night)} AS p ON p.part = r.part AND r.segment IN (p.segment, p.oversikt_segment) "
        f"LEFT JOIN {_parts(other)} AS o ON o.part = r.part "
        f"WHERE coalesce(r.segment NOT IN (o.segment, o.oversikt_segment), true){due_end}"
    )


def _parts(night: str) -> str:
    return f"read_parquet(concat(intern.mappe({night}), '/{PART_TABLE}'))"


def _changes_of(name: str) -> str:
    """New, changed and gone rows of one table."""
    table, amount = PUBLISHED[name], AMOUNTS[name]
    key = table.key[0]
    differ = ", ".join(f"CASE WHEN b.{c} IS DISTINCT FROM n.{c} THEN '{c}' END" for c in _compared(table))
    before, now = (
        "NULL::DECIMAL(38, 2)" if amount == "NULL" else f"({side}.{amount}::DECIMAL(36, 0) * 0.01)::DECIMAL(38, 2)"
        for side in "bn"
    )
    return f"""
        SELECT '{name}' AS tabell, coalesce(n.{key}, b.{key}) AS noekkel, coalesce(n.part, b.part) AS part,
               CASE WHEN b.{key} IS NULL THEN 'ny' WHEN n.{key} IS NULL THEN 'borte' ELSE 'endret' END AS endring,
               CASE WHEN b.{key} IS NOT NULL AND n.{key} IS NOT NULL THEN concat_ws(', ', {differ}) ELSE '' END
                 AS kolonner,
               {before} AS beloep_foer, {now} AS beloep
        FROM ({_rows_apart(name, "til", "fra")}) AS n
        FULL JOIN ({_rows_apart(name, "fra", "til")}) AS b ON b.{key} = n.{key}"""


_CHANGES = f"""
    SELECT * FROM ({" UNION ALL ".join(map(_changes_of, AMOUNTS))}) AS rows
    WHERE endring <> 'endret' OR kolonner <> ''"""

_SIGNED = """
    SELECT 'krav' AS tabell, kravidentifikator AS noekkel, kravgruppe,
           gjenstaaende_beloep AS rest, stipulerte_renter AS renter
    FROM krav_as_of({night})
    UNION ALL
    SELECT 'innbetaling', innbetalingsidentifikator, NULL, -uplassert_beloep, 0 FROM innbetaling_as_of({night})"""
_TIL, _FRA = (_SIGNED.format(night=night) for night in ("til", "fra"))

_BRIDGE = f"""
    SELECT kravgruppe, sum(b_rest + b_renter) AS aapning, sum(CASE WHEN er_ny THEN rest ELSE 0 END) AS nye,
           sum(CASE WHEN er_ny OR er_borte THEN 0 ELSE rest - b_rest END) AS endret,
           sum(CASE WHEN er_borte THEN -b_rest ELSE 0 END) AS borte, sum(renter - b_renter) AS renter,
           sum(rest + renter) AS lukning
    FROM (
      SELECT n.kravgruppe, n.rest, n.renter, 0::DECIMAL(38, 2) AS b_rest, 0::DECIMAL(38, 2) AS b_renter,
             b.noekkel IS NULL AS er_ny, false AS er_borte
      FROM ({_TIL}) AS n LEFT JOIN ({_FRA}) AS b ON b.tabell = n.tabell AND b.noekkel = n.noekkel
      UNION ALL
      SELECT b.kravgruppe, 0, 0, b.rest, b.renter, false, n.noekkel IS NULL
      FROM ({_FRA}) AS b LEFT JOIN ({_TIL}) AS n ON b.tabell = n.tabell AND b.noekkel = n.noekkel
    ) AS signed
    GROUP BY kravgruppe ORDER BY kravgruppe"""
