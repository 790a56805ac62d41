"""What a person reads in Dagster: Markdown of findings, sources and totals, worst first, with what to do.

Findings hold nothing personal (``transforms.home.findings``), and nothing else of a row comes here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import polars as pl

from schemas.operations import Operations
from schemas.refusals import SENTENCES, Refusal
from schemas.runbook import TRIGGERS, to_do
from schemas.snapshot import OSLO, Accepted
from transforms.home.report import sentence

LINES = 40
"""So many lines of a table are shown; all are in the run's findings."""
WORST_FIRST = {3: 0, 1: 1, 2: 2, 0: 3}
"""The levels in the order of what they cost: nothing is published, a delivery is not used, parts are held back."""
WARNS = ("R-SOURCE-MISSED", "R-HELD-BACK")
"""Reports that make a night one with warnings, as every refusal of levels 1 and 2 does."""
WHERE = ("nivaa", "kode", "kilde", "leveransenummer", "fil", "tabell")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; a cell without a value is empty."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    """In one line, and with nothing that Markdown takes for its own: names of files and tables come from outside."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", " ")
    text = " ".join(str(value).split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|" else c for c in text)


def warnings(findings: Mapping[str, int]) -> list[str]:
    """Of the codes found those that the operator should look at. ``findings``: how many there are, by code."""
    return [code for code in findings if code.startswith(("L1-", "L2-")) or code in WARNS]


def in_short(findings: Mapping[str, int]) -> str:
    """The codes found, how many of each, and what to do about the first; ``findings``: the worst first."""
    if not findings:
        return "none"
    counts = ", ".join(f"{code} × {count}" for code, count in findings.items())
    return f"{counts}. To do: {to_do(next(iter(findings)))}"


def by_code(found: pl.DataFrame) -> dict[str, int]:
    """How many findings there are of each code, the worst first, then the most."""
    counts = found.group_by("nivaa", "kode").len().sort(_order(), "len", "kode", descending=[False, True, False])
    return dict(counts.select("kode", "len").iter_rows())


def _order() -> pl.Expr:
    return pl.col("nivaa").replace_strict(WORST_FIRST, return_dtype=pl.Int8)


def of_findings(found: pl.DataFrame) -> str:
    """The findings by code and place, then what each code means and what to do. ``found``: ``home.findings.SCHEMA``."""
    if found.is_empty():
        return "Nothing was refused or reported."
    groups = (
        found.group_by(WHERE)
        .agg(
            pl.col("rad").count().alias("rows"),
            pl.col("rad").min().alias("first"),
            pl.col("parter_holdt_tilbake").sum().alias("parts"),
            pl.col("melding").first(),
        )
        .sort(_order(), "parts", "rows", *WHERE[1:], descending=[False, True, True, *[False] * 5], nulls_last=True)
    )
    head = ("code", "source", "delivery", "file", "table", "rows", "first row", "parts held back*", "said")
    rows = [_finding(row) for row in groups.head(LINES).iter_rows(named=True)]
    more = [f"and {groups.height - LINES} lines more: `kravoversikt findings`"] if groups.height > LINES else []
    held = ["\\* a part is counted for each row that holds it back"] if groups["parts"].sum() else []
    return "\n\n".join([table(head, rows), *more, *held, cures(groups["kode"].unique(maintain_order=True))])


def _finding(row: Mapping[str, object]) -> list[object]:
    code, said = str(row["kode"]), str(row["melding"])
    number = row["leveransenummer"]
    return [
        *(code, row["kilde"], None if number is None else f"{number:06d}", row["fil"], row["tabell"]),
        *(row["rows"] or None, row["first"], row["parts"] or None),
        said.removeprefix(SENTENCES.get(code, "")).removeprefix(": "),
    ]


def cures(codes: Iterable[str]) -> str:
    """What each code means, when it is told, and what to do."""
    lines = [
        f"- **{code}** {SENTENCES[code]}. *When:* {TRIGGERS.get(code, '')}. *To do:* {to_do(code)}."
        for code in codes
        if code in SENTENCES
    ]
    return "\n".join(lines)


def of_stops(stops: Sequence[Refusal]) -> str:
    """Reasons to stop and what to do, as a person reads them in one go."""
    told = dict.fromkeys(sentence(stop) for stop in stops)
    todo = dict.fromkeys(to_do(stop.code) for stop in stops)
    words = [f"stopped by {reason}" for reason in told] + [f"to do: {cure}" for cure in todo]
    return "; ".join([*words, "what was published stays up"])


def of_sources(used: Mapping[str, Sequence[Accepted]], day: date, limits: Mapping[str, int]) -> str:
    """Each source: its last delivery, the age of its extract and the limit, its rows; the oldest first.

    ``used``: by source the deliveries in force. ``limits``: by source, days.
    """
    last = sorted((chain[-1] for chain in used.values()), key=lambda one: (one.day, one.kilde))
    rows = [
        (
            *(
                one.kilde,
                f"{one.leveransenummer:06d} ({one.type})",
                f"{one.extracted_at.astimezone(OSLO):%Y-%m-%d %H:%M}",
            ),
            *((day - one.day).days, limits[one.kilde], sum(table.rader for table in one.receipt.values())),
        )
        for one in last
    ]
    return table(("source", "last delivery", "extracted, in Oslo", "age, days", "limit, days", "rows"), rows)


def age_limits(used: Iterable[str], operations: Operations, usual: int) -> dict[str, int]:
    """By source, how many days old its extract may be: its own limit, else the run's."""
    own = {kilde: operations.of(kilde).max_age_days for kilde in used}
    return {kilde: usual if days is None else days for kilde, days in own.items()}


def of_rows(said: Mapping[str, Mapping[str, int]], before: Mapping[str, Mapping[str, int]], limit: float) -> str:
    """What each source says of each table beside the last snapshot; the largest loss first. ``limit``: as a share."""
    rows = [
        (kilde, tabell, was, tables.get(tabell, 0), (was - tables.get(tabell, 0)) / was if was else 0.0)
        for kilde, tables in said.items()
        for tabell, was in before.get(kilde, {}).items()
    ]
    rows.sort(key=lambda row: (-row[-1], row[0], row[1]))
    shown = [(*row[:4], f"{row[4]:.2%}", f"{limit:.2%}") for row in rows]
    return table(("source", "table", "rows before", "rows", "lost", "limit"), shown)


def of_totals(posts: Mapping[str, int], documents: Mapping[str, int]) -> str:
    """The control totals by both routes, those that differ first; sums in øre."""
    names = sorted({*posts, *documents}, key=lambda name: (posts.get(name) == documents.get(name), name))
    rows = [(name, posts.get(name), documents.get(name), _differs(posts, documents, name)) for name in names]
    return table(("total", "from the posts", "from the documents", "difference"), rows)


def _differs(posts: Mapping[str, int], documents: Mapping[str, int], name: str) -> int:
    return documents.get(name, 0) - posts.get(name, 0)
