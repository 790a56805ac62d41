"""What stands before the night: an asset per source, observed each night, made elsewhere."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.columns import SCHEMA, delivered_columns
from pipelines.known import Known
from pipelines.pages import age_limits
from schemas.operations import Operations
from schemas.receipts import AcceptReceipt
from schemas.snapshot import Accepted
from transforms.home.report import sentence

GROUP = "kilder"


def source_key(kilde: str) -> dg.AssetKey:
    """The asset of a source."""
    return dg.AssetKey(["kilde", kilde])


def source_specs(known: Known, operations: Operations) -> list[dg.AssetSpec]:
    """An asset for each source that the inbox, the home or the operator's settings know."""
    return [_spec(kilde, known.folder, operations) for kilde in sorted({*known.sources, *operations.sources})]


def _spec(kilde: str, inbox: Path, operations: Operations) -> dg.AssetSpec:
    settled = operations.of(kilde)
    expected = f"by {settled.expected_by:%H:%M} in Oslo" if settled.expected_by else "each night"
    needed = f"Expected {expected}; the night waits for it." if settled.required else "Not required: no night waits."
    return dg.AssetSpec(
        source_key(kilde),
        description=f"What the ledger `{kilde}` delivers, as whole extracts and changes. {needed}",
        metadata={"inbox": dg.MetadataValue.path(str(inbox / kilde)), SCHEMA: delivered_columns()},
        group_name=GROUP,
        owners=[f"team:{operations.owner}"],
        kinds={"parquet", "csv"},
        tags={"kravoversikt/required": str(settled.required).lower()},
    )


def observed(
    receipt: AcceptReceipt, day: date, operations: Operations, max_age_days: int
) -> Iterator[dg.AssetObservation]:
    """What tonight knows of each source: its last delivery in force, or that it has none, and what was refused of it.

    ``max_age_days``: of the run, for the sources that have no limit of their own.
    """
    known = {*receipt.used, *operations.sources, *(one.kilde for one in receipt.refusals if one.kilde)}
    limits = age_limits(known, operations, max_age_days)
    new = {(one.kilde, one.leveransenummer) for one in receipt.new}
    for kilde in sorted(known):
        told = [sentence(one) for one in receipt.refusals if one.kilde == kilde and one.level == 1]
        refused = {"refused or waiting": dg.MetadataValue.md("\n".join(f"- {line}" for line in told))} if told else {}
        chain = receipt.used.get(kilde, [])
        fresh = sum((one.kilde, one.leveransenummer) in new for one in chain)
        seen = _seen(chain, day) | {"max_age_days": limits[kilde], "new_deliveries": fresh, "refused": len(told)}
        yield dg.AssetObservation(source_key(kilde), metadata=seen | refused)


def _seen(chain: list[Accepted], day: date) -> dict[str, Any]:
    if not chain:
        return {"last delivery": "none in force"}
    last = chain[-1]
    return {
        "last delivery": f"{last.leveransenummer:06d} ({last.type})",
        "extracted": dg.MetadataValue.timestamp(last.extracted_at),
        "age_days": (day - last.day).days,
        "rows": sum(table.rader for table in last.receipt.values()),
    }
