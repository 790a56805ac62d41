"""The views of the analysts' database, as SQL that DuckDB 1.0 knows (``schemas.analytics.VIEWS``)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from schemas.published import PUBLISHED, PublishedColumn
from schemas.snapshot import Accepted
from schemas.tables import TABLES
from transforms.home.shown import shown
from transforms.home.snapshot import (
    ANALYTICS,
    CURRENT,
    FINDINGS,
    HELD_BACK,
    LED_TO,
    MANIFEST,
    REFUSED_ROWS,
    SNAPSHOTS,
    rows_of,
    whose,
)
from transforms.home.sql import sql_text
from transforms.ledgers.row_files import paths_of
from transforms.publish.apart import Apart, uten_forfall
from transforms.publish.at_home import AT_HOME


@dataclass(frozen=True)
class Of:
    """What the views are of: a snapshot's folder, its home, and the deliveries that it ``used``.

    ``nights``: by date the names of the published snapshots that are kept. ``previous``: the one made before this.
    """

    home: Path
    deliveries: Path
    snapshot: Path
    used: Sequence[Accepted]
    nights: Mapping[str, str] = field(default_factory=dict)
    previous: str | None = None


def views(of: Of, apart: Apart, day: date) -> dict[str, str]:
    """By name the query of each view, in an order in which each comes after those that it names.

    ``apart``: of which tables in ``intern`` there are rows; ``day``: the snapshot's date.
    """

    def file(name: str) -> str:
        return sql_text(of.snapshot / name)

    published = {name: _published(_rows_tonight(file, name, apart, day), name) for name in PUBLISHED}
    alone = "FROM intern.uten_forfall" if apart.uten_forfall else ""
    return {**published, **_made_of_tables("", alone), **_found(file, ""), **_of_this_night(of)}


def _rows_tonight(file: Callable[[str], str], name: str, apart: Apart, day: date) -> str:
    """As ``rows_of`` the snapshot: the same rows, joined only with what is ``apart``."""
    if name == "part":
        return rows_of(file, name)
    columns, rows = "row.* EXCLUDE (segment)", f"read_parquet({file(f'tables/{name}/*.parquet')}) AS row"
    if name == "kravforfall":
        of_documents = f"coalesce(older.snapshotdato, DATE '{day}')" if apart.eldre else f"DATE '{day}'"
        columns += f", row.forfallsdato < {of_documents} AS forfalt"
        rows += " LEFT JOIN intern.eldre AS older ON older.part = row.part" if apart.eldre else ""
    if apart.erstattet:
        rows += f" ANTI JOIN intern.erstattet AS old ON old.part = row.{whose(name)} AND old.segment = row.segment"
    return f"SELECT {columns} FROM {rows}"


def of_a_night(file: Callable[[str], str], at: str) -> dict[str, str]:
    """What a kept night's own files tell, by name. ``file``: the path of one, by its name in the snapshot, as SQL.

    ``at``: follows the names of the views of that night that are read.
    """
    published = {name: _published(rows_of(file, name), name) for name in PUBLISHED}
    return {**published, **_made_of_tables(at, uten_forfall(f"plassering{at}")), **_found(file, at)}


def _made_of_tables(at: str, alone: str) -> dict[str, str]:
    """``alone``: the placements of which only the motpost's end is here, as SQL; empty when there are none."""
    either = f"OR plasseringsidentifikator IN ({alone})" if alone else ""
    return {name: query.replace("@alone", either).replace("@", at) for name, query in _MADE_OF_TABLES.items()}


def _published(rows: str, name: str) -> str:
    columns = ", ".join(_column(name, column) for column in PUBLISHED[name].shown)
    return f"SELECT {columns} FROM ({rows}) WHERE {AT_HOME}"


def _column(table: str, column: PublishedColumn) -> str:
    """Øre × 0.01 is exact: integers and decimals times a decimal."""
    name, as_shown = column.name, column.holds.value.shown
    if (table, name) in _COMPUTED:
        return f"{_COMPUTED[table, name]} AS {name}"
    return f"({name}::DECIMAL(36, 0) * 0.01)::{as_shown} AS {name}" if column.is_amount else name


