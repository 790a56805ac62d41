"""The night as a Dagster resource: one per run, holding the home's lock from first stage to last."""

import contextlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
from pydantic import PrivateAttr

from pipelines.settings import default_home, default_inbox
from transforms.measure import measured
from transforms.night import Night, Settings, locked
from transforms.reference import KRAVTYPER, RATES

PARTITIONS = dg.DynamicPartitionsDefinition(name="snapshotdato")
"""One partition per snapshot date that was run: any date can be, and only those that were show."""


class NightResource(dg.ConfigurableResource):
    """The run's settings, and the ``Night`` that its assets share."""

    inbox: str = str(default_inbox())
    home: str = str(default_home())
    rates: str = str(RATES)
    kravtyper: str = str(KRAVTYPER)
    max_held_back: float = Settings.max_held_back
    max_age_days: int = Settings.max_age_days
    keep: int = Settings.keep
    workers: int = Settings.workers
    memory: str = Settings.memory

    echo: ClassVar[Any] = staticmethod(lambda line: None)
    """Where progress goes; the command line sets it to print."""

    _night: Night = PrivateAttr()

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["NightResource"]:
        """Holds the lock and, whatever happens, writes the run's report."""
        run = (context.run_id or "direct")[:8]
        tags = context.run.tags if context.run else {}
        settings = Settings(
            inbox=Path(self.inbox),
            home=Path(self.home),
            snapshot_date=date.fromisoformat(tags["dagster/partition"]),
            run=run,
            rates=Path(self.rates),
            kravtyper=Path(self.kravtyper),
            max_held_back=self.max_held_back,
            max_age_days=self.max_age_days,
            keep=self.keep,
            workers=self.workers,
            memory=self.memory,
        )
        with locked(settings.home, run):
            self._night = Night(settings, progress=type(self).echo)
            try:
                yield self
            finally:
                self._night.finish()

    @property
    def night(self) -> Night:
        """The run's night."""
        return self._night

    def stage(self, name: str) -> dict[str, Any]:
        """Runs a stage of the night; returns what it counted, its seconds and its peak memory."""
        type(self).echo(f"{name} …")
        with measured() as cost:
            counted = getattr(self._night, name)()
        counted |= {"seconds": round(cost.seconds, 2), "peak_memory_mb": cost.peak_mb}
        self._night.note(name, counted)
        return counted
