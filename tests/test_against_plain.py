"""Random ledgers and random faults: the documents equal those of the plain reference, byte for byte."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.nights import Nights, counts_of, stops_of
from tests.plain import ledger, quarantine
from tests.plain.faults import faulty_nights, refused_numbers
from tests.plain.strategies import KRAVTYPER, RATES, SNAPSHOT_DATE, good_ledgers
from tests.plain.write import FORMATS, write_delivery
from tests.traced import hold_to_plain

pytestmark = pytest.mark.slow

EXTRACTED = "2024-02-29T23:00:00+01:00"


def reference_files(folder: Path) -> dict[str, Path]:
    """The strategies' rates and kravtyper as the files that a run is given."""
    pl.DataFrame({"fra_dato": [str(day) for day, _ in RATES], "sats": [str(rate) for _, rate in RATES]}).write_csv(
        folder / "rates.csv"
    )
    pl.DataFrame(
        [
            {"kravtype": name, "tekst": k.tekst, "kravgruppe": k.kravgruppe, "renteberegnes": k.renteberegnes}
            for name, k in KRAVTYPER.items()
        ]
    ).write_csv(folder / "kravtyper.csv")
    return {"rates": folder / "rates.csv", "kravtyper": folder / "kravtyper.csv"}


@settings(max_examples=examples(3))
@given(good_ledgers(big_amounts=True), st.sampled_from(FORMATS), st.integers(1, 3))
def test_documents_of_random_good_ledgers(rows, form, split):
    with TemporaryDirectory() as folder:
        nights = Nights(Path(folder))
        nights.inbox.mkdir()
        write_delivery(nights.inbox, "mva", 1, "full", rows, uttrekkstidspunkt=EXTRACTED, format=form, split=split)
        nights.publish(SNAPSHOT_DATE, **reference_files(nights.folder))
        assert nights.findings().filter(pl.col("nivaa") > 0).is_empty()
        assert nights.documents() == ledger.documents(rows, SNAPSHOT_DATE, RATES, KRAVTYPER)


@settings(max_examples=examples(4))
@given(faulty_nights())
def test_nights_with_random_faults(plans):
    with TemporaryDirectory() as folder:
        nights, published, since = Nights(Path(folder)), None, {}
        nights.inbox.mkdir()
        files = reference_files(nights.folder)
        for count, plan in enumerate(plans, start=1):
            for delivery in plan.deliveries:
                delivery.write(nights.inbox)
            refused = refused_numbers(plans[:count])
            expected = quarantine.night(nights.inbox, plan.snapshot_date, RATES, KRAVTYPER, published, refused)
            if not expected.chains:
                assert stops_of(nights.run(plan.snapshot_date, **files))
                continue
            before, published = published, quarantine.publish(expected, published)
            since = {part: since.get(part, plan.snapshot_date) for part in expected.held_back}
            night = nights.publish(plan.snapshot_date, **files)
            hold_to_plain(nights.home, expected, before, since)
            assert counts_of(night, "check").held_back == len(expected.held_back)
            assert counts_of(night, "check").leads_nowhere == expected.leading_nowhere
            assert counts_of(night, "check").quarantined == len(expected.quarantined)
            assert nights.documents() == {part: built.texts() for part, built in published.documents.items()}
            for part in published.documents:
                assert nights.snapshot().snapshot_date(part) == published.documents[part].snapshot_date
            for part in published.in_part - set(published.documents):
                if re.fullmatch("[0-9]{9}|[0-9]{11}", part):  # nothing else can be asked for: KB-006 comes first
                    assert nights.answer(part) == published.answer(part)
