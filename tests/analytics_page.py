"""The questions of ``docs/analytics.md``, and their answers as the page has them. As a program, with the sample home,
it writes the answers into the page anew: ``python -m tests.analytics_page data/sample/home``.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from cli.answers import text
from tests.nights import Nights

PAGE = Path(__file__).resolve().parent.parent / "docs" / "analytics.md"
QUESTION = re.compile(r"^### (\d+)\. (.*)\n\n((?:    .*\n)+)(?:\n((?:\|.*\n)+))?", re.MULTILINE)
OF_FAULTS = range(24, 32)
"""The questions that are asked of the home with faults."""


class Question(NamedTuple):
    number: int
    asked: str
    sql: str
    answer: str


def questions() -> list[Question]:
    found = QUESTION.findall(PAGE.read_text("utf-8"))
    return [Question(int(number), asked, sql, answer) for number, asked, sql, answer in found]


def ask(connection: duckdb.DuckDBPyConnection, question: Question) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns, and the rows."""
    answer = connection.execute(question.sql)
    return [name for name, *_ in answer.description], answer.fetchall()


def shown(names: list[str], rows: list[tuple[Any, ...]]) -> str:
    """As the page has an answer."""
    lines = [names, ["---"] * len(names), *([text(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n".replace("| --- ", "|---").replace("--- |\n", "---|\n") for line in lines)


def answered(*connections: duckdb.DuckDBPyConnection) -> str:
    """The page with the answers that the homes give now: the sample's, and that of faults."""

    def anew(found: re.Match[str]) -> str:
        question = Question(int(found[1]), found[2], found[3], "")
        answer = shown(*ask(connections[question.number in OF_FAULTS], question))
        return f"### {found[1]}. {found[2]}\n\n{found[3]}\n{answer}"

    return QUESTION.sub(anew, PAGE.read_text("utf-8"))


if __name__ == "__main__":
    from tests.test_analytics_page import connected, nights_with_faults

    with tempfile.TemporaryDirectory() as folder:
        faults = nights_with_faults(Nights(Path(folder)))
        PAGE.write_text(answered(connected(Path(sys.argv[1])), connected(faults.home)), "utf-8")
