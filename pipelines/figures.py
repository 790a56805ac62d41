"""The figures that the pictures of a night show: from what it published, and from the reports of the nights before.

Sums over all parts, and counts; nothing of anyone.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from schemas.report import CheckCounts, RunReport
from transforms.home.report import RUNS, read_report

NIGHTS = 14
"""So many of the last dates are shown."""
GROUPS = 10
"""So many kravgrupper are shown one by one, those with the largest sums; the rest as one."""

AGES = {"not due": 0, "1–30 days": 30, "31–90 days": 90, "91–365 days": 365, "1–3 years": 1095, "older": None}
"""How long after its due date a debt is, to this many days."""


@dataclass(frozen=True)
class Debts:
    """Kroner of what is published: ``by_group``, what remains of open krav; ``by_age``, of debit due dates."""

    by_group: dict[str, float] = field(default_factory=dict)
    by_age: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class OneNight:
    """The last run of a date: the share held back, rows and deliveries refused, seconds of each stage."""

    day: date
    published: bool
    held_back: float
    refused: int
    seconds: dict[str, float]


def debts(analytics: Path, day: date) -> Debts:
    """The sums over the analysts' views of a snapshot whose date is ``day``. Raises ``duckdb.Error``."""
    with duckdb.connect(str(analytics), read_only=True) as connection:
        groups = connection.execute(
            "SELECT kravgruppe, sum(gjenstaaende_beloep)::DOUBLE AS sum FROM krav WHERE aapent GROUP BY ALL "
            "ORDER BY abs(sum) DESC, kravgruppe"
        ).fetchall()
        cases = " ".join(f"WHEN days <= {most} THEN '{name}'" for name, most in AGES.items() if most is not None)
        ages = connection.execute(
            f"SELECT CASE {cases} ELSE 'older' END AS age, sum(rest)::DOUBLE FROM (SELECT gjenstaaende_beloep AS rest, "
            "?::DATE - forfallsdato AS days FROM kravforfall WHERE gjenstaaende_beloep > 0) GROUP BY ALL",
            [day],
        ).fetchall()
    found = dict(ages)
    return Debts(_few(groups), {name: found.get(name, 0.0) for name in AGES})


def _few(groups: list[tuple[str, float]]) -> dict[str, float]:
    shown, rest = dict(groups[:GROUPS]), groups[GROUPS:]
    return shown | ({f"{len(rest)} others": sum(sum_ for _, sum_ in rest)} if rest else {})


def share(checked: CheckCounts | None) -> float:
    """The share held back; 0 where it was not counted."""
    return checked.held_back_share if checked else 0.0


def refused(report: RunReport) -> int:
    """How many findings there are of deliveries and rows."""
    return sum(count for code, count in report.findings.items() if code.startswith(("L1-", "L2-")))


def last_nights(home: Path, tonight: RunReport) -> list[OneNight]:
    """Of each of the last dates that were run its last run, the dates ascending. ``tonight`` has left no report."""
    folders = sorted(path for path in (home / RUNS).glob("*") if path.is_dir())
    last: dict[date, RunReport] = {}
    for folder in folders:
        report = read_report(folder)
        if report.snapshotdato and report.stages.done():
            last[report.snapshotdato] = report
    if tonight.snapshotdato:
        last[tonight.snapshotdato] = tonight
    return [_night(day, last[day]) for day in sorted(last)[-NIGHTS:]]


def _night(day: date, report: RunReport) -> OneNight:
    seconds = {name: counts.seconds for name, counts in report.stages.done().items()}
    return OneNight(day, report.outcome == "published", share(report.stages.check), refused(report), seconds)
