"""A real server over loopback: several workers, snapshots that change under load, the end."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
import zstandard

from serving.breaker import FAILURES, STATES
from serving.limits import Limits
from serving.request import Request
from serving.server import Agreements, Worker
from serving.settings import Maskinporten, Settings, SettingsError, check_port
from serving.store import Snapshot
from serving.throwaway import ISSUER, access_token, make_keys, settings_for
from tests.api.running import ROOT, A, children, free_port, publish, wait_until, wait_until_ready
from tests.nights import Nights, S
from tests.plain.statement import innbetaling, rows
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow

OVERSIKT = f"/v1/finans/{A}/oversikt"
KRAV = f"/v1/finans/{A}/krav?fraOgMed=2026-01-01&tilOgMed=2026-12-31"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A home with two nights whose overviews of A differ; the last is published."""
    folder = tmp_path_factory.mktemp("server")
    publish(folder)
    write_delivery(folder / "inbox", "skatt", 2, "endring", rows(innbetaling("A7", A, "1.00", "2026-02-05")))
    Nights(folder, count=1).publish(S + timedelta(days=1))
    return folder / "home"


@pytest.fixture
def home(two, tmp_path):
    return shutil.copytree(two, tmp_path / "home", symlinks=True)


@contextmanager
def serving(home, folder, *options, settings="", ends=0, health=None):
    """The command itself; ends it when the test hasn't, and looks at how it ``ends``. ``health``: where it is asked."""
    make_keys(folder)
    port, log = free_port(), folder / "server.log"
    (folder / "serving.toml").write_text(f"poll_seconds = 0.05\n{settings}")
    words = ["--home", home, "--port", port, "--config", folder / "serving.toml", "--test-keys", folder, *options]
    command = [sys.executable, "-c", "from cli.main import main; main()", "serve", *map(str, words)]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
        try:
            wait_until_ready(process, health or port, log)
            yield process, port
        finally:
            if process.poll() is None:
                process.terminate()
            assert process.wait(40) == ends, log.read_text()


def get(port, path, token=None, connection=None, method="GET", **headers):
    """Status, headers and body."""
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    own.request(method, path, headers=({"Authorization": f"Bearer {token}"} if token else {}) | headers)
    answer = own.getresponse()
    body = answer.read()
    if not connection:
        own.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def point(home, folder):
    link = home / ".next"
    link.symlink_to(folder)
    link.replace(home / "current")


def test_ten_switches_under_load(home, tmp_path):
    """No answer fails, and each is whole of one snapshot: its bytes, its date and its tag belong together."""
    folders = sorted((home / "snapshots").iterdir())
    whole = {}
    for folder in folders:
        snapshot = Snapshot(folder)
        whole[snapshot.document("oversikt", A)] = str(snapshot.snapshot_date(A))
    assert len(whole) == 2
    seen, wrong, over = set(), [], threading.Event()
    with serving(home, tmp_path, "--workers", "2") as (_, port):
        token = access_token(tmp_path, part=A)

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            while not over.is_set():
                status, headers, body = get(port, OVERSIKT, token, connection)
                if status != 200 or whole.get(body) != headers["snapshot-date"]:
                    wrong.append((status, headers, body))
                seen.add((headers.get("etag"), headers.get("snapshot-date")))
            connection.close()

        asking = [threading.Thread(target=ask) for _ in range(8)]
        for one in asking:
            one.start()
        for number in range(10):
            point(home, folders[number % 2])
            time.sleep(0.25)
        over.set()
        for one in asking:
            one.join()
    assert wrong == []
    assert len(seen) == 2


