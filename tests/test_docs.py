"""What the docs show is run, and what they name is there."""

import re
import socket
import subprocess
from pathlib import Path

import duckdb
import pytest

from cli.main import main
from schemas.tables import TABLES, Kind
from tests import analytics_page as questions_page
from tests import tables_page
from tests.import_graph import lines
from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from tests.test_layers import SHARED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
DOCUMENT = '{"forespurtPart":"202318061"'


def blocks(page: Path) -> list[str]:
    """The code of a page: what is indented by four, a text for each run of such lines."""
    found = re.findall(r"(?:^ {4}.*\n?(?:^\n(?=^ {4}))?)+", page.read_text("utf-8"), re.MULTILINE)
    return [re.sub("^ {4}", "", block, flags=re.MULTILINE) for block in found]


# the README's commands


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the README's commands print, one after another in a folder of their own, on a port that is free."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    commands = "\n".join(block for block in blocks(PAGES[0]) if ".venv/bin/" in block)
    commands = commands.replace("kravoversikt serve", f"kravoversikt serve --port {port}").replace(":8000", f":{port}")
    script = f"set -e\nexport KRAVOVERSIKT_HOME=data/home\ntrap 'kill %1' EXIT\n{commands}\n"
    bash = ["/usr/bin/env", "bash", "-c", script]
    done = subprocess.run(bash, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [
        "deliveries of 1 night(s) for 2000 parts",
        "night of 2026-11-23, run ",
        "published   2026-11-23-",
        "R-KRAVTYPE-UNKNOWN",
        f'{DOCUMENT},"periode":{{"start":"2026-01-01T00:00:00.000Z","slutt":"2026-12-31T00:00:00.000Z"}},"krav":[',
        f'{DOCUMENT},"aapentKravMedGjenstaaendeBeloep":[',  # over HTTP
        "sum(gjenstaaende_beloep)",
    ],
)
def test_the_readmes_commands_show(shown, words):
    assert words in shown


# SQL


BAD = [("krav", "B", 7), ("kravforfall", "FB", 8)]
"""Refused rows, and the amounts of which they are."""


def whose_bad() -> str:
    return organisation_number(2)


@pytest.fixture(scope="module")
def analytics(tmp_path_factory):
    """A snapshot of a krav of 100 of which 60 are paid and 10 netted, and a credit of 50, partly paid out. Another part
    is held back.
    """
    whose = organisation_number(1)
    nights = Nights(tmp_path_factory.mktemp("analytics"))
    nights.inbox.mkdir()
    said = [
        *(part(whose), krav("K", whose, 100), kravforfall("F", "K", 100, "2026-01-15")),
        *(krav("C", whose, -50), kravforfall("FC", "C", -50, "2026-01-15")),
        *(innbetaling("I", whose, 90), utbetaling("U", whose, 30)),
        *(plassering("P", "INNBETALING", "F", "I", 60), plassering("PM", "MOTKRAV", "F", "FC", 10)),
        *(plassering("PU", "UTBETALING", "FC", "U", 30), part(whose_bad()), krav("B", whose_bad(), 7)),
        kravforfall("FB", "B", 8, "2026-01-15"),
    ]
    write_delivery(nights.inbox, "mva", 1, "full", rows(*said))
    nights.publish()
    with duckdb.connect(str(nights.home / "current" / "analytics.duckdb"), read_only=True) as connection:
        yield connection


def queries() -> list[str]:
    """But those of the page of questions, which has a test of its own."""
    pages = [page for page in PAGES if page != questions_page.PAGE]
    return [block for page in pages for block in blocks(page) if block.startswith("SELECT")]


def test_the_docs_queries(analytics):
    owed, paid, placed, more, delivered, held = (analytics.execute(query).fetchall() for query in queries())
    assert [float(saldo) for _, saldo in owed] == [-10]  # 30 of the krav, -10 of the credit, 30 not placed; no interest
    assert [(key, float(amount)) for key, _, amount in paid] == [("K", 60)]
    assert more == [("Andre krav", 0)]  # under 50 kroner
    assert delivered == [("C", "mva", 1, "krav-1.csv", 2), ("K", "mva", 1, "krav-1.csv", 1)]
    assert held == [(whose_bad(), S, "L2-CLAIM-SUM", table, key, amount) for table, key, amount in BAD]
    assert sorted((of, float(amount)) for of, amount in placed) == [
        *(("INNBETALING", 60), ("MOTKRAV", 10), ("UTBETALING", 30)),
    ]


def test_the_page_of_tables_is_of_the_views():
    """What the views are, ``test_analytics.py`` holds to the same schemas."""
    told = tables_page.PAGE.read_text("utf-8")
    assert told.partition(tables_page.BEGIN)[2] == tables_page.columns(), "run python -m tests.tables_page"


KINDS = {Kind.POSITIVE_AMOUNT: "amount > 0"}
"""How the page of deliveries names a kind of which its own word is another."""


def test_the_page_of_deliveries_has_every_column_its_kind_and_its_codes():
    page = (ROOT / "docs" / "deliveries.md").read_text("utf-8")
    found = {}
    for name, told in re.findall(r"^### `([a-z]+)`\n(.*?)(?=^###)", page, re.MULTILINE | re.DOTALL):
        found[name] = re.findall(r"^\| `([a-z_]+\??)` \| ([a-z >0]+) \| (.*) \|$", told, re.MULTILINE)
    assert {name: [row[:2] for row in columns] for name, columns in found.items()} == {
        name: [
            (f"{column.name}{'?' if column.nullable else ''}", KINDS.get(column.kind, column.kind.value))
            for column in table.columns
        ]
        for name, table in TABLES.items()
    }
    for name, table in TABLES.items():
        for column, (_, _, meaning) in zip(table.columns, found[name], strict=True):
            assert all(f"`{code}`" in meaning for code in column.codes), column.name


# what they name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_commands_of(page):
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for target in re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, target
    for command, words in re.findall(r"kravoversikt ([a-z]+)((?:[^`\n|&]|\\\n)*)", text):
        if command in main.commands:
            commands = [main.commands[command], *getattr(main.commands[command], "commands", {}).values()]
            options = {name for one in commands for option in one.params for name in option.opts}
            assert {*re.findall(r"(?<![\w-])--[a-z-]+", words)} <= options, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_code_that_are_named_are_there(page):
    folders = "transforms|schemas|serving|pipelines|cli|tests|bench|synthetic"
    for path in re.findall(rf"`((?:{folders})/[\w./]+\.py)`", page.read_text("utf-8")):
        assert (ROOT / path).is_file(), path


def test_the_architecture_names_every_module_of_the_night():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for path in (ROOT / "transforms").glob("*/[!_]*.py"):
        room, module = path.parent.name, path.stem
        if module == "stage":
            continue  # told once: every stage has one
        told = rf"^\|[^|]*\| `{room}` \|[^|]*`{module}`" if room not in SHARED else rf"`{room}` \([^)]*`{module}`"
        assert re.search(told, page, re.MULTILINE), f"{room}/{module}"


def test_the_architectures_import_graph_is_the_codes():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    told = re.search(r"python -m tests.import_graph.*?\n\n((?:    .*\n)+)", page)
    assert told[1].replace("\n    ", "\n").strip().splitlines() == lines(ROOT), "run it and put what it prints there"
