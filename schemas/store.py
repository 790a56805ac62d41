"""How documents lie on disk: what the night writes and serving reads, nothing else.

    documents/index.arrow      one row per known part, in part order (text, by code point)
    documents/<segment>.zst    zstd frames end to end, one per document

A frame of kind ``oversikt`` is the document itself. A frame of another kind is the part's whole
history: first one 64-bit word per post, then the posts as JSON fragments end to end, each beginning
with its comma and in date order. A word holds the post's date (days since 1970) in its upper half and
the end of its fragment, counted from the first fragment, in its lower half. Words sort by date, so a
period is two binary searches and one slice.
"""

import pyarrow as pa

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
