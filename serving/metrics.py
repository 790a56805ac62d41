"""Figures for Prometheus, summed over all workers. No label says who anyone is; consumers go by configured names."""

import os
from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, date, datetime, time
from itertools import count as every_number
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.breaker import STATES
from serving.held_file import hold
from serving.logs import Answered

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)


class _Seconds(Histogram):
    """A histogram to which many observations are added at once: one by one they cost a tenth of an answer."""

    def add(self, counts: list[int], total: float) -> None:
        """Observations by bucket (the last: beyond all bounds), and their sum."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            bucket.inc(count)


class _Noted:
    """What was answered since the last ``flush``, of one route, status, code and consumer."""

    __slots__ = ("counts", "seconds", "sent")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0
        self.sent = 0

    def add(self, other: "_Noted") -> None:
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds
        self.sent += other.sent


_Key = tuple[str, int, str | None, str | None]
"""Route, status, kode, consumer."""


class Metrics:
    """The figures of one worker; ``folder`` is where all workers keep theirs, or None when there is but one.

    The environment variable ``PROMETHEUS_MULTIPROC_DIR`` must name the folder (``cli.serve`` sees to it). A worker goes
    on counting in the files of one that is gone, so there are never more of them than workers at a time.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        if folder:
            place = _take_place(folder)
            values.ValueClass = values.MultiProcessValue(lambda: place)
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "kravoversikt_requests",
            "Requests answered, by route, status and code",
            ("route", "status", "kode"),
            registry=registry,
        )
        self._consumers = Counter(
            "kravoversikt_consumer_requests", "Requests of known consumers", ("consumer", "status"), registry=registry
        )
        self._seconds = _Seconds(
            "kravoversikt_request_seconds",
            "Time from a request's headers to its answer",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self._bytes = Counter("kravoversikt_response_bytes", "Bytes of bodies", ("route",), registry=registry)
        self._tokens = Counter("kravoversikt_tokens", "Tokens looked at, by cache", ("cache",), registry=registry)
        self._switches = Counter("kravoversikt_snapshot_switches", "Snapshots taken into use", registry=registry)
        # In a multi-worker server the worst worker counts.
        self._parts = self._gauge("kravoversikt_snapshot_parts", "Known parts in the snapshot in use", "min")
        self._day = self._gauge(
            "kravoversikt_snapshot_date_seconds", "Midnight UTC of the date of the snapshot in use", "min"
        )
        self._refused = self._gauge("kravoversikt_snapshot_refused", "1 while the newest snapshot is refused", "max")
        self._behind = self._gauge(
            "kravoversikt_audit_behind_seconds", "Wait of the oldest unwritten audit line", "max"
        )
        self._dropped = Counter(
            "kravoversikt_log_lines_dropped", "Lines dropped for want of room, by log", ("log",), registry=registry
        )
        self._keys_age = Gauge(
            "kravoversikt_keys_age_seconds",
            "Time since an issuer's keys were read, by issuer",
            ("issuer",),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._decisions = Counter(
            "kravoversikt_decisions", "Questions about system users, by answer", ("decision",), registry=registry
        )
        self._breakers = Gauge(
            "kravoversikt_breaker_workers",
            "Workers whose breaker of Altinn's decision point is in a state, by state",
            ("state",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._replaced = Gauge(
            "kravoversikt_workers_replaced",
            "Workers that were replaced since the server began, by reason",
            ("reason",),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._noted: dict[_Key, _Noted] = defaultdict(_Noted)
        self._lock = Lock()

    def _gauge(self, name: str, text: str, mode: str) -> Gauge:
        return Gauge(name, text, registry=self._registry, multiprocess_mode=f"live{mode}")  # type: ignore[arg-type]

    def answered(self, answer: Answered) -> None:
        """Notes one answer; ``flush`` counts it, for the library takes longer."""
        with self._lock:
            noted = self._noted[answer.route, answer.status, answer.kode, answer.consumer]
            noted.counts[bisect_left(SECONDS, answer.seconds)] += 1
            noted.seconds += answer.seconds
            noted.sent += answer.sent

    def flush(self) -> None:
        """Counts what was noted; what could not be counted is noted again."""
        with self._lock:
            taken, self._noted = self._noted, defaultdict(_Noted)
        try:
            for key in list(taken):
                self._count(key, taken[key])
                del taken[key]
        finally:
            with self._lock:
                for key, noted in taken.items():
                    self._noted[key].add(noted)

    def _count(self, key: _Key, noted: _Noted) -> None:
        """All of it or, when a file of figures can't be opened or grown, nothing."""
        route, status, kode, consumer = key
        requests = self._requests.labels(route, str(status), kode or "")
        consumers = self._consumers.labels(consumer, str(status)) if consumer else None
        seconds, sent = self._seconds.labels(route), self._bytes.labels(route)
        answers = sum(noted.counts)
        requests.inc(answers)
        if consumers:
            consumers.inc(answers)
        seconds.add(noted.counts, noted.seconds)
        sent.inc(noted.sent)

    def tokens(self, hits: int, misses: int) -> None:
        """Counts look-ups in the token cache."""
        self._tokens.labels("hit").inc(hits)
        self._tokens.labels("miss").inc(misses)

    def keys(self, issuer: str, age: float) -> None:
        """Tells how long ago an issuer's keys were read, in seconds; infinite when they never were."""
        self._keys_age.labels(issuer).set(age)

    def decisions(self, decision: str, count: int) -> None:
        """Counts questions about system users that were answered so."""
        self._decisions.labels(decision).inc(count)

    def breaker(self, now: str) -> None:
        """Tells in which state the breaker of the decision point is."""
        for state in STATES:
            self._breakers.labels(state).set(int(state == now))

    def replaced(self, reason: str, many: int) -> None:
        """Tells how many workers were replaced for it: all tell the same."""
        self._replaced.labels(reason).set(many)

    def switched(self, parts: int, made_for: date) -> None:
        """Tells of the snapshot that was taken into use."""
        self._switches.inc()
        self._parts.set(parts)
        self._day.set(datetime.combine(made_for, time(), UTC).timestamp())

    def refused(self, refused: bool) -> None:
        """Tells whether the newest snapshot is refused."""
        self._refused.set(int(refused))

    def logs(self, behind: float, access_dropped: int, audit_dropped: int) -> None:
        """Tells how long the oldest audit line has waited, in seconds, and counts lines that were dropped."""
        self._behind.set(behind)
        self._dropped.labels("access").inc(access_dropped)
        self._dropped.labels("audit").inc(audit_dropped)

    def page(self) -> bytes:
        """All figures as text; those of the other workers as they were a moment ago."""
        self.flush()
        if self._folder is None:
            return generate_latest(self._registry)
        forget_the_dead(self._folder)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))
        return generate_latest(registry)


def forget_the_dead(folder: Path) -> None:
    """Removes what workers that are no more said of themselves as they were; what they counted stays counted."""
    for place in {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*.db")}:
        lock = hold(folder / f"{place}.lock")
        if lock is not None:
            mark_process_dead(int(place), str(folder))
            os.close(lock)


def _take_place(folder: Path) -> int:
    """The lowest place that no living worker has. It is this process's until it ends: then the kernel unlocks it."""
    for place in every_number():
        if hold(folder / f"{place}.lock") is not None:
            mark_process_dead(place, str(folder))
            return place
    raise AssertionError
