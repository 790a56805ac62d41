"""What the operator sees of a run in Dagster: counts by code on the assets, and the checks. Read from its events."""

import logging
import tomllib
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from click.testing import CliRunner

from cli.main import main
from pipelines.event_log import held_open
from pipelines.settings import LOCATION
from tests.nights import S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, rows
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
COMPANY, STRANGER = organisation_number(1), organisation_number(2)
WRONG = [
    *(innbetaling("I1", COMPANY, 0), innbetaling("I2", STRANGER, 5), innbetaling("I3", STRANGER, 5)),
    *(krav("K1", COMPANY, 5), kravforfall("F1", "K1", 4, "2026-01-15", kidnummer="1234567")),
    *(krav("K2", COMPANY, 5, kravtype="Ukjent"), kravforfall("F2", "K2", 5, "2026-01-15")),
]


def night(folder, *options):
    """One night over deliveries with faults of every level; what its events tell."""
    inbox, home = folder / "inbox", folder / "home"
    write_delivery(inbox, "mva", 1, "full", rows(part(COMPANY), *WRONG))
    write_delivery(inbox, "mva", 3, "endring", {})  # waits for number 2
    write_delivery(inbox, "skatt", 1, "full", {}, manifest_changes={"skjemaversjon": "2"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "set, so that it is put back")
        patch.delenv("DAGSTER_HOME")
        words = ("run", "--inbox", str(inbox), "--home", str(home), "--date", str(S), *options)
        exit_code = CliRunner().invoke(main, words).exit_code
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        [run] = instance.get_runs()
        entries = instance.all_logs(run.run_id)
        events = [entry.dagster_event for entry in entries if entry.dagster_event]
    made = [e.step_materialization_data.materialization for e in events if e.is_step_materialization]
    checks = [e.asset_check_evaluation_data for e in events if e.event_type_value == "ASSET_CHECK_EVALUATION"]
    return SimpleNamespace(
        exit_code=exit_code,
        run=run,
        status=run.status,
        said=[(entry.level, entry.user_message) for entry in entries if not entry.dagster_event],
        failed=[e.step_failure_data for e in events if e.event_type_value == "STEP_FAILURE"],
        observed={
            e.asset_key.to_user_string(): e.asset_observation_data.asset_observation.metadata
            for e in events
            if e.event_type_value == "ASSET_OBSERVATION"
        },
        dagster=home / "dagster",
        counted={asset.asset_key.to_user_string(): asset.metadata for asset in made},
        checks={check.check_name: check for check in checks},
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return night(tmp_path_factory.mktemp("published"), "--max-held-back", "10")


def by_code(published, asset, what):
    return published.counted[asset][what].value


def test_deliveries_refused_and_waiting_are_counted_by_code(published):
    assert by_code(published, "deliveries", "refused_by_code") == {"L1-GAP": 1, "L1-MANIFEST-FIELD": 1}
    assert by_code(published, "deliveries", "reported_by_code") == {}


def test_rows_quarantined_are_counted_by_code(published):
    assert by_code(published, "posts", "quarantined_by_code") == {
        "L2-CLAIM-OF-REFUSED": 1,
        "L2-CLAIM-SUM": 1,
        "L2-PART-UNKNOWN": 2,
        "L2-VALUE-POSITIVE": 1,
    }


def test_reports_are_counted_by_code(published):
    assert by_code(published, "posts", "reported_by_code") == {"R-HELD-BACK": 1, "R-KID": 1, "R-KRAVTYPE-UNKNOWN": 1}


def test_the_checks_warn_and_the_run_is_published(published):
    assert (published.exit_code, published.status) == (0, dg.DagsterRunStatus.SUCCESS)
    failed = {name: check for name, check in published.checks.items() if not check.passed}
    assert {name: check.severity for name, check in failed.items()} == {
        "every_delivery_accepted": dg.AssetCheckSeverity.WARN,
        "no_row_quarantined": dg.AssetCheckSeverity.WARN,
        "held_back_share": dg.AssetCheckSeverity.WARN,
    }
    assert failed["every_delivery_accepted"].metadata["deliveries"].value == 2
    assert failed["no_row_quarantined"].metadata["rows"].value == 5
    assert published.checks["reconciliation"].passed


def test_each_source_is_observed_and_each_document_and_the_analysts_database_is_materialized(published):
    assert set(published.observed) == {"kilde/mva", "kilde/skatt"}
    mva, skatt = published.observed["kilde/mva"], published.observed["kilde/skatt"]
    assert (mva["last delivery"].value, mva["rows"].value, mva["max_age_days"].value) == ("000001 (full)", 8, 3)
    assert (skatt["last delivery"].value, skatt["refused"].value) == ("none in force", 1)
    made = {"dokument/oversikt", "dokument/krav", "dokument/innbetalinger", "dokument/utbetalinger", "analytics"}
    assert made <= set(published.counted)
    assert {"parts", "parts_held_back", "posts"} <= set(published.counted["dokument/krav"])
    assert "SELECT kravgruppe" in published.counted["analytics"]["query"].value


def test_a_check_says_what_a_person_reads(published):
    rows = published.checks["no_row_quarantined"]
    assert rows.description.startswith("L2-PART-UNKNOWN × 2, ")
    assert "| L2-CLAIM-SUM | mva | 000001 |" in rows.metadata["findings"].value
    assert "*To do:* have the source correct the row" in rows.metadata["findings"].value


def test_a_check_says_what_it_looked_at_and_its_limit(published):
    share = published.checks["held_back_share"]
    assert not share.passed and share.severity == dg.AssetCheckSeverity.WARN
    assert share.description.startswith("200.000% of 1 parts are held back, the limit is 1000.000%")
    assert (share.metadata["share"].value, share.metadata["limit"].value) == (2.0, 10.0)
    assert (
        "| mva | 000001 (full) | 2026-11-22 23:00 | 1 | 3 | 8 |"
        in published.checks["sources_usable"].metadata["sources"].value
    )


def test_a_night_with_warnings_looks_different_from_one_without(published):
    assert published.run.tags["kravoversikt/outcome"] == "published"
    assert published.run.tags["kravoversikt/warnings"] == "7"
    assert published.counted["snapshot"]["warnings"].value == 7
    assert published.counted["snapshot"]["summary"].value.startswith("**Published with warnings:** L1-")
    level, last = published.said[-1]
    assert level == logging.WARNING
    assert last.startswith(f"night of {S}: published, with warnings: L1-GAP × 1, L1-MANIFEST-FIELD × 1, L2-")


def test_the_snapshot_has_pictures_that_the_ui_shows_at_once(published):
    shown = published.counted["snapshot"]
    for name in ("kroner per kravgruppe", "kroner by age of debt", "seconds per stage", "refused, last nights"):
        assert shown[name].value.partition("](data:image/svg+xml;base64,")[0].startswith("![")
        assert len(shown[name].value) < 1000
    assert shown["refused"].value == 7


def test_the_log_tells_each_stage_begin_and_end(published):
    told = [words for _, words in published.said]
    for stage in ("accept", "check", "spread", "build", "reconcile", "publish"):
        begin, end = (
            next(n for n, words in enumerate(told) if words.startswith(f"{stage}: {what}"))
            for what in ("begins", "done in")
        )
        assert begin < end


def test_a_run_from_the_command_line_is_in_the_timeline_and_the_jobs_history(published):
    """Both leave out runs that are of no code location."""
    origin = published.run.remote_job_origin
    assert (origin.location_name, origin.repository_origin.repository_name) == (LOCATION, "__repository__")
    dagster = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    named = {dagster["dagster"]["code_location_name"], dagster["dg"]["project"]["code_location_name"]}
    assert named == {LOCATION}


def test_no_process_is_started_to_capture_what_is_printed_and_nothing_of_the_event_log_stays_beside_it(published):
    assert list(published.dagster.rglob("compute_logs")) == []
    assert list(published.dagster.rglob("*-wal")) == []


def test_the_event_log_is_held_open_from_event_to_event(tmp_path):
    """Each is there for others to read at once; SQLite's log is written back when the run is done with it."""
    names = ("runs.db-wal", "runs/index.db-wal", "runs/a-run.db-wal")
    logs = [tmp_path / "history" / name for name in names]
    run = dg.DagsterRun(job_name="night", run_id="a-run")
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.DagsterInstance.from_config(str(tmp_path)) as other,
    ):
        with held_open(instance, tmp_path, "a-run"):
            instance.report_engine_event("some words", run)
            assert all(log.is_file() for log in logs)
            assert logs[-1].stat().st_size > 0
            assert [entry.dagster_event.message for entry in other.all_logs("a-run")] == ["some words"]
        assert not any(log.exists() for log in logs)
        assert [entry.dagster_event.message for entry in other.all_logs("a-run")] == ["some words"]


def test_where_events_go_elsewhere_there_is_nothing_to_hold(tmp_path):
    (tmp_path / "history" / "runs").mkdir(parents=True)
    with dg.DagsterInstance.ephemeral() as instance, held_open(instance, tmp_path, "a-run"):
        pass
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_database_that_cannot_be_opened_is_not_held(tmp_path):
    database = tmp_path / "history" / "runs.db"
    database.parent.mkdir()
    database.write_bytes(b"no database" * 100)
    with dg.DagsterInstance.ephemeral() as instance, held_open(instance, tmp_path, "a-run"):
        pass
    assert database.read_bytes() == b"no database" * 100


def test_a_check_that_stops_ends_the_run_before_it_builds(tmp_path):
    stopped = night(tmp_path)
    assert (stopped.exit_code, stopped.status) == (1, dg.DagsterRunStatus.FAILURE)
    check = stopped.checks["held_back_share"]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert "L3-HELD-BACK" in next(iter(check.metadata))
    assert set(stopped.counted) == {"deliveries", "posts"}
    [failure] = stopped.failed
    assert failure.error.message.startswith(
        "stopped by L3-HELD-BACK too many parts are held back: 2 of 1, the limit is"
    )
    assert "to do: find the cause under level 2" in failure.error.message
    assert failure.error.stack == []
    assert "**L3-HELD-BACK**" in failure.user_failure_data.metadata["what to do"].value
    assert stopped.run.tags["kravoversikt/stopped-by"] == "L3-HELD-BACK"
    assert (stopped.said[-1][0], stopped.run.tags["kravoversikt/outcome"]) == (logging.ERROR, "stopped")
