"""A client that openapi-python-client makes of the document reads every kind of answer."""

import importlib
import json
import sys
from datetime import UTC, date, datetime

import httpx
import pytest
from openapi_python_client import MetaType, generate
from openapi_python_client.config import Config, ConfigFile

from serving.errors import CODES
from serving.openapi import openapi
from serving.routes import ROUTES
from serving.throwaway import access_token, consent_token
from tests.api.running import HELD_BACK, UNKNOWN, A, B, publish, running

pytestmark = pytest.mark.slow

YEAR = {"fra_og_med": date(2026, 1, 1), "til_og_med": date(2026, 12, 31)}
DOCUMENT = json.loads(openapi())


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The name under which the generated client can be imported. Nothing is fetched, and no other program is run."""
    folder = tmp_path_factory.mktemp("client")
    source = folder / "openapi.json"
    source.write_bytes(openapi())
    output = folder / "generated_client"
    settings = Config.from_sources(ConfigFile(post_hooks=[]), MetaType.NONE, source, "utf-8", False, output)
    assert generate(config=settings) == []
    sys.path.insert(0, str(folder))
    yield output.name
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(publish(tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("serving")) as server:
        yield server


@pytest.fixture(scope="module")
def client(package):
    """Makes a client of a token and an address."""
    return lambda token, url, **options: importlib.import_module(package).AuthenticatedClient(url, token, **options)


def operation(package, kind):
    return importlib.import_module(f"{package}.api.dokumenter.{kind}")


def rettighetspakke(package):
    return importlib.import_module(f"{package}.models").Rettighetspakke.FINANS


def ask(server, package, client, kind, part, token=None, **given):
    token = token or access_token(server.folder, part=part)
    period = {} if kind == "oversikt" else YEAR
    with client(token, server.url) as caller:
        return operation(package, kind).sync_detailed(
            rettighetspakke(package), part, client=caller, **{**period, **given}
        )


# The four documents


def test_oversikt(server, package, client):
    answer = ask(server, package, client, "oversikt", A)
    assert answer.status_code == 200
    total = answer.parsed.total_oversikt
    assert total.forfalte_krav == 1000.5
    assert total.saldo == 990.25 + total.stipulerte_renter
    assert answer.parsed.aapent_krav_med_gjenstaaende_beloep[0].kravforfall[0].forfallsdato == datetime(
        2026, 3, 1, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("kind", "posts", "field", "amount"),
    [
        ("krav", "krav", "opprinnelig_beloep", 1000.5),
        ("innbetalinger", "innbetaling", "innbetalt_beloep", -10.25),
        ("utbetalinger", "utbetaling", "utbetalt_beloep", 7.0),
    ],
)
def test_documents_of_a_period(server, package, client, kind, posts, field, amount):
    answer = ask(server, package, client, kind, A)
    assert answer.parsed.periode.start.date() == YEAR["fra_og_med"]
    assert [getattr(post, field) for post in getattr(answer.parsed, posts)] == [amount]
    assert date.fromisoformat(answer.headers["snapshot-date"])
    assert datetime.fromisoformat(answer.headers["extracted-at"]).tzinfo


def test_what_one_has_already(server, package, client):
    tag = ask(server, package, client, "krav", A).headers["etag"]
    answer = ask(server, package, client, "krav", A, if_none_match=tag)
    assert (answer.status_code, answer.parsed) == (304, None)


def test_consent_in_the_header(server, package, client):
    own = access_token(server.folder, part=None)
    consent = consent_token(server.folder, part=A)
    assert ask(server, package, client, "oversikt", A, own, altinn_samtykke=consent).status_code == 200


# The errors, as the server gives them


@pytest.mark.parametrize(
    ("kind", "part", "changed", "status", "code"),
    [
        ("oversikt", HELD_BACK, {}, 503, "KB-002"),
        ("oversikt", A, {"token": "a.b.c"}, 401, "KB-004"),
        ("oversikt", A, {"consented": B}, 403, "KB-005"),
        ("oversikt", "123456789", {}, 400, "KB-006"),
        ("krav", A, {"til_og_med": date(2027, 1, 2)}, 400, "KB-006"),
        ("utbetalinger", B, {}, 404, "KB-007"),
        ("innbetalinger", UNKNOWN, {}, 404, "KB-009"),
    ],
)
def test_errors(server, package, client, kind, part, changed, status, code):
    given = dict(changed)
    if "consented" in given:
        given["token"] = access_token(server.folder, part=given.pop("consented"))
    answer = ask(server, package, client, kind, part, korrelasjonsid="mine-1", **given)
    assert (answer.status_code, answer.parsed.kode.value) == (status, code)
    assert answer.parsed.korrelasjonsid == answer.headers["korrelasjonsid"] == "mine-1"
    assert answer.parsed.melding


# All of them, as the document tells them


EXAMPLES = [
    pytest.param(route.name, int(status), one["value"], id=f"{route.name}-{status}-{code}")
    for route in ROUTES
    for status, answer in DOCUMENT["paths"][route.template]["get"]["responses"].items()
    if status not in ("200", "304")
    for code, one in answer["content"]["application/json"]["examples"].items()
]


@pytest.mark.parametrize(("kind", "status", "body"), EXAMPLES)
def test_every_error_that_the_document_tells(package, client, kind, status, body):
    replay = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    period = {} if kind == "oversikt" else YEAR
    with client("token", "http://localhost", httpx_args={"transport": replay}) as caller:
        answer = operation(package, kind).sync_detailed(rettighetspakke(package), A, client=caller, **period)
    assert answer.parsed.to_dict() == body


def test_the_document_tells_every_code():
    assert {one.values[2]["kode"] for one in EXAMPLES} == {code.kode for code in CODES}
