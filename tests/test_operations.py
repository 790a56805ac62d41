"""The operator's file of settings: what it may say, and what a slip in it gives."""

from datetime import time
from pathlib import Path

import pytest

from pipelines import settings
from schemas.operations import Operations, OperationsError, Source, read_operations

SETTLED = """
published_by = 06:30:00
[sources.mva]
expected_by = 02:00:00
max_age_days = 1
[sources.renter]
required = false
[webhook]
url = "https://alarm.example/hook"
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "operations.toml"
    path.write_text(text, "utf-8")
    return path


def test_without_the_file_everything_has_its_default(tmp_path: Path) -> None:
    assert read_operations(tmp_path / "operations.toml") == Operations()
    assert Operations().of("mva") == Source(required=True, expected_by=None, max_age_days=None)


def test_what_the_file_says_is_taken_and_the_rest_has_its_default(tmp_path: Path) -> None:
    settled = read_operations(_file(tmp_path, SETTLED))
    assert settled.published_by == time(6, 30)
    assert settled.of("mva") == Source(expected_by=time(2), max_age_days=1)
    assert not settled.of("renter").required
    assert settled.webhook is not None
    assert settled.webhook.attempts == 5


def test_all_that_is_wrong_is_told_at_once_and_no_value_is_quoted(tmp_path: Path) -> None:
    text = 'publisert = 1\nwarn_held_back = 2\n[webhook]\nurl = "secret word"\n'
    with pytest.raises(OperationsError) as caught:
        read_operations(_file(tmp_path, text))
    told = str(caught.value)
    assert all(field in told for field in ("publisert", "warn_held_back", "webhook.url"))
    assert "secret word" not in told


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(OperationsError, match=r"is not TOML in UTF-8: .*line 2"):
        read_operations(_file(tmp_path, "owner = 'a'\n[sources\n"))


def test_a_folder_in_the_files_place_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OperationsError, match="cannot be read: Is a directory"):
        read_operations(tmp_path)


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    _file(tmp_path / "home", 'owner = "home"')
    assert settings.operations(tmp_path / "home").owner == "home"
    monkeypatch.setenv("KRAVOVERSIKT_OPERATIONS", str(_file(tmp_path, 'owner = "elsewhere"')))
    assert settings.operations(tmp_path / "home").owner == "elsewhere"