def test_without_a_snapshot_until_there_is_one_and_then_a_broken_one(two, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    port, log = free_port(), tmp_path / "log"
    words = ["serve", "--home", home, "--port", port, "--no-auth"]
    command = [sys.executable, "-c", "from cli.main import main; main()", *map(str, words)]
    with log.open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            _wait_for(port)
            status, _, body = get(port, OVERSIKT)
            assert (status, json.loads(body)["kode"]) == (503, "KB-002")
            assert get(port, "/health/ready")[0] == 503
            (home / "current").symlink_to(max((two / "snapshots").iterdir()))
            wait_until_ready(process, port, log, 5)
            assert get(port, OVERSIKT)[0] == 200
            (home / "half").mkdir()
            point(home, home / "half")
            wait_until(lambda: b'"refused":"half"' in get(port, "/health/ready")[2])
            assert [get(port, path)[0] for path in ("/health/ready", OVERSIKT)] == [200, 200]
            assert b"kravoversikt_snapshot_refused 1.0" in get(port, "/metrics")[2]
        finally:
            process.terminate()
            process.wait(20)


def test_by_another_name_without_access_control_nothing_is_told(two, tmp_path):
    """A page whose name points to this machine (DNS rebinding) reads nothing; localhost is an address to listen on."""
    port, log = free_port(), tmp_path / "log"
    words = ["serve", "--home", two, "--host", "localhost", "--port", port, "--no-auth"]
    command = [sys.executable, "-c", "from cli.main import main; main()", *map(str, words)]
    with log.open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            wait_until_ready(process, port, log)
            for host in (f"localhost:{port}", "LOCALHOST", "127.0.0.1", f"[::1]:{port}"):
                assert get(port, OVERSIKT, Host=host)[0] == 200
            for host in ("elsewhere.example", f"localhost.example:{port}", "192.0.2.1", "", "localhost@x", "[::1"):
                assert get(port, OVERSIKT, Host=host)[0] in (400, 404), host
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize("answer", [b"HELLO\r\n\r\n", b""], ids=["rubbish", "silence"])
def test_an_issuer_that_is_no_good_keeps_nothing_from_starting(two, tmp_path, answer):
    """Snapshots are followed all the same, and it is told that keys are missing."""
    with socket.create_server(("127.0.0.1", 0)) as issuer:
        make_keys(tmp_path)
        place = issuer.getsockname()[1]
        first = Maskinporten(issuer=ISSUER, metadata=f"http://127.0.0.1:{place}/")
        settings = Settings(home=two, maskinporten=first, poll_seconds=0.05, log={"access": "", "audit": ""})
        worker = Worker(settings, {}, Limits(2), b"k" * 32, None)
        if answer:
            threading.Thread(target=_answer, args=(issuer, answer), daemon=True).start()
        began = time.monotonic()
        worker.start()
        assert time.monotonic() - began < 4
        ready = worker.app.handle(Request("GET", "/health/ready", "", {}))
        said = json.loads(ready.body)
        assert (ready.status, said["keys"], said["snapshot"] is None) == (503, "missing", False)
        worker.stop()


def _answer(listener, answer):
    connection, _ = listener.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(answer)


def test_ready_looks_at_altinns_keys_too(tmp_path):
    make_keys(tmp_path)
    given = settings_for(tmp_path)
    absent = given["altinn"].model_copy(update={"jwks_file": tmp_path / "none"})
    for altinn, state in ((given["altinn"], "read"), (absent, "missing"), (None, "read")):
        worker = Worker(Settings(home=tmp_path, **given | {"altinn": altinn}), {}, Limits(2), b"k" * 32, None)
        for keys in worker.keys.values():
            keys.refresh()
        assert worker.app._gate.keys() == state


def test_it_is_told_when_altinns_decision_point_is_not_asked(two, tmp_path):
    """It is ready all the same: others than system users are served."""
    make_keys(tmp_path)
    given = settings_for(tmp_path, "http://127.0.0.1:1/authorize")
    given["system_users"] = given["system_users"].model_copy(update={"pause_seconds": 7})
    worker = Worker(Settings(home=two, **given), {}, Limits(2), b"k" * 32, None)
    for keys in worker.keys.values():
        keys.refresh()
    assert worker.decisions.breaker._pause_seconds == 7
    for state, failures in (("closed", 0), ("open", FAILURES)):
        for _ in range(failures):
            worker.decisions.breaker.told(False)
        worker.upkeep()
        ready = worker.app.handle(Request("GET", "/health/ready", "", {}))
        assert (ready.status, json.loads(ready.body)["breaker"]) == (200, state)
        page = worker.metrics.page().decode()
        told = dict(re.findall(r'^kravoversikt_breaker_workers\{state="(.*)"\} (.*)$', page, re.MULTILINE))
        assert told == {one: "1.0" if one == state else "0.0" for one in STATES}


def test_an_access_log_that_nobody_reads_keeps_neither_answers_nor_the_audit_log(two, tmp_path):
    reading, writing = os.pipe()
    audit = tmp_path / "audit"
    log = {"access": f"/dev/fd/{writing}", "audit": str(audit)}
    settings = Settings(home=two, no_auth=True, poll_seconds=0.05, log=log)
    worker = Worker(settings, {}, Limits(2), b"k" * 32, None)
    worker.start()
    try:
        for number in (1000, 2000):
            for _ in range(1000):  # more than a pipe holds
                assert worker.app.handle(Request("GET", OVERSIKT, "", {"host": "localhost"})).status == 200
            wait_until(lambda number=number: len(audit.read_text().splitlines()) == number)
        assert worker.logs.access.behind() > 0
        assert worker.logs.audited()
    finally:
        worker._ended.set()
        os.close(reading)  # which ends the write that waits
        wait_until(lambda: not worker.logs.access._writing.locked())
        os.close(writing)


def test_metrics_tell_of_logs_that_cannot_be_written(two, monkeypatch):
    monkeypatch.setattr("serving.logs.MOST_HELD", 2)
    log = {"access": "/dev/full", "audit": "/dev/full"}
    worker = Worker(Settings(home=two, no_auth=True, log=log), {}, Limits(2), b"k" * 32, None)
    worker.upkeep()
    asked = Request("GET", OVERSIKT, "", {"host": "localhost"})
    assert [worker.app.handle(asked).status for _ in range(5)] == [200, 200, 503, 503, 503]
    worker.upkeep()
    page = worker.metrics.page().decode()
    assert 'kravoversikt_log_lines_dropped_total{log="access"} 3.0' in page
    assert float(re.search(r"^kravoversikt_audit_behind_seconds (.*)$", page, re.MULTILINE)[1]) > 0


def _wait_for(port):
    wait_until(lambda: get(port, "/health/live")[0] == 200)


def test_all_over_the_wire(two, tmp_path):
    """HEAD, 304, codings and the open pages as a client gets them."""
    snapshot = Snapshot.current(two)
    with serving(two, tmp_path) as (_, port):
        token = access_token(tmp_path, part=A)
        status, headers, body = get(port, OVERSIKT, token)
        assert (status, body) == (200, snapshot.document("oversikt", A))
        head = get(port, OVERSIKT, token, method="HEAD")
        assert (head[0], head[1]["content-length"], head[2]) == (200, str(len(body)), b"")
        again = get(port, OVERSIKT, token, **{"If-None-Match": headers["etag"]})
        assert (again[0], again[2]) == (304, b"")
        assert again[1]["etag"] == headers["etag"]
        packed = get(port, OVERSIKT, token, **{"Accept-Encoding": "zstd"})
        assert packed[1]["content-encoding"] == "zstd"
        assert zstandard.ZstdDecompressor().decompress(packed[2]) == body
        assert get(port, KRAV, token)[0] == 200
        for path in ("/openapi.json", "/docs", "/health/live", "/metrics"):
            assert get(port, path)[0] == 200
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for _ in range(3):  # a connection goes on after HEAD, 304 and an error
            assert get(port, OVERSIKT, token, connection, "HEAD")[0] == 200
            assert get(port, OVERSIKT, token, connection, **{"If-None-Match": "*"})[0] == 304
            assert get(port, "/nowhere", token, connection)[0] == 404
        connection.close()


def test_figures_of_all_workers_and_what_is_logged_at_the_end(two, tmp_path):
    settings = f'[log]\naccess = "{tmp_path}/access"\naudit = "{tmp_path}/audit"\nhash_key_file = "log-hash.key"\n'
    with serving(two, tmp_path, "--workers", "3", settings=settings) as (_, port):
        token = access_token(tmp_path, part=A)
        for _ in range(60):
            assert get(port, OVERSIKT, token)[0] == 200
        time.sleep(0.5)
        text = get(port, "/metrics")[2].decode()
        assert float(re.search(r'requests_total\{kode="",route="oversikt",status="200"\} (\S+)', text)[1]) == 60
        assert float(re.search(r'request_seconds_count\{route="oversikt"\} (\S+)', text)[1]) == 60
        assert 'consumer_requests_total{consumer="test-only",status="200"} 60.0' in text
        for _ in range(5):
            get(port, OVERSIKT, token)
    for name, more in (("audit", 0), ("access", 1)):
        logged = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert sum(line.get("route") == "oversikt" for line in logged) == 65
        assert len(logged) >= 65 + more


def test_a_unix_socket_and_a_listener_for_those_who_look_after_it(two, tmp_path):
    """Documents over the one, health and figures over the other; a reload and an end leave nothing behind."""
    admin, path = free_port(), tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    settings = f'socket = "api.sock"\nadmin_port = {admin}\n'
    with serving(two, tmp_path, "--workers", "2", settings=settings, health=admin) as (process, _):
        token = access_token(tmp_path, part=A)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://api.example") as client:
            assert client.get(OVERSIKT, headers={"Authorization": f"Bearer {token}"}).status_code == 200
            assert client.get("/metrics").status_code == 404
            assert client.get("/health/ready").json() == {"status": "ready"}
        assert get(admin, OVERSIKT, token)[0] == 404
        assert [get(admin, one)[0] for one in ("/metrics", "/health/live", "/health/ready")] == [200, 200, 200]
        before = set(children(process.pid))
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(children(process.pid)) == 2 and not before & set(children(process.pid)))
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://api.example") as client:
            assert client.get("/health/live").status_code == 200
        with pytest.raises(SettingsError, match="another program listens"):
            check_port(Settings(home=two, socket=path))
    assert not path.exists()


