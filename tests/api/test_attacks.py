"""What someone without rights, or without manners, may try. Each is answered as the interface says, and gives nothing.

The server is a real one, in a process of its own; requests that no client would send go over a socket.
"""

import base64
import hashlib
import hmac
import json
import math
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from serving.logs import part_hash
from serving.throwaway import CONSUMER, ISSUER, access_token, actor, consent_token, make_keys, sign, urn
from tests.api.running import ENK, HELD_BACK, OTHER_CONSUMER, OWNER, SAMTYKKE, UNKNOWN, A, B, publish, running
from tests.api.wire import answers, receive, request, send

pytestmark = pytest.mark.slow

OVERSIKT = f"/v1/finans/{A}/oversikt"
KRAV = f"/v1/finans/{A}/krav"
YEAR = "fraOgMed=2026-01-01&tilOgMed=2026-12-31"
HOUR = 3600
# moments of tests' names, which every worker must give alike: not from the clock
PASSED = 1_577_836_800  # 2020-01-01
FAR = 4_102_444_800  # 2100-01-01
MILLISECONDS = 1000 * FAR
OTHERS = f"""
[[consumer]]
organisasjonsnummer = "{OTHER_CONSUMER}"
navn = "other"
rettighetspakker = ["regnskapssystem"]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def server(home, tmp_path_factory):
    with running(home, tmp_path_factory.mktemp("serving"), consumers=OTHERS) as server:
        yield server


@pytest.fixture(scope="module")
def keys(server):
    return server.folder


@pytest.fixture(scope="module")
def token(keys):
    """A good token, with A's consent."""
    return access_token(keys, part=A)


def short(value):
    return str(value)[:60]


def kode(answer):
    return answer.json()["kode"] if answer.status_code >= 400 else None


def refused(answer, code, status):
    assert (answer.status_code, kode(answer)) == (status, code), answer.text
    assert A not in answer.text
    return answer


def test_with_every_right_it_is_answered(server, token):
    assert server.get(OVERSIKT, token).json()["forespurtPart"] == A


# Access tokens


def claims(**changed):
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "scope": "skatteetaten:kravogbetalinger",
        "iat": now,
        "exp": now + HOUR,
        "consumer": actor(CONSUMER),
        "authorization_details": [consent()],
    }
    return {name: value for name, value in (said | changed).items() if value is not None}


def test_the_claims_that_the_attacks_change_are_good(server, keys):
    assert server.get(OVERSIKT, sign(keys, claims())).status_code == 200


def test_no_token(server):
    answer = refused(server.get(OVERSIKT), "KB-004", 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert server.get(OVERSIKT, "a.b.c").headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "Bearer a.b.c", "Bearer x", "token"])
def test_no_bearer_token(server, header):
    refused(server.get(OVERSIKT, Authorization=header), "KB-004", 401)


def test_another_issuer(server, keys):
    refused(server.get(OVERSIKT, sign(keys, claims(iss="https://elsewhere.example/"))), "KB-004", 401)


def kid(keys):
    return json.loads((keys / "jwks.json").read_bytes())["keys"][0]["kid"]


def test_another_issuers_key_under_our_kid(server, keys):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(claims(), other, algorithm="RS256", headers={"kid": kid(keys)})
    refused(server.get(OVERSIKT, forged), "KB-004", 401)


def encoded(part):
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_algorithm_none(server, keys, name):
    unsigned = f"{encoded({'alg': name, 'typ': 'JWT', 'kid': kid(keys)})}.{encoded(claims())}."
    refused(server.get(OVERSIKT, unsigned), "KB-004", 401)


