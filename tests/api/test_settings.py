"""What the server refuses to start with, and says why; the throwaway keys."""

import socket
import stat

import pytest
from click.testing import CliRunner

from cli.main import main
from serving import throwaway
from serving.settings import SettingsError, hash_key, is_loopback, read_settings


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
        ("", {"auth": False, "host": "192.0.2.1"}, "--no-auth is only for a loopback address"),
        ("", {"auth": False, "host": "::"}, "--no-auth is only"),
        ("", {"auth": False, "host": "localhost.example"}, "--no-auth is only"),
        ("", {}, "--test-keys or --no-auth to try"),
        ("[maskinporten]", {}, "hash_key_file is missing"),
        (GOOD.replace("consumers.toml", "none.toml"), {}, "none.toml"),
        (GOOD.replace("log-hash.key", "TEST-ONLY"), {}, "at least 32 bytes"),
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


def test_throwaway_keys(tmp_path):
    keys = tmp_path / "keys"
    first, second = (kravoversikt("token", "--keys", keys, "--part", "310478717") for _ in range(2))
    assert first.exit_code == second.exit_code == 0
    assert first.output.count(".") == 2
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
