"""The fence around compiled loops (``fence``) sees what leaves an array, and lets through what does not."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fence import fenced
from transforms.reconcile import scanner
from transforms.text import text_loops as loops
from transforms.text.compiled import compiled_once
from transforms.text.text_loops import copy_bytes

ROOT = Path(__file__).parents[1]
SIX = np.arange(6, dtype=np.uint8)


@compiled_once
def copy(out, at, data, start, length):
    copy_bytes(out, at, data, start, length)


@compiled_once
def copy_all_but_one(data, out, ends):
    copy_bytes(out, 0, data, 0, len(data))
    ends[0] = len(data) - 1


def test_all_loops_of_text_are_fenced(fenced_loops):
    all_loops = loops.write_objects, loops.write_histories, loops.replace_values, scanner._walk
    assert {loop.__qualname__ for loop in all_loops} == {"fenced.<locals>.call"}


def test_what_stays_within_its_arrays():
    out = np.zeros(4, np.uint8)
    fenced(copy)(out, 0, SIX, 2, 4)
    assert out.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(("at", "start"), [(-1, 0), (1, 0), (1, 3)])
def test_a_byte_written_before_or_behind(at, start):
    """Also one that was read behind another array."""
    with pytest.raises(AssertionError, match="written outside"):
        fenced(copy)(np.zeros(4, np.uint8), at, SIX, start, 4)


def test_a_byte_written_behind_the_end_that_is_told():
    given = SIX, np.zeros(100, np.uint8), np.zeros(1, np.int64)
    fenced(copy_all_but_one, room=1)(*given)
    with pytest.raises(AssertionError, match="written outside"):
        fenced(copy_all_but_one, room=0)(*given)


@pytest.mark.slow
def test_a_byte_read_behind():
    """It cannot be seen in what was written, so there is nothing that may be read."""
    read = "from tests.test_fence import *; fenced(copy)(np.zeros(4, np.uint8), 0, SIX, {}, 4)"
    ends = [subprocess.run([sys.executable, "-c", read.format(start)], cwd=ROOT).returncode for start in (2, 3)]
    assert ends == [0, -signal.SIGSEGV]