def public_keys(keys):
    """The public key in the forms that an attacker might take for a shared secret."""
    private = serialization.load_pem_private_key((keys / "private.pem").read_bytes(), None)
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    spki, pkcs1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
    yield from (private.public_key().public_bytes(form, kind) for form in (pem, der) for kind in (spki, pkcs1))
    yield (keys / "jwks.json").read_bytes()
    yield b""


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_signed_with_the_public_key_as_a_secret(server, keys, algorithm):
    for secret in public_keys(keys):
        text = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': kid(keys)})}.{encoded(claims())}"
        signature = hmac.new(secret, text.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        refused(server.get(OVERSIKT, f"{text}.{encoded(signature)}"), "KB-004", 401)


def test_the_key_told_by_the_token_itself_is_not_used(server):
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    told = {"kid": "mine", "jwk": jwk, "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/"}
    refused(server.get(OVERSIKT, jwt.encode(claims(), own, algorithm="RS256", headers=told)), "KB-004", 401)


def test_changed_after_it_was_signed(server, token):
    head, body, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    said["authorization_details"][0]["from"] = urn(B)
    refused(server.get(f"/v1/finans/{B}/oversikt", f"{head}.{encoded(said)}.{signature}"), "KB-004", 401)


def test_expired(server, keys):
    now = int(time.time())
    refused(server.get(OVERSIKT, sign(keys, claims(iat=now - HOUR, exp=now - 60))), "KB-004", 401)


def test_expires_while_it_is_cached(server, keys):
    """Ten seconds of leeway are given; a token that expired nine seconds ago is good for one more."""
    dying = sign(keys, claims(exp=int(time.time()) - 8))
    assert server.get(OVERSIKT, dying).status_code == 200
    time.sleep(2.5)
    refused(server.get(OVERSIKT, dying), "KB-004", 401)


@pytest.mark.parametrize("changed", [{"exp": FAR}, {"iat": PASSED}, {"aud": "https://elsewhere.example/"}], ids=short)
def test_for_too_long_or_for_another_service(server, keys, changed):
    refused(server.get(OVERSIKT, sign(keys, claims(**changed))), "KB-004", 401)


@pytest.mark.parametrize("when", ["nbf", "iat"])
def test_not_yet_valid(server, keys, when):
    later = int(time.time()) + HOUR
    refused(server.get(OVERSIKT, sign(keys, claims(**{when: later, "exp": later + HOUR}))), "KB-004", 401)


@pytest.mark.parametrize("claim", ["iss", "exp", "iat", "consumer"])
def test_a_claim_is_missing(server, keys, claim):
    refused(server.get(OVERSIKT, sign(keys, claims(**{claim: None}))), "KB-004", 401)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": "9999999999999999999999"},
        {"exp": "never"},
        {"exp": 1e308},
        {"exp": 10**400},
        {"exp": math.inf},
        {"exp": math.nan},
        {"exp": MILLISECONDS},
        {"iat": 10**400},
        {"nbf": 10**400},
        {"nbf": True},
        {"nbf": str(PASSED)},
        {"exp": [1]},
        {"iat": {}},
        {"consumer": CONSUMER},
        {"consumer": {"authority": "iso6523-actorid-upis", "ID": f"9999:{CONSUMER}"}},
        {"consumer": {"authority": "iso6523-actorid-upis", "ID": f"0192:{CONSUMER}\n"}},
        {"consumer": [actor(CONSUMER)]},
    ],
    ids=short,
)
def test_claims_of_other_types(server, keys, changed):
    refused(server.get(OVERSIKT, sign(keys, claims(**changed))), "KB-004", 401)


def test_a_deep_or_long_token_is_no_crash(server, keys):
    deep = f"{encoded({'alg': 'RS256', 'kid': kid(keys)})}.{encoded(b'[' * 9000)}.AAAA"
    for bad in (deep, "x" * 17_000, f"{encoded(b'[' * 9000)}.{encoded(claims())}.AAAA"):
        refused(server.get(OVERSIKT, bad), "KB-004", 401)


