"""What the server refuses to start with, and says why; the throwaway keys."""

import re
import resource
import socket
import stat
import textwrap

import jwt
import pytest
from click.testing import CliRunner

from cli.main import main
from serving import throwaway
from serving.access import Open, Secured
from serving.limits import Limits
from serving.server import Worker
from serving.settings import Settings, SettingsError, hash_key, is_loopback, read_settings, with_room
from tests.api.running import ROOT

pytestmark = pytest.mark.slow


def kravoversikt(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def settings(tmp_path, text="", **given):
    file = tmp_path / "serving.toml"
    file.write_text(text)
    return read_settings(file, **{"home": tmp_path, **given})


GOOD = """
consumers_file = "consumers.toml"
[maskinporten]
[log]
hash_key_file = "log-hash.key"
audit = "audit.jsonl"
"""


USERS = GOOD + '[system_users]\nresource = "r"\nrettighetspakker = ["regnskapssystem"]\n'
HERE = 'url = "http://127.0.0.1:1/"\n'


def test_a_stand_in_on_this_machine_needs_no_keys_of_ours(tmp_path):
    throwaway.make_keys(tmp_path)
    assert settings(tmp_path, USERS + HERE).system_users.rettighetspakker == {"regnskapssystem"}


def test_a_file_of_settings(tmp_path):
    throwaway.make_keys(tmp_path)
    read = settings(tmp_path, GOOD, port=9000, host=None)
    assert (read.host, read.port, read.workers) == ("127.0.0.1", 9000, 1)
    assert read.log.audit == str(tmp_path / "audit.jsonl")
    assert read.consumers_file == tmp_path / "consumers.toml"
    assert read.maskinporten.address() == "https://maskinporten.no/.well-known/oauth-authorization-server"
    assert len(hash_key(read)) == 64


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("", {"no_auth": True, "host": "192.0.2.1"}, "--no-auth is only for a loopback address"),
        ("", {"no_auth": True, "host": "::"}, "--no-auth is only"),
        ("", {"no_auth": True, "host": "localhost.example"}, "host: .*must be an IP address"),
        ("host = 'example.org'\nport = 0", {}, "host.*port"),
        ("home = 'elsewhere'\nworkers = 0", {}, "(?=.*home: .*--home)(?=.*workers)"),
        ("auth = false", {}, "auth"),
        ("port = 8001\nadmin_port = 8001", {}, "admin_port must be another than port"),
        ("admin_port = 8000\nadmin_host = '::1'", {}, "admin_port must be another than port"),
        ("no_auth = true", {}, "no_auth: .*--no-auth"),
        ("[maskinporten]\nauth = false", {}, "maskinporten.auth"),
        (
            GOOD.replace("[log]", 'jwks_file = "none.json"\n[log]\naccess = "no/access"'),
            {},
            "jwks_file: none.*log.access",
        ),
        (
            GOOD.replace("[log]", 'jwks_file = "TEST-ONLY.txt"\n[log]'),
            {},
            "maskinporten.jwks_file: TEST-ONLY.txt: not JSON",
        ),
        (GOOD.replace("audit.jsonl", "."), {}, "log.audit"),
        ("", {}, "--test-keys or --no-auth to try"),
        ("[maskinporten]", {}, "hash_key_file is missing"),
        (GOOD.replace("consumers.toml", "none.toml"), {}, "none.toml"),
        (GOOD.replace("log-hash.key", "TEST-ONLY"), {}, "at least 32 bytes"),
        (USERS.replace("regnskapssystem", "alt"), {}, "system_users.rettighetspakker.*finans"),
        (USERS.replace('resource = "r"', ""), {}, "system_users.resource"),
        (USERS.replace('resource = "r"', 'resource = ""'), {}, "system_users.resource"),
        (USERS.replace('["regnskapssystem"]', "[]"), {}, "system_users.rettighetspakker"),
        (USERS, {}, "client_id, client_key_file, client_kid, subscription_key_file must be there"),
        (USERS + 'url = "http://altinn.example/"', {}, "system_users.url: the address must begin with https"),
        (USERS + 'exchange_url = "ftp://x/"', {}, "system_users.exchange_url: the address must"),
        (USERS + HERE + 'client_id = "us"', {}, "client_key_file, client_kid, subscription_key_file must be there"),
        (USERS + 'client_key_file = "jwks.json"', {}, "client_key_file: jwks.json holds no RSA key"),
        (USERS + 'subscription_key_file = "none"', {}, "subscription_key_file must be there and hold"),
        (GOOD + 'proxies = ["proxy.example"]', {}, "log.proxies"),
        ("wrong = 1", {}, "wrong"),
        ("workers = 0\nport = 'x'", {}, "workers.*port|port.*workers"),
        ("[maskinporten]\nissuer = 1", {}, "maskinporten.issuer"),
        ("[", {}, "serving.toml"),
    ],
)
def test_settings_that_are_wrong(tmp_path, text, given, said):
    throwaway.make_keys(tmp_path)
    with pytest.raises(SettingsError, match=f"(?s){said}"):
        settings(tmp_path, text, **given)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    with pytest.raises(SettingsError) as raised:
        settings(tmp_path, "", host="192.0.2.1")
    assert str(raised.value).count("\n") == 2


