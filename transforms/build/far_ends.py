"""The placements as seen from each end: whose it is, the post there, and the far one, of which documents show more.

Most far ends lie in the same bucket; those that don't came with it (``buckets``), and have the places behind the
bucket's own. Pure, within one bucket.
"""

import numpy as np
import polars as pl

from transforms.build.places import NOWHERE, days, places_of
from transforms.text.json_text import Places

KRAV_SHOWN = ("kravidentifikator", "kravbeskrivelse", "kravtype", "periode_start", "periode_slutt")
PAYER_SHOWN = ("fra_kidnummer", "fra_bankinformasjon", "fra_kontoeiers_navn", "fra_swift_bic", "fra_kontonummer")
PAYMENT_SHOWN = ("innbetalingsidentifikator", "innbetalingsdato", "innbetalt_beloep", *PAYER_SHOWN)

Bucket = dict[str, pl.DataFrame]

PLACEMENT_TABLES = {
    "innbetaling_on_forfall": ("INNBETALING", "kravforfall"),
    "motkrav_on_debit": ("MOTKRAV", "kravforfall"),
    "motkrav_on_credit": ("MOTKRAV", "motpost"),
    "utbetaling_on_forfall": ("UTBETALING", "kravforfall"),
    "forfall_on_innbetaling": ("INNBETALING", "motpost"),
    "forfall_on_utbetaling": ("UTBETALING", "motpost"),
}
"""Placements by type and near end. Each has ``plassering``, the placement's place; ``doc``, whose the near end is;
``post``, the place of the post there; ``motpost``, that of the far one, among ``shown_dues``, ``shown_payments`` or
the payouts; ``plassert_beloep``, ``plasseringsdato``; and ``number`` and ``when``, the ranks by identifier and by date
and identifier.
"""


def placements(bucket: Bucket) -> Bucket:
    """The ``PLACEMENT_TABLES`` of a bucket with places (``bucket.with_places``)."""
    placed, parts = bucket["plassering"], bucket["part"]["part_row"]
    rows = placed.select(
        "plasseringstype",
        "motpost_row",
        "plassert_beloep",
        "plasseringsdato",
        forfall=places_of(placed["forfall_row"], shown_dues(bucket)["row"]),
        forfall_doc=places_of(placed["forfall_part_row"], parts),
        motpost_doc=places_of(placed["motpost_part_row"], parts),
        **_ranks(placed),
    ).with_row_index("plassering")
    motposts = {
        "INNBETALING": shown_payments(bucket)["row"],
        "MOTKRAV": shown_dues(bucket)["row"],
        "UTBETALING": bucket["utbetaling"]["row"],
    }
    of_kind = {kind: _with_motpost(rows.filter(plasseringstype=kind), posts) for kind, posts in motposts.items()}
    return {name: _seen_from(end, of_kind[kind]) for name, (kind, end) in PLACEMENT_TABLES.items()}


def _ranks(placed: pl.DataFrame) -> dict[str, Places]:
    number, when = np.empty((2, placed.height), np.int64)
    number[placed["plasseringsidentifikator"].arg_sort().to_numpy()] = np.arange(placed.height)
    when[np.argsort((days(placed["plasseringsdato"]) << 32) + number)] = np.arange(placed.height)
    return {"number": number, "when": when}


def _with_motpost(rows: pl.DataFrame, posts: pl.Series) -> pl.DataFrame:
    return rows.with_columns(motpost=places_of(rows["motpost_row"], posts))


def _seen_from(end: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The placements whose end of that name lies with a part of the bucket."""
    post, motpost = ("forfall", "motpost") if end == "kravforfall" else ("motpost", "forfall")
    return rows.filter(pl.col(f"{post}_doc") != NOWHERE).select(
        "plassering",
        "number",
        "when",
        "plassert_beloep",
        "plasseringsdato",
        doc=f"{post}_doc",
        post=post,
        motpost=motpost,
    )


def shown_dues(bucket: Bucket) -> pl.DataFrame:
    """What placements show of due dates, the bucket's own and then the far ones. ``krav``: places in ``shown_krav``."""
    own, far = bucket["kravforfall"], bucket["far_forfall"]
    far = far.with_columns(krav=np.arange(far.height) + bucket["krav"].height)
    columns = ("row", "kravforfallsidentifikator", "forfallsdato", "krav")
    return pl.concat([own.select(columns), far.select(columns)])


def shown_krav(bucket: Bucket) -> pl.DataFrame:
    """What placements and payouts show of krav, the bucket's own, balanced, and then those of the far due dates."""
    amounts = {"krav_opprinnelig": "opprinnelig_beloep", "krav_gjenstaaende": "gjenstaaende_beloep"}
    own = bucket["krav"].select("row", *KRAV_SHOWN, **amounts)
    far = bucket["far_forfall"].select(pl.col("krav_row").alias("row"), *KRAV_SHOWN, *amounts)
    return pl.concat([own, far.cast({"krav_gjenstaaende": pl.Int128})])


def shown_payments(bucket: Bucket) -> pl.DataFrame:
    """What placements show of payments, the bucket's own and then the far ones."""
    return pl.concat([bucket[name].select("row", *PAYMENT_SHOWN) for name in ("innbetaling", "far_innbetaling")])
