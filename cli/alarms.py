"""``kravoversikt alarms``: whether someone is to be told of something, and what has been told."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cli.options import home_option, settled
from cli.output import say_or_fail, warn
from pipelines.settings import default_inbox, operations_or_last
from schemas.operations import Webhook

SECONDS = 120.0
"""So long a command tries at most; the pauses between the attempts grow."""


@click.group()
def alarms() -> None:
    """Tell the webhook in operations.toml of what is the matter (docs/operations.md)."""


@alarms.command()
@home_option
@click.option(
    "--inbox",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_inbox,
    help="Where sources deliver [KRAVOVERSIKT_INBOX, else data/inbox].",
)
def check(home: Path, inbox: Path) -> None:
    """Look at the last night and at the clock, tell what is new and what could not be told before.

    For cron or a timer. Exits 1 when something is the matter that nobody could be told of, and 2 when operations.toml
    is wrong: that is told whom it named when it was right last.
    """
    from alarms.telling import look, tell_of_settings

    settles, wrong = operations_or_last(home)
    with _in_a_sentence():
        found = tell_of_settings(home, wrong, settles, SECONDS, warn) if wrong else []
        found += look(home, inbox, settles, SECONDS, warn)
        untold = _left(home) if settles.webhook else len(found)
    say_or_fail("\n".join(message.text for message in found) or "all is well")
    if wrong:
        raise click.UsageError(wrong)
    sys.exit(1 if untold else 0)


@alarms.command()
@home_option
def send(home: Path) -> None:
    """Send what the receiver has not taken yet. Exits 1 when something still waits."""
    _send(home, _webhook(home))


@alarms.command()
@home_option
def test(home: Path) -> None:
    """Send a test message, after what waits. Exits 1 when the receiver has not taken all."""
    from alarms import outbox
    from alarms.night import trial
    from alarms.seen import see

    webhook = _webhook(home)
    with _in_a_sentence():
        outbox.put(home, [trial(see(home), settled(home))])
    _send(home, webhook)


@alarms.command(name="list")
@home_option
def list_(home: Path) -> None:
    """Show what was told of late, and what waits to be."""
    from alarms import outbox

    with _in_a_sentence():
        found = [(outbox.TOLD, one) for one in outbox.told(home)]
        found += [(outbox.WAITING, one) for one in outbox.waiting(home)]
    lines = [f"{of:<8}{one.made_at:%Y-%m-%d %H:%M} UTC  {one.severity:<9}{one.sentence}" for of, one in found]
    say_or_fail("\n".join(lines) or "nothing was told")


def _send(home: Path, webhook: Webhook) -> None:
    from alarms import sender

    with _in_a_sentence():
        sender.send(home, webhook, SECONDS, warn)
        left = _left(home)
    say_or_fail(f"{left} wait to be told" if left else "all is told")
    sys.exit(1 if left else 0)


def _left(home: Path) -> int:
    from alarms import outbox

    return len(outbox.waiting(home))


def _webhook(home: Path) -> Webhook:
    webhook = settled(home).webhook
    if webhook is None:
        raise click.UsageError("operations.toml names no webhook")
    return webhook


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"the home cannot be read or written: {error.strerror}") from error
