"""How documents lie on disk: what the night writes and serving reads, nothing else.

    documents/index.arrow      one row per known part, in part order (text, by code point)
    documents/<segment>.zst    zstd frames end to end, one per document
    documents/<name>.dict      zstd dictionaries; a frame carries the number of the one that it needs

A frame of kind ``oversikt`` is the document itself, and needs no dictionary: it is served as it lies.
A frame of another kind is the part's whole history: first one 64-bit word per post, then the posts as
JSON fragments end to end, each beginning with its comma and in date order. A word holds the post's date
(days since 1970) in its upper half and the end of its fragment, counted from the first fragment, in its
lower half. Words sort by date, so a period is two binary searches and one slice.
"""

from collections.abc import Callable, Iterable

import pyarrow as pa
import zstandard

KINDS = ("oversikt", "krav", "innbetalinger", "utbetalinger")

INDEX_SCHEMA = pa.schema(
    [
        pa.field("part", pa.string(), nullable=False),
        # null: the part is known, but held back, and has no earlier documents
        pa.field("snapshotdato", pa.date32()),
        pa.field("segment", pa.string()),
        *(
            field
            for kind in KINDS
            for field in (
                pa.field(f"{kind}_offset", pa.int64()),
                pa.field(f"{kind}_length", pa.int64()),  # 0: nothing of this kind
                pa.field(f"{kind}_antall", pa.int64()),  # posts; 1 for an oversikt
            )
        ),
    ]
)

END_BITS = 32
END_MASK = (1 << END_BITS) - 1
"""A part's history of one kind is below 4 GiB."""
EPOCH_ORDINAL = 719_163
"""``date(1970, 1, 1).toordinal()``."""


def frame_reader(dictionaries: Iterable[bytes]) -> Callable[[bytes], bytes]:
    """What gives the content of a frame, for one thread. It raises ``zstandard.ZstdError`` over a damaged frame.

    ``dictionaries``: the content of the ``.dict`` files that lie beside the frames.
    """
    known = {0: zstandard.ZstdDecompressor()}
    for content in dictionaries:
        dictionary = zstandard.ZstdCompressionDict(content)
        known[dictionary.dict_id()] = zstandard.ZstdDecompressor(dict_data=dictionary)

    def content_of(frame: bytes) -> bytes:
        number = zstandard.get_frame_parameters(frame).dict_id
        if number not in known:
            raise zstandard.ZstdError(f"dictionary {number} is not there")
        content: bytes = known[number].decompress(frame)
        return content

    return content_of
