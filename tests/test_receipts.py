"""Receipts fit only what they were made from: this night, this program, these stages before, these files."""

import itertools
import json
import shutil
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.receipts import (
    AcceptReceipt,
    BuildReceipt,
    CheckReceipt,
    PublishReceipt,
    Receipt,
    ReconcileReceipt,
    SpreadReceipt,
)
from schemas.refusals import Refusal
from schemas.report import AcceptCounts, BuildCounts, CheckCounts, PublishCounts, ReconcileCounts, SpreadCounts
from schemas.snapshot import Reconciliation
from tests.manifests import accepted
from tests.plain.statement import part
from tests.small import S, Small
from transforms import receipts
from transforms.measure import Measured
from transforms.receipts import MAY_DIFFER, STAGES, MissingError
from transforms.run import Settings
from transforms.stops import stop

DELIVERY = accepted("mva", 1, type="full")
LEAVING = receipts.before("publish")
"""The stages that leave a receipt in the home: after ``publish`` the night is over."""


def receipts_of(run: Settings) -> Mapping[str, Receipt]:
    """One of each stage, as the stage leaves it: not bound to anything yet."""
    totals = Reconciliation(posts={"sum_krav": 10**40}, documents={"sum_krav": 10**40}, contradictions=0, rows={})
    return {
        "accept": AcceptReceipt(
            night=receipts.night_of(run),
            used={"mva": [DELIVERY]},
            accepted=[],
            refusals=[Refusal(1, "L1-SHA256", "krav-1.csv", "mva", 2)],
            lost=[],
            counts=AcceptCounts(accepted=1),
        ),
        "check": CheckReceipt(
            said={"mva": {"krav": 1}}, rows={"said": 1}, all_because="asked for", reports=[], counts=CheckCounts()
        ),
        "spread": SpreadReceipt(expected={"sum_krav": -(10**40)}, counts=SpreadCounts(buckets=1)),
        "build": BuildReceipt(snapshot=run.name, counts=BuildCounts(parts=1), stops=[stop("L3-SCHEMA", "krav")]),
        "reconcile": ReconcileReceipt(reconciliation=totals, counts=ReconcileCounts(totals=1)),
        "publish": PublishReceipt(counts=PublishCounts(snapshot=run.name)),
    }


FILES = {
    "accept": f"deliveries/{DELIVERY.folder}/krav/0.parquet",
    "check": ".work/0001/check/refused_keys.parquet",
    "spread": ".work/0001/spread/posts/krav/bucket=0/0.parquet",
    "build": f"snapshots/{S}-0001/documents/index.arrow",
}
"""A file that the stage leaves; the last leaves none."""


def file_of(run: Settings, stage: str) -> Path:
    """The file that a stage leaves, in another run than 0001 too."""
    return run.path / FILES[stage].replace("/0001/", f"/{run.night or run.run}/").replace("-0001/", f"-{run.run}/")


def done(run: Settings, *stages: str) -> list[Receipt]:
    """The stages leave a file each, and their receipts."""
    made = receipts_of(run)
    for stage in stages:
        if stage in FILES:
            file_of(run, stage).parent.mkdir(parents=True, exist_ok=True)
            file_of(run, stage).write_bytes(b"abc")
    return [receipts.write(run, stage, made[stage], Measured(1.25, 7), bound_to(run, stage)) for stage in stages]


def bound_to(run: Settings, stage: str) -> str:
    """What the stage's receipt is bound to: the one before it, as it would be given it."""
    before = receipts.before(stage)
    return receipts.through(run, before[-1]).sha256 if before else ""


@pytest.fixture
def run(small):
    return small.settings()


@pytest.fixture
def night(run):
    """A night of which every stage is done."""
    done(run, *LEAVING)
    return run


def path(run, stage):
    return run.work / "receipts" / f"{stage}.json"


def fits(run):
    return list(receipts.fitting(run))


def missing(run, last="publish"):
    with pytest.raises(MissingError) as refused:
        receipts.through(run, last)
    return refused.value.stage, str(refused.value), refused.value.done


# as written, so read


