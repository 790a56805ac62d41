"""Where several errors apply, which one answers (CONTRACT section 6): every neighbouring pair of the order."""

import itertools
import re

import pytest

from serving.access import Secured, read_caller
from serving.consumers import Consumer
from serving.errors import CODES, STATUS
from serving.keys import KeySet, keys_of_file
from serving.limits import Limits
from serving.logs import Logs
from serving.openapi import openapi
from serving.settings import Maskinporten
from serving.throwaway import CONSUMER, ISSUER, access_token, make_keys
from serving.tokens import Tokens
from tests.api.handler import app_over, ask, header
from tests.api.running import HELD_BACK, ROOT, UNKNOWN, A, B, publish
from tests.api.test_handler import kode, url

pytestmark = pytest.mark.slow

SERVING = (ROOT / "docs" / "serving.md").read_text()
ORDER = [f"KB-{code}" for code in ("003", "006", "008", "004", "010", "005", "009", "002", "007")]
RESOURCE = Maskinporten().consent_resource


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("order"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


def secured(keys, burst=1000, read=read_caller):
    """A gate as a server has it, for one consumer."""
    known = KeySet(lambda: keys_of_file(keys / "jwks.json"), every=1000, floor=0)
    known.refresh()
    tokens = Tokens(known, ISSUER, lambda claims: read(claims, RESOURCE))
    consumer = Consumer(
        organisasjonsnummer=CONSUMER,
        navn="test-only",
        rettighetspakker=frozenset({"finans"}),
        requests_per_second=0.001,
        burst=burst,
        place=1,
    )
    return Secured(tokens, {CONSUMER: consumer}, Limits(2), Maskinporten().scope)


BAD_PATH, BAD_PART, BAD_FORM = {"path": "/v1/skatt/x/oversikt"}, {"path": "/v1/finans/x/oversikt"}, {"accept": "x/y"}
NO_TOKEN, TOO_MANY, NO_CONSENT = {"consents": None}, {"burst": 1}, {"consents": HELD_BACK}
UNKNOWN_PART, NOT_AUDITED, EMPTY = {"part": UNKNOWN}, {"audited": False}, {"kind": "krav"}
FAULTS = {
    "KB-003": BAD_PATH,
    "KB-006": BAD_PART,
    "KB-008": BAD_FORM,
    "KB-004": NO_TOKEN,
    "KB-010": TOO_MANY,
    "KB-005": NO_CONSENT,
    "KB-009": UNKNOWN_PART,
    "KB-002": NOT_AUDITED,
    "KB-007": EMPTY,
}
"""What is wrong, so that the code alone is answered; B has nothing in any period."""


def answer(
    home, keys, monkeypatch, part=B, kind="oversikt", path="", accept="*/*", burst=1000, audited=True, **consents
):
    monkeypatch.setattr(Logs, "audited", lambda _: audited)
    app = app_over(home, secured(keys, burst))
    consenting = consents.get("consents", part)
    token = access_token(keys, part=consenting)
    if burst == 1:  # that one is taken
        ask(app, url("oversikt", A), authorization=f"Bearer {access_token(keys, part=A)}")
    headers = {"authorization": f"Bearer {token}"} if consenting else {}
    return app, ask(app, path or url(kind, part), accept=accept, **headers)


@pytest.mark.parametrize("code", FAULTS)
def test_each_alone(home, keys, monkeypatch, code):
    _, response = answer(home, keys, monkeypatch, **FAULTS[code])
    assert (kode(response), response.status) == (code, STATUS[code])


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(ORDER)))
def test_the_first_of_two(home, keys, monkeypatch, first, second):
    _, response = answer(home, keys, monkeypatch, **(FAULTS[second] | FAULTS[first]))
    assert kode(response) == first


def test_too_many_requests(home, keys, monkeypatch):
    app, response = answer(home, keys, monkeypatch, **TOO_MANY)
    assert re.fullmatch("[1-9][0-9]*", header(response, "retry-after"))
    figures = ask(app, "/metrics").body.decode()
    assert 'kravoversikt_requests_total{kode="KB-010",route="oversikt",status="429"} 1.0' in figures
    assert 'kravoversikt_consumer_requests_total{consumer="test-only",status="429"} 1.0' in figures


def test_the_order_is_told():
    """In the interface's description and in the operator's page."""
    told = re.search(r"the first that applies of ([^.]*)\.", openapi().decode())[1]
    assert re.findall("KB-[0-9]{3}", told) == ORDER
    (row,) = re.findall("^ *006, 505, 414, 431, 405 .*$", SERVING, re.MULTILINE)
    assert [f"KB-{code}" for code in re.findall("[0-9]{3}", row)][5:-1] == ORDER
    assert set(ORDER) | {"KB-001"} == {code.kode for code in CODES}


def test_a_bug_in_reading_the_claims_is_ours_and_told(home, keys, tmp_path):
    """KB-001 and not KB-004; the log says what and where, and not its message."""

    def read(claims, _):
        raise KeyError(claims["consumer"]["ID"])

    app = app_over(home, secured(keys, read=read), access=str(tmp_path / "log"))
    response = ask(app, url("oversikt"), authorization=f"Bearer {access_token(keys, part=A)}")
    app._logs.flush()
    assert (kode(response), response.status) == ("KB-001", 500)
    log = (tmp_path / "log").read_text()
    assert '"error":"KeyError"' in log
    assert "test_order.py" in log
    assert CONSUMER not in log
