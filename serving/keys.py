"""The public keys of an issuer: its JWKS, found by discovery or lying in a file, read again now and then."""

import http.client
import io
import json
import logging
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from serving.logs import where

LEAST_BITS = 2048
SECONDS = 5.0
"""An issuer has as long to be connected to, and again as long for its whole answer."""

MOST_BYTES = 1_000_000

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
        self.tried = threading.Event()
        """Set when the first reading has ended, well or not."""

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
            except Exception as error:  # ours, whatever an issuer answers; its message could hold anything
                place = " < ".join(where(error))
                log.error("the keys of an issuer could not be read: %s at %s", type(error).__name__, place)
            else:
                self._take(keys)
            finally:
                self.tried.set()

    def _take(self, keys: Keys) -> None:
        if _numbers(keys) != _numbers(self._keys):
            self._keys = keys
            self.generation += 1


def _numbers(keys: Keys) -> dict[str, tuple[int, int]]:
    return {kid: (key.public_numbers().n, key.public_numbers().e) for kid, key in keys.items()}


def keys_of_file(path: Path) -> Keys:
    """The keys of a JWKS file. Raises ``KeysError``."""
    try:
        return parse_jwks(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
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
        except PyJWTError:
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


class _Until(io.RawIOBase):
    """Reads a socket until a moment: a timeout by itself begins anew with each byte."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that must be whole, its headers too, in time."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Until(sock, time.monotonic() + SECONDS))


def _connection(kind: Callable[..., http.client.HTTPConnection], *args: Any, **options: Any) -> Any:
    made = kind(*args, **options)
    made.response_class = _Response
    return made


class _Http(urllib.request.HTTPHandler):
    def do_open(self, http_class: Any, req: Any, **options: Any) -> Any:
        return super().do_open(partial(_connection, http_class), req, **options)


class _Https(urllib.request.HTTPSHandler):
    def do_open(self, http_class: Any, req: Any, **options: Any) -> Any:
        return super().do_open(partial(_connection, http_class), req, **options)


_opener = urllib.request.build_opener(_NoRedirect, _Http, _Https)


def _fetch(url: str) -> dict[str, Any]:
    """A JSON object over HTTPS, or over HTTP from this machine. Raises ``KeysError``."""
    host: str | None = "the address"
    try:
        host = _host(url)
        with _opener.open(url, timeout=SECONDS) as answer:
            text = answer.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise KeysError(f"{host} gave more than {MOST_BYTES} bytes")
        content = json.loads(text)
    except (OSError, ValueError, http.client.HTTPException, RecursionError) as error:
        raise KeysError(f"{host} gave no JSON ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise KeysError(f"{host} gave no JSON object")
    return content


def _host(url: str) -> str | None:
    """The host of an address that keys may be fetched from. Raises ``KeysError`` or ``ValueError``."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        raise KeysError("the address must begin with https://")
    return parts.hostname
