"""Who may see what (CONTRACT section 6): the consumer by its access token, its agreement, and the part's consent."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from serving.consent import Consents, consents_in_details, organisation_of
from serving.consumers import STRANGER, Consumer
from serving.errors import KravoversiktError
from serving.limits import Limits
from serving.request import Asked, Request
from serving.settings import is_loopback
from serving.tokens import NoKeysError, TokenError, Tokens


class Caller(NamedTuple):
    """What an access token says of who calls."""

    organisation: str
    scopes: frozenset[str]
    consents: Consents


class Gate(Protocol):
    """What decides over a request."""

    def admit(self, request: Request, asked: Asked) -> Consumer:
        """The consumer, when it may see what is asked for. Raises KB-004, KB-010 or KB-005."""

    def ready(self) -> bool:
        """Whether it can decide at all."""


_HOST = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::[0-9]*)?")


class Open:
    """Lets everyone see everything: only for one's own machine.

    It must be called by a loopback name or address, or a page in a browser on this machine could read everything by
    letting its own name point here.
    """

    def admit(self, request: Request, asked: Asked) -> Consumer:
        """Everyone on this machine. Raises KB-003."""
        host = _HOST.fullmatch(request.headers.get("host", ""))
        if not host or not is_loopback((host[1] or host[2]).lower()):
            raise KravoversiktError("KB-003", "without access control only localhost and loopback addresses answer")
        return ANYONE

    def ready(self) -> bool:
        """Always."""
        return True


ANYONE = Consumer(organisasjonsnummer="000000000", navn="anyone", rettighetspakker=frozenset())


class Secured:
    """Maskinporten's access tokens, agreements and consents."""

    def __init__(
        self,
        tokens: Tokens[Caller],
        consumers: Mapping[str, Consumer],
        limits: Limits,
        scope: str,
        altinn: "Altinn | None" = None,
    ) -> None:
        self._tokens = tokens
        self._consumers = consumers
        self._limits = limits
        self._scope = scope
        self._altinn = altinn

    def admit(self, request: Request, asked: Asked) -> Consumer:
        """The consumer, when it may see what is asked for. Raises KB-004, KB-010 or KB-005.

        The error that is raised carries the consumer as soon as it is known.
        """
        caller = self._caller(request)
        consumer = self._consumers.get(caller.organisation, STRANGER)
        try:
            self._limits.take(consumer.place, consumer.requests_per_second, consumer.burst)
            self._check_rights(caller, consumer, request, asked)
        except KravoversiktError as error:
            error.consumer = consumer.navn
            error.stranger = caller.organisation if consumer is STRANGER else None
            raise
        return consumer

    def ready(self) -> bool:
        """Whether the keys have been read that tokens are checked with: access tokens, and consent tokens if taken."""
        return self._tokens.ready() and (self._altinn is None or self._altinn.ready())

    def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            missing = "an access token is missing: Authorization: Bearer <token>"
            raise KravoversiktError("KB-004", missing, WWW_Authenticate="Bearer")  # RFC 6750 3.1: no error without one
        try:
            return self._tokens.verify(token)
        except TokenError as error:
            raise unauthorized(f"access token: {error}") from error
        except NoKeysError as error:
            raise KravoversiktError("KB-001", "access tokens cannot be checked now; try again soon") from error

    def _check_rights(self, caller: Caller, consumer: Consumer, request: Request, asked: Asked) -> None:
        if self._scope not in caller.scopes:
            raise KravoversiktError("KB-005", f"the access token lacks the scope {self._scope}")
        if asked.rettighetspakke not in consumer.rettighetspakker:
            raise KravoversiktError("KB-005", "the consumer has not been granted this rettighetspakke")
        if caller.consents.cover(asked.part, caller.organisation):
            return
        token = request.headers.get("altinnsamtykke")
        if token is None or self._altinn is None:
            raise KravoversiktError("KB-005", "there is no valid consent for this part")
        self._altinn.check(token, asked.part, caller.organisation)


class Altinn:
    """Consent tokens of Altinn, in the header ``AltinnSamtykke``."""

    def __init__(self, tokens: Tokens[Consents]) -> None:
        self._tokens = tokens

    def ready(self) -> bool:
        """Whether there are keys to check consents with."""
        return self._tokens.ready()

    def check(self, token: str, part: str, consumer: str) -> None:
        """Raises KB-005 unless the token is a consent of the part's to the consumer."""
        try:
            consents = self._tokens.verify(token)
        except TokenError as error:
            raise KravoversiktError("KB-005", f"AltinnSamtykke: {error}") from error
        except NoKeysError as error:
            raise KravoversiktError("KB-001", "consent tokens cannot be checked now; try again soon") from error
        if not consents.cover(part, consumer):
            raise KravoversiktError("KB-005", "there is no valid consent for this part")


def unauthorized(melding: str) -> KravoversiktError:
    """KB-004 with the header that HTTP asks for."""
    return KravoversiktError("KB-004", melding, WWW_Authenticate='Bearer error="invalid_token"')


def read_caller(claims: dict[str, Any], consent_resource: str) -> Caller:
    """The caller of an access token's claims. Raises ``TokenError``."""
    organisation = organisation_of(claims.get("consumer"))
    if organisation is None:
        raise TokenError("consumer is not a Norwegian organisation")
    scope = claims.get("scope")
    scopes = frozenset(scope.split(" ")) if isinstance(scope, str) else frozenset()
    details = claims.get("authorization_details")
    return Caller(organisation, scopes, consents_in_details(details, organisation, consent_resource))
