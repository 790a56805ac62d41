"""Who may import whom, and where the environment is read: docs/architecture.md, held by machine."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from transforms.home.version import source_files

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {
    "schemas": set(),
    "transforms": {"schemas"},
    "serving": {"schemas"},
    "synthetic": {"schemas"},
    "analysis": {"schemas", "transforms"},
    "alarms": {"schemas", "transforms"},
    "pipelines": {"schemas", "transforms", "alarms"},
    "cli": {"schemas", "transforms", "analysis", "alarms", "serving", "synthetic", "pipelines"},
}
"""Each layer, and those of ours that it may import beside itself."""

DAGSTER_ONLY_IN = {"pipelines"}
READS_ENVIRONMENT = {"pipelines/settings.py"}
SETS_ENVIRONMENT = {"pipelines/run.py", "cli/ui.py", "cli/serve.py"}


def files(*layers):
    return [path for layer in layers for path in sorted((ROOT / layer).rglob("*.py"))]


def name(path):
    return path.relative_to(ROOT).as_posix()


def imports(path):
    """The top-level packages that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name(path)} has a relative import"
            yield str(node.module).partition(".")[0]


def environment(path):
    """How a file uses the environment: ``sets`` for ``os.environ[…] = …``, else ``reads``."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Attribute) and child.attr in ("environ", "environb", "getenv"):
                stored = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
                yield "sets" if stored else "reads"
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from ("reads" for alias in node.names if alias.name in ("environ", "environb", "getenv"))


@pytest.mark.parametrize("path", files(*LAYERS), ids=name)
def test_imports_only_what_its_layer_may(path):
    layer = name(path).partition("/")[0]
    ours = {package for package in imports(path) if package in {*LAYERS, "tests"}}
    assert ours <= LAYERS[layer] | {layer}


def test_dagster_is_only_wiring():
    assert {name(path) for path in files(*(LAYERS.keys() - DAGSTER_ONLY_IN)) if "dagster" in imports(path)} == set()


def test_the_environment_is_read_in_one_place():
    uses = {name(path): set(environment(path)) for path in files(*LAYERS)}
    assert {path for path, how in uses.items() if "reads" in how} == READS_ENVIRONMENT
    assert {path for path, how in uses.items() if "sets" in how} == SETS_ENVIRONMENT


def test_every_folder_of_code_is_a_layer():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == set(LAYERS)


def test_the_plain_reference_takes_nothing_from_the_system():
    """Or it would agree with the system's mistakes."""
    for path in files("tests/plain"):
        assert not set(imports(path)) & set(LAYERS), name(path)


SHARED = {
    "root": set(),
    "measure": set(),
    "rules": {"root"},
    "text": {"rules"},
    "home": {"root", "rules"},
    "run": {"home", "rules"},
    "stops": {"home"},
    "receipts": {"home", "measure", "rules", "run"},
    "ledgers": {"home", "run"},
}
"""What any stage may use, rooms of ``transforms`` and files beside them, and what of it each may use itself."""
STAGES = {"accept", "check", "spread", "build", "reconcile", "publish"}


def modules(path):
    """Those of ``transforms`` that a file imports, each as room and name; a module outside of rooms is its own room."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("transforms"):
            words = str(node.module).split(".")[1:]
            yield from [words] if len(words) == 2 else [[*words, name.name] for name in node.names]


def room(path):
    return path.relative_to(ROOT / "transforms").with_suffix("").parts[0]


@pytest.mark.parametrize("path", files("transforms"), ids=name)
def test_stages_know_what_they_share_and_not_each_other(path):
    of = room(path)
    used = {words[0] for words in modules(path)} - {of}
    if of in STAGES:
        assert used <= SHARED.keys() - {"measure"}
    elif of in SHARED:
        assert used <= SHARED[of]
    else:
        assert of in {"night", "__init__"}, "the stages meet in night.py only"


def test_every_folder_of_transforms_is_a_room_that_says_what_belongs():
    rooms = {path.parent.name: path for path in (ROOT / "transforms").glob("*/__init__.py")}
    assert set(rooms) == STAGES | {"rules", "text", "home", "ledgers"}
    for path in rooms.values():
        told = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert "Here: " in told and "Not here: " in told, path


def test_the_code_that_makes_documents_is_all_of_it():
    """Or changed code would carry over documents of the old."""
    assert source_files() == files("schemas", "transforms")
    assert len(source_files()) > 50


def test_what_reads_back_shares_no_code_with_what_it_reads_back():
    """Or the two would agree in their mistakes."""
    for module in ("totals", "read_back", "grammar", "scanner"):
        path = ROOT / "transforms" / "reconcile" / f"{module}.py"
        used = {".".join(words[:2]) for words in modules(path) if words[0] != "reconcile"}
        assert used <= {"text.compiled", "home.snapshot"}, path.name


@pytest.mark.slow
@pytest.mark.parametrize("module", ["cli.main", "cli.serve", "serving.app", "serving.server"])
def test_only_a_night_loads_the_compiler(module):
    code = f"import sys, {module}; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["cli", "pipelines"])
def test_polars_allocator_is_told_before_polars_is_loaded(package):
    """Or it is told nothing: see ``pipelines.settings.tell_allocator``."""
    code = f"import os, sys, {package}; assert 'polars' not in sys.modules; assert '_RJEM_MALLOC_CONF' in os.environ"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
