"""The placements as seen from each end: whose it is, the post there, and the far one, of which documents show more.

Most far ends lie in the same bucket; those that don't came with it (``buckets``), and have the places behind the
bucket's own. Pure, within one bucket.
"""

import numpy as np
import polars as pl

from transforms.build.places import NOWHERE, all_there, days, places_of
from transforms.rules.shown import KRAV_SHOWN, PAYMENT_SHOWN
from transforms.text.json_text import Places

DUE_SHOWN = ("kravforfallsidentifikator", "forfallsdato", "krav")
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
``post``, the place of the post there; ``motpost``, that of the far one, among the due dates or payments of
``shown`` or the payouts; ``plassert_beloep``, ``plasseringsdato``; ``number`` and ``when``, the ranks by identifier and
by date and identifier.
"""


def placements(bucket: Bucket) -> Bucket:
    """The ``PLACEMENT_TABLES`` of a bucket with places (``bucket.with_places``)."""
    placed, parts = bucket["plassering"], bucket["part"]["part_row"]
    dues, payments = _rows(bucket, "kravforfall", "far_forfall"), _rows(bucket, "innbetaling", "far_innbetaling")
    rows = placed.select(
        "plasseringstype",
        "motpost_row",
        "plassert_beloep",
        "plasseringsdato",
        forfall=all_there(places_of(placed["forfall_row"], dues)),
        forfall_doc=places_of(placed["forfall_part_row"], parts),
        motpost_doc=places_of(placed["motpost_part_row"], parts),
        **_ranks(placed),
    ).with_row_index("plassering")
    motposts = {"INNBETALING": payments, "MOTKRAV": dues, "UTBETALING": bucket["utbetaling"]["row"]}
    of_kind = {kind: _with_motpost(rows.filter(plasseringstype=kind), posts, kind) for kind, posts in motposts.items()}
    return {name: _seen_from(end, of_kind[kind]) for name, (kind, end) in PLACEMENT_TABLES.items()}


def _rows(bucket: Bucket, *names: str) -> pl.Series:
    return pl.concat([bucket[name]["row"] for name in names])


def _ranks(placed: pl.DataFrame) -> dict[str, Places]:
    number, when = np.empty((2, placed.height), np.int64)
    number[placed["plasseringsidentifikator"].arg_sort().to_numpy()] = np.arange(placed.height)
    when[np.argsort((days(placed["plasseringsdato"]) << 32) + number)] = np.arange(placed.height)
    return {"number": number, "when": when}


def _with_motpost(rows: pl.DataFrame, posts: pl.Series, kind: str) -> pl.DataFrame:
    """With the place of the motpost. A payout may lie elsewhere, for its due date shows nothing of it."""
    motpost = places_of(rows["motpost_row"], posts)
    return rows.with_columns(motpost=motpost if kind == "UTBETALING" else all_there(motpost))


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


def shown(bucket: Bucket) -> Bucket:
    """What placements show, as ``shown_dues``, ``shown_krav`` and ``shown_payments``: of each the bucket's own,
    balanced, and then the far ones. ``krav`` of due dates: places in ``shown_krav``.
    """
    far = bucket["far_forfall"].with_columns(pl.col("krav_gjenstaaende").cast(pl.Int128))
    far = far.with_columns(krav=np.arange(far.height) + bucket["krav"].height)
    amounts = {"krav_opprinnelig": "opprinnelig_beloep", "krav_gjenstaaende": "gjenstaaende_beloep"}
    krav = bucket["krav"].select(*KRAV_SHOWN, krav_row="row", **amounts)
    payments = (bucket[name].select(PAYMENT_SHOWN) for name in ("innbetaling", "far_innbetaling"))
    return {
        "shown_dues": pl.concat([bucket["kravforfall"].select(DUE_SHOWN), far.select(DUE_SHOWN)], rechunk=True),
        "shown_krav": pl.concat([krav, far.select(krav.columns)], rechunk=True),
        "shown_payments": pl.concat(payments, rechunk=True),
    }
