"""Kept nights by their date, and what has changed from one to another: macros, for nights come and go.

A macro reads nothing before it is called, so a night that is no longer kept is told of only by who asks for it.
"""

from datetime import date

from schemas.macros import AS_OF
from schemas.published import PUBLISHED, PublishedTable
from schemas.store import SEGMENTS
from transforms.home.snapshot import PART_TABLE, SNAPSHOTS
from transforms.home.sql import sql_text
from transforms.publish.at_home import AT_HOME
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
        f"JOIN ({_places(night)} EXCEPT {_places(other)}) AS p ON p.part = r.part AND p.segment = r.segment "
        f"WHERE {AT_HOME}{due_end}"
    )


def _places(night: str) -> str:
    """Each part with each of its segments: of the few that another night has not, rows are found by them."""
    part = f"read_parquet(concat(intern.mappe({night}), '/{PART_TABLE}'))"
    both = " UNION ALL ".join(f"SELECT part, {segments.column} AS segment FROM {part}" for segments in SEGMENTS)
    return f"SELECT * FROM ({both})"


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
    SELECT CASE WHEN er_til THEN til_gruppe ELSE fra_gruppe END AS kravgruppe,
           sum(CASE WHEN er_til THEN 0 ELSE b_rest + b_renter END) AS aapning,
           sum(CASE WHEN er_til AND er_ny THEN rest ELSE 0 END) AS nye,
           sum(CASE WHEN er_til AND NOT er_ny THEN rest WHEN NOT er_til AND NOT er_borte THEN -b_rest ELSE 0 END)
             AS endret,
           sum(CASE WHEN NOT er_til AND er_borte THEN -b_rest ELSE 0 END) AS borte,
           sum(CASE WHEN er_til THEN renter ELSE -b_renter END) AS renter,
           sum(CASE WHEN er_til THEN rest + renter ELSE 0 END) AS lukning
    FROM (
      SELECT n.kravgruppe AS til_gruppe, b.kravgruppe AS fra_gruppe, b.noekkel IS NULL AS er_ny,
             n.noekkel IS NULL AS er_borte, sum(n.rest) AS rest, sum(n.renter) AS renter, sum(b.rest) AS b_rest,
             sum(b.renter) AS b_renter
      FROM ({_TIL}) AS n FULL JOIN ({_FRA}) AS b ON b.tabell = n.tabell AND b.noekkel = n.noekkel
      GROUP BY 1, 2, 3, 4
    ) AS moved, (VALUES (true), (false)) AS side(er_til)
    WHERE CASE WHEN er_til THEN NOT er_borte ELSE NOT er_ny END
    GROUP BY 1 ORDER BY 1"""
"""Each post stands once with what it is this night and once with what it was: its kravgruppe may have changed. They
are summed before they are told apart, so each night is read once."""
