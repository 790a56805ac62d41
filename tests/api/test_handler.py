"""Requests and their answers, without a server: documents, tags, codings, errors and their order."""

import gzip
import json
import shutil
from dataclasses import replace
from datetime import date

import pytest
import zstandard

from serving.access import ANYONE
from serving.beats import SILENT_SECONDS, Beats
from serving.errors import STATUS, KravoversiktError
from serving.logs import Logs
from serving.period import Period
from serving.request import Request
from serving.routes import ROUTES
from serving.server import pages
from serving.store import Snapshot
from tests.api.handler import app_over, ask, header
from tests.api.running import ENK, HELD_BACK, OWNER, UNKNOWN, A, B, publish
from tests.nights import Nights
from tests.plain.statement import krav, kravforfall, rows
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow

YEAR = "fraOgMed=2026-01-01&tilOgMed=2026-12-31"
PERIOD = Period(date(2026, 1, 1), date(2026, 12, 31))
KINDS = [route.kind for route in ROUTES]
CODINGS = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("handler"))


@pytest.fixture(scope="module")
def snapshot(home):
    return Snapshot.current(home)


@pytest.fixture(scope="module")
def app(home):
    return app_over(home)


def url(kind, part=A, pakke="finans"):
    return f"/v1/{pakke}/{part}/{kind}" + ("" if kind == "oversikt" else f"?{YEAR}")


def kode(response):
    said = json.loads(response.body)
    assert list(said) == ["kode", "melding", "korrelasjonsid"]
    assert header(response, "korrelasjonsid") == said["korrelasjonsid"]
    assert header(response, "content-type") == "application/json"
    assert header(response, "cache-control") == "no-store"
    return said["kode"]


# Documents


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_stored_bytes(app, snapshot, kind, coding):
    answer = ask(app, url(kind), accept_encoding=coding)
    assert answer.status == 200
    assert CODINGS[coding](answer.body) == snapshot.document(kind, A, PERIOD)
    assert header(answer, "content-type") == "application/json"
    assert header(answer, "content-encoding") == (None if coding == "identity" else coding)
    assert header(answer, "snapshot-date") == "2026-11-23"
    assert header(answer, "extracted-at") == snapshot.manifest.extracted_at.isoformat()
    assert header(answer, "cache-control") == "private, no-cache"
    assert header(answer, "vary") == "accept-encoding"


def test_an_oversikt_as_zstd_is_the_stored_frame(app, snapshot):
    frame = snapshot.packed_oversikt(snapshot.find(A), A).content
    assert ask(app, url("oversikt"), accept_encoding="zstd").body == frame


@pytest.mark.parametrize("pakke", ["finans", "regnskapssystem"])
def test_both_rettighetspakker(app, snapshot, pakke):
    assert ask(app, url("oversikt", pakke=pakke)).body == snapshot.document("oversikt", A)


def test_a_persons_and_a_sole_proprietorships(app, snapshot):
    for part in (OWNER, ENK):
        assert ask(app, url("oversikt", part)).body == snapshot.document("oversikt", part)


# Tags


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_not_modified(app, kind, coding):
    first = ask(app, url(kind), accept_encoding=coding)
    tag = header(first, "etag")
    again = ask(app, url(kind), accept_encoding=coding, if_none_match=f'"x", W/{tag}')
    assert (again.status, again.body, header(again, "content-type")) == (304, b"", None)
    for name in ("etag", "snapshot-date", "extracted-at", "cache-control", "vary"):
        assert header(again, name) == header(first, name)
    assert ask(app, url(kind), accept_encoding=coding, if_none_match='"x"').status == 200


def test_each_coding_and_window_has_its_own_tag(app):
    tags = [header(ask(app, url(kind), accept_encoding=coding), "etag") for kind in KINDS for coding in CODINGS]
    tags.append(header(ask(app, url("krav").replace("12-31", "12-30")), "etag"))
    assert len(set(tags)) == len(tags)


def test_tags_stay_while_the_document_does(tmp_path):
    """A new krav in 2024 changes the window of 2024 and the overview, not the window of 2026 nor B's."""
    home = publish(tmp_path)
    asked = (url("krav"), url("oversikt", B), url("oversikt"), url("krav").replace("2026", "2024"))
    before = [header(ask(app_over(home), one), "etag") for one in asked]
    write_delivery(tmp_path / "inbox", "skatt", 2, "endring", rows(_krav_of_2024(), _its_due_date()))
    again = Nights(tmp_path, count=1)
    again.publish()
    after = [header(ask(app_over(home), one), "etag") for one in asked]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, False]


