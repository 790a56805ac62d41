"""The Dagster instance of a home: what its file settles, where its records are kept, what is run again."""

import errno
import os
from datetime import timedelta

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner
from dagster._core.instance.config import dagster_instance_config

from cli.main import main
from pipelines import retention
from pipelines.definitions import JOB, build_definitions
from pipelines.resources import MayPassError, NightFailedError, home_tags, telling_no_data
from pipelines.retention import RETAINED, forget_old_runs
from pipelines.run import run_night
from pipelines.settings import POSTGRES, DagsterHomeError, dagster_home
from tests.nights import S
from tests.plain.numbers import organisation_number
from tests.plain.statement import part, rows
from tests.plain.write import write_delivery
from tests.postgres import a_server, needs_postgres
from transforms.home.report import Report, StoppedError, passes_by_itself, read_report
from transforms.night import Night
from transforms.stops import stop

ADDRESS = "postgresql+psycopg2://night:secret@db/dagster"


@pytest.fixture(autouse=True)
def without_environment(monkeypatch):
    """``run_night`` sets it, too."""
    for name in ("DAGSTER_HOME", POSTGRES):
        monkeypatch.setenv(name, "set, so that it is put back")
        monkeypatch.delenv(name)


def settled(home):
    return yaml.safe_load((dagster_home(home) / "dagster.yaml").read_text("utf-8"))


# the file


def test_dagster_takes_every_line_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv(POSTGRES, ADDRESS)
    config, _ = dagster_instance_config(str(dagster_home(tmp_path)))
    assert config.keys() == settled(tmp_path).keys()


def test_nights_take_turns_and_none_goes_on_for_ever(tmp_path):
    file = settled(tmp_path)
    assert file["concurrency"]["runs"]["max_concurrent_runs"] == 1
    assert file["run_monitoring"]["enabled"]
    assert 3_600 < file["run_monitoring"]["max_runtime_seconds"] < 12 * 3_600
    assert file["run_retries"] == {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False}


# PostgreSQL by the environment


def test_records_are_kept_in_the_home_unless_postgresql_is_named(tmp_path):
    assert "storage" not in settled(tmp_path)


def test_the_address_stays_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(POSTGRES, ADDRESS)
    assert settled(tmp_path)["storage"] == {"postgres": {"postgres_url": {"env": POSTGRES}}}
    assert "secret" not in (tmp_path / "dagster" / "dagster.yaml").read_text("utf-8")


def test_a_home_of_before_is_moved_to_postgresql_and_keeps_its_other_settings(tmp_path, monkeypatch):
    path = dagster_home(tmp_path) / "dagster.yaml"
    path.write_text("telemetry:\n  enabled: true\n", "utf-8")
    monkeypatch.setenv(POSTGRES, ADDRESS)
    assert settled(tmp_path).keys() == {"telemetry", "storage"}
    assert settled(tmp_path).keys() == {"telemetry", "storage"}  # once


def test_a_storage_that_the_operator_has_named_stays(tmp_path, monkeypatch):
    path = dagster_home(tmp_path) / "dagster.yaml"
    path.write_text("storage:\n  sqlite:\n    base_dir: /elsewhere\n", "utf-8")
    monkeypatch.setenv(POSTGRES, ADDRESS)
    assert settled(tmp_path) == {"storage": {"sqlite": {"base_dir": "/elsewhere"}}}


@pytest.mark.parametrize("address", ["postgresql://night:secret@db/dagster", "db:5432"])
def test_an_address_that_finds_no_driver_is_refused_without_quoting_it(tmp_path, monkeypatch, address):
    monkeypatch.setenv(POSTGRES, address)
    with pytest.raises(DagsterHomeError) as caught:
        dagster_home(tmp_path)
    assert str(caught.value) == f"{POSTGRES} must begin with postgresql+psycopg2://"


def test_without_the_drivers_the_operator_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv(POSTGRES, ADDRESS)
    monkeypatch.setattr("pipelines.settings.find_spec", lambda name: None)
    with pytest.raises(DagsterHomeError, match=r"install kravoversikt\[postgres\]"):
        dagster_home(tmp_path)


def test_a_home_in_postgresql_says_so_when_the_address_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv(POSTGRES, ADDRESS)
    dagster_home(tmp_path)
    monkeypatch.delenv(POSTGRES)
    told = CliRunner().invoke(main, ["ui", "--home", str(tmp_path)])
    assert told.exit_code == 2
    assert "keeps Dagster's records in PostgreSQL, but KRAVOVERSIKT_POSTGRES is not set" in told.stderr


