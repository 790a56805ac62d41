"""Envoy in front, as ``deploy/envoy.yaml`` says: as nginx, told in its way; and Envoy takes it, where it is."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

CONF = Path(__file__).resolve().parent.parent / "deploy" / "envoy.yaml"


@pytest.fixture
def manager():
    """What is said of HTTP, and before it of TLS."""
    (listener,) = yaml.safe_load(CONF.read_text("utf-8"))["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    (one,) = chain["filters"]
    assert chain["transport_socket"]["name"] == "envoy.transport_sockets.tls"
    return one["typed_config"]


def test_it_changes_nothing_of_a_path(manager):
    assert (manager["normalize_path"], manager["merge_slashes"]) == (False, False)
    assert manager["path_with_escaped_slashes_action"] == "KEEP_UNCHANGED"


def test_it_passes_on_what_nginx_does_and_logs_no_numbers(manager):
    (host,) = manager["route_config"]["virtual_hosts"]
    passed = [route["match"] for route in host["routes"] if "route" in route]
    assert passed == [{"prefix": "/v1/"}, {"path": "/openapi.json"}, {"path": "/docs"}]
    assert host["routes"][-1] == {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
    assert "access_log" not in manager


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("envoy"), reason="no envoy here: what it makes of the file is not tried")
def test_envoy_takes_it(tmp_path):
    (tmp_path / "settings").mkdir()
    key, certificate = tmp_path / "settings" / "tls.key", tmp_path / "settings" / "tls.crt"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    subprocess.run([*made, "-subj", "/CN=a", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    command = ["envoy", "--mode", "validate", "-c", CONF]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