@pytest.mark.parametrize(
    "scope", [None, "", "skatteetaten:kravogbetaling", "skatteetaten:kravogbetalinger2", "*", "openid"]
)
def test_wrong_scope(server, keys, scope):
    refused(server.get(OVERSIKT, sign(keys, claims(scope=scope))), "KB-005", 403)


def test_a_consumer_without_an_agreement(server, keys):
    answer = server.get(OVERSIKT, sign(keys, claims(consumer=actor(UNKNOWN))), Korrelasjonsid="from-a-stranger")
    refused(answer, "KB-005", 403)
    time.sleep(0.3)
    audit = map(json.loads, (keys / "audit.jsonl").read_text().splitlines())
    (line,) = (line for line in audit if line["korrelasjonsid"] == "from-a-stranger")
    assert line["consumer"] == "stranger"
    assert line["stranger"] == part_hash((keys / "log-hash.key").read_bytes().strip(), UNKNOWN)


def test_a_rettighetspakke_that_was_not_granted(server, keys):
    theirs = access_token(keys, part=A, consumer=OTHER_CONSUMER)
    refused(server.get(OVERSIKT, theirs), "KB-005", 403)
    assert server.get(OVERSIKT.replace("finans", "regnskapssystem"), theirs).status_code == 200


# Consents


RIGHT = {
    "action": ["consent"],
    "resource": [{"type": "urn:altinn:resource", "value": "ske-samtykke-krav-og-betalinger"}],
}


def consent(**changed):
    said = {"type": "urn:altinn:consent", "from": urn(A), "to": actor(CONSUMER), "validTo": int(time.time()) + HOUR}
    return said | {"consentRights": [RIGHT]} | changed


def test_the_consent_that_the_attacks_change_is_good(server, keys):
    assert server.get(OVERSIKT, sign(keys, claims(authorization_details=[consent()]))).status_code == 200


@pytest.mark.parametrize(
    "details",
    [
        None,
        [],
        "urn:altinn:consent",
        [consent(**{"from": urn(B)})],
        [consent(to=actor(OTHER_CONSUMER))],
        [consent(validTo="2020-01-01T00:00:00+00:00")],
        [consent(validTo="2027-01-01T00:00:00")],  # of no time zone
        [consent(validTo="2999-01-01T00:00:00+00:00")],
        [consent(validTo=None)],
        [consent(validTo=10**400)],
        [consent(validTo=math.inf)],
        [consent(validTo=math.nan)],
        [consent(validTo=MILLISECONDS)],
        [consent(consentRights=[{"resource": [{"value": "another-service"}]}])],
        *([consent(consentRights=rights)] for rights in (None, [], {}, "", "ske-samtykke-krav-og-betalinger", RIGHT)),
        [consent(consentRights=[RIGHT | {"action": []}])],
        [consent(consentRights=[RIGHT | {"metadata": {"aar": "2020"}}])],
        [consent(type="urn:altinn:resource")],
        [consent(type="urn:altinn:systemuser")],
        [{"type": "urn:altinn:systemuser", "systemuser_org": actor(A)}],
        [{"type": "urn:altinn:systemuser", "systemuser_org": actor(B)}],
        [{"type": "urn:altinn:systemuser", "systemuser_org": A}],
        [{"type": ["urn:altinn:consent"], "from": urn(A)}],
        [consent(**{"from": urn(A) + " "})],
        [consent(**{"from": [urn(A)]})],
    ],
    ids=short,
)
def test_a_consent_that_is_none(server, keys, details):
    refused(server.get(OVERSIKT, sign(keys, claims(authorization_details=details))), "KB-005", 403)


def without_consent(keys):
    return access_token(keys, part=None)


