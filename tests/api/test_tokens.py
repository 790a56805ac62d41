"""Tokens are verified once and cached; keys are read again when they must be. The attacks are in test_attacks."""

import base64
import json
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from serving.keys import KeysError, KeySet, keys_by_discovery, keys_of_file, parse_jwks
from serving.remote import MOST_BYTES, Remote
from serving.tokens import NoKeysError, TokenError, Tokens

NOW = 1_800_000_000
PRIVATE = {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048) for kid in ("one", "two")}


def jwk(kid, key=None, **changed):
    key = key or PRIVATE[kid]
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, **changed}


class Clock:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


class Source:
    """Keys that can be changed, and are counted when they are read."""

    def __init__(self, *kids):
        self.kids = kids
        self.reads = 0

    def __call__(self):
        self.reads += 1
        if not self.kids:
            raise KeysError("none")
        return parse_jwks({"keys": [jwk(kid) for kid in self.kids]})


def token(kid="one", algorithm="RS256", **claims):
    now = int(time.time())
    return jwt.encode(
        {"iss": "us", "iat": now, "exp": now + 100, **claims}, PRIVATE[kid], algorithm=algorithm, headers={"kid": kid}
    )


def tokens(source, clock=time.time, **changed):
    keys = KeySet(source, every=1000, floor=0)
    keys.refresh()
    return Tokens(keys, "us", lambda claims: claims.get("say"), clock=clock, **changed), keys


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_a_token_is_verified_once(algorithm):
    verifier, _ = tokens(Source("one"))
    good = token(algorithm=algorithm, say="hello")
    assert [verifier.verify(good) for _ in range(3)] == ["hello"] * 3
    assert (verifier.misses, verifier.hits) == (1, 2)


@pytest.mark.parametrize("algorithm", ["PS256", "PS512"])
def test_other_algorithms_of_the_same_key(algorithm):
    verifier, _ = tokens(Source("one"))
    with pytest.raises(TokenError, match="signed with"):
        verifier.verify(token(algorithm=algorithm))


def test_expiry_is_looked_at_on_every_hit():
    clock = Clock(time.time())
    verifier, _ = tokens(Source("one"), clock, leeway=10)
    good = token()
    verifier.verify(good)
    clock.now += 105
    assert verifier.verify(good) is None
    clock.now += 10
    with pytest.raises(TokenError, match="expired"):
        verifier.verify(good)


def test_what_is_cached_is_bounded():
    verifier, _ = tokens(Source("one"), most_cached=3)
    given = [token(jti=str(number)) for number in range(5)]
    for one in given:
        verifier.verify(one)
    assert len(verifier._cache) == 3
    verifier.verify(given[4])
    verifier.verify(given[0])
    assert (verifier.hits, verifier.misses) == (1, 6)


def test_what_was_refused_is_not_cached():
    verifier, _ = tokens(Source("one"))
    for _ in range(3):
        with pytest.raises(TokenError):
            verifier.verify(token(iss="others"))
    assert not verifier._cache


def test_nothing_is_cached_when_the_keys_change():
    """A key that the issuer has taken back signs nothing any more, not even what was good a moment ago."""
    source = Source("one", "two")
    verifier, keys = tokens(source)
    old, new = token("one"), token("two")
    verifier.verify(old)
    source.kids = ("two",)
    keys.get("unknown")
    keys.refresh()
    with pytest.raises(TokenError, match="key"):
        verifier.verify(old)
    verifier.verify(new)


def test_the_same_keys_again_change_nothing():
    source = Source("one")
    verifier, keys = tokens(source)
    verifier.verify(good := token())
    keys.get("unknown")
    keys.refresh()
    verifier.verify(good)
    assert (source.reads, keys.generation, verifier.hits) == (2, 1, 1)


def test_old_keys_stay_when_new_ones_cannot_be_had():
    source = Source("one")
    verifier, keys = tokens(source)
    source.kids = ()
    keys.get("unknown")
    keys.refresh()
    assert source.reads == 2
    verifier.verify(token())


def test_keys_that_cannot_be_read_again_are_trusted_no_longer_than_said(caplog):
    """As when an issuer's JWKS has turned to garbage: neither new tokens are taken, nor those that were good."""
    clock, source = Clock(0.0), Source("one")
    held = KeySet(source, every=100, floor=10, trusted=1000, clock=clock)
    held.refresh()
    verifier, good = Tokens(held, "us", lambda claims: "good"), token()
    assert verifier.verify(good) == "good"
    source.kids = ()
    clock.now = 1000.0
    held.refresh()
    assert (verifier.verify(good), held.state(), held.age()) == ("good", "read", 1000.0)
    clock.now = 1001.0
    for given in (good, token(jti="another")):
        with pytest.raises(NoKeysError):
            verifier.verify(given)
    assert held.state() == "old"
    source.kids = ("one",)
    clock.now = 1010.0  # sooner than usual, for the last reading failed
    held.refresh()
    assert (verifier.verify(good), held.state(), held.age()) == ("good", "read", 0.0)


