"""Messages reach a receiver that refuses, hangs, is gone and comes back; a bad week; the commands."""

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, time, timedelta

import dagster as dg
import pytest
from click.testing import CliRunner

from alarms import outbox, sender
from alarms.seen import see
from alarms.sender import send
from alarms.telling import after_night, look
from cli.main import main
from pipelines import run as run_module
from pipelines.alarm import watch
from pipelines.run import run_night
from schemas.operations import Operations, OperationsError, Webhook
from schemas.snapshot import OSLO
from tests.alarms.receiver import AMPLE, a_receiver
from tests.alarms.test_alarms_outbox import a_message, ids
from tests.nights import LET_THROUGH, S
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, part, rows
from tests.plain.write import write_delivery
from transforms.home import ballast
from transforms.home import report as report_module
from transforms.home.lock import locked
from transforms.home.report import MAKE_ROOM, Report
from transforms.publish import stage as publish_stage

pytestmark = pytest.mark.slow

COMPANY, STRANGER = organisation_number(1), organisation_number(2)


@pytest.fixture
def receiver():
    with a_receiver() as one:
        yield one


@pytest.fixture
def waits(tmp_path, monkeypatch):
    """A home in which two messages wait; there are no pauses between attempts."""
    monkeypatch.setattr(sender, "FIRST_PAUSE", 0)
    outbox.put(tmp_path, [a_message("a"), a_message("b", 1)])
    return tmp_path


def test_each_is_posted_once_in_order_as_json_with_its_id(waits, receiver):
    assert send(waits, receiver.webhook(), AMPLE)
    assert [message["id"] for message in receiver.asked] == ["a", "b"]
    assert receiver.headers[0]["Idempotency-Key"] == "a"
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert ids(outbox.told(waits)) == ["a", "b"]


@pytest.mark.parametrize("answer", [500, 503, 404, 302, "hang", "nonsense"])
def test_what_was_not_taken_is_sent_again(waits, receiver, answer):
    receiver.answers = [answer]
    assert send(waits, receiver.webhook(attempts=2), AMPLE)
    assert [message["id"] for message in receiver.asked] == ["a", "b", "a"]
    assert [message["id"] for message in receiver.taken] == ["b", "a"]


def test_what_is_never_taken_waits_for_later_and_the_address_is_not_told(waits, receiver):
    receiver.answers, said = [500] * 4, []
    assert not send(waits, receiver.webhook(attempts=2), AMPLE, said.append)
    assert said == ["not told yet: a: the receiver answers 500", "not told yet: b: the receiver answers 500"]
    assert send(waits, receiver.webhook(), AMPLE)


def test_a_receiver_that_is_not_there(waits):
    said = []
    assert not send(waits, Webhook(url="http://127.0.0.1:9/secret-word", attempts=1), AMPLE, said.append)
    assert said[0] == "not told yet: a: the receiver cannot be reached: Connection refused"


@pytest.mark.parametrize("answer", ["drip", "hang"])
def test_however_the_receiver_behaves_it_holds_up_nobody_for_longer(waits, receiver, answer, monkeypatch):
    receiver.answers = [answer] * 9
    webhook = receiver.webhook().model_copy(update={"timeout_seconds": 100})
    joined = []
    join = sender.threading.Thread.join
    monkeypatch.setattr(
        sender.threading.Thread, "join", lambda self, limit=None: joined.append(limit) or join(self, limit)
    )
    assert not send(waits, webhook, 0.2)
    assert joined[0] == 0.2
    assert ids(outbox.waiting(waits)) == ["a", "b"]


