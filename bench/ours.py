"""Our own nights, as the command line runs them, and what their reports say."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import Cost, run

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).parent / "kravoversikt"
CHECKING = ("accept", "check", "reconcile")
"""The stages that the other ways have nothing of: they trust what is delivered."""


@dataclass(frozen=True)
class Night:
    """What a night cost, and its report."""

    cost: Cost
    report: dict[str, Any]

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Per stage ``seconds``, ``peak_memory_mb`` and what it counted."""
        stages: dict[str, dict[str, Any]] = self.report["stages"]
        return stages

    @property
    def unchecked_seconds(self) -> float:
        """The seconds without acceptance, quarantine and reconciliation."""
        checking: float = sum(self.stages[name]["seconds"] for name in CHECKING if name in self.stages)
        return self.cost.seconds - checking


def generate(inbox: Path, parts: int, nights: int, day: str) -> None:
    """Makes an inbox unless it is there: the same parts and nights give the same bytes."""
    if not inbox.exists():
        unfinished = inbox.with_name(inbox.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        how_much = ["--parts", str(parts), "--nights", str(nights), "--date", day]
        command = [str(COMMAND), "generate", str(unfinished), *how_much]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        unfinished.rename(inbox)


def night(inbox: Path, home: Path, day: str, log: Path, *options: str) -> Night:
    """Runs a night; raises ``FailedError`` when it is not published."""
    command = [str(COMMAND), "run", "--inbox", str(inbox), "--home", str(home), "--date", day, *options]
    cost = run(command, ROOT, log)
    newest = max((home / "runs").glob("*/report.json"))
    return Night(cost, json.loads(newest.read_text("utf-8")))
