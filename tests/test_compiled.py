"""What is compiled is cached for the next process, and does without what cannot be cached or read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transforms.text.compiled import compiled_once

ROOT = Path(__file__).parents[1]
LOOP = """
from transforms.text.compiled import compiled, compiled_once

@compiled
def double(number):
    return 2 * number

@compiled_once
def loop(number):
    return double(number) + 1

print(loop(20))
"""


def run(folder, **environment):
    """What a process prints that imports the folder's ``loop``."""
    command = [sys.executable, "-c", "import loop"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_BOUNDSCHECK": "0", **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A folder whose loop has been compiled by a process."""
    folder = tmp_path_factory.mktemp("cached")
    (folder / "loop.py").write_text(LOOP)
    assert run(folder) == "41\n"
    return folder


def machine_code(folder, suffix="*"):
    return {path: path.stat().st_mtime_ns for path in folder.glob(f"__pycache__/*.nb{suffix}")}


@pytest.mark.slow
def test_what_is_cached_is_found_again(cached):
    before = machine_code(cached)
    assert before and run(cached) == "41\n"
    assert machine_code(cached) == before


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["c", "i"])
@pytest.mark.parametrize("content", [b"", b"\x80\x05cut off"])
def test_what_is_cached_and_cannot_be_read(cached, suffix, content):
    assert machine_code(cached, suffix)
    for path in machine_code(cached, suffix):
        path.write_bytes(content)
    assert run(cached) == "41\n"


@pytest.mark.slow
def test_a_change_in_the_file_is_seen(cached):
    """The last one over what is cached."""
    (cached / "loop.py").write_text(LOOP.replace("2 * number", "3 * number"))
    assert run(cached) == "61\n"


OUTSIDE = """
import numpy as np
from transforms.text.compiled import compiled_once

@compiled_once
def loop(numbers):
    return numbers[2]

try:
    print(loop(np.arange(3)[:2]))
except IndexError:
    print("outside")
"""


@pytest.mark.slow
def test_what_has_bounds_checks_is_not_cached_nor_taken_for_what_has_none(tmp_path):
    (tmp_path / "loop.py").write_text(OUTSIDE)
    assert run(tmp_path, NUMBA_BOUNDSCHECK="1") == "outside\n"
    assert run(tmp_path) == "2\n"
    assert run(tmp_path, NUMBA_BOUNDSCHECK="1") == "outside\n"


def test_without_a_place_for_a_cache():
    """As where neither the project nor the home can be written: Numba finds none for code that lies in no file."""
    names: dict = {}
    exec("def more(number): return number + 1", names)  # noqa: S102
    assert compiled_once(names["more"])(1) == 2
