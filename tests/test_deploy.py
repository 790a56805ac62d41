"""What ``deploy/`` starts: every command line can be parsed by its program, every file by its reader.

The image is not built by a test: its base comes from a registry, its packages from another, and it takes minutes.
Nor are compose or units started.
"""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from dagster._cli import create_dagster_cli
from dagster._core.workspace.config_schema import process_workspace_config
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import dagster_webserver

from cli.main import main
from schemas.operations import Operations
from serving.settings import Maskinporten, Settings, read_settings
from serving.throwaway import make_keys

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
OURS = ("/opt/kravoversikt/.venv/bin/", "")
PROGRAMS = {
    "kravoversikt": main,
    "dagster": create_dagster_cli(),
    "dagster-daemon": create_dagster_daemon_cli(),
    "dagster-webserver": dagster_webserver,
}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Where each command line stands, and its words."""
    for unit in UNITS:
        for line in re.findall(r"^Exec(?:Start|StartPre)=(.*)$", unit.read_text("utf-8"), re.MULTILINE):
            yield unit.name, shlex.split(line)
    for name, service in COMPOSE["services"].items():
        if "command" in service:
            yield name, service["command"]
        if service.get("healthcheck", {}).get("test", [])[1:2] == ["dagster"]:
            yield f"{name}: health", service["healthcheck"]["test"][1:]


def parse(words: list[str]) -> None:
    """Parses a command line as its program would, to the last option, and runs nothing. Raises ``UsageError``."""
    name, *rest = words
    command: click.Command = PROGRAMS[name.rpartition("/")[2]]
    while isinstance(command, click.Group):
        context = command.make_context(name, rest[:1] if rest[0] in command.commands else rest)
        command, rest = command.get_command(context, rest[0]), rest[1:]
    given = [word for word in rest if word not in ("/settings/serving.toml", "/etc/kravoversikt/serving.toml")]
    if len(given) < len(rest):  # a file that is there on the machine, not here
        given.insert(given.index("--config") + 1, str(ROOT / "README.md"))
    command.make_context(name, given)


@pytest.mark.parametrize(("where", "words"), [*commands()], ids=lambda value: value if isinstance(value, str) else "")
def test_a_command_line_is_one_that_its_program_takes(where, words):
    if words[0] == "sh":
        words = shlex.split(re.search("do (.*?);", words[2])[1])
    parse(words)


@pytest.mark.parametrize("words", [["kravoversikt", "serve", "--no-such"], ["dagster-daemon", "run", "--no-such"]])
def test_a_slip_in_a_command_line_is_seen(words):
    with pytest.raises(click.UsageError):
        parse(words)


def test_the_same_services_are_started_by_compose_and_by_systemd():
    services = {"code", "daemon", "web", "api", "watch"}
    assert COMPOSE["services"].keys() == services | {"prepare", "postgres", "nginx"}
    assert {unit.stem.removeprefix("kravoversikt-") for unit in UNITS} == services


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_health_and_figures_are_on_a_port_that_no_caller_reaches():
    started = [words for where, words in commands() if where in ("api", "kravoversikt-api.service")]
    assert len(started) == 2
    for words in started:
        assert option(words, "--port") == "8000"
        assert option(words, "--admin-port") == "8001"
    api = COMPOSE["services"]["api"]
    assert "127.0.0.1:8001/health/ready" in api["healthcheck"]["test"][-1]
    assert "ports" not in api
    for front in ("nginx.conf", "envoy.yaml"):
        assert "8001" not in (DEPLOY / front).read_text("utf-8")


def test_what_is_idle_is_closed_by_a_proxy_before_the_api_does():
    """So that no request meets a connection that is being closed."""
    found = re.search(r"keepalive_timeout ([0-9]+)s;", (DEPLOY / "nginx.conf").read_text("utf-8"))
    (cluster,) = yaml.safe_load((DEPLOY / "envoy.yaml").read_text("utf-8"))["static_resources"]["clusters"]
    (options,) = cluster["typed_extension_protocol_options"].values()
    kept = (f"{found[1]}s", options["common_http_protocol_options"]["idle_timeout"])
    assert [int(one.removesuffix("s")) + 2 for one in kept] == [Settings.model_fields["header_seconds"].default] * 2


def test_the_example_of_servings_settings_is_one(tmp_path):
    make_keys(tmp_path)
    example = (DEPLOY / "settings" / "serving.example.toml").read_text("utf-8")
    (tmp_path / "serving.toml").write_text(example)
    settings = read_settings(tmp_path / "serving.toml", home=tmp_path)
    assert settings.log.proxies
    assert settings.maskinporten == Maskinporten()


def test_every_variable_of_compose_stands_in_the_example():
    example = re.findall(r"^([A-Z_]+)=", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE)
    used = re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text("utf-8"))
    assert set(used) <= set(example)
    assert {"KRAVOVERSIKT_POSTGRES", "KRAVOVERSIKT_CODE_HOST", "DAGSTER_HOME"} <= set(example)


def test_dagster_takes_the_workspace(monkeypatch):
    monkeypatch.setenv("KRAVOVERSIKT_CODE_HOST", "code")
    taken = process_workspace_config(yaml.safe_load((DEPLOY / "workspace.yaml").read_text("utf-8")))
    assert taken.success, taken.errors


def test_the_example_of_operations_says_the_defaults_and_all_there_is():
    content = tomllib.loads((DEPLOY / "settings" / "operations.example.toml").read_text("utf-8"))
    settled = Operations.model_validate(content)
    assert content.keys() == Operations.model_fields.keys()
    assert settled.model_copy(update={"sources": {}, "webhook": None, "ui_url": None}) == Operations()


def test_the_image_has_every_folder_of_code_and_what_lies_beside_it():
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    copied = set(re.findall(r"^COPY (\S+) \1$", text, re.MULTILINE))
    code = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert copied == code | {"data/dictionaries", "data/reference", "docs"}
    for path in ("requirements-deploy.lock", "dagster.yaml", "deploy/workspace.yaml"):
        assert path in text
        assert (ROOT / path).is_file()


def test_machines_are_installed_with_the_versions_that_are_tested():
    def pinned(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+(?:\[[a-z]+\])?)==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))

    deployed, all_of_it = pinned("requirements-deploy.lock"), pinned("requirements.lock")
    assert deployed.items() <= all_of_it.items()
    assert {"dagster", "dagster-postgres", "psycopg2-binary"} <= deployed.keys()
    assert not {"pytest", "dagster-dg-cli"} & deployed.keys()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_takes_the_units(tmp_path):
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/kravoversikt/.venv/bin/", f"{tmp_path}/")
        (tmp_path / unit.name).write_text(text.replace("/opt/kravoversikt", str(tmp_path)))
    for program in PROGRAMS:
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    units = [tmp_path / unit.name for unit in UNITS]
    verify = [shutil.which("systemd-analyze"), "verify", "--man=no", *units]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
