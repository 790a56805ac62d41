"""What a night is run with, and where it works; what its stages took."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from transforms import measure
from transforms.home.path import HomePathError
from transforms.measure import measured
from transforms.root import ROOT
from transforms.run import Settings

S = date(2026, 11, 23)


def test_a_night_works_below_its_home_and_makes_a_snapshot_of_its_date_and_run(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    settings = Settings(Path("inbox"), Path("home"), S, "abc")
    assert settings.path == (tmp_path / "real").resolve()  # absolute: it stands in the analysts' views
    assert settings.work == settings.path / ".work" / "abc"
    assert replace(settings, night="def").work == settings.path / ".work" / "def"  # it goes on with another's
    assert settings.snapshot(settings.name) == settings.path / "snapshots" / "2026-11-23-abc"


def test_a_home_that_the_engines_cannot_name(tmp_path):
    with pytest.raises(HomePathError):
        Settings(tmp_path, tmp_path / "home*", S, "abc")


def test_what_is_not_said_is_the_contracts(tmp_path):
    """CONTRACT section 2, level 3; the project's own reference data."""
    settings = Settings(tmp_path, tmp_path, S, "abc")
    assert (settings.max_held_back, settings.max_age_days, settings.max_loss) == (0.01, 3, 0.2)
    assert not settings.full and not settings.allow_date
    assert {settings.rates.parent, settings.kravtyper.parent} == {ROOT / "data" / "reference"}


def test_a_stage_is_measured_also_when_it_fails(monkeypatch):
    times = iter([10.0, 12.5, 20.0, 20.25])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(times))
    with measured() as stage:
        assert (stage.seconds, stage.peak_mb) == (0, 0)
    assert stage.seconds == 2.5
    with pytest.raises(RuntimeError), measured() as failed:
        raise RuntimeError
    assert failed.seconds == 0.25 and failed.peak_mb > 0


def test_the_peak_is_the_stages_own_where_the_kernel_tells(monkeypatch, tmp_path):
    status = tmp_path / "status"
    status.write_text("VmPeak:\t 9999999 kB\nVmHWM:\t 2097152 kB\n")
    monkeypatch.setattr(measure, "_STATUS", status)
    monkeypatch.setattr(measure, "_CLEAR", tmp_path / "clear_refs")
    with measured() as stage:
        assert (tmp_path / "clear_refs").read_text() == "5"  # the kernel forgets the peak so far
    assert stage.peak_mb == 2048


def test_the_peak_is_the_processes_so_far_where_it_does_not(monkeypatch, tmp_path):
    monkeypatch.setattr(measure, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(measure, "_CLEAR", tmp_path / "none" / "none")
    monkeypatch.setattr(measure.resource, "getrusage", lambda _: type("Usage", (), {"ru_maxrss": 3 << 20}))
    with measured() as stage:
        pass
    assert stage.peak_mb == 3072
