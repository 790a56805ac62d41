"""A stage knows of those before it what they have left on disk: a process for each gives what one process gives."""

import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import write_delivery
from transforms.home.snapshot import FINDINGS, HELD_BACK, QUARANTINED, SAME, TABLE_NAMES, read_manifest
from transforms.receipts import STAGES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
A, B, C, D = (organisation_number(number) for number in range(1, 5))
LATER = S + timedelta(days=1)
FIRST = rows(
    *(part(A), part(B), part(C), part(D), innbetaling("I", B, 80)),
    *(krav("K", A, 100), kravforfall("F", "K", 100, "2026-01-15"), plassering("P", "INNBETALING", "F", "I", 60)),
    *(krav("L", C, 5), kravforfall("G", "L", 5, S)),
)
SECOND = rows(innbetaling("I", B, 90), krav("BAD", D, 1))
"""Builds A and B, and holds D back; the date moves C."""

ONE_STAGE = """
import sys
from datetime import date
from pathlib import Path
from transforms.night import Night
from transforms.run import Settings
inbox, home, day, stage = sys.argv[1:]
Night(Settings(Path(inbox), Path(home), date.fromisoformat(day), "0002", memory="500MB", max_held_back=1)).do(stage)
"""


def told(home: Path) -> tuple[object, ...]:
    """All that analysts see, and what the snapshot's manifest says of what it is made of and what was counted."""
    with duckdb.connect(str(home / "current" / "analytics.duckdb"), read_only=True) as connection:
        tables = {name: sorted(connection.execute(f"FROM {name}").fetchall(), key=repr) for name in TABLE_NAMES}
    found = {
        file: sorted(pl.read_parquet(home / "current" / file).rows(), key=repr)
        for file in (FINDINGS, HELD_BACK, QUARANTINED, SAME)
    }
    manifest = read_manifest((home / "current").resolve()).model_dump()
    costs = {"seconds", "peak_memory_mb"}
    stages = {
        stage: {name: n for name, n in counts.items() if name not in costs}
        for stage, counts in manifest.pop("stages").items()
    }
    documents = {name: file for name, file in manifest.pop("files").items() if name.startswith("documents/")}
    del manifest["made_at"]
    return tables, found, manifest, stages, documents


def test_a_process_for_each_stage(nights: Nights, tmp_path):
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", FIRST)
    nights.publish()
    write_delivery(nights.inbox, "mva", 2, "endring", SECOND)
    apart = Nights(tmp_path / "apart")
    shutil.copytree(nights.home, apart.home, symlinks=True)
    asked = {"allow_date": False, "max_held_back": 1, "warn_held_back": 0.002, "max_age_days": 3, "max_loss": 0.2}
    together = nights.publish(LATER, **asked)
    assert [receipt.run for receipt in together.report.receipts.values()] == ["0002"] * 6
    for stage in STAGES:
        words = [str(nights.inbox), str(apart.home), str(LATER), stage]
        subprocess.run([sys.executable, "-c", ONE_STAGE, *words], cwd=ROOT, check=True)
    assert apart.documents() == nights.documents()
    assert told(apart.home) == told(nights.home)
    counts = read_manifest((apart.home / "current").resolve()).stages
    assert (counts.build.built_parts, counts.build.redated_parts, counts.build.held_back_parts) == (2, 1, 1)
