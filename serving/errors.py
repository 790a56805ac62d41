"""The errors of the published interface (CONTRACT section 6), and the few that HTTP itself asks for.

Where several apply, the first of this order answers: 400 for what is no HTTP, 414, 431, 400 for the want of a host,
405, 003, 006, 008, 004, 429, 005, 009, 002, 007. The contract gives 003, 006, 004, 005, 009, 002, 007;
docs/decisions/0010-http.md tells why the others stand where they do.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCode:
    """One code of the interface: its HTTP status and when it is given."""

    kode: str
    status: int
    when: str


CODES = (
    ErrorCode("KB-001", 500, "unexpected error"),
    ErrorCode("KB-002", 503, "no snapshot published, it can't be read, or the part has no documents yet"),
    ErrorCode("KB-003", 404, "unknown URL"),
    ErrorCode("KB-004", 401, "access token missing or not valid"),
    ErrorCode("KB-005", 403, "consent missing or not valid for this part, or scope or rettighetspakke not granted"),
    ErrorCode("KB-006", 400, "part, period or parameter not valid; the message says which and why"),
    ErrorCode("KB-007", 404, "nothing in the period for this part"),
    ErrorCode("KB-008", 406, "format not served"),
    ErrorCode("KB-009", 404, "unknown part"),
)
"""The contract's codes."""

STATUS = {code.kode: code.status for code in CODES}
"""HTTP status per code."""

METHOD_NOT_ALLOWED = ("KB-003", 405)
URL_TOO_LONG = ("KB-006", 414)
TOO_MANY_REQUESTS = ("KB-005", 429)
HEADERS_TOO_LARGE = ("KB-006", 431)
"""Answers that the contract doesn't name: the nearest of its codes, with the status that HTTP has for them."""


class KravoversiktError(Exception):
    """An answer that is an error: its ``kode``, a plain sentence without personal data, and the HTTP status."""

    def __init__(self, kode: str, melding: str, status: int | None = None, **headers: str) -> None:
        super().__init__(f"{kode}: {melding}")
        self.kode = kode
        self.melding = melding
        self.status = status or STATUS[kode]
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        """Headers that the answer must carry: ``Allow``, ``Retry-After``, ``WWW-Authenticate``."""
        self.consumer: str | None = None
        """What logs call the consumer, when it was known before the error."""
        self.stranger: str | None = None
        """The organisation number of a caller without an agreement, for the audit log to hash."""


def beyond_the_codes(code: tuple[str, int], melding: str, **headers: str) -> KravoversiktError:
    """The error for an answer that the contract doesn't name."""
    return KravoversiktError(code[0], melding, code[1], **headers)
