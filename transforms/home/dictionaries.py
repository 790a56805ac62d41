"""What the histories' frames are compressed with: per kind a dictionary, trained once on synthetic posts.

A part's history is short, and most of it is names of fields and usual texts; with a dictionary a frame
begins where others left off (docs/decisions/0008-dictionaries.md). The dictionaries are data, so that the
same posts become the same bytes on every machine. Each has a number, its frames carry it, and a
snapshot keeps a copy beside its segments: ``documents/<kind>-<number>.dict`` (``schemas.store``).

New ones: ``python -m transforms.home.dictionaries <snapshot> <first number>``, over a snapshot of synthetic parts.
"""

import shutil
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import zstandard

from schemas.store import HISTORIES, frame_reader
from transforms.root import ROOT

FOLDER = ROOT / "data" / "dictionaries"


def dictionary(kind: str) -> zstandard.ZstdCompressionDict:
    """The dictionary that histories of the kind are compressed with now."""
    (path,) = FOLDER.glob(f"{kind}-*.dict")
    return zstandard.ZstdCompressionDict(path.read_bytes())


def copy_dictionaries(documents: Path, *previous: Path) -> None:
    """Copies what frames may need to where a snapshot's documents lie, from those of earlier snapshots too."""
    for folder in (FOLDER, *previous):
        for path in folder.glob("*.dict"):
            if not (documents / path.name).exists():
                shutil.copyfile(path, documents / path.name)


SAMPLE_BYTES = 4_000
SIZE = 16_384


def train(snapshot: Path, first_number: int) -> None:
    """Replaces the dictionaries by new ones, trained on the beginning of every history of the snapshot."""
    documents = snapshot / "documents"
    content = frame_reader(path.read_bytes() for path in documents.glob("*.dict"))
    with pa.memory_map(str(documents / "index.arrow")) as source:
        index = pl.DataFrame(pl.from_arrow(pa.ipc.open_file(source).read_all()))
    segments = {
        name: (documents / f"{name}.zst").read_bytes() for name in index[HISTORIES.column].drop_nulls().unique()
    }
    for number, kind in enumerate(HISTORIES.kinds, start=first_number):
        places = index.filter(pl.col(f"{kind}_length") > 0)
        rows = places.select(
            HISTORIES.column, *(f"{kind}_{name}" for name in ("offset", "length", "antall"))
        ).iter_rows()
        bodies = (content(segments[name][start : start + length])[8 * antall :] for name, start, length, antall in rows)
        trained = zstandard.train_dictionary(SIZE, [body[:SAMPLE_BYTES] for body in bodies], dict_id=number)
        for old in FOLDER.glob(f"{kind}-*.dict"):
            old.unlink()
        (FOLDER / f"{kind}-{number}.dict").write_bytes(trained.as_bytes())


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]))
