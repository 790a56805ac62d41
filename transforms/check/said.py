"""What the sources said for the last snapshot: what tonight's rows are held to (``L3-SOURCE-SHRUNK``)."""

from schemas.snapshot import Accepted, RowsBySource
from transforms.check.posts import count_said
from transforms.home.snapshot import read_manifest
from transforms.ledgers.connection import ledgers
from transforms.ledgers.neighbourhood import look_at_everything
from transforms.run import Settings


def said_before(run: Settings) -> RowsBySource:
    """The rows that each source said of each table for the snapshot published now, by source and table.

    They stand in its manifest; where they don't, as in one of an earlier program, they are counted anew.
    """
    previous = run.previous()
    if previous is None:
        return {}
    manifest = read_manifest(previous)
    if manifest.said is not None:
        return manifest.said
    chains: dict[str, list[Accepted]] = {}
    for delivery in manifest.used:
        chains.setdefault(delivery.kilde, []).append(delivery)
    with ledgers(run, chains) as connection:
        look_at_everything(connection)
        return count_said(connection, chains)
