"""The analysts' database: its views, and what each column means.

This is the single source of ``docs/tables.md`` and of the comments in ``analytics.duckdb``; the SQL is in
``transforms/publish``. Here are the tables of the snapshot (``schemas.published``), and what is made of them.
"""

from dataclasses import replace

from schemas.published import PUBLISHED, PublishedColumn, PublishedTable
from schemas.views import AGE_BAND, Shown, View, ViewColumn


def _of_published(column: PublishedColumn) -> ViewColumn:
    unit = "kroner" if column.is_amount else ""
    return ViewColumn(column.name, column.holds.value.shown, column.told, unit, column.source)


def _published(table: PublishedTable) -> View:
    return View(table.name, table.told, tuple(map(_of_published, table.shown)), table.key)


def _amount(name: str, told: str) -> ViewColumn:
    return ViewColumn(name, Shown.AMOUNT, told, "kroner")


def _text(**told: str) -> tuple[ViewColumn, ...]:
    return tuple(ViewColumn(name, Shown.TEXT, text) for name, text in told.items())


def _like(table: str, *names: str, of: str = "") -> tuple[ViewColumn, ...]:
    """Columns as another table has them, of what a row names if it is ``of`` another."""
    columns = {column.name: _of_published(column) for column in PUBLISHED[table].shown}
    return tuple(
        replace(columns[name], told=f"of {of}: {columns[name].told}" if of else columns[name].told) for name in names
    )


_DELIVERED_BY = ("kilde", "leveransenummer")
_OVERDUE = ViewColumn(
    "dager_forfalt", Shown.COUNT, "how long before the date of its part's documents it was due, 0 if it is not", "days"
)
_BAND = ViewColumn(
    "aldersgruppe", AGE_BAND, "the age band of those days; `ORDER BY aldersgruppe` sorts by age (in Parquet it is text)"
)
_PLACED = _like("plassering", "plassert_beloep", "plasseringsdato", *_DELIVERED_BY)
_PLACEMENT = _like("plassering", "plasseringsidentifikator")
_NUMBERED = ViewColumn("leveransenummer", Shown.NUMBER, "the number of its delivery")

FORFALL = View(
    "forfall",
    "One row per due date, with what its krav and its part say of it. As `kravforfall`, without accounts.",
    (
        *_like("kravforfall", "kravforfallsidentifikator", "kravidentifikator", "part"),
        *_like("part", "parttype", "husholdning", of="its part"),
        *_like("krav", "kravtype", "kravgruppe", "kravbeskrivelse", "opprettelsesdato", "termin", of="its krav"),
        *_like("kravforfall", "forfallsdato", "utsatt_iverksettelse", "opprinnelig_beloep", "gjenstaaende_beloep"),
        *_like("kravforfall", "renteberegnes", "stipulerte_renter", "forfalt"),
        *(_OVERDUE, _BAND),
        *_like("part", "snapshotdato", of="its part"),
        *_like("kravforfall", *_DELIVERED_BY),
    ),
    ("kravforfallsidentifikator",),
)

HUSHOLDNING = View(
    "husholdning",
    "One row per household: a part and the sole proprietorships that it owns. Each post counts once, with whose it is.",
    (
        *_text(husholdning="the owner, or the only part"),
        ViewColumn("antall_parter", Shown.COUNT, "how many parts it has"),
        *_like("oversikt", "stipulerte_renter", "forfalte_krav", "ikke_forfalte_krav"),
        *_like("oversikt", "uplasserte_innbetalinger", "saldo"),
    ),
    ("husholdning",),
)

PLASSERT_INNBETALING = View(
    "plassert_innbetaling",
    "One row per placement of a payment on a debit due date. Where the ends are of different nights, because one of "
    "the parts is held back, it is as the due date's part has it.",
    (
        *_PLACEMENT,
        *_text(innbetalingsidentifikator="the payment", kravforfallsidentifikator="the debit due date that it covers"),
        *_PLACED,
    ),
    ("plasseringsidentifikator",),
)

PLASSERT_MOTKRAV = View(
    "plassert_motkrav",
    "One row per placement of a credit due date on a debit one: netting.",
    (
        *_PLACEMENT,
        *_text(
            motkravforfallsidentifikator="the credit due date that is used",
            kravforfallsidentifikator="the debit due date that it covers",
        ),
        *_PLACED,
    ),
    ("plasseringsidentifikator",),
)

PLASSERT_UTBETALING = View(
    "plassert_utbetaling",
    "One row per placement of a credit due date on a payout: paying out.",
    (
        *_PLACEMENT,
        *_text(
            kravforfallsidentifikator="the credit due date that is paid out",
            utbetalingsidentifikator="the payout that it is paid with",
        ),
        *_PLACED,
    ),
    ("plasseringsidentifikator",),
)

