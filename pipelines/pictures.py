"""What the asset of the snapshot shows of its night: findings, numbers that Dagster plots over time, and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from pipelines import plots
from pipelines.figures import Debts, OneNight, debts, last_nights, refused, share
from pipelines.pages import by_code, of_findings, warnings
from schemas.receipts import Receipt
from schemas.report import RunReport, Stages
from schemas.runbook import to_do
from transforms.home.findings import findings
from transforms.home.report import Report
from transforms.home.snapshot import ANALYTICS, FINDINGS
from transforms.run import Settings


def of_the_night(run: Settings, report: Report, receipts: Mapping[str, Receipt]) -> dict[str, Any]:
    """The metadata of a night that has just been published. ``receipts``: of all its stages, by name.

    Raises what reading the home raises: ``OSError``, and errors of Polars and DuckDB.
    """
    found = findings(report.refusals(), run.checked / FINDINGS)
    tonight = RunReport(
        run=run.run,
        snapshotdato=run.snapshot_date,
        outcome="published",
        findings=dict(found.group_by("kode").len().iter_rows()),
        stages=Stages.model_validate({stage: receipt.counts for stage, receipt in receipts.items()}),
    )
    owed = debts(run.path / "current" / ANALYTICS, run.snapshot_date)
    pictures = _pictures(last_nights(run.path, tonight), owed, run.max_held_back)
    return _summary(found, tonight) | pictures | _numbers(tonight, owed)


def _summary(found: pl.DataFrame, tonight: RunReport) -> dict[str, Any]:
    """In a few lines, which the UI shows at once, and in full."""
    codes = warnings(by_code(found))
    words = f"**Published with warnings:** {', '.join(codes)}." if codes else "**Published without warnings.**"
    todo = "".join(f"\n- {code}: {to_do(code)}" for code in codes)
    short = f"{words}\n{todo}"
    return {
        "summary": dg.MetadataValue.md(short if len(short) < plots.INLINE else words[: plots.INLINE - 1]),
        "findings": dg.MetadataValue.md(of_findings(found)),
    }


def _numbers(tonight: RunReport, owed: Debts) -> dict[str, Any]:
    """Their names stay, for Dagster plots a name over the nights."""
    seconds = {f"seconds {stage}": counts.seconds for stage, counts in tonight.stages.done().items()}
    return {
        "warnings": len(warnings(tonight.findings)),
        "refused": refused(tonight),
        "held_back_share": round(share(tonight.stages.check), 6),
        "open_krav_kroner": round(sum(owed.by_group.values())),
        "overdue_kroner": round(sum(owed.by_age.values()) - owed.by_age.get("not due", 0)),
        "seconds_of_night": round(sum(seconds.values()), 2),
        **seconds,
    }


def _pictures(nights: Sequence[OneNight], owed: Debts, limit: float) -> dict[str, Any]:
    """Small ones of what is owed, of the stages and of the last nights, and one of all of it."""
    told = {
        "kroner per kravgruppe": plots.small(owed.by_group, "what remains of open krav"),
        "kroner by age of debt": plots.small(owed.by_age, "debt by age"),
        "seconds per stage": plots.small(nights[-1].seconds, "seconds per stage", ".2f"),
        "refused, last nights": plots.small(
            {f"{night.day:%d.%m}": night.refused for night in nights[::-1]}, "deliveries and rows refused"
        ),
        "percent held back, last nights": plots.small(
            {f"{night.day:%d.%m}": 100 * night.held_back for night in nights[::-1]}, "parts held back", ".3f"
        ),
        "the night and those before": plots.markdown(plots.of_the_night(owed, nights, limit), "all of it"),
    }
    return {name: dg.MetadataValue.md(text) for name, text in told.items()}
