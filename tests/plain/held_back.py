"""Which parts a quarantined row holds back (section 2)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tests.plain.deliveries import RawRow
from tests.plain.posts import Key

KeyTable = Mapping[Key, frozenset[str]]
"""For each key in a published snapshot, the parts whose documents show it as theirs."""

MOTPOST_TABLES = ("kravforfall", "innbetaling", "utbetaling")


class Leads:
    """Follows rows to parts, over all rows that the sources say, quarantined ones included."""

    def __init__(self, rows: Iterable[RawRow], published: KeyTable) -> None:
        self.published = published
        self.by_key: dict[Key, list[RawRow]] = defaultdict(list)
        for row in rows:
            if row.key is not None:
                self.by_key[row.table, row.key].append(row)

    def parts_of_row(self, row: RawRow) -> set[str]:
        """Every part that a quarantined row leads to, ENKs through their owners apart."""
        parts = self._published(row.table, row.key)
        if row.cells.get("part"):
            parts.add(str(row.cells["part"]))
        if row.table == "kravforfall":
            parts |= self._parts_of_key("krav", row.cells.get("kravidentifikator"))
        if row.table == "plassering":
            parts |= self._parts_of_key("kravforfall", row.cells.get("kravforfallsidentifikator"))
            for table in MOTPOST_TABLES:
                parts |= self._parts_of_key(table, row.cells.get("motpost"))
        return parts

    def _parts_of_key(self, table: str, key: str | None) -> set[str]:
        """The parts of what a row refers to: as the sources say now and as it was last published."""
        parts = self._published(table, key)
        for row in self.by_key.get((table, key), []) if key else []:
            if table == "kravforfall":
                parts |= self._parts_of_key("krav", row.cells.get("kravidentifikator"))
            elif row.cells.get("part"):
                parts.add(str(row.cells["part"]))
        return parts

    def _published(self, table: str, key: str | None) -> set[str]:
        return set(self.published.get((table, key), ())) if key else set()