def test_altinns_consent_is_good(server, keys):
    good = {SAMTYKKE: consent_token(keys, part=A)}
    assert server.get(OVERSIKT, without_consent(keys), **good).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"part": B},
        {"consumer": OTHER_CONSUMER},
        {"ValidToDate": PASSED},
        {"ValidToDate": FAR},
        {"exp": FAR},
        {"aud": "https://elsewhere.example/"},
        {"ValidToDate": "2020-01-01T00:00:00+01:00"},
        {"ValidToDate": None},
        {"ValidToDate": 10**400},
        {"ValidToDate": math.inf},
        {"ValidToDate": math.nan},
        {"ValidToDate": MILLISECONDS},
        {"exp": 10**400},
        {"exp": PASSED},
        {"nbf": FAR},
        {"iss": "elsewhere.example"},
        {"Services": ["5928_202302"]},
        {"Services": ["5928_2023011"]},
        {"Services": []},
        {"Services": None},
        {"Services": {"5928_202301": True}},
        {"OfferedBy": [A]},
        {"CoveredBy": None},
    ],
    ids=short,
)
def test_altinns_consent_that_is_none(server, keys, changed):
    """Another part's, another consumer's, expired, for another service, or not Altinn's."""
    bad = {SAMTYKKE: consent_token(keys, **{"part": A, **changed})}
    refused(server.get(OVERSIKT, without_consent(keys), **bad), "KB-005", 403)


def test_altinns_consent_forged(server, keys):
    head, body, _ = consent_token(keys, part=A).split(".")
    for forged in ("x", "", f"{head}.{body}.", f"{encoded({'alg': 'none'})}.{body}."):
        refused(server.get(OVERSIKT, without_consent(keys), **{SAMTYKKE: forged}), "KB-005", 403)


def test_a_consent_is_no_access_token_and_the_other_way_about(server, keys, token):
    refused(server.get(OVERSIKT, consent_token(keys, part=A)), "KB-004", 401)
    refused(server.get(OVERSIKT, without_consent(keys), **{SAMTYKKE: token}), "KB-005", 403)


def test_a_sole_proprietorships_consent_is_not_its_owners(server, keys):
    """Its own document holds the owner's posts; the owner's own document is another number's."""
    theirs = access_token(keys, part=ENK)
    assert OWNER in server.get(f"/v1/finans/{ENK}/oversikt", theirs).text
    assert server.get(f"/v1/finans/{OWNER}/oversikt", theirs).status_code == 403
    assert server.get(f"/v1/finans/{ENK}/oversikt", access_token(keys, part=OWNER)).status_code == 403


# Whether a part exists


def seen(answer):
    """All that a caller sees, but for the id and the time."""
    own = {name: value for name, value in answer.headers.items() if name not in ("korrelasjonsid", "date")}
    body = {name: value for name, value in answer.json().items() if name != "korrelasjonsid"}
    return answer.status_code, own, body


WITHOUT_RIGHTS = {
    "no token": lambda keys: (None, {}),
    "a token that is none": lambda keys: ("a.b.c", {}),
    "no consent": lambda keys: (without_consent(keys), {}),
    "another part's consent": lambda keys: (access_token(keys, part=B), {}),
    "no scope": lambda keys: (sign(keys, claims(scope="openid")), {}),
    "no agreement": lambda keys: (access_token(keys, part=None, consumer=UNKNOWN), {}),
    "Altinn's consent of another": lambda keys: (without_consent(keys), {SAMTYKKE: consent_token(keys, part=B)}),
}


@pytest.mark.parametrize("how", WITHOUT_RIGHTS)
@pytest.mark.parametrize("path", ["oversikt", f"krav?{YEAR}", f"utbetalinger?{YEAR}"])
def test_nothing_tells_whether_a_part_exists(server, keys, how, path):
    token, headers = WITHOUT_RIGHTS[how](keys)
    given = {"If-None-Match": "*", **headers}
    answered = [server.get(f"/v1/finans/{part}/{path}", token, **given) for part in (A, HELD_BACK, UNKNOWN, OWNER)]
    assert answered[0].status_code in (401, 403)
    assert all(seen(answer) == seen(answered[0]) for answer in answered)


