"""``kravoversikt findings``: what a night refused and reported, and what to do about it."""

import difflib
import json
from pathlib import Path

import click
import polars as pl

from cli.options import home_option
from cli.output import say_or_fail, warn
from cli.summary import outcome, reasons
from schemas.refusals import SENTENCES
from schemas.report import RunReport
from schemas.runbook import to_do
from schemas.tables import TABLES
from transforms.home import report
from transforms.home.snapshot import FINDINGS, HomeDamagedError, published_snapshot, read_manifest

EXAMPLES = 5
WORST = (3, 1, 2, 0)
"""Levels, the worst first."""
OWN = {f"av_{name}": (f"rot_{name}", name) for name in ("kode", "kilde", "leveransenummer", "tabell")}
"""Where a finding comes from: the row that it was refused because of, else itself."""


def _known(_: click.Context, option: click.Parameter, code: str | None) -> str | None:
    """A code that there is; of one that there is not, those that are like it are told."""
    if code is None or code in SENTENCES:
        return code
    like = difflib.get_close_matches(code.upper(), SENTENCES)
    meant = f"did you mean {' or '.join(like)}? " if like else ""
    raise click.BadParameter(f"there is no code {code}: {meant}docs/refusals.md has them all", param=option)


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="Every finding as one JSON line.")
@click.option("--run", help="An earlier run, by the name that `runs` gives it [the last night].")
@click.option("--source", help="Only what is, or comes from what is, this source's.")
@click.option("--code", callback=_known, help="Only this code, and what comes of it.")
@click.option("--table", type=click.Choice(list(TABLES)), help="Only this table, and what comes of its rows.")
def findings(home: Path, as_json: bool, run: str | None, **only: str | None) -> None:
    """Show what a night refused, and what to do: the worst first, together what comes from one source's delivery."""
    folder, ran = _run(home, run)
    of_run = [outcome(ran), *reasons(ran)]
    found = report.read_findings(folder)
    if found is None:
        raise click.ClickException(f"{of_run[0]}; it left no findings")
    found = _only(found.with_columns(pl.coalesce(names).alias(own) for own, names in OWN.items()), **only)
    if as_json:
        warn("\n".join(of_run))  # standard output has nothing but JSON lines
        rows = found.drop(OWN).iter_rows(named=True)
        told = ({name: value for name, value in row.items() if value is not None} for row in rows)
        lines = [printable(json.dumps(row, ensure_ascii=False)) for row in told]
    else:
        nothing = "nothing of that was refused" if any(only.values()) else "nothing was refused"
        held_back = ran.stages.check.held_back if ran.stages.check else found.height
        lines = [*of_run, _text(found, held_back, _where_all(home, folder)) if found.height else nothing]
    if lines:
        say_or_fail("\n".join(lines))


def _run(home: Path, run: str | None) -> tuple[Path, RunReport]:
    """The folder and the report of the last night, or of the run that is named."""
    try:
        named = (path for path in report.runs(home) if run is None or path.name.partition("-")[2] == run)
        both = ((path, report.read_report(path)) for path in named)
        found = next((one for one in both if run or one[1].kind == "night"), None)
        if found is None:
            raise click.ClickException(f"there is no run {run}" if run else "no run has been made over this home")
    except OSError as error:
        raise click.ClickException(f"the reports of the runs cannot be read: {error.strerror}") from error
    return found


def _only(found: pl.DataFrame, source: str | None, code: str | None, table: str | None) -> pl.DataFrame:
    """The findings that are, or come from, what is asked for."""
    for name, value in (("kilde", source), ("kode", code), ("tabell", table)):
        if value:
            found = found.filter((pl.col(name) == value) | (pl.col(f"av_{name}") == value))
    return found


def _where_all(home: Path, folder: Path) -> str:
    """Where every finding of the run is: in the analysts' view too, when that is of the night."""
    try:
        current = published_snapshot(home.resolve())
        of_this_night = current is not None and read_manifest(current).run == folder.name.partition("-")[2]
    except HomeDamagedError:
        of_this_night = False
    view = f", the view findings of {home / 'analytics.duckdb'}" if of_this_night else ""
    return f"--json{view}, or {folder / FINDINGS}"


def printable(text: str) -> str:
    """Delivered text for a terminal: what would steer it is escaped, as JSON does."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _text(found: pl.DataFrame, held_back: int, where_all: str) -> str:
    """What comes from one code, source, delivery and table together, the worst of these first.

    ``held_back``: how many parts the night held back, which rows that share one count more than once.
    """

    def holds(rows: pl.DataFrame) -> int:
        return min(int(rows["parter_holdt_tilbake"].sum()), held_back)

    groups = [(key, rows) for key, rows in found.group_by("nivaa", *OWN, maintain_order=True)]
    groups.sort(key=lambda group: (WORST.index(group[0][0]), -holds(group[1]), -group[1].height))
    lines: list[str] = []
    for (_, code, *place), rows in groups:
        lines += ["", f"{code} {_place_of(*place)}{SENTENCES[str(code)]}: {_counted(rows, holds(rows))}"]
        lines.append(f"  to do: {to_do(str(code))}")
        first = rows.sort(pl.col("rot_kode").is_not_null(), maintain_order=True).head(EXAMPLES)
        lines += [f"  {printable(_place(row))}" for row in first.iter_rows(named=True)]
        if rows.height > EXAMPLES:
            lines.append(f"  … and {rows.height - EXAMPLES} more: {where_all}")
    return "\n".join(lines[1:])


def _place_of(kilde: object, nummer: object, tabell: object) -> str:
    words = [kilde, None if nummer is None else f"{nummer:06d}", tabell]
    told = " ".join(str(word) for word in words if word is not None)
    return f"{told}: " if told else ""


def _counted(rows: pl.DataFrame, parts: int) -> str:
    """How many findings there are, how many only follow from another, and what they hold back."""
    follow = rows["rot_kode"].count()
    words = [f"{rows.height} times"] if rows.height > 1 else ["once"]
    words += [f"of them {follow} that come from another row"] if follow else []
    words += [f"they hold back up to {parts} parts"] if parts else []
    return ", ".join(words)


def _place(row: dict[str, object]) -> str:
    """Where a finding is, what it says beyond its code's sentence, and what it comes from."""
    words = [_where(row), row["noekkel"]]
    words += [str(row["melding"]).removeprefix(f"{SENTENCES[str(row['kode'])]}: ")] if row["nivaa"] != 2 else []
    if row["rot_kode"]:
        words += [row["kode"], " ".join(["comes from", _where(row, "rot_"), str(row["rot_noekkel"] or "")])]
    words += [f"holds back {row['parter_holdt_tilbake']}"] if row["parter_holdt_tilbake"] else []
    return ": ".join(str(word).strip() for word in words if word)


def _where(row: dict[str, object], of: str = "") -> str:
    """Source, delivery, file, table and row."""
    number, row_number = row[f"{of}leveransenummer"], row[f"{of}rad"]
    place = [row[f"{of}kilde"], None if number is None else f"{number:06d}", row[f"{of}fil"], row[f"{of}tabell"]]
    place += [None if row_number is None else f"row {row_number}"]
    return " ".join(str(word) for word in place if word is not None)
