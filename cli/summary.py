"""A run's report as a page of text."""

from schemas.refusals import TO_DO
from schemas.report import RunReport
from transforms.home.report import what_to_do

IN_WORDS = {
    "partial": "not published: it was asked for some stages only",
    "unfinished": "began and did not end: it died",
    "running": "goes on",
    "unreadable": "its report cannot be read",
}
"""What is said of the outcomes that don't speak for themselves."""
AGAIN = {
    "stopped": "then run the whole night again (in Dagster: all steps, for what is mended is looked at from the first)",
    "failed": "mend that and run the night again (in Dagster: all steps, or from failure)",
    "unfinished": "run the night again (in Dagster: all steps, or from failure)",
}
"""What to do about the outcomes, beside what their codes tell."""


def outcome(report: RunReport) -> str:
    """What came of a run, in a line."""
    to = "to" if report.kind == "rollback" else "of"
    night = f"{report.kind} {to} {report.snapshotdato}, " if report.snapshotdato else ""
    return f"{night}run {report.run}: {IN_WORDS.get(report.outcome, report.outcome)}"


FAILED = ("stopped", "failed", "unfinished", "unreadable")
"""The outcomes of runs that did not do what they were asked for."""


def reasons(report: RunReport) -> list[str]:
    """Why a run published nothing, and what to do about it, a line each."""
    lines = [f"  stopped by {stop}" for stop in report.stops]
    codes = dict.fromkeys(stop.partition(" ")[0] for stop in report.stops)
    lines += [f"  to do: {words}" for words in dict.fromkeys(TO_DO[code] for code in codes if code in TO_DO)]
    if report.failure and not report.stops:
        lines.append(f"  failed in {report.failure}")
        lines += [f"  to do: {cure}"] if (cure := what_to_do(report.failure)) else []
    if report.outcome in AGAIN:
        lines.append(f"  to do: {AGAIN[report.outcome]}; what was published stays up")
    return lines


def summary(report: RunReport) -> str:
    """What the operator wants to know of a run: came it out, what came in, what was refused, what it cost."""
    stages = report.stages
    lines = [outcome(report), *reasons(report), *(f"  {line}" for line in report.told)]
    lines += [f"  {line}" for line in report.deliveries]
    if took := stages.accept:
        lines.append(
            f"deliveries  {took.accepted} accepted, {took.used} in force, "
            f"{took.refused} refused, {took.waiting} waiting"
        )
    if checked := stages.check:
        posts = ", ".join(f"{count} {name}" for name, count in checked.posts.items())
        lines.append(f"posts       {posts}")
        lines.append(f"quarantined {checked.quarantined} rows; {checked.held_back} parts held back")
    if built := stages.build:
        lines.append(
            f"documents   {built.documents} for {built.parts} parts: {built.built_parts} parts built anew, "
            f"{built.redated_parts} given the new date, {built.same_parts} the same as before, "
            f"{built.held_back_parts} held back"
        )
        lines.append(f"            {built.json_bytes / 1e6:.1f} MB of new JSON in {built.stored_bytes / 1e6:.1f} MB")
    if stages.spread and stages.spread.all_because:
        lines.append(f"            every part built anew: {stages.spread.all_because}")
    if report.findings:
        lines.append("findings    " + ", ".join(f"{code} × {count}" for code, count in report.findings.items()))
    if done := stages.done():
        lines.append(f"{'stage':<12}{'seconds':>9}{'peak MB':>9}")
        lines += [f"{name:<12}{counts.seconds:>9.2f}{counts.peak_memory_mb:>9}" for name, counts in done.items()]
        lines.append(f"{'all':<12}{sum(counts.seconds for counts in done.values()):>9.2f}")
    return "\n".join(lines)