def test_with_the_rights_the_codes_differ(server, keys):
    codes = {}
    for part in (A, B, HELD_BACK, UNKNOWN):
        token = access_token(keys, part=part)
        codes[part] = [kode(server.get(f"/v1/finans/{part}/{path}", token)) for path in ("oversikt", f"krav?{YEAR}")]
    assert codes == {
        A: [None, None],
        B: [None, "KB-007"],
        HELD_BACK: ["KB-002", "KB-002"],
        UNKNOWN: ["KB-009", "KB-009"],
    }


# Keys that are not there


class Issuer(BaseHTTPRequestHandler):
    """An authorization server that counts how often its keys are fetched."""

    def do_GET(self):
        base = f"http://127.0.0.1:{self.server.server_port}"
        self.server.asked.append(self.path)
        metadata = json.dumps({"issuer": ISSUER, "jwks_uri": f"{base}/jwks"}).encode()
        body = self.server.jwks if self.path == "/jwks" else metadata
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def issuer(tmp_path):
    make_keys(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    server.asked, server.jwks = [], (tmp_path / "jwks.json").read_bytes()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_flood_of_unknown_kids_fetches_the_keys_seldom(home, issuer, tmp_path):
    floor = 2
    address = f"http://127.0.0.1:{issuer.server_port}/.well-known/oauth-authorization-server"
    with running(home, tmp_path, f'metadata = "{address}"\nrefresh_floor_seconds = {floor}') as server:
        good, began = access_token(tmp_path, part=A), time.monotonic()
        _, body, signature = good.split(".")
        for number in range(300):
            head = encoded({"alg": "RS256", "typ": "JWT", "kid": f"unknown-{number}"})
            refused(server.get(OVERSIKT, f"{head}.{body}.{signature}"), "KB-004", 401)
            if number % 50 == 0:
                assert server.get(OVERSIKT, good).status_code == 200
        took = time.monotonic() - began
        time.sleep(floor)
        assert 2 <= issuer.asked.count("/jwks") <= 3 + took / floor


# Paths and parameters


def bearer(token):
    return f"Authorization: Bearer {token}"


def alive(server, token):
    """The server still answers: what it gave no answer to has not ended it."""
    assert server.get(OVERSIKT, token).status_code == 200


def told(answer):
    return answer.status, json.loads(answer.body).get("kode")


TRAVERSALS = (
    f"/v1/finans/%2e%2e/finans/{A}/oversikt",
    f"/v1/finans/../finans/{A}/oversikt",
    f"/v1/./finans/{A}/oversikt",
    f"//v1/finans/{A}/oversikt",
    f"/v1//finans/{A}/oversikt",
    f"/v1/finans/{A}//oversikt",
    f"/v1/finans/{A}/oversikt/",
    f"/v1/finans/{A}/oversikt;x=1",
    f"/v1/finans/{A}/oversikt.json",
    f"/v1/finans/{A}/oversikt%20",
    f"/v1/finans/{A}/oversikt%00",
    f"/v1/finans/{A}/OVERSIKT",
    f"/V1/finans/{A}/oversikt",
    f"/v1/Finans/{A}/oversikt",
    f"/v1/finans/{A}\\oversikt",
    f"/v1/finans%5c{A}/oversikt",
    f"/v1/skatt/{A}/oversikt",
    "/v1/finans/oversikt",
    "/..%2f..%2fetc/passwd",
    "/%c0%ae%c0%ae/etc/passwd",
    "/health/live/../../v1",
    "/",
)


@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_that_is_not_ours(server, token, path):
    (answer,) = send(server.port, request(path, bearer(token)))
    assert told(answer) == (404, "KB-003")


@pytest.mark.parametrize("path", [f"/v1/finans/{A[:-1]}%3{A[-1]}/oversikt", f"/v1/%66inans/{A}/o%76ersikt"])
def test_an_encoded_path_is_the_plain_one(server, keys, token, path):
    """Decoded once, before anything is decided: so it can't be one thing to the gate, another after."""
    (theirs,) = send(server.port, request(path, bearer(token)))
    (others,) = send(server.port, request(path, bearer(access_token(keys, part=B))))
    assert (theirs.status, others.status) == (200, 403)
    (twice,) = send(server.port, request(path.replace("%", "%25"), bearer(token)))
    assert twice.status in (400, 404)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/v1/finans/{A}%2Foversikt", (404, "KB-003")),
        (f"/v1%2ffinans/{A}/oversikt", (404, "KB-003")),
        (f"/v1/finans/{A}%2f/oversikt", (400, "KB-006")),
        (f"/v1/finans%2f{A}/oversikt/oversikt", (404, "KB-003")),
        ("/health%2Flive", (404, "KB-003")),
    ],
)
def test_an_encoded_slash_is_none(server, token, path, expected):
    (answer,) = send(server.port, request(path, bearer(token)))
    assert told(answer) == expected


