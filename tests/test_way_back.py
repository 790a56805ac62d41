"""After a way back: the night that follows, what readers see meanwhile, and who is gone after a compaction."""

import shutil
import threading
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from cli.main import main
from tests.api.handler import app_over, ask, header
from tests.nights import Nights, S
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import write_delivery
from transforms.home.retained import roll_back, withdrawn
from transforms.home.snapshot import published_snapshot, read_index

pytestmark = pytest.mark.slow

A, B, LEAVES = (organisation_number(number) for number in range(1, 4))
DAYS = [S + timedelta(days=number) for number in range(4)]


def ledger(*parts: str):
    said = [
        (part(p), krav(f"K{p}", p, 100), kravforfall(f"F{p}", f"K{p}", 100, "2026-01-15"), innbetaling(f"I{p}", p, 60))
        for p in parts
    ]
    return rows(*(row for of_part in said for row in of_part))


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    nights = Nights(tmp_path_factory.mktemp("two"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", ledger(A, B))
    nights.publish(DAYS[0])
    write_delivery(nights.inbox, "mva", 2, "endring", rows(plassering("P", "INNBETALING", f"F{A}", f"I{A}", 60)))
    nights.publish(DAYS[1])
    return nights


@pytest.fixture
def two(two_nights: Nights, nights: Nights) -> Nights:
    """Two nights published: a full, and a change that places what A has paid."""
    return nights.take_over(two_nights)


def back(nights: Nights) -> None:
    home = nights.home.resolve()
    roll_back(home, home / "snapshots" / f"{DAYS[0]}-0001")


def test_the_night_after_is_what_a_home_without_a_way_back_has(two, tmp_path):
    """It is made after the first night, of what has been accepted since, though the inbox has it no more."""
    straight = Nights(tmp_path / "straight")
    shutil.copytree(two.inbox, straight.inbox)
    back(two)
    shutil.rmtree(two.inbox / "mva" / "000002")
    for nights in (two, straight):
        write_delivery(nights.inbox, "mva", 3, "endring", rows(innbetaling("I2", B, 40)))
        nights.publish(DAYS[2])
    assert two.documents() == straight.documents()
    assert '"plassertBeloep":-60.00' in two.documents()[A]["krav"]
    names = sorted(path.name for path in (two.home / "snapshots").iterdir())
    assert names == [f"{DAYS[0]}-0001", f"{DAYS[2]}-0003"]  # what was gone back from went, when the night was published
    assert withdrawn(two.home.resolve()) == set()


def test_a_number_that_was_used_stays_taken(two):
    back(two)
    shutil.rmtree(two.inbox / "mva" / "000002")
    write_delivery(two.inbox, "mva", 2, "endring", rows(plassering("P", "INNBETALING", f"F{A}", f"I{A}", 50)))
    two.publish(DAYS[2])
    assert "L1-CHANGED" in two.codes()
    assert '"plassertBeloep":-60.00' in two.documents()[A]["krav"]


def test_a_night_that_stops_after_a_way_back_leaves_both(two):
    back(two)
    write_delivery(two.inbox, "mva", 3, "endring", rows(innbetaling("I2", B, 0)))
    two.run(DAYS[2])
    assert "L3-HELD-BACK" in two.codes()
    assert published_snapshot(two.home.resolve()).name == f"{DAYS[0]}-0001"
    assert len(list((two.home / "snapshots").iterdir())) == 2


def test_a_server_that_runs_sees_it_without_a_request_that_fails(two):
    app, stop = app_over(two.home), threading.Event()

    def follow() -> None:
        while not stop.is_set():
            app._published.follow()

    following = threading.Thread(target=follow)
    following.start()
    try:
        seen = []
        for _ in range(2):
            done = CliRunner().invoke(main, ["rollback", "--home", str(two.home), "--to", f"{DAYS[len(seen) % 2]}"])
            assert done.exit_code == 0, done.output
            seen.append(_until(app, str(DAYS[len(seen) % 2])))
    finally:
        stop.set()
        following.join()
    assert all(status == 200 for statuses in seen for status in statuses)


def _until(app, day: str) -> list[int]:
    """The statuses of all answers until one has the snapshot date."""
    statuses = []
    while True:
        answer = ask(app, f"/v1/finans/{A}/oversikt")
        statuses.append(answer.status)
        if answer.status != 200 or header(answer, "snapshot-date") == day:
            return statuses


def test_who_has_left_is_gone_after_a_compaction(nights, monkeypatch):
    """From the files of the published snapshot, from earlier ones when asked, and with a full from the deliveries."""

    def night(inbox: Path, home: Path, day: date, options: dict[str, object]) -> bool:
        assert (inbox, home, options) == (nights.inbox, nights.home, {"full": True, "keep": 7})
        nights.publish(day, full=True)
        return True

    monkeypatch.setattr("cli.compact.night", night)
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", ledger(A, B, LEAVES))
    nights.publish(S - timedelta(days=2))
    write_delivery(nights.inbox, "mva", 2, "full", ledger(A, B))
    nights.publish(S - timedelta(days=1))

    def compact(*words: str) -> str:
        command = ["compact", "--inbox", nights.inbox, "--home", nights.home, "--date", S, *words]
        done = CliRunner().invoke(main, [str(word) for word in command])
        assert done.exit_code == 0, done.output
        return done.stdout

    told = compact()
    until = f"until 5 more dates are published ({S + timedelta(days=5)} at one a day), or with --remove-earlier"
    assert f"\nsnapshots/{S - timedelta(days=2)}-0001 holds 1 parts that have left the register, {until}\n" in told
    assert LEAVES not in told
    assert told.count(" holds ") == 1
    told = compact("--remove-earlier")
    assert told.endswith("\n3 earlier snapshots removed\nno kept file holds a part that has left the register\n")
    assert LEAVES not in kept(nights.home) and {A, B} <= kept(nights.home)
    runs = CliRunner().invoke(main, ["runs", "--home", str(nights.home)]).stdout
    assert f"  compact   {S}  published, 3 earlier snapshots removed\n" in runs


def kept(home: Path) -> set[str]:
    """Every part's number in any file of a table, an index or an accepted delivery that the home has."""
    frames = [pl.read_parquet(file) for file in home.rglob("*.parquet")]
    frames += [read_index(folder) for folder in (home / "snapshots").iterdir()]
    texts = [frame[name] for frame in frames for name, dtype in frame.schema.items() if dtype == pl.String]
    return {text for series in texts for text in series}


def test_nothing_is_removed_when_the_night_of_a_compaction_is_not_published(two, monkeypatch):
    monkeypatch.setattr("cli.compact.night", lambda *_: False)
    command = ["compact", "--inbox", str(two.inbox), "--home", str(two.home), "--remove-earlier"]
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, done.output) == (1, "not compacted: the night was not published\n")
    assert len(list((two.home / "snapshots").iterdir())) == 2
