"""Slim columns dressed as the delivered tables: identifiers, texts, accounts, decimals.

A post's dress depends on its number alone, so a post that comes again looks as it did.
"""

from collections.abc import Callable

import polars as pl

from schemas.tables import TABLES, Kind
from synthetic import ids
from synthetic.draw import Draw, lookup
from synthetic.numbers import account, account_text, iban, kid
from synthetic.texts import ADJECTIVES, BANKS, COMPANY_ENDINGS, NOUNS, ODD, OFFICES, PAYOUTS
from synthetic.tracks import KINDS, TWO_MONTHS, UNKNOWN, Track

_OFFICE_ACCOUNTS = 40


def kroner(oere: str) -> pl.Expr:
    """Øre as a decimal with two places."""
    return (pl.col(oere).cast(pl.Decimal(18, 2)) / 100).cast(pl.Decimal(18, 2))


def _day(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int32).cast(pl.Date)


def _sometimes(draw: Draw, key: str, purpose: str, percent: float, value: pl.Expr) -> pl.Expr:
    """The value in ``percent`` of the cases, else null."""
    return pl.when(draw.chance(key, purpose, percent)).then(value)


def _text(draw: Draw, key: str, purpose: str, percent: float, value: pl.Expr) -> pl.Expr:
    """The value, or one odd text in two hundred, in ``percent`` of the cases; else null."""
    odd = draw.pick(key, f"{purpose} odd", ODD)
    text = pl.when(draw.chance(key, f"{purpose} is odd", 0.5)).then(odd).otherwise(value)
    return _sometimes(draw, key, f"{purpose} given", percent, text)


_OF_KIND: dict[Kind, pl.DataType] = {
    Kind.DATE: pl.Date(),
    Kind.AMOUNT: pl.Decimal(18, 2),
    Kind.POSITIVE_AMOUNT: pl.Decimal(18, 2),
    Kind.FLAG: pl.Boolean(),
}


def _finish(frame: pl.LazyFrame, table: str) -> pl.DataFrame:
    """The contract's columns in order, then ``slettet`` and ``mva`` where the frame has them."""
    names = frame.collect_schema().names()
    more = [name for name in ("slettet", "mva") if name in names]
    columns = [pl.col(c.name).cast(_OF_KIND.get(c.kind, pl.String())) for c in TABLES[table].columns]
    return frame.select(*columns, *more).collect()


