"""Every refusal of a night as one table (CONTRACT section 2): what the operator and the analyst look at.

No column holds a part's number, a name or an account: a row of table ``part`` is told by its place.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from schemas.refusals import SENTENCES, Refusal

SCHEMA = pl.Schema(
    {
        "nivaa": pl.Int8(),
        "kode": pl.String(),
        "melding": pl.String(),
        "kilde": pl.String(),
        "leveransenummer": pl.Int32(),
        "fil": pl.String(),
        "rad": pl.UInt32(),
        "tabell": pl.String(),
        "noekkel": pl.String(),
        "parter_holdt_tilbake": pl.Int64(),
        "rot_kode": pl.String(),
        "rot_kilde": pl.String(),
        "rot_leveransenummer": pl.Int32(),
        "rot_fil": pl.String(),
        "rot_rad": pl.UInt32(),
        "rot_tabell": pl.String(),
        "rot_noekkel": pl.String(),
    }
)
"""``fil`` and ``rad``: the row's file and its number there, from 1. ``noekkel``: its identifier in its ledger, null for
table ``part``, ``masked``. ``rot_``: the row that a refusal comes from when the row was refused because of another,
else null."""


def findings(refusals: Iterable[Refusal], quarantined: Path | None = None) -> pl.DataFrame:
    """One row per reason: of these refusals, and of the ``quarantined`` rows, of which ``check`` leaves a file."""
    told = pl.DataFrame(
        [
            {
                "nivaa": refusal.level,
                "kode": refusal.code,
                "melding": f"{SENTENCES[refusal.code]}: {refusal.message}",
                "kilde": refusal.kilde,
                "leveransenummer": refusal.leveransenummer,
                "fil": refusal.fil,
                "rad": refusal.rad,
                "tabell": refusal.tabell,
                "noekkel": refusal.key,
            }
            for refusal in refusals
        ],
        schema=SCHEMA,
    )
    return pl.concat([told, pl.read_parquet(quarantined, glob=False)]) if quarantined else told