INNBETALING_MOT_FORFALL = View(
    "innbetaling_mot_forfall",
    "One row per placement of a payment on a due date, where both are here: when it was paid, and when it was due.",
    (
        *_PLACEMENT,
        *_text(
            innbetalingsidentifikator="the payment",
            betaler="whose the payment is; it may be another's than the due date",
            kravforfallsidentifikator="the due date that it covers",
        ),
        *_like("kravforfall", "kravidentifikator", "part", of="the due date"),
        *_like("krav", "kravtype", "kravgruppe", of="that krav"),
        *_like("kravforfall", "forfallsdato", of="the due date"),
        *_like("innbetaling", "innbetalingsdato", of="the payment"),
        ViewColumn("dager_etter_forfall", Shown.COUNT, "how long after it was due it was paid, < 0 if before", "days"),
        *_like("plassering", "plassert_beloep"),
    ),
    ("plasseringsidentifikator",),
)

SNAPSHOT = View(
    "snapshot",
    "One row: the snapshot that this database is of. `er_publisert` is false once another is published: connect again.",
    (
        *_text(snapshot="its name, its date and run"),
        ViewColumn("snapshotdato", Shown.DATE, "the day in Oslo that it was made for"),
        ViewColumn("uttrukket", Shown.MOMENT, "the oldest of the sources' last extracts, in Oslo's time"),
        *_text(forrige="the snapshot published before it, null for the first"),
        ViewColumn("antall_parter", Shown.COUNT, "how many parts have documents"),
        ViewColumn("antall_holdt_tilbake", Shown.COUNT, "how many parts are held back"),
        *_text(
            hjem="the home that it is of, and that its views read: another than where this file lies, if it was copied",
            publisert="the snapshot that is published now there",
        ),
        ViewColumn("er_publisert", Shown.FLAG, "whether that is still this one"),
    ),
)

SNAPSHOTS = View(
    "snapshots",
    "One row per night that is kept, up to this one: what the macros `…_as_of` can be asked for.",
    (
        ViewColumn("snapshotdato", Shown.DATE, "its date: of several nights of one date the last that stands"),
        *_text(snapshot="its name", fil="its own database, to open or attach"),
    ),
    ("snapshotdato",),
)

HISTORIKK = View(
    "historikk",
    "What remained each night, also of nights that are not kept: one row per night, kravgruppe, parttype and age band. "
    "Beware of small cells: a sum of few parts tells of them.",
    (
        ViewColumn("snapshotdato", Shown.DATE, "the night"),
        *_text(kravgruppe="the kravgruppe; null: payments not placed", parttype="of the parts whose they are"),
        ViewColumn("aldersgruppe", AGE_BAND, "the age band of the days overdue, or since they were paid"),
        ViewColumn("antall", Shown.COUNT, "how many due dates with something remaining, or payments not placed"),
        _amount("gjenstaaende_beloep", "what remains, credits taken off"),
        _amount("herav_kredit", "what of that remains of credits, ≤ 0"),
        _amount("stipulerte_renter", "the interest"),
        _amount("uplassert_beloep", "what of payments is not placed, ≥ 0"),
    ),
    ("snapshotdato", "kravgruppe", "parttype", "aldersgruppe"),
)

HISTORIKK_AVVIST = View(
    "historikk_avvist",
    "What was refused each night, also of nights that are not kept: one row per night, level, source and reason.",
    (
        ViewColumn("snapshotdato", Shown.DATE, "the night"),
        ViewColumn("nivaa", Shown.SMALL, "1: whole deliveries, 2: rows"),
        *_text(kilde="the source", kode="the reason, of a row its first"),
        ViewColumn("antall", Shown.COUNT, "how many rows were quarantined, or reasons of deliveries told"),
        _amount("beloep", "what those rows are about, of those that have an amount"),
    ),
    ("snapshotdato", "nivaa", "kilde", "kode"),
)

LEVERANSE = View(
    "leveranse",
    "One row per delivery in force and table that it has: what was delivered.",
    (
        *_text(kilde="the source"),
        _NUMBERED,
        *_text(type="`full` or `endring`"),
        ViewColumn("uttrukket", Shown.MOMENT, "when the ledger extracted it, in Oslo's time"),
        *_text(tabell="the table"),
        ViewColumn("antall_rader", Shown.COUNT, "how many rows it has, refused ones and removals too"),
        ViewColumn("antall_avvist", Shown.COUNT, "how many of them were refused by their values or keys"),
        ViewColumn("antall_fjernet", Shown.COUNT, "how many of them remove their key"),
        _amount("sum_beloep", "the sum of their amounts, as its `kontrollsum`; 0 for `part`"),
    ),
    ("kilde", "leveransenummer", "tabell"),
)

RAD = View(
    "rad",
    "One row per accepted row of the deliveries in force, also those that a later one has replaced or removed: where a "
    "row of a table was delivered. Join it by `tabell`, `noekkel`, `kilde` and `leveransenummer`.",
    (
        *_text(tabell="the table", noekkel="the row's key", kilde="the source"),
        _NUMBERED,
        *_text(fil="the name of its file in the delivery, digits of long numbers masked"),
        ViewColumn("rad", Shown.ROW, "its number in that file, from 1"),
        ViewColumn("slettet", Shown.FLAG, "whether it removes its key"),
    ),
    ("tabell", "noekkel", "kilde", "leveransenummer"),
)

