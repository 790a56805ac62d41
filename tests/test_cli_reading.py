"""``get`` and ``export`` where they can't write, or there is nothing that can be read: a sentence and exit 1.

A reader that has enough is no error.
"""

import os
import re
import shutil
import subprocess
import sys
from datetime import date

import pytest
from click.testing import CliRunner

from cli.main import main
from schemas.store import KINDS
from tests.api.running import ROOT, A, publish
from tests.nights import Nights
from tests.plain.statement import krav, kravforfall, part, rows
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow

COMMANDS = {"get": ("get", "oversikt", A), "export": ("export", "krav")}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("reading"))


def typed(home, command):
    return CliRunner().invoke(main, [*COMMANDS[command], "--home", str(home)])


# Standard output


def full():
    return os.open("/dev/full", os.O_WRONLY)


def closed_by_the_reader():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("output", "said"),
    [
        (full, (1, "the output could not be written: No space left on device\n")),
        (closed_by_the_reader, (0, "")),
        (None, (1, "the output could not be written: standard output is closed\n")),
    ],
    ids=["full", "closed by the reader", "closed"],
)
def test_output_that_cannot_be_written(home, command, output, said):
    """No traceback, not even at the end of the program, when what is left would be written."""
    code = "from cli.main import main; main()"
    words = [sys.executable, "-c", code, *COMMANDS[command], "--home", str(home)]
    if output is None:
        words, place = ["sh", "-c", '"$@" >&-', "sh", *words], None
    else:
        place = output()
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    done = subprocess.run(words, cwd=ROOT, env=buffered, stdout=place, stderr=subprocess.PIPE, text=True, check=False)
    if place is not None:
        os.close(place)
    assert (done.returncode, done.stderr) == said


# The home


def test_nothing_published(tmp_path):
    for command in COMMANDS:
        result = typed(tmp_path, command)
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", "KB-002: no snapshot is published\n")


def dangles(home):
    (home / "current").unlink()
    (home / "current").symlink_to("snapshots/gone")


def points_to_itself(home):
    (home / "current").unlink()
    (home / "current").symlink_to("current")


def is_a_file(home):
    (home / "current").unlink()
    (home / "current").write_text("")


def has_a_folder_for_a_manifest(home):
    (home / "current" / "manifest.json").unlink()
    (home / "current" / "manifest.json").mkdir()


def has_no_segments(home):
    for segment in (home / "current" / "documents").glob("*.zst"):
        segment.unlink()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (dangles, "current leads to no snapshot"),
        (points_to_itself, "current: Too many levels of symbolic links"),
        (is_a_file, "manifest.json: Not a directory"),
        (has_a_folder_for_a_manifest, "manifest.json: Is a directory"),
        (has_no_segments, "segment [-a-z0-9]+: No such file or directory"),
    ],
)
def test_a_home_that_cannot_be_read(home, tmp_path, command, damage, said):
    copy = shutil.copytree(home, tmp_path / "home", symlinks=True)
    damage(copy)
    result = typed(copy, command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(f"KB-002: the published snapshot cannot be read: {said}\n", result.stderr)


def test_a_home_that_may_not_be_read(home, tmp_path):
    """As an ordinary user, for nothing is closed to root."""
    copy = shutil.copytree(home, tmp_path / "home", symlinks=True)
    (copy / "snapshots").chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            results = [typed(copy, command) for command in COMMANDS]
        finally:
            os.seteuid(0)
    else:
        results = [typed(copy, command) for command in COMMANDS]
    (copy / "snapshots").chmod(0o700)
    for result in results:
        said = "KB-002: the published snapshot cannot be read: current: Permission denied\n"
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)


# Numbers that no one has


@pytest.mark.parametrize("number", ["0" * 9, "0" * 11])
def test_zeros_are_no_ones_number(home, tmp_path, number):
    for kind in KINDS:
        result = CliRunner().invoke(main, ["get", kind, number, "--home", str(home)])
        assert (result.exit_code, result.stderr[:7]) == (1, "KB-006:")
    result = CliRunner().invoke(main, ["token", "--keys", str(tmp_path), "--part", number])
    assert (result.exit_code, "check digits" in result.stderr) == (2, True)


def test_pretty_is_the_same_document_on_many_lines(home):
    served, pretty = (
        typed(home, "get").stdout,
        CliRunner().invoke(main, [*COMMANDS["get"], "--pretty", "--home", str(home)]).stdout,
    )
    assert len(pretty.splitlines()) > 10
    assert "".join(pretty.split()) == "".join(served.split())


# What was shown on a date


def test_what_was_shown_on_a_date_to_the_byte(tmp_path):
    nights, days = Nights(tmp_path), [date(2026, 11, day) for day in (23, 25, 26)]
    shown = []
    for number, day in enumerate(days, start=1):
        said = rows(part(A), krav("A1", A, str(number)), kravforfall("A2", "A1", str(number), "2026-03-01"))
        write_delivery(nights.inbox, "skatt", number, "full", said)
        nights.publish(day)
        shown.append(nights.snapshot().document("oversikt", A))

    def get(*words):
        return CliRunner().invoke(main, ["get", "oversikt", A, "--home", str(nights.home), *words])

    for day, document in zip(days, shown, strict=True):
        result = get("--as-of", str(day))
        assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, document, "")
    result = get("--as-of", "2026-11-24")
    said = "2026-11-24 has no night of its own: shown was 2026-11-23's\n"
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, shown[0], said)
    result = get("--as-of", "2026-11-22")
    said = "KB-002: no night of 2026-11-22 is kept; kept are 2026-11-23, 2026-11-25, 2026-11-26\n"
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)
    exported = CliRunner().invoke(main, ["export", "oversikt", "--home", str(nights.home), "--as-of", "2026-11-25"])
    assert exported.stdout_bytes == shown[1] + b"\n"