def test_the_rate_limit_holds_over_all_workers(two, tmp_path):
    make_keys(tmp_path)
    consumers = tmp_path / "consumers.toml"
    consumers.write_text(
        re.sub("requests_per_second.*\nburst.*", "requests_per_second = 0.01\nburst = 7", consumers.read_text())
    )
    with serving(two, tmp_path, "--workers", "3") as (_, port):
        token = access_token(tmp_path, part=A)
        answers = [get(port, OVERSIKT, token) for _ in range(30)]
    assert [status for status, *_ in answers].count(200) == 7
    limited = answers[-1]
    assert limited[0] == 429
    assert 1 <= int(limited[1]["retry-after"]) <= 100


def test_what_is_under_way_is_finished(two, tmp_path):
    """SIGTERM while a request's last line is still to come, and while a large answer is still to be read."""
    with serving(two, tmp_path, "--workers", "2") as (process, port):
        token = access_token(tmp_path, part=A)
        half = socket.create_connection(("127.0.0.1", port), timeout=10)
        half.sendall(f"GET {OVERSIKT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n".encode())
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(10)
        slow.connect(("127.0.0.1", port))
        slow.sendall(b"GET /docs HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        half.sendall(b"\r\n")
        assert half.recv(1000).startswith(b"HTTP/1.1 200")
        received = b""
        while piece := slow.recv(65536):
            received += piece
        assert received.count(b"HTTP/1.1 200") == 50
        half.close()
        slow.close()
        assert process.wait(20) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=2)


