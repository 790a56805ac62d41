"""What is kept of every night for good: sums over parts, as they lie in a snapshot and in the home, amounts in øre.

No part, post or source row can be told from them but where a sum is of one alone.
"""

import polars as pl

HISTORY = pl.Schema(
    {
        "snapshotdato": pl.Date(),
        "snapshot": pl.String(),
        "kravgruppe": pl.String(),
        "parttype": pl.String(),
        "aldersgruppe": pl.String(),
        "antall": pl.Int64(),
        "gjenstaaende_beloep": pl.Decimal(38, 0),
        "herav_kredit": pl.Decimal(38, 0),
        "stipulerte_renter": pl.Decimal(38, 0),
        "uplassert_beloep": pl.Decimal(38, 0),
    }
)
"""One row per night, kravgruppe, parttype and age band in which something remains; kravgruppe null: of payments."""

HISTORY_REFUSED = pl.Schema(
    {
        "snapshotdato": pl.Date(),
        "snapshot": pl.String(),
        "nivaa": pl.Int8(),
        "kilde": pl.String(),
        "kode": pl.String(),
        "antall": pl.Int64(),
        "beloep": pl.Decimal(38, 0),
    }
)
"""One row per night, source and first reason of refused rows (level 2), and per source and reason of deliveries (1)."""

FILES = {"history.parquet": HISTORY, "history_refused.parquet": HISTORY_REFUSED}
"""By the name of the file, the same in a snapshot and in the home."""
