"""The notebook of plots, run headless: every cell, with and without what is made of past nights."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.nights import Nights
from tests.test_analytics_page import nights_with_faults
from transforms.home.snapshot import ANALYTICS

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".venv-notebook" / "bin" / "python"
HAS_MARIMO = OWN.exists() or importlib.util.find_spec("marimo") is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_MARIMO, reason="marimo is not installed: `make notebook` installs it"),
]
RUN = """
from analysis.notebook import app
outputs, _ = app.run()
print("\\n".join(output.text for output in outputs if output is not None))
"""


def shown(home: Path) -> str:
    """All that the cells show: text, and plots with their values."""
    python = OWN if OWN.exists() else sys.executable
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-c", RUN, "--home", str(home)], env=environment, cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PAST_NIGHTS = """
    CREATE OR REPLACE VIEW historikk_avvist AS
    SELECT DATE '2026-11-22' AS snapshotdato, 'mva' AS kilde, 'L2-OF-A-PAST-NIGHT' AS kode, 3 AS antall;
    CREATE OR REPLACE MACRO saldobro(fra := NULL, til := NULL) AS TABLE
    SELECT 'Skatt' AS kravgruppe, 40e6 AS aapning, 3e6 AS nye, -2e6 AS endret, -1e6 AS borte, 0.5e6 AS renter,
           40.5e6 AS lukning
"""


def test_every_cell_shows_what_the_views_have(tmp_path):
    home = nights_with_faults(Nights(tmp_path)).home
    shutil.copyfile(home / ANALYTICS, tmp_path / ANALYTICS)
    with duckdb.connect(str(tmp_path / ANALYTICS)) as connection:
        connection.execute(PAST_NIGHTS)
    found = shown(tmp_path)
    for words in (
        "The night of 2026-11-23",
        "3 parts with documents, 3 held back",
        "ikke forfalt",
        "L2-PLACEMENT-OVER",
        "lukning",
    ):
        assert words in found, words
    assert "L2-OF-A-PAST-NIGHT" in found
    assert "This is the first night" not in found
