"""A bucket as ``spread`` leaves it, of an account statement, and a snapshot of one that is built."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from schemas.store import HISTORIES, OVERSIKTER, SEGMENTS
from schemas.tables import TABLES
from tests.plain.statement import rows
from transforms.accept.values import DTYPES
from transforms.build.bucket import Built, Job, Making, build_bucket
from transforms.build.frames import Frames
from transforms.home.snapshot import start_snapshot, write_index, write_part

HISTORY, OVERSIKT = HISTORIES.column, OVERSIKTER.column
"""What an index names segments of histories and of overviews by."""

S = date(2026, 11, 23)
RATES = pl.DataFrame({"fra_dato": [date(2020, 1, 1)], "sats": [1000]})
"""Ten percent a year: 36 500 kroner bear ten a day."""

Bucket = dict[str, pl.DataFrame]

TYPES = {
    name: {column.name: DTYPES.get(column.kind, pl.String) for column in table.columns}
    for name, table in TABLES.items()
}
FAR_FORFALL = {
    **dict.fromkeys(("kravforfallsidentifikator", "kravidentifikator", "kravbeskrivelse", "kravtype"), pl.String),
    **dict.fromkeys(("forfallsdato", "periode_start", "periode_slutt"), pl.Date),
    "krav_opprinnelig": pl.Int64,
    "krav_gjenstaaende": pl.Int128,
}
FAR_INNBETALING = [name for name in TYPES["innbetaling"] if name[:4] != "til_" and name not in ("part", "fra_iban")]


def bucket(*said: dict[str, Any], far_forfall: Sequence[Any] = (), far_innbetaling: Sequence[Any] = ()) -> Bucket:
    """The tables of a bucket that has all of the statement's parts.

    ``far_forfall``: due dates that lie elsewhere, of the columns of ``FAR_FORFALL``; ``far_innbetaling``: such
    payments, as rows of a statement. All krav bear interest.
    """
    tables = {
        name: pl.DataFrame([in_oere(row) for row in some], schema=TYPES[name]) for name, some in rows(*said).items()
    }
    krav = tables["krav"] = tables["krav"].with_columns(
        pl.col("kravbeskrivelse").fill_null(pl.col("kravtype")),
        pl.col("kravgruppe").fill_null("Andre krav"),
        renteberegnes=pl.lit(True),
    )
    owned = krav.select("kravidentifikator", "part")
    dues = tables["kravforfall"].join(owned, on="kravidentifikator", maintain_order="left")
    placed = tables["plassering"]
    ends = pl.concat([_ends(dues), _ends(tables["innbetaling"]), _ends(tables["utbetaling"])])
    for column, whose in (("kravforfallsidentifikator", "forfall_part"), ("motpost", "motpost_part")):
        placed = placed.join(ends.rename({"key": column, "part": whose}), on=column, how="left", maintain_order="left")
    far = pl.DataFrame([in_oere(row) for row in far_innbetaling], schema=TYPES["innbetaling"])
    return tables | {
        "kravforfall": dues,
        "innbetaling": tables["innbetaling"].drop("fra_iban"),
        "plassering": placed,
        "far_forfall": pl.DataFrame(far_forfall, schema=FAR_FORFALL),
        "far_innbetaling": far.select(FAR_INNBETALING),
    }


def _ends(posts: pl.DataFrame) -> pl.DataFrame:
    return posts.select(key=pl.first(), part="part")


def in_oere(row: dict[str, Any]) -> dict[str, Any]:
    """A statement's row as it is when it has been accepted."""
    return {name: int(value * 100) if name.endswith("_beloep") else value for name, value in row.items()}


def start(home: Path, run: str = "0001", day: date = S) -> Making:
    """The folder of a snapshot of the day, and what is made in it."""
    folder = home / "snapshots" / f"{day}-{run}"
    start_snapshot(folder)
    return Making(folder, RATES, day)


def built(making: Making, tables: Bucket, number: int = 0) -> Built:
    """The bucket, built into the snapshot."""
    posts = making.snapshot.parent / f"posts-{number}"
    for name, frame in tables.items():
        folder = posts / name / f"bucket={number}"
        folder.mkdir(parents=True, exist_ok=True)
        frame.clear().write_parquet(posts / f"{name}.parquet")
        if frame.height:  # of a table without rows there is no file
            frame.write_parquet(folder / "0.parquet")
    return build_bucket(Job(making, number, posts))


def snapshot_of(home: Path, *buckets: Bucket, run: str = "0001", day: date = S) -> Path:
    """A snapshot of these buckets, with its index and the table of parts."""
    making = start(home, run, day)
    made = [built(making, tables, number) for number, tables in enumerate(buckets)]
    part = pl.concat([one.part for one in made])
    index = write_index(
        making.snapshot, [one.oversikter for one in made], [one.histories for one in made], part, part["part"]
    )
    write_part(making.snapshot, index, part)
    return making.snapshot


def texts(snapshot: Path, index: pl.DataFrame, kind: str) -> list[bytes]:
    """The documents of the kind of the index rows, those that there are."""
    of = next(segments for segments in SEGMENTS if kind in segments.kinds)
    return list(Frames(snapshot, of, index).unpacked(kind))
