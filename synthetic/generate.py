"""Writes an inbox of synthetic deliveries: a first night in full, then nights of changes."""

from collections.abc import Callable, Iterator
from datetime import date as Date  # noqa: N812 - the argument is called date
from datetime import timedelta
from pathlib import Path

import polars as pl

from synthetic.delivery import Delivery, Format, folder
from synthetic.draw import Draw
from synthetic.ledger import Ledger, empty, history, tables
from synthetic.nights import Night, difference
from synthetic.numbers import MAX_PARTS
from synthetic.parts import BLOCK
from synthetic.parts import parts as make_parts
from synthetic.rows import DRESS

REGISTER = "partsregister"
LEDGERS = {"mva": True, "skatt": False}
"""The ledgers, by what the column ``mva`` says of their posts."""

CHUNK = 20_000
MAX_NIGHTS = 4_000


def generate(
    out: Path,
    parts: int,
    seed: int = 1,
    nights: int = 1,
    *,
    date: Date,
    format: Format = "parquet",
    progress: Callable[[str], None] | None = None,
    chunk: int = CHUNK,
) -> None:
    """Write the deliveries of ``nights`` nights of every source below ``out``, the first night ``date``'s.

    The same arguments give the same bytes. ``chunk`` is the parts made at a time, and so per file: it
    decides memory and the number of files, not what the rows say.
    """
    _check(out, parts, nights)
    run = _Run(out, parts, Draw(seed), date, format, progress or (lambda _: None))
    run.first_night(max(BLOCK, chunk // BLOCK * BLOCK))
    for number in range(2, nights + 1):
        run.night(number, chunk)


def _check(out: Path, parts: int, nights: int) -> None:
    if not 1 <= parts <= MAX_PARTS // 2:
        raise ValueError(f"parts must be from 1 to {MAX_PARTS // 2}, not {parts}")
    if not 1 <= nights <= MAX_NIGHTS:
        raise ValueError(f"nights must be from 1 to {MAX_NIGHTS}, not {nights}")
    for kilde in (REGISTER, *LEDGERS):
        for number in range(1, nights + 1):
            if (place := folder(out, kilde, number)).exists():
                raise FileExistsError(f"{place} is already there: choose another folder, or remove it first")


class _Run:
    """What stays the same through all nights."""

    def __init__(
        self, out: Path, parts: int, draw: Draw, first: Date, format: Format, progress: Callable[[str], None]
    ) -> None:
        self.out, self.parts, self.draw, self.first = out, parts, draw, first
        self.format, self.progress = format, progress

    def delivery(self, kilde: str, night: int, full_tables: tuple[str, ...] | None) -> Delivery:
        snapshot = self.first + timedelta(night - 1)
        return Delivery(self.out, kilde, night, snapshot=snapshot, full_tables=full_tables, format=self.format)

    def first_night(self, chunk: int) -> None:
        """Everything, a chunk of parts at a time."""
        register = self.delivery(REGISTER, 1, ("part",))
        ledgers = {kilde: self.delivery(kilde, 1, tuple(tables(empty()))) for kilde in LEDGERS}
        for start in range(0, self.parts, chunk):
            stop = min(start + chunk, self.parts)
            frame = make_parts(self.draw, start, stop, self.first)
            register.add("part", DRESS["part"](self.draw, frame))
            for table, posts in tables(history(self.draw, frame, self.first)).items():
                _add(ledgers, table, DRESS[table](self.draw, posts))
            self.progress(f"night 1: {stop} of {self.parts} parts")
        for delivery in (register, *ledgers.values()):
            delivery.close()

    def night(self, number: int, chunk: int) -> None:
        """What changed since the night before."""
        night = Night(self.draw, number, self.parts, self.first)
        touched = self._touched(night)
        register = self.delivery(REGISTER, number, None)
        register.add("part", _register_changes(night, touched))
        ledgers = {kilde: self.delivery(kilde, number, None) for kilde in LEDGERS}
        for batch in touched.iter_slices(chunk):
            before = self._before(number, batch)
            for table, posts in difference(before, night.after(before, batch)).items():
                rows = _removals(table, DRESS[table](self.draw, posts), number)
                _add(ledgers, table, rows)
        for delivery in (register, *ledgers.values()):
            delivery.close()
        self.progress(f"night {number}: {touched.height} parts touched")

    def _touched(self, night: Night) -> pl.DataFrame:
        return pl.concat(
            make_parts(self.draw, start, stop, self.first).filter(night.touches())
            for start, stop in _ranges(night.newcomers_to, 100_000)
        )

    def _before(self, number: int, parts: pl.DataFrame) -> Ledger:
        """The parts' ledger after the night before: the first night's, and what nights did to it since."""
        old = parts.filter(pl.col("i") < self.parts)
        ledger = history(self.draw, old, self.first)
        for earlier in range(2, number):
            ledger = Night(self.draw, earlier, self.parts, self.first).after(ledger, parts)
        return ledger


def _add(ledgers: dict[str, Delivery], table: str, rows: pl.DataFrame) -> None:
    """Each ledger's rows to its delivery; a column ``slettet`` that says nothing is left out."""
    for kilde, in_mva in LEDGERS.items():
        own = rows.filter(mva=in_mva).drop("mva")
        if "slettet" in own.columns and own.get_column("slettet").is_null().all():
            own = own.drop("slettet")
        ledgers[kilde].add(table, own)


def _ranges(stop: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(0, stop, step):
        yield start, min(start + step, stop)


def _register_changes(night: Night, touched: pl.DataFrame) -> pl.DataFrame:
    """New parts, and some sole proprietorships that pass to another owner."""
    passed = (pl.col("parttype") == "ENK") & night.chance("passed on", 30)
    owner = pl.when(night.is_new()).then("innehaver").otherwise("other_owner")
    rows = touched.lazy().filter(night.is_new() | passed).with_columns(innehaver=owner)
    return DRESS["part"](night.draw, rows.collect())


def _removals(table: str, rows: pl.DataFrame, night: int) -> pl.DataFrame:
    """The column ``slettet`` in the shapes that the contract allows, by table and night.

    Rows removed from ``plassering`` keep their values (their amounts count in the control sum), others
    keep their key alone. What is not removed says false or nothing, or the column is missing (see _add).
    """
    removed = pl.col("slettet")
    if table != "plassering":
        others = pl.exclude(rows.columns[0], "slettet", "mva")
        rows = rows.with_columns(pl.when(~removed).then(others))
    if night % 2 == 0:
        rows = rows.with_columns(slettet=pl.when(removed).then(True))
    return rows
