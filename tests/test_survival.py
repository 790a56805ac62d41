"""What is published survives what goes wrong around it: small homes, broken on purpose."""

import shutil

import pytest
from click.testing import CliRunner

from cli.main import main
from schemas.store import STORE_VERSION
from tests.nights import Nights, S, counts_of, held_back_of, stops_of
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import write_delivery
from transforms import night as night_module
from transforms.home import retained
from transforms.publish import stage as publishing

pytestmark = pytest.mark.slow

COMPANY, ENK, OWNER = organisation_number(1), organisation_number(2), national_number(3)
STATEMENT = [
    *(part(COMPANY), part(ENK, "ENK", OWNER), part(OWNER, "PERSON")),
    *(krav("K1", COMPANY, 100), kravforfall("F1", "K1", 100, "2026-01-15")),
    *(innbetaling("I1", COMPANY, 80), plassering("P1", "INNBETALING", "F1", "I1", 60)),
]


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    nights = Nights(tmp_path_factory.mktemp("survival"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(*STATEMENT))
    nights.publish()
    return nights


@pytest.fixture
def published(first_night, nights):
    """A home with one night published."""
    return nights.take_over(first_night)


def codes(night):
    return [stop.code for stop in stops_of(night)]


@pytest.mark.parametrize("what", ["link_analytics", "clean"])
def test_an_error_after_the_switch_leaves_the_new_snapshot_up(published, monkeypatch, what):
    def broken(*_):
        raise OSError("no space left on device")

    place = publishing if what == "link_analytics" else retained
    original, calls = getattr(place, what), []

    def second_time(*given):
        calls.append(1)
        return broken() if what == "link_analytics" or len(calls) > 1 else original(*given)

    monkeypatch.setattr(place, what, second_time)
    published.publish()
    monkeypatch.undo()
    assert published.snapshot().manifest.run == "0002"
    published.publish()
    assert len(list((published.home / "snapshots").iterdir())) == 2  # of one date: the last and the one before


def test_an_interrupt_after_the_switch_leaves_the_new_snapshot_up(published, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "link_analytics", interrupted)
    with pytest.raises(KeyboardInterrupt):
        published.publish()
    assert published.snapshot().manifest.run == "0002"


def test_without_current_nothing_is_removed(published):
    published.publish()
    (published.home / "current").unlink()
    shutil.rmtree(published.inbox)
    published.inbox.mkdir()
    assert codes(published.run()) == ["L3-HOME-DAMAGED"]
    assert len(list((published.home / "snapshots").iterdir())) == 2
    assert list((published.home / "deliveries" / "mva").iterdir())


def test_a_manifest_that_cannot_be_read_stops_the_run(published):
    (published.home / "current" / "manifest.json").write_text("{")
    assert codes(published.run()) == ["L3-HOME-DAMAGED"]


def test_a_home_of_another_version_stops_the_run(published):
    before = published.documents()
    path = published.home / "current" / "manifest.json"
    path.write_text(path.read_text().replace(f'"skjemaversjon": "{STORE_VERSION}"', '"skjemaversjon": "0"'))
    assert codes(published.run()) == ["L3-HOME-VERSION"]
    assert published.documents() == before
    told = CliRunner().invoke(main, ["status", "--home", str(published.home)])
    assert told.exit_code == 1
    assert "L3-HOME-VERSION" in told.stdout.splitlines()[0]


@pytest.mark.parametrize("instead", ["nothing", "a file"])
def test_without_an_inbox_the_run_stops(published, instead):
    shutil.rmtree(published.inbox)
    if instead == "a file":
        published.inbox.write_text("not a folder")
    night = night_module.Night(night_module.Settings(published.inbox, published.home, S, "none"))
    with pytest.raises(night_module.StoppedError, match="L3-INBOX-MISSING"):
        night.do("accept")


def test_lost_rows_of_an_accepted_delivery_are_taken_in_again_while_the_inbox_has_them(published):
    before = published.documents()
    next((published.home / "deliveries").glob("*/*/plassering/*.parquet")).unlink()
    published.publish()
    assert published.documents() == before


def test_lost_rows_of_an_accepted_delivery_stop_the_run_when_the_inbox_has_them_no_more(published):
    next((published.home / "deliveries").glob("*/*/plassering/*.parquet")).unlink()
    shutil.rmtree(published.inbox / "mva")
    assert "L3-ACCEPTED-LOST" in codes(published.run(max_age_days=100_000))


def test_a_source_whose_accepted_rows_are_lost_is_gone(published):
    write_delivery(published.inbox, "skatt", 1, "full", rows(part(organisation_number(9))))
    published.publish()
    shutil.rmtree(published.inbox / "skatt")
    shutil.rmtree(published.home / "deliveries" / "skatt")
    assert codes(published.run(max_age_days=100_000)) == ["L3-SOURCE-GONE", "L3-ACCEPTED-LOST"]


def test_a_post_of_two_sources_that_is_refused_is_counted_once_from_each(published):
    """K2 is the same in both sources, and its due dates make up too little."""
    shared = rows(*STATEMENT, krav("K2", COMPANY, 10), kravforfall("F2", "K2", 9, "2026-01-15"))
    write_delivery(published.inbox, "mva", 2, "full", shared)
    write_delivery(published.inbox, "skatt", 1, "full", shared)
    night = published.publish()
    assert counts_of(night, "check").quarantined == 4


def test_a_home_whose_path_is_a_pattern_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must not hold any of"):
        night_module.Settings(tmp_path, tmp_path / "home[1]", S, "r")


def test_a_home_with_quotes_and_spaces_in_its_path(nights):
    nights.folder = nights.folder / "the home's place"
    nights.folder.mkdir()
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(*STATEMENT, krav("K9", COMPANY, 1)))
    nights.publish()
    nights.publish()
    assert nights.answer(COMPANY) == "KB-002"
    assert set(nights.documents()) == {OWNER, ENK}


def test_a_row_without_a_part_leads_nowhere_though_another_source_knows_the_key(published):
    """The row's own key is no reference: it is looked up in the last snapshot only."""
    good = rows(*STATEMENT, krav("K2", COMPANY, 10), kravforfall("F2", "K2", 10, "2026-01-15"))
    write_delivery(published.inbox, "skatt", 1, "full", rows(krav("K2", None, 10)))
    write_delivery(published.inbox, "mva", 2, "full", good)
    night = published.publish()
    assert counts_of(night, "check").leads_nowhere == 1
    assert set(held_back_of(night)) == {COMPANY}
