"""The errors of the published interface (CONTRACT section 6)."""

STATUS = {
    "KB-001": 500,
    "KB-002": 503,
    "KB-003": 404,
    "KB-004": 401,
    "KB-005": 403,
    "KB-006": 400,
    "KB-007": 404,
    "KB-008": 406,
    "KB-009": 404,
}
"""HTTP status per code."""


class KravoversiktError(Exception):
    """An answer that is an error: its ``kode`` and a plain sentence without personal data."""

    def __init__(self, kode: str, melding: str) -> None:
        super().__init__(f"{kode}: {melding}")
        self.kode = kode
        self.melding = melding
