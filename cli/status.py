"""``kravoversikt status``: what is published and how old it is, how the last run went, and each source."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli.options import home_option
from cli.output import say_or_fail
from cli.summary import FAILED, summary
from pipelines.settings import operations
from schemas.operations import Operations, OperationsError
from schemas.refusals import SENTENCES, TO_DO
from schemas.report import BuildCounts, RunReport
from schemas.snapshot import OSLO, SnapshotManifest
from transforms.home import retained
from transforms.home.report import last_night, last_report, read_report
from transforms.home.snapshot import HomeDamagedError, OtherVersionError, published_snapshot, read_manifest
from transforms.run import Settings


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(home: Path, as_json: bool) -> None:
    """Show the published snapshot, the last run and the sources.

    Exits 1 when nothing is published, the home is damaged, the last night stopped, failed or died, or operations.toml
    has a slip in it; 2 when what is published is older than max_age_hours of operations.toml; else 0, also when a
    source is too old for the next night.
    """
    settles, slip = _settled(home)
    published, damage = None, None
    try:
        published = _published(home.resolve(), settles)
    except OtherVersionError as error:
        damage = {"code": "L3-HOME-VERSION", "what": str(error)}
    except HomeDamagedError as error:
        damage = {"code": "L3-HOME-DAMAGED", "what": str(error)}
    except OSError as error:
        raise click.ClickException(f"the home cannot be read: {error.strerror}") from error
    last, night = _last_reports(home)
    code = 1 if slip else _exit_code(published, night)
    told = {
        name: one.model_dump(mode="json") if one else None for name, one in (("last_run", last), ("last_night", night))
    }
    content = {"published": published, "damage": damage, "settings": slip, **told, "exit": code}
    text = [*([f"{slip}\n  to do: mend it, for no night begins before\n"] if slip else [])]
    text.append(_text(published, damage, last, night))
    say_or_fail(json.dumps(content, ensure_ascii=False, indent=1) if as_json else "\n".join(text))
    sys.exit(code)


def _settled(home: Path) -> tuple[Operations, str | None]:
    """What the operator has settled; or the defaults, and what is wrong with the file."""
    try:
        return operations(home), None
    except OperationsError as error:
        return Operations(), str(error)


def _last_reports(home: Path) -> tuple[RunReport | None, RunReport | None]:
    """Of the last run, and of the last that was a night: a way back doesn't mend what the night met."""
    try:
        night = last_night(home)
        return last_report(home), read_report(night) if night else None
    except OSError as error:
        raise click.ClickException(f"the reports of the runs cannot be read: {error.strerror}") from error


def _exit_code(published: dict[str, Any] | None, last: RunReport | None) -> int:
    """A run whose report is lost has not failed when what is published is its own."""
    if published is None:
        return 1
    lost_but_published = last and last.outcome == "unreadable" and last.run == published["run"]
    if last and last.outcome in FAILED and not lost_but_published:
        return 1
    return 2 if published["too_old"] else 0


def _published(home: Path, settles: Operations) -> dict[str, Any] | None:
    """Raises ``HomeDamagedError``, ``OtherVersionError`` and ``OSError``."""
    folder = published_snapshot(home)
    if not folder:
        return None
    manifest, order = read_manifest(folder), retained.published(home)
    built = manifest.stages.build or BuildCounts()
    hours = (datetime.now(UTC) - manifest.made_at).total_seconds() / 3600
    return {
        **manifest.model_dump(mode="json", include={"snapshot", "snapshotdato", "run", "made_at", "extracted_at"}),
        "age_hours": round(hours, 1),
        "max_age_hours": settles.max_age_hours,
        "too_old": hours > settles.max_age_hours,
        "parts": built.parts,
        "held_back_parts": built.held_back_parts,
        "parts_without_documents": built.parts_without_documents,
        "deliveries": [
            used.model_dump(mode="json", include={"kilde", "leveransenummer", "type", "uttrekkstidspunkt"})
            for used in manifest.used
        ],
        "sources": _sources(manifest, settles),
        "retained_snapshots": [path.name for path in reversed(order)],
        "pinned_snapshots": sorted(path.name for path in retained.pinned(home)),
        "withdrawn_snapshots": sorted(path.name for path in retained.withdrawn(home)),
    }


def _sources(manifest: SnapshotManifest, settles: Operations) -> list[dict[str, Any]]:
    """Of each source its last delivery in force; of one that is expected and never came, its name alone."""
    today = datetime.now(OSLO).date()
    last = {used.kilde: used for used in manifest.used}  # they stand in their order
    never = [kilde for kilde, source in settles.sources.items() if source.required and kilde not in last]
    sources: list[dict[str, Any]] = []
    for kilde in sorted({*last, *never}):
        limit = settles.of(kilde).max_age_days
        told = {"kilde": kilde, "max_age_days": Settings.max_age_days if limit is None else limit}
        if used := last.get(kilde):
            told |= {"leveransenummer": used.leveransenummer, "age_days": (today - used.day).days}
            told |= used.model_dump(mode="json", include={"uttrekkstidspunkt"})
        sources.append(told)
    return sources


def _text(
    published: dict[str, Any] | None, damage: dict[str, str] | None, last: RunReport | None, night: RunReport | None
) -> str:
    lines = ["nothing is published (KB-002)"]
    if damage:
        code = damage["code"]
        lines = [f"nothing can be read: {code} {SENTENCES[code]}: {damage['what']}", f"  to do: {TO_DO[code]}"]
    if published:
        limit = f"the limit is {published['max_age_hours']:g}"
        age = f"{published['age_hours']:.1f} hours old, {'TOO OLD: ' * published['too_old']}{limit}"
        lines = [
            f"published   {published['snapshot']}, made {_in_oslo(published['made_at'])}, "
            f"extracted {_in_oslo(published['extracted_at'])} (times in Oslo)",
            f"            {age}",
            f"parts       {published['parts']} with documents, {published['held_back_parts']} of them held back with "
            f"those of before, {published['parts_without_documents']} held back without",
            f"retained    {', '.join(_marked(name, published) for name in published['retained_snapshots'])}",
            *_source_lines(published["sources"]),
        ]
    if last:
        lines += ["", "last run:", summary(last)]
    if night and last and night.run != last.run:
        lines += ["", "last night:", summary(night)]
    return "\n".join(lines)


def _in_oslo(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(OSLO):%Y-%m-%d %H:%M}"


def _marked(name: str, published: dict[str, Any]) -> str:
    marks = [mark for mark in ("pinned", "withdrawn") if name in published[f"{mark}_snapshots"]]
    return f"{name} ({', '.join(marks)})" if marks else name


def _source_lines(sources: list[dict[str, Any]]) -> list[str]:
    lines = []
    for label, one in zip(["sources", *[""] * len(sources)], sources, strict=False):
        said = "has never delivered"
        if "leveransenummer" in one:
            too_old = "TOO OLD: " * (one["age_days"] > one["max_age_days"])
            said = f"{one['leveransenummer']:06d}, extracted {_in_oslo(one['uttrekkstidspunkt'])}, "
            said += f"{one['age_days']} days old, {too_old}the limit is {one['max_age_days']}"
        lines.append(f"{label:<12}{one['kilde']} {said}")
    return lines
