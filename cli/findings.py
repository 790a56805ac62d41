"""``kravoversikt findings``: what the last run refused and reported."""

import json
from pathlib import Path

import click
import polars as pl

from cli.options import home_option
from cli.output import say_or_fail, warn
from cli.summary import outcome, reasons
from schemas.refusals import SENTENCES
from transforms.home.report import last_run, read_findings, read_report
from transforms.home.snapshot import FINDINGS

DETAILS = 20


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="Every finding as one JSON line.")
@click.option("--run", help="An earlier run, by the name that `status` and the summary give it [the last].")
def findings(home: Path, as_json: bool, run: str | None) -> None:
    """Show what a run refused: what came of it, counted by code, then the first of each with its place."""
    folder, of_run = _run(home, run)
    found = read_findings(folder)
    if found is None:
        raise click.ClickException(f"{of_run[0]}; it left no findings")
    if as_json:
        warn("\n".join(of_run))  # standard output has nothing but JSON lines
        rows = ({k: v for k, v in row.items() if v is not None} for row in found.iter_rows(named=True))
        lines = [printable(json.dumps(row, ensure_ascii=False)) for row in rows]
    else:
        lines = [*of_run, _text(found, folder) if found.height else "nothing was refused"]
    if lines:
        say_or_fail("\n".join(lines))


def _run(home: Path, run: str | None) -> tuple[Path, list[str]]:
    """The folder of the last run, or of the one that is named; and what came of it, in lines."""
    try:
        folder = last_run(home, run)
        if folder is None:
            raise click.ClickException(f"there is no run {run}" if run else "no run has been made over this home")
        report = read_report(folder)
    except OSError as error:
        raise click.ClickException(f"the reports of the runs cannot be read: {error.strerror}") from error
    return folder, [outcome(report), *reasons(report)]


def printable(text: str) -> str:
    """Delivered text for a terminal: what would steer it is escaped, as JSON does."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _text(found: pl.DataFrame, folder: Path) -> str:
    codes = found.group_by("nivaa", "kode").len().sort("nivaa", "kode")
    lines = [f"{count:>9}  {code:<24} {SENTENCES[code]}" for _, code, count in codes.iter_rows()]
    for (_, code), rows in found.sort("nivaa", "kode").group_by("nivaa", "kode", maintain_order=True):
        lines += ["", str(code)]
        lines += [f"  {printable(_place(row))}" for row in rows.head(DETAILS).iter_rows(named=True)]
        if rows.height > DETAILS:
            lines.append(f"  … and {rows.height - DETAILS} more: --json, or {folder / FINDINGS}")
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
