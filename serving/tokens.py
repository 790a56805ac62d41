"""Signed tokens: verified once, then cached until they expire or the issuer's keys change."""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from serving.consent import moment
from serving.keys import KeySet
from serving.signature import header_of, is_signed

ALGORITHMS = ["RS256", "RS384", "RS512"]
"""The only ones: those of Maskinporten. So neither ``none`` nor a public key taken for a shared secret."""

MAX_TOKEN = 16_000
"""Characters; a longer one isn't looked at."""

LONGEST_LIFE = 3600.0
"""Seconds that a token may live at most; Maskinporten's live 120 unless an API asks for more."""

UNRESTRICTED = (None, "unspecified", ["unspecified"])
"""What ``aud`` is in a token that is for any service, says Digdir's page on audience-restricted tokens."""

Meaning = TypeVar("Meaning")


class TokenError(Exception):
    """The token isn't valid; the message says why, and holds nothing of the token."""


class NoKeysError(Exception):
    """No token can be checked: the issuer's keys have never been read, or not for too long."""


class Tokens(Generic[Meaning]):
    """Verifies the tokens of one issuer. ``read`` makes of a valid token's claims what is cached of it."""

    def __init__(
        self,
        keys: KeySet,
        issuer: str,
        read: Callable[[dict[str, Any]], Meaning],
        *,
        audience: str | None = None,
        required: tuple[str, ...] = ("iss", "exp", "iat"),
        longest: float = LONGEST_LIFE,
        leeway: int = 10,
        most_cached: int = 10_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``read`` raises ``TokenError`` for claims not as they must be.

        ``audience``: what ``aud`` must be or hold. Without one a token is taken that is for any service, and none that
        is for another. ``longest``: seconds that a token may live. ``leeway``: seconds that clocks may differ.
        """
        self._keys = keys
        self._issuer = issuer
        self._read = read
        self._audience = audience
        self._required = list(required)
        self._longest = longest
        self._leeway = leeway
        self._most_cached = most_cached
        self._clock = clock
        self._cache: dict[str, tuple[float, Meaning]] = {}
        self._generation = keys.generation
        self.hits = 0
        self.misses = 0

    def keys(self) -> str:
        """Of the keys to verify with: ``read``, ``missing``, or ``old``."""
        return self._keys.state()

    def verify(self, token: str) -> Meaning:
        """What the token says. Raises ``TokenError`` or ``NoKeysError``."""
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._cache.clear()
        if not self._keys:
            raise NoKeysError
        known = self._cache.get(token)
        if known is not None:
            if known[0] + self._leeway > self._clock():
                self.hits += 1
                return known[1]
            del self._cache[token]
            raise TokenError("the token has expired")
        self.misses += 1
        expires, meaning = self._verify(token)
        while len(self._cache) >= self._most_cached:
            del self._cache[next(iter(self._cache))]
        self._cache[token] = (expires, meaning)
        return meaning

    def _verify(self, token: str) -> tuple[float, Meaning]:
        if len(token) > MAX_TOKEN:
            raise TokenError("the token is too long")
        claims = self._claims(token, self._key(token))
        expires = moment(claims["exp"])
        if expires is None:
            raise TokenError("exp is not a time")
        if moment(claims.get("nbf", 0)) is None:
            raise TokenError("nbf is not a time")
        began = moment(claims.get("iat", claims.get("nbf", self._clock())))
        if began is None or expires - min(began, self._clock()) > self._longest:
            raise TokenError("the token lives for too long")
        if self._audience is None and claims.get("aud") not in UNRESTRICTED:
            raise TokenError(_SAID[jwt.InvalidAudienceError])
        return expires, self._read(claims)

    def _claims(self, token: str, key: RSAPublicKey) -> dict[str, Any]:
        """The claims, when the key has signed them. What else than a token's fault fails here is a bug, and passes."""
        try:
            return jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": self._required, "verify_aud": self._audience is not None},
            )
        except jwt.MissingRequiredClaimError as error:
            raise TokenError(f"the token lacks {error.claim}") from error
        except jwt.PyJWTError as error:
            raise TokenError(_SAID.get(type(error), "the token is not valid")) from error

    def _key(self, token: str) -> RSAPublicKey:
        """The key that has signed the token: known before PyJWT reads it, which takes fifty times as long."""
        header = header_of(token)
        if header is None:
            raise TokenError("the token is not valid")
        kid = header.get("kid")
        if header.get("alg") not in ALGORITHMS:
            raise TokenError(f"the token must be signed with one of {', '.join(ALGORITHMS)}")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenError("the token's key is not one of the issuer's")
        if not is_signed(token, header["alg"], key):
            raise TokenError("the token is not valid")
        return key


_SAID: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidIssuedAtError: "iat is not a time",
    jwt.InvalidIssuerError: "the token is another issuer's",
    jwt.InvalidAudienceError: "the token is meant for another service",
}
