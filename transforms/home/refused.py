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
    }
)
"""A refused row: its table, its key as delivered (null when it has none), its place, its reasons, what it leads to
parts by, and whether it is a removal (not there in deliveries that an earlier program accepted)."""
