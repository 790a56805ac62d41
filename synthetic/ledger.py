"""The ledger of some parts: all their posts in slim columns, numbers and days, before they are dressed.

A part's ledger is closed: what its placements touch is its own, only the payer may be somebody else.
So the parts of one chunk, or those touched in one night, can be made without the others.
"""

from dataclasses import dataclass, fields
from datetime import date

import polars as pl

from synthetic.claims import claims, due_dates
from synthetic.draw import Draw
from synthetic.interest import corrections, interest, interest_credits, interest_dues
from synthetic.offsets import offsets
from synthetic.payments import INNBETALING, MOTKRAV, UTBETALING, payments, payouts, unplaced

_INT, _TEXT, _FLAG = pl.Int64, pl.String, pl.Boolean


@dataclass(frozen=True)
class Ledger:
    """One frame per table. Days count from 1970, amounts are øre, ``mva`` says which source delivers."""

    krav: pl.DataFrame
    kravforfall: pl.DataFrame
    innbetaling: pl.DataFrame
    utbetaling: pl.DataFrame
    plassering: pl.DataFrame


KEYS = {"krav": "k", "kravforfall": "f", "innbetaling": "p", "utbetaling": "u", "plassering": "l"}

COLUMNS: dict[str, dict[str, type[pl.DataType]]] = {
    "krav": dict.fromkeys(("k", "i", "track", "year", "number", "first", "last", "created", "oere"), _INT)
    | {"mva": _FLAG, "part": _TEXT},
    "kravforfall": dict.fromkeys(("f", "k", "i", "due", "oere"), _INT) | {"mva": _FLAG},
    "innbetaling": dict.fromkeys(("p", "i", "holder_i", "date", "oere"), _INT) | {"mva": _FLAG, "part": _TEXT},
    "utbetaling": dict.fromkeys(("u", "i", "holder_i", "date", "oere"), _INT) | {"mva": _FLAG, "part": _TEXT},
    "plassering": dict.fromkeys(("l", "kind", "f", "c", "i", "date", "oere"), _INT) | {"mva": _FLAG},
}


def shaped(table: str, *frames: pl.DataFrame) -> pl.DataFrame:
    """The frames together, with the table's columns (null where a frame has none), in order of key."""
    schema = COLUMNS[table]
    shapes = [
        frame.lazy().select(
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in schema.items()
        )
        for frame in frames
    ]
    return pl.concat(shapes).sort(KEYS[table]).collect()


def empty() -> Ledger:
    """A ledger without posts."""
    return Ledger(**{table: pl.DataFrame(schema=schema) for table, schema in COLUMNS.items()})


def tables(ledger: Ledger) -> dict[str, pl.DataFrame]:
    """The frames by table name."""
    return {field.name: getattr(ledger, field.name) for field in fields(ledger)}


def _placed(frame: pl.DataFrame, kind: int, other: str, ledger: str, **more: pl.Expr) -> pl.DataFrame:
    return frame.select("f", "i", "date", "oere", c=other, mva=ledger, kind=kind, **more)


def history(draw: Draw, parts: pl.DataFrame, until: date) -> Ledger:
    """All posts of the parts up to ``until``."""
    term_claims = claims(draw, parts, until)
    term_dues = due_dates(draw, term_claims)
    set_off = offsets(draw, term_dues, until)
    paid, placed = payments(draw, term_dues, set_off, until)

    charged = interest(draw, placed, until)
    credited = interest_credits(draw, charged, until)
    corrected = corrections(draw, credited, until)
    charged_dues = interest_dues(charged)
    paid_interest, placed_interest = payments(draw, charged_dues, corrected, until)

    credit_dues = interest_dues(credited)
    common = [name for name in charged_dues.columns if name in term_dues.columns]
    all_dues = pl.concat([frame.select(common) for frame in (term_dues, charged_dues, credit_dues)])
    used = pl.concat([set_off, corrected])
    out, placed_out = payouts(draw, all_dues, used, until)

    return Ledger(
        krav=shaped("krav", term_claims, charged, credited),
        kravforfall=shaped("kravforfall", all_dues),
        innbetaling=shaped("innbetaling", paid, paid_interest, unplaced(draw, parts, until)),
        utbetaling=shaped("utbetaling", out),
        plassering=shaped(
            "plassering",
            _placed(placed, INNBETALING, "p", "ledger", l=pl.col("l")),
            _placed(placed_interest, INNBETALING, "p", "ledger", l=pl.col("l")),
            _placed(used, MOTKRAV, "credit", "mva", l=pl.col("f") * 8 + 2),
            _placed(placed_out, UTBETALING, "u", "mva", l=pl.col("l")),
        ),
    )