@pytest.mark.parametrize(
    "part",
    [
        *("0", A[:-1], A + "0", "A" * 9, A[:-1] + "a", "1" * 1500, "+" + A[1:], "-" + A[1:], "0x" + A[:7], "1e8", ""),
        *(A + "%00", A + "%0a", "%00" * 9, "%20" + A, A + "%20", "%EF%BC%91" * 9, "*", "%2a"),
        *("'%20OR%20'1'='1", "{part}", "null", "..", "%2e%2e", A + "," + B, A + ";" + B, f"{A}%7c{B}"),
    ],
)
def test_a_part_that_is_none(server, token, part):
    (answer,) = send(server.port, request(f"/v1/finans/{part}/oversikt", bearer(token)))
    assert told(answer) == (400, "KB-006")


@pytest.mark.parametrize("digits", ["٣" * 9, "３" * 9, "²" * 9, "\x00" * 9, "\xff" * 9])
def test_a_part_of_bytes_that_are_no_digits(server, token, digits):
    (answer,) = send(server.port, request(f"/v1/finans/{digits}/oversikt".encode(), bearer(token)))
    assert answer.status == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "fraOgMed=2026-01-01",
        f"{YEAR}&{YEAR}",
        f"{YEAR}&fraOgMed=2026-01-01",
        f"{YEAR}&part={B}",
        f"{YEAR}&",
        f"&{YEAR}",
        f"{YEAR}&%66raOgMed=2026-01-01",
        YEAR.replace("&", ";"),
        YEAR.replace("fraOgMed", "fraogmed"),
        YEAR.replace("fraOgMed", "fraOgMed[]"),
        YEAR.replace("2026-01-01", "٢٠٢٦-01-01"),
        YEAR.replace("2026-01-01", "２０２６-01-01"),
        YEAR.replace("2026-01-01", "%D9%A2%D9%A0%D9%A2%D9%A6-01-01"),
        YEAR.replace("2026-01-01", "2026-01-01%00"),
        YEAR.replace("2026-01-01", "2026-01-01%0a"),
        YEAR.replace("2026-01-01", "2026-01-01T00:00:00Z"),
        YEAR.replace("2026-01-01", "20260101"),
        YEAR.replace("2026-01-01", "2026-W01-1"),
        YEAR.replace("2026-01-01", "2026-02-30"),
        YEAR.replace("2026-01-01", "0000-01-01"),
        YEAR.replace("2026-01-01", "-2026-01-01"),
        YEAR.replace("2026-12-31", "2025-12-31"),
        YEAR.replace("2026-12-31", "2027-01-02"),
        YEAR.replace("2026-12-31", "99999-12-31"),
        YEAR + "1" * 1000,
    ],
)
def test_parameters_that_are_not_valid(server, token, query):
    (answer,) = send(server.port, request(f"{KRAV}?{query}".encode(), bearer(token)))
    assert answer.status == 400
    assert not answer.body or told(answer) == (400, "KB-006")


