"""What is looked at of a token before anything else: its header, and whether our keys have signed it."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from serving import signature
from serving.keys import keys_of_file
from serving.signature import MOST_HEADER, header_of, is_signed
from serving.throwaway import access_token, make_keys


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture(scope="module")
def key(folder):
    (key,) = keys_of_file(folder / "jwks.json").values()
    return key


@pytest.fixture(scope="module")
def token(folder):
    return access_token(folder, part=None)


def test_a_good_token(token, key):
    assert header_of(token)["alg"] == "RS256"
    assert is_signed(token, "RS256", key)


def test_another_key_another_hash_another_text(token, key):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    assert not is_signed(token, "RS256", other)
    assert not is_signed(token, "RS512", key)
    head, body, signed = token.split(".")
    for changed in (f"{head}.{body}A.{signed}", f"{head}.{body}.{signed[:-4]}", f"{head}.{body}.", f"{head}.{body}.æ"):
        assert not is_signed(changed, "RS256", key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "e30.b",
        "W10.b.c",
        "æ.b.c",
        "e30" + "A" * MOST_HEADER + ".b.c",
        "Ww" * 400 + ".b.c",
    ],
)
def test_what_has_no_header(text):
    assert header_of(text) is None


def test_a_long_signature_is_not_decoded(token, key, monkeypatch):
    monkeypatch.setattr(signature, "_decoded", None)
    assert not is_signed(f"{token}{'A' * 10_000}", "RS256", key)
