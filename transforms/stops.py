"""What stops a night before it publishes (CONTRACT section 2, level 3), each reason with its code and its words."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from schemas.refusals import Refusal
from transforms import snapshot
from transforms.sources import Sources

OSLO = ZoneInfo("Europe/Oslo")


def stop(code: str, message: str, kilde: str | None = None) -> Refusal:
    """A reason to stop."""
    return Refusal(3, code, message, kilde)


def damaged_home(damaged: Iterable[str]) -> list[Refusal]:
    """``damaged``: files of the published snapshot. Without documents alone a night can do: it makes them anew."""
    return [
        stop("L3-HOME-DAMAGED", f"{name} is gone, or not as long as it was")
        for name in damaged
        if name in snapshot.NEEDED or name.startswith("tables/")
    ]


def unusable_sources(
    sources: Sources, manifest: dict[str, Any], snapshot_date: date, max_age_days: int
) -> list[Refusal]:
    """A source too old, or gone since the snapshot of the ``manifest``; accepted rows lost; no source at all."""
    gone = {delivery["kilde"] for delivery in manifest["used"]} - set(sources.used)
    stops = [*_too_old(sources, snapshot_date, max_age_days)]
    stops += [stop("L3-SOURCE-GONE", "", kilde) for kilde in sorted(gone)]
    stops += [stop("L3-ACCEPTED-LOST", f"delivery {lost.leveransenummer}", lost.kilde) for lost in sources.lost]
    if not sources.used:
        stops.append(stop("L3-NO-SOURCE", "put a full delivery of each source in the inbox"))
    return stops


def _too_old(sources: Sources, snapshot_date: date, limit: int) -> Iterable[Refusal]:
    for kilde, chain in sorted(sources.used.items()):
        days = (snapshot_date - chain[-1].extracted_at.astimezone(OSLO).date()).days
        if days > limit:
            text = f"delivery {chain[-1].leveransenummer} is {days} days old, the limit is {limit}"
            yield stop("L3-SOURCE-OLD", text, kilde)


def too_many_held_back(held: int, accepted: int, limit: float) -> list[Refusal]:
    """``held``: parts held back and rows that lead to none; ``accepted``: the rows in ``part``."""
    if limit == float("inf") or held <= Fraction(str(limit)) * accepted:
        return []
    return [stop("L3-HELD-BACK", f"{held} of {accepted}, the limit is {limit:.2%}")]
