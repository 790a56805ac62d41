"""``docs/tables.md`` below its prose, made of ``schemas.analytics``. As a program it writes that into the page anew."""

from pathlib import Path

from schemas.analytics import VIEWS
from schemas.macros import MACROS, Macro
from schemas.published import PUBLISHED
from schemas.views import View, ViewColumn

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables.md"
BEGIN = "writes what follows anew.\n"
"""What the page says before the columns; nothing comes after them."""


def columns() -> str:
    """What follows on the page: a section for each view, with a row for each column, and one for the macros."""
    return "".join(map(_section, VIEWS.values())) + _macros()


def _section(view: View) -> str:
    head = "| column | type | unit | what it holds | delivered as | joins |\n|---|---|---|---|---|---|\n"
    key = f" Key: {', '.join(f'`{name}`' for name in view.key)}." if view.key else ""
    rows = "".join(_row(view, column) for column in view.columns)
    return f"\n### `{view.name}`\n\n{view.told}{key}\n\n{head}{rows}{_files(view.name)}"


def _row(view: View, column: ViewColumn) -> str:
    shown = "aldersgruppe" if column.shown.startswith("ENUM") else column.shown
    own = column.joins == f"{view.name}.{column.name}"
    cells = (shown, column.unit, column.told, _code(column.source), "" if own else _code(column.joins))
    return f"| `{column.name}` | {' | '.join(cells)} |\n"


def _code(name: str) -> str:
    return f"`{name}`" if name else ""


def _files(name: str) -> str:
    """What the Parquet files of a table have otherwise than its view."""
    if name not in PUBLISHED:
        return ""
    columns = PUBLISHED[name].columns
    oere = [f"`{column.name}`" for column in columns if column.is_amount]
    only = [f"`{column.name}`, {column.told}" for column in columns if not column.in_view]
    less = [f"`{column.name}`" for column in columns if not column.in_files]
    said = [f"in øre are {', '.join(oere)}"] if oere else []
    said += [f"there are also {'; '.join(only)}"] if only else []
    said += [f"there is no {', '.join(less)}"] if less else []
    return f"\nIn the files {'; '.join(said)}.\n"


def _macros() -> str:
    return f"\n### Macros\n\n| macro | what it gives |\n|---|---|\n{''.join(map(_macro, MACROS.values()))}"


def _macro(macro: Macro) -> str:
    gives = f" Columns: {', '.join(f'`{name}`' for name in macro.columns)}." if macro.columns else ""
    return f"| `{macro.call}` | {macro.told}{gives} |\n"


if __name__ == "__main__":
    prose, begin, _ = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(prose + begin + columns(), "utf-8")
