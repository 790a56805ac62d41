"""Documents of many posts: made apart, remembered by their tags, and counted by their size."""

import pytest

from serving.access import ANYONE, Open
from serving.app import HEAVY, POSTS_A_REQUEST, App, Heavy
from serving.limits import Limits
from serving.logs import Logs
from serving.metrics import Metrics
from serving.period import Period
from serving.request import Request
from serving.switch import Published
from tests.api.handler import KEY, ask, header
from tests.nights import Nights
from tests.plain.numbers import organisation_number
from tests.plain.statement import krav, kravforfall, part, rows
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow

MANY, FEW = organisation_number(1), organisation_number(2)
POSTS = 2 * POSTS_A_REQUEST
YEAR = "fraOgMed=2026-01-01&tilOgMed=2026-12-31"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    nights = Nights(tmp_path_factory.mktemp("heavy"))
    nights.inbox.mkdir()
    posts = [part(MANY), part(FEW)]
    for whose, count in ((MANY, POSTS), (FEW, HEAVY // 2)):
        for number in range(count):
            posts += [krav(f"K{whose}-{number}", whose, 10, opprettelsesdato="2026-02-01")]
            posts += [kravforfall(f"F{whose}-{number}", f"K{whose}-{number}", 10, "2026-03-01")]
    write_delivery(nights.inbox, "skatt", 1, "full", rows(*posts))
    nights.publish()
    return nights.home


@pytest.fixture
def limits():
    """Of a clock that stands still."""
    return Limits(1, lambda: 1000.0)


@pytest.fixture
def app(home, limits):
    published = Published(home)
    published.follow()
    return App(published, Open(), Logs("", "", KEY), Metrics(), {}, limits)


def url(whose=MANY, path=f"krav?{YEAR}"):
    return f"/v1/finans/{whose}/{path}"


def begun(app, asked, **headers):
    path, _, query = asked.partition("?")
    return app.begin(Request("GET", path, query, {"host": "localhost"} | headers))


@pytest.mark.parametrize("path", [f"krav?{YEAR}", "oversikt"])
def test_what_is_large_is_made_apart_and_the_same(app, path):
    heavy = begun(app, url(path=path))
    assert isinstance(heavy, Heavy)
    heavy.work()
    answer, kind = heavy.response(), path.partition("?")[0]
    period = Period.parse("2026-01-01", "2026-12-31") if "?" in path else None
    assert (answer.status, answer.body) == (200, app._published.snapshot.document(kind, MANY, period))
    assert not isinstance(begun(app, url(FEW, path)), Heavy)


def test_what_is_large_stays_so_when_it_is_at_hand(app, limits):
    """As the overview is when a window's open krav have been read from it."""
    snapshot = app._published.snapshot
    snapshot.oversikt(snapshot.find(MANY), MANY)
    before = limits.left(0, ANYONE.requests_per_second, ANYONE.burst)
    assert isinstance(begun(app, url(path="oversikt")), Heavy)
    assert limits.left(0, ANYONE.requests_per_second, ANYONE.burst) != before


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize("path", [f"krav?{YEAR}", "oversikt"])
def test_who_has_it_is_told_so_without_its_being_read_again(app, monkeypatch, path, coding):
    tag = header(ask(app, url(path=path), accept_encoding=coding), "etag")
    monkeypatch.setattr("serving.store.Snapshot._packed", None)
    again = begun(app, url(path=path), **{"accept-encoding": coding, "if-none-match": tag})
    assert (again.status, header(again, "etag"), again.body) == (304, tag, b"")
    other = begun(app, url(path=path), **{"accept-encoding": coding, "if-match": '"another"'})
    assert other.status == 412


def test_another_periods_tag_is_not_taken_for_it(app):
    tag = header(ask(app, url()), "etag")
    other = ask(app, url(path="krav?fraOgMed=2026-01-01&tilOgMed=2026-11-30"), if_none_match=tag)
    assert other.status == 200


def test_a_new_snapshot_remembers_nothing_of_the_old_one(app):
    tag = header(ask(app, url()), "etag")
    app._published._seen = None
    app._published.follow()
    again = begun(app, url(), **{"if-none-match": tag})
    assert isinstance(again, Heavy)
    again.work()
    assert again.response().status == 304


def test_it_counts_as_many_requests(app):
    def left():
        return header(ask(app, url(FEW)), "ratelimit")

    assert left() == f'"default";r={ANYONE.burst};t=0'
    tag = header(ask(app, url()), "etag")
    assert left() == f'"default";r={ANYONE.burst - POSTS // POSTS_A_REQUEST};t=1'
    ask(app, url(), if_none_match=tag)  # costs nothing
    assert left() == f'"default";r={ANYONE.burst - POSTS // POSTS_A_REQUEST};t=1'
    assert header(ask(app, url(FEW)), "ratelimit-policy") == '"default";q=100;w=2'


def test_damage_that_is_met_apart_is_told_as_any(app, monkeypatch):
    heavy = begun(app, url())
    monkeypatch.setattr("serving.store.is_oversikt_of", lambda *_: False)
    heavy.work()
    answer = heavy.response()
    assert (answer.status, b"KB-002" in answer.body) == (503, True)
    assert header(answer, "retry-after") == "60"
