"""One night: the stages in order, over one home. What Dagster wires together, and all it needs to know.

Each stage returns what it counted, for the operator. The stages of a night share one DuckDB
connection, so they run in one process, in order; nothing is visible to readers before ``publish``.
"""

import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import polars as pl

from schemas.refusals import Refusal
from schemas.store import STORE_VERSION
from schemas.tables import TABLES
from transforms.accept.sources import Sources, choose
from transforms.build.bucket import Built, Job, Making, build
from transforms.build.carry_over import NOTHING, CarriedOver, Staying, carry_over
from transforms.build.redate import Redated, redate, redate_jobs
from transforms.check import neighbourhood
from transforms.check.findings import findings
from transforms.check.held_back import hold_back
from transforms.check.posts import (
    check_posts,
    connect_due_dates,
    connect_placements,
    count_posts,
    count_said,
    said_twice,
    show_good,
)
from transforms.check.reported import reported_of_deliveries, reported_of_posts, reported_of_rates
from transforms.check.said import said_before
from transforms.home import snapshot
from transforms.home.accepted import OSLO, Accepted
from transforms.home.ledgers import connect, create_current, give_back, memory_for
from transforms.home.report import Report, StoppedError, by_code, delivered_files, told
from transforms.home.version import CODE
from transforms.publish.analytics import link_analytics, write_analytics
from transforms.reconcile import expected
from transforms.reconcile.kept import kept_otherwise, kept_totals, without_kept
from transforms.reconcile.totals import ReadBack, differences, from_documents, together
from transforms.rules import reference
from transforms.run import Settings
from transforms.spread import affected, buckets
from transforms.stops import (
    damaged_home,
    date_before_extracts,
    shrunk_sources,
    stop,
    too_many_held_back,
    unasked_date,
    unreadable_inbox,
    unusable_sources,
)