@pytest.mark.parametrize("section", ["maskinporten", "altinn"])
def test_test_keys_only_on_loopback(tmp_path, section):
    """However they come in: a settings file that names the issuer of the tests is no way round."""
    throwaway.make_keys(tmp_path)
    text = GOOD + f'[{section}]\nissuer = "{throwaway.ISSUER}"\njwks_file = "jwks.json"\n'
    text = text.replace("[maskinporten]\n", "", 1) if section == "maskinporten" else text
    settings(tmp_path, text)
    with pytest.raises(SettingsError, match="test keys are only for a loopback address"):
        settings(tmp_path, text, host="10.0.0.1")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("192.0.2.1", False),
        ("::", False),
        ("", False),
    ],
)
def test_loopback(host, loopback):
    assert is_loopback(host) is loopback


def test_the_command_refuses_with_the_cure(tmp_path):
    for words in (["--no-auth", "--host", "192.0.2.1"], ["--test-keys", tmp_path / "keys", "--host", "192.0.2.1"], []):
        done = kravoversikt("serve", "--home", tmp_path, *words)
        assert done.exit_code == 2
        assert "--host 127.0.0.1" in done.output or "--config" in done.output
    done = kravoversikt("serve", "--home", tmp_path, "--no-auth", "--test-keys", tmp_path / "keys")
    assert (done.exit_code, "give one" in done.output) == (2, True)


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = kravoversikt("serve", "--home", tmp_path, "--no-auth", "--port", other.getsockname()[1])
    assert done.exit_code == 2
    assert "give another --host or --port" in done.output


@pytest.mark.parametrize(
    ("soft", "hard", "given", "connections", "raised"),
    [
        (1024, 1_048_576, {}, 10_000, 10_400),
        (1024, -1, {}, 10_000, 10_400),
        (20_000, 20_000, {}, 10_000, None),
        (-1, -1, {}, 10_000, None),
        (1024, 4096, {}, 3696, 4096),  # nobody has asked for so many
        (1024, 4096, {"connections": 3696}, 3696, 4096),
        (1024, 4096, {"connections": 3697}, None, 4096),
        (256, 256, {}, None, None),
    ],
)
def test_as_many_connections_as_files_may_be_open(tmp_path, monkeypatch, soft, hard, given, connections, raised):
    set_to = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    settings = Settings(home=tmp_path, **given)
    if connections is None:
        with pytest.raises(SettingsError, match=r"connections = \d+ needs \d+ open files, and \d+ are allowed"):
            with_room(settings)
    else:
        assert with_room(settings) == settings.model_copy(update={"connections": connections})
    assert set_to == ([(raised, hard)] if raised else [])


