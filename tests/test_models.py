"""The models of the four documents, held to the published seed on one side and to what is served on the other."""

import json
import re
from datetime import date
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from schemas import documents
from schemas.documents import DOCUMENTS
from serving.errors import KravoversiktError
from serving.period import Period
from synthetic.generate import generate
from tests.nights import Nights, S

pytestmark = pytest.mark.slow

KONTO = "bankinformasjon kontoeiersNavn kontonummer iban swiftBIC"
SEED = {
    "Oversikt": """forespurtPart aapentKravMedGjenstaaendeBeloep innbetalingMedUplassertBeloep totalOversikt
        oversiktPerKravgruppe""",
    "KravIPeriode": "forespurtPart periode krav",
    "InnbetalingerIPeriode": "forespurtPart periode innbetaling",
    "UtbetalingerIPeriode": "forespurtPart periode utbetaling",
    "Periode": "start slutt",
    "Krav": """part kravidentifikator kravbeskrivelse opprettelsesdatoForKrav kravperiode kravforfall
        opprinneligBeloep gjenstaaendeBeloep stipulerteRenter kravtype kravgruppe""",
    "Kravforfall": """kravforfallsIdentifikator forfallsdato opprinneligBeloep plassertInnbetaling plassertMotkrav
        gjenstaaendeBeloep betalingsinformasjon utsattIverksettelse""",
    "PlassertInnbetaling": """innbetalingsidentifikator innbetalingsdato innbetaltBeloep betaltFra plassertBeloep
        plasseringsdato""",
    "PlassertMotkrav": """motkravBeskrivelse motkravForfallsIdentifikator motkravForfallsdato plassertBeloep
        plasseringsdato""",
    "Betalingsinformasjon": "kidnummer konto",
    "Konto": KONTO,
    "Innbetaling": """part innbetalingsdato innbetaltBeloep uplassertBeloep plassertInnbetalingMotKrav betaltFra
        betaltTilKonto innbetalingsIdentifikator""",
    "PlassertInnbetalingMotKrav": "dekketKrav kravperiode kravforfallIdentifikator plassertBeloep plasseringsdato",
    "Kravperiode": "start slutt",
    "Utbetaling": """part utbetalingsbeskrivelse utbetaltdato utbetaltBeloep betaltTil utbetalingIdentifikator
        grunnlagForUtbetaling""",
    "GrunnlagForUtbetaling": "dekketKrav kravIdentifikator kravtype kravperiode opprinneligBeloep gjenstaaendeBeloep",
    "TotalOversikt": "stipulerteRenter forfalteKrav ikkeForfalteKrav uplasserteInnbetalinger saldo",
    "OversiktPerKravgruppe": "kravgruppe stipulerteRenter forfalteKrav ikkeForfalteKrav saldo",
}
"""The seed's objects, their fields in its order and spelling."""

OPTIONAL = {
    *("Konto." + name for name in KONTO.split()),
    *("Betalingsinformasjon.kidnummer", "Krav.kravperiode", "Kravperiode.start", "Kravperiode.slutt"),
    "Utbetaling.utbetalingsbeskrivelse",
}
"""What an extract may leave out; everything else is always there."""

YEARS = range(2015, 2030)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Kind and text of every document that a generated inbox becomes, a window a year."""
    nights = Nights(tmp_path_factory.mktemp("models"))
    generate(nights.inbox, 60, seed=3, date=S)
    nights.publish()
    snapshot, found = nights.snapshot(), []
    for part in snapshot.parts():
        found.append(("oversikt", snapshot.document("oversikt", part)))
        for kind in ("krav", "innbetalinger", "utbetalinger"):
            for year in YEARS:
                try:
                    found.append((kind, snapshot.document(kind, part, Period(date(year, 1, 1), date(year, 12, 31)))))
                except KravoversiktError as error:
                    assert error.kode == "KB-007"
    return found


def models():
    return {
        name: model
        for name, model in vars(documents).items()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == documents.__name__
    }


@pytest.mark.parametrize("name", SEED)
def test_fields_are_the_seeds_in_its_order(name):
    assert list(models()[name].model_fields) == SEED[name].split()


def test_the_models_are_the_seeds_and_no_more():
    assert {name for name in models() if not name.startswith("_")} == set(SEED)
    assert list(DOCUMENTS) == ["oversikt", "krav", "innbetalinger", "utbetalinger"]


def test_only_what_an_extract_may_leave_out_is_optional():
    optional = {
        f"{name}.{field}"
        for name in SEED
        for field, info in models()[name].model_fields.items()
        if not info.is_required()
    }
    assert optional == OPTIONAL


def test_every_kind_of_document_is_served(served):
    assert {kind for kind, _ in served} == set(DOCUMENTS)
    text = b"".join(document for _, document in served).decode()
    for name in ("plassertMotkrav", "plassertInnbetaling", "grunnlagForUtbetaling", "plassertInnbetalingMotKrav"):
        assert f'"{name}":[{{' in text


def test_every_document_validates_strictly(served):
    for kind, document in served:
        DOCUMENTS[kind].model_validate_json(document, strict=True)


def test_the_keys_stand_in_the_models_order(served):
    for kind, document in served:
        assert_in_order(json.loads(document), DOCUMENTS[kind])


def test_every_number_has_two_decimals(served):
    for _, document in served:
        json.loads(document, parse_float=two_decimals, parse_int=two_decimals)


def two_decimals(number):
    assert re.fullmatch(r"(0|-?[1-9][0-9]*|-0(?!\.00))\.[0-9]{2}", number), number


def assert_in_order(value, model):
    """The object's keys are the model's fields in its order, all the way down."""
    fields = model.model_fields
    assert list(value) == [name for name in fields if name in value]
    for name, inner in value.items():
        (shape,) = get_args(fields[name].annotation) if get_origin(fields[name].annotation) is list else (None,)
        for one in inner if shape else ():
            assert_in_order(one, shape)
        if isinstance(inner, dict):
            assert_in_order(inner, fields[name].annotation)
