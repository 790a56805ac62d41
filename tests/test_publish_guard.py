"""Nothing is published that was not reconciled, whoever asks Dagster for what: some assets, no checks, part of a run.

All over one home: what is refused leaves it as it was.
"""

import json
import logging
import re
from datetime import timedelta

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from cli.main import main
from pipelines.definitions import JOB, build_definitions
from pipelines.resources import PARTITIONS, NightFailedError, NightResource, _publishes
from pipelines.settings import dagster_home
from schemas.refusals import SENTENCES, TO_DO
from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, rows
from tests.plain.write import write_delivery
from transforms.home import snapshot
from transforms.night import Night

COMPANY = organisation_number(1)
STATEMENT = [part(COMPANY), krav("K", COMPANY, 100, kravtype="Restskatt"), kravforfall("F", "K", 100, "2026-01-15")]
LATER = S + timedelta(days=9)
ASSETS = ("deliveries", "posts", "buckets", "documents", "snapshot")
FAILED = f"{NightFailedError.__module__}.{NightFailedError.__name__}"
NO_CHECKS: frozenset[dg.AssetCheckKey] = frozenset()
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Home:
    """A home with one night published, and the job over it as Dagster runs it."""

    def __init__(self, nights):
        self.nights = nights
        nights.inbox.mkdir()
        write_delivery(nights.inbox, "mva", 1, "full", rows(*STATEMENT))
        nights.publish()
        self.before = nights.documents()
        write_delivery(nights.inbox, "mva", 2, "endring", rows(innbetaling("I", COMPANY, 5)))
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        self.instance = dg.DagsterInstance.from_config(str(dagster_home(nights.home)))
        self.instance.add_dynamic_partitions(str(PARTITIONS.name), [str(S), str(LATER)])
        night = NightResource(home=str(nights.home), inbox=str(nights.inbox), memory="500MB", allow_date=True)
        self.job = build_definitions(night).resolve_job_def(JOB)

    def execute(self, assets=None, checks=None, day=S):
        """Executes the job, or some assets and checks of it; the run as Dagster keeps it."""
        job = self.job
        if assets is not None:
            keys = {dg.AssetKey(name) for name in assets}
            job = job.get_subset(asset_selection=keys, asset_check_selection=checks)
        done = job.execute_in_process(
            run_config=QUIET, instance=self.instance, partition_key=str(day), raise_on_error=False
        )
        return self.instance.get_run_by_id(done.run_id)

    def errors(self, run):
        """What Dagster shows of the run's errors."""
        data = [
            entry.dagster_event.event_specific_data
            for entry in self.instance.all_logs(run.run_id)
            if entry.dagster_event and entry.dagster_event.event_type_value == "STEP_FAILURE"
        ]
        return [failure.error.message for failure in data]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        made = Home(Nights(tmp_path_factory.mktemp("guard")))
        yield made
        made.instance.dispose()


def told(home, *words):
    return CliRunner().invoke(main, [*words, "--home", str(home.nights.home)]).stdout


def assert_refused(home, run, code):
    """Dagster, the report, the findings and ``status`` say so, and yesterday's documents are up."""
    assert run.status == dg.DagsterRunStatus.FAILURE
    reason = rf"{code} (mva 000002: )?{SENTENCES[code]}"
    assert any(re.search(reason, error) for error in home.errors(run))
    assert home.nights.codes() == {code}
    for command in ("status", "findings"):
        assert re.search(rf"run {run.run_id[:8]}: stopped\n  stopped by {reason}", told(home, command))
        assert f"  to do: {TO_DO[code]}\n" in told(home, command)
    assert home.nights.documents() == home.before
    assert home.nights.snapshot().manifest.run == "0001"


def test_all_assets_without_checks_are_refused(home):
    assert_refused(home, home.execute(ASSETS, NO_CHECKS), "L3-NOT-RECONCILED")


def test_all_assets_with_every_check_but_the_reconciliation_are_refused(home):
    checks = {key for key in home.job.asset_layer.asset_graph.asset_check_keys if key.name != "reconciliation"}
    assert len(checks) == 6
    assert_refused(home, home.execute(ASSETS, frozenset(checks)), "L3-NOT-RECONCILED")


