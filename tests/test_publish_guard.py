"""Nothing is published that was not reconciled, whoever asks Dagster for what: some assets, no checks, part of a run.

And a night that failed goes on from where it did. All over one home: what is refused leaves it as it was.
"""

import json
import logging
import re
import shutil
from datetime import timedelta

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from cli.main import main
from pipelines.definitions import JOB, build_definitions
from pipelines.resources import NightResource, _publishes
from pipelines.settings import dagster_home
from schemas.refusals import SENTENCES, TO_DO
from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, rows
from tests.plain.write import write_delivery
from transforms import night as night_module
from transforms.home import snapshot

pytestmark = pytest.mark.slow

COMPANY = organisation_number(1)
STATEMENT = [part(COMPANY), krav("K", COMPANY, 100, kravtype="Restskatt"), kravforfall("F", "K", 100, "2026-01-15")]
LATER = S + timedelta(days=9)
DAYS = dg.DailyPartitionsDefinition(str(S), timezone="Europe/Oslo", end_offset=1000)
ASSETS = ("deliveries", "posts", "buckets", "documents", "snapshot")
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
        night = NightResource(home=str(nights.home), inbox=str(nights.inbox), memory="500MB", allow_date=True)
        self.job = build_definitions(night, DAYS).resolve_job_def(JOB)

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

    def forget(self):
        """As if no night had left anything for another to go on from."""
        shutil.rmtree(self.nights.home / ".work", ignore_errors=True)

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


def test_what_was_reconciled_and_built_again_is_refused(home):
    """The reconciliation was of another build, whatever it said."""
    reconciliation = {key for key in home.job.asset_layer.asset_graph.asset_check_keys if key.name == "reconciliation"}
    everything_but_publishing = [asset for asset in ASSETS if asset != "snapshot"]
    assert home.execute(everything_but_publishing, reconciliation).status == dg.DagsterRunStatus.SUCCESS
    assert home.execute(["documents"], NO_CHECKS).status == dg.DagsterRunStatus.SUCCESS
    assert_refused(home, home.execute(["snapshot"], NO_CHECKS), "L3-NOT-RECONCILED")


@pytest.mark.parametrize("alone", [asset for asset in ASSETS if asset != "deliveries"])
def test_an_asset_alone_is_told_what_it_lacks(home, alone):
    home.forget()
    assert_refused(home, home.execute([alone], NO_CHECKS), "L3-STAGE-MISSING")


def test_a_check_alone_does_not_say_that_all_is_well(home):
    home.forget()
    for key in home.job.asset_layer.asset_graph.asset_check_keys:
        assert_refused(home, home.execute([], {key}), "L3-STAGE-MISSING")


def test_the_first_asset_alone_publishes_nothing_and_says_so(home):
    run = home.execute(["deliveries"], NO_CHECKS)
    assert run.status == dg.DagsterRunStatus.SUCCESS
    for command in ("status", "findings"):
        assert f"run {run.run_id[:8]}: not published: it was asked for some stages only\n" in told(home, command)
    assert home.nights.documents() == home.before


def test_one_asset_after_the_other_in_runs_of_their_own(home):
    """Each finds what those before it have left, and tells of all of it."""
    for asset in ("deliveries", "posts", "buckets"):
        run = home.execute([asset], NO_CHECKS)
        assert run.status == dg.DagsterRunStatus.SUCCESS
    stages = json.loads(max(home.nights.home.glob("runs/*/report.json")).read_text())["stages"]
    assert list(stages) == ["accept", "check", "spread"]
    assert_refused(home, home.execute(["snapshot"], NO_CHECKS), "L3-STAGE-MISSING")


def test_what_another_date_has_left_is_not_gone_on_from(home):
    home.execute(["deliveries"], NO_CHECKS)
    assert_refused(home, home.execute(["posts"], NO_CHECKS, LATER), "L3-STAGE-OTHER")


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
    return build_definitions(days=DAYS).resolve_job_def(JOB)


def reexecute(home, failed, **config):
    """Executes the failed run again from where it failed, as Dagster does in another process."""
    again = dg.ReexecutionOptions.from_failure(failed.run_id, home.instance)
    return dg.execute_job(dg.reconstructable(night), reexecution_options=again, **how(home, **config)).dagster_run


