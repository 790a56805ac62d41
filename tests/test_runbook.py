"""Every command of docs/operations.md is run, in its order, over a home and an inbox of 20 parts."""

import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from tests.alarms.receiver import a_receiver
from tests.test_docs import blocks

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.md"
INSTALLS = ("cd", "python3.11", ".venv/bin/python", "podman", "podman-compose")
"""These need registries and a machine of one's own: ``tests/test_deploy.py`` holds what they start."""


def commands() -> list[list[str]]:
    """The words of each command, without what a ``#`` says of it."""
    lines = [line for block in blocks(PAGE) for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


def test_every_command_is_of_a_known_program():
    assert {words[0] for words in commands()} == {"kravoversikt", "tar", *INSTALLS}


def test_the_runbooks_commands_do_what_they_are_there_for(tmp_path, monkeypatch):
    """Those that only look exit 0 as well: two nights are published, and the webhook takes what it is sent."""
    home, told = tmp_path / "kravoversikt" / "home", {}
    monkeypatch.setenv("KRAVOVERSIKT_HOME", str(home))
    monkeypatch.setenv("KRAVOVERSIKT_INBOX", str(tmp_path / "kravoversikt" / "inbox"))
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    for folder in (home, tmp_path / "backup", tmp_path / "restored"):
        folder.mkdir(parents=True)
    made = ["generate", str(home.parent / "inbox"), "--parts", "20", "--nights", "1", "--date", "2026-11-23"]
    assert CliRunner().invoke(main, made).exit_code == 0
    with a_receiver() as receiver:
        (home / "operations.toml").write_text(f'[webhook]\nurl = "{receiver.url}"\n')
        for words in commands():
            program, *rest = [word.replace("/srv/", f"{tmp_path}/") for word in words]
            if program == "tar":
                subprocess.run(["/usr/bin/env", "tar", *rest], check=True)
            elif program == "kravoversikt":
                done = CliRunner().invoke(main, rest)
                assert done.exit_code == 0, (words, done.output)
                told[" ".join(rest[:2])] = done.stdout
    assert "2026-11-24-" in told["status --home"].splitlines()[0]
    assert {"test", "source-late"} <= set(receiver.kinds())
