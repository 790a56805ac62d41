"""Words to make names and texts of, and the odd texts that real extracts hold.

The names are put together in Tenor's way, from words that nobody is called.
"""

ADJECTIVES = (
    "LYSTIG", "KLAM", "GRØNN", "ÆRLIG", "TAPPER", "SÅR", "RASK", "SLØV", "STOLT", "ØM", "BLID", "KANTETE",
    "TREG", "MODIG", "HES", "LÆRD", "GYLDEN", "SPRØ", "MYK", "ÅPEN",
)  # fmt: skip
NOUNS = (
    "KATT", "ØKSE", "PLOMME", "BÅT", "SYKKEL", "ÅKER", "LAMPE", "GAUPE", "TEKOPP", "SNEGLE", "FJØR",
    "TANGENT", "KÅL", "VOTT", "BREV", "LØVE", "GRAN", "PENSEL", "HUMLE", "STØVEL", "ÆRFUGL", "KIKKERT",
    "SEIL",
)  # fmt: skip
COMPANY_ENDINGS = ("AS", "AS", "AS", "ANS", "DA", "SA", "ASA", "& SØNNER AS")

# Register numbers that no bank has, or nearly so, with names and BICs made up to match.
BANKS = (
    (9901, "Fjordbanken", "FJORNO22XXX"),
    (9902, "Ægir Sparebank", "AEGINO21XXX"),
    (9903, "Øvre Ås Sparebank", "OVASNO2AXXX"),
    (9904, "Nordlys Bank ASA", "NOLYNO22"),
    (9905, "Kløver Bank", None),
)

OFFICES = (
    "Skatteetaten",
    "Skatteetaten, skatteinnkreving",
    "Skatteetaten\nInnkreving\nPostboks 9999",
    "Skatteetaten – særavgift",
)

ODD = (
    'Betalt av "onkel"',
    "C:\\regnskap\\2025\\mva.xlsx",
    "linje en\nlinje to",
    "linje en\r\nlinje to",
    "kun\rvognretur",
    "kolonne\tmed\ttabulator",
    "komma, semikolon; og 'apostrof'",
    '"',
    "\\",
    "\\u00e6 \\n ikke tolk meg",
    "blåbærsyltetøy på ærfugløy ÆØÅ",
    "takk 🙂 🇳🇴 👩‍👩‍👧",
    "skilletegn \u2028 og \u2029 i tekst",
    "styretegn \x01 \x1b[31m \x7f",
    "hardt\u00a0mellomrom og \u200bnullbredde",
    "e\u0301 er ikke é",
    " mellomrom foran og bak ",
    "</script><b>&amp;",
    "=1+1",
    "null",
    "NaN",
    "שלום / Привет / 你好",
    "𝔉𝔯𝔞𝔨𝔱𝔲𝔯",
    "0",
)
"""Texts that must come out as they went in."""

PAYOUTS = (
    "Tilbakebetaling merverdiavgift",
    "Utbetaling av overskytende skatt",
    "Utbetaling",
    "Tilgodebeløp – se vedtak",
    None,
)
