"""What the sources said for the last snapshot: what tonight's rows are held to (``L3-SOURCE-SHRUNK``)."""

from pathlib import Path

from transforms.check.neighbourhood import look_at_everything
from transforms.check.posts import count_said
from transforms.home.accepted import Accepted
from transforms.home.ledgers import connect, create_current
from transforms.home.snapshot import read_manifest


def said_before(previous: Path | None, deliveries: Path, work: Path, memory: str) -> dict[str, dict[str, int]]:
    """The rows that each source said of each table for the snapshot ``previous``, by source and table.

    They stand in its manifest; where they don't, as in one of an earlier program, they are counted anew in
    ``deliveries``, in DuckDB with that limit of ``memory``, spilling to ``work``.
    """
    manifest = read_manifest(previous) if previous else {"said": {}}
    if "said" in manifest:
        said: dict[str, dict[str, int]] = manifest["said"]
        return said
    chains: dict[str, list[Accepted]] = {}
    for delivery in manifest["used"]:
        chains.setdefault(delivery["kilde"], []).append(Accepted(**delivery))
    with connect(work, memory) as connection:
        create_current(connection, deliveries, chains)
        look_at_everything(connection)
        return count_said(connection, chains)