def test_an_oversikt_has_no_parameters(server, token):
    (answer,) = send(server.port, request(f"{OVERSIKT}?part={B}", bearer(token)))
    assert told(answer) == (400, "KB-006")


def test_a_name_in_the_query_is_not_repeated(server, token):
    (answer,) = send(server.port, request(f"{KRAV}?{YEAR}&{OWNER}=1", bearer(token)))
    assert told(answer) == (400, "KB-006")
    assert OWNER.encode() not in answer.body


def test_over_long(server, token):
    (url,) = send(server.port, request(f"{OVERSIKT}?{'x' * 3000}", bearer(token)))
    assert told(url) == (414, "KB-006")
    (headers,) = send(server.port, request(OVERSIKT, bearer(token), f"X-Long: {'x' * 40_000}"))
    assert told(headers) == (431, "KB-006")
    for huge, status in ((["/" + "x" * 200_000], 414), ([OVERSIKT, *(f"X-{n}: {n}" for n in range(5000))], 431)):
        (answer,) = send(server.port, request(*huge))
        assert told(answer) == (status, "KB-006")
        assert answer.headers["korrelasjonsid"] == json.loads(answer.body)["korrelasjonsid"]
        alive(server, token)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECTX", "get", "GETS"])
def test_other_methods(server, token, method):
    for answer in send(server.port, request(OVERSIKT, bearer(token), method=method)):
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD"
    alive(server, token)


def test_method_override_is_not_heard(server):
    (answer,) = send(server.port, request(OVERSIKT, "X-HTTP-Method-Override: GET", method="POST"))
    assert answer.status == 405


# Smuggling: whatever is sent, there are never two answers to it, nor one to what is hidden in it


def hidden(token):
    return request("/v1/finans/hidden/oversikt", bearer(token))


def test_content_length_and_transfer_encoding(server, token):
    """Read as chunked, as RFC 9112 6.1 says, or refused; and what lies behind is not taken for another request."""
    lines = (bearer(token), f"Content-Length: {5 + len(hidden(token))}", "Transfer-Encoding: chunked")
    got = send(server.port, request(OVERSIKT, *lines, method="POST", close=False) + b"0\r\n\r\n" + hidden(token))
    assert [answer.status for answer in got] in ([400], [405])


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5, 6"],
        ["Content-Length: -1"],
        ["Content-Length: +5"],
        ["Content-Length: 0x5"],
        ["Content-Length: 99999999999999999999999"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding : chunked"],
        ["Content-Length : 5"],
    ],
    ids=str,
)
def test_lengths_that_can_be_read_in_two_ways(server, token, lines):
    got = send(server.port, request(OVERSIKT, bearer(token), *lines, close=False) + hidden(token))
    assert [answer.status for answer in got] in ([], [400]), got
    alive(server, token)


def test_a_bare_line_feed_ends_no_header_of_ours(server, token):
    got = send(server.port, request(OVERSIKT, b"X-One: 1\nAuthorization: Bearer " + token.encode()))
    assert len(got) <= 1
    assert all(answer.status in (200, 400) for answer in got)  # RFC 9112 2.2 lets a recipient take LF for CRLF
    alive(server, token)


@pytest.mark.parametrize(
    "lines",
    [
        [b"X-Folded: one\r\n two"],
        [b"X-Folded: one\r\n\ttwo"],
        [b"X-Null: a\x00b"],
        [b"X-Return: a\rb"],
        [b"X Space: 1"],
        [b": nothing"],
        [b"no-colon"],
    ],
    ids=str,
)
def test_header_lines_that_are_none(server, token, lines):
    """obs-fold, null bytes, bare returns, names that are none (RFC 9112 5)."""
    got = send(server.port, request(OVERSIKT, *lines, bearer(token)))
    assert [answer.status for answer in got] in ([], [400]), got
    alive(server, token)


