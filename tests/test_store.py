"""How open krav are cut out of an overview: what is between them may be any text."""

import json

from hypothesis import given
from hypothesis import strategies as st

from schemas.store import open_krav, unplaced_payments

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
