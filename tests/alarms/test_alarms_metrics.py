"""The figures for node_exporter's textfile collector."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from alarms.metrics import write_metrics
from alarms.seen import Seen
from schemas.report import AcceptCounts, BuildCounts, CheckCounts, Stages
from tests.alarms.test_alarms_messages import EVENING_BEFORE, manifest, seen, used

STAGES = Stages(
    accept=AcceptCounts(seconds=1.5, peak_memory_mb=100),
    check=CheckCounts(rows={"krav": 7}, posts={"part": 200}, held_back=1, leads_nowhere=1, quarantined=3),
    build=BuildCounts(parts=199),
)


def written(folder, night: Seen, waiting: int = 0) -> dict[str, float]:
    """Every figure by its name and label, without what all names begin with."""
    write_metrics(folder, night, waiting)
    families = text_string_to_metric_families((folder / "metrics.prom").read_text("utf-8"))
    return {
        " ".join([sample.name.removeprefix("kravoversikt_night_"), *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_figures_of_a_night(tmp_path):
    night = seen(
        published=manifest(used("mva"), used("skatt", EVENING_BEFORE - timedelta(days=2))),
        findings={"L2-CLAIM-SUM": 3},
        stages=STAGES,
    )
    begun = datetime(2026, 11, 23, 2, tzinfo=UTC)
    figures = written(tmp_path, replace(night, begun=begun), waiting=2)
    assert figures["last_run published"] == 1
    assert figures["last_run failed"] == 0
    assert figures["last_run_begun_timestamp_seconds"] == begun.timestamp()
    assert figures["published_timestamp_seconds"] == night.published.made_at.timestamp()
    assert figures["source_extract_timestamp_seconds mva"] == EVENING_BEFORE.timestamp()
    assert (figures["source_age_days mva"], figures["source_age_days skatt"]) == (1, 3)
    assert (figures["stage_seconds accept"], figures["stage_peak_memory_bytes accept"]) == (1.5, 100e6)
    assert (figures["rows krav"], figures["findings L2-CLAIM-SUM"]) == (7, 3)
    assert (figures["held_back_share"], figures["held_back_parts"], figures["quarantined_rows"]) == (0.01, 1, 3)
    assert (figures["parts_with_documents"], figures["alarms_waiting"], figures["home_damaged"]) == (199, 2, 0)


def test_after_a_night_that_stopped_what_is_published_stays_in_the_figures(tmp_path):
    figures = written(tmp_path, seen("stopped", published=manifest(used("mva"), run="r0")))
    assert figures["last_run stopped"] == 1
    assert figures["source_age_days mva"] == 1
    assert not any(name.startswith("stage_seconds") for name in figures)


def test_a_home_that_cannot_be_read_is_a_figure_too(tmp_path):
    figures = written(tmp_path, seen("failed", damage="current leads to no snapshot"))
    assert figures["home_damaged"] == 1
    assert "published_timestamp_seconds" not in figures


def test_it_is_written_whole_beside_nothing_else(tmp_path):
    written(tmp_path, seen())
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.prom"]
