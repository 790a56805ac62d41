"""Whether what is new since the last snapshot says which parts a night must look at."""

from collections.abc import Collection, Sequence

from schemas.snapshot import Accepted, SnapshotManifest, beyond


def why_all(
    manifest: SnapshotManifest | None, made_with: dict[str, str], used: Sequence[Accepted], damaged: Collection[str]
) -> str | None:
    """Why every part must be built anew, or None when only those affected need be.

    ``manifest``: the previous snapshot's, and ``damaged``, which of its files are not as it says; ``made_with``:
    what tonight's documents are made with; ``used``: tonight's deliveries.
    """
    if manifest is None:
        return "nothing is published yet"
    if manifest.made_with != made_with:
        return "the program or the reference data is another"
    if damaged:
        return f"{len(damaged)} files of the previous snapshot are damaged or gone"
    new = beyond(used, manifest.used)
    gone = len(manifest.used) + len(new) > len(used)
    return "a source has a new full delivery" if gone or any(use.type == "full" for use in new) else None
