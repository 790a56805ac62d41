"""Nights that build only what changed give the documents and tables of whole nights, whatever came before."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.nights import LET_THROUGH, counts_of, stops_of
from tests.nights import Nights as Home
from tests.ordinary.statement import tables
from tests.plain import ledger as plain
from tests.plain.faults import ordinary_nights
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.strategies import KRAVTYPER, RATES, SNAPSHOT_DATE, good_ledgers
from tests.plain.write import write_delivery
from tests.test_against_plain import EXTRACTED, reference_files
from transforms.home.snapshot import HELD_BACK, QUARANTINED, SAME
from transforms.ledgers import neighbourhood

pytestmark = pytest.mark.slow


def refused(home: Home) -> tuple:
    """All that the last night's checks say: counts, findings, who is held back, whose keys the next night looks at."""
    files = (HELD_BACK, QUARANTINED, SAME)
    kept = [sorted(pl.read_parquet(home.home / "current" / file).rows()) for file in files]
    counts = counts_of(home.last, "check").model_dump(exclude={"seconds", "peak_memory_mb"})
    return counts, home.findings().rows(), *kept


@settings(max_examples=examples(3))
@given(ordinary_nights(), st.sampled_from((0, 0.4, 2)))
def test_any_sequence_of_nights_gives_what_whole_nights_give(plans, many):
    """``many``: whether parts always count as many, always as few, or those near as many and those to build as few."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbourhood, "MANY", many)
        ordinary, whole = Home(Path(folder) / "ordinary"), Home(Path(folder) / "whole")
        for home in (ordinary, whole):
            home.inbox.mkdir(parents=True)
        files = reference_files(Path(folder))
        for plan in plans:
            for delivery in plan.deliveries:
                for home in (ordinary, whole):
                    delivery.write(home.inbox)
            stops = stops_of(ordinary.run(plan.snapshot_date, **LET_THROUGH, **files))
            if stops and not (ordinary.home / "current").exists():
                return  # a broken first full
            assert not stops
            whole.publish(plan.snapshot_date, full=True, **files)
            assert ordinary.documents() == whole.documents()
            assert ordinary.dates() == whole.dates()
            assert tables(ordinary.home) == tables(whole.home)
            assert refused(ordinary) == refused(whole)


@settings(max_examples=examples(3))
@given(good_ledgers(largest=6, big_amounts=True), st.lists(st.integers(-400, 400), min_size=1, max_size=3))
def test_on_any_day_after_any_other_documents_are_those_of_the_day(ledger, days):
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.inbox.mkdir()
        files = reference_files(home.folder)
        write_delivery(home.inbox, "mva", 1, "full", ledger, uttrekkstidspunkt=EXTRACTED)
        home.publish(SNAPSHOT_DATE, **files)
        for offset in days:
            day = SNAPSHOT_DATE + timedelta(days=offset)
            home.publish(day, **files)
            assert home.documents() == plain.documents(ledger, day, RATES, KRAVTYPER)
            assert counts_of(home.last, "build").built_parts == 0


def test_keys_of_one_table_are_none_of_another(nights):
    """Every table has the same keys; one payout pays two due dates of a krav. Built, and then with another date."""
    whose, due = organisation_number(1), SNAPSHOT_DATE + timedelta(days=30)
    ledger = rows(
        part(whose),
        *(krav("1", whose, 100), kravforfall("1", "1", 100, due)),
        *(krav("2", whose, -50), kravforfall("2", "2", -30, due), kravforfall("3", "2", -20, due)),
        *(innbetaling("1", whose, 80), innbetaling("2", whose, 10), innbetaling("3", whose, 7)),
        *(utbetaling("1", whose, 1), utbetaling("2", whose, 40)),
        *(plassering("1", "INNBETALING", "1", "1", 60), plassering("2", "MOTKRAV", "1", "2", 5)),
        *(plassering("3", "UTBETALING", "2", "2", 20), plassering("4", "UTBETALING", "3", "2", 15)),
    )
    nights.inbox.mkdir()
    files = reference_files(nights.folder)
    write_delivery(nights.inbox, "mva", 1, "full", ledger, uttrekkstidspunkt=EXTRACTED)
    for day in (SNAPSHOT_DATE, due + timedelta(days=1)):
        nights.publish(day, **files)
        assert nights.documents() == plain.documents(ledger, day, RATES, KRAVTYPER)