def _krav_of_2024():
    return krav("A9", A, 5, opprettelsesdato="2024-02-01")


def _its_due_date():
    return kravforfall("A8", "A9", 5, "2024-03-01")


# HEAD and other methods


@pytest.mark.parametrize("kind", KINDS)
def test_head(app, kind):
    full, head = ask(app, url(kind)), ask(app, url(kind), "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert header(head, "content-length") == str(len(full.body))
    left = ("korrelasjonsid", "content-length")
    assert [one for one in head.headers if one[0] not in left] == [one for one in full.headers if one[0] not in left]


def test_head_of_an_error(app):
    answer = ask(app, "/nowhere", "HEAD")
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""])
@pytest.mark.parametrize("path", [url("oversikt"), "/nowhere", "/health/live"])
def test_other_methods(app, method, path):
    answer = ask(app, path, method)
    assert (answer.status, kode(answer)) == (405, "KB-003")
    assert header(answer, "allow") == "GET, HEAD"


# Errors


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("/v2/finans/{A}/oversikt", "KB-003"),
        ("/v1/skatt/{A}/oversikt", "KB-003"),
        ("/v1/finans/{A}/oversikt/", "KB-003"),
        ("/v1/finans/{A}", "KB-003"),
        ("/v1/finans/x/nothing", "KB-003"),
        ("/v1/finans/x/oversikt", "KB-006"),
        ("/v1/finans//oversikt", "KB-006"),
        ("/v1/finans/000000000/oversikt", "KB-006"),
        ("/v1/finans/00000000000/oversikt", "KB-006"),
        ("/v1/finans/{A}/oversikt?x=1", "KB-006"),
        ("/v1/finans/{A}/krav", "KB-006"),
        ("/v1/finans/{A}/krav?fraOgMed=2026-01-01", "KB-006"),
        ("/v1/finans/{A}/krav?{YEAR}&fraOgMed=2026-01-01", "KB-006"),
        ("/v1/finans/{A}/krav?{YEAR}&limit=1", "KB-006"),
        ("/v1/finans/{UNKNOWN}/oversikt", "KB-009"),
        ("/v1/finans/{UNKNOWN}/krav?{YEAR}", "KB-009"),
        ("/v1/finans/{HELD_BACK}/oversikt", "KB-002"),
        ("/v1/finans/{HELD_BACK}/krav?{YEAR}", "KB-002"),
        ("/v1/finans/{B}/krav?{YEAR}", "KB-007"),
    ],
)
def test_errors(app, asked, code):
    answer = ask(app, asked.format(A=A, B=B, HELD_BACK=HELD_BACK, UNKNOWN=UNKNOWN, YEAR=YEAR))
    assert (kode(answer), answer.status) == (code, STATUS[code])


def test_the_message_says_which_parameter_and_why(app):
    def melding(query):
        return json.loads(ask(app, f"/v1/finans/{A}/krav?{query}").body)["melding"]

    assert melding(YEAR + "&fraOgMed=2026-01-01") == "fraOgMed is given more than once"
    assert melding(YEAR + f"&{OWNER}=1").startswith("parameter 3 in the query is unknown")
    assert "tilOgMed is before fraOgMed" in melding("fraOgMed=2026-01-02&tilOgMed=2026-01-01")
    assert "2026-02-30" not in melding("fraOgMed=2026-02-30&tilOgMed=2026-03-01")


def test_an_escaped_parameter_is_read(app, snapshot):
    answer = ask(app, f"/v1/finans/{A}/krav?fraOg%4Ded=2026%2D01-01&tilOgMed=2026-12-31")
    assert answer.body == snapshot.document("krav", A, PERIOD)


def test_formats_not_served(app):
    assert kode(ask(app, url("oversikt"), accept="application/xml")) == "KB-008"
    assert kode(ask(app, url("oversikt"), accept_encoding="br, *;q=0")) == "KB-008"


class Refusing:
    """A gate that lets no one in, with the code that it is told."""

    def __init__(self, code):
        self.code = code

    def admit(self, request, asked, told, waited=None):
        if self.code:
            raise KravoversiktError(self.code, "refused")
        return ANYONE

    def keys(self):
        return "read"


