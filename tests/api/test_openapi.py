"""The OpenAPI document: it holds every route and error, and its examples are documents that a night makes."""

import json
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal

import jsonschema_rs
import pytest
import schemathesis

from schemas.documents import DOCUMENTS
from serving import errors
from serving.openapi import example, openapi
from serving.period import Period
from serving.routes import OPEN_ROUTES, ROUTES
from serving.throwaway import access_token
from tests.api import running as served
from tests.nights import Nights
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow

A = organisation_number(1)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
TO_THE_STATE = {"kontoeiers_navn": "Skatteinnkreving", "kontonummer": "76940510042"}
FROM = {"fra_kontoeiers_navn": "Bakeriet AS", "fra_kontonummer": "15030012345", "til_kontonummer": "76940510042"}
TERM_1 = {"kravperiode": "1. termin 2026", "periode_start": "2026-01-01", "periode_slutt": "2026-02-28"}
TERM_6 = {"kravperiode": "6. termin 2025", "periode_start": "2025-11-01", "periode_slutt": "2025-12-31"}

STATEMENT = rows(
    part(A),
    krav(
        "K1",
        A,
        "70000.00",
        kravtype="Merverdiavgift",
        kravbeskrivelse="Merverdiavgift 1. termin 2026",
        opprettelsesdato="2026-03-10",
        **TERM_1,
    ),
    kravforfall("F1", "K1", "70000.00", "2026-04-10", kidnummer="1234567897", **TO_THE_STATE),
    krav(
        "K2",
        A,
        "-1500.00",
        kravtype="Merverdiavgift tilgode",
        kravbeskrivelse="Merverdiavgift til gode 6. termin 2025",
        opprettelsesdato="2026-02-10",
        **TERM_6,
    ),
    kravforfall("F2", "K2", "-1500.00", "2026-03-03"),
    innbetaling("I1", A, "8756.00", "2026-04-09", fra_kidnummer="1234567897", **FROM),
    innbetaling("I2", A, "250.50", "2026-11-20", **FROM),
    utbetaling(
        "U1",
        A,
        "1000.00",
        "2026-03-12",
        utbetalingsbeskrivelse="Merverdiavgift til gode",
        til_kontoeiers_navn="Bakeriet AS",
        til_kontonummer="15030012345",
    ),
    plassering("P1", "INNBETALING", "F1", "I1", "8756.00", "2026-04-10"),
    plassering("P2", "MOTKRAV", "F1", "F2", "500.00", "2026-04-10"),
    plassering("P3", "UTBETALING", "F2", "U1", "1000.00", "2026-03-12"),
)
"""What the examples are made of: a claim partly paid by a payment and a credit, the rest of which is paid out."""


@pytest.fixture(scope="module")
def document():
    return json.loads(openapi())


def operations(document):
    return {path: item["get"] for path, item in document["paths"].items()}


# the examples


def test_the_examples_are_what_a_night_makes(tmp_path):
    nights = Nights(tmp_path)
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", STATEMENT)
    nights.publish(date(2026, 11, 23))
    snapshot = nights.snapshot()
    for kind in DOCUMENTS:
        served = snapshot.document(kind, A, None if kind == "oversikt" else YEAR).decode()
        assert without_layout(example(kind)) == without_layout(served)


def without_layout(text):
    """The JSON as data, each number as it is written."""
    return json.loads(text, parse_float=lambda number: ("number", number))


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_examples_validate_and_stand_in_the_document_as_they_are(kind):
    DOCUMENTS[kind].model_validate_json(example(kind), strict=True)
    assert f'"example":{example(kind)}' in openapi().decode()


# routes, parameters, errors


def test_every_route_is_there(document):
    assert set(document["paths"]) == {route.template for route in ROUTES} | {route.path for route in OPEN_ROUTES}
    assert document["openapi"] == "3.1.0"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_error_of_a_route_is_there_with_its_meaning(document, route):
    answers = operations(document)[route.template]["responses"]
    told = {
        (code, int(status), one["summary"])
        for status, answer in answers.items()
        if status not in ("200", "304")
        for code, one in answer["content"]["application/json"]["examples"].items()
    }
    assert told >= {(code.kode, code.status, code.when) for code in errors.CODES if code.kode in route.errors}
    assert {(code, status) for code, status, _ in told} - {(code.kode, code.status) for code in errors.CODES} == {
        errors.METHOD_NOT_ALLOWED,
        errors.URL_TOO_LONG,
        errors.HEADERS_TOO_LARGE,
        errors.PRECONDITION_FAILED,
        errors.VERSION_NOT_SUPPORTED,
    }


def test_only_an_oversikt_is_never_empty(document):
    for route in ROUTES:
        not_found = operations(document)[route.template]["responses"]["404"]["content"]["application/json"]["examples"]
        assert ("KB-007" in not_found) == (route.kind != "oversikt")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_parameters_and_access(document, route):
    told = operations(document)[route.template]
    parameters = {one["name"]: one for one in told["parameters"]}
    assert parameters["rettighetspakke"]["schema"] == {"$ref": "#/components/schemas/Rettighetspakke"}
    assert document["components"]["schemas"]["Rettighetspakke"]["enum"] == ["finans", "regnskapssystem"]
    assert {name for name, one in parameters.items() if one["in"] == "query"} == (
        set() if route.kind == "oversikt" else {"fraOgMed", "tilOgMed"}
    )
    for one in route.query:
        assert parameters[one.name]["schema"] == {"type": "string", "format": "date"}
        assert parameters[one.name]["required"]
    assert [set(one) for one in told["security"]] == [{"maskinporten"}, {"maskinporten", "altinnSamtykke"}]


def test_headers_of_the_answers(document):
    answers = operations(document)[ROUTES[1].template]["responses"]
    assert set(answers["200"]["headers"]) >= {
        "Snapshot-Date",
        "Extracted-At",
        "ETag",
        "Korrelasjonsid",
        "Cache-Control",
    }
    assert all("Korrelasjonsid" in answer["headers"] for answer in answers.values())
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= set(answers["429"]["headers"])
    assert "Retry-After" in answers["503"]["headers"]
    assert "Allow" in answers["405"]["headers"]
    assert "WWW-Authenticate" in answers["401"]["headers"]


# the schemas


def test_an_amount_is_a_number_and_nothing_is_null(document):
    schemas = document["components"]["schemas"]
    assert schemas["TotalOversikt"]["properties"]["saldo"]["type"] == "number"
    text = json.dumps(schemas)
    assert '"null"' not in text
    assert "anyOf" not in text


def test_the_schemas_allow_what_the_models_allow(document):
    for kind, model in DOCUMENTS.items():
        schema = document["components"]["schemas"][model.__name__]
        assert list(schema["properties"]) == list(json.loads(example(kind)))
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False


def test_amounts_of_the_examples_add_up():
    totals = json.loads(example("oversikt"), parse_float=Decimal)["totalOversikt"]
    assert totals.pop("saldo") == sum(totals.values())


# As others read it


def test_it_is_valid_openapi(document):
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_schemathesis_finds_nothing(tmp_path):
    """All its checks, on cases that are right and cases that are wrong, against a server that runs."""
    home = served.publish(tmp_path)
    with served.running(home, tmp_path / "serving") as server:
        token = access_token(server.folder, part=served.A)
        words = ["run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {token}"]
        limits = ["--max-examples", "25", "--seed", "1", "--continue-on-failure", "--no-color"]
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", *words, *limits],
            cwd=tmp_path,
            env=os.environ
            | {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "PYTHONPATH": str(served.ROOT), "PART": served.A},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
