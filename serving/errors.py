"""The errors of the published interface (CONTRACT section 6), and the few that HTTP itself asks for.

Where several apply, the first of this order answers: 400 for what is no HTTP, 505, 414, 431, 400 for the want of a
host, 405, then the contract's: 003, 006, 008, 004, 010, 005, 009, 002, 007, and 412 last. docs/decisions/0010-http.md
tells why those that the contract doesn't name stand where they do.
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
    ErrorCode("KB-010", 429, "too many requests; the header Retry-After says when again"),
)
"""The contract's codes."""

STATUS = {code.kode: code.status for code in CODES}
"""HTTP status per code."""

METHOD_NOT_ALLOWED = ("KB-003", 405)
URL_TOO_LONG = ("KB-006", 414)
HEADERS_TOO_LARGE = ("KB-006", 431)
VERSION_NOT_SUPPORTED = ("KB-006", 505)
PRECONDITION_FAILED = ("KB-006", 412)
"""Answers that the contract doesn't name: the nearest of its codes, with the status that HTTP has for them."""


RETRY_SECONDS = "60"
"""When what can't be served now may be: sooner than someone can mend it, later than a snapshot is looked for."""


class KravoversiktError(Exception):
    """An answer that is an error: its ``kode``, a plain sentence without personal data, and the HTTP status."""

    def __init__(self, kode: str, melding: str, status: int | None = None, **headers: str) -> None:
        super().__init__(kode, melding)
        self.kode = kode
        self.melding = melding
        self.status = status or STATUS[kode]
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()} if headers else {}
        """Headers that the answer must carry: ``Allow``, ``Retry-After``, ``RateLimit``, ``WWW-Authenticate``."""
        if kode == "KB-002":
            self.headers["Retry-After"] = RETRY_SECONDS

    def __str__(self) -> str:
        return f"{self.kode}: {self.melding}"

    def said(self) -> str:
        """The code and the sentence, for whoever runs this program."""
        return str(self)


class UnreadableError(KravoversiktError):
    """KB-002 over a snapshot that cannot be read, or leads to what is not the part's.

    ``what`` is for the operator, in logs and on the command line: a file or segment, never a number or content.
    """

    def __init__(self, what: str) -> None:
        super().__init__("KB-002", "the published snapshot cannot be read")
        self.what = what

    def said(self) -> str:
        """The same, and what it is."""
        return f"{self}: {self.what}"


def beyond_the_codes(code: tuple[str, int], melding: str, **headers: str) -> KravoversiktError:
    """The error for an answer that the contract doesn't name."""
    return KravoversiktError(code[0], melding, code[1], **headers)