@pytest.mark.parametrize("alone", [asset for asset in ASSETS if asset != "deliveries"])
def test_an_asset_alone_is_told_what_it_lacks(home, alone):
    code = "L3-NOT-RECONCILED" if alone == "snapshot" else "L3-STAGE-MISSING"
    assert_refused(home, home.execute([alone], NO_CHECKS), code)


def test_a_check_alone_does_not_say_that_all_is_well(home):
    for key in home.job.asset_layer.asset_graph.asset_check_keys:
        assert_refused(home, home.execute([], {key}), "L3-STAGE-MISSING")


def test_the_first_asset_alone_publishes_nothing_and_says_so(home):
    run = home.execute(["deliveries"], NO_CHECKS)
    assert run.status == dg.DagsterRunStatus.SUCCESS
    for command in ("status", "findings"):
        assert f"run {run.run_id[:8]}: not published: it was asked for some stages only\n" in told(home, command)
    assert home.nights.documents() == home.before


def test_what_a_run_of_the_ui_is_asked_for():
    """It has the assets that were chosen, and no steps."""
    chosen = {None: True, "snapshot": True, "posts": False}
    for asset, publishes in chosen.items():
        assets = None if asset is None else frozenset({dg.AssetKey(asset)})
        assert _publishes(dg.DagsterRun(job_name=JOB, asset_selection=assets)) == publishes


def test_a_source_too_old_stops_without_its_check(home):
    """What stops a night is in the night; its checks only show it."""
    assert_refused(home, home.execute(ASSETS, NO_CHECKS, LATER), "L3-SOURCE-OLD")


def test_a_table_whose_files_differ_stops_without_its_check(home, monkeypatch):
    write_part = snapshot.write_part

    def spoilt(folder, *given):
        pl.DataFrame({"part": [1]}).write_parquet(folder / "tables" / "krav" / "spoilt.parquet")
        write_part(folder, *given)

    monkeypatch.setattr(snapshot, "write_part", spoilt)
    assert_refused(home, home.execute(ASSETS, NO_CHECKS), "L3-SCHEMA")


def night():
    """The job, as Dagster makes it anew in another process."""
    return build_definitions().resolve_job_def(JOB)


def test_a_failed_night_executed_again_from_where_it_failed(home, monkeypatch):
    """Nothing of a night outlives its run. What the failed one found is still told, asked for by its name."""
    config = {"home": str(home.nights.home), "inbox": str(home.nights.inbox), "memory": "500MB"}
    how = {
        "instance": home.instance,
        "run_config": {**QUIET, "resources": {"night": {"config": config}}},
        "tags": {"dagster/partition": str(S)},
    }
    with monkeypatch.context() as patch:
        patch.setattr(Night, "build", lambda _: 1 / 0)
        failed = dg.execute_job(dg.reconstructable(night), **how)
    assert f"run {failed.run_id[:8]}: failed\n  failed in build: ZeroDivisionError" in told(home, "findings")
    again = dg.ReexecutionOptions.from_failure(failed.run_id, home.instance)
    run = dg.execute_job(dg.reconstructable(night), reexecution_options=again, **how)
    assert_refused(home, run.dagster_run, "L3-STAGE-MISSING")
    assert "failed in build: ZeroDivisionError" in told(home, "findings", "--run", failed.run_id[:8])


# these come last: they publish, and take the home apart


def test_at_last_the_whole_job_publishes(home):
    assert home.execute().status == dg.DagsterRunStatus.SUCCESS
    assert json.loads((home.nights.home / "current" / "reconciliation.json").read_text())["documents"]


def test_without_any_source_nothing_is_tried_further(home):
    (home.nights.inbox / "mva").rename(home.nights.folder / "away")
    home.nights.home.joinpath("deliveries").rename(home.nights.folder / "gone")
    run = home.execute(ASSETS, NO_CHECKS)
    assert [error.partition(" L3")[0] for error in home.errors(run)] == [f"{FAILED}: check: StoppedError:"]
    assert home.nights.codes() == {"L3-NO-SOURCE", "L3-SOURCE-GONE", "L3-ACCEPTED-LOST"}
