"""The columns in ``docs/tables.md``, made of ``schemas.published``. As a program it writes them into the page anew."""

from pathlib import Path

from schemas.published import PUBLISHED, PublishedColumn, PublishedTable

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables.md"
BEGIN = "writes what follows anew.\n"
"""What the page says before the columns; nothing comes after them."""


def columns() -> str:
    """What follows on the page: a section for each table, with a row for each column."""
    return "".join(map(_section, PUBLISHED.values()))


def _section(table: PublishedTable) -> str:
    head = "| column | in the view | in the files | what it holds |\n|---|---|---|---|\n"
    return f"\n### `{table.name}`\n\n{table.told}\n\n{head}{''.join(map(_row, table.columns))}"


def _row(column: PublishedColumn) -> str:
    form = column.holds.value
    stored = str(form.stored).replace("precision=", "").replace("scale=", "")
    places = (form.shown if column.in_view else "–", stored if column.in_files else "–")
    return f"| `{column.name}` | {' | '.join(places)} | {column.told} |\n"


if __name__ == "__main__":
    prose, begin, _ = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(prose + begin + columns(), "utf-8")
