"""Who makes which relation of DuckDB: within a stage each name is one function's, and means one thing to its end.

A relation is what ``CREATE`` or ``register`` gives a name. What ``ledgers`` makes, a stage makes by calling it. Stages
hand over files: so the next may make a relation of the same name, in a connection of its own.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from schemas.tables import TABLES
from tests.nights import LET_THROUGH, Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import write_delivery
from transforms.ledgers import neighbourhood
from transforms.receipts import STAGES

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "transforms").rglob("*.py"))
CREATE = re.compile(r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP\s+)?(?:TABLE|VIEW|MACRO|TYPE)\s+([\w{}]+)")
ANYTHING = "{}"
"""In a name, in place of what is put in, which is a table's name: ``rows_{}`` are six relations."""


def text_of(node: ast.expr) -> str:
    """The content of a string, with ``ANYTHING`` for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(value) for value in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ANYTHING


def strings(node: ast.AST) -> Iterator[str]:
    """Every string in it, each whole."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield text_of(node)
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def registered(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "register":
            yield text_of(call.args[0])


def creators(source: str) -> list[tuple[str, str]]:
    """What is made in a file: relation, and function. A constant of the file is made by the functions that name it."""
    tree = ast.parse(source)
    constants = {
        target.id: [name for text in strings(node.value) for name in CREATE.findall(text)]
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    made = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} & constants.keys()
        here = [name for text in strings(function) for name in CREATE.findall(text)]
        names = [*here, *registered(function), *(name for constant in used for name in constants[constant])]
        made += [(name, function.name) for name in names]
    return made


ANALYSTS = {"analytics", "at_home", "macros"}
"""The modules that make the analysts' database: its names are the keys of ``schemas.analytics`` and ``schemas.macros``.
"""


def made_in(room: str) -> list[tuple[str, str]]:
    """What a room's functions make: relation, and function with its file."""
    paths = [path for path in (ROOT / "transforms" / room).glob("*.py") if path.stem not in ANALYSTS]
    return [(name, f"{path.stem}.{function}") for path in paths for name, function in creators(path.read_text("utf-8"))]


def shared(made: list[tuple[str, str]]) -> dict[str, set[str]]:
    """The relations that several places make, or one several times; and the makers."""
    names = [
        (name.replace(ANYTHING, table), maker)
        for name, maker in made
        for table in (TABLES if ANYTHING in name else [""])
    ]
    times = Counter(name for name, _ in names)
    return {name: {maker for other, maker in names if other == name} for name, many in times.items() if many > 1}


@pytest.mark.parametrize("stage", STAGES)
def test_within_a_stage_a_relation_is_one_functions(stage):
    assert shared(made_in(stage) + made_in("ledgers")) == {}


def test_only_ledgers_and_stages_make_relations():
    rooms = {path.relative_to(ROOT / "transforms").parts[0] for path in FILES if creators(path.read_text("utf-8"))}
    assert rooms == {"ledgers", "check", "spread", "reconcile", "publish"}


def test_the_relations_are_found():
    """Those that the docstrings tell of, of every way to make one."""
    assert dict(made_in("check"))["quarantined"] == "posts._collect_quarantined"
    assert dict(made_in("spread"))["previous_{}"] == "affected.show_previous"
    assert dict(made_in("ledgers"))["short_hash"] == "neighbourhood._hash"
    assert dict(made_in("ledgers"))["kilder"] == "delivered.create_ledgers"
    assert dict(made_in("ledgers"))["around"] == "neighbourhood.look_around_parts"  # registered


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_relation_takes_the_place_of_another(path):
    texts = strings(ast.parse(path.read_text("utf-8")))
    assert not [text for text in texts if "OR REPLACE" in text or "IF NOT EXISTS" in text]


def test_what_is_made_by_two_is_told():
    source = 'ONE = "CREATE TEMP TABLE a AS x"\ndef f(): c.execute(ONE)\ndef g(n): c.register(f"r_{n}", 1)\n'
    assert creators(source) == [("a", "f"), ("r_{}", "g")]
    assert shared(creators(source)) == {}
    for more in (
        'def h(): c.execute("CREATE VIEW a AS x")',
        "def h(): c.execute(ONE)",
        'def h(): c.register("r_krav", 1)',
        'def g(): c.execute("CREATE TEMP MACRO a() AS 1"); c.execute("CREATE TYPE a AS x")',
    ):
        assert shared(creators(source + more)), more


class Watched:
    """A connection, and the names of all that was made in it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.made: list[str] = []
        self.elsewhere = False

    def __getattr__(self, name):
        return getattr(self.connection, name)

    def __enter__(self):
        self.connection.__enter__()
        return self

    def __exit__(self, *error):
        return self.connection.__exit__(*error)

    def execute(self, query, *parameters):
        self.elsewhere |= query.startswith("ATTACH")  # what comes is the analysts' database
        self.made += [] if self.elsewhere else CREATE.findall(query)
        return self.connection.execute(query, *parameters)

    def sql(self, query, **how):
        self.made += CREATE.findall(query)
        return self.connection.sql(query, **how)

    def register(self, name, content):
        self.made.append(name)
        return self.connection.register(name, content)


A, B, C = (organisation_number(number) for number in range(1, 4))
STATEMENT = (
    *(part(A), part(B), part(C), innbetaling("I", B, 80)),
    *(krav("K", A, 100), kravforfall("F", "K", 100, S), plassering("P", "INNBETALING", "F", "I", 60)),
    *(krav("L", C, 5), kravforfall("G", "L", 5, S)),
)


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Nights, list[Watched]]:
    """Two sources, published; and the connections of that night."""
    nights = Nights(tmp_path_factory.mktemp("first"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(*STATEMENT))
    write_delivery(nights.inbox, "skatt", 1, "full", rows(part(A), krav("K", A, 100)))
    with pytest.MonkeyPatch.context() as patch:
        watched = watch(patch)
        nights.publish()
    return nights, watched


def watch(patch: pytest.MonkeyPatch) -> list[Watched]:
    """The connections that are opened from now on."""
    watched: list[Watched] = []
    connect = duckdb.connect

    def watching(*how, **config):
        watched.append(Watched(connect(*how, **config)))
        return watched[-1]

    patch.setattr(duckdb, "connect", watching)
    return watched


@pytest.mark.slow
@pytest.mark.parametrize("many", [0, 0.6, 2])
def test_in_a_connection_no_name_is_given_twice(first_night, nights: Nights, monkeypatch, many):
    """Over a first night and one that builds some, redates others, holds some back and has posts of two sources.

    ``many``: when few parts are near, all that is looked at suffices; else it is looked for again, or all is read.
    """
    before, of_the_first = first_night
    nights.take_over(before)
    watched = watch(monkeypatch)
    monkeypatch.setattr(neighbourhood, "MANY", many)
    bad = krav("BAD", A, 1), plassering("P2", "INNBETALING", "F", "I", 90)
    write_delivery(nights.inbox, "mva", 2, "endring", rows(innbetaling("I2", B, 90), *bad))
    nights.publish(S + timedelta(days=1), **LET_THROUGH)
    made = [Counter(one.made) for one in of_the_first + watched]
    assert [{name: times for name, times in names.items() if times > 1} for names in made] == [{}] * len(made)
    assert sum(map(len, made)) > 200  # they are seen