@dataclass
class Night:
    """The night's state between its stages."""

    settings: Settings
    progress: Callable[[str], None] = lambda _: None
    lock_is_held: Callable[[], bool] = lambda: True
    sources: Sources = field(default_factory=Sources)
    stops: list[Refusal] = field(default_factory=list)
    held_back: pl.Series = field(default_factory=lambda: pl.Series("part", dtype=pl.String))
    reports: list[Refusal] = field(default_factory=list)
    report: Report = field(init=False)
    _connection: duckdb.DuckDBPyConnection | None = None
    _checked: bool = False
    _buckets: int = 0
    _schemas: dict[str, pl.Schema] = field(default_factory=dict)
    _all_because: str = ""
    _damaged: list[str] = field(default_factory=list)
    _rates: pl.DataFrame = field(default_factory=pl.DataFrame)
    _kravtyper: pl.DataFrame = field(default_factory=pl.DataFrame)
    _rows: dict[str, int] = field(default_factory=dict)
    _said: dict[str, dict[str, int]] = field(default_factory=dict)
    _expected: expected.Totals = field(default_factory=dict)
    _reconciliation: dict[str, Any] = field(default_factory=dict)
    _reconciled: bool = False
    _index: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __post_init__(self) -> None:
        self.report = Report(self.settings.run, self.settings.snapshot_date)

    # --- where things are ---

    @property
    def home(self) -> Path:
        """The home, absolute."""
        return self.settings.path

    @property
    def work(self) -> Path:
        """What only this run needs."""
        return self.settings.work

    @property
    def name(self) -> str:
        """The name of the snapshot that this night makes."""
        return self.settings.name

    @property
    def folder(self) -> Path:
        """The folder of the snapshot that this night makes."""
        return self.settings.folder

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The night's DuckDB connection, there once ``check`` has begun."""
        if self._connection is None:
            raise RuntimeError("there is no connection before check")
        return self._connection

    def _previous(self) -> Path | None:
        return snapshot.published_snapshot(self.home)

    # --- the stages ---

    def after(self, stage: str) -> None:
        """What a later stage or a check begins with. Raises ``StoppedError`` when this run has not done the stage."""
        if stage not in self.report.stages:
            self._stop(stop("L3-STAGE-MISSING", f"{stage} was not done"))

    def hold_lock(self) -> None:
        """Raises ``StoppedError`` when another run may have begun over the home."""
        if not self.lock_is_held():
            self._stop(stop("L3-LOCK-LOST", ""))

    def _stop(self, *reasons: Refusal) -> NoReturn:
        self.stops += [reason for reason in reasons if reason not in self.stops]
        raise StoppedError(self.stops)

    def _stop_for(self, reasons: list[Refusal]) -> None:
        """Stops the night when there is a reason. Raises ``StoppedError``."""
        if reasons:
            self._stop(*reasons)

    def accept(self) -> dict[str, Any]:
        """Takes in what is new in the inbox and chooses what is in force (level 1)."""
        shutil.rmtree(self.work, ignore_errors=True)
        self._stop_for(unreadable_inbox(self.settings.inbox))
        try:
            previous = self._previous()
            manifest = snapshot.read_manifest(previous) if previous else {"accepted": [], "used": []}
            if previous and manifest["skjemaversjon"] != STORE_VERSION:
                text = f"its snapshots are of version {manifest['skjemaversjon']}, this program's of {STORE_VERSION}"
                self._stop(stop("L3-HOME-VERSION", text))
            snapshot.clean(self.home, self.settings.keep)
        except snapshot.HomeDamagedError as error:
            self._stop(stop("L3-HOME-DAMAGED", str(error)))
        damaged = snapshot.damaged_files(previous, manifest) if previous else []
        self._stop_for(damaged_home(damaged))
        self._damaged = [name for name in damaged if name.startswith("documents/")]
        if not self.settings.allow_date:
            published = date.fromisoformat(manifest["snapshotdato"]) if previous else None
            self._stop_for(unasked_date(self.settings.snapshot_date, published, datetime.now(OSLO).date()))
        self._rates = reference.read_rates(self.settings.rates)
        self._kravtyper = reference.read_kravtyper(self.settings.kravtyper)
        accepted = [Accepted(**delivery) for delivery in manifest["accepted"]]
        self.sources = choose(self.settings.inbox, self.home / snapshot.DELIVERIES, accepted, self.progress)
        self.stops = unusable_sources(self.sources, manifest, self.settings.snapshot_date, self.settings.max_age_days)
        if not self.settings.allow_date:
            self.stops += date_before_extracts(self.sources, self.settings.snapshot_date)
        return {
            "accepted": len(self.sources.new),
            "used": len(self.sources.in_force),
            "refused": self.sources.refused,
            "refused_by_code": by_code(self.sources.refusals, 1),
            "reported_by_code": by_code(self.sources.refusals, 0),
            "waiting": self.sources.waiting,
            "rows": {name: sum(d.rows(name) for d in self.sources.new) for name in TABLES},
        }

    def check(self) -> dict[str, Any]:
        """All sources together: good posts, quarantined rows, parts held back (level 2)."""
        self.after("accept")
        if not self.sources.used:
            raise StoppedError(self.stops)
        self._connection = connect(self.work, self._memory(), self.settings.workers)
        create_current(self.connection, self.home / snapshot.DELIVERIES, self.sources.used)
        previous = self._previous()
        self._look_around(previous)
        check_posts(self.connection)
        hold_back(self.connection, previous)
        self._checked = True
        self.held_back = self.connection.sql("SELECT part FROM held_back").pl()["part"]
        self._said = count_said(self.connection, self.sources.used)
        before = said_before(previous, self.home / snapshot.DELIVERIES, self.work, self._memory())
        self.stops += shrunk_sources(self.sources.used, self._said, before, self.settings.max_loss)
        held = len(self.held_back) + self._one("SELECT count(*) FROM leads_nowhere")
        accepted = self._one("SELECT count(*) FROM good_part")
        self.stops += too_many_held_back(held, accepted, self.settings.max_held_back)
        self.reports = [
            *reported_of_posts(self.connection, self._kravtyper),
            *reported_of_deliveries(self.sources.in_force, self.sources.accepted, self.settings.snapshot_date),
            *reported_of_rates(self._rates, self.settings.snapshot_date),
        ]
        said = {name: sum(tables[name] for tables in self._said.values()) for name in TABLES}
        counts = {name: count_posts(self.connection, table, said[name]) for name, table in TABLES.items()}
        quarantined = self._one("SELECT count(*) FROM quarantined")
        self._rows = {
            "said": sum(count.said for count in counts.values()),
            "accepted": sum(count.accepted for count in counts.values()),
            "quarantined": quarantined,
        }
        codes = self.connection.sql(
            "SELECT kode, count(*) AS rader FROM (SELECT unnest(koder) AS kode FROM quarantined) GROUP BY ALL"
        ).fetchall()
        return {
            "rows": {name: count.said for name, count in counts.items()},
            "posts": {name: count.posts for name, count in counts.items()},
            "quarantined": quarantined,
            "quarantined_by_code": dict(sorted(codes)),
            "reported_by_code": by_code(self.reports, 0),
            "held_back": len(self.held_back),
            "leads_nowhere": self._one("SELECT count(*) FROM leads_nowhere"),
            "from_two_sources": sum(self._one(f"SELECT count(*) FROM same_{name}") for name in TABLES),
        }

    def _look_around(self, previous: Path | None) -> None:
        """Chooses between everything and what is around tonight's changes."""
        manifest = snapshot.read_manifest(previous) if previous else None
        used = self.sources.in_force
        self._all_because = (
            "asked for"
            if self.settings.full
            else affected.why_all(manifest, self._made_with(), used, self._damaged) or ""
        )
        if previous is None or manifest is None or self._all_because:
            neighbourhood.look_at_everything(self.connection)
        else:
            changes = affected.changes_since(manifest, used)
            neighbourhood.look_around_changes(self.connection, previous, self.home / snapshot.DELIVERIES, changes)

    def _memory(self) -> str:
        rows = (delivery.rows(table) for delivery in self.sources.in_force for table in TABLES)
        return self.settings.memory or memory_for(sum(rows))

    def _one(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])

    def spread(self) -> dict[str, Any]:
        """Chooses the parts to build and spreads their posts over buckets of households."""
        self.after("check")
        if self.stops:
            raise StoppedError(self.stops)
        previous = self._previous()
        if previous is None or self._all_because:
            affected.build_all(self.connection)
        else:
            manifest = snapshot.read_manifest(previous)
            affected.build_affected(
                self.connection,
                previous,
                self.home / snapshot.DELIVERIES,
                affected.changes_since(manifest, self.sources.in_force),
                self._rates,
                (date.fromisoformat(manifest["snapshotdato"]), self.settings.snapshot_date),
            )
            if neighbourhood.look_around_parts(self.connection):
                show_good(self.connection)
                connect_due_dates(self.connection)
                connect_placements(self.connection)
        self._buckets = buckets.write_buckets(self.connection, self.work / "posts", self._kravtyper)
        self._schemas = buckets.schemas(self.connection)
        self._expected = self._expect()
        counts = {name: self._one(f"SELECT count(*) FROM {name}") for name in ("parts", "to_redate", "good_part")}
        give_back(self.connection, self._memory())
        return {
            "buckets": self._buckets,
            "parts": counts["parts"],
            "redated_parts": counts["to_redate"],
            "of": counts["good_part"],
            "all_because": self._all_because,
        }

    def _expect(self) -> expected.Totals:
        """What must be in the documents made tonight; lets go of what was around the parts to build."""
        built = expected.of_built(self.connection)
        buckets.let_go(self.connection)
        if not self._one("SELECT count(*) FROM to_redate"):
            return built
        neighbourhood.look_at_everything(self.connection)
        show_good(self.connection)
        redated = expected.of_redated(self.connection)
        return {name: total + redated.get(name, 0) for name, total in built.items()}

    def build(self) -> dict[str, Any]:
        """Builds the documents of every bucket, gives others the new date, and carries over those that stay."""
        self.after("spread")
        self._reconciled = False
        snapshot.start_snapshot(self.folder)
        making = Making(self.folder, self._rates, self.settings.snapshot_date)
        jobs = [Job(making, number, self.work / "posts", self._schemas) for number in range(self._buckets)]
        made: list[Callable[[], Built | Redated]] = [partial(build, job) for job in jobs]
        if previous := self._previous():
            made += [partial(redate, job) for job in redate_jobs(making, previous, self._redated())]
        segments: list[Built | Redated] = []
        with ThreadPoolExecutor(self.settings.workers) as pool:
            try:
                for segment in pool.map(lambda make: make(), made):
                    segments.append(segment)
                    self.progress(f"documents {len(segments)} of {len(made)} segments")
            except snapshot.HomeDamagedError as error:
                self._stop(stop("L3-HOME-DAMAGED", f"{error}: run with --full"))
        stay = self._carry_over()
        built = [segment for segment in segments if isinstance(segment, Built)]
        oversikter = pl.concat([NOTHING.oversikter, *(segment.oversikter for segment in segments)])
        histories = pl.concat([NOTHING.histories, *(segment.histories for segment in built)])
        part = pl.concat([*(segment.part for segment in built), stay.part])
        index = snapshot.write_index(
            self.folder, [oversikter, stay.oversikter], [histories, stay.histories], part, self._known()
        )
        snapshot.write_part(self.folder, index, part)
        self.stops += [stop("L3-SCHEMA", name) for name in snapshot.mixed_tables(self.folder)]
        self._index = index.join(oversikter, on="part", how="semi")
        posts = {kind: int(index[f"{kind}_antall"].sum()) for kind in ("krav", "innbetalinger", "utbetalinger")}
        published = int(index["snapshotdato"].is_not_null().sum())
        held = stay.oversikter.join(self.held_back.to_frame(), on="part", how="semi").height
        redated = self.counted("spread", "redated_parts")
        return {
            "parts": published,
            "built_parts": self._index.height - redated,
            "redated_parts": redated,
            "same_parts": stay.oversikter.height - held,
            "kept_parts": held,
            "parts_without_documents": index.height - published,
            "documents": 4 * published,
            "posts_in_documents": posts,
            "json_bytes": sum(segment.raw_bytes for segment in segments),
            "stored_bytes": sum(segment.packed_bytes for segment in segments),
        }

    def _known(self) -> pl.Series:
        """Every part in ``part``, quarantined rows included: those without documents are held back, not unknown."""
        known: pl.DataFrame = self.connection.sql(
            "SELECT part FROM current_part UNION SELECT noekkel FROM current_refused "
            "WHERE tabell = 'part' AND noekkel IS NOT NULL"
        ).pl()
        return known["part"]

    def _carry_over(self) -> CarriedOver:
        """The documents that stay."""
        previous = self._previous()
        if previous is None:
            return NOTHING
        same = self.connection.sql("SELECT part FROM good_part ANTI JOIN made USING (part)").pl()
        staying = Staying(self.held_back.to_frame(), same, self._redated())
        lost = {Path(name).stem for name in self._damaged}
        date_, link = self.settings.snapshot_date, not self._all_because
        return carry_over(previous, self.folder, date_, staying, lost, link=link)

    def _redated(self) -> pl.DataFrame:
        """``part``: those whose overviews get the new date."""
        redated: pl.DataFrame = self.connection.sql("FROM to_redate").pl()
        return redated

    def reconcile(self) -> dict[str, Any]:
        """The control totals by two routes, to the øre (CONTRACT section 5)."""
        self.after("build")
        read = self._read_back() if self._index.height else ReadBack({}, 0)
        differ = list(differences(self._expected, read, self._rows))
        self.stops += [stop("L3-RECONCILE", text) for text in differ]
        self._reconciled = not differ
        self._reconciliation = {
            "posts": self._expected,
            "documents": read.totals,
            "contradictions": read.contradictions,
            "rows": self._rows,
        }
        counts = {"totals": len(self._expected), "differences": len(differ)}
        return counts | {"contradictions": read.contradictions}

    def _read_back(self) -> ReadBack:
        """What was made tonight as it is stored: what is new of it added up, what is kept held to where it is from."""
        redated, workers = self._redated(), self.settings.workers
        new = without_kept(self._index, redated)
        read = from_documents(self.folder, new, self.settings.snapshot_date, workers)
        previous = self._previous()
        if previous is None or redated.is_empty():
            return read
        rows = self._index.join(redated, on="part", how="semi")
        otherwise = kept_otherwise(self.folder, previous, rows, workers)
        kept = ReadBack(kept_totals(self.connection), otherwise)
        return together([read, kept])

    def publish(self) -> dict[str, Any]:
        """Completes the snapshot and switches to it. Raises ``StoppedError`` when something forbids it.

        Whoever asks for it: what was not reconciled since it was built is not published (CONTRACT section 2).
        """
        if self.stops:
            raise StoppedError(self.stops)
        if not self._reconciled:
            self._stop(stop("L3-NOT-RECONCILED", ""))
        self.findings().write_parquet(self.folder / "findings.parquet")
        snapshot.write_json(self.folder / "reconciliation.json", self._reconciliation)
        self.held_back.to_frame().write_parquet(self.folder / snapshot.HELD_BACK)
        quarantined = self.connection.sql("SELECT DISTINCT tabell, noekkel FROM quarantined WHERE noekkel IS NOT NULL")
        quarantined.pl().write_parquet(self.folder / snapshot.QUARANTINED)
        self.connection.sql(said_twice()).pl().write_parquet(self.folder / snapshot.SAME)
        write_analytics(self.folder)
        for delivery in self.sources.new:
            snapshot.make_durable(self.home / snapshot.DELIVERIES / delivery.folder)
        manifest = self._manifest()
        snapshot.write_json(self.folder / snapshot.MANIFEST, manifest)
        self.hold_lock()
        snapshot.switch(self.home, self.folder)
        with contextlib.suppress(OSError):  # published: what is left to tidy, the next run tidies too
            link_analytics(self.home)
            snapshot.clean(self.home, self.settings.keep)
        return {
            "snapshot": self.name,
            "files": len(manifest["files"]),
            "bytes": sum(file["bytes"] for file in manifest["files"].values()),
        }

    # --- what the operator sees of it ---

    def note(self, stage: str, counted: dict[str, Any]) -> None:
        """Keeps what a stage counted for the report and the manifest."""
        self.report.stages[stage] = counted

    def counted(self, stage: str, name: str) -> int:
        """A number that a stage has counted."""
        return int(self.report.stages[stage][name])

    def finish(self) -> None:
        """Lets go of what the run held, and writes its report and findings, whatever came of it.

        In that order: where the disk is full, the report needs the room.
        """
        published = (self.home / snapshot.CURRENT).resolve() == self.folder
        lost = stop("L3-LOCK-LOST", "")
        if not published and lost not in self.stops and not self.lock_is_held():
            self.stops.append(lost)  # whatever else was met, another run may have caused it
        found = self._findings(None)
        try:
            found = self.findings()
        except BaseException as error:  # the engine may be what failed: the rows that it refused are not known then
            self.report.failure = self.report.failure or f"findings: {told(error)}"
            raise
        finally:
            self._tidy(published=published)
            wrong = [refusal for refusal in self.sources.refusals if refusal.level == 1]
            self.report.write(self.home, published=published, stops=self.stops, deliveries=wrong, found=found)

    def _tidy(self, *, published: bool) -> None:
        """Removes what only this run needed; nothing when another run may be at it."""
        if self._connection is not None:
            self._connection.close()
        if not self.lock_is_held():
            return
        if not published:
            shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def findings(self) -> pl.DataFrame:
        """Every refusal of the night so far."""
        return self._findings(self._connection if self._checked else None)

    def _findings(self, connection: duckdb.DuckDBPyConnection | None) -> pl.DataFrame:
        refusals = self.sources.refusals + self.stops + self.reports
        return findings(connection, refusals, delivered_files(self.sources.in_force))

    def _manifest(self) -> dict[str, Any]:
        used = self.sources.in_force
        accepted = {(a.kilde, a.leveransenummer): a for a in [*self.sources.accepted, *used]}
        previous = self._previous()
        return {
            "skjemaversjon": STORE_VERSION,
            "made_with": self._made_with(),
            "snapshot": self.name,
            "snapshotdato": str(self.settings.snapshot_date),
            "run": self.settings.run,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "extracted_at": min(chain[-1].extracted_at for chain in self.sources.used.values()).isoformat(),
            "previous": previous.name if previous else None,
            "used": [delivery.as_json() for delivery in used],
            "said": self._said,
            "accepted": [accepted[key].as_json() for key in sorted(accepted)],
            "stages": self.report.stages,
            "reconciliation": self._reconciliation,
            "files": snapshot.checksums(self.folder, previous),
        }

    def _made_with(self) -> dict[str, Any]:
        """What the documents are made with besides the posts and the date: the code, and the reference data as read."""
        frames = {"rates": self._rates, "kravtyper": self._kravtyper}
        return CODE | {name: sha256(frame.write_json().encode()).hexdigest() for name, frame in frames.items()}
