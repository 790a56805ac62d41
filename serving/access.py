"""Who may see what (CONTRACT section 6): the consumer by its access token, its agreement, and the part's consent.

Or Altinn's word that a system user may read the part's. docs/decisions/0011-access.md has what must hold, and why.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from serving.consent import (
    LONGEST_CONSENT,
    Consent,
    Consents,
    SystemUser,
    consents_in_details,
    organisation_of,
    system_users_in_details,
)
from serving.consumers import STRANGER, Consumer
from serving.decisions import Decisions, Question, Undecided
from serving.errors import KravoversiktError
from serving.limits import Limits
from serving.logs import NOBODY, Answered, Bearer
from serving.request import Asked, Request
from serving.settings import is_loopback
from serving.tokens import NoKeysError, TokenError, Tokens


@dataclass(frozen=True, slots=True)
class Caller:
    """What an access token says of who calls."""

    organisation: str
    scopes: frozenset[str]
    consents: Consents
    system_users: tuple[SystemUser, ...] = ()
    bearer: Bearer = NOBODY


class Gate(Protocol):
    """What decides over a request."""

    def admit(self, request: Request, asked: Asked, told: Answered, waited: Undecided | None = None) -> Consumer:
        """The consumer, when it may see what is asked for. Raises KB-004, KB-010, KB-005, KB-002 or ``Undecided``.

        Who it is and by what right is noted in ``told`` as soon as it is known. ``waited``: what this raised before.
        """

    def keys(self) -> str:
        """Whether it can decide at all: ``read``, or how its keys are not to be trusted."""

    def breaker(self) -> str | None:
        """Whether Altinn is asked: a state of ``serving.breaker``; None when it never is."""


_HOST = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::[0-9]*)?")


class Open:
    """Lets everyone see everything: only for one's own machine.

    It must be called by a loopback name or address, or a page in a browser on this machine could read everything by
    letting its own name point here. And not through a proxy: that calls by such a name for whoever calls it.
    """

    def admit(self, request: Request, asked: Asked, told: Answered, waited: Undecided | None = None) -> Consumer:
        """Everyone on this machine. Raises KB-003."""
        if is_passed_on(request):
            raise KravoversiktError("KB-003", "without access control nothing that came through a proxy is answered")
        host = _HOST.fullmatch(request.headers.get("host", ""))
        if not host or not is_loopback((host[1] or host[2]).lower()):
            raise KravoversiktError("KB-003", "without access control only localhost and loopback addresses answer")
        return ANYONE

    def keys(self) -> str:
        """It needs none."""
        return "read"

    def breaker(self) -> None:
        """It asks nobody."""


_OF_PROXIES = frozenset({"forwarded", "via", "x-real-ip", "proxy-connection"})
_BEGIN_LIKE_PROXIES, _END_LIKE_PROXIES = ("x-forwarded", "x-original-", "x-envoy-"), ("-client-ip", "-connecting-ip")


def is_passed_on(request: Request) -> bool:
    """Whether it shows that a proxy has sent it: by its headers, or as HTTP/1.0, which nginx speaks by default."""
    names = request.headers.keys()
    return (
        request.version == "1.0"
        or not _OF_PROXIES.isdisjoint(names)
        or any(name.startswith(_BEGIN_LIKE_PROXIES) or name.endswith(_END_LIKE_PROXIES) for name in names)
    )


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
        system_users: "SystemUsers | None" = None,
    ) -> None:
        self._tokens = tokens
        self._consumers = consumers
        self._limits = limits
        self._scope = scope
        self._altinn = altinn
        self._system_users = system_users

    def admit(self, request: Request, asked: Asked, told: Answered, waited: Undecided | None = None) -> Consumer:
        """The consumer, when it may see what is asked for. Raises KB-004, KB-010, KB-005, KB-002 or ``Undecided``.

        A request that has waited for a decision was counted when it came.
        """
        caller = self._caller(request)
        consumer = self._consumers.get(caller.organisation, STRANGER)
        told.consumer, told.bearer = consumer.navn, caller.bearer
        told.stranger = caller.organisation if consumer is STRANGER else None
        if waited is None:
            self._limits.take(consumer.place, consumer.requests_per_second, consumer.burst)
        self._check_rights(caller, consumer, request, asked, told, waited)
        return consumer

    def keys(self) -> str:
        """Of the keys that tokens are checked with, access tokens and consent tokens if taken, the worst."""
        states = [self._tokens.keys(), self._altinn.keys() if self._altinn else "read"]
        return next((state for state in ("missing", "old") if state in states), "read")

    def breaker(self) -> str | None:
        """Of the decision point that is asked about system users, if it is."""
        return self._system_users.breaker() if self._system_users else None

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

    def _check_rights(
        self,
        caller: Caller,
        consumer: Consumer,
        request: Request,
        asked: Asked,
        told: Answered,
        waited: Undecided | None,
    ) -> None:
        if self._scope not in caller.scopes:
            raise KravoversiktError("KB-005", f"the access token lacks the scope {self._scope}")
        if asked.rettighetspakke not in consumer.rettighetspakker:
            raise KravoversiktError("KB-005", "the consumer has not been granted this rettighetspakke")
        consent = caller.consents.of(asked.part, caller.organisation)
        token = request.headers.get("altinnsamtykke")
        if consent is None and token is not None and self._altinn:
            consent = self._altinn.consent(token, asked.part, caller.organisation)
        if consent:
            told.consent = consent.id
        elif not (self._system_users and self._system_users.may(caller.system_users, asked, told, waited)):
            raise _no_consent(caller.system_users)


def _no_consent(asked_about: tuple[SystemUser, ...] = ()) -> KravoversiktError:
    said = "there is no valid consent for this part"
    if asked_about:
        said += ", and no system user of the token may read it under this rettighetspakke"
    return KravoversiktError("KB-005", said)


class SystemUsers:
    """System users, of whom Altinn says what they may do. Under the rettighetspakker that are configured for it."""

    def __init__(self, decisions: Decisions, resource: str, action: str, rettighetspakker: frozenset[str]) -> None:
        self._decisions = decisions
        self._resource = resource
        self._action = action
        self._rettighetspakker = rettighetspakker

    def may(self, users: tuple[SystemUser, ...], asked: Asked, told: Answered, waited: Undecided | None) -> bool:
        """Whether one of them may read what is asked for. Raises KB-002, or ``Undecided`` until Altinn has answered."""
        for user in users if asked.rettighetspakke in self._rettighetspakker else ():
            told.system_user = user
            if self._decided(Question(user.id, self._resource, self._action, asked.part), waited):
                return True
        return False

    def _decided(self, question: Question, waited: Undecided | None) -> bool:
        decision = waited.asked.get(question) if waited else None
        if decision:
            permitted = decision.result()
            if permitted is None:
                raise _not_asked()
        else:
            permitted = self._decisions.known(question)
            if permitted is None:
                asked = self._decisions.ask(question)
                if asked is None:
                    raise _not_asked()
                raise Undecided(question, asked, waited)
        return permitted

    def breaker(self) -> str:
        """Of the decision point."""
        return self._decisions.breaker.state()


def _not_asked() -> KravoversiktError:
    return KravoversiktError("KB-002", "Altinn cannot be asked at present; try again soon")


class Altinn:
    """Consent tokens of Altinn, in the header ``AltinnSamtykke``."""

    def __init__(self, tokens: Tokens[Consents]) -> None:
        self._tokens = tokens

    def keys(self) -> str:
        """Whether there are keys to check consents with."""
        return self._tokens.keys()

    def consent(self, token: str, part: str, consumer: str) -> Consent:
        """The part's consent to the consumer. Raises KB-005 unless the token is one."""
        try:
            consents = self._tokens.verify(token)
        except TokenError as error:
            raise KravoversiktError("KB-005", f"AltinnSamtykke: {error}") from error
        except NoKeysError as error:
            raise KravoversiktError("KB-001", "consent tokens cannot be checked now; try again soon") from error
        consent = consents.of(part, consumer)
        if consent is None:
            raise _no_consent()
        return consent


def unauthorized(melding: str) -> KravoversiktError:
    """KB-004 with the header that HTTP asks for."""
    return KravoversiktError("KB-004", melding, WWW_Authenticate='Bearer error="invalid_token"')


def read_caller(claims: dict[str, Any], consent_resource: str, longest_consent: float = LONGEST_CONSENT) -> Caller:
    """The caller of an access token's claims. Raises ``TokenError``."""
    organisation = organisation_of(claims.get("consumer"))
    if organisation is None:
        raise TokenError("consumer is not a Norwegian organisation")
    scope = claims.get("scope")
    scopes = frozenset(scope.split(" ")) if isinstance(scope, str) else frozenset()
    details = claims.get("authorization_details")
    consents = consents_in_details(details, consent_resource, longest_consent)
    return Caller(organisation, scopes, consents, system_users_in_details(details), _bearer(claims))


def _bearer(claims: dict[str, Any]) -> Bearer:
    client, jti = (value if isinstance(value, str) else None for value in (claims.get("client_id"), claims.get("jti")))
    return Bearer(client, jti, organisation_of(claims.get("supplier")))
