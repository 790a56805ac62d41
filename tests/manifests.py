"""Makes accepted deliveries and manifests of snapshots for tests of what reads them."""

from datetime import date, datetime

from schemas.snapshot import Accepted, Reconciliation, SnapshotManifest, StoredFile, TableReceipt
from schemas.store import STORE_VERSION


def accepted(
    kilde: str,
    nr: int,
    moment: str = "2026-11-22T23:00:00+01:00",
    type: str = "endring",
    receipt: dict[str, TableReceipt] | None = None,
) -> Accepted:
    """A delivery extracted at the ``moment``, of the tables in its ``receipt``."""
    return Accepted(
        kilde=kilde,
        leveransenummer=nr,
        type=type,
        uttrekkstidspunkt=datetime.fromisoformat(moment),
        manifest_sha256="a" * 64,
        filer={table: [f"{table}-1.parquet"] for table in receipt or {}},
        receipt=receipt or {},
    )


def manifest(used: list[Accepted], code: str = "a") -> SnapshotManifest:
    """The manifest of a snapshot that used the deliveries, made by that ``code``."""
    return SnapshotManifest(
        skjemaversjon=STORE_VERSION,
        made_with={"code": code},
        snapshot="2026-11-23-0002",
        snapshotdato=date(2026, 11, 23),
        run="0002",
        made_at=datetime.fromisoformat("2026-11-24T02:30:00+00:00"),
        extracted_at=datetime.fromisoformat("2026-11-22T23:00:00+01:00"),
        previous="2026-11-22-0001",
        used=used,
        said={one.kilde: {table: told.rader for table, told in one.receipt.items()} for one in used},
        accepted=used,
        stages={"build": {"parts": 1, "posts_in_documents": {"krav": 1}, "seconds": 0.25}},
        reconciliation=Reconciliation(posts={"krav": 1}, documents={"krav": 1}, contradictions=0, rows={"said": 1}),
        files={"documents/æ.zst": StoredFile(bytes=7, sha256="b" * 64)},
    )