def test_one_that_is_killed_between_the_answer_and_its_note_sends_again(waits, receiver):
    """At least once: the receiver drops the double by its id."""
    code = (
        "import os, sys; from pathlib import Path; from alarms import outbox, sender\n"
        "from schemas.operations import Webhook\n"
        "outbox.has_it = lambda *_: os._exit(9)\n"
        "sender.send(Path(sys.argv[1]), Webhook(url=sys.argv[2]), 30)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(waits), receiver.url]).returncode == 9
    assert send(waits, receiver.webhook(), AMPLE)
    assert [message["id"] for message in receiver.taken] == ["a", "a", "b"]


# nights


def settled(receiver, **fields) -> Operations:
    return Operations(webhook=receiver.webhook(), **fields)


def new(receiver) -> list[str]:
    """The kinds of what it took since this was asked last, whatever their order."""
    told = receiver.kinds()[receiver.seen :]
    receiver.seen = len(receiver.taken)
    return sorted(told)


def tell(nights, night, receiver, **fields) -> None:
    after_night(nights.home, night.settings.run, "", settled(receiver, **fields), AMPLE, lambda _: None)


def test_a_bad_week(nights, receiver):
    """A good night, one with a refused delivery, one that stops, one that dies, and a good one again."""
    days = [S + timedelta(days=number) for number in range(5)]

    def deliver(kilde, number, day, kind="endring", said=(), **changes):
        at = f"{day - timedelta(days=1)}T23:00:00+01:00"
        changes = {"uttrekkstidspunkt": at} | changes
        write_delivery(nights.inbox, kilde, number, kind, rows(*said), manifest_changes=changes)

    deliver("mva", 1, days[0], "full", [part(COMPANY), part(national_number(3), "PERSON")])
    tell(nights, nights.publish(days[0]), receiver)
    assert new(receiver) == []

    deliver("mva", 2, days[1], skjemaversjon="9")
    deliver("mva", 3, days[1])
    tell(nights, nights.publish(days[1]), receiver)
    assert new(receiver) == ["deliveries", "source-late"]

    deliver("skatt", 1, days[2], "full", [innbetaling("I1", STRANGER, 5), innbetaling("I2", COMPANY, 0)])
    tell(nights, nights.run(days[2], **LET_THROUGH | {"max_held_back": 0.01}), receiver)
    assert new(receiver) == ["deliveries", "held-back", "night-failed"]
    stopped = next(message for message in receiver.taken if message["kind"] == "night-failed")
    assert [item["code"] for item in stopped["items"]] == ["L3-HELD-BACK"]

    Report("died", days[3]).begin(nights.home)
    eight = datetime.combine(days[3], time(8), OSLO)
    for _ in range(2):  # nothing is told twice
        look(nights.home, nights.inbox, settled(receiver), AMPLE, lambda _: None, eight)
    assert new(receiver) == ["night-failed", "not-published"]

    deliver("mva", 2, days[4])
    deliver("mva", 3, days[4])
    deliver("skatt", 2, days[4], "full")
    tell(nights, nights.publish(days[4]), receiver)
    assert new(receiver) == ["night-published"]
    ids = ["night-failed-0003", "night-failed-died", f"not-published-{days[3]}"]
    assert sorted(receiver.taken[-1]["resolves"]) == ids

    told = json.dumps(receiver.asked)
    assert not any(secret in told for secret in (COMPANY, STRANGER, national_number(3), "I1"))
    assert outbox.waiting(nights.home) == []


def test_what_is_told_of_since_the_last_good_night_is_not_over_by_it(nights, receiver):
    """No night has been published after it: an all-clear would be wrong, however often one looks."""
    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY)))
    tell(nights, nights.publish(S), receiver)
    tomorrow = datetime.now(OSLO) + timedelta(days=1)
    for later in (0, 1, 2):
        moment = tomorrow + timedelta(days=later / 2)
        look(nights.home, nights.inbox, settled(receiver, published_by=time(0)), AMPLE, lambda _: None, moment)
    assert set(receiver.kinds()) == {"not-published"}


def test_what_was_told_in_the_second_in_which_a_night_ends_is_over_by_it(nights, receiver, monkeypatch):
    """Times to the microsecond: nights are short, and the second's beginning is before the message."""
    told_at = datetime.now(UTC).replace(microsecond=200_000) - timedelta(seconds=9)

    class Clock(datetime):
        @classmethod
        def now(cls, *_):
            return told_at + timedelta(milliseconds=300)

    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY)))
    monkeypatch.setattr(publish_stage, "datetime", Clock)
    outbox.put(nights.home, [a_message("a").model_copy(update={"made_at": told_at})])
    tell(nights, nights.publish(S), receiver)
    assert receiver.taken[-1]["resolves"] == ["a"]


def test_without_a_webhook_nothing_waits_and_the_figures_are_written(nights):
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(part(COMPANY)))
    night = nights.publish()
    after_night(nights.home, night.settings.run, "", Operations(), AMPLE, lambda _: None)
    assert not (nights.home / "alarms").exists()
    assert 'kravoversikt_night_last_run{outcome="published"} 1.0' in (nights.home / "metrics.prom").read_text()


