"""How a night goes on, while it does: live on a terminal, else a line for each thing that it says."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from cli.output import warn
from schemas.report import Stages

if TYPE_CHECKING:
    from rich.table import Table

STAGES = tuple(Stages.model_fields)


@contextlib.contextmanager
def progress(stream: TextIO | None) -> Iterator[Callable[[str], None]]:
    """Yields what is called with each line that a run says. ``stream``: standard error as the program began, if any.

    A terminal that can move its cursor shows the stages, which are gone at the end, for the summary tells of them; in
    colours unless NO_COLOR is set. What is no stage's own stays, and is the same everywhere.
    """
    start = time.perf_counter()

    def plain(line: str) -> None:
        warn(f"[{time.perf_counter() - start:7.1f} s] {line}", stream)

    if stream is None or not stream.isatty():
        yield plain
        return
    from rich.console import Console  # here, for no other command needs it
    from rich.live import Live

    console = Console(file=stream)
    if console.is_dumb_terminal:
        yield plain
        return
    shown = Shown()
    live = Live(shown, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)

    def echo(line: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone
            if not shown.take(line):
                console.print(line, markup=False, highlight=False)

    with contextlib.suppress(OSError):
        live.start(refresh=True)
    try:
        yield echo
    finally:
        with contextlib.suppress(OSError):
            live.stop()


class Shown:
    """The stages of a night: those done with their seconds, the one that goes on with what it says last."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        from rich.spinner import Spinner

        self._clock = clock
        self._begun: dict[str, float] = {}
        self._said = "begins …"
        self._spinner = Spinner("line")

    def take(self, line: str) -> bool:
        """Whether the line is of a stage; such a one is shown from now on."""
        stage, _, rest = line.partition(" ")
        if rest == "…" and stage in STAGES:
            self._begun[stage] = self._clock()
            self._said = ""
        elif self._begun and stage in (*STAGES, "documents"):
            self._said = line
        else:
            return False
        return True

    def __rich__(self) -> "Table":
        """The table, as it is now."""
        from rich.table import Table

        table, now = Table.grid(padding=(0, 2)), self._clock()
        began = [*self._begun.values(), now]
        for place, stage in enumerate(self._begun):
            goes_on = place == len(self._begun) - 1
            mark = self._spinner if goes_on else "[green]done[/green]"
            table.add_row(mark, stage, f"{began[place + 1] - began[place]:.1f} s", self._said if goes_on else "")
        if not self._begun:
            table.add_row(self._spinner, self._said)
        for stage in STAGES[STAGES.index(list(self._begun)[-1]) + 1 :] if self._begun else ():
            table.add_row("", f"[dim]{stage}[/dim]")
        return table
