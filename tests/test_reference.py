"""The reference data: rates, kravtyper, the published code list; and what is wrong with a file that is refused."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from tests.plain.numbers import organisation_number
from tests.plain.statement import krav, kravforfall, part, rows
from tests.plain.write import write_delivery
from transforms.rules.interest import weights
from transforms.rules.reference import KRAVTYPER, RATES, ReferenceFileError, read_kravtyper, read_rates

A = organisation_number(1)
CODELIST = Path(__file__).resolve().parent.parent.parent / "shared" / "reference" / "kravtype.xml"
"""The published list, when it lies beside the project."""

XML = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<kodeliste xmlns="urn:no:skatteetaten:kodelistebibliotek:domain:v1">
  <tekniskNavn>kravtype</tekniskNavn>
  <beskrivelse><spraakTekst><tekst>Kodeliste for kravtype</tekst><spraak>no</spraak></spraakTekst></beskrivelse>
  {}
</kodeliste>"""


def kode(kravtype, tekst, kravgruppe):
    """One code of the published list; ``kravgruppe`` None is left out, as some are."""
    group = f"<kravgruppe>{kravgruppe}</kravgruppe>" if kravgruppe is not None else ""
    return f"""<kode><tekniskNavn>{kravtype}</tekniskNavn>
    <beskrivelse><spraakTekst><tekst>{tekst}</tekst><spraak>no</spraak></spraakTekst></beskrivelse>
    <kodetillegg><gjelderPerson>SANN</gjelderPerson><hjemmel>SI-loven</hjemmel>{group}</kodetillegg></kode>"""


