"""Links as files: what ``check`` hands over, and ``spread`` reads some rows at a time.

Those of a million parts are some 1.4 GB. What must be found by a row's number is read into an array (``by_row``), the
rest in passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from transforms.home.sql import sql_text
from transforms.ledgers.links import MOTPOSTER, Links

LINKS_AT_A_TIME = 500_000


@dataclass(frozen=True)
class LinkFiles:
    """Links (``ledgers.links``) as a file a table in the folder."""

    folder: Path

    def write(self, name: str, links: pl.DataFrame) -> None:
        """Makes the file of a table, and the folder if it is the first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, at_a_time = self._path(name), LINKS_AT_A_TIME
        links.write_parquet(path, compression="uncompressed", statistics=False, row_group_size=at_a_time)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def whole(self, name: str) -> pl.DataFrame:
        """The table's links."""
        return pl.read_parquet(self._path(name))

    def some(self, name: str, *columns: str) -> Iterator[pl.DataFrame]:
        """The table's links in these columns, or in all, some rows at a time, at first none."""
        links = pl.scan_parquet(self._path(name))
        links = links.select(columns) if columns else links
        yield links.head(0).collect()
        for start in range(0, links.select(pl.len()).collect().item(), LINKS_AT_A_TIME):
            yield links.slice(start, LINKS_AT_A_TIME).collect()

    def rows(self, name: str) -> int:
        """One more than the highest number of a row of the table."""
        last = pl.scan_parquet(self._path(name)).select(pl.col("row").max()).collect().item()
        return 0 if last is None else int(last) + 1

    def by_row(self, name: str, column: str, other: int) -> np.ndarray:
        """What the column says, by row number (``uint32``): ``other`` for a row without links, and behind the last."""
        values = np.full(self.rows(name) + 1, other, np.uint32)
        for rows in self.some(name, "row", column):
            values[rows["row"].to_numpy()] = rows[column].to_numpy()
        return values

    def around(self, krav: pl.Series) -> Links:
        """The due dates (``row``, ``krav_row``, ``beloep``) of some krav, by their numbers, and all placements at
        either of whose ends one is.
        """
        wanted = krav.unique().implode()
        dues = pl.concat(
            rows.filter(pl.col("krav_row").is_in(wanted))
            for rows in self.some("kravforfall", "row", "krav_row", "beloep")
        )
        ours = dues["row"].implode()
        one = pl.col("forfall_row").is_in(ours)
        other = (pl.col("plasseringstype") == "MOTKRAV") & pl.col("motpost_row").is_in(ours)
        return {
            "kravforfall": dues,
            "plassering": pl.concat(rows.filter(one | other) for rows in self.some("plassering")),
        }

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Creates ``forfall`` and ``plassering_ends``: the due dates and placements of ``rows_*`` that have links, by
        their keys; placements with ``forfall_part`` and ``motpost_part``.
        """
        for name in ("part", *MOTPOSTER.values(), "plassering"):
            file = sql_text(self._path(name))
            connection.execute(f"CREATE TEMP VIEW links_of_{name} AS FROM read_parquet({file})")
        posts = " UNION ALL ".join(
            f"SELECT '{kind}' AS plasseringstype, row, part_row FROM links_of_{name}"
            for kind, name in MOTPOSTER.items()
        )
        connection.execute(
            f"""
            CREATE TEMP VIEW forfall AS
            SELECT kravforfallsidentifikator, kravidentifikator
            FROM rows_kravforfall SEMI JOIN links_of_kravforfall USING (row);
            CREATE TEMP VIEW plassering_ends AS
            SELECT plasseringsidentifikator, said.plasseringstype, kravforfallsidentifikator, motpost,
                   near.part AS forfall_part, far.part AS motpost_part
            FROM rows_plassering AS said JOIN links_of_plassering AS ends USING (row)
            JOIN links_of_kravforfall AS due ON due.row = forfall_row
            JOIN ({posts}) AS post ON post.row = motpost_row AND post.plasseringstype = said.plasseringstype
            JOIN links_of_part AS near ON near.part_row = due.part_row
            JOIN links_of_part AS far ON far.part_row = post.part_row
            """
        )