def test_receipts_are_read_as_they_were_written(run):
    """Sums of any size, refusals and all; with the run, and what binds each to what it was made from."""
    written = done(run, *LEAVING)
    assert list(receipts.through(run, "reconcile").values()) == written
    assert [type(receipt) for receipt in written] == [STAGES[stage] for stage in LEAVING]
    for receipt, made in zip(written, receipts_of(run).values(), strict=False):
        assert receipt.model_dump(exclude={"run", "upstream", "files", "counts"}) == made.model_dump(
            exclude={"run", "upstream", "files", "counts"}
        )
        spent = {"seconds": 1.25, "peak_memory_mb": 7}
        assert receipt.counts == made.counts.model_copy(update=spent)
        assert receipt.run == "0001"


def test_publishing_leaves_no_receipt_and_is_told_with_what_it_cost(night):
    written = receipts.write(
        night, "publish", receipts_of(night)["publish"], Measured(1.254, 7), bound_to(night, "publish")
    )
    assert (written.counts.seconds, written.counts.peak_memory_mb) == (1.25, 7)
    assert not path(night, "publish").exists()


def test_a_receipt_names_the_files_that_its_stage_left_and_their_bytes(run):
    written = dict(zip(LEAVING, done(run, *LEAVING), strict=True))
    named = {stage: receipt.files for stage, receipt in written.items()}
    assert named == {**{stage: {file: 3} for stage, file in FILES.items()}, "reconcile": {}}


def test_the_first_is_bound_to_nothing_and_each_other_to_the_one_before(run):
    upstream = [receipt.upstream for receipt in done(run, *LEAVING)]
    assert upstream[0] == "" and len(set(upstream)) == 5
    assert all(len(sha256) == 64 for sha256 in upstream[1:])


@pytest.mark.parametrize("last", LEAVING)
def test_what_the_stages_have_left_through_one_of_them(night, last):
    assert list(receipts.through(night, last)) == [*receipts.before(last), last]


def test_each_stage_finds_those_before_it_by_name(night):
    left = receipts.through(night, "reconcile")
    by_name = left.accept, left.check, left.spread, left.build, left.reconcile
    assert list(map(type, by_name)) == list(STAGES.values())[:5]


# which was not done


def test_before_the_first_stage_nothing_was_done(run):
    assert fits(run) == []
    assert missing(run) == ("accept", "accept was not done", False)


@pytest.mark.parametrize("stage", list(LEAVING)[1:])
def test_which_stage_was_not_done(run, stage):
    done(run, *receipts.before(stage))
    assert missing(run) == (stage, f"{stage} was not done", False)
    assert fits(run) == receipts.before(stage)


@pytest.mark.parametrize("stage", LEAVING)
def test_a_stage_that_is_done_again_is_forgotten_with_those_after_it(night, stage):
    receipts.forget(night, stage)
    assert fits(night) == receipts.before(stage)
    assert sorted(file.stem for file in (night.work / "receipts").iterdir()) == sorted(receipts.before(stage))


# which is of another night


def other_night(night, other):
    """What is said of what ``night`` has left when ``other`` goes on; and nothing of it fits."""
    assert fits(night) == list(LEAVING)
    assert fits(other) == []
    stage, why, was_done = missing(other)
    assert (stage, was_done) == ("accept", True)
    return why


def test_another_date(night):
    other = replace(night, snapshot_date=S + timedelta(days=1))
    assert other_night(night, other) == "accept was done for another date"


def test_another_snapshot_has_been_published_since(small, night):
    small.publish(part("300000118"))
    assert missing(night) == ("accept", "accept was done before another snapshot was published", True)


def test_another_program(night, monkeypatch):
    monkeypatch.setattr(receipts, "CODE", receipts.CODE | {"code": "0" * 64})
    assert missing(night) == ("accept", "accept was done by another program, or with other reference data", True)


@pytest.mark.parametrize("name", ["rates", "kravtyper"])
def test_other_reference_data(small: Small, name):
    file = small.folder / f"{name}.csv"
    content = getattr(small.settings(), name).read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(content), "utf-8")
    run = small.settings(**{name: file})
    done(run, *LEAVING)
    assert fits(run) == list(LEAVING)
    file.write_text("".join(content[:-1]), "utf-8")
    assert missing(run) == ("accept", "accept was done by another program, or with other reference data", True)