@pytest.mark.parametrize(
    ("lives", "taken"), [(3600, True), (3601, False), (10**9, False)], ids=["an hour", "longer", "for years"]
)
@pytest.mark.parametrize("from_when", ["iat", "nbf", None])
def test_no_token_lives_for_long(lives, taken, from_when):
    """Counted from when it was made, so that one doesn't become good in its last hour."""
    began = int(time.time()) - 3000
    clock = Clock(began + (3000 if from_when else 0))
    verifier, _ = tokens(Source("one"), clock, required=("iss", "exp"))
    claims = {"iat": None, "exp": began + lives} | ({from_when: began} if from_when else {})
    made = token(**claims) if from_when == "iat" else signed_without_iat(claims)
    if taken:
        verifier.verify(made)
    else:
        with pytest.raises(TokenError, match="lives for too long"):
            verifier.verify(made)


def signed_without_iat(claims):
    said = {"iss": "us"} | {name: value for name, value in claims.items() if name != "iat"}
    return jwt.encode(said, PRIVATE["one"], algorithm="RS256", headers={"kid": "one"})


@pytest.mark.parametrize("aud", [None, "unspecified", ["unspecified"]])
def test_without_an_audience_a_token_for_any_service_is_taken(aud):
    verifier, _ = tokens(Source("one"))
    verifier.verify(token(**({"aud": aud} if aud else {})))


@pytest.mark.parametrize("aud", ["https://bank.example/", ["unspecified", "https://bank.example/"], [], "", 1, {}])
def test_without_an_audience_none_that_is_for_another_service(aud):
    """RFC 8707: one who got it for their own service could pass it on to ours."""
    verifier, _ = tokens(Source("one"))
    with pytest.raises(TokenError, match="another service"):
        verifier.verify(token(aud=aud))


def test_without_keys_nothing_can_be_said():
    verifier, _ = tokens(Source())
    assert verifier.keys() == "missing"
    with pytest.raises(NoKeysError):
        verifier.verify(token())


def test_keys_are_read_seldom():
    source = Source("one")
    keys = KeySet(source, every=1000, floor=1000)
    for _ in range(100):
        keys.refresh()
        assert keys.get("unknown") is None
    assert source.reads == 1


@pytest.mark.parametrize("audience", ["me", ["others", "me"]])
def test_audience(audience):
    verifier, _ = tokens(Source("one"), audience="me")
    verifier.verify(token(aud=audience))
    for wrong, said in (({"aud": "others"}, "another service"), ({}, "lacks aud"), ({"iat": None}, "lacks iat")):
        with pytest.raises(TokenError, match=said):
            verifier.verify(token(**wrong))


@pytest.mark.parametrize("bug", [KeyError, TypeError, AttributeError, ValueError, RuntimeError])
@pytest.mark.parametrize("place", ["jwt.decode", "header_of", "KeySet.get", "moment", "read"])
def test_a_bug_is_not_the_tokens_fault(monkeypatch, place, bug):
    """A good token and broken code: it is not told as a token that isn't valid."""

    def broken(*_, **__):
        raise bug

    verifier, _ = tokens(Source("one"))
    patched = {
        "moment": "serving.tokens.moment",
        "header_of": "serving.tokens.header_of",
        "KeySet.get": "serving.keys.KeySet.get",
    }
    if place == "read":
        verifier._read = broken
    else:
        monkeypatch.setattr(patched.get(place, place), broken)
    with pytest.raises(bug):
        verifier.verify(token())


DEEP = b"[" * 900 + b"]" * 900
ANY_JSON = (
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 400,
    b"9" * 5000,
    b'"x"',
    b'"\\ud800"',
    b"[]",
    b"{}",
    DEEP,
)


@pytest.mark.parametrize("value", ANY_JSON, ids=lambda value: value[:12].decode())
@pytest.mark.parametrize("name", ["iss", "exp", "iat", "nbf", "aud", "sub", "jti", "alg", "kid", "typ", "crit", "b64"])
def test_whatever_stands_in_a_token_that_is_signed(name, value):
    """In its header or its claims: it is refused or good, and no other error comes of it."""
    now = str(int(time.time())).encode()
    header = {"alg": b'"RS256"', "kid": b'"one"'}
    claims = {"iss": b'"us"', "iat": now, "exp": now + b"0", "aud": b'"me"'}
    (header if name in ("alg", "kid", "typ", "crit", "b64") else claims)[name] = value
    signed = b".".join(_encoded(_object(said)) for said in (header, claims))
    signature = PRIVATE["one"].sign(signed, padding.PKCS1v15(), hashes.SHA256())
    verifier, _ = tokens(Source("one"), audience="me")
    with suppress(TokenError):
        verifier.verify((signed + b"." + _encoded(signature)).decode())


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "\xff.\xff.\xff", "W10.W10.", "=.=.=", "\0"]
)
def test_what_is_no_token(text):
    verifier, _ = tokens(Source("one"))
    with pytest.raises(TokenError):
        verifier.verify(text)