def test_a_folded_authorization_gives_nothing(server, token):
    got = send(server.port, request(OVERSIKT, f"Authorization: Bearer\r\n {token}"))
    assert [answer.status for answer in got] in ([], [400], [401])
    alive(server, token)


def test_authorization_twice(server, keys, token):
    others = access_token(keys, part=B)
    for first, second in ((token, others), (others, token), (token, token)):
        (answer,) = send(server.port, request(OVERSIKT, bearer(first), bearer(second)))
        assert told(answer) == (401, "KB-004")


@pytest.mark.parametrize(
    "name",
    [
        b"a\r\nX-Injected: 1",
        b"a\nX-Injected: 1",
        b"a%0d%0aX-Injected: 1",
        b"a\x00",
        b"\xc3\xa6",
        b"<script>",
        b"x" * 65,
        b'a"b',
    ],
)
def test_a_korrelasjonsid_that_could_break_out(server, token, name):
    got = send(server.port, request(OVERSIKT, b"Korrelasjonsid: " + name))
    for answer in got:
        assert "x-injected" not in answer.headers
        assert answer.status in (400, 401)
        assert name not in answer.headers.get("korrelasjonsid", "").encode("latin-1") + answer.body or name == b"a"
    alive(server, token)


def test_korrelasjonsid_twice_is_a_new_one(server):
    (answer,) = send(server.port, request(OVERSIKT, "Korrelasjonsid: one", "Korrelasjonsid: two"))
    assert answer.headers["korrelasjonsid"] not in ("one", "two", "one, two")


@pytest.mark.parametrize(
    ("lines", "status"), [([], 400), (["Host: a", "Host: b"], 400), (["Host: elsewhere.example"], 200)]
)
def test_no_host_or_two_or_anothers(server, token, lines, status):
    """There is one (RFC 9112, 3.2), and it decides nothing: nothing that is answered is made of it."""
    raw = "\r\n".join([f"GET {OVERSIKT} HTTP/1.1", *lines, bearer(token), "Connection: close", "", ""]).encode()
    (answer,) = send(server.port, raw)
    assert told(answer) == (status, "KB-006" if status == 400 else None)
    assert b"elsewhere" not in answer.body
    alive(server, token)


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x02\x00", b"\r\n" * 100, b"GET", b"GET /\r\n\r\n"])
def test_what_is_no_request(server, token, raw):
    for answer in answers_of(server, raw):
        assert answer.status in (400, 404)
        assert json.loads(answer.body)["korrelasjonsid"] == answer.headers["korrelasjonsid"]
    alive(server, token)


def answers_of(server, raw):
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        received = receive(connection, 2)
    return answers(received) if received.startswith(b"HTTP/1.") else []


# Slow clients


def test_a_thousand_slow_clients_keep_no_one_waiting(server, token):
    """Each holds a connection with half a request; one with manners is answered all the while."""
    half = request(OVERSIKT, bearer(token)).removesuffix(b"\r\n\r\n") + b"\r\nX-Slow: "
    slow = []
    try:
        for _ in range(1000):
            slow.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            slow[-1].sendall(half)
        for _ in range(20):
            assert server.get(OVERSIKT, token).status_code == 200
            for one in slow[::50]:
                one.sendall(b"x")
    finally:
        for one in slow:
            one.close()
    assert server.get(OVERSIKT, token).status_code == 200


# What is left of it all


def test_no_log_names_anyone(server, keys, token):
    """After all attacks of this file: neither log, nor what the process says, holds a number or a token."""
    server.get(OVERSIKT, token)
    time.sleep(0.3)
    for name in ("access.jsonl", "audit.jsonl", "server.log"):
        text = (keys / name).read_text()
        for secret in (A, B, OWNER, ENK, HELD_BACK, UNKNOWN, OTHER_CONSUMER, CONSUMER, token, token.split(".")[2]):
            assert secret not in text, name
        if name != "server.log":
            assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
