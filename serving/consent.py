"""Consents: that a part lets a consumer see its documents.

Three forms, all signed by the issuer of the token that they stand in:

- ``authorization_details`` of type ``urn:altinn:consent`` in the access token: ``from``, ``to``, ``validTo``;
- of type ``urn:altinn:systemuser``: ``systemuser_org``, a part that uses the consumer's system;
- Altinn's own consent token: ``OfferedBy``, ``CoveredBy``, ``Services``, ``ValidToDate``.

A consent is for the number that it names. A sole proprietorship's covers its document, its owner's posts in it
included, and not the owner's own document, which is another number's.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

AUTHORITY = "iso6523-actorid-upis"
NORWEGIAN = "0192:"
"""How ISO 6523 writes a Norwegian organisation number."""

_YEAR_10000 = 253_402_300_800
"""Its first second, in seconds since 1970."""

_URNS = ("urn:altinn:organization:identifier-no:", "urn:altinn:person:identifier-no:")


class Consent(NamedTuple):
    """One part's consent to one consumer, until a moment (seconds since 1970)."""

    part: str
    consumer: str
    valid_to: float


class Consents:
    """The consents that one token holds."""

    def __init__(self, consents: list[Consent], clock: Callable[[], float] = time.time) -> None:
        self._consents = consents
        self._clock = clock

    def cover(self, part: str, consumer: str) -> bool:
        """Whether one of them is the part's to the consumer, and still valid."""
        for consent in self._consents:
            if consent.part == part and consent.consumer == consumer and self._clock() < consent.valid_to:
                return True
        return False


def consents_in_details(details: Any, consumer: str, resource: str) -> Consents:
    """The consents in an access token's ``authorization_details``; what isn't understood gives none."""
    listed = details if isinstance(details, list) else [details]
    found = (_reader(one.get("type"))(one, consumer, resource) for one in listed if _is_object(one))
    return Consents([consent for consent in found if consent])


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _none(*_: Any) -> None:
    return None


def _consent(detail: dict[str, Any], consumer: str, resource: str) -> Consent | None:
    """``urn:altinn:consent``. When it says what it is a consent to, that must be our resource."""
    part, to, valid_to = number_of(detail.get("from")), number_of(detail.get("to")), moment(detail.get("validTo"))
    ours = "consentRights" not in detail or resource in _resources(detail["consentRights"])
    if part is None or to is None or valid_to is None or not ours:
        return None
    return Consent(part, to, valid_to)


def _system_user(detail: dict[str, Any], consumer: str, resource: str) -> Consent | None:
    """``urn:altinn:systemuser``: valid as long as the access token that it stands in."""
    part = number_of(detail.get("systemuser_org"))
    return Consent(part, consumer, float("inf")) if part else None


_READERS: dict[str, Callable[[dict[str, Any], str, str], Consent | None]] = {
    "urn:altinn:consent": _consent,
    "urn:altinn:systemuser": _system_user,
}


def _reader(kind: Any) -> Callable[[dict[str, Any], str, str], Consent | None]:
    """What reads a detail of that ``type``, which can be any JSON."""
    return _READERS.get(kind, _none) if isinstance(kind, str) else _none


def _resources(rights: Any) -> list[Any]:
    """The resources that ``consentRights`` name, each any JSON."""
    return [
        resource.get("value")
        for right in (rights if isinstance(rights, list) else [])
        if isinstance(right, dict) and isinstance(right.get("resource"), list)
        for resource in right["resource"]
        if isinstance(resource, dict)
    ]


def consent_of_altinn(claims: dict[str, Any], service_code: str) -> Consents:
    """The consent of an Altinn consent token's claims; none when it is for other services."""
    part, consumer, valid_to = claims.get("OfferedBy"), claims.get("CoveredBy"), moment(claims.get("ValidToDate"))
    services = claims.get("Services")
    listed = [services] if isinstance(services, str) else services if isinstance(services, list) else []
    # An entry is the code, or the code and one of the consent's own facts: 4629_2 and 4629_2,inntektsaar=2016.
    covered = any(isinstance(one, str) and one.partition(",")[0] == service_code for one in listed)
    if not (covered and isinstance(part, str) and isinstance(consumer, str) and valid_to is not None):
        return Consents([])
    return Consents([Consent(part, consumer, valid_to)])


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
