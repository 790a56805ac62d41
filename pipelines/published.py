"""What stands after the night: the four documents and the analysts' database, assets that the snapshot brings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.columns import LINEAGE, SCHEMA, document_columns, published_columns, published_lineage
from schemas.documents import DOCUMENTS, LISTS
from schemas.report import BuildCounts

GROUP = "published"
ANALYTICS = dg.AssetKey("analytics")
TOLD = {
    "oversikt": "Open krav, unplaced payments and totals of each part, as served by the interface.",
    "krav": "Krav of each part with due dates and what covers them, as served for a period.",
    "innbetalinger": "Payments in of each part and what they cover, as served for a period.",
    "utbetalinger": "Payouts to each part and what they pay, as served for a period.",
}
QUERY = "SELECT kravgruppe, sum(gjenstaaende_beloep) FROM krav WHERE aapent GROUP BY ALL"


def document_key(kind: str) -> dg.AssetKey:
    """The asset of a kind of document."""
    return dg.AssetKey(["dokument", kind])


def published_specs(
    snapshot: dg.AssetKey, deliveries: dg.AssetKey, nights: dg.PartitionsDefinition, owners: list[str]
) -> list[dg.AssetSpec]:
    """The assets that are made with the snapshot, of its date."""
    common: dict[str, Any] = {
        "deps": [snapshot],
        "group_name": GROUP,
        "owners": owners,
        "partitions_def": nights,
    }
    documents = [
        dg.AssetSpec(
            document_key(kind),
            description=f"{TOLD[kind]} Read with `kravoversikt get {kind} <part>` or over HTTP.",
            metadata={SCHEMA: document_columns(kind), "runbook": dg.MetadataValue.path("docs/serving.md")},
            kinds={"json", "zstd"},
            **common,
        )
        for kind in DOCUMENTS
    ]
    analytics = dg.AssetSpec(
        ANALYTICS,
        description="The published tables for analysts: views in kroner in `<home>/analytics.duckdb`.",
        metadata={
            SCHEMA: published_columns(),
            LINEAGE: published_lineage(deliveries),
            "runbook": dg.MetadataValue.path("docs/tables.md"),
        },
        kinds={"duckdb"},
        **common,
    )
    return [*documents, analytics]


def materialized(built: BuildCounts, home: Path, day: str) -> Iterator[dg.AssetMaterialization]:
    """What the snapshot of the day has brought of each. ``built``: what was counted when it was built."""
    for kind in DOCUMENTS:
        posts = built.posts_in_documents.get(LISTS.get(kind, kind))
        counted: dict[str, Any] = {
            "parts": built.parts,
            "parts_held_back": built.held_back_parts,
            "parts_built": built.built_parts,
        }
        counted |= {} if posts is None else {"posts": posts}
        yield dg.AssetMaterialization(document_key(kind), metadata=counted, partition=day)
    file = home / "analytics.duckdb"
    shown: dict[str, Any] = {
        "file": dg.MetadataValue.path(str(file)),
        "query": dg.MetadataValue.md(f'```\nduckdb -readonly {file} "{QUERY}"\n```'),
        "parts": built.parts,
    }
    yield dg.AssetMaterialization(ANALYTICS, metadata=shown, partition=day)