def part(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``part``."""
    return _finish(frame.lazy(), "part")


def _titles(kinds: Callable[[Track], str]) -> list[str]:
    return [kinds(track) for track in Track]


def _kravtype(draw: Draw) -> pl.Expr:
    """By track and sign, each track's list repeated to the same length."""
    width = 12
    names: list[str] = []
    for kind in KINDS.values():
        for side in (kind.debit, kind.credit or kind.debit):
            names += [side[n % len(side)] for n in range(width)]
    row = pl.col("track") * 2 + (pl.col("oere") < 0).cast(pl.Int64)
    known = lookup(names, row * width + draw.below("k", "kravtype", width))
    return pl.when(draw.chance("k", "unknown", 0.4)).then(draw.pick("k", "which unknown", UNKNOWN)).otherwise(known)


def _period(draw: Draw) -> pl.Expr:
    """Written in one of two ways, as the part's ledger is old or new."""
    year, number = pl.col("year").cast(pl.String), pl.col("number").cast(pl.String)
    old = draw.chance("i", "old period", 40)
    term = pl.when(old).then("Termin " + number + " " + year).otherwise(year + "-" + number)
    week = "Uke " + number + " " + year
    by_track = pl.when(pl.col("track").is_in([*TWO_MONTHS])).then(term).when(pl.col("track") == Track.DUTY).then(week)
    return by_track.when(pl.col("track") < Track.INTEREST).then(year)


def krav(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``krav``."""
    title = lookup(_titles(lambda track: KINDS[track].title), pl.col("track"))
    group = lookup(_titles(lambda track: KINDS[track].kravgruppe), pl.col("track"))
    dated = draw.chance("k", "period dates", 92)
    rows = frame.lazy().with_columns(kravperiode=_period(draw))
    return _finish(
        rows.with_columns(
            kravidentifikator=ids.text("K", "k"),
            kravtype=_kravtype(draw),
            kravbeskrivelse=_text(
                draw, "k", "kravbeskrivelse", 30, title + (" " + pl.col("kravperiode")).fill_null("")
            ),
            kravgruppe=_sometimes(draw, "k", "kravgruppe", 25, group),
            opprettelsesdato=_day("created"),
            kravperiode=_sometimes(draw, "k", "kravperiode", 93, pl.col("kravperiode")),
            periode_start=pl.when(dated).then(_day("first")),
            periode_slutt=pl.when(dated).then(_day("last")),
            opprinnelig_beloep=kroner("oere"),
        ),
        "krav",
    )


def _kid(draw: Draw, krav_number: str) -> pl.Expr:
    return kid(pl.col(krav_number), draw.chance(krav_number, "kid mod 11", 20))


def _bank_columns(rows: pl.LazyFrame, serial: pl.Expr, bank: pl.Expr) -> pl.LazyFrame:
    """Columns ``bank`` (which) and ``account`` (a number)."""
    registers = [register for register, _, _ in BANKS]
    return rows.with_columns(serial=serial, bank=bank).with_columns(
        account=account(lookup(registers, pl.col("bank")), pl.col("serial"))
    )


def _account(draw: Draw, prefix: str, key: str, holder: pl.Expr, masked: bool = False) -> list[pl.Expr]:
    """The five account columns: in full, without IBAN, by IBAN alone, masked, or nothing at all."""
    roll = draw.below(key, f"{prefix}how much of the account", 100)
    number = account_text(pl.col("account"))
    hidden = pl.lit("*" * 6) + number.str.slice(6)
    shown = pl.when(roll < 4).then(hidden).otherwise(number) if masked else number
    any_account = roll < 90
    bank = lookup([name for _, name, _ in BANKS], pl.col("bank"))
    bic = lookup([bic for _, _, bic in BANKS], pl.col("bank"))
    columns = {
        "bankinformasjon": pl.when(any_account).then(_text(draw, key, f"{prefix}bank", 60, bank)),
        "kontoeiers_navn": pl.when(any_account).then(_text(draw, key, f"{prefix}navn", 85, holder)),
        "kontonummer": pl.when(roll < 84).then(shown),
        "iban": pl.when((roll >= 60) & any_account).then(iban(pl.col("account"))),
        "swift_bic": pl.when((roll >= 60) & any_account).then(bic),
    }
    return [value.alias(prefix + name) for name, value in columns.items()]


def _office(rows: pl.LazyFrame, draw: Draw) -> pl.LazyFrame:
    """The account of one of the tax offices, by part and ledger."""
    office = draw.below("i", "office", _OFFICE_ACCOUNTS // 2) * 2 + pl.col("mva").cast(pl.Int64)
    return _bank_columns(rows, office * 7_919, office % len(BANKS))


def _holder(draw: Draw) -> pl.Expr:
    """A made-up name, of a person or of a company as the part's number says."""
    key = "holder_i"
    first, second = draw.pick(key, "name 1", ADJECTIVES), draw.pick(key, "name 2", ADJECTIVES)
    noun, ending = draw.pick(key, "name 3", NOUNS), draw.pick(key, "name 4", COMPANY_ENDINGS)
    company = first + " " + noun + " " + ending
    person = first + " " + second + " " + noun
    return pl.when(pl.col("part").str.len_bytes() == 9).then(company).otherwise(person)


def _own(rows: pl.LazyFrame, draw: Draw) -> pl.LazyFrame:
    """The part's own account."""
    key = "holder_i"
    serial, bank = draw.below(key, "account", 1_000_000), draw.below(key, "bank", len(BANKS))
    return _bank_columns(rows, serial, bank)


def kravforfall(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``kravforfall``: where to pay, and with which KID."""
    debit = pl.col("oere") >= 0
    rows = _office(frame.lazy(), draw).with_columns(
        *_account(draw, "", "f", draw.pick("i", "office name", OFFICES)),
        kravforfallsidentifikator=ids.text("F", "f"),
        kravidentifikator=ids.text("K", "k"),
        forfallsdato=_day("due"),
        opprinnelig_beloep=kroner("oere"),
        utsatt_iverksettelse=debit & draw.chance("f", "postponed", 1.5),
        kidnummer=pl.when(debit & draw.chance("k", "kid", 90)).then(_kid(draw, "k")),
    )
    return _finish(rows, "kravforfall")


def innbetaling(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``innbetaling``: from the payer's account to an office's."""
    rows = _own(frame.lazy(), draw).with_columns(k=pl.col("p") // 32)
    rows = rows.with_columns(
        *_account(draw, "fra_", "p", _holder(draw), masked=True),
        innbetalingsidentifikator=ids.text("I", "p"),
        innbetalingsdato=_day("date"),
        innbetalt_beloep=kroner("oere"),
        fra_kidnummer=_sometimes(draw, "p", "paid with kid", 75, _kid(draw, "k")),
    )
    rows = _office(rows, draw).with_columns(*_account(draw, "til_", "p", draw.pick("i", "office name", OFFICES)))
    return _finish(rows, "innbetaling")


def utbetaling(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``utbetaling``: to the part's own account."""
    rows = _own(frame.lazy(), draw).with_columns(k=pl.col("u") // 32)
    rows = rows.with_columns(
        *_account(draw, "til_", "u", _holder(draw)),
        utbetalingsidentifikator=ids.text("U", "u"),
        utbetalingsbeskrivelse=_text(draw, "u", "utbetaling", 90, draw.pick("u", "payout text", PAYOUTS)),
        utbetalingsdato=_day("date"),
        utbetalt_beloep=kroner("oere"),
        til_kidnummer=_sometimes(draw, "u", "payout kid", 20, _kid(draw, "k")),
    )
    return _finish(rows, "utbetaling")


def plassering(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``plassering``."""
    types = ("INNBETALING", "MOTKRAV", "UTBETALING")
    rows = frame.lazy().with_columns(
        plasseringsidentifikator=ids.text("P", "l"),
        plasseringstype=lookup(types, pl.col("kind")),
        kravforfallsidentifikator=ids.text("F", "f"),
        motpost=lookup(("I", "F", "U"), pl.col("kind")) + pl.col("c").cast(pl.String),
        plassert_beloep=kroner("oere"),
        plasseringsdato=_day("date"),
    )
    return _finish(rows, "plassering")


DRESS = {
    "part": part,
    "krav": krav,
    "kravforfall": kravforfall,
    "innbetaling": innbetaling,
    "utbetaling": utbetaling,
    "plassering": plassering,
}
