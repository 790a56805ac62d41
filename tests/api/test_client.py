"""Clients: what openapi-python-client makes of the document reads every kind of answer; docs/first-calls.md's run."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime
from pathlib import Path

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
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "first-calls.md").read_text("utf-8")


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


# docs/first-calls.md


def printed(server, program, heading, folder):
    """What the page's block under a heading prints, a line each; it is asked about A."""
    (block,) = re.findall(rf"^\*\*{heading}\*\*.*\n\n((?: {{4}}.*\n|\n)+)", PAGE, re.MULTILINE)
    address = {"BASE": f"{server.url}/v1/finans/{A}", "TOKEN": access_token(server.folder, part=A)}
    done = subprocess.run(
        [*program, textwrap.dedent(block)], env=os.environ | address, cwd=folder, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


NODE = pytest.param(
    *(["node", "--input-type=module", "-e"], "Node"),
    marks=pytest.mark.skipif(not shutil.which("node"), reason="no node here"),
)


@pytest.mark.parametrize(("program", "heading"), [([sys.executable, "-c"], "Python"), NODE])
def test_first_calls(server, program, heading, tmp_path):
    document = server.get(f"/v1/finans/{A}/oversikt", access_token(server.folder, part=A))
    saldo = f"{document.json()['totalOversikt']['saldo']:.2f}"
    assert printed(server, program, heading, tmp_path) == [
        f"200 {document.headers['snapshot-date']} {saldo}",
        "304",
        "400 KB-006 tilOgMed is missing",
    ]


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
def test_first_calls_with_curl(server, tmp_path):
    first, again, error, status = printed(server, ["bash", "-c"], "curl", tmp_path)
    assert (first, again, status) == ("200", "304", "400")
    assert json.loads(error)["melding"] == "tilOgMed is missing"
    assert json.loads((tmp_path / "oversikt.json").read_bytes())["forespurtPart"] == A


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
