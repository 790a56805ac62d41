"""The public keys of an issuer: its JWKS, found by discovery or lying in a file, read again now and then."""

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from serving.logs import where
from serving.remote import Remote, RemoteError

LEAST_BITS = 2048

log = logging.getLogger("kravoversikt.keys")

Keys = dict[str, RSAPublicKey]


class KeysError(Exception):
    """The keys can't be had now."""


class KeySet:
    """An issuer's keys by ``kid``. Looking one up never waits; asking for an unknown one makes them be read soon.

    It is false while no key is trusted: because none has been read yet, or none for too long.
    """

    def __init__(
        self,
        read: Callable[[], Keys],
        every: float,
        floor: float,
        trusted: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``every``: seconds between readings. ``floor``: the least, after one that failed or however often unknown
        keys are asked for. ``trusted``: how long keys are trusted that could not be read again."""
        self._read = read
        self._every = every
        self._floor = floor
        self._trusted = trusted
        self._clock = clock
        self._keys: Keys = {}
        self._tried_at, self._read_at = float("-inf"), float("-inf")
        self._failed = False
        self._wanted = False
        self._lock = threading.Lock()
        self.generation = 0
        """Counts up when the keys change: what was verified with the old ones must be forgotten."""
        self.tried = threading.Event()
        """Set when the first reading has ended, well or not."""

    def __bool__(self) -> bool:
        return bool(self._keys) and self._clock() - self._read_at <= self._trusted

    def age(self) -> float:
        """Seconds since the keys were read, infinite when they never were."""
        return self._clock() - self._read_at

    def state(self) -> str:
        """``read``, ``missing``, or ``old`` when they are no longer trusted."""
        return "read" if self else "old" if self._keys else "missing"

    def get(self, kid: str) -> RSAPublicKey | None:
        """The key, or None and a note that it is wanted."""
        key = self._keys.get(kid)
        if key is None:
            self._wanted = True
        return key

    def refresh(self) -> None:
        """Reads the keys when it is time; called again and again from a thread of its own. Old keys stay on errors."""
        with self._lock:
            waited = self._clock() - self._tried_at
            if waited < self._floor or not (self._wanted or self._failed or waited >= self._every):
                return
            self._tried_at, self._wanted, self._failed = self._clock(), False, True
            try:
                keys = self._read()
            except KeysError as error:
                log.warning("the keys of an issuer could not be read: %s", error)
            except Exception as error:  # ours, whatever an issuer answers; its message could hold anything
                place = " < ".join(where(error))
                log.error("the keys of an issuer could not be read: %s at %s", type(error).__name__, place)
            else:
                self._failed, self._read_at = False, self._clock()
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


def keys_by_discovery(remote: Remote, metadata: str, issuer: str) -> Keys:
    """The keys that an authorization server's metadata (RFC 8414) points to. Raises ``KeysError``."""
    found = _object(remote, metadata)
    if issuer.startswith("https://") and found.get("issuer") != issuer:
        raise KeysError("the metadata are another issuer's")
    place = found.get("jwks_uri")
    if not isinstance(place, str):
        raise KeysError("the metadata name no jwks_uri")
    return parse_jwks(_object(remote, place))


def _object(remote: Remote, url: str) -> dict[str, Any]:
    try:
        return remote.object(url)
    except RemoteError as error:
        raise KeysError(str(error)) from error


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
