"""What can be asked for, as data: the application answers by this table and the OpenAPI document is made from it."""

from dataclasses import dataclass
from functools import cached_property

RETTIGHETSPAKKER = ("finans", "regnskapssystem")

METHODS = ("GET", "HEAD")
"""The methods of every route; any other is 405 with ``Allow``."""

MAX_URL = 2_000
"""Characters of path and query together; a longer URL is 414."""

MAX_HEADERS = 32_000
"""Characters of the names and values of all headers of a request together, each with ``HEADER_WEIGHT``; more is 431."""

HEADER_WEIGHT = 32
"""What a header counts besides, as in HTTP/2 (RFC 9113, 6.5.2): thousands of empty ones cost as much as long ones."""


MAX_LIST = 1_000
"""Characters of ``Accept``, ``Accept-Encoding`` and ``X-Forwarded-For``, each; more is 431. Browsers send 200."""

MAX_TAGS = 4_000
"""Characters of ``If-None-Match`` and of ``If-Match``, each; more is 431. They hold more than a hundred of our tags."""


MAX_HOST = 300
"""Characters of ``Host``; more is 431. A name has 253 at most."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a route, by where it stands (``path``, ``query`` or ``header``)."""

    name: str
    place: str
    description: str
    example: str
    pattern: str | None = None
    format: str | None = None
    values: tuple[str, ...] = ()
    required: bool = True


RETTIGHETSPAKKE = Parameter(
    "rettighetspakke", "path", "What the consumer has been granted", "finans", values=RETTIGHETSPAKKER
)
PART = Parameter(
    "part",
    "path",
    "Organisation number (9 digits), or national or D-number (11 digits)",
    "310478717",
    pattern=r"^([0-9]{9}|[0-9]{11})$",
)
FRA_OG_MED = Parameter("fraOgMed", "query", "First day of the period", "2026-01-01", format="date")
TIL_OG_MED = Parameter(
    "tilOgMed", "query", "Last day of the period; at most one year after the first", "2026-12-31", format="date"
)
KORRELASJONSID = Parameter(
    "Korrelasjonsid",
    "header",
    "The caller's name for the request, echoed on every answer; replaced by a new one when it doesn't fit",
    "0f8fad5b-d9cb-469f-a165-70867728950e",
    pattern=r"^[A-Za-z0-9._:-]{1,64}$",
    required=False,
)
ALTINN_SAMTYKKE = Parameter(
    "AltinnSamtykke",
    "header",
    "Altinn consent token, when the access token doesn't carry the consent itself",
    "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXI",
    required=False,
)
IF_NONE_MATCH = Parameter(
    "If-None-Match", "header", "ETags that the caller has; 304 when one is still right", '"5a3c"', required=False
)
IF_MATCH = Parameter("If-Match", "header", "ETags of which one must still be right; else 412", '"5a3c"', required=False)

REQUEST_HEADERS = (KORRELASJONSID, ALTINN_SAMTYKKE, IF_NONE_MATCH, IF_MATCH)
"""Headers that a request for a document may carry, beside ``Authorization``."""


@dataclass(frozen=True, eq=False)
class Route:
    """One URL: its template, the kind of document (``schemas.store.KINDS``) and what it can answer."""

    template: str
    kind: str
    summary: str
    query: tuple[Parameter, ...]
    errors: tuple[str, ...]

    @cached_property
    def name(self) -> str:
        """The last word of the URL, by which the route is known."""
        return self.template.rpartition("/")[2]

    @property
    def path(self) -> tuple[Parameter, ...]:
        """The parameters in the path, as they stand."""
        return (RETTIGHETSPAKKE, PART)


PERIOD = (FRA_OG_MED, TIL_OG_MED)
_COMMON = ("KB-001", "KB-002", "KB-003", "KB-004", "KB-005", "KB-006", "KB-008", "KB-009", "KB-010")
_PREFIX = "/v1/{rettighetspakke}/{part}/"

ROUTES = (
    Route(_PREFIX + "oversikt", "oversikt", "Open claims, unplaced payments and totals", (), _COMMON),
    Route(_PREFIX + "krav", "krav", "All claims created in a period", PERIOD, (*_COMMON, "KB-007")),
    Route(_PREFIX + "innbetalinger", "innbetalinger", "All payments in, in a period", PERIOD, (*_COMMON, "KB-007")),
    Route(_PREFIX + "utbetalinger", "utbetalinger", "All payouts in a period", PERIOD, (*_COMMON, "KB-007")),
)
"""The four documents. All need a token and a consent."""


@dataclass(frozen=True)
class OpenRoute:
    """A URL that needs no token and tells nothing of anyone."""

    path: str
    summary: str
    media_type: str


OPEN_ROUTES = (
    OpenRoute("/openapi.json", "This interface as OpenAPI 3.1", "application/json"),
    OpenRoute("/docs", "A page to read and try the interface; works offline", "text/html; charset=utf-8"),
    OpenRoute("/health/live", "200 while all workers answer, else 503", "application/json"),
    OpenRoute("/health/ready", "200 when there is a snapshot to serve, else 503", "application/json"),
    OpenRoute("/metrics", "Figures for Prometheus", "text/plain; version=0.0.4; charset=utf-8"),
)

ANSWER_HEADERS = {
    "Korrelasjonsid": "The caller's id of the request, or a new one; on every answer",
    "Snapshot-Date": "The day in Oslo that the part's documents were made for",
    "Extracted-At": "The oldest uttrekkstidspunkt among the last deliveries that the published night used",
    "ETag": "Strong; from the content, so the same over snapshots while the document is",
    "Cache-Control": "private, no-cache: ask again with If-None-Match",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "RateLimit-Policy": "The consumer's limit: q requests at once, and w seconds until as many may be asked again",
    "RateLimit": "What is left of it: r requests within the next t seconds",
}
"""Headers on an answer with a document."""
