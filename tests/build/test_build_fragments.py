"""The JSON of single posts, as the contract's section 4 says it must read."""

import re
from datetime import timedelta

from tests.build.building import RATES, S, bucket
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from transforms.build import far_ends
from transforms.build.bucket import balanced, with_places
from transforms.build.fragments import innbetaling_texts, krav_texts, utbetaling_texts


def each(texts):
    return [texts.data[start:end].tobytes().decode() for start, end in zip(texts.ends, texts.ends[1:], strict=False)]


def fragments(*said):
    """The texts of the statement's krav, payments and payouts, in the documents' order."""
    tables = with_places(bucket(*said))
    tables |= far_ends.placements(tables)
    tables |= balanced(tables, RATES, S)
    tables |= far_ends.shown(tables)
    return tuple(each(texts(tables)) for texts in (krav_texts, innbetaling_texts, utbetaling_texts))


LATER = "2026-12-01"
"""A due date after S, which bears no interest."""


def test_a_krav_with_nothing_but_what_must_be():
    """Objects and lists are there, empty; null texts and dates are not."""
    (text,), _, _ = fragments(part("A"), krav("K", "A", "100.5"), kravforfall("F", "K", "100.5", LATER))
    assert text == (
        ',{"part":"A","kravidentifikator":"K","kravbeskrivelse":"Skatt",'
        '"opprettelsesdatoForKrav":"2023-01-01T00:00:00.000Z","kravforfall":[{"kravforfallsIdentifikator":"F",'
        '"forfallsdato":"2026-12-01T00:00:00.000Z","opprinneligBeloep":100.50,"plassertInnbetaling":[],'
        '"plassertMotkrav":[],"gjenstaaendeBeloep":100.50,"betalingsinformasjon":{"konto":{}},'
        '"utsattIverksettelse":false}],"opprinneligBeloep":100.50,"gjenstaaendeBeloep":100.50,'
        '"stipulerteRenter":0.00,"kravtype":"Skatt","kravgruppe":"Andre krav"}'
    )


def test_what_is_placed_is_below_zero_on_a_debit_and_above_on_what_covers_it():
    (debit, credit), (payment,), _ = fragments(
        *(part("A"), krav("K", "A", 100), kravforfall("F", "K", 100, LATER)),
        *(krav("L", "A", -30, kravtype="Moms"), kravforfall("G", "L", -30, LATER)),
        innbetaling("I", "A", 60, fra_kidnummer="18", fra_kontonummer="****7947", til_iban="NO93"),
        *(plassering("P", "INNBETALING", "F", "I", 40), plassering("Q", "MOTKRAV", "F", "G", 10)),
    )
    assert (
        '"plassertInnbetaling":[{"innbetalingsidentifikator":"I","innbetalingsdato":"2023-01-01T00:00:00.000Z",'
        '"innbetaltBeloep":-60.00,"betaltFra":{"kidnummer":"18","konto":{"kontonummer":"****7947"}},'
        '"plassertBeloep":-40.00,"plasseringsdato":"2023-01-01T00:00:00.000Z"}],'
        '"plassertMotkrav":[{"motkravBeskrivelse":"Moms","motkravForfallsIdentifikator":"G",'
        '"motkravForfallsdato":"2026-12-01T00:00:00.000Z","plassertBeloep":-10.00,'
        '"plasseringsdato":"2023-01-01T00:00:00.000Z"}],"gjenstaaendeBeloep":50.00,'
    ) in debit
    assert '"motkravForfallsIdentifikator":"F"' in credit and '"plassertBeloep":10.00' in credit
    assert '"gjenstaaendeBeloep":-20.00' in credit
    assert payment == (
        ',{"part":"A","innbetalingsdato":"2023-01-01T00:00:00.000Z","innbetaltBeloep":-60.00,"uplassertBeloep":-20.00,'
        '"plassertInnbetalingMotKrav":[{"dekketKrav":"Skatt","kravperiode":{},"kravforfallIdentifikator":"F",'
        '"plassertBeloep":40.00,"plasseringsdato":"2023-01-01T00:00:00.000Z"}],'
        '"betaltFra":{"kidnummer":"18","konto":{"kontonummer":"****7947"}},"betaltTilKonto":{"iban":"NO93"},'
        '"innbetalingsIdentifikator":"I"}'
    )


def test_a_payout_lists_each_krav_once_with_the_krav_s_amounts():
    """However many due dates of it are paid out; in the order of identifiers."""
    credits = krav("L", "A", -30), kravforfall("G", "L", -20, LATER), kravforfall("H", "L", -10, LATER)
    other = krav("K", "A", -5, periode_start="2026-01-01"), kravforfall("F", "K", -5, LATER)
    paid = [plassering(f"P{key}", "UTBETALING", key, "U", 5) for key in "GHF"]
    _, _, (payout,) = fragments(part("A"), *credits, *other, utbetaling("U", "A", 15, "2026-03-01"), *paid)
    assert payout == (
        ',{"part":"A","utbetaltdato":"2026-03-01T00:00:00.000Z","utbetaltBeloep":15.00,"betaltTil":{"konto":{}},'
        '"utbetalingIdentifikator":"U","grunnlagForUtbetaling":['
        '{"dekketKrav":"Skatt","kravIdentifikator":"K","kravtype":"Skatt",'
        '"kravperiode":{"start":"2026-01-01T00:00:00.000Z"},"opprinneligBeloep":-5.00,"gjenstaaendeBeloep":0.00},'
        '{"dekketKrav":"Skatt","kravIdentifikator":"L","kravtype":"Skatt","kravperiode":{},'
        '"opprinneligBeloep":-30.00,"gjenstaaendeBeloep":-20.00}]}'
    )


def test_many_due_dates_stand_by_date():
    """Few are in order by themselves. The krav with the last identifier is the first by its date."""
    said = [krav("K", "A", 40), krav("L", "A", 40, opprettelsesdato="2022-01-01")]
    said += [kravforfall(f"{of}{10 + n}", of, 1, S + timedelta(days=n)) for of in "KL" for n in range(40)]
    texts, _, _ = fragments(part("A"), *said)
    found = [re.findall('"kravforfallsIdentifikator":"(...)"', text) for text in texts]
    assert found == [[f"{of}{10 + n}" for n in range(40)] for of in "LK"]


def test_due_dates_and_placements_stand_by_date_then_identifier():
    said = [krav("K", "A", 3), kravforfall("F3", "K", 1, "2027-01-01"), kravforfall("F2", "K", 1, "2027-01-01")]
    said += [kravforfall("F9", "K", 1, LATER), innbetaling("I", "A", 1)]
    days = {"P1": "2026-03-03", "P3": "2026-02-02", "P2": "2026-02-02"}
    said += [plassering(key, "INNBETALING", "F9", "I", f"0.{key[1]}", day) for key, day in days.items()]
    (text,), (payment,), _ = fragments(part("A"), *said)
    assert re.findall('"kravforfallsIdentifikator":"(..)"', text) == ["F9", "F2", "F3"]
    assert re.findall('"plassertBeloep":(.{5})', text) == ["-0.20", "-0.30", "-0.10"]
    assert re.findall('"plassertBeloep":(.{4})', payment) == ["0.20", "0.30", "0.10"]
