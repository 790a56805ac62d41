"""A request, and what it asks for: path, parameters and the headers that decide the form of the answer."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from serving.errors import METHOD_NOT_ALLOWED, KravoversiktError, beyond_the_codes
from serving.numbers import check_part
from serving.period import Period
from serving.routes import (
    FRA_OG_MED,
    KORRELASJONSID,
    METHODS,
    OPEN_ROUTES,
    PERIOD,
    RETTIGHETSPAKKER,
    ROUTES,
    TIL_OG_MED,
    Route,
)


@dataclass(slots=True)
class Request:
    """One request as it came. Names of headers are in lower case; one given twice is joined with a comma.

    It has slots, as all that is read at every step: a field of a ``NamedTuple`` takes ten times as long to read.
    """

    method: str
    path: str
    """As it came, escapes and all: an escaped slash is none."""
    query: str
    headers: Mapping[str, str]
    fault: KravoversiktError | None = None
    """What is wrong with it as HTTP: then nothing else of it but its ``Korrelasjonsid`` is looked at."""
    peer: str = ""
    """The address of the connection's other end, empty when it has none (a Unix socket)."""
    version: str = "1.1"
    """Of HTTP."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The document that is asked for."""

    route: Route
    rettighetspakke: str
    part: str
    period: Period | None


_ROUTES = {route.name: route for route in ROUTES}
OPEN_PATHS = frozenset(route.path for route in OPEN_ROUTES)
"""Those that need no token."""

_CORRELATION = re.compile(KORRELASJONSID.pattern or "", re.ASCII)


def given_id(request: Request) -> str | None:
    """The caller's id, when there is one that can stand in a header and in a log."""
    given = request.headers.get("korrelasjonsid")
    return given if given and _CORRELATION.fullmatch(given) else None


def new_id() -> str:
    """A new id: a random UUID (version 4) without nine digits in a row, in which no one's number can be read.

    It is no secret, so it costs no system call; a fork seeds ``random`` anew.
    """
    text = random.getrandbits(112).to_bytes(14, "big").hex()
    return f"{text[:8]}-f{text[8:11]}-4{text[11:14]}-a{text[14:17]}-{text[17:22]}f{text[22:]}"


def method_not_allowed() -> KravoversiktError:
    """405 for any other method than ours."""
    allow = ", ".join(METHODS)
    return beyond_the_codes(METHOD_NOT_ALLOWED, f"the methods are {allow}", Allow=allow)


@lru_cache(maxsize=2_000)
def find_route(path: str) -> tuple[Route, str, str]:
    """The route, the rettighetspakke and the part as text. Raises KB-003."""
    pieces = path.split("/")
    if "%" in path:
        pieces = [unquote(piece) for piece in pieces]
    if len(pieces) == 5 and pieces[0] == "" and pieces[1] == "v1" and pieces[2] in RETTIGHETSPAKKER:
        route = _ROUTES.get(pieces[4])
        if route:
            return route, pieces[2], pieces[3]
    raise KravoversiktError("KB-003", "unknown URL; /openapi.json tells those that are known")


@lru_cache(maxsize=10_000)
def parse(route: Route, rettighetspakke: str, part: str, query: str) -> Asked:
    """What is asked for; the same is asked for again and again, so it is cached. Raises KB-006."""
    check_part(part)
    if query and not route.query:
        raise KravoversiktError("KB-006", f"{route.name} has no parameters")
    return Asked(route, rettighetspakke, part, _period(query) if route.query else None)


@lru_cache(maxsize=256)
def _period(query: str) -> Period:
    """The period of a query. Few are asked for again and again, so they are cached. Raises KB-006."""
    values = _parameters(query, [parameter.name for parameter in PERIOD])
    return Period.parse(values.get(FRA_OG_MED.name), values.get(TIL_OG_MED.name))


def _parameters(query: str, known: list[str]) -> dict[str, str]:
    """The query's parameters. A name that isn't ours is told by its place: it could be a person's number."""
    values: dict[str, str] = {}
    for place, piece in enumerate(query.split("&") if query else (), 1):
        name, _, value = piece.partition("=")
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        if name not in known:
            raise KravoversiktError(
                "KB-006", f"parameter {place} in the query is unknown; the parameters are {' and '.join(known)}"
            )
        if name in values:
            raise KravoversiktError("KB-006", f"{name} is given more than once")
        values[name] = unquote_plus(value) if "%" in value or "+" in value else value
    return values


# Negotiation. The same few headers come again and again, so what they mean is cached, a bounded number of them.

_WEIGHT = re.compile(r"[ \t]*q[ \t]*=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*", re.ASCII | re.IGNORECASE)


def check_accept(request: Request) -> None:
    """Raises KB-008 when the caller doesn't take JSON."""
    accept = request.headers.get("accept")
    if accept is not None and not _takes_json(accept):
        raise KravoversiktError("KB-008", "only application/json is served")


@lru_cache(maxsize=256)
def _takes_json(accept: str) -> bool:
    """The most exact range that fits decides (RFC 9110, 12.5.1)."""
    ranges = _weights(accept)
    for name in ("application/json", "application/*", "*/*"):
        if name in ranges:
            return ranges[name] > 0
    return not accept.strip()


CODINGS = ("zstd", "gzip", "identity")
"""Content codings, the preferred first."""


def content_coding(request: Request) -> str:
    """The coding of the answer. Raises KB-008 when the caller takes none of ours, not even the plain one."""
    accepted = request.headers.get("accept-encoding")
    coding = _best_coding(accepted) if accepted else "identity"
    if coding is None:
        raise KravoversiktError("KB-008", f"the content codings are {', '.join(CODINGS)}")
    return coding


@lru_cache(maxsize=256)
def _best_coding(accepted: str) -> str | None:
    """The coding with the highest weight (RFC 9110, 12.5.3); one not spoken of weighs as ``*``, identity is allowed."""
    weights = _weights(accepted)
    weights.setdefault("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    weights.setdefault("zstd", weights.get("*", 0.0))
    weights.setdefault("identity", min(weights.get("*", 0.001), 0.001))
    best = max(CODINGS, key=lambda coding: weights[coding])
    return best if weights[best] > 0 else None


def _weights(header: str) -> dict[str, float]:
    """Each name of a list with its weight, 1 when none is given; 0 when it isn't a weight."""
    weights: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = item.split(";")
        weight = 1.0
        for parameter in parameters:
            if parameter.strip()[:1] in "qQ":
                match = _WEIGHT.fullmatch(parameter)
                weight = float(match[1]) if match else 0.0
        if name.strip():
            weights[name.strip().lower()] = weight
    return weights
