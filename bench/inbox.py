"""Where the other ways to make the documents find their input: the first, full deliveries of an inbox.

Standard library only: these run in an environment of their own, without the project.
"""

from pathlib import Path

TABLES = ("part", "krav", "kravforfall", "innbetaling", "utbetaling", "plassering")
KINDS = ("oversikt", "krav", "innbetalinger", "utbetalinger")
REFERENCE = Path(__file__).resolve().parent.parent / "data" / "reference"
RATES = REFERENCE / "forsinkelsesrente.csv"
KRAVTYPER = REFERENCE / "kravtyper.csv"
ZSTD_LEVELS = {kind: 3 if kind == "oversikt" else 1 for kind in KINDS}
"""What everyone compresses with: the levels of ``transforms.build.documents``, whose dictionaries no other way has."""


def delivered(inbox: Path) -> dict[str, list[str]]:
    """The Parquet files of every table, over all sources."""
    return {table: [str(file) for file in sorted(inbox.glob(f"*/000001/{table}-*.parquet"))] for table in TABLES}