RENTE_SATS = View(
    "rente_sats",
    "One row per rate of late-payment interest, as this snapshot was made with.",
    (
        ViewColumn("fra_dato", Shown.DATE, "the first day of the rate"),
        ViewColumn("til_dato", Shown.DATE, "its last day, null for the last rate"),
        ViewColumn("sats", Shown.RATE, "the rate", "percent a year"),
    ),
    ("fra_dato",),
)

KRAVTYPE = View(
    "kravtype",
    "One row per known kravtype, as this snapshot was made with.",
    (
        *_text(kravtype="the code", tekst="its text", kravgruppe="its kravgruppe"),
        ViewColumn("renteberegnes", Shown.FLAG, "whether krav of it bear interest"),
    ),
    ("kravtype",),
)

FINDINGS = View(
    "findings",
    "One row per reason of a refusal, or report. Keys are masked as in logs; `avvist` has them whole.",
    (
        ViewColumn("nivaa", Shown.SMALL, "1 delivery, 2 row, 3 run, 0 report"),
        *_text(kode="the code of the reason, see refusals.md", melding="the reason in a sentence", kilde="the source"),
        _NUMBERED,
        *_text(fil="the file, digits of long numbers masked"),
        ViewColumn("rad", Shown.ROW, "the row's number in it, from 1"),
        *_text(tabell="the table", noekkel="the row's key; masked, and null for a row of `part`"),
        ViewColumn("parter_holdt_tilbake", Shown.COUNT, "how many parts the row leads to"),
        *_text(rot_kode="of the row that it comes from, its reason", rot_kilde="its source"),
        ViewColumn("rot_leveransenummer", Shown.NUMBER, "its delivery"),
        *_text(rot_fil="its file"),
        ViewColumn("rot_rad", Shown.ROW, "its number there"),
        *_text(rot_tabell="its table", rot_noekkel="its key, masked"),
    ),
)

AVVIST = View(
    "avvist",
    "One row per quarantined row: its amount, and what it names, whole. Keep it out of logs.",
    (
        ViewColumn("avvist", Shown.COUNT, "its number in this snapshot"),
        *_text(tabell="the table", noekkel="its key as delivered, null when it has none", kilde="the source"),
        _NUMBERED,
        *_text(fil="its file, digits of long numbers masked"),
        ViewColumn("rad", Shown.ROW, "its number in that file, from 1"),
        *_text(kode="its first reason, see refusals.md"),
        ViewColumn("koder", Shown.TEXTS, "all its reasons"),
        _amount(
            "beloep", "its amount; null if it has none, or none well-formed, and of rows accepted by earlier programs"
        ),
        *_text(
            part="whose it says that it is",
            kravidentifikator="the krav that it names",
            kravforfallsidentifikator="the due date that it names",
            motpost="the motpost that it names",
        ),
        ViewColumn("slettet", Shown.FLAG, "whether it removes its key"),
        ViewColumn("rot", Shown.COUNT, "the `avvist` that it was refused because of; null when it is its own reason"),
    ),
    ("avvist",),
)

HOLDT_TILBAKE = View(
    "holdt_tilbake",
    "One row per part held back and quarantined row that leads to it.",
    (
        *_text(part="the part held back"),
        ViewColumn(
            "siden", Shown.DATE, "the date of the first snapshot, of those up to this one in a row, that holds it back"
        ),
        ViewColumn("har_dokumenter", Shown.FLAG, "whether it has earlier documents; else it answers KB-002"),
        *_text(gjennom="the owner through whom the row leads to it, for an `ENK`; else null"),
        ViewColumn("avvist", Shown.COUNT, "the row that leads to it"),
        *_text(kode="that row's first reason", tabell="its table", noekkel="its key"),
        ViewColumn("rot", Shown.COUNT, "the `avvist` that it comes from, itself if it is its own reason"),
        *_text(rot_kode="the first reason of that", rot_tabell="its table", rot_noekkel="its key"),
    ),
    ("part", "gjennom", "avvist"),
)

VIEWS = {
    view.name: view
    for view in (
        *map(_published, PUBLISHED.values()),
        *(FORFALL, HUSHOLDNING, PLASSERT_INNBETALING, PLASSERT_MOTKRAV, PLASSERT_UTBETALING, INNBETALING_MOT_FORFALL),
        *(SNAPSHOT, LEVERANSE, RAD, RENTE_SATS, KRAVTYPE, FINDINGS, AVVIST, HOLDT_TILBAKE),
        *(SNAPSHOTS, HISTORIKK, HISTORIKK_AVVIST),
    )
}
"""All views by name: those of the tables, what is made of them, and what the snapshot is made of."""
