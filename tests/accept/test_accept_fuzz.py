"""Random and mutated bytes: ``choose`` never raises, and never shows what the files hold.

A few examples in an ordinary run; KRAVOVERSIKT_FUZZ_EXAMPLES says how many of each otherwise.
"""

import gzip
import io
import json
import os
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.refusals import SENTENCES
from tests.accept.accepting import LEDGER, Place, put
from tests.plain.write import write_delivery

FUZZ = settings(
    max_examples=int(os.environ.get("KRAVOVERSIKT_FUZZ_EXAMPLES", "10")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="KRAVOVERSIKT_FUZZ_EXAMPLES" not in os.environ,
    database=None,
)


TABLES = {"kravforfall": LEDGER["kravforfall"]}


def sample(ending):
    """The files of a good delivery."""
    with tempfile.TemporaryDirectory() as root:
        folder = write_delivery(Path(root), "mva", 1, "full", TABLES, format=ending)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


CSV, PARQUET, GZIP = sample("csv"), sample("parquet"), sample("csv.gz")


def uncompressed(content):
    """A Parquet file without compression, so that mutations reach what it holds."""
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(content)), sink, compression="none", data_page_version="2.0")
    return sink.getvalue()


@st.composite
def mutated(draw, content):
    """The content with pieces overwritten, put in, cut out, doubled or cut off."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        piece = draw(st.one_of(st.binary(min_size=1, max_size=6), st.sampled_from(PIECES)))
        length = draw(st.integers(0, 40))
        how = draw(st.sampled_from(("write", "write", "write", "insert", "cut", "double", "end")))
        content = {
            "write": content[:at] + piece + content[at + len(piece) :],
            "insert": content[:at] + piece + content[at:],
            "cut": content[:at] + content[at + length :],
            "double": content[: at + length] + content[at:],
            "end": content[:at] if length < 4 else content,
        }[how]
    return content


PIECES = [b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xff" * 8, b"\x80\x80\x80\x80\x08", b"-", b"9" * 20, b"null", b"[", b"{}", b"1e999", b"\\ud800", b"\xef\xbb\xbf"]  # fmt: skip # noqa: E501


def survives(ending, sti, content, **said):
    """Takes the delivery in with that file; all that comes of it is refusals or acceptance."""
    with tempfile.TemporaryDirectory() as root:
        place = Place(Path(root))
        folder = place.deliver(tables=TABLES, format=ending)
        if sti == "manifest.json":
            (folder / sti).write_bytes(content)
        else:
            put(folder, sti, content, **said)
        tonight = place.night()  # holds the messages against what the files hold, too
        assert tonight.used or tonight.refusals
        for refusal in tonight.refusals:
            assert refusal.code in SENTENCES
            assert refusal.message.isprintable() and len(refusal.message) < 400
        return tonight


@FUZZ
@given(mutated(CSV["manifest.json"]))
def test_a_mutated_manifest(content):
    survives("csv", "manifest.json", content)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=4,
)


@FUZZ
@given(st.data())
def test_a_manifest_with_another_value_somewhere(data):
    manifest = here = json.loads(CSV["manifest.json"])
    while True:
        place = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        if not here[place] or not isinstance(here[place], dict | list) or data.draw(st.booleans()):
            break
        here = here[place]
    here[place] = data.draw(JSON)
    survives("csv", "manifest.json", json.dumps(manifest).encode())


@FUZZ
@given(st.binary(max_size=200), st.sampled_from(["csv", "csv.gz", "csv.zst", "parquet"]))
def test_random_bytes(content, ending):
    survives(ending, f"kravforfall-1.{ending}", content)


@FUZZ
@given(mutated(CSV["kravforfall-1.csv"]))
def test_a_mutated_csv(content):
    survives("csv", "kravforfall-1.csv", content)


@FUZZ
@given(mutated(CSV["kravforfall-1.csv"]))
def test_a_mutated_csv_that_is_compressed(content):
    survives("csv.gz", "kravforfall-1.csv.gz", gzip.compress(content, 1))


@FUZZ
@given(mutated(GZIP["kravforfall-1.csv.gz"]))
def test_a_mutated_gzip(content):
    survives("csv.gz", "kravforfall-1.csv.gz", content)


@FUZZ
@given(mutated(PARQUET["kravforfall-1.parquet"]))
def test_a_mutated_parquet(content):
    survives("parquet", "kravforfall-1.parquet", content)


@FUZZ
@given(mutated(uncompressed(PARQUET["kravforfall-1.parquet"])))
def test_a_mutated_parquet_without_compression(content):
    survives("parquet", "kravforfall-1.parquet", content)