def test_standard_output_that_nobody_reads_keeps_no_server_from_ending(two, tmp_path):
    """More than the pipe holds is logged, the server ends all the same long before it would be killed, and tells."""
    make_keys(tmp_path)
    port, log = free_port(), tmp_path / "log"
    words = ["serve", "--home", two, "--test-keys", tmp_path, "--port", port]
    command = [sys.executable, "-c", "from cli.main import main; main()", *map(str, words)]
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=out) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        wait_until_ready(process, port, log)
        for _ in range(400):
            client.get(OVERSIKT)
        process.terminate()
        assert process.wait(20) == 0
    assert re.search("[0-9]+ lines of the access log could not be written and are lost", log.read_text())


def test_a_reload_takes_the_file_of_consumers_and_fails_no_one(two, tmp_path):
    """What is asked before, while and after is answered; the right that was taken away is gone."""
    with serving(two, tmp_path, "--workers", "2") as (process, port):
        token, consumers = access_token(tmp_path, part=A), tmp_path / "consumers.toml"
        before, seen = set(children(process.pid)), []
        kept = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(8)]
        consumers.write_text(consumers.read_text().replace('"finans", ', ""))
        process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 20
        while time.monotonic() < until and before & set(children(process.pid)):
            seen += [get(port, OVERSIKT, token, connection)[0] for connection in (None, *kept)]
        assert set(seen) <= {200, 403}
        assert seen[0] == 200
        assert [get(port, OVERSIKT, token)[0] for _ in range(10)] == [403] * 10
        assert len(children(process.pid)) == 2
        for connection in kept:
            connection.close()


