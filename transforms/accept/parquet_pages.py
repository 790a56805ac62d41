"""How large the pages of a Parquet file are: pyarrow does not tell, and no text is longer than the page it is in.

A page begins with its header, a struct in Thrift's compact protocol (Parquet's ``PageHeader``); the content follows.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow.parquet

MAX_PAGES = 20_000
"""So many pages of a column are looked at; of more is known only how much they are together."""

HEADER_BYTES = 16 << 10
"""A header that is longer, through its statistics, is not looked into."""


def largest_page(path: Path, chunk: pyarrow.parquet.ColumnChunkMetaData) -> int:
    """The bytes of the column chunk's largest page, unpacked; all of the chunk's where its pages cannot be told."""
    try:
        sizes = list(islice(_page_sizes(path, chunk), MAX_PAGES + 1))
    except (IndexError, KeyError, RecursionError):
        sizes = []
    return max(sizes) if 0 < len(sizes) <= MAX_PAGES else int(chunk.total_uncompressed_size)


def _page_sizes(path: Path, chunk: pyarrow.parquet.ColumnChunkMetaData) -> Iterator[int]:
    place = max(0, min(chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset))
    end = min(place + chunk.total_compressed_size, path.stat().st_size)
    with path.open("rb") as file:
        while place < end:
            file.seek(place)
            header = _Compact(file.read(HEADER_BYTES))
            fields = header.struct()
            yield fields[2]
            place += header.at + max(0, fields[3])


class _Compact:
    """Thrift's compact protocol, as far as a page's header has it. Raises ``IndexError`` where the bytes end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self) -> dict[int, int]:
        """The fields by their number; those that are no integer are passed over, and are 0."""
        fields, number = {}, 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15)
        return fields

    def _value(self, kind: int) -> int:
        if kind in (4, 5, 6):
            return self._integer()
        if kind == 3:
            self._byte()
        elif kind == 7:
            self.at += 8
        elif kind == 8:
            length = self._varint()
            self.at += length
        elif kind == 12:
            self.struct()
        elif kind not in (1, 2):  # a boolean has its value in its kind; no page header has a list, set or map
            raise KeyError(kind)
        return 0

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
