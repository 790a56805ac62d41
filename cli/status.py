"""``kravoversikt status``: what is published, and how the last run went."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from cli.options import home_option
from cli.output import say_or_fail
from cli.summary import summary
from schemas.refusals import SENTENCES, TO_DO
from schemas.report import BuildCounts, RunReport
from transforms.home.report import last_report
from transforms.home.snapshot import (
    HomeDamagedError,
    OtherVersionError,
    published_chain,
    published_snapshot,
    read_manifest,
)


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(home: Path, as_json: bool) -> None:
    """Show the published snapshot and the last run. Exits 1 when nothing is published, or the home is damaged."""
    published, damage = None, None
    try:
        published = _published(home)
    except OtherVersionError as error:
        damage = {"code": "L3-HOME-VERSION", "what": str(error)}
    except HomeDamagedError as error:
        damage = {"code": "L3-HOME-DAMAGED", "what": str(error)}
    except OSError as error:
        raise click.ClickException(f"the home cannot be read: {error.strerror}") from error
    last = _last_report(home)
    content = {"published": published, "damage": damage, "last_run": last.model_dump(mode="json") if last else None}
    say_or_fail(json.dumps(content, ensure_ascii=False, indent=1) if as_json else _text(published, damage, last))
    sys.exit(0 if published else 1)


def _last_report(home: Path) -> RunReport | None:
    try:
        return last_report(home)
    except OSError as error:
        raise click.ClickException(f"the reports of the runs cannot be read: {error.strerror}") from error


def _published(home: Path) -> dict[str, Any] | None:
    """Raises ``HomeDamagedError``, ``OtherVersionError`` and ``OSError``."""
    folder = published_snapshot(home)
    if not folder:
        return None
    manifest, chain = read_manifest(folder), published_chain(home)
    built = manifest.stages.build or BuildCounts()
    return {
        **manifest.model_dump(mode="json", include={"snapshot", "snapshotdato", "made_at", "extracted_at"}),
        "parts": built.parts,
        "held_back_parts": built.held_back_parts,
        "parts_without_documents": built.parts_without_documents,
        "deliveries": [
            used.model_dump(mode="json", include={"kilde", "leveransenummer", "type", "uttrekkstidspunkt"})
            for used in manifest.used
        ],
        "retained_snapshots": [path.name for path in chain],
    }


def _text(published: dict[str, Any] | None, damage: dict[str, str] | None, last: RunReport | None) -> str:
    lines = ["nothing is published (KB-002)"]
    if damage:
        code = damage["code"]
        lines = [f"nothing can be read: {code} {SENTENCES[code]}: {damage['what']}", f"  to do: {TO_DO[code]}"]
    if published:
        lines = [
            f"published   {published['snapshot']}, made {published['made_at']}, extracted {published['extracted_at']}",
            f"parts       {published['parts']} with documents, {published['held_back_parts']} of them held back with "
            f"those of before, {published['parts_without_documents']} held back without",
            f"retained    {', '.join(published['retained_snapshots'])}",
        ]
    if last:
        lines += ["", "last run:", summary(last)]
    return "\n".join(lines)
