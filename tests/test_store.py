"""The form on disk: open krav are cut out of an overview, whatever text is between them; damaged frames are told."""

import json
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.store import frame_reader, open_krav, unplaced_payments

PIECES = [',{"part":', "{", "}", ",", "[", "]", '"', "\\", '],"innbetalingMedUplassertBeloep":[', '],"totalOversikt":']
ANY_TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=5).map("".join)
POST = st.tuples(ANY_TEXT, ANY_TEXT).map(
    lambda texts: {"part": texts[0], "tekst": texts[1], "kravforfall": [{"id": 1}]}
)
POSTS = st.lists(POST, max_size=4)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


@given(POSTS, POSTS, ANY_TEXT)
def test_an_overview_is_cut_into_what_it_lists(krav, payments, text):
    overview = {
        "forespurtPart": text,
        "aapentKravMedGjenstaaendeBeloep": krav,
        "innbetalingMedUplassertBeloep": payments,
        "totalOversikt": {"saldo": 0},
        "oversiktPerKravgruppe": [{"kravgruppe": text}],
    }
    assert open_krav(compact(overview)) == [b"," + compact(one) for one in krav]
    assert unplaced_payments(compact(overview)) == compact(payments)[:-1]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 300, b"x" * 70_000, b"\0" * 10_000_000], ids=len)
def test_a_frame_with_any_byte_of_its_head_changed(content):
    """Its head says how much it holds: as much memory is never asked for unseen."""
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(content)
    read = frame_reader(())
    assert read(frame) == content
    for place in range(12):
        for bit in range(8):
            damaged = bytearray(frame)
            damaged[place] ^= 1 << bit
            with suppress(zstandard.ZstdError):
                assert read(bytes(damaged)) == content