def _object(said):
    return b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), value) for name, value in said.items())


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


# JWKS


def test_only_rsa_keys_that_sign_and_are_long_enough():
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # meant
    curve = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    listed = [
        jwk("one", use="sig"),
        jwk("encrypts", PRIVATE["two"], use="enc"),
        jwk("short", short),
        curve | {"kid": "curve"},
        {"kty": "oct", "k": "AAAA", "kid": "secret"},
        {"kty": "RSA", "kid": "half"},
        {key: value for key, value in jwk("one").items() if key != "kid"},
        jwk("one") | {"kid": 1},
        "rubbish",
    ]
    assert set(parse_jwks({"keys": listed})) == {"one"}


@pytest.mark.parametrize("jwks", [None, [], {}, {"keys": None}, {"keys": []}, {"keys": [{}]}, {"keys": "x"}, "x"])
def test_no_keys_in_it(jwks):
    with pytest.raises(KeysError):
        parse_jwks(jwks)


def test_a_file_that_is_not_there_or_not_json(tmp_path):
    (tmp_path / "bad").write_text("{")
    (tmp_path / "deep").write_text("[" * 100_000)
    for name in ("none", "bad", "deep"):
        with pytest.raises(KeysError, match=name):
            keys_of_file(tmp_path / name)


# Discovery


class Issuer(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = self.server.answers.get(self.path, (404, b""))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/jwks")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def issuer():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    server.base = f"http://127.0.0.1:{server.server_port}"
    server.answers = {
        "/metadata": (200, json.dumps({"issuer": "us", "jwks_uri": f"{server.base}/jwks"}).encode()),
        "/jwks": (200, json.dumps({"keys": [jwk("one")]}).encode()),
    }
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def remote():
    """It waits long enough for what answers here, and not long for what doesn't."""
    remote = Remote(seconds=0.5)
    yield remote
    remote.close()


@pytest.mark.slow
def test_discovery(remote, issuer):
    assert set(keys_by_discovery(remote, f"{issuer.base}/metadata", "us")) == {"one"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/metadata", (404, b"")),
        ("/metadata", (200, b"{")),
        ("/metadata", (200, b"[]")),
        ("/metadata", (200, b"{}")),
        ("/metadata", (200, b'{"jwks_uri": "file:///etc/passwd"}')),
        ("/metadata", (200, b'{"jwks_uri": "http://elsewhere.example/jwks"}')),
        ("/metadata", (200, b'{"jwks_uri": "http://[oops/m"}')),
        ("/metadata", (200, b'{"jwks_uri": "https://127.0.0.1:x/m"}')),
        ("/metadata", (200, b"[" * 100_000)),
        ("/metadata", (200, b'{"a": "%s"}' % (b"x" * MOST_BYTES))),
        ("/metadata", (302, b"")),
        ("/jwks", (500, b"")),
        ("/jwks", (200, b'{"keys": []}')),
    ],
    ids=lambda value: str(value)[:60],
)
def test_discovery_that_leads_to_no_keys(remote, issuer, path, answer):
    issuer.answers[path] = answer
    with pytest.raises(KeysError):
        keys_by_discovery(remote, f"{issuer.base}/metadata", "us")


@pytest.mark.parametrize(
    "address", ["http://[oops/m", "", "x", "http://127.0.0.1:1/", "https://127.0.0.1:x/", "https://a b/"]
)
def test_an_address_that_is_none(remote, address):
    with pytest.raises(KeysError):
        keys_by_discovery(remote, address, "us")


@contextmanager
def raw_issuer(*pieces, pause=0.0):
    """Answers the first connection with the pieces, and a pause after each."""
    over = threading.Event()

    def answer():
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(10_000)
            for piece in pieces:
                connection.sendall(piece)
                if over.wait(pause):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/metadata"
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"HELLO\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
def test_an_issuer_that_speaks_no_http(remote, answer):
    with raw_issuer(answer) as address, pytest.raises(KeysError):
        keys_by_discovery(remote, address, "us")


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["headers", "body"])
def test_an_issuer_that_is_slow_has_an_end(remote, start):
    """A byte now and then is no way to hold a reader."""
    with raw_issuer(start, *[b"H"] * 200, pause=0.05) as address, pytest.raises(KeysError, match="TimeoutError"):
        keys_by_discovery(remote, address, "us")


def test_whatever_reading_raises_old_keys_stay(caplog):
    """A bug is told with its class and its place."""
    source = Source("one")
    held = KeySet(source, every=0, floor=0)
    held.refresh()
    source.kids = (None,)
    held.refresh()
    assert source.reads == 2
    assert held.get("one")
    assert re.search(r"KeyError at .*test_tokens\.py:[0-9]+ jwk", caplog.text)


@pytest.mark.slow
def test_metadata_of_another_issuer(remote, issuer):
    with pytest.raises(KeysError, match="another"):
        keys_by_discovery(remote, f"{issuer.base}/metadata", "https://them.example/")
