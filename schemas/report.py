"""What a run leaves for the operator: ``report.json``, and what each stage counted (shown in Dagster too)."""

from datetime import date
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_serializer


class _Model(BaseModel):
    """Fields that an earlier program did not write have their defaults; those of a later one are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Counts(_Model):
    """What every stage counts."""

    seconds: float = 0.0
    peak_memory_mb: int = 0


class AcceptCounts(Counts):
    """Deliveries: ``accepted`` tonight, ``used`` in force, refused and waiting; ``rows`` delivered, by table."""

    accepted: int = 0
    used: int = 0
    refused: int = 0
    refused_by_code: dict[str, int] = {}
    reported_by_code: dict[str, int] = {}
    waiting: int = 0
    rows: dict[str, int] = {}


class CheckCounts(Counts):
    """``rows`` that the sources say and ``posts`` among them, by table; ``quarantined`` rows; parts ``held_back``, and
    quarantined rows that lead to none."""

    rows: dict[str, int] = {}
    posts: dict[str, int] = {}
    quarantined: int = 0
    quarantined_by_code: dict[str, int] = {}
    reported_by_code: dict[str, int] = {}
    held_back: int = 0
    leads_nowhere: int = 0
    from_two_sources: int = 0

    @property
    def held_back_share(self) -> float:
        """Parts held back, and rows that lead to none, over accepted parts (CONTRACT section 2, level 3)."""
        return (self.held_back + self.leads_nowhere) / max(self.posts.get("part", 0), 1)


class SpreadCounts(Counts):
    """``parts`` to build ``of`` all good ones, in ``buckets``; those to redate; why all are built, if they are."""

    buckets: int = 0
    parts: int = 0
    redated_parts: int = 0
    of: int = 0
    all_because: str = ""


class BuildCounts(Counts):
    """``parts`` with documents, by how they came by them; ``json_bytes`` made tonight and ``stored_bytes`` of them."""

    parts: int = 0
    built_parts: int = 0
    redated_parts: int = 0
    same_parts: int = 0
    held_back_parts: int = Field(default=0, validation_alias=AliasChoices("held_back_parts", "kept_parts"))
    """With documents of before. An earlier program called them ``kept_parts``."""
    parts_without_documents: int = 0
    documents: int = 0
    posts_in_documents: dict[str, int] = {}
    json_bytes: int = 0
    stored_bytes: int = 0


class ReconcileCounts(Counts):
    """Control totals compared, those that differ, and documents that contradict themselves or others."""

    totals: int = 0
    differences: int = 0
    contradictions: int = 0


class PublishCounts(Counts):
    """The snapshot's name, its files and their bytes."""

    snapshot: str = ""
    files: int = 0
    bytes: int = 0


class Stages(_Model):
    """What the stages of a night counted, as far as they were done."""

    accept: AcceptCounts | None = None
    check: CheckCounts | None = None
    spread: SpreadCounts | None = None
    build: BuildCounts | None = None
    reconcile: ReconcileCounts | None = None
    publish: PublishCounts | None = None

    def done(self) -> dict[str, Counts]:
        """Those that were done, by name, in their order."""
        return {name: counts for name in type(self).model_fields if (counts := getattr(self, name))}

    @model_serializer
    def _only_done(self) -> dict[str, Any]:
        return {name: counts.model_dump() for name, counts in self.done().items()}


class RunReport(_Model):
    """What came of a run: ``outcome``, reasons to stop and deliveries refused in sentences, findings by code.

    ``failure``: where it failed, if it did. Of a run that left no report only ``run`` and ``outcome`` are known.
    ``dagster_run``: the whole id of Dagster's run, for links to it.
    ``kind``: ``night``, or what else was done with the home, ``rollback`` or ``compact``; of these ``told`` says what,
    of a night that nothing new had come.
    """

    run: str
    dagster_run: str | None = None
    kind: str = "night"
    told: list[str] = []
    snapshotdato: date | None = None
    outcome: str = Field(min_length=1)
    failure: str | None = None
    stops: list[str] = []
    deliveries: list[str] = []
    findings: dict[str, int] = {}
    stages: Stages = Stages()
