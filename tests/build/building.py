"""A bucket as ``spread`` leaves it, of an account statement, and a snapshot of one that is built."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from schemas.snapshot import TableReceipt
from schemas.store import HISTORIES, OVERSIKTER, SEGMENTS
from schemas.tables import TABLES
from tests.manifests import accepted
from tests.plain.statement import rows
from transforms.build.bucket import Built, Delivered, Job, Making, build_bucket
from transforms.build.frames import Frames
from transforms.home.snapshot import start_snapshot, write_index, write_part
from transforms.rules.check_digits import with_flags

HISTORY, OVERSIKT = HISTORIES.column, OVERSIKTER.column
"""What an index names segments of histories and of overviews by."""

S = date(2026, 11, 23)
RATES = pl.DataFrame({"fra_dato": [date(2020, 1, 1)], "sats": [1000]})
"""Ten percent a year: 36 500 kroner bear ten a day."""

DELIVERED = [
    accepted(
        "mva",
        1,
        type="full",
        receipt=dict.fromkeys(TABLES, TableReceipt(rader=2, refused=1, removed=0, oere=0, failing={})),
    ),
    accepted(
        "mva", 2, receipt=dict.fromkeys(TABLES, TableReceipt(rader=1000, refused=0, removed=0, oere=0, failing={}))
    ),
]
"""The first row of each table is the full delivery's, the others are the change's."""

Bucket = dict[str, pl.DataFrame]

TYPES = {name: dict(table.accepted) for name, table in TABLES.items()}
FAR_FORFALL = {
    **dict.fromkeys(("kravforfallsidentifikator", "kravidentifikator", "kravbeskrivelse", "kravtype"), pl.String),
    **dict.fromkeys(("forfallsdato", "periode_start", "periode_slutt"), pl.Date),
    "krav_opprinnelig": pl.Int64,
    "krav_gjenstaaende": pl.Int128,
}
FAR_INNBETALING = [name for name in TYPES["innbetaling"] if name[:4] != "til_" and name not in ("part", "fra_iban")]
NUMBERED = ("krav", "kravforfall", "innbetaling", "utbetaling", "plassering")
FAR = {"far_forfall": "kravforfall", "far_innbetaling": "innbetaling"}
MOTPOSTS = {"INNBETALING": "innbetaling", "MOTKRAV": "kravforfall", "UTBETALING": "utbetaling"}


def bucket(*said: dict[str, Any], far_forfall: Sequence[Any] = (), far_innbetaling: Sequence[Any] = ()) -> Bucket:
    """The tables of a bucket that has all of the statement's parts.

    ``far_forfall``: due dates that lie elsewhere, of the columns of ``FAR_FORFALL``; ``far_innbetaling``: such
    payments, as rows of a statement. All krav bear interest.
    """
    tables = {
        name: pl.DataFrame([in_oere(row) for row in some], schema=TYPES[name]) for name, some in rows(*said).items()
    }
    tables["krav"] = tables["krav"].with_columns(
        pl.col("kravbeskrivelse").fill_null(pl.col("kravtype")),
        pl.col("kravgruppe").fill_null("Andre krav"),
        renteberegnes=pl.lit(True),
    )
    tables["far_forfall"] = pl.DataFrame(far_forfall, schema=FAR_FORFALL)
    tables |= {name: with_flags(tables[name], TABLES[name], TABLES[name].names) for name in tables if name in TABLES}
    far = pl.DataFrame([in_oere(row) for row in far_innbetaling], schema=TYPES["innbetaling"])
    tables["far_innbetaling"] = far.select(FAR_INNBETALING)
    return _numbered(tables | {"innbetaling": tables["innbetaling"].drop("fra_iban")})


def _numbered(tables: Bucket) -> Bucket:
    """The tables with row numbers in place of ``part``, as ``spread`` gives them: those of posts in no order at all."""
    parts = {part: row for row, part in enumerate(sorted(tables["part"]["part"]), 1)}
    rows = {name: _row_numbers(tables[name]) for name in NUMBERED}
    for far, name in FAR.items():
        rows[name] |= {key: 500 + row for key, row in _row_numbers(tables[far]).items()}
    rows["krav"] |= {key: 500 + n for n, key in enumerate(tables["far_forfall"]["kravidentifikator"].unique())}
    whose = {name: _whose(tables[name], parts) for name in ("krav", "innbetaling", "utbetaling")}
    owned = tables["kravforfall"].select("kravforfallsidentifikator", "kravidentifikator").rows()
    whose["kravforfall"] = {due: whose["krav"][krav] for due, krav in owned}
    made = {
        name: table.drop("part", strict=False).with_columns(
            row=_numbers(rows[FAR.get(name, name)][key] for key in table.to_series()),
            **({"part_row": _numbers(whose[name][key] for key in table.to_series())} if name in whose else {}),
        )
        for name, table in tables.items()
        if name != "part"
    }
    for name in ("kravforfall", "far_forfall"):
        krav = _numbers(rows["krav"][key] for key in made[name]["kravidentifikator"])
        made[name] = made[name].with_columns(krav_row=krav)
    ends = tables["plassering"].select("kravforfallsidentifikator", "plasseringstype", "motpost").rows()
    motposts = [(MOTPOSTS[kind], motpost) for _, kind, motpost in ends]
    made["plassering"] = made["plassering"].with_columns(
        forfall_row=_numbers(rows["kravforfall"][due] for due, _, _ in ends),
        motpost_row=_numbers(rows[table][key] for table, key in motposts),
        forfall_part_row=_numbers(whose["kravforfall"].get(due, ELSEWHERE) for due, _, _ in ends),
        motpost_part_row=_numbers(whose[table].get(key, ELSEWHERE) for table, key in motposts),
    )
    tables["part"] = tables["part"].with_columns(row=pl.lit(0, pl.UInt32))
    numbers = {name: _numbers(map(parts.get, tables["part"][column])) for name, column in PART_ROWS.items()}
    return made | {"part": tables["part"].with_columns(**numbers)}


PART_ROWS = {"part_row": "part", "innehaver_row": "innehaver"}
ELSEWHERE = 400
"""The row number of a part in another bucket."""


def _row_numbers(posts: pl.DataFrame) -> dict[str, int]:
    """Each key's, backwards: a later row has a lower one."""
    return {key: posts.height - place for place, key in enumerate(posts.to_series())}


def _whose(posts: pl.DataFrame, parts: dict[str, int]) -> dict[str, int]:
    return {key: parts[part] for key, part in zip(posts.to_series(), posts["part"], strict=True)}


def _numbers(numbers: Iterable[int | None]) -> pl.Series:
    return pl.Series(list(numbers), dtype=pl.UInt32)


def in_oere(row: dict[str, Any]) -> dict[str, Any]:
    """A statement's row as it is when it has been accepted."""
    return {name: int(value * 100) if name.endswith("_beloep") else value for name, value in row.items()}


def start(home: Path, run: str = "0001", day: date = S) -> Making:
    """The folder of a snapshot of the day, and what is made in it."""
    folder = home / "snapshots" / f"{day}-{run}"
    start_snapshot(folder)
    return Making(folder, RATES, day, Delivered(DELIVERED))


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
