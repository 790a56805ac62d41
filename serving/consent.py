"""Consents: that a part lets a consumer see its documents; and system users, about whom Altinn is asked besides.

Signed by the issuer of the token that they stand in:

- ``authorization_details`` of type ``urn:altinn:consent`` in the access token: ``from``, ``to``, ``validTo`` and
  ``consentRights``, as Altinn's guide for resource owners shows them;
- Altinn's own consent token: ``OfferedBy``, ``CoveredBy``, ``Services``, ``ValidToDate``;
- ``authorization_details`` of type ``urn:altinn:systemuser``: no consent, but who is asked about, by
  ``serving.decisions``.

A consent is for the number that it names. A sole proprietorship's covers its document, its owner's posts in it
included, and not the owner's own document, which is another number's.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

AUTHORITY = "iso6523-actorid-upis"
NORWEGIAN = "0192:"
"""How ISO 6523 writes a Norwegian organisation number."""

CONSENT, SYSTEM_USER = "urn:altinn:consent", "urn:altinn:systemuser"
"""The types of ``authorization_details`` that are read."""

CONSENT_ACTION, RESOURCE = "consent", "urn:altinn:resource"
"""What a right of a consent must be: this action, on a resource of this type."""

LONGEST_CONSENT = 1096 * 24 * 3600.0
"""Seconds: three years, the longest that is asked for. One that ends later is taken for a mistake."""

MOST_SYSTEM_USERS = 8
"""In one token: each is a question to Altinn. A token with more has none."""

_YEAR_10000 = 253_402_300_800
"""Its first second, in seconds since 1970."""

_URNS = ("urn:altinn:organization:identifier-no:", "urn:altinn:person:identifier-no:")

_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Consent:
    """One part's consent to one consumer, until a moment (seconds since 1970)."""

    part: str
    consumer: str
    valid_to: float
    id: str | None = None
    """What Altinn calls it, when the token says; any text."""


class SystemUser(NamedTuple):
    """One system user of an organisation: the part itself, or an agent that acts for it, such as an accountant."""

    id: str
    """A UUID in small letters: what Altinn knows it by."""
    organisation: str


class Consents:
    """The consents that one token holds."""

    def __init__(
        self, consents: list[Consent], longest: float = LONGEST_CONSENT, clock: Callable[[], float] = time.time
    ) -> None:
        """``longest``: seconds from now at most until a consent ends."""
        self._consents = consents
        self._longest = longest
        self._clock = clock

    def of(self, part: str, consumer: str) -> Consent | None:
        """The part's to the consumer that is valid now, if there is one."""
        for consent in self._consents:
            left = consent.valid_to - self._clock()
            if consent.part == part and consent.consumer == consumer and 0 < left <= self._longest:
                return consent
        return None


def consents_in_details(details: Any, resource: str, longest: float = LONGEST_CONSENT) -> Consents:
    """The consents in an access token's ``authorization_details``; what isn't understood gives none."""
    found = (_consent(one, resource) for one in _of_type(details, CONSENT))
    return Consents([consent for consent in found if consent], longest)


def system_users_in_details(details: Any) -> tuple[SystemUser, ...]:
    """The system users in an access token's ``authorization_details``; what isn't understood gives none."""
    found = [
        SystemUser(one.lower(), organisation)
        for detail in _of_type(details, SYSTEM_USER)
        if (organisation := organisation_of(detail.get("systemuser_org")))
        for one in _listed(detail.get("systemuser_id"))
        if isinstance(one, str) and _UUID.fullmatch(one)
    ]
    return tuple(found) if len(found) <= MOST_SYSTEM_USERS else ()


def _of_type(details: Any, kind: str) -> Iterator[dict[str, Any]]:
    for one in _listed(details):
        if isinstance(one, dict) and one.get("type") == kind:
            yield one


def _listed(value: Any) -> list[Any]:
    """A list as it is, and one thing as a list of it."""
    return value if isinstance(value, list) else [value]


def _consent(detail: dict[str, Any], resource: str) -> Consent | None:
    part, to, valid_to = number_of(detail.get("from")), number_of(detail.get("to")), moment(detail.get("validTo"))
    rights = detail.get("consentRights")
    ours = isinstance(rights, list) and any(_is_to(right, resource) for right in rights)
    if part is None or to is None or valid_to is None or not ours:
        return None
    return Consent(part, to, valid_to, _text(detail.get("id")))


def _is_to(right: Any, resource: str) -> bool:
    """Whether it is the right to our resource, and to all of it.

    What stands beside it narrows it down in a way that isn't known here (a task, a year): then it is another right.
    """
    if not isinstance(right, dict) or right.get("metadata") or right.get("metaData"):
        return False
    action, what = right.get("action"), right.get("resource")
    return isinstance(action, list) and CONSENT_ACTION in action and what == [{"type": RESOURCE, "value": resource}]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def consent_of_altinn(claims: dict[str, Any], service_code: str, longest: float = LONGEST_CONSENT) -> Consents:
    """The consent of an Altinn consent token's claims; none when it is for other services."""
    part, consumer, valid_to = claims.get("OfferedBy"), claims.get("CoveredBy"), moment(claims.get("ValidToDate"))
    services = claims.get("Services")
    listed = [services] if isinstance(services, str) else services if isinstance(services, list) else []
    # An entry is the code, or the code and one of the consent's own facts: 4629_2 and 4629_2,inntektsaar=2016.
    covered = any(isinstance(one, str) and one.partition(",")[0] == service_code for one in listed)
    if not (covered and isinstance(part, str) and isinstance(consumer, str) and valid_to is not None):
        return Consents([])
    return Consents([Consent(part, consumer, valid_to, _text(claims.get("AuthorizationCode")))], longest)


def number_of(value: Any) -> str | None:
    """The number in a URN or in an ISO 6523 actor's identifier; None in anything else."""
    if isinstance(value, str):
        for urn in _URNS:
            if value.startswith(urn):
                return value[len(urn) :]
    return organisation_of(value)


def organisation_of(value: Any) -> str | None:
    """The organisation number of an ISO 6523 actor, ``{"authority": …, "ID": "0192:…"}``; Altinn writes ``id`` too."""
    if not isinstance(value, dict) or value.get("authority") != AUTHORITY:
        return None
    identifier = value.get("ID", value.get("id"))
    if not isinstance(identifier, str) or not identifier.startswith(NORWEGIAN):
        return None
    number = identifier[len(NORWEGIAN) :]
    return number if len(number) == 9 and number.isascii() and number.isdigit() else None


def moment(value: Any) -> float | None:
    """Seconds since 1970 of a number or an ISO moment with its offset; None in anything else.

    A number that isn't finite, or lies beyond the year 9999 as milliseconds do, is none: it would never end.
    """
    try:
        seconds = _seconds(value)
    except (ValueError, OverflowError):
        return None
    return seconds if seconds is not None and -_YEAR_10000 < seconds < _YEAR_10000 else None


def _seconds(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        return parsed.timestamp() if parsed.tzinfo else None
    return None
