"""The public keys of an issuer: its JWKS, found by discovery or lying in a file, read again now and then."""

import json
import logging
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

LEAST_BITS = 2048
_SECONDS = 5
_MOST_BYTES = 1_000_000

log = logging.getLogger("kravoversikt.keys")

Keys = dict[str, RSAPublicKey]


class KeysError(Exception):
    """The keys can't be had now."""


class KeySet:
    """An issuer's keys by ``kid``. Looking one up never waits; asking for an unknown one makes them be read soon."""

    def __init__(self, read: Callable[[], Keys], every: float, floor: float) -> None:
        """``every``: seconds between readings. ``floor``: the least, however often unknown keys are asked for."""
        self._read = read
        self._every = every
        self._floor = floor
        self._keys: Keys = {}
        self._read_at = float("-inf")
        self._wanted = False
        self._lock = threading.Lock()
        self.generation = 0
        """Counts up when the keys change: what was verified with the old ones must be forgotten."""

    def __bool__(self) -> bool:
        return bool(self._keys)

    def get(self, kid: str) -> RSAPublicKey | None:
        """The key, or None and a note that it is wanted."""
        key = self._keys.get(kid)
        if key is None:
            self._wanted = True
        return key

    def refresh(self) -> None:
        """Reads the keys when it is time; called again and again from a thread of its own. Old keys stay on errors."""
        with self._lock:
            waited = time.monotonic() - self._read_at
            if waited < self._floor or not (self._wanted or not self._keys or waited >= self._every):
                return
            self._read_at, self._wanted = time.monotonic(), False
            try:
                keys = self._read()
            except KeysError as error:
                log.warning("the keys of an issuer could not be read: %s", error)
                return
            if _numbers(keys) != _numbers(self._keys):
                self._keys = keys
                self.generation += 1


def _numbers(keys: Keys) -> dict[str, tuple[int, int]]:
    return {kid: (key.public_numbers().n, key.public_numbers().e) for kid, key in keys.items()}


def keys_of_file(path: Path) -> Keys:
    """The keys of a JWKS file. Raises ``KeysError``."""
    try:
        return parse_jwks(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise KeysError(f"{path.name}: {getattr(error, 'strerror', None) or 'not JSON'}") from error


def keys_by_discovery(metadata: str, issuer: str) -> Keys:
    """The keys that an authorization server's metadata (RFC 8414) points to. Raises ``KeysError``."""
    found = _fetch(metadata)
    if issuer.startswith("https://") and found.get("issuer") != issuer:
        raise KeysError("the metadata are another issuer's")
    place = found.get("jwks_uri")
    if not isinstance(place, str):
        raise KeysError("the metadata name no jwks_uri")
    return parse_jwks(_fetch(place))


def parse_jwks(jwks: Any) -> Keys:
    """The RSA signing keys of a JWKS; others in it are passed over. Raises ``KeysError`` when there are none."""
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    keys: Keys = {}
    for jwk in listed if isinstance(listed, list) else []:
        if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig":
            continue
        try:
            key = PyJWK.from_dict(jwk, algorithm="RS256").key
        except (PyJWTError, ValueError, TypeError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= LEAST_BITS and isinstance(jwk.get("kid"), str):
            keys[jwk["kid"]] = key
    if not keys:
        raise KeysError("there is no RSA key with a kid in it")
    return keys


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key of everything is fetched from where it was said to be, or not at all."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def _fetch(url: str) -> dict[str, Any]:
    """A JSON object over HTTPS, or over HTTP from this machine. Raises ``KeysError``."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        raise KeysError("the address must begin with https://")
    try:
        with _opener.open(url, timeout=_SECONDS) as answer:
            content = json.loads(answer.read(_MOST_BYTES))
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise KeysError(f"{parts.hostname} gave no JSON ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise KeysError(f"{parts.hostname} gave no JSON object")
    return content