@pytest.fixture
def file(tmp_path):
    """Writes a file and gives its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# rates


def test_the_published_rates():
    rates = dict(read_rates(RATES).iter_rows())
    assert rates[date(2022, 1, 1)] == 850
    assert rates[date(2022, 7, 1)] == 925
    assert rates[date(2023, 1, 1)] == 1075
    assert rates[date(2023, 7, 1)] == 1175
    assert list(rates) == sorted(rates)


@pytest.mark.parametrize(("said", "sats"), [("8", 800), ("8.5", 850), ("8.05", 805), ("0.00", 0), ("12.25", 1225)])
def test_a_rate_in_hundredths_of_a_percent(file, said, sats):
    assert read_rates(file("r.csv", f"fra_dato,sats\n2024-01-01,{said}\n"))["sats"].to_list() == [sats]


def test_rates_may_stand_in_any_order(file):
    rates = read_rates(file("r.csv", "\ufefffra_dato,sats\r\n2024-01-01,2.00\r\n2023-01-01,1.00\r\n"))
    assert rates.rows() == [(date(2023, 1, 1), 100), (date(2024, 1, 1), 200)]


@pytest.mark.parametrize(
    ("due", "percent_days"),
    [
        ("2023-01-01", 100 * 364 + 200),  # the day after, through S
        ("2022-12-31", 100 * 365 + 200),
        ("2022-06-01", 100 * 365 + 200),  # the days before the first rate bear none
        ("2023-12-31", 200),
        ("2023-12-30", 100 + 200),
        ("2024-01-01", 0),  # due on S
        ("2025-01-01", 0),
    ],
)
def test_the_days_that_bear_interest(file, due, percent_days):
    """1 % in 2023, 2 % from 2024; S is 2024-01-01."""
    rates = read_rates(file("r.csv", "fra_dato,sats\n2023-01-01,1\n2024-01-01,2\n"))
    day = date.fromisoformat(due)
    assert weights(pl.Series([day]), rates, date(2024, 1, 1)).rows() == [(day, percent_days)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "columns must be fra_dato,sats"),
        ("fra_dato,sats\n", "has no rates"),
        ("sats,fra_dato\n8.00,2024-01-01\n", "columns must be fra_dato,sats"),
        ("fra_dato,sats\n2024-01-01,8,00\n", "line 2"),
        ("fra_dato,sats\n2024-01-01\n", "line 2"),
        ("fra_dato,sats\n2024-01-01,8.123\n", "line 2.*two decimals"),
        ("fra_dato,sats\n2024-01-01,-1\n", "line 2"),
        ("fra_dato,sats\n2024-01-01,\n", "line 2"),
        ("fra_dato,sats\n2024-01-01,8 %\n", "line 2"),
        ("fra_dato,sats\n2024-01-01,1.00\n2024-02-30,1.00\n", "line 3.*YYYY-MM-DD"),
        ("fra_dato,sats\n2024-01-01,1.00\n2024-01-01,1.00\n", "line 3.*twice"),
        ("fra_dato,sats\n20240101,1.00\n", "line 2.*YYYY-MM-DD"),
        ("fra_dato,sats\n2024-W01-1,1.00\n", "line 2.*YYYY-MM-DD"),
        (b"fra_dato,sats\n\xff,1.00\n", "not a readable CSV file"),
        ('fra_dato,sats\n"2024-01-01,1.00\n', "not a readable CSV file"),
    ],
)
def test_rates_that_are_refused(file, content, says):
    with pytest.raises(ReferenceFileError, match=f"r.csv.*{says}"):
        read_rates(file("r.csv", content))


def test_missing_files(tmp_path):
    for name, read in (("r.csv", read_rates), ("k.csv", read_kravtyper), ("k.xml", read_kravtyper)):
        with pytest.raises(ReferenceFileError, match=f"{name} is not a readable"):
            read(tmp_path / name)


# kravtyper


def test_the_projects_kravtyper():
    kravtyper = read_kravtyper(KRAVTYPER)
    bears = dict(kravtyper.select("kravtype", "renteberegnes").iter_rows())
    assert not bears["Forsinkelsesrente"]
    assert not bears["Fors.rente kredit"]
    assert bears["Restskatt"]
    assert kravtyper["kravtype"].to_list() == sorted(bears)


def test_empty_texts_are_null(file):
    kravtyper = read_kravtyper(file("k.csv", "kravtype,tekst,kravgruppe,renteberegnes\nA,,,true\nB,b,bb,false\n"))
    assert kravtyper.rows() == [("A", None, None, True), ("B", "b", "bb", False)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("kravtype,tekst,kravgruppe\nA,a,b\n", "columns must be"),
        ("kravtype,tekst,kravgruppe,renteberegnes\n", "has no kravtyper"),
        ("kravtype,tekst,kravgruppe,renteberegnes\nA,a,b,ja\n", "line 2: renteberegnes must be true or false"),
        ("kravtype,tekst,kravgruppe,renteberegnes\nA,a,b,true,\n", "line 2"),
        ("kravtype,tekst,kravgruppe,renteberegnes\nA,a,b,true\nA,c,d,true\n", "twice"),
        ("kravtype,tekst,kravgruppe,renteberegnes\n,a,b,true\n", "missing"),
    ],
)
def test_kravtyper_that_are_refused(file, content, says):
    with pytest.raises(ReferenceFileError, match=says):
        read_kravtyper(file("k.csv", content))


# the published code list


def test_the_published_form(file):
    """Three columns from the list; whether interest is borne from the project's own table, else it is."""
    codes = kode("avsavnsrenter", "Avsavnsrenter &amp; annet", "Særavgift") + kode("heltNy", "", None)
    assert read_kravtyper(file("k.xml", XML.format(codes))).rows() == [
        ("avsavnsrenter", "Avsavnsrenter & annet", "Særavgift", False),
        ("heltNy", None, None, True),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (XML.format(kode("A", "a", "b") * 2), "twice"),
        (XML.format(kode("", "a", "b")), "missing"),
        (XML.format("")[:-5], "not a readable XML"),
        ("", "not a readable XML"),
        ("kravtype,tekst\n", "not a readable XML"),
        ('<?xml version="1.0" encoding="foo"?><kodeliste/>', "in an encoding that cannot be read"),
        ('<?xml version="1.0" encoding="rot13"?><kodeliste/>', "in an encoding that cannot be read"),
        ('<?xml version="1.0" encoding="big5"?><kodeliste/>', "in an encoding that cannot be read"),
        ('<?xml version="1.0" encoding="utf-7"?><kodeliste/>', "in an encoding that cannot be read"),
    ],
)
def test_code_lists_that_are_refused(file, content, says):
    with pytest.raises(ReferenceFileError, match=says):
        read_kravtyper(file("k.xml", content))


def test_xml_that_is_no_code_list_is_refused(file):
    """An empty list would silently give every claim the group ``Andre krav``."""
    with pytest.raises(ReferenceFileError):
        read_kravtyper(file("k.xml", "<html><body>logg inn</body></html>"))


@pytest.mark.skipif(not CODELIST.exists(), reason="the published list doesn't lie beside the project")
def test_the_published_list_itself():
    kravtyper = read_kravtyper(CODELIST)
    assert kravtyper.height > 100
    texts = {row["kravtype"]: row for row in kravtyper.iter_rows(named=True)}
    assert texts["administrativReaksjonAnskaffelsesloven"]["kravgruppe"] == "Øvrige offentlige krav"
    assert not texts["avsavnsrenter"]["renteberegnes"]
    assert kravtyper["tekst"].null_count() == 0


@pytest.mark.slow
def test_a_run_takes_its_words_from_the_list_it_is_given(nights, file):
    nights.inbox.mkdir()
    ledger = rows(part(A), krav("K", A, 100, kravtype="heltNy"), kravforfall("F", "K", 100, "2026-11-23"))
    write_delivery(nights.inbox, "skatt", 1, "full", ledger)
    nights.publish(kravtyper=file("k.xml", XML.format(kode("heltNy", "Helt ny avgift", "Nye krav"))))
    assert '"kravbeskrivelse":"Helt ny avgift"' in nights.oversikt(A)
    assert '"oversiktPerKravgruppe":[{"kravgruppe":"Nye krav",' in nights.oversikt(A)
