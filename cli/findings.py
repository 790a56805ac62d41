"""``kravoversikt findings``: what the last run refused and reported."""

import json
from pathlib import Path

import click
import polars as pl

from cli.options import home_option
from schemas.refusals import SENTENCES
from transforms.report import last_findings

DETAILS = 20


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="Every finding as one JSON line.")
def findings(home: Path, as_json: bool) -> None:
    """Show what the last run refused: counted by code, then the first of each with its place."""
    found = last_findings(home)
    if found is None:
        raise click.ClickException("no run has been made over this home")
    if as_json:
        for row in found.iter_rows(named=True):
            click.echo(printable(json.dumps({k: v for k, v in row.items() if v is not None}, ensure_ascii=False)))
    elif found.is_empty():
        click.echo("nothing was refused")
    else:
        click.echo(_text(found))


def printable(text: str) -> str:
    """Delivered text for a terminal: what would steer it is escaped, as JSON does."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _text(found: pl.DataFrame) -> str:
    codes = found.group_by("nivaa", "kode").len().sort("nivaa", "kode")
    lines = [f"{count:>9}  {code:<24} {SENTENCES[code]}" for _, code, count in codes.iter_rows()]
    for (_, code), rows in found.sort("nivaa", "kode").group_by("nivaa", "kode", maintain_order=True):
        lines += ["", str(code)]
        lines += [f"  {printable(_place(row))}" for row in rows.head(DETAILS).iter_rows(named=True)]
        if rows.height > DETAILS:
            lines.append(f"  … and {rows.height - DETAILS} more: --json, or the view findings in analytics.duckdb")
    return "\n".join(lines)


def _place(row: dict[str, object]) -> str:
    """Where a finding is, what it says beyond its code's sentence, and what it comes from."""
    words = [_where(row), row["noekkel"]]
    words += [row["melding"]] if row["nivaa"] != 2 else []
    if row["rot_kode"]:
        words.append(" ".join(["comes from", str(row["rot_kode"]), _where(row, "rot_"), str(row["rot_noekkel"] or "")]))
    words += [f"holds back {row['parter_holdt_tilbake']}"] if row["parter_holdt_tilbake"] else []
    return ": ".join(str(word).strip() for word in words if word)


def _where(row: dict[str, object], of: str = "") -> str:
    """Source, delivery, file, table and row."""
    number, row_number = row[f"{of}leveransenummer"], row[f"{of}rad"]
    place = [row[f"{of}kilde"], None if number is None else f"{number:06d}", row[f"{of}fil"], row[f"{of}tabell"]]
    place += [None if row_number is None else f"row {row_number}"]
    return " ".join(str(word) for word in place if word is not None)
