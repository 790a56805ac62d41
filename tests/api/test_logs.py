"""What is written about an answer, and what is not."""

import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from serving import logs as logs_module
from serving.consent import SystemUser
from serving.journal import Journal
from serving.logs import About, Answered, Bearer, Lines, Logs, part_hash
from serving.server import Worker
from tests.api.running import ROOT, A
from tests.plain.numbers import national_number

pytestmark = pytest.mark.slow

KEY = b"k" * 32
PART = "310478717"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_line_each(tmp_path):
    logs = Logs(str(tmp_path / "access"), str(tmp_path / "audit"), KEY)
    answer = Answered("id-1", "GET", "krav", 200, None, "bank", "zstd", 123, 0.0015, request="own-1")
    answer.about = About(PART, "finans", "2026-01-01/2026-12-31", "2026-11-23-0001")
    logs.answered(answer)
    logs.answered(Answered("id-2", "GET", "unknown", 404, "KB-003"))
    logs.flush()
    first, second = lines(tmp_path / "access")
    (audit,) = lines(tmp_path / "audit")
    time = first.pop("time")
    assert first == {
        "log": "access",
        "request": "own-1",
        "korrelasjonsid": "id-1",
        "method": "GET",
        "route": "krav",
        "status": 200,
        "kode": None,
        "consumer": "bank",
        "coding": "zstd",
        "bytes": 123,
        "ms": 1.5,
    }
    assert audit == {
        "log": "audit",
        "time": time,
        "request": "own-1",
        "korrelasjonsid": "id-1",
        "method": "GET",
        "route": "krav",
        "status": 200,
        "kode": None,
        "consumer": "bank",
        "stranger": None,
        "part": part_hash(KEY, PART),
        "rettighetspakke": "finans",
        "period": "2026-01-01/2026-12-31",
        "snapshot": "2026-11-23-0001",
        "client": None,
        "jti": None,
        "supplier": None,
        "consent": None,
        "systemuser": None,
        "systemuser_org": None,
        "address": None,
    }
    assert (second["kode"], second["consumer"], second["coding"]) == ("KB-003", None, None)


def test_a_part_goes_by_its_keyed_hash():
    assert part_hash(KEY, PART) == part_hash(KEY, PART)
    assert part_hash(KEY, PART) != part_hash(b"x" * 32, PART)
    assert part_hash(KEY, PART) != part_hash(KEY, PART[::-1])
    assert PART not in part_hash(KEY, PART)


def test_two_workers_in_one_file(tmp_path):
    both = [Logs(str(tmp_path / "access"), "", KEY) for _ in range(2)]
    for number in range(100):
        both[number % 2].answered(Answered(f"id-{number}", "GET"))
        both[number % 3 % 2].flush()
    for logs in both:
        logs.flush()
    assert len({line["korrelasjonsid"] for line in lines(tmp_path / "access")}) == 100


@pytest.fixture
def pipe():
    """A pipe by its path, and its reading end."""
    reading, writing = os.pipe()
    yield f"/dev/fd/{writing}", reading, writing
    os.close(reading)
    os.close(writing)


def test_a_reader_that_stands_still_keeps_no_one_waiting(pipe):
    path, reading, _ = pipe
    stuck = Lines(path)
    for _ in range(200):
        stuck.write("x" * 1000)
    writer = threading.Thread(target=stuck.flush)
    writer.start()
    time.sleep(0.1)
    assert writer.is_alive()  # the pipe is full
    stuck.write("y")  # and adding a line does not wait for it
    assert stuck.behind() > 0
    left = 200 * 1001
    while left:
        left -= len(os.read(reading, 65536))
    writer.join(5)
    stuck.flush()
    assert os.read(reading, 10) == b"y\n"
    assert stuck.behind() == 0


def test_what_cannot_be_written_is_held_and_told_once(caplog):
    full = Lines("/dev/full")
    for number in range(3):
        full.write(f"line {number}")
        full.flush()
    assert len(caplog.records) == 1
    assert full.behind() > 0
    assert [line.decode() for line in full._being_written] == ["line 0\n", "line 1\n", "line 2\n"]


def test_no_more_is_held_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(logs_module, "MOST_HELD", 2)
    full = Lines("/dev/full")
    for number in range(5):
        full.write(f"line {number}")
        full.flush()
    assert full.held() == 2
    assert full.full()
    assert (full.dropped(), full.dropped()) == (3, 0)


def test_lines_under_way_count_as_held(pipe, monkeypatch):
    monkeypatch.setattr(logs_module, "MOST_HELD", 200)
    path, reading, _ = pipe
    stuck = Lines(path)
    for _ in range(200):
        stuck.write("x" * 1000)
    writer = threading.Thread(target=stuck.flush)
    writer.start()
    time.sleep(0.1)
    stuck.write("y")
    assert (stuck.full(), stuck.dropped()) == (True, 1)
    left = 200 * 1001
    while left:
        left -= len(os.read(reading, 65536))
    writer.join(5)
    assert not stuck.full()