@pytest.fixture
def inbox(tmp_path):
    write_delivery(tmp_path / "inbox", "mva", 1, "full", rows(part(organisation_number(1))))
    return tmp_path / "inbox"


def night(inbox, said=lambda line: None):
    return run_night(inbox.parent / "home", str(S), {"inbox": str(inbox), "wait_minutes": 0}, said)


@pytest.mark.slow
@needs_postgres
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_night_on_record_in_a_real_server_and_one_whose_server_goes_away(inbox, monkeypatch):
    with a_server() as server:
        monkeypatch.setenv(POSTGRES, server.address)
        assert night(inbox).outcome == "published"
        home = inbox.parent / "home"
        assert not list((home / "dagster").rglob("*.db"))
        with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
            [run] = instance.get_runs()
            assert run.status == dg.DagsterRunStatus.SUCCESS
            assert instance.get_latest_materialization_event(dg.AssetKey("snapshot"))
        do = Night.do

        def do_and_lose_the_server(self, stage):
            receipt = do(self, stage)
            if stage == "check":
                server.stop()
            return receipt

        monkeypatch.setattr(Night, "do", do_and_lose_the_server)
        monkeypatch.setattr("time.sleep", lambda seconds: None)  # Dagster waits for it, 6 s an event
        said = []
        lost = night(inbox, said.append)
    assert (lost.outcome, lost.run != run.run_id[:8]) == ("failed", True)
    assert "DagsterPostgresException" in lost.failure
    assert "Traceback" not in "".join(said)


# what is done again


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO)), True),
        (OSError(errno.ESTALE, os.strerror(errno.ESTALE)), True),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), False),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), False),
        (ValueError("a fault of ours"), False),
        (StoppedError([stop("L3-NO-SOURCE", "")]), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_only_what_passes_by_itself_is_tried_again(error, again):
    assert passes_by_itself(error) == again
    with pytest.raises((NightFailedError, MayPassError)) as caught, telling_no_data("check", Report("r", S)):
        raise error
    assert caught.value.allow_retries == again


@pytest.mark.slow
def test_a_stage_whose_file_system_comes_back_is_done_again_and_the_night_is_published(inbox, monkeypatch):
    do, tried = Night.do, []

    def do_at_the_second_try(self, stage):
        tried.append(stage)
        if tried == ["accept"]:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return do(self, stage)

    monkeypatch.setattr(Night, "do", do_at_the_second_try)
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    report = night(inbox)
    assert tried[:2] == ["accept", "accept"]
    assert (report.outcome, report.failure) == ("published", None)


# what is forgotten


@pytest.mark.slow
def test_old_runs_of_the_home_are_forgotten_and_no_others(tmp_path, monkeypatch):
    home, other = tmp_path / "home", tmp_path / "other"
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:

        def run(run_id, whose, status=dg.DagsterRunStatus.SUCCESS):
            instance.add_run(dg.DagsterRun("night", run_id, status=status, tags=home_tags(whose, run_id)))

        run("ended", home)
        run("goes-on", home, dg.DagsterRunStatus.STARTED)
        run("of-another", other)
        forget_old_runs(instance, home)
        assert len(instance.get_runs()) == 3
        monkeypatch.setattr(retention, "RETAINED", timedelta(days=-1))  # so all are too old
        forget_old_runs(instance, home)
        assert {run.run_id for run in instance.get_runs()} == {"goes-on", "of-another"}
    assert timedelta(days=366) < RETAINED


# Dagster's own ways to run a night


def the_night():
    return build_definitions().resolve_job_def(JOB)


@pytest.mark.slow
def test_a_night_that_dagster_executes_and_whose_result_it_opens_has_one_report(inbox, monkeypatch):
    """``dg launch`` does: to read what came of a run, Dagster makes the run's resources once more."""
    home = inbox.parent / "home"
    monkeypatch.setenv("KRAVOVERSIKT_HOME", str(home))
    monkeypatch.setenv("KRAVOVERSIKT_FIRST_NIGHT", str(S))
    given = {"resources": {"night": {"config": {"home": str(home), "inbox": str(inbox)}}}}
    tags = {"dagster/partition": str(S)}
    with dg.DagsterInstance.local_temp(str(dagster_home(home))) as instance:
        job = dg.reconstructable(the_night)
        with dg.execute_job(job, instance, run_config=given, tags=tags) as result:
            assert result.success
    [report] = (home / "runs").iterdir()
    assert read_report(report).outcome == "published"
