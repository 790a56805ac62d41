"""The form of the refused rows of an accepted delivery: what ``accept`` writes and the ledgers read."""

import polars as pl

from schemas.tables import REFERENCES

REFUSED_SCHEMA = pl.Schema(
    {
        "tabell": pl.String(),
        "noekkel": pl.String(),
        "fil": pl.Int32(),
        "rad": pl.UInt32(),
        "koder": pl.List(pl.String()),
        **dict.fromkeys(REFERENCES, pl.String()),
        "slettet": pl.Boolean(),
        "beloep": pl.Int64(),
    }
)
"""A refused row: its table, its key as delivered (null when it has none), its place, its reasons, what it leads to
parts by, whether it is a removal, and its amount in øre: null when it is none, or not well-formed. The last two are not
there in deliveries that earlier programs accepted."""