def test_nothing_is_shown_when_its_audit_line_would_be_dropped(monkeypatch):
    monkeypatch.setattr(logs_module, "MOST_HELD", 1)
    logs = Logs("", "/dev/full", KEY)
    assert logs.audited()
    logs.answered(Answered("id-1", "GET", about=About(PART, "finans", None)))
    assert not logs.audited()


def test_a_line_torn_by_a_full_disk_is_written_anew_and_none_twice(tmp_path):
    path = tmp_path / "log"
    script = """
import resource, sys
from serving.logs import Lines
lines = Lines(sys.argv[1])
for letter in "abc":
    lines.write(letter * 9)
resource.setrlimit(resource.RLIMIT_FSIZE, (15, resource.RLIM_INFINITY))
lines.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
lines.flush()
"""
    subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, check=True, timeout=30)
    assert path.read_text().split() == ["a" * 9, "b" * 5, "b" * 9, "c" * 9]


def test_a_caller_without_an_agreement_is_audited_by_its_keyed_hash(tmp_path):
    logs = Logs(str(tmp_path / "access"), str(tmp_path / "audit"), KEY)
    logs.answered(Answered("id-1", "GET", stranger=PART, about=About(PART[::-1], "finans", None)))
    logs.flush()
    assert lines(tmp_path / "audit")[0]["stranger"] == part_hash(KEY, PART)
    assert PART not in (tmp_path / "access").read_text() + (tmp_path / "audit").read_text()


def test_what_cannot_be_audited_is_told_and_the_access_log_is_written_all_the_same(tmp_path, monkeypatch):
    logs = Logs(str(tmp_path / "access"), "/dev/full", KEY)
    logs.answered(Answered("id-1", "GET", about=About(PART, "finans", None)))
    logs.flush()
    assert logs.audited()
    monkeypatch.setattr(logs_module, "BEHIND_SECONDS", 0.0)
    assert not logs.audited()
    assert len(lines(tmp_path / "access")) == 1


def test_lines_of_two_workers_on_one_pipe_do_not_mix():
    script = """
import sys
from serving.logs import Lines
lines = Lines("-")
for _ in range(40):
    for _ in range(20):
        lines.write(sys.argv[1] * 777)
    lines.flush()
"""
    reading, writing = os.pipe()
    workers = [subprocess.Popen([sys.executable, "-c", script, letter], cwd=ROOT, stdout=writing) for letter in "ab"]
    os.close(writing)
    content = b""
    while piece := os.read(reading, 3000):
        content += piece
        time.sleep(0.0005)  # slower than they write: the pipe is full nearly always
    os.close(reading)
    assert [worker.wait(30) for worker in workers] == [0, 0]
    assert len(content) == 2 * 40 * 20 * 778
    assert set(content.split(b"\n")) == {b"a" * 777, b"b" * 777, b""}


ELEVEN = national_number(1)
UUID = "6e1f0a8c-52d7-4b1e-9f33-{}"


@pytest.mark.parametrize(
    "given",
    [
        *(ELEVEN, "id-310478717-1", "x310478717", "3.1.0-4:7_8717", "00310478717"),
        *(UUID.format("310478717abc"), UUID.format(f"{ELEVEN}a"), f"{ELEVEN[:8]}-{ELEVEN[8:]}f-4a1e-9f33-6e1f0a8c52d7"),
        *("12345678903", "86011117947", "x86-01-11-17947"),  # accounts
    ],
)
def test_an_id_in_which_a_number_can_be_read_is_hashed_in_the_logs(tmp_path, given):
    assert logged_id(tmp_path, given) == part_hash(KEY, given)


@pytest.mark.parametrize(
    "given",
    [
        *(UUID.format("310478718abc"), UUID.format("c31047871a7f"), "a3104787-17ab-4a1e-9f33-6e1f0a8c52d7"),
        *("batch-2026-11-23.17", "1"),
    ],
)
def test_an_id_in_which_none_can_be_read_stands_as_it_is(tmp_path, given):
    """Digits that are no one's number: their check digits are wrong, or a letter or a UUID's hyphen is among them."""
    assert logged_id(tmp_path, given) == given


def logged_id(tmp_path, given):
    """The id that stands in the access log for the one that was given."""
    logs = Logs(str(tmp_path / "access"), "", KEY)
    logs.answered(Answered(given, "GET"))
    logs.flush()
    (line,) = lines(tmp_path / "access")
    return line["korrelasjonsid"]


def test_upkeep_that_fails_tells_class_and_place_and_not_the_message(caplog):
    def broken():
        raise KeyError(A)

    Worker._try(object(), broken)
    assert re.search(r"KeyError at .*test_logs\.py:[0-9]+ broken", caplog.text)
    assert A not in caplog.text


# By what right, for whom and from where

USER = "ebe4a681-0a8c-429e-a36f-8f9ca942b59f"


def audited(tmp_path, proxies=(), **facts):
    logs = Logs("", str(tmp_path / "audit"), KEY, proxies)
    logs.answered(Answered("id-1", "GET", about=About(A, "finans", None), **facts))
    logs.flush()
    return lines(tmp_path / "audit")[0]


