"""What is to be told and what has been: ``<home>/alarms/waiting/<id>.json`` until the receiver has it, then ``told/``.

A message is on disk before it is sent, and goes to ``told`` when the receiver has said that it has it: whatever dies,
it is sent at least once. One of an id that is there already is not put again.
"""

import contextlib
import fcntl
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from alarms.message import Message
from transforms.home.snapshot import write_json

ALARMS, WAITING, TOLD = "alarms", "waiting", "told"
RETAINED = 500
"""So many messages stay in ``told``, and so many wait at most: of a receiver gone for a year the oldest are let go."""


def put(home: Path, messages: Iterable[Message]) -> list[Message]:
    """Those of the messages that are new, now waiting. Raises ``OSError``."""
    new = []
    for message in messages:
        if not any((_folder(home, of) / f"{message.id}.json").exists() for of in (WAITING, TOLD)):
            write_json(_folder(home, WAITING) / f"{message.id}.json", message.model_dump(mode="json"))
            new.append(message)
    _let_go(home, WAITING)
    return new


def waiting(home: Path) -> list[Message]:
    """What has not been told yet, the oldest first."""
    return _read(home, WAITING)


def told(home: Path) -> list[Message]:
    """What has been told, the oldest first."""
    return _read(home, TOLD)


def has_it(home: Path, message: Message) -> None:
    """The receiver has the message."""
    name = f"{message.id}.json"
    (_folder(home, WAITING) / name).replace(_folder(home, TOLD) / name)
    _let_go(home, TOLD)


def open_ids(home: Path, published_at: datetime) -> list[str]:
    """The ids of what was critical before what is published was made, and that no good night has been told to end.

    What was told of since then is not over by it: tonight's alarm would be called off by last night's success.
    """
    # What waits first: another process may move a message to what is told between the two.
    messages = list({one.id: one for one in [*waiting(home), *told(home)]}.values())
    over = {one for message in messages for one in message.resolves}
    found = [one for one in messages if one.severity == "critical" and one.made_at < published_at]
    return [one.id for one in sorted(found, key=lambda one: one.made_at) if one.id not in over]


@contextlib.contextmanager
def sending(home: Path) -> Iterator[bool]:
    """Whether this process may send: one at a time, or each would send all."""
    path = home / ALARMS / ".sending"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def _folder(home: Path, of: str) -> Path:
    folder = home / ALARMS / of
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(home: Path, of: str) -> list[Message]:
    """One that cannot be read is passed over: it is of another program, or its disk is broken."""
    found = []
    for path in (home / ALARMS / of).glob("*.json"):
        with contextlib.suppress(OSError, ValidationError):
            found.append(Message.model_validate_json(path.read_bytes()))
    return sorted(found, key=lambda one: (one.made_at, one.id))


def _let_go(home: Path, of: str) -> None:
    folder = _folder(home, of)
    if len(list(folder.glob("*.json"))) > RETAINED:
        for message in _read(home, of)[:-RETAINED]:
            (folder / f"{message.id}.json").unlink(missing_ok=True)
