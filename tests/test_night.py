"""How a night is conducted: what a stage is given, what is left of one that fails, and what is told at the end.

The stages here are stand-ins that leave what is said; those of whole nights are in ``tests.ordinary`` and others.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl
import pytest

from schemas.receipts import Receipt
from schemas.refusals import Refusal
from tests.small import S
from tests.test_receipts import FILES, file_of, receipts_of
from transforms import receipts
from transforms.home import ballast
from transforms.home.findings import findings
from transforms.home.report import StoppedError
from transforms.home.snapshot import FINDINGS
from transforms.measure import Measured
from transforms.night import Night
from transforms.receipts import STAGES, Left
from transforms.stops import stop


@dataclass
class Conducted(Night):
    """A night whose stages leave a file and a receipt, or do something ``instead``; ``given``: what each got."""

    instead: dict[str, Callable[[], object]] = field(default_factory=dict)
    given: dict[str, list[str]] = field(default_factory=dict)

    def _do(self, stage: str, left: Left) -> Receipt:
        self.given[stage] = list(left)
        if stage in FILES:
            file = file_of(self.settings, stage)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"abc")
        if stage == "check":
            findings([Refusal(2, "L2-CLAIM-SUM", "")]).write_parquet(self.settings.checked / FINDINGS)
        if stage in self.instead:
            self.instead[stage]()
        made = receipts_of(self.settings)[stage]
        return made.model_copy(update={"stops": []})


@pytest.fixture
def night(small):
    return Conducted(small.settings())


def through(night: Conducted, last: str) -> None:
    for stage in [*receipts.before(last), last]:
        night.do(stage)


def raising(error: BaseException) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def report_of(night: Conducted) -> dict[str, object]:
    (path,) = night.settings.path.glob("runs/*/report.json")
    return json.loads(path.read_text())


def found_in(night: Conducted) -> list[str]:
    (path,) = night.settings.path.glob("runs/*/findings.parquet")
    return pl.read_parquet(path)["kode"].to_list()


def codes(stops: list[Refusal]) -> list[str]:
    return [stop.code for stop in stops]


def test_each_stage_is_given_what_those_before_it_have_left(night):
    through(night, "publish")
    assert night.given == {stage: receipts.before(stage) for stage in STAGES}
    assert list(night.report.receipts) == list(STAGES)


def test_a_stage_is_measured_and_leaves_its_receipt(night):
    receipt = night.do("accept")
    assert receipt.counts.peak_memory_mb > 0
    assert receipts.through(night.settings, "accept")["accept"] == receipt


def test_another_process_goes_on(night):
    """With a night of its own, which tells of all that was done."""
    through(night, "check")
    other = Conducted(replace(night.settings, run="0002"))
    other.do("spread")
    assert other.given == {"spread": ["accept", "check"]}
    assert list(other.report.receipts) == ["accept", "check", "spread"]


def test_a_stage_done_again_takes_back_what_was_done_after_it(night):
    through(night, "reconcile")
    night.do("check")
    assert list(receipts.fitting(night.settings)) == ["accept", "check"]


@pytest.mark.parametrize(
    ("done", "stage", "code", "message"),
    [
        ("accept", "spread", "L3-STAGE-MISSING", "check was not done"),
        ("build", "publish", "L3-NOT-RECONCILED", "reconcile was not done"),
    ],
)
def test_a_stage_before_was_not_done(night, done, stage, code, message):
    through(night, done)
    with pytest.raises(StoppedError) as stopped:
        night.do(stage)
    assert [(reason.code, reason.message) for reason in stopped.value.reasons] == [(code, message)]
    assert codes(night.report.stops) == [code]
    assert stage not in night.given
    assert list(receipts.fitting(night.settings)) == [*receipts.before(done), done]  # nothing is lost


def test_a_stage_before_is_of_another_night(night):
    through(night, "check")
    other = Conducted(replace(night.settings, max_age_days=9))
    with pytest.raises(StoppedError, match="accept was done with other settings") as stopped:
        other.do("spread")
    assert codes(stopped.value.reasons) == ["L3-STAGE-OTHER"]
    assert list(receipts.fitting(night.settings)) == ["accept", "check"]


def test_a_night_that_was_stopped_before_says_so_and_not_what_it_lacks(night, monkeypatch):
    """The stage that found the reason left a receipt with it; the one after it raised it, and left none."""
    through(night, "accept")
    stopped = receipts_of(night.settings)["check"].model_copy(update={"stops": [stop("L3-HELD-BACK", "1 of 2")]})
    (night.settings.checked).mkdir(parents=True)
    receipts.write(night.settings, "check", stopped, Measured(), receipts.through(night.settings, "accept").sha256)
    with pytest.raises(StoppedError) as refused:
        Conducted(replace(night.settings, run="0002")).do("build")
    assert codes(refused.value.reasons) == ["L3-HELD-BACK"]


@pytest.mark.parametrize("stage", ["check", "spread", "build"])
def test_of_a_stage_that_fails_nothing_is_left_and_of_those_before_it_all(night, stage):
    night.instead[stage] = raising(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        through(night, stage)
    assert not (night.settings.path / FILES[stage]).exists()
    assert all((night.settings.path / FILES[before]).exists() for before in receipts.before(stage))
    assert list(receipts.fitting(night.settings)) == receipts.before(stage)
    del night.instead[stage]
    night.do(stage)
    assert list(receipts.fitting(night.settings)) == [*receipts.before(stage), stage]


def test_where_there_is_no_room_nothing_of_the_night_is_left(night):
    night.instead["build"] = raising(OSError(28, "No space left on device"))
    ballast.lay(night.settings.path)
    with pytest.raises(OSError, match="No space left"):
        through(night, "build")
    assert not (night.settings.path / ballast.BALLAST).exists()  # Dagster tells of it before the night does
    night.finish()
    assert not night.settings.nights.exists()
    assert not night.settings.snapshot(night.settings.name).exists()
    assert (night.settings.path / FILES["accept"]).exists()  # accepted is accepted
    assert found_in(night) == ["L1-SHA256", "L2-CLAIM-SUM"]  # what it found is told


def test_what_may_pass_takes_nothing_with_it(night):
    night.instead["build"] = raising(PermissionError(13, "Permission denied"))
    ballast.lay(night.settings.path)
    with pytest.raises(PermissionError):
        through(night, "build")
    assert (night.settings.path / ballast.BALLAST).exists()
    night.finish()
    assert not (night.settings.path / ballast.BALLAST).exists()  # its report may be the first to find no room
    assert list(receipts.fitting(night.settings)) == ["accept", "check", "spread"]


@pytest.mark.parametrize("stage", receipts.before("publish"))
def test_who_loses_the_lock_in_a_stage_leaves_no_receipt_and_touches_nothing_of_who_has_it(night, stage):
    """Another has begun meanwhile, and has come as far."""
    other = Conducted(replace(night.settings, run="0002", night=""))

    def lose():
        night.lock_is_held = lambda: False
        through(other, stage)

    night.instead[stage] = lose
    with pytest.raises(StoppedError, match="L3-LOCK-LOST"):
        through(night, stage)
    mine = receipts.fitting(other.settings)
    assert [receipt.run for receipt in mine.values()] == ["0002"] * (len(receipts.before(stage)) + 1)
    through_the_rest = list(STAGES)[list(STAGES).index(stage) + 1 :]
    for later in through_the_rest:
        assert other.do(later).run == "0002"


@pytest.mark.parametrize("stage", ["check", "publish"])
def test_over_a_damaged_home_a_stage_alone_says_so(night, stage):
    through(night, "accept")
    (night.settings.path / "current").symlink_to("nowhere")
    with pytest.raises(StoppedError, match="L3-HOME-DAMAGED"):
        night.do(stage)
    assert codes(night.report.stops) == ["L3-HOME-DAMAGED"]


def test_a_build_done_again_by_another_run_takes_the_place_of_the_one_before(night):
    through(night, "build")
    first = night.settings.snapshot(night.settings.name)
    first.mkdir(parents=True, exist_ok=True)
    Conducted(replace(night.settings, run="0002", night="")).do("build")
    assert not first.exists()


def test_the_reasons_of_a_stage_that_stops_are_the_reports(night):
    night.instead["spread"] = raising(StoppedError([stop("L3-SOURCE-OLD", "9 days", "mva", 1)]))
    with pytest.raises(StoppedError):
        through(night, "spread")
    assert codes(night.report.stops) == ["L3-SOURCE-OLD"]


def test_who_has_lost_the_lock_does_nothing(night):
    through(night, "check")
    night.lock_is_held = lambda: False
    with pytest.raises(StoppedError) as stopped:
        night.do("spread")
    assert codes(stopped.value.reasons) == ["L3-LOCK-LOST"]
    assert "spread" not in night.given


def test_what_is_half_done_when_the_lock_is_lost_may_be_another_runs(night):
    def lose():
        night.lock_is_held = lambda: False
        raise ZeroDivisionError

    night.instead["spread"] = lose
    with pytest.raises(ZeroDivisionError):
        through(night, "spread")
    assert (night.settings.path / FILES["spread"]).exists()


# the end


def test_the_report_of_a_night_that_failed(night):
    night.instead["spread"] = raising(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        through(night, "spread")
    night.report.failure = "failed in spread"
    night.finish()
    report = report_of(night)
    assert (report["outcome"], report["failure"]) == ("failed", "failed in spread")
    assert list(report["stages"]) == ["accept", "check"]
    assert report["deliveries"] == ["L1-SHA256 mva 000002: the file's sha256 is not the manifest's: krav-1.csv"]
    assert found_in(night) == ["L1-SHA256", "L2-CLAIM-SUM"]  # of the delivery, and the row that check found
    assert night.settings.work.exists()  # to go on from


def test_the_report_of_a_night_that_published(night):
    through(night, "publish")
    (night.settings.path / "current").symlink_to(f"snapshots/{S}-0001")
    night.finish()
    assert report_of(night)["outcome"] == "published"
    assert not night.settings.work.exists()
    assert (night.settings.path / FILES["accept"]).exists()


def test_a_night_whose_lock_is_lost_tells_so_whatever_else_was_met(night):
    through(night, "check")
    night.lock_is_held = lambda: False
    night.finish()
    assert report_of(night)["outcome"] == "stopped"
    assert found_in(night) == ["L1-SHA256", "L3-LOCK-LOST", "L2-CLAIM-SUM"]
    assert night.settings.work.exists()


def test_findings_that_cannot_be_read_leave_a_report_that_tells_where(night):
    through(night, "check")
    (night.settings.checked / FINDINGS).write_bytes(b"no Parquet")
    night.finish()
    report = report_of(night)
    assert report["outcome"] == "failed"
    assert str(report["failure"]).startswith("findings: ComputeError")
    assert found_in(night) == ["L1-SHA256"]
