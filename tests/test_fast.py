"""What ``make test-fast`` runs: every module of ``transforms`` by itself, and nothing that takes its time."""

import ast
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance

from tests.nights import Nights

ROOT = Path(__file__).resolve().parent.parent

SLOW = "pytest.mark.slow"


def modules():
    """Those of ``transforms``, by their full names."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "transforms").rglob("*.py"))
    return {".".join(path.parts) for path in paths if path.name != "__init__"}


def is_slow(tree):
    """Whether the file of tests is marked slow as a whole, or each of its tests is."""
    assigned = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)]
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    slow = [any(ast.unparse(mark) == SLOW for mark in test.decorator_list) for test in tests]
    return any(text.startswith("pytestmark = ") and SLOW in text for text in assigned) or all(slow)


def imported(tree):
    """The modules that a file imports: each itself, or a name from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))


def test_every_module_of_the_night_has_a_fast_test_that_imports_it():
    trees = (ast.parse(path.read_text("utf-8")) for path in (ROOT / "tests").rglob("test_*.py"))
    tested = {name for tree in trees if not is_slow(tree) for name in imported(tree)}
    assert modules() - tested == set()


def test_what_is_imported():
    tree = ast.parse("from transforms.a import b, c as d\nimport transforms.e\ndef f():\n from transforms.g.h import i")
    names = {"transforms.a.b", "transforms.a.c", "transforms.e", "transforms.g.h"}
    assert names <= set(imported(tree))


@pytest.mark.parametrize(
    ("text", "slow"),
    [
        ("def test_a(): pass", False),
        ("pytestmark = pytest.mark.slow\ndef test_a(): pass", True),
        ("pytestmark = [pytest.mark.slow, other]\ndef test_a(): pass", True),
        ("@pytest.mark.slow\ndef test_a(): pass\ndef test_b(): pass", False),
        ("@pytest.mark.slow\ndef test_a(): pass\n@other\n@pytest.mark.slow\ndef test_b(): pass", True),
    ],
)
def test_what_is_slow(text, slow):
    assert is_slow(ast.parse(text)) == slow


def start_a_night(folder):
    Nights(folder).run()


def start_a_process(_):
    subprocess.run([sys.executable, "-c", ""], check=True)


def start_a_server(_):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def start_a_dagster_run(_):
    with DagsterInstance.ephemeral():
        pass


def start_a_child(_):
    if not os.fork():
        os._exit(0)
    os.wait()


STARTS = (start_a_night, start_a_process, start_a_child, start_a_server, start_a_dagster_run)


@pytest.mark.parametrize("start", STARTS)
def test_a_fast_test_starts_nothing(tmp_path, start):
    with pytest.raises(AssertionError, match="is to be marked slow"):
        start(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
def test_a_slow_test_starts_what_it_wants(tmp_path, start):
    start(tmp_path)


def recipe(target):
    found = re.search(rf"^{target}:.*\n\t(.*)\n", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    return found[1]


def test_the_fast_tests_are_run_as_all_are():
    """With fewer random examples."""
    assert recipe("test-fast") == f'KRAVOVERSIKT_EXAMPLES=0.3 {recipe("test")} -m "not slow"'


@pytest.mark.slow
def test_the_last_line_is_how_many_passed():
    """Hypothesis and DuckDB in one process once had some forty lines of leaks follow it."""
    case = "tests/test_store.py::test_an_overview_is_cut_into_what_it_lists"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", case]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    assert re.fullmatch(r"1 passed in .*s", done.stdout.splitlines()[-1])