def test_where_several_apply(home, tmp_path):
    """003, 006, 008, 004, 005, 009, 002, 007: each URL has all the faults from its own on (pairs: ``test_order``)."""
    empty = tmp_path / "empty"
    for code in ("KB-004", "KB-010", "KB-005"):
        refusing = app_over(home, Refusing(code))
        assert kode(ask(refusing, "/v1/skatt/x/oversikt", accept="x")) == "KB-003"
        assert kode(ask(refusing, "/v1/finans/x/oversikt", accept="x")) == "KB-006"
        assert kode(ask(refusing, url("oversikt", UNKNOWN), accept="x")) == "KB-008"
        for part in (A, B, UNKNOWN, HELD_BACK):
            assert kode(ask(refusing, url("krav", part))) == code
            assert kode(ask(app_over(empty, Refusing(code)), url("krav", part))) == code
    assert kode(ask(app_over(empty), url("oversikt", UNKNOWN))) == "KB-002"


def test_an_unexpected_error(home, tmp_path):
    """Its message could hold anything: neither answer nor log repeats it."""

    class Broken(Refusing):
        def admit(self, request, asked, told, waited=None):
            raise RuntimeError(f"about {asked.part}")

    app = app_over(home, Broken(None), access=str(tmp_path / "log"))
    answer = ask(app, url("oversikt"), korrelasjonsid="me")
    app._logs.flush()
    assert (answer.status, kode(answer)) == (500, "KB-001")
    log = (tmp_path / "log").read_text()
    assert '"error":"RuntimeError"' in log
    assert '"korrelasjonsid":"me"' in log
    assert A not in log + answer.body.decode()


BUGS = (KeyError, TypeError, AttributeError)
PLACES = ("content of a frame", "Snapshot._packed", "Whose.has_posts", "open_krav", "bisect_left", "digest")


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("place", PLACES)
def test_a_bug_in_reading_is_not_told_as_damage(home, tmp_path, monkeypatch, place, bug):
    def broken(*_, **__):
        raise bug(A)

    app = app_over(home, access=str(tmp_path / "log"))
    if place == "content of a frame":
        app._published.snapshot._content = broken
    else:
        monkeypatch.setattr(f"serving.store.{place}", broken)
    assert kode(ask(app, url("krav"))) == "KB-001"
    app._logs.flush()
    log = (tmp_path / "log").read_text()
    assert f'"error":"{bug.__name__}"' in log
    assert "test_handler.py" in log
    assert A not in log


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize(
    "place", ["store.Index", "store.read_manifest", "store.frame_reader", "index._open", "index._numbers"]
)
def test_a_bug_in_opening_is_not_told_as_damage(home, monkeypatch, place, bug):
    """Whoever opens it gets the bug itself; the server refuses the snapshot and goes on with the one that it has."""
    published = app_over(home)._published
    before = published.snapshot
    published._seen = None  # as if there were a new one

    def broken(*_, **__):
        raise bug

    monkeypatch.setattr(f"serving.{place}", broken)
    with pytest.raises(bug):
        Snapshot.current(home)
    with pytest.raises(bug):
        published.follow()
    assert (published.snapshot, published.refused) == (before, before.name)


# Damage, and nothing there


def test_nothing_published(tmp_path):
    app = app_over(tmp_path)
    assert kode(ask(app, url("oversikt"))) == "KB-002"
    ready = ask(app, "/health/ready")
    assert (ready.status, json.loads(ready.body)["status"]) == (503, "not ready")
    assert ask(app, "/health/live").status == 200


def test_what_cannot_be_audited_is_not_shown(app, monkeypatch):
    monkeypatch.setattr(Logs, "audited", lambda logs: False)
    assert kode(ask(app, url("oversikt"))) == "KB-002"
    assert kode(ask(app, url("oversikt", UNKNOWN))) == "KB-009"
    assert ask(app, "/health/ready").status == 503
    assert ask(app, "/health/live").status == 200


@pytest.mark.parametrize("coding", CODINGS)
def test_a_damaged_frame_is_never_sent(home, tmp_path, coding):
    copy = shutil.copytree(home, tmp_path / "home", symlinks=True)
    for segment in copy.glob("snapshots/*/documents/*.zst"):
        segment.write_bytes(b"x" * segment.stat().st_size)
    app = app_over(copy)
    for kind in KINDS:
        assert kode(ask(app, url(kind), accept_encoding=coding)) == "KB-002"


# What is always there


@pytest.mark.parametrize(
    "asked", [url("oversikt"), "/nowhere", "/health/live", "/health/ready", "/metrics", url("krav", UNKNOWN)]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_korrelasjonsid_on_every_answer(app, asked, method):
    assert header(ask(app, asked, method, korrelasjonsid="mine-1"), "korrelasjonsid") == "mine-1"
    assert header(ask(app, asked, method), "korrelasjonsid")


def test_ready_tells_what_is_in_use(app, snapshot):
    answer = ask(app, "/health/ready")
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "status": "ready",
        "snapshot": snapshot.folder.name,
        "refused": None,
        "keys": "read",
        "breaker": None,
        "audit": "written",
    }


