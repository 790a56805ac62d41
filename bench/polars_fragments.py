"""What ``polars_night`` writes: the documents' fragments as templates, and templates as expressions over rows."""

import re

import polars as pl

# <column> is a column's value; what stands in parentheses is left out when its column is null.
PLACE = re.compile(r"\(([^()<]*)<(\w+)>([^()<]*)\)|<(\w+)>")
PERIODE = '(,"start":"<periode_start>T00:00:00.000Z")(,"slutt":"<periode_slutt>T00:00:00.000Z")'
KONTO = (
    '(,"bankinformasjon":"<bankinformasjon>")(,"kontoeiersNavn":"<kontoeiers_navn>")(,"kontonummer":"<kontonummer>")'
    '(,"iban":"<iban>")(,"swiftBIC":"<swift_bic>")'
)
WITH_KID = '{("kidnummer":"<kidnummer>",)"konto":<konto>}'
INNBETALING_HEAD = (
    '{"innbetalingsidentifikator":"<innbetalingsidentifikator>","innbetalingsdato":"<innbetalingsdato>T00:00:00.000Z",'
    '"innbetaltBeloep":-<innbetalt_beloep>,"betaltFra":<fra>,"plassertBeloep":-'
)
INNBETALING_ON_FORFALL = '<comma><head><plassert_beloep>,"plasseringsdato":"<plasseringsdato>T00:00:00.000Z"}'
MOTKRAV = (
    '<comma>{"motkravBeskrivelse":"<kravbeskrivelse>","motkravForfallsIdentifikator":"<kravforfallsidentifikator>",'
    '"motkravForfallsdato":"<forfallsdato>T00:00:00.000Z","plassertBeloep":<beloep>,'
    '"plasseringsdato":"<plasseringsdato>T00:00:00.000Z"}'
)
FORFALL = (
    '<comma>{"kravforfallsIdentifikator":"<kravforfallsidentifikator>","forfallsdato":"<forfallsdato>T00:00:00.000Z",'
    '"opprinneligBeloep":<opprinnelig_beloep>,"plassertInnbetaling":[<innbetalinger>],"plassertMotkrav":[<motkrav>],'
    '"gjenstaaendeBeloep":<gjenstaaende>,"betalingsinformasjon":<betalingsinformasjon>,'
    '"utsattIverksettelse":<utsatt_iverksettelse>}'
)
KRAV = (
    ',{"part":"<part>","kravidentifikator":"<kravidentifikator>","kravbeskrivelse":"<kravbeskrivelse>",'
    '"opprettelsesdatoForKrav":"<opprettelsesdato>T00:00:00.000Z"(,"kravperiode":"<kravperiode>"),'
    '"kravforfall":[<kravforfall>],"opprinneligBeloep":<opprinnelig_beloep>,"gjenstaaendeBeloep":<gjenstaaende>,'
    '"stipulerteRenter":<renter>,"kravtype":"<kravtype>","kravgruppe":"<kravgruppe>"}'
)
KRAV_ON_INNBETALING = (
    '<comma>{"dekketKrav":"<kravbeskrivelse>","kravperiode":<periode>,'
    '"kravforfallIdentifikator":"<kravforfallsidentifikator>","plassertBeloep":<plassert_beloep>,'
    '"plasseringsdato":"<plasseringsdato>T00:00:00.000Z"}'
)
INNBETALING = (
    ',{"part":"<part>","innbetalingsdato":"<innbetalingsdato>T00:00:00.000Z","innbetaltBeloep":-<innbetalt_beloep>,'
    '"uplassertBeloep":<uplassert>,"plassertInnbetalingMotKrav":[<krav>],"betaltFra":<fra>,"betaltTilKonto":<til>,'
    '"innbetalingsIdentifikator":"<innbetalingsidentifikator>"}'
)
GRUNNLAG = (
    '<comma>{"dekketKrav":"<kravbeskrivelse>","kravIdentifikator":"<kravidentifikator>","kravtype":"<kravtype>",'
    '"kravperiode":<periode>,"opprinneligBeloep":<opprinnelig_beloep>,"gjenstaaendeBeloep":<gjenstaaende>}'
)
UTBETALING = (
    ',{"part":"<part>"(,"utbetalingsbeskrivelse":"<utbetalingsbeskrivelse>"),'
    '"utbetaltdato":"<utbetalingsdato>T00:00:00.000Z","utbetaltBeloep":<utbetalt_beloep>,"betaltTil":<til>,'
    '"utbetalingIdentifikator":"<utbetalingsidentifikator>","grunnlagForUtbetaling":[<grunnlag>]}'
)
SUMS = '"stipulerteRenter":<renter>,"forfalteKrav":<forfalte>,"ikkeForfalteKrav":<ikke_forfalte>'
KRAVGRUPPE = f'<comma>{{"kravgruppe":"<kravgruppe>",{SUMS},"saldo":<saldo>}}'
TOTALS = (
    f'],"totalOversikt":{{{SUMS},"uplasserteInnbetalinger":<uplassert>,"saldo":<saldo>}},'
    '"oversiktPerKravgruppe":[<grupper>]}'
)


def text(template: str) -> pl.Expr:
    """The fragment of each row: one ``concat_str``."""
    pieces: list[pl.Expr] = []
    end = 0
    for place in PLACE.finditer(template):
        pieces.append(pl.lit(template[end : place.start()]))
        before, optional, after, column = place.groups()
        if optional:
            there = pl.col(optional).is_not_null()
            pieces += [pl.when(there).then(pl.lit(before)), pl.col(optional), pl.when(there).then(pl.lit(after))]
        else:
            pieces.append(pl.col(column))
        end = place.end()
    return pl.concat_str([*pieces, pl.lit(template[end:])], ignore_nulls=True)


def made(rows: pl.DataFrame, template: str) -> pl.Series:
    """The fragments of all rows."""
    return rows.select(text(template)).to_series()


def in_braces(fields: str) -> pl.Expr:
    """An object of fields each of which may be left out, its comma too."""
    return pl.concat_str(pl.lit("{"), text(fields).str.strip_prefix(","), pl.lit("}"))


def comma(parent: str) -> pl.Expr:
    """Before all fragments under a parent but the first. Rows lie in the order of their parents."""
    return pl.when(pl.col(parent) == pl.col(parent).shift()).then(pl.lit(",")).alias("comma")


def masked(nummer: str) -> pl.Expr:
    """A payer's account number: all but its last five characters hidden."""
    stars = (pl.col(nummer).str.len_chars().cast(pl.Int64) - 5).clip(0)
    return pl.concat_str(pl.lit("").str.pad_start(stars, "*"), pl.col(nummer).str.tail(5)).alias(nummer)


def with_kid(rows: pl.DataFrame, prefix: str = "") -> pl.Series:
    """``{kidnummer, konto}`` of the columns with the prefix."""
    konto = rows.select(in_braces(KONTO.replace("<", f"<{prefix}")).alias("konto"), pl.col(f"{prefix}kidnummer"))
    return made(konto, WITH_KID.replace("<kid", f"<{prefix}kid"))
