"""Throwaway keys and tokens, to call the secured interface on one's own machine. For tests only, and marked so.

    <folder>/TEST-ONLY.txt   says so
            private.pem      the key that signs, readable by its owner only
            jwks.json        its public half, as an issuer publishes it
            consumers.toml   one consumer, granted everything
            log-hash.key     the key of the hashes in the audit log
            delegations.json what system users may, for the stand-in of Altinn that the server begins beside itself

A server takes them with ``--test-keys``, on a loopback address only.
"""

import base64
import hashlib
import json
import os
import secrets
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from serving.consent import AUTHORITY, NORWEGIAN
from serving.consumers import ConsumersError, read_consumers
from serving.settings import TEST_ISSUER, Altinn, Maskinporten, SettingsError, SystemUsers, private_key
from serving.stand_in import DELEGATIONS, delegations

ISSUER = TEST_ISSUER
CONSUMER = "999999999"
"""A number with right check digits that is no one's."""

_WARNING = "These keys are throwaway keys, made by `kravoversikt token`. Never use them where others can reach.\n"


def make_keys(folder: Path) -> bool:
    """Makes the folder and what is missing in it; what is there stays. Two at a time make one.

    Whether there was no key before. Raises ``SettingsError``.
    """
    try:
        return _make_keys(folder)
    except OSError as error:
        raise SettingsError(f"{folder}: {error.strerror}") from error


def _make_keys(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "TEST-ONLY.txt").write_text(_WARNING)
    new = not (folder / "private.pem").exists()
    if new:
        _write(folder / "private.pem", _private_key())
    key = _key(folder)
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwks = json.dumps({"keys": [jwk | {"kid": kid_of(key), "use": "sig", "alg": "RS256"}]})
    if not (folder / "jwks.json").exists() or (folder / "jwks.json").read_bytes() != jwks.encode():
        _write(folder / "jwks.json", jwks, over=True)
    _write(folder / "consumers.toml", _CONSUMERS)
    _write(folder / "log-hash.key", secrets.token_hex(32))
    return new


def _key(folder: Path) -> rsa.RSAPrivateKey:
    """The folder's key. Raises ``SettingsError``."""
    try:
        return private_key(folder / "private.pem")
    except SettingsError as error:
        raise SettingsError(f"{error}: remove it from {folder}, and a new one is made") from error


def kid_of(key: rsa.RSAPrivateKey) -> str:
    """The key's name: its thumbprint (RFC 7638), so that another folder's token is known as such."""
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    text = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


_CONSUMERS = f"""# For tests only.
[[consumer]]
organisasjonsnummer = "{CONSUMER}"
navn = "test-only"
rettighetspakker = ["finans", "regnskapssystem"]
requests_per_second = 100000
burst = 100000
"""


def _write(path: Path, content: str, over: bool = False) -> None:
    """Writes the file whole, readable by its owner only; another that came first stays, unless it is written over."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    if over:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)
    except FileExistsError:
        pass
    finally:
        part.unlink()


RESOURCE = "kravogbetaling"
"""What system users are asked about here, as in the example of Altinn's guide."""

RETTIGHETSPAKKE = "regnskapssystem"
"""Under which system users may ask here."""


def settings_for(folder: Path, decision_point: str | None = None) -> dict[str, Any]:
    """The settings with which a server takes these keys, for access tokens and consent tokens.

    And for system users, when there is a decision point to ask about them.
    """
    packages = frozenset({RETTIGHETSPAKKE})
    asked = decision_point and SystemUsers(resource=RESOURCE, rettighetspakker=packages, url=decision_point)
    return {
        "system_users": asked or None,
        "maskinporten": Maskinporten(issuer=ISSUER, jwks_file=folder / "jwks.json"),
        "altinn": Altinn(issuer=ISSUER, jwks_file=folder / "jwks.json"),
        "consumers_file": folder / "consumers.toml",
        "log": {"hash_key_file": folder / "log-hash.key"},
    }


def consumer_of(folder: Path) -> str:
    """The organisation number of the first consumer in the folder. Raises ``SettingsError``."""
    try:
        consumers = read_consumers(folder / "consumers.toml")
    except ConsumersError as error:
        raise SettingsError(str(error)) from error
    if not consumers:
        raise SettingsError("consumers.toml: there is no consumer in it")
    return next(iter(consumers))


def actor(number: str) -> dict[str, str]:
    """An organisation as ISO 6523 writes it."""
    return {"authority": AUTHORITY, "ID": f"{NORWEGIAN}{number}"}


def urn(number: str) -> str:
    """A part as Altinn's consents write it."""
    kind = "organization" if len(number) == 9 else "person"
    return f"urn:altinn:{kind}:identifier-no:{number}"


def access_token(
    folder: Path, *, part: str | None, consumer: str = CONSUMER, seconds: int = 3600, **claims: Any
) -> str:
    """An access token like Maskinporten's, with the part's consent when there is a part. ``claims`` come on top."""
    now = int(time.time())
    settings = Maskinporten()
    said: dict[str, Any] = {
        "iss": ISSUER,
        "scope": settings.scope,
        "token_type": "Bearer",
        "client_id": "test-only",
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + seconds,
        "consumer": actor(consumer),
    }
    if part:
        resource = {"type": "urn:altinn:resource", "value": settings.consent_resource}
        consent = {"type": "urn:altinn:consent", "from": urn(part), "to": actor(consumer), "id": str(uuid.uuid4())}
        valid_to = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now + seconds))
        rights = [{"action": ["consent"], "resource": [resource]}]
        said["authorization_details"] = [consent | {"validTo": valid_to, "consentRights": rights}]
    return sign(folder, said | claims)


def system_user_token(
    folder: Path, *, organisation: str, part: str | None, consumer: str = CONSUMER, **given: Any
) -> str:
    """An access token like Maskinporten's for a system user of an organisation.

    With a part, the stand-in of Altinn lets that one read the part's claims from now on: its own organisation's, or
    those of a client of it. Raises ``SettingsError``.
    """
    user = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{ISSUER}:{consumer}:{organisation}"))
    if part:
        right = {"system_user": user, "resource": RESOURCE, "action": "read", "part": part}
        known = delegations(folder)
        if right not in known:
            _write(folder / DELEGATIONS, json.dumps([*known, right], indent=1), over=True)
    detail = {"type": "urn:altinn:systemuser", "systemuser_org": actor(organisation), "systemuser_id": [user]}
    detail["system_id"] = f"{consumer}_test-only"
    return access_token(folder, part=None, consumer=consumer, authorization_details=[detail], **given)


def consent_token(folder: Path, *, part: str, consumer: str = CONSUMER, seconds: int = 3600, **claims: Any) -> str:
    """A consent token like Altinn's. ``claims`` come on top."""
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "nbf": now,
        "exp": now + seconds,
        "OfferedBy": part,
        "CoveredBy": consumer,
        "DelegatedDate": now,
        "ValidToDate": now + seconds,
        "Services": [Altinn().service_code],
    }
    return sign(folder, said | claims)


def sign(folder: Path, claims: dict[str, Any], *, algorithm: str = "RS256") -> str:
    """The claims as a token, signed with the folder's key."""
    key = _key(folder)
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid_of(key)})
