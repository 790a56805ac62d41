"""How an answer of DuckDB is printed: a table, CSV, or JSON lines. Amounts are exact, never floating point."""

import csv
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING, Any, TextIO

from cli.findings import printable

if TYPE_CHECKING:
    import duckdb

AT_A_TIME = 1_000
"""Rows; a table, which is for reading, has no more."""

PLAN = ["explain_key", "explain_value"]
"""The columns of what EXPLAIN answers, which is a drawing."""


def _names(answer: "duckdb.DuckDBPyConnection") -> list[str]:
    return [name for name, *_ in answer.description or ()]


def _rows(answer: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    while some := answer.fetchmany(AT_A_TIME):
        yield from some


def text(value: object) -> str:
    """A cell for a reader, and in CSV: nothing for null, ``true`` and ``false``."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return _json(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def write_table(answer: "duckdb.DuckDBPyConnection", stream: TextIO) -> None:
    """Columns under their names, numbers to the right, no more rows than a person reads; how many there are."""
    names, found = _names(answer), answer.fetchmany(AT_A_TIME + 1)
    rows = found[:AT_A_TIME]
    if names == PLAN:
        stream.writelines(f"{drawing}\n" for _, drawing in rows)
        return
    lines = [[printable(text(cell)) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(names, *lines, strict=True)]
    numbers = [any(_is_number(row[place]) for row in rows) for place in range(len(names))]
    for line in [names, ["-" * width for width in widths], *lines]:
        cells = zip(line, widths, numbers, strict=True)
        stream.write(
            "  ".join(f"{cell:{'>' if number else '<'}{wide}}" for cell, wide, number in cells).rstrip() + "\n"
        )
    counted = f"{len(rows)} row{'s' if len(rows) != 1 else ''}"
    stream.write(f"the first {counted}: --csv and --json print all\n" if len(found) > len(rows) else f"{counted}\n")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def write_csv(answer: "duckdb.DuckDBPyConnection", stream: TextIO) -> None:
    """RFC 4180 with a header, null as an empty field."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_names(answer))
    writer.writerows(map(text, row) for row in _rows(answer))


def write_json(answer: "duckdb.DuckDBPyConnection", stream: TextIO) -> None:
    """An object a line; decimals are numbers with all their digits, dates text."""
    names = _names(answer)
    for row in _rows(answer):
        stream.write(_json(dict(zip(names, row, strict=True))) + "\n")


def _json(value: object) -> str:
    """``json`` itself has no exact decimals."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_json(str(name))}: {_json(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int | float | None):
        return json.dumps(value if value == value and value not in (inf, -inf) else None)
    return json.dumps(str(value), ensure_ascii=False)


WRITERS: dict[str, Callable[["duckdb.DuckDBPyConnection", TextIO], None]] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
}
"""By the name of the option."""