_MONTHS = "date_diff('month', periode_start, periode_slutt + 1)"
_MONTH = "month(periode_start)"
_COMPUTED = {
    ("part", "husholdning"): "coalesce(innehaver, part)",
    ("krav", "termin"): f"""CASE
        WHEN day(periode_start) > 1 OR day(periode_slutt + 1) > 1 THEN NULL
        WHEN {_MONTHS} = 12 AND {_MONTH} = 1 THEN year(periode_start)::VARCHAR
        WHEN {_MONTHS} = 6 AND {_MONTH} % 6 = 1 THEN concat(year(periode_start), '-H', ({_MONTH} + 5) // 6)
        WHEN {_MONTHS} = 3 AND {_MONTH} % 3 = 1 THEN concat(year(periode_start), '-K', ({_MONTH} + 2) // 3)
        WHEN {_MONTHS} = 2 AND {_MONTH} % 2 = 1 THEN concat(year(periode_start), '-T', ({_MONTH} + 1) // 2)
        WHEN {_MONTHS} = 1 THEN concat(year(periode_start), '-M', lpad({_MONTH}::VARCHAR, 2, '0')) END""",
}
"""What depends on other columns of the row."""


def _placed(plasseringstype: str, motpost: str) -> str:
    """Placements of the type once each, both ends named: of the two rows the due date's, or the only one."""
    due_end = "ende = 'kravforfall'"
    ends = {
        motpost: f"CASE WHEN {due_end} THEN motpost ELSE post END",
        "kravforfallsidentifikator": f"CASE WHEN {due_end} THEN post ELSE motpost END",
    }
    first, second = sorted(ends, key=lambda name: (name == "utbetalingsidentifikator", name == _DUE, name))
    return f"""
        SELECT plasseringsidentifikator, {ends[first]} AS {first}, {ends[second]} AS {second},
               plassert_beloep, plasseringsdato, kilde, leveransenummer
        FROM plassering@ WHERE plasseringstype = '{plasseringstype}'
          AND ({due_end} @alone)"""


_DUE = "kravforfallsidentifikator"


_MADE_OF_TABLES = {
    "forfall": """
        SELECT f.kravforfallsidentifikator, f.kravidentifikator, f.part, p.parttype, p.husholdning,
               k.kravtype, k.kravgruppe, k.kravbeskrivelse, k.opprettelsesdato, k.termin,
               f.forfallsdato, f.utsatt_iverksettelse, f.opprinnelig_beloep, f.gjenstaaende_beloep,
               f.renteberegnes, f.stipulerte_renter, f.forfalt,
               greatest(p.snapshotdato - f.forfallsdato, 0) AS dager_forfalt,
               aldersgruppe(p.snapshotdato - f.forfallsdato) AS aldersgruppe,
               p.snapshotdato, f.kilde, f.leveransenummer
        FROM kravforfall@ AS f JOIN krav@ AS k USING (kravidentifikator) JOIN part@ AS p ON p.part = f.part""",
    "husholdning": """
        SELECT husholdning, count(*) AS antall_parter,
               coalesce(sum(renter), 0)::DECIMAL(38, 2) AS stipulerte_renter,
               coalesce(sum(forfalt), 0)::DECIMAL(38, 2) AS forfalte_krav,
               coalesce(sum(ikke_forfalt), 0)::DECIMAL(38, 2) AS ikke_forfalte_krav,
               coalesce(sum(uplassert), 0)::DECIMAL(38, 2) AS uplasserte_innbetalinger,
               (coalesce(sum(renter), 0) + coalesce(sum(forfalt), 0) + coalesce(sum(ikke_forfalt), 0)
                + coalesce(sum(uplassert), 0))::DECIMAL(38, 2) AS saldo
        FROM part@ AS p LEFT JOIN (
          SELECT part, sum(stipulerte_renter) AS renter, sum(forfalte_krav) AS forfalt,
                 sum(ikke_forfalte_krav) AS ikke_forfalt
          FROM krav@ WHERE aapent GROUP BY part) AS owed ON owed.part = p.part
        LEFT JOIN (
          SELECT part, -sum(uplassert_beloep) AS uplassert FROM innbetaling@ WHERE uplassert_beloep <> 0 GROUP BY part
        ) AS paid ON paid.part = p.part GROUP BY husholdning""",
    "plassert_innbetaling": _placed("INNBETALING", "innbetalingsidentifikator"),
    "plassert_motkrav": _placed("MOTKRAV", "motkravforfallsidentifikator"),
    "plassert_utbetaling": _placed("UTBETALING", "utbetalingsidentifikator"),
    "innbetaling_mot_forfall": """
        SELECT placed.plasseringsidentifikator, placed.innbetalingsidentifikator, i.part AS betaler,
               placed.kravforfallsidentifikator, k.kravidentifikator, k.part, k.kravtype, k.kravgruppe,
               f.forfallsdato, i.innbetalingsdato, i.innbetalingsdato - f.forfallsdato AS dager_etter_forfall,
               placed.plassert_beloep
        FROM plassert_innbetaling@ AS placed JOIN kravforfall@ AS f USING (kravforfallsidentifikator)
        JOIN krav@ AS k USING (kravidentifikator) JOIN innbetaling@ AS i USING (innbetalingsidentifikator)""",
}
"""``@`` stands for the night that a view is read of, ``@alone`` for placements that have no due date there."""


