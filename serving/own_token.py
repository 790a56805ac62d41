"""The token with which this server asks Altinn: a grant signed with its key, for Maskinporten's, for Altinn's own.

As Digdir's page on JWT grants and Altinn's on exchanging tokens say. Kept until shortly before it ends.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from serving.consent import moment
from serving.remote import Remote, RemoteError

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_SECONDS = 100
"""Maskinporten takes no grant that lives longer than 120."""

EARLY_SECONDS = 30
"""So long before its end a token is renewed."""


@dataclass(frozen=True)
class Client:
    """Who this server is to Maskinporten."""

    client_id: str
    key: RSAPrivateKey
    kid: str
    scope: str
    token_url: str
    audience: str
    """Maskinporten's issuer, whom the grant is for."""
    exchange_url: str | None
    """Where Altinn changes Maskinporten's token for its own."""


class OwnToken:
    """One token, shared by all that ask. Used on the thread of its ``Remote`` only."""

    def __init__(self, remote: Remote, client: Client) -> None:
        self._remote = remote
        self._client = client
        self._lock = asyncio.Lock()
        self._token = ""
        self._ends = 0.0

    async def get(self) -> str:
        """A token that is still good. Raises ``RemoteError``."""
        async with self._lock:
            if time.time() >= self._ends - EARLY_SECONDS:
                self._token, self._ends = await self._renewed()
            return self._token

    def forget(self) -> None:
        """The next one is a new one: this one was refused."""
        self._ends = 0.0

    async def _renewed(self) -> tuple[str, float]:
        form = {"grant_type": GRANT, "assertion": self._grant()}
        said = await self._remote.ask_object("POST", self._client.token_url, form=form)
        token = said.get("access_token")
        if not isinstance(token, str):
            raise RemoteError("the token endpoint gave no access_token")
        if self._client.exchange_url:
            bearer = {"Authorization": f"Bearer {token}"}
            text = await self._remote.ask("GET", self._client.exchange_url, headers=bearer)
            token = text.decode("latin-1").strip().strip('"')
        return token, _end(token)

    def _grant(self) -> str:
        now = int(time.time())
        claims = {
            "aud": self._client.audience,
            "iss": self._client.client_id,
            "scope": self._client.scope,
            "iat": now,
            "exp": now + GRANT_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self._client.key, algorithm="RS256", headers={"kid": self._client.kid})


def _end(token: str) -> float:
    """When our own token ends: read without a look at its signature, for nobody is let in by it."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise RemoteError("what should be a token of ours is none") from error
    return moment(claims.get("exp")) or 0.0
