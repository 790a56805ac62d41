"""Posts what waits to the operator's webhook: JSON, one request a message, in the order that it was made."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alarms import outbox
from alarms.message import Message
from schemas.operations import Webhook

FIRST_PAUSE = 1.0
"""Seconds before the second attempt; twice as many before each one after."""


def send(home: Path, webhook: Webhook, seconds: float, say: Callable[[str], None] = lambda _: None) -> bool:
    """Sends what waits, for so many seconds at most, however the receiver behaves; what is left waits on.

    Returns whether nothing is left. In a thread of its own: looking up a name, or an answer that comes byte by byte,
    has no time limit otherwise. Raises ``OSError``.
    """
    until = time.monotonic() + seconds
    thread = threading.Thread(target=_send_in_a_thread, args=(home, webhook, until, say), daemon=True)
    thread.start()
    thread.join(seconds)
    return not outbox.waiting(home)


def send_unkept(messages: list[Message], webhook: Webhook, seconds: float, say: Callable[[str], None]) -> None:
    """Posts messages that cannot be kept, once each, for so many seconds at most; every look does it again."""
    until = time.monotonic() + seconds

    def post_all() -> None:
        for message in messages:
            if why := _post(message, webhook, until - time.monotonic()):
                say(f"not told: {message.id}: {why}")

    thread = threading.Thread(target=post_all, daemon=True)
    thread.start()
    thread.join(seconds)


def _send_in_a_thread(home: Path, webhook: Webhook, until: float, say: Callable[[str], None]) -> None:
    try:
        _send_all(home, webhook, until, say)
    except OSError as error:
        say(f"not told yet: {home / outbox.ALARMS} cannot be read or written: {error.strerror}")


def _send_all(home: Path, webhook: Webhook, until: float, say: Callable[[str], None]) -> None:
    with outbox.sending(home) as may:
        for attempt in range(webhook.attempts if may else 0):
            left = outbox.waiting(home)
            pause = FIRST_PAUSE * 2 ** (attempt - 1) if attempt else 0
            if not left or time.monotonic() + pause >= until:
                return
            time.sleep(pause)
            for message in left:
                why = _post(message, webhook, until - time.monotonic())
                if not why:
                    outbox.has_it(home, message)
                elif attempt == webhook.attempts - 1 or time.monotonic() >= until:
                    say(f"not told yet: {message.id}: {why}")


def _post(message: Message, webhook: Webhook, seconds: float) -> str:
    """Why the receiver has not got the message; nothing when it has. The address, which may hold a key, is not told."""
    if seconds <= 0:
        return "no time left"
    request = urllib.request.Request(  # noqa: S310 (http or https: pydantic's HttpUrl)
        str(webhook.url),
        message.model_dump_json().encode(),
        {"Content-Type": "application/json", "Idempotency-Key": message.id, "User-Agent": "kravoversikt"},
    )
    try:
        with _opener().open(request, timeout=min(webhook.timeout_seconds, seconds)):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return f"the receiver answers {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"the receiver cannot be reached: {getattr(reason, 'strerror', None) or type(reason).__name__}"
    except Exception as error:  # what is no HTTP
        return f"the receiver cannot be understood: {type(error).__name__}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected message would be asked for, not posted, at the new address, and taken for told."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)
