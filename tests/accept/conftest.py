"""A fresh inbox and home."""

from pathlib import Path

import pytest

from tests.accept.accepting import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