def test_localhost_is_an_address(tmp_path):
    assert settings(tmp_path, no_auth=True, host="localhost").host == "127.0.0.1"


def test_only_the_flag_opens(tmp_path):
    throwaway.make_keys(tmp_path)

    def gate(settings):
        return Worker(settings, {}, Limits(2), b"k" * 32, None).app._gate

    assert isinstance(gate(settings(tmp_path, no_auth=True)), Open)
    assert isinstance(gate(settings(tmp_path, GOOD)), Secured)
    with pytest.raises(SettingsError, match="how callers are known"):
        gate(Settings(home=tmp_path))


def test_the_pages_example_with_every_default_written_out(tmp_path):
    throwaway.make_keys(tmp_path)
    (tmp_path / "subscription.key").write_text("a key")
    page = (ROOT / "docs" / "serving.md").read_text()
    start = page.index("    consumers_file =")
    example = textwrap.dedent(page[start : page.index("`consumers.toml` has a table")])
    written = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", example)
    assert written.count("\n# ") == 0
    assert {"port", "jwks_file", "audience", "access"} <= set(re.findall(r"(?m)^([a-z_]+) = ", written))
    assert settings(tmp_path, written) == settings(tmp_path, example)


@pytest.mark.parametrize("name", ["private.pem", "consumers.toml"])
@pytest.mark.parametrize("content", ["", "rubbish", "[[consumer]]"])
def test_throwaway_files_that_are_broken(tmp_path, name, content):
    throwaway.make_keys(tmp_path)
    (tmp_path / name).write_text(content)
    words = [("token", "--keys", tmp_path)]
    if name == "private.pem" or content:
        words.append(("serve", "--home", tmp_path, "--test-keys", tmp_path))
    for done in (kravoversikt(*one) for one in words):
        assert (done.exit_code, name in done.output) == (2, True), done.output
        assert isinstance(done.exception, SystemExit)


def test_new_keys_are_told_of_and_have_names_of_their_own(tmp_path):
    first, again, other = (kravoversikt("token", "--keys", tmp_path / name) for name in ("a", "a", "b"))
    assert "new keys were made" in first.stderr
    assert again.stderr == ""
    kids = [jwt.get_unverified_header(one.stdout.strip())["kid"] for one in (first, again, other)]
    assert kids[0] == kids[1] != kids[2]


def test_a_key_that_is_replaced_is_published(tmp_path):
    for name in ("a", "b"):
        throwaway.make_keys(tmp_path / name)
    (tmp_path / "a" / "private.pem").write_bytes((tmp_path / "b" / "private.pem").read_bytes())
    throwaway.make_keys(tmp_path / "a")
    assert (tmp_path / "a" / "jwks.json").read_bytes() == (tmp_path / "b" / "jwks.json").read_bytes()


@pytest.mark.parametrize(
    "words", [("--part", "310478718"), ("--part", "x"), ("--consumer", "999999998"), ("--consumer", "01810001050")]
)
def test_numbers_that_are_none_get_no_token(tmp_path, words):
    done = kravoversikt("token", "--keys", tmp_path / "keys", *words)
    assert (done.exit_code, words[0] in done.output) == (2, True)
    assert not (tmp_path / "keys").exists()


def test_throwaway_keys(tmp_path):
    keys = tmp_path / "keys"
    first, second = (kravoversikt("token", "--keys", keys, "--part", "310478717") for _ in range(2))
    assert first.exit_code == second.exit_code == 0
    assert first.stdout.count(".") == 2
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    for name in ("private.pem", "log-hash.key", "jwks.json", "consumers.toml"):
        assert stat.S_IMODE((keys / name).stat().st_mode) == 0o600
    assert "throwaway" in (keys / "TEST-ONLY.txt").read_text()
    assert not list(keys.glob(".*"))
    assert kravoversikt("token", "--keys", keys, "--altinn").exit_code == 2


def test_keys_that_are_there_stay(tmp_path):
    throwaway.make_keys(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    throwaway.make_keys(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