def _found(file: Callable[[str], str], at: str) -> dict[str, str]:
    refused, led_to, held_back, findings = (
        f"read_parquet({file(name)})" for name in (REFUSED_ROWS, LED_TO, HELD_BACK, FINDINGS)
    )
    return {
        "findings": f"FROM {findings} WHERE {AT_HOME}",
        "avvist": f"""
            SELECT avvist, tabell, noekkel, kilde, leveransenummer, fil, rad, koder[1] AS kode, koder,
                   (beloep::DECIMAL(36, 0) * 0.01)::DECIMAL(38, 2) AS beloep,
                   part, kravidentifikator, kravforfallsidentifikator, motpost, slettet, rot
            FROM {refused} WHERE {AT_HOME}""",
        "holdt_tilbake": f"""
            SELECT led.part, siden, p.part IS NOT NULL AS har_dokumenter, gjennom, row.avvist,
                   row.kode, row.tabell, row.noekkel, root.avvist AS rot,
                   root.kode AS rot_kode, root.tabell AS rot_tabell, root.noekkel AS rot_noekkel
            FROM {held_back} AS held JOIN {led_to} AS led USING (part) JOIN avvist{at} AS row USING (avvist)
            JOIN avvist{at} AS root ON root.avvist = coalesce(row.rot, row.avvist)
            LEFT JOIN part{at} AS p ON p.part = led.part""",
    }


def _of_this_night(of: Of) -> dict[str, str]:
    return {
        "snapshot": f"""
            SELECT this.*, publisert, publisert = snapshot AS er_publisert FROM intern.snapshot AS this, (
              SELECT regexp_extract(content, '"snapshot": "([^"]+)"', 1) AS publisert
              FROM read_text({sql_text(of.home / CURRENT / MANIFEST)}))""",
        "snapshots": f"""
            SELECT snapshotdato, snapshot, file.path AS fil FROM intern.natt JOIN (
              SELECT split_part(file, '/', -2) AS snapshot, replace(file, '{MANIFEST}', '{ANALYTICS}') AS path
              FROM glob({sql_text(of.home / SNAPSHOTS / "*" / MANIFEST)})) AS file USING (snapshot)
            WHERE {AT_HOME} ORDER BY snapshotdato""",
        "rad": _delivered_rows(of),
    }


def _delivered_rows(of: Of) -> str:
    """The accepted rows of all deliveries in force, one scan for each of their tables."""
    scans = []
    for name, table in TABLES.items():
        files = [path for one in of.used for path in paths_of(of.deliveries, one, name)]
        if files:
            listed = ", ".join(map(sql_text, files))
            scans.append(
                f"SELECT '{name}' AS tabell, {table.key} AS noekkel, filename, rad, slettet "
                f"FROM read_parquet([{listed}], filename = true)"
            )
    rows = " UNION ALL ".join(scans) or _NO_ROWS
    return f"""
        SELECT tabell, noekkel, kilde, leveransenummer, fil, rad, slettet
        FROM ({rows}) AS rows JOIN intern.levert_fil AS files USING (filename) WHERE {AT_HOME}"""


_NO_ROWS = """SELECT NULL::VARCHAR AS tabell, NULL::VARCHAR AS noekkel, NULL::VARCHAR AS filename,
    NULL::UINTEGER AS rad, NULL::BOOLEAN AS slettet WHERE false"""


def delivered_files(of: Of) -> list[tuple[str, str, int, str]]:
    """``filename``, ``kilde``, ``leveransenummer`` and the name in the delivery, of each file of rows."""
    return [
        (str(path), one.kilde, one.leveransenummer, shown(one.filer[name][int(path.stem)]))
        for name in TABLES
        for one in of.used
        for path in paths_of(of.deliveries, one, name)
    ]
