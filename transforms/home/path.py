"""What the path of a home must not hold."""

from pathlib import Path

FORBIDDEN = "*?[]\\%"
"""The engines take ``* ? [ ]`` for patterns and a backslash for an escape; the database of Dagster's runs is opened by
an address, in which ``%20`` is a space."""


class HomePathError(ValueError):
    """The path of a home, or of Dagster's folder, cannot be used."""


def check_path(path: Path, what: str) -> None:
    """Raises ``HomePathError`` when the absolute path holds any of ``FORBIDDEN``; ``what`` it is the path of."""
    if set(FORBIDDEN) & set(str(path.resolve())):
        raise HomePathError(f"the path of {what} must not hold any of {' '.join(FORBIDDEN)}")
