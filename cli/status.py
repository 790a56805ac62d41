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
from schemas.store import STORE_VERSION
from transforms.home.report import last_report
from transforms.home.snapshot import HomeDamagedError, published_chain, published_snapshot, read_manifest


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(home: Path, as_json: bool) -> None:
    """Show the published snapshot and the last run. Exits 1 when nothing is published, or the home is damaged."""
    published, damage = None, None
    try:
        published = _published(home)
    except _OtherVersionError as error:
        damage = {"code": "L3-HOME-VERSION", "what": str(error)}
    except HomeDamagedError as error:
        damage = {"code": "L3-HOME-DAMAGED", "what": str(error)}
    except OSError as error:
        raise click.ClickException(f"the home cannot be read: {error.strerror}") from error
    last = _last_report(home)
    content = {"published": published, "damage": damage, "last_run": last.as_json() if last else None}
    say_or_fail(json.dumps(content, ensure_ascii=False, indent=1) if as_json else _text(published, damage, last))
    sys.exit(0 if published else 1)


def _last_report(home: Path) -> RunReport | None:
    try:
        return last_report(home)
    except OSError as error:
        raise click.ClickException(f"the reports of the runs cannot be read: {error.strerror}") from error


class _OtherVersionError(Exception):
    """What is published is in the form of another version of the program."""


def _published(home: Path) -> dict[str, Any] | None:
    """Raises ``HomeDamagedError``, ``_OtherVersionError`` and ``OSError``."""
    folder = published_snapshot(home)
    if not folder:
        return None
    manifest, chain = read_manifest(folder), published_chain(home)
    if manifest["skjemaversjon"] != STORE_VERSION:
        raise _OtherVersionError(f"{folder.name} is of store version {manifest['skjemaversjon']}, not {STORE_VERSION}")
    built = BuildCounts.model_validate(manifest["stages"]["build"])
    return {
        "snapshot": manifest["snapshot"],
        "snapshotdato": manifest["snapshotdato"],
        "made_at": manifest["made_at"],
        "extracted_at": manifest["extracted_at"],
        "parts": built.parts,
        "held_back_parts": built.held_back_parts,
        "parts_without_documents": built.parts_without_documents,
        "deliveries": [
            {name: used[name] for name in ("kilde", "leveransenummer", "type", "uttrekkstidspunkt")}
            for used in manifest["used"]
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