@pytest.fixture
def home(tmp_path, receiver, monkeypatch):
    """A home that tells the receiver, and an inbox of which the night stops: there is nothing in it."""
    monkeypatch.setenv("DAGSTER_HOME", "set, so that it is put back")
    monkeypatch.delenv("DAGSTER_HOME")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "operations.toml").write_text(
        f'ui_url = "http://ui.example"\n[webhook]\nurl = "{receiver.url}"\nattempts = 1\n'
    )
    return tmp_path / "home"


def test_a_night_of_the_command_line_tells_at_its_end_with_a_link_to_its_run(home, receiver):
    report = run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, lambda _: None)
    [message] = receiver.taken
    assert (message["kind"], message["run"]) == ("night-failed", report.run)
    assert message["link"].startswith(f"http://ui.example/runs/{report.run}-")
    assert message["link"].endswith(see(home).run_id)  # for who looks later
    assert 'kravoversikt_night_last_run{outcome="stopped"} 1.0' in (home / "metrics.prom").read_text()


def test_a_night_that_could_not_begin_is_told_of(home, receiver):
    with locked(home, "another"):
        run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, lambda _: None)
    assert receiver.kinds() == ["night-not-begun"]


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_before_the_night_is_on_record_and_told_with_its_cure(home, receiver, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device"):
        run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, lambda _: None)
    assert receiver.kinds() == ["night-failed"]
    assert "the disk is full: make room on it" in receiver.taken[0]["text"]
    status = CliRunner().invoke(main, ["status", "--home", str(home)]).stdout
    assert ": failed\n  failed in its beginning: " in status
    assert f"to do: {MAKE_ROOM}\n" in status


def test_a_disk_so_full_that_the_failure_cannot_be_put_on_record_is_told_all_the_same(home, receiver, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(report_module, "write_json", full)
    with pytest.raises(OSError, match="No space left on device"):
        run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, lambda _: None)
    assert receiver.kinds() == ["night-not-begun"]
    assert "the disk is full: make room on it" in receiver.taken[0]["text"]
    assert list((home / "runs").iterdir()) == []  # an empty folder would be of a night that died


def test_a_night_of_dagsters_that_finds_the_disk_full_is_on_record_and_told_once(home, receiver, monkeypatch):
    """It begins in a process of Dagster's, which takes the home's lock itself."""
    lay, laid = ballast.lay, []
    monkeypatch.setattr(ballast, "lay", lambda at: full() if laid else laid.append(lay(at)))
    report = run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, lambda _: None)
    assert report.failure.startswith("its beginning: the home cannot be written: No space left on device")
    assert receiver.kinds() == ["night-failed"]


def test_a_night_that_dagster_kept_from_beginning_is_told_of(home, receiver, monkeypatch):
    """Its records are out of reach, so no stage and no resource was ever made."""

    def out_of_reach(*_):
        raise ConnectionError

    monkeypatch.setattr(run_module, "_execute", out_of_reach)
    run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, lambda _: None)
    assert receiver.kinds() == ["night-failed"]


def test_where_nothing_can_be_kept_it_is_told_all_the_same(home, receiver):
    """A full disk is what someone is to be told of."""
    Report("died", S).begin(home)
    (home / "alarms").write_text("no folder")
    with pytest.raises(OSError, match="alarms"):
        look(home, home, settled(receiver), AMPLE, lambda _: None)
    assert receiver.kinds() == ["night-failed"]


def test_a_slip_in_the_settings_keeps_a_night_from_beginning_and_is_on_record(home, receiver):
    """Nobody can be told: whom, stands in that file, and it was never right."""
    (home / "operations.toml").write_text("a slip")
    report = run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, lambda _: None)
    assert report.outcome == "failed"
    assert "operations.toml is not TOML" in report.failure
    assert receiver.taken == []


ANOTHER = "https://hooks.example/another-word"


@pytest.mark.parametrize("slip", [f"[webhook]\nurl = {ANOTHER}\n", f'[webhook]\nurl = "{ANOTHER}"\nretries = 1\n'])
def test_a_slip_in_the_settings_is_told_whom_they_named_when_they_were_right(home, receiver, slip):
    """By the timer, once, and by what it prints: also once the night has failed for it."""
    inbox = home.parent / "inbox"
    assert alarms("check", "--home", home, "--inbox", inbox).exit_code == 0
    (home / "operations.toml").write_text(slip)
    for _ in range(2):
        looked = alarms("check", "--home", home, "--inbox", inbox)
        assert (looked.exit_code, "operations.toml" in looked.stderr) == (2, True)
    assert set(receiver.kinds()) == {"settings-wrong"}
    report = run_night(home, str(S), {"inbox": str(inbox), "wait_minutes": 0}, lambda _: None)
    assert report.failure.startswith(f"its beginning: {home / 'operations.toml'}")
    assert set(receiver.kinds()) == {"settings-wrong", "night-failed"}
    ids = [message["id"] for message in receiver.taken]
    assert len(ids) == len({*ids})  # of a day one
    assert all(f"{home / 'operations.toml'}" in message["text"] for message in receiver.taken)
    said = looked.output + json.dumps(receiver.taken) + report.failure
    assert not any(word in said for word in ("secret-word", "another-word"))


