"""What a command prints, where the output may be a full disk or a pipe that nobody reads any more."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import click


def say(text: str) -> bool:
    """Prints the text. False when it could not be written; one who has stopped reading is no error."""
    try:
        click.echo(text)
    except OSError as error:
        _give_up(sys.stdout)
        return error.errno == errno.EPIPE
    return True


def warn(text: str, stderr: TextIO | None = None) -> None:
    """Prints the text on standard error (``stderr``, where that of the moment is another), if it can be written."""
    stream = stderr or sys.stderr
    if stream is None:  # closed before the program began
        return
    try:
        click.echo(text, file=stream)
    except OSError:
        _give_up(stream)


def say_or_fail(text: str) -> None:
    """Prints the text; exits 1 with a sentence when it could not be written."""
    with failing_in_a_sentence():
        click.echo(text)


@contextlib.contextmanager
def failing_in_a_sentence() -> Iterator[None]:
    """Exits 1 with a sentence when what is done within could not be written; in silence when nobody reads any more."""
    if sys.stdout is None:  # closed before the program began
        warn("the output could not be written: standard output is closed")
        sys.exit(1)
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        _give_up(sys.stdout)
        if error.errno != errno.EPIPE:
            warn(f"the output could not be written: {error.strerror}")
            sys.exit(1)


def _give_up(stream: TextIO) -> None:
    """What the stream still holds would be written, and fail, once more when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
