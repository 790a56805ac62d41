"""``kravoversikt runs``: what has been done with a home, one line each."""

import json
from pathlib import Path

import click

from cli.options import home_option
from cli.output import say_or_fail
from cli.summary import IN_WORDS
from schemas.report import RunReport
from schemas.snapshot import OSLO
from transforms.home import report


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="Every run's whole report, as a JSON line.")
def runs(home: Path, as_json: bool) -> None:
    """Show the last 60 runs, the newest first: nights, rollbacks and compactions, whatever came of them."""
    try:
        found = [(folder, report.read_report(folder)) for folder in report.runs(home)]
    except OSError as error:
        raise click.ClickException(f"the reports of the runs cannot be read: {error.strerror}") from error
    found = found[: report.RETAINED_REPORTS]
    lines = [_json(*one) if as_json else _line(*one) for one in found]
    if lines:
        say_or_fail("\n".join(lines))
    elif not as_json:
        say_or_fail("no run has been made over this home")


def _json(folder: Path, run: RunReport) -> str:
    began = report.started(folder)
    content = {"began": began.isoformat() if began else None, **run.model_dump(mode="json")}
    return json.dumps(content, ensure_ascii=False)


def _line(folder: Path, run: RunReport) -> str:
    """When it began in Oslo, the run, its kind and date, what came of it, and what an operator asks first."""
    began = report.started(folder)
    moment = f"{began.astimezone(OSLO):%Y-%m-%d %H:%M:%S}" if began else "-"
    return f"{moment:<19}  {run.run:<8}  {run.kind:<8}  {run.snapshotdato or '-'!s:<10}  {_outcome(run)}"


def _outcome(run: RunReport) -> str:
    outcome = IN_WORDS.get(run.outcome, run.outcome)
    if run.failure and not run.stops:
        outcome += f" in {run.failure.partition(' at ')[0]}"
    if run.stops:
        outcome += f" by {', '.join(dict.fromkeys(stop.partition(':')[0] for stop in run.stops))}"
    return ", ".join([outcome, *run.told[:1], *_counted(run)])


def _counted(run: RunReport) -> list[str]:
    """Of a night: deliveries refused or waiting, parts held back, seconds."""
    said, stages = [], run.stages
    if stages.accept and (stages.accept.refused or stages.accept.waiting):
        said.append(f"{stages.accept.refused} deliveries refused, {stages.accept.waiting} waiting")
    if stages.check and (stages.check.held_back or stages.check.leads_nowhere):
        said.append(f"{stages.check.held_back} parts held back")
    if done := stages.done():
        said.append(f"{sum(counts.seconds for counts in done.values()):.1f} s")
    return said