def how(home, **config):
    config = {"home": str(home.nights.home), "inbox": str(home.nights.inbox), "memory": "500MB", **config}
    return {
        "instance": home.instance,
        "run_config": {**QUIET, "resources": {"night": {"config": config}}},
        "tags": {"dagster/partition": str(S)},
    }


def failed_in(home, monkeypatch, stage, **config):
    """A run of the job in which the stage fails."""
    with monkeypatch.context() as patch:
        patch.setattr(night_module, stage, lambda *_: 1 / 0)
        failed = dg.execute_job(dg.reconstructable(night), **how(home, **config))
    assert f"run {failed.run_id[:8]}: failed\n  failed in {stage}: ZeroDivisionError" in told(home, "findings")
    return failed


def test_a_failed_night_whose_inbox_is_another_is_not_gone_on_from(home, monkeypatch, tmp_path):
    failed = failed_in(home, monkeypatch, "build")
    assert_refused(home, reexecute(home, failed, inbox=str(tmp_path)), "L3-STAGE-OTHER")
    assert "failed in build: ZeroDivisionError" in told(home, "findings", "--run", failed.run_id[:8])


def test_a_failed_night_that_another_has_begun_after_is_not_gone_on_from(home, monkeypatch):
    failed = failed_in(home, monkeypatch, "build")
    home.forget()
    assert_refused(home, reexecute(home, failed), "L3-STAGE-MISSING")


def test_a_stopped_night_executed_again_stops_for_the_same_reason_and_tells_the_same(home):
    """One of two parts would be held back."""
    write_delivery(home.nights.inbox, "mva", 3, "endring", rows(innbetaling("I-bad", COMPANY, 0)))
    stopped = dg.execute_job(dg.reconstructable(night), **how(home))
    before = home.nights.findings()
    assert set(before["kode"]) == {"L2-VALUE-POSITIVE", "L3-HELD-BACK"}
    again = reexecute(home, stopped)
    assert again.status == dg.DagsterRunStatus.FAILURE
    assert home.nights.findings().equals(before)
    for run in (stopped, again):
        assert "stopped\n  stopped by L3-HELD-BACK" in told(home, "findings", "--run", run.run_id[:8])
    shutil.rmtree(home.nights.inbox / "mva" / "000003")


# these come last: they publish, and take the home apart


def test_a_failed_night_goes_on_from_where_it_failed(home, monkeypatch):
    failed = failed_in(home, monkeypatch, "build")
    with monkeypatch.context() as patch:
        for done in ("accept", "check", "spread"):
            patch.setattr(night_module, done, lambda *_: pytest.fail("it is done"))
        run = reexecute(home, failed)
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert home.nights.snapshot().manifest.run == run.run_id[:8]
    assert '"uplassertBeloep":-5.00' in home.nights.oversikt(COMPANY)
    report = json.loads(max(home.nights.home.glob("runs/*/report.json")).read_text())
    assert (report["outcome"], len(report["stages"])) == ("published", 6)
    assert not (home.nights.home / ".work").exists()


def test_at_last_the_whole_job_publishes(home):
    write_delivery(home.nights.inbox, "mva", 3, "endring", rows(innbetaling("I3", COMPANY, 5)))
    assert home.execute().status == dg.DagsterRunStatus.SUCCESS
    assert json.loads((home.nights.home / "current" / "reconciliation.json").read_text())["documents"]


def test_without_any_source_nothing_is_tried_further(home):
    (home.nights.inbox / "mva").rename(home.nights.folder / "away")
    home.nights.home.joinpath("deliveries").rename(home.nights.folder / "gone")
    run = home.execute(ASSETS, NO_CHECKS)
    assert [re.findall(r"stopped by (\S+)", error) for error in home.errors(run)] == [
        ["L3-SOURCE-GONE", "L3-ACCEPTED-LOST", "L3-NO-SOURCE"]
    ]
    assert home.nights.codes() == {"L3-NO-SOURCE", "L3-SOURCE-GONE", "L3-ACCEPTED-LOST"}