def test_figures(home):
    app = app_over(home)
    ask(app, url("oversikt"))
    ask(app, url("krav", UNKNOWN))
    text = ask(app, "/metrics").body.decode()
    assert 'kravoversikt_requests_total{kode="",route="oversikt",status="200"} 1.0' in text
    assert 'kravoversikt_requests_total{kode="KB-009",route="krav",status="404"} 1.0' in text
    assert 'kravoversikt_request_seconds_count{route="oversikt"} 1.0' in text
    assert A not in text


# Without access control


@pytest.mark.parametrize(
    "name",
    [
        *("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-anything"),
        *("x-real-ip", "x-client-ip", "true-client-ip", "proxy-connection", "x-cluster-client-ip"),
        *("x-envoy-external-address", "x-original-forwarded-for", "cf-connecting-ip", "fastly-client-ip"),
    ],
)
def test_without_access_control_nothing_that_came_through_a_proxy_is_answered(home, name):
    """It calls the server ``localhost`` for whoever calls it, and so the host tells nothing."""
    for value in ("x", ""):
        answer = app_over(home).handle(Request("GET", url("oversikt"), "", {"host": "localhost", name: value}))
        assert (answer.status, kode(answer)) == (404, "KB-003")


def test_nor_what_speaks_as_nginx_does_by_default(home):
    asked = Request("GET", url("oversikt"), "", {"host": "localhost"})
    assert [app_over(home).handle(replace(asked, version=one)).status for one in ("1.0", "1.1")] == [404, 200]


# For callers, and for those who look after it


def test_for_callers_only(home):
    outside = app_over(home).outside()
    assert kode(ask(outside, "/metrics")) == "KB-003"
    assert ask(outside, url("oversikt")).status == 200
    for path, said in (("/health/live", "live"), ("/health/ready", "ready")):
        assert json.loads(ask(outside, path).body) == {"status": said}


def test_for_those_who_look_after_it_only(home):
    inside = app_over(home).inside()
    assert kode(ask(inside, url("oversikt"))) == "KB-003"
    assert ask(inside, "/metrics").status == 200
    assert json.loads(ask(inside, "/health/ready").body)["snapshot"]


def test_it_is_not_live_while_a_worker_is_silent(home):
    beats = Beats(2)
    app = app_over(home)
    app._beats = beats
    assert ask(app, "/health/live").status == 200
    beats._last[1] = beats._clock() - SILENT_SECONDS - 1
    answer = ask(app, "/health/live")
    assert (answer.status, json.loads(answer.body)) == (503, {"status": "not live", "silent": 1})


# Conditions, and pages


@pytest.mark.parametrize("path", ["oversikt", "krav"])
@pytest.mark.parametrize("coding", CODINGS)
def test_if_match(app, path, coding):
    """RFC 9110, 13.1.1: strong comparison, and before If-None-Match."""
    tag = header(ask(app, url(path), accept_encoding=coding), "etag")
    for given, status in ((tag, 200), (f'"x", {tag}', 200), ("*", 200), ('"x"', 412), (f"W/{tag}", 412), ("", 200)):
        assert ask(app, url(path), accept_encoding=coding, if_match=given).status == status, given
    assert kode(ask(app, url(path), if_match='"x"', if_none_match="*")) == "KB-006"
    assert ask(app, url(path), accept_encoding=coding, if_match=tag, if_none_match=tag).status == 304


def test_every_answer_is_what_it_says_it_is(app):
    for asked in (url("oversikt"), url("krav"), "/nowhere", "/health/live", "/metrics"):
        assert header(ask(app, asked), "x-content-type-options") == "nosniff", asked


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_a_page_has_a_tag_and_codings(home, path):
    app = app_over(home)
    app._pages = pages()
    plain = ask(app, path)
    tags = {header(plain, "etag")}
    for coding, decoded in (("gzip", gzip.decompress), ("zstd", zstandard.ZstdDecompressor().decompress)):
        packed = ask(app, path, accept_encoding=coding)
        assert header(packed, "content-encoding") == coding
        assert decoded(packed.body) == plain.body
        tags.add(header(packed, "etag"))
        assert ask(app, path, accept_encoding=coding, if_none_match=header(packed, "etag")).status == 304
    assert len(tags) == 3
    assert ask(app, path, accept_encoding="br, *;q=0").body == plain.body
