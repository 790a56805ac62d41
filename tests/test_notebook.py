"""The notebook of plots, run headless: every cell, over a home of two nights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nights import Nights
from tests.test_analytics_page import nights_with_faults

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow
RUN = """
from analysis.notebook import app
outputs, _ = app.run()
print("\\n".join(output.text for output in outputs if output is not None))
"""


def shown(home: Path) -> str:
    """All that the cells show: text, and plots with their values."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "--home", str(home)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_cell_shows_what_the_views_have(tmp_path):
    found = shown(nights_with_faults(Nights(tmp_path)).home)
    for words in (
        "The night of 2026-11-23",
        "3 parts with documents, 3 held back",
        "ikke forfalt",
        "L2-PLACEMENT-OVER",
        "this night",
        "2026-11-22",
    ):
        assert words in found, words
    assert "This is the first night" not in found
    assert "None are on record" not in found
