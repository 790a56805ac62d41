"""``<home>/metrics.prom``: figures of the last run and of what is published, for node_exporter's textfile collector.

Written whole or not at all at the end of every run. No label holds a part, an account or a name.
"""

from datetime import datetime, time
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from alarms.seen import Seen
from schemas.snapshot import OSLO

FILE_NAME = "metrics.prom"
OUTCOMES = ("published", "stopped", "failed", "partial", "running", "unfinished", "unreadable")


def write_metrics(home: Path, seen: Seen, waiting: int) -> None:
    """Writes the file. ``waiting``: messages that the receiver has not got. Raises ``OSError``."""
    registry = CollectorRegistry()
    _of_the_published(registry, seen)
    _of_the_run(registry, seen)
    _one(registry, "alarms_waiting", "Messages that the webhook has not taken yet", waiting)
    write_to_textfile(str(home / FILE_NAME), registry)


def _of_the_published(registry: CollectorRegistry, seen: Seen) -> None:
    _one(registry, "home_damaged", "1 when what is published cannot be read", float(bool(seen.damage)))
    if (manifest := seen.published) is None:
        return
    day = datetime.combine(manifest.snapshotdato, time(), OSLO)
    _one(registry, "published_timestamp_seconds", "When the published snapshot was made", manifest.made_at.timestamp())
    _one(registry, "snapshot_date_timestamp_seconds", "The published snapshot's date, its midnight", day.timestamp())
    last = {one.kilde: one for one in manifest.used}
    moments = {kilde: one.extracted_at.timestamp() for kilde, one in last.items()}
    days = {kilde: float((manifest.snapshotdato - one.day).days) for kilde, one in last.items()}
    _each(registry, "source_extract_timestamp_seconds", "When the source was extracted last", "kilde", moments)
    _each(registry, "source_age_days", "Whole days from the last extract to the snapshot's date", "kilde", days)


def _of_the_run(registry: CollectorRegistry, seen: Seen) -> None:
    if (report := seen.report) is None:
        return
    came = {outcome: float(outcome == report.outcome) for outcome in OUTCOMES}
    _each(registry, "last_run", "1 for what came of the last run", "outcome", came)
    if seen.begun:
        _one(registry, "last_run_begun_timestamp_seconds", "When the last run began", seen.begun.timestamp())
    done = report.stages.done()
    seconds = {name: counts.seconds for name, counts in done.items()}
    peaks = {name: counts.peak_memory_mb * 1e6 for name, counts in done.items()}
    _each(registry, "stage_seconds", "How long each stage of the last run took", "stage", seconds)
    _each(registry, "stage_peak_memory_bytes", "Peak memory in each stage of the last run", "stage", peaks)
    findings = {code: float(count) for code, count in report.findings.items()}
    _each(registry, "findings", "What the last run refused and reported, by code", "kode", findings)
    if checked := report.stages.check:
        rows = {table: float(count) for table, count in checked.rows.items()}
        _each(registry, "rows", "Rows that the sources say", "tabell", rows)
        _one(registry, "quarantined_rows", "Rows quarantined in the last run", checked.quarantined)
        _one(registry, "held_back_parts", "Parts held back in the last run", checked.held_back)
        _one(registry, "held_back_share", "Of all accepted parts, those held back", checked.held_back_share)
    if built := report.stages.build:
        _one(registry, "parts_with_documents", "Parts with documents after the last run", built.parts)


def _one(registry: CollectorRegistry, name: str, told: str, value: float) -> None:
    Gauge(f"kravoversikt_night_{name}", told, registry=registry).set(value)


def _each(registry: CollectorRegistry, name: str, told: str, label: str, values: dict[str, float]) -> None:
    gauge = Gauge(f"kravoversikt_night_{name}", told, [label], registry=registry)
    for of, value in values.items():
        gauge.labels(of).set(value)
