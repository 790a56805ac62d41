"""TEMPORARY."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

OSLO = ZoneInfo("Europe/Oslo")


class _M(BaseModel):
    model_config = ConfigDict(frozen=True)


class Accepted(_M):
    kilde: str
    leveransenummer: int
    type: str
    uttrekkstidspunkt: str
    manifest_sha256: str
    filer: dict[str, list[str]]
    receipt: dict[str, Any]

    @property
    def folder(self) -> str:
        return f"{self.kilde}/{self.leveransenummer:06d}-{self.manifest_sha256[:16]}"

    @property
    def extracted_at(self) -> datetime:
        return datetime.fromisoformat(self.uttrekkstidspunkt)

    @property
    def day(self) -> date:
        return self.extracted_at.astimezone(OSLO).date()

    def rows(self, tabell: str) -> int:
        return int(self.receipt.get(tabell, {"rader": 0})["rader"])

    def as_json(self) -> dict[str, Any]:
        return self.model_dump()


class Reconciliation(_M):
    posts: dict[str, int]
    documents: dict[str, int]
    contradictions: int
    rows: dict[str, int]