OTHER = {
    **{"max_held_back": 0.5, "max_age_days": 9, "max_loss": 0.5, "full": True, "allow_date": True},
    **{"warn_held_back": 0.1, "source_max_age": {"mva": 1}},
}


@pytest.mark.parametrize("name", OTHER)
def test_other_settings(night, name):
    assert other_night(night, replace(night, **{name: OTHER[name]})) == "accept was done with other settings"


@pytest.mark.parametrize("name", ["inbox", "rates", "kravtyper"])
def test_another_inbox_or_other_files_of_reference_data(night, tmp_path, name):
    (tmp_path / "other").write_bytes(getattr(night, name).read_bytes() if name != "inbox" else b"")
    assert other_night(night, replace(night, **{name: tmp_path / "other"})) == "accept was done with other settings"


@pytest.mark.parametrize(("name", "value"), [("run", "0002"), ("workers", 7), ("memory", "9GB"), ("keep", 1)])
def test_another_run_of_the_same_night_goes_on(night, name, value):
    assert fits(replace(night, night=receipts.begun(night), **{name: value})) == list(LEAVING)


def test_paths_may_be_told_in_another_way(night, monkeypatch):
    monkeypatch.chdir(night.home.parent)
    assert fits(replace(night, home=night.home.relative_to(night.home.parent))) == list(LEAVING)


def test_the_night_to_go_on_with_is_the_last_that_was_begun(night):
    """Others are left where a run lost its lock in a stage, or nothing is."""
    assert receipts.begun(replace(night, run="0002")) == "0001"
    other = replace(night, run="0003", night="0003")
    done(other, "accept")
    assert receipts.begun(replace(night, run="0004")) == "0003"
    shutil.rmtree(night.nights)
    assert receipts.begun(replace(night, run="0004")) == "0004"


def test_of_every_setting_it_is_known_whether_it_may_differ():
    tested = {*OTHER, "inbox", "rates", "kravtyper"}
    assert {field.name for field in fields(Settings)} == tested | MAY_DIFFER | {"home"}
    assert tested.isdisjoint(MAY_DIFFER)


# which no longer fits what was done before it, or what it left


@pytest.mark.parametrize(("again", "after"), list(itertools.pairwise(LEAVING)))
def test_a_stage_before_was_done_again(night, again, after):
    """Though it left the same, and though the later receipts are put back: they were of what was there before."""
    later = {file: file.read_bytes() for file in (night.work / "receipts").iterdir()}
    another_run = replace(night, run="0002", night="0001")
    receipts.forget(another_run, again)
    receipts.write(another_run, again, receipts_of(night)[again], Measured(), bound_to(another_run, again))
    for stage in set(LEAVING) - {*receipts.before(again), again}:
        path(night, stage).write_bytes(later[path(night, stage)])
    assert missing(night) == (after, f"{after} was done before the stage before it was done again", True)
    assert fits(night) == [*receipts.before(again), again]


@pytest.mark.parametrize("stage", FILES)
@pytest.mark.parametrize("becomes", ["gone", "longer", "empty", "a folder"])
def test_a_file_that_a_stage_left_is_another(night, stage, becomes):
    file = night.path / FILES[stage]
    file.unlink()
    if becomes == "a folder":
        file.mkdir()
    elif becomes != "gone":
        file.write_bytes({"longer": b"abcd", "empty": b""}[becomes])
    assert missing(night) == (stage, f"{stage} left files that are gone, or not as long as they were", True)
    assert fits(night) == receipts.before(stage)


@pytest.mark.parametrize("stage", LEAVING)
@pytest.mark.parametrize("spoil", ["cut", "empty", "null", "another's", "with more"])
def test_a_receipt_that_cannot_be_read(night, stage, spoil):
    content = path(night, stage).read_bytes()
    other = "accept" if stage != "accept" else "check"
    path(night, stage).write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "null": b"null",
            "another's": path(night, other).read_bytes(),
            "with more": json.dumps(json.loads(content) | {"more": 1}).encode(),
        }[spoil]
    )
    assert missing(night) == (stage, f"{stage} left a receipt that cannot be read", True)
    assert fits(night) == receipts.before(stage)


def test_what_comes_after_the_last_stage_asked_for_is_not_looked_at(night):
    path(night, "build").write_bytes(b"")
    assert list(receipts.through(night, "spread")) == ["accept", "check", "spread"]
