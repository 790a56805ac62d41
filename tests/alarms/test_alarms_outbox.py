"""What waits in a home, what was told, and what is open."""

from datetime import UTC, datetime, timedelta

import pytest

from alarms import outbox
from alarms.message import Message

FIRST = datetime(2026, 11, 23, 3, tzinfo=UTC)


def a_message(name: str, minutes: int = 0, kind: str = "night-failed", severity: str = "critical") -> Message:
    return Message(
        id=name,
        kind=kind,
        severity=severity,
        made_at=FIRST + timedelta(minutes=minutes),
        owner="o",
        snapshotdato=None,
        run=None,
        sentence="s",
    )


def ids(messages: list[Message]) -> list[str]:
    return [message.id for message in messages]


def test_a_message_waits_until_it_is_told_and_is_never_put_twice(tmp_path):
    assert ids(outbox.put(tmp_path, [a_message("a"), a_message("b", -1)])) == ["a", "b"]
    assert outbox.put(tmp_path, [a_message("a", 5)]) == []
    assert ids(outbox.waiting(tmp_path)) == ["b", "a"]
    outbox.has_it(tmp_path, a_message("a"))
    assert outbox.put(tmp_path, [a_message("a", 9)]) == []
    assert (ids(outbox.waiting(tmp_path)), ids(outbox.told(tmp_path))) == (["b"], ["a"])


def test_what_is_critical_is_open_until_a_night_is_published(tmp_path):
    outbox.put(tmp_path, [a_message("a"), a_message("w", 1, "deliveries", "warning"), a_message("b", 2)])
    outbox.has_it(tmp_path, a_message("a"))
    assert outbox.open_ids(tmp_path, FIRST + timedelta(minutes=2)) == ["a"]
    assert outbox.open_ids(tmp_path, FIRST + timedelta(minutes=3)) == ["a", "b"]
    good = a_message("good", 3, "night-published", "ok").model_copy(update={"resolves": ["a", "b"]})
    outbox.put(tmp_path, [good, a_message("c", 4)])
    assert outbox.open_ids(tmp_path, FIRST + timedelta(minutes=5)) == ["c"]


def test_what_another_process_moves_while_one_reads_is_open_all_the_same(tmp_path, monkeypatch):
    outbox.put(tmp_path, [a_message("a"), a_message("b", 1)])
    read = outbox._read

    def read_and_then_it_is_told(home, of):
        found = read(home, of)
        if (tmp_path / "alarms" / "waiting" / "a.json").exists():
            outbox.has_it(tmp_path, a_message("a"))
        return found

    monkeypatch.setattr(outbox, "_read", read_and_then_it_is_told)
    assert outbox.open_ids(tmp_path, FIRST + timedelta(minutes=2)) == ["a", "b"]


def test_one_sends_at_a_time(tmp_path):
    with outbox.sending(tmp_path) as first, outbox.sending(tmp_path) as second:
        assert (first, second) == (True, False)
    with outbox.sending(tmp_path) as again:
        assert again


def test_a_message_that_cannot_be_read_is_passed_over(tmp_path):
    outbox.put(tmp_path, [a_message("a")])
    (tmp_path / "alarms" / "waiting" / "b.json").write_text("{")
    assert ids(outbox.waiting(tmp_path)) == ["a"]


def test_the_oldest_are_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "RETAINED", 2)
    outbox.put(tmp_path, [a_message("a"), a_message("b", 1), a_message("c", 2)])
    assert ids(outbox.waiting(tmp_path)) == ["b", "c"]


def test_a_message_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "alarms").write_text("")
    with pytest.raises(OSError, match="alarms"):
        outbox.put(tmp_path, [a_message("a")])