def test_the_audit_log_tells_by_what_right(tmp_path):
    bearer = Bearer("a-client", "-SpfU--1Zn_Oqv", PART)
    line = audited(tmp_path, bearer=bearer, consent=USER, system_user=SystemUser(USER, PART), peer="192.0.2.7")
    told = {name: line[name] for name in ("client", "jti", "supplier", "consent", "systemuser", "systemuser_org")}
    assert told == {
        "client": "a-client",
        "jti": "-SpfU--1Zn_Oqv",
        "supplier": part_hash(KEY, PART),
        "consent": USER,
        "systemuser": USER,
        "systemuser_org": part_hash(KEY, PART),
    }
    assert line["address"] == "192.0.2.7"


@pytest.mark.parametrize("text", [f"{PART}_system", f"x{ELEVEN}", 'a","status":200', "a\nb", "\ud800", "", "x" * 129])
def test_text_of_a_token_that_is_no_plain_word_is_hashed(tmp_path, text):
    """It breaks out of no line, and no one's number is in it; with the key it can still be found."""
    line = audited(tmp_path, bearer=Bearer(text, text), consent=text)
    assert [line["client"], line["jti"], line["consent"]] == [part_hash(KEY, text)] * 3


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # no proxy of ours: anyone can say that
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what stands before it anyone can have said
        ("10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("::ffff:10.0.0.1", "2001:DB8::1", "2001:db8::1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", f"203.0.113.9, {ELEVEN}", None),
        ("10.0.0.1", '203.0.113.9, "', None),
        ("", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_an_address_is_the_one_that_a_known_proxy_gives(tmp_path, peer, forwarded, address):
    proxies = ["10.0.0.0/8", "unix"]
    assert audited(tmp_path, proxies, peer=peer, forwarded=forwarded)["address"] == address


def test_a_socket_without_an_address_is_believed_when_it_is_configured(tmp_path):
    assert audited(tmp_path, peer="", forwarded="198.51.100.1")["address"] is None


# Lines that outlive their process


def kept(tmp_path):
    made = Lines(str(tmp_path / "audit"))
    made.keep_in(tmp_path)
    return made


KILLED = """
import os, pathlib, signal, sys, time
from serving.logs import Lines
folder = pathlib.Path(sys.argv[1])
lines = Lines(str(folder / "audit"))
lines.keep_in(folder)
for number in range(5):
    lines.write(f"{sys.argv[2]} {number}")
    if number == 2:
        lines.flush()
(folder / sys.argv[2]).touch()
while not all((folder / letter).exists() for letter in "ab"):  # both live, and so each has a journal of its own
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_lines_of_workers_that_were_killed_are_written_by_the_next(tmp_path):
    """Each once: those that were written, and those that were not."""
    workers = [subprocess.Popen([sys.executable, "-c", KILLED, tmp_path, letter], cwd=ROOT) for letter in "ab"]
    assert [worker.wait(30) for worker in workers] == [-9, -9]
    assert len((tmp_path / "audit").read_text().splitlines()) == 6
    for _ in range(2):  # and not again
        kept(tmp_path).flush()
        written = (tmp_path / "audit").read_text().splitlines()
        assert sorted(written) == [f"{letter} {number}" for letter in "ab" for number in range(5)]


def test_what_is_written_leaves_the_journal_and_what_is_not_stays(tmp_path, monkeypatch):
    made = kept(tmp_path)
    for number in range(3):
        made.write(f"line {number}")
    with monkeypatch.context() as patch:
        patch.setattr(made, "_write", lambda lines: lines[1:])  # as on a disk that fills up
        made.flush()
    assert Journal(tmp_path).found == []  # it is another's: the file of one that lives is left alone
    begin, end = made._journal._begin, made._journal._end
    assert made._journal._map[begin:end] == b"line 1\nline 2\n"
    made.flush()
    assert made._journal._begin == made._journal._end


def test_when_the_journal_is_full_nothing_more_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.journal.SIZE", 4096)
    made = kept(tmp_path)
    for number in range(50):
        made.write(f"{number:02}" + "x" * 97)
        assert made.full() == (number >= 40)
    made.flush()
    assert not made.full()
    assert len((tmp_path / "audit").read_text().splitlines()) == 50  # and none is lost while the process lives


def test_a_journal_goes_round(tmp_path, monkeypatch):
    """It is never empty, and takes far more than its size."""
    monkeypatch.setattr("serving.journal.SIZE", 4096)
    journal = Journal(tmp_path)
    journal.add(b"x" * 99 + b"\n")
    for _ in range(500):
        assert journal.add(b"y" * 99 + b"\n")
        journal.remove(100)
    begin, end = journal._begin, journal._end
    assert journal._map[begin:end] == b"y" * 99 + b"\n"


def test_without_room_for_a_journal_it_is_told_and_goes_on(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    made = kept(tmp_path)
    made.write("line")
    made.flush()
    assert "will not survive a killed worker: No space left" in caplog.text
    assert (tmp_path / "audit").read_text() == "line\n"
