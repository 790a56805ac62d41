"""The maintainer's kit: sizes that only shrink, pages that miss no version, hooks that do what ``make check`` does."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cli.main import main
from schemas.refusals import SENTENCES
from schemas.store import STORE_VERSION
from transforms.home.version import CODE

ROOT = Path(__file__).resolve().parent.parent
CODE_FOLDERS = ["alarms", "analysis", "bench", "cli", "pipelines", "schemas", "serving", "synthetic", "transforms"]
VERSIONS = [str(number) for number in range(1, int(STORE_VERSION) + 1)]

LONGEST_FILE, LONGEST_FUNCTION = 400, 70
LONGER = {
    "transforms/reconcile/scanner.py": 422,
}
"""Files, and functions as ``file: name``, of more lines, with how many. What shrinks is told here; nothing may grow or
be added."""


def lines_of(path):
    """How many lines the file has, and each function in it, by name as in ``LONGER``."""
    text, name = path.read_text("utf-8"), path.relative_to(ROOT).as_posix()
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {name: text.count("\n")}, {f"{name}: {one.name}": one.end_lineno - one.lineno + 1 for one in functions}


def test_files_and_functions_are_no_longer_than_they_should_be():
    longer = {}
    for path in (path for folder in CODE_FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))):
        files, functions = lines_of(path)
        longer |= {name: lines for name, lines in files.items() if lines > LONGEST_FILE}
        longer |= {name: lines for name, lines in functions.items() if lines > LONGEST_FUNCTION}
    assert longer == LONGER


def test_every_folder_of_code_is_measured():
    assert {path.parent.name for path in ROOT.glob("*/*.py")} - {"tests"} == {*CODE_FOLDERS}


def test_the_hooks_are_make_check():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (local,) = hooks["repos"]
    assert local["repo"] == "local"
    assert {(hook["language"], hook["pass_filenames"], hook["always_run"]) for hook in local["hooks"]} == {
        ("system", False, True)
    }
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    commands = recipe[1].replace("\t", "").replace("$(BIN)", ".venv/bin").splitlines()
    assert [hook["entry"] for hook in local["hooks"]] == commands


def test_the_version_is_told():
    done = CliRunner().invoke(main, ["--version"])
    assert done.exit_code == 0
    assert re.fullmatch(
        rf"kravoversikt [0-9]+(\.[0-9]+)+, code {CODE['code'][:12]}, store version {STORE_VERSION}\n", done.output
    )


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/versions.md"])
def test_a_page_names_codes_that_are_there(name):
    """``L3-DATE-*`` stands for all that begin so."""
    for code in re.findall(r"`((?:L[123]|R)-[A-Z0-9*-]+)`", (ROOT / name).read_text("utf-8")):
        assert any(re.fullmatch(code.replace("*", ".+"), there) for there in SENTENCES), code


def test_the_changelog_tells_of_every_store_version():
    told = re.findall(r"^- Store version ([0-9]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == VERSIONS


def test_the_page_of_versions_tells_of_every_store_version():
    told = re.findall(r"^## ([0-9]+)\b", (ROOT / "docs" / "versions.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == VERSIONS