def test_workers_end_when_the_first_process_is_gone(two, tmp_path):
    with serving(two, tmp_path, ends=-signal.SIGKILL) as (process, _):
        workers = children(process.pid)
        process.kill()
    wait_until(lambda: not any(_runs(worker) for worker in workers))


@pytest.mark.parametrize("seconds", [0.02, 0.06])
def test_new_workers_end_when_the_first_process_is_gone_before_they_are_ready(two, tmp_path, seconds):
    """No one is left who listens."""
    with serving(two, tmp_path, ends=-signal.SIGKILL) as (process, port):
        process.send_signal(signal.SIGHUP)
        time.sleep(seconds)
        process.kill()
    wait_until(lambda: not _listens(port))


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_reloads_that_come_together(two, tmp_path):
    with serving(two, tmp_path, "--workers", "2") as (process, port):
        before = set(children(process.pid))
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        wait_until(lambda: not before & set(children(process.pid)))
        assert get(port, "/health/live")[0] == 200


def test_a_client_that_takes_nothing_is_cut_off(two, tmp_path):
    with serving(two, tmp_path, settings="header_seconds = 1\n") as (_, port), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /docs HTTP/1.1\r\nHost: a\r\n\r\n" * 90)
        time.sleep(4)
        with pytest.raises(ConnectionResetError):
            while client.recv(65536):
                pass


def test_too_few_open_files_for_the_connections(two, tmp_path):
    """More are told of than there may be: the server doesn't start."""
    (tmp_path / "serving.toml").write_text("connections = 1000\n")
    words = ["serve", "--home", two, "--config", tmp_path / "serving.toml", "--no-auth", "--port", free_port()]
    command = [
        "sh",
        "-c",
        'ulimit -n 512 && exec "$@"',
        "sh",
        sys.executable,
        "-c",
        "from cli.main import main; main()",
    ]
    run = subprocess.run(
        [*command, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 2
    segments = len(list((two / "current" / "documents").glob("*.zst")))
    said = f"connections = 1000 needs {1400 + 2 * segments} open files, and 512 are allowed"
    assert segments and said in run.stderr


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123  # not a file on disk
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_dies_is_replaced_and_what_it_answered_is_audited(two, tmp_path):
    """Its last lines, which it had no time to write, too."""
    audit = tmp_path / "audit"
    with serving(two, tmp_path, settings=f'[log]\naudit = "{audit}"\n') as (process, port):
        before, token = children(process.pid), access_token(tmp_path, part=A)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        assert [get(port, OVERSIKT, token, connection)[0] for _ in range(50)] == [200] * 50
        os.kill(max(before), signal.SIGKILL)
        connection.close()
        time.sleep(0.5)
        _wait_for(port)
        assert set(children(process.pid)) != set(before)
        wait_until(lambda: len(audit.read_text().splitlines()) == 50)


def test_agreements_that_are_wrong_take_nothing_back(tmp_path):
    """A right that was taken away stays away, and a file that is wrong changes nothing."""
    make_keys(tmp_path)
    file = tmp_path / "consumers.toml"
    agreed = Agreements(file)
    file.write_text(file.read_text().replace('"finans", ', ""))
    agreed.read_again()
    file.write_text("rubbish")
    agreed.read_again()
    (consumer,) = agreed.consumers.values()
    assert consumer.rettighetspakker == {"regnskapssystem"}
