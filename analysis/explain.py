"""Explains what a part's documents say, out of the analysts' database (``publish.analytics``)."""

from decimal import Decimal
from pathlib import Path

import duckdb

from analysis.figures import Explanation, HeldBack, Item, Krav, Total
from analysis.own_home import check_home
from analysis.posts import Found, UnknownError, explain_krav, rows
from transforms.home.snapshot import ANALYTICS

TOTALS = {
    "forfalteKrav": "forfalte_krav",
    "ikkeForfalteKrav": "ikke_forfalte_krav",
    "stipulerteRenter": "stipulerte_renter",
    "uplasserteInnbetalinger": "uplasserte_innbetalinger",
    "saldo": "saldo",
}
"""The totals of an overview, as the documents spell them, and their columns in ``oversikt``."""


def explain(database: Path, part: str, krav: str | None, forfall: str | None, total: str | None) -> Explanation:
    """Explains a krav, a due date or a total (one of ``TOTALS``) of the part's documents; of none of them, ``saldo``.

    ``database``: of a snapshot. Raises ``UnknownError`` for what they don't have, ``OtherHomeError``.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        check_home(connection, database)
        of_part = rows(connection, "SELECT part.*, snapshot, forrige FROM part, snapshot WHERE part = ?", part)
        if not of_part:
            raise UnknownError("the part has no documents")
        whose = of_part[0]
        held = _held_back(connection, part)
        if not _owner_is_as_shown(connection, whose):
            earlier = explain(_night_of(connection, database, whose), part, krav, forfall, total)
            return earlier.model_copy(update={"holdt_tilbake": held})
        asked = bool(krav or forfall)
        return Explanation(
            **{name: whose[name] for name in ("part", "innehaver", "snapshot", "snapshotdato")},
            holdt_tilbake=held,
            krav=_krav(connection, whose, krav, forfall) if asked else None,
            total=None if asked else _total(connection, whose, total or "saldo"),
        )


def _held_back(connection: duckdb.DuckDBPyConnection, part: str) -> HeldBack | None:
    found = rows(connection, "SELECT DISTINCT siden, rot_kode FROM holdt_tilbake WHERE part = ? ORDER BY ALL", part)
    return HeldBack(siden=found[0]["siden"], koder=tuple(row["rot_kode"] for row in found)) if found else None


def _owner_is_as_shown(connection: duckdb.DuckDBPyConnection, whose: Found) -> bool:
    """Whether the owner's posts here are those in the part's documents: not when the ENK is held back alone, or was
    before its owner. Their dates alone don't tell, for a date can be run again.
    """
    part, innehaver = whose["part"], whose["innehaver"]
    held = "SELECT snapshotdato, min(siden) AS siden FROM part LEFT JOIN holdt_tilbake USING (part) WHERE part = ?"
    enk, owner = (rows(connection, f"{held} GROUP BY snapshotdato", one) for one in (part, innehaver))
    return innehaver is None or enk[0]["siden"] is None or enk == owner


def _night_of(connection: duckdb.DuckDBPyConnection, database: Path, whose: Found) -> Path:
    """An earlier database, of the date of the part's documents. Raises ``UnknownError`` when it is not kept."""
    day, snapshot = whose["snapshotdato"], database.resolve().parent
    kept = rows(connection, "SELECT snapshot FROM snapshots WHERE snapshotdato = ?", day)
    name = kept[0]["snapshot"] if kept else ""
    if name == snapshot.name:  # this is a rerun of that date
        name = whose["forrige"] or ""
    if not name.startswith(str(day)) or not (found := snapshot.with_name(name) / ANALYTICS).exists():
        raise UnknownError(f"its documents show its owner as on {day}, a night that is no longer kept")
    return found


def _krav(connection: duckdb.DuckDBPyConnection, whose: Found, krav: str | None, forfall: str | None) -> Krav:
    column, key = ("kravforfallsidentifikator", forfall) if forfall else ("kravidentifikator", krav)
    found = rows(
        connection,
        f"FROM krav WHERE part IN (?, ?) AND kravidentifikator IN "
        f"(SELECT kravidentifikator FROM kravforfall WHERE {column} = ?)",
        *(whose["part"], whose["innehaver"], key),
    )
    if not found or (krav and found[0]["kravidentifikator"] != krav):
        raise UnknownError("no such krav or due date in the documents of the part")
    return explain_krav(connection, found[0], whose["snapshotdato"], forfall or "")


def _total(connection: duckdb.DuckDBPyConnection, whose: Found, name: str) -> Total:
    if name == "saldo":
        of = tuple(_total(connection, whose, other) for other in TOTALS if other != "saldo")
        return Total(navn=name, poster=(), av=of, beloep=sum((one.beloep for one in of), Decimal(0)))
    found = rows(connection, _POSTS[name], whose["part"], whose["innehaver"])
    items = tuple(Item(**row) for row in found)
    return Total(navn=name, poster=items, beloep=sum((item.beloep for item in items), Decimal(0)))


def _dues(column: str, which: str) -> str:
    return f"""
        SELECT kravforfallsidentifikator AS post, kravidentifikator AS krav, kravgruppe, due.part,
               due.{column} AS beloep
        FROM kravforfall AS due JOIN krav USING (kravidentifikator)
        WHERE aapent AND due.part IN (?, ?) AND due.{column} <> 0 AND {which}
        ORDER BY due.part, opprettelsesdato, krav, forfallsdato, post"""


_POSTS = {
    "forfalteKrav": _dues("gjenstaaende_beloep", "forfalt"),
    "ikkeForfalteKrav": _dues("gjenstaaende_beloep", "NOT forfalt"),
    "stipulerteRenter": _dues("stipulerte_renter", "true"),
    "uplasserteInnbetalinger": """
        SELECT innbetalingsidentifikator AS post, NULL AS krav, NULL AS kravgruppe, part, -uplassert_beloep AS beloep
        FROM innbetaling WHERE part IN (?, ?) AND uplassert_beloep <> 0 ORDER BY part, innbetalingsdato, post""",
}
"""What each total sums: the posts of the part and of its owner."""