def test_who_is_told_when_the_settings_are_wrong_is_read_by_the_runs_user_alone(home):
    alarms("check", "--home", home)
    assert (home / "alarms" / "last-good.json").stat().st_mode & 0o777 == 0o600


def test_who_is_told_is_kept_anew_where_what_was_kept_cannot_be_used(home):
    """As when it is damaged, or another user's who looked once: the alarms must not go quiet by that."""
    kept = home / "alarms" / "last-good.json"
    alarms("check", "--home", home)
    content, made = kept.read_bytes(), kept.stat().st_ino
    assert alarms("check", "--home", home).exit_code == 0
    assert kept.stat().st_ino == made  # nothing is new
    kept.write_bytes(b"\xff")
    assert alarms("check", "--home", home).exit_code == 0
    assert kept.read_bytes() == content


def test_who_is_no_longer_to_be_told_is_not_told_of_a_slip_either(home, receiver):
    alarms("check", "--home", home)
    for text in ("", "a slip"):
        (home / "operations.toml").write_text(text)
        alarms("check", "--home", home)
    assert receiver.taken == []


# commands


def alarms(*words):
    return CliRunner().invoke(main, ["alarms", *map(str, words)])


def test_the_operator_tries_the_way_sends_what_waits_and_sees_what_was_told(home, receiver, monkeypatch):
    assert alarms("list", "--home", home).stdout == "nothing was told\n"
    receiver.answers = [500]
    tried = alarms("test", "--home", home)
    assert (tried.exit_code, tried.stdout) == (1, "1 wait to be told\n")
    assert "the receiver answers 500" in tried.stderr
    sent = alarms("send", "--home", home)
    assert (sent.exit_code, sent.stdout, receiver.kinds()) == (0, "all is told\n", ["test"])
    assert alarms("list", "--home", home).stdout.startswith("told ")


def test_a_look_tells_what_is_the_matter_and_exits_1_only_when_nobody_could_be_told(home, receiver):
    assert alarms("check", "--home", home, "--inbox", home).stdout == "all is well\n"
    Report("died", S).begin(home)
    told = alarms("check", "--home", home, "--inbox", home)
    assert (told.exit_code, receiver.kinds()) == (0, ["night-failed"])
    assert "its process died" in told.stdout
    (home / "operations.toml").unlink()
    assert alarms("check", "--home", home, "--inbox", home).exit_code == 1
    assert "names no webhook" in alarms("send", "--home", home).stderr


# by Dagster


def test_the_sensor_tells_what_a_look_finds_and_is_off_until_it_is_switched_on(home, receiver, monkeypatch):
    monkeypatch.setenv("KRAVOVERSIKT_HOME", str(home))
    with dg.build_sensor_context() as context:
        assert watch(context).skip_message == "all is well"
        Report("died", S).begin(home)
        assert "its process died" in watch(context).skip_message
    (home / "operations.toml").write_text("a slip")
    with dg.build_sensor_context() as context, pytest.raises(OperationsError, match="is not TOML"):
        watch(context)
    assert receiver.kinds() == ["night-failed", "settings-wrong"]
    assert watch.default_status == dg.DefaultSensorStatus.STOPPED


def test_a_night_publishes_although_its_alarms_cannot_be_written(home, receiver):
    (home / "alarms").write_text("no folder")
    write_delivery(home.parent / "inbox", "mva", 1, "full", rows(part(COMPANY)))
    write_delivery(home.parent / "inbox", "skatt", 1, "full", {}, manifest_changes={"skjemaversjon": "9"})
    said = []
    report = run_night(home, str(S), {"inbox": str(home.parent / "inbox"), "wait_minutes": 0}, said.append)
    assert (report.outcome, receiver.kinds()) == ("published", ["deliveries"])
    assert any(line.startswith("nobody was told of the night: ") for line in said)
