"""What the sources said for the last snapshot: what tonight's rows are held to (``L3-SOURCE-SHRUNK``)."""

from schemas.snapshot import Accepted
from transforms.check.posts import count_said
from transforms.home.snapshot import read_manifest
from transforms.ledgers.connection import ledgers
from transforms.ledgers.neighbourhood import look_at_everything
from transforms.run import Settings


def said_before(run: Settings) -> dict[str, dict[str, int]]:
    """The rows that each source said of each table for the snapshot published now, by source and table.

    They stand in its manifest; where they don't, as in one of an earlier program, they are counted anew.
    """
    previous = run.previous()
    manifest = read_manifest(previous) if previous else {"said": {}}
    if "said" in manifest:
        said: dict[str, dict[str, int]] = manifest["said"]
        return said
    chains: dict[str, list[Accepted]] = {}
    for delivery in manifest["used"]:
        chains.setdefault(delivery["kilde"], []).append(Accepted(**delivery))
    with ledgers(run, chains) as connection:
        look_at_everything(connection)
        return count_said(connection, chains)
