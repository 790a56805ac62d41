"""System users: what Altinn is asked, what its answers mean, and that nobody is let in without one. Over real HTTP."""

import asyncio
import json
import logging
import shutil
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from click.testing import CliRunner

from cli.main import main
from serving.access import Secured, SystemUsers, read_caller
from serving.asgi import Asgi
from serving.breaker import FAILURES, PAUSE_SECONDS, Breaker
from serving.consent import MOST_SYSTEM_USERS
from serving.consumers import Consumer
from serving.decisions import DecisionPoint, Decisions, Question, Undecided, permitted, request_of
from serving.keys import KeySet, keys_of_file
from serving.limits import Limits
from serving.own_token import Client, OwnToken
from serving.remote import MOST_CONNECTIONS, Remote, RemoteError
from serving.settings import Maskinporten, private_key
from serving.stand_in import stand_in
from serving.throwaway import CONSUMER, ISSUER, RESOURCE, access_token, actor, make_keys, system_user_token
from serving.tokens import Tokens
from tests.api.handler import app_over, ask, header
from tests.api.running import UNKNOWN, A, B, publish
from tests.api.test_handler import kode, url

pytestmark = pytest.mark.slow

USER = "ebe4a681-0a8c-429e-a36f-8f9ca942b59f"
QUESTION = Question(USER, RESOURCE, "read", A)
AGENT = UNKNOWN


# The question, and its answer


def test_the_question_is_the_one_of_altinns_guide():
    asked = request_of(QUESTION)["Request"]
    said = {
        (category, one["AttributeId"]): one["Value"]
        for category in ("AccessSubject", "Action", "Resource")
        for one in asked[category][0]["Attribute"]
    }
    assert said == {
        ("AccessSubject", "urn:altinn:systemuser:uuid"): USER,
        ("Action", "urn:oasis:names:tc:xacml:1.0:action:action-id"): "read",
        ("Resource", "urn:altinn:resource"): RESOURCE,
        ("Resource", "urn:altinn:organization:identifier-no"): A,
    }


def test_a_person_is_asked_about_as_one():
    resource = request_of(QUESTION._replace(part="01810001050"))["Request"]["Resource"][0]["Attribute"]
    assert resource[1]["AttributeId"] == "urn:altinn:person:identifier-no"


def level(value, category="urn:altinn:minimum-authenticationlevel"):
    return [{"id": "x", "attributeAssignment": [{"category": category, "value": value}]}]


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ({"Decision": "Permit"}, True),
        ({"decision": "Permit"}, True),
        ({"Decision": "Permit", "Obligations": level("2")}, True),
        ({"Decision": "Permit", "Obligations": level("3", "urn:altinn:minimum-authenticationlevel-org")}, True),
        ({"Decision": "Permit", "Obligations": level("4")}, False),
        ({"Decision": "Permit", "Obligations": level("2", "urn:something-else")}, False),
        ({"Decision": "Permit", "Obligations": [{"id": "x"}]}, False),
        ({"Decision": "Permit", "Obligations": "x"}, False),
        ({"Decision": "NotApplicable"}, False),
        ({"Decision": "Deny"}, False),
    ],
    ids=str,
)
def test_a_permit_is_one_when_its_obligations_can_be_met(result, answer):
    assert permitted({"Response": [result]}) is answer


@pytest.mark.parametrize(
    "said",
    [
        *({"Response": [{"Decision": one}]} for one in ("Indeterminate", "permit", "", None, True, ["Permit"])),
        *({"Response": one} for one in (None, [], {}, "Permit", [None], [{"Decision": "Permit"}] * 2)),
        {},
    ],
    ids=str,
)
def test_what_is_no_decision_is_none(said):
    with pytest.raises(RemoteError):
        permitted(said)


# What is remembered


class Asked:
    """A decision point whose answers come when they are told to."""

    def __init__(self, **options):
        self.questions, self.answers = [], []
        self.now, clock = 0.0, lambda: self.now
        options = {"remember_seconds": 100, "clock": clock, "breaker": Breaker(clock=clock)} | options
        self.decisions = Decisions(self.start, self.ask, **options)

    def ask(self, question):
        self.questions.append(question)

    def start(self, _):
        self.answers.append(Future())
        return self.answers[-1]


@pytest.mark.parametrize("answer", [True, False])
def test_a_decision_is_asked_for_once_and_remembered_for_a_while(answer):
    asked = Asked()
    assert asked.decisions.known(QUESTION) is None
    waiting = [asked.decisions.ask(QUESTION) for _ in range(3)]
    asked.answers[0].set_result(answer)
    assert [one.result(0) for one in waiting] == [answer] * 3
    assert len(asked.questions) == 1
    asked.now = 99.9
    assert asked.decisions.known(QUESTION) is answer
    asked.now = 100.0
    assert asked.decisions.known(QUESTION) is None


@pytest.mark.parametrize("place", range(4))
def test_it_is_one_system_users_on_one_resource_to_do_one_thing_for_one_party(place):
    asked = Asked()
    asked.decisions.ask(QUESTION)
    asked.answers[0].set_result(True)
    other = Question(*("x" if number == place else value for number, value in enumerate(QUESTION)))
    assert asked.decisions.known(other) is None


@pytest.mark.parametrize("error", [RemoteError("altinn gave no answer"), KeyError(A)])
def test_that_there_is_none_is_not_remembered_and_told_once(caplog, error):
    asked = Asked()
    for number in range(3):
        waiting = asked.decisions.ask(QUESTION)
        asked.answers[number].set_exception(error)
        assert waiting.result(0) is None
    assert asked.decisions.known(QUESTION) is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert A not in caplog.text
    asked.decisions.ask(QUESTION)
    asked.answers[3].set_result(False)
    assert "again" in caplog.records[-1].message
    assert asked.decisions.counts == {"remembered": 0, "permit": 0, "no": 1, "failed": 3, "refused": 0}


def test_what_is_remembered_is_bounded():
    asked = Asked(most_remembered=2)
    for number in range(3):
        asked.decisions.ask(QUESTION._replace(part=str(number)))
        asked.answers[number].set_result(True)
    assert [asked.decisions.known(QUESTION._replace(part=str(number))) for number in range(3)] == [None, True, True]


def test_no_more_questions_wait_than_there_is_room_for(monkeypatch):
    """Those who ask what is asked already are not more of them."""
    monkeypatch.setattr("serving.decisions.MOST_ASKED", 2)
    asked = Asked()
    first, second, third = (QUESTION._replace(part=part) for part in "abc")
    waiting = [asked.decisions.ask(one) for one in (first, second, third, first)]
    assert waiting[2] is None
    assert waiting[3] is waiting[0]
    asked.answers[0].set_result(True)
    assert asked.decisions.ask(third)
    assert asked.decisions.counts["refused"] == 1


def test_a_question_that_cannot_be_asked_is_a_failure_and_nobody_waits_for_it():
    asked = Asked()

    def cannot(_):
        raise RuntimeError("can't start new thread")

    asked.decisions._start = cannot
    for _ in range(FAILURES):
        with pytest.raises(RuntimeError):
            asked.decisions.ask(QUESTION)
    assert asked.decisions.ask(QUESTION) is None
    assert not asked.decisions._asking


def test_one_that_tries_and_is_cancelled_is_not_the_last_to_try():
    """Whoever cancels it; else nobody would ask again for as long as the worker lives."""
    asked = Asked()
    breaker = asked.decisions.breaker
    for _ in range(FAILURES):
        breaker.told(False)
    asked.now += PAUSE_SECONDS
    question = asked.decisions.ask(QUESTION)
    asked.answers[-1].cancel()
    assert question.result(0) is None
    assert breaker.state() == "open"
    asked.now += PAUSE_SECONDS
    assert asked.decisions.ask(QUESTION) is not None


def test_who_is_gone_takes_no_decision_from_those_who_share_it():
    """Other servers than ours cancel what a client that is gone has asked for."""
    asked = Asked()
    decision = asked.decisions.ask(QUESTION)

    class Waits:
        def begin(self, _, waited):
            if waited is None:
                raise Undecided(QUESTION, decision)
            return waited.decision.result(0)

    async def both():
        gone, stays = (asyncio.create_task(Asgi(Waits())._begin(None)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        asked.answers[0].set_result(True)
        return await stays

    assert asyncio.run(both()) is True


def test_while_it_is_open_nobody_waits_for_a_question_that_is_under_way():
    """One that was asked before it opened, and the one that tries."""
    asked = Asked()
    early = asked.decisions.ask(QUESTION)
    for number in range(FAILURES):
        asked.decisions.ask(QUESTION._replace(part=str(number)))
        asked.answers[-1].set_exception(RemoteError("altinn gave no answer"))
    assert asked.decisions.ask(QUESTION) is None
    assert not early.done()
    asked.now = PAUSE_SECONDS
    other = QUESTION._replace(part="x")
    assert asked.decisions.ask(other)
    assert asked.decisions.ask(other) is None
    asked.answers[-1].set_result(True)
    assert asked.decisions.ask(QUESTION) is early


# Altinn and Maskinporten as they answer, and as they should not


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, dict(self.headers), body, self.client_address[1]))
        status, said = self.server.answers[self.path]
        if self.server.silent.is_set() or not self.server.over.wait(self.server.slow):
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    do_POST = do_GET  # noqa: N815  # its name is http.server's

    def log_message(self, *_):
        pass


PERMIT = json.dumps({"Response": [{"Decision": "Permit"}]}).encode()


@contextmanager
def altinn():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.base, server.asked, server.slow = f"http://127.0.0.1:{server.server_port}", [], 0.0
    server.over, server.silent = threading.Event(), threading.Event()
    token = jwt.encode({"exp": int(time.time()) + 1000}, "x" * 32).encode()
    server.answers = {
        "/authorize": (200, PERMIT),
        "/token": (200, json.dumps({"access_token": "from-maskinporten"}).encode()),
        "/exchange": (200, b'"%s"' % token),
    }
    server.token = token.decode()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture
def keys(made, tmp_path):
    """Throwaway keys, and nothing that a system user may."""
    return shutil.copytree(made, tmp_path / "keys")


@pytest.fixture
def point(made):
    """A decision point, and what asks it as itself."""
    with altinn() as server:
        remote = Remote(seconds=2)
        key = private_key(made / "private.pem")
        client = Client("us", key, "kid", "scope", f"{server.base}/token", "aud", f"{server.base}/exchange")
        asking = DecisionPoint(remote, f"{server.base}/authorize", "subscription", OwnToken(remote, client))
        yield server, lambda: remote.start(asking.decide(QUESTION)).result(30)
        remote.close()


def test_altinn_is_asked_as_ourselves_over_a_kept_connection(point):
    """With its subscription key, and a token of ours that is Maskinporten's changed for Altinn's, got once."""
    server, decide = point
    assert [decide() for _ in range(3)] == [True] * 3
    assert [path for path, *_ in server.asked] == ["/token", "/exchange", *["/authorize"] * 3]
    assert len({port for *_, port in server.asked}) == 1
    headers = server.asked[-1][1]
    assert headers["Ocp-Apim-Subscription-Key"] == "subscription"
    assert headers["Authorization"] == f"Bearer {server.token}"
    assert server.asked[1][1]["Authorization"] == "Bearer from-maskinporten"
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in server.asked[0][2]


def test_a_token_of_ours_that_is_refused_is_got_anew(point):
    server, decide = point
    server.answers["/authorize"] = (401, b"")
    with pytest.raises(RemoteError, match="401"):
        decide()
    server.answers["/authorize"] = (200, PERMIT)
    assert decide()
    assert [path for path, *_ in server.asked] == ["/token", "/exchange", "/authorize"] * 2


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        *(("/authorize", (status, PERMIT)) for status in (201, 204, 403, 500)),
        *(("/authorize", (200, body)) for body in (b"", b"{", b"[]", b"[" * 100_000, b"Permit")),
        ("/token", (400, b"{}")),
        ("/token", (200, b"{}")),
        ("/exchange", (200, b"no token")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_whatever_else_is_answered_is_no_decision(point, path, answer):
    server, decide = point
    server.answers[path] = answer
    with pytest.raises(RemoteError):
        decide()


def test_a_decision_has_a_deadline_and_a_slow_one_keeps_no_other_waiting(point):
    server, decide = point
    decide()
    server.slow = 30.0
    with pytest.raises(RemoteError, match=r"TimeoutError|within"):
        decide()
    server.over.set()
    server.silent.set()
    assert decide()


# Who is let in


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("decisions"))


class Door:
    """An application that asks a decision point, as a server has it; a request is answered when that has answered."""

    def __init__(self, home, folder, address, audit="", burst=1000, remember_seconds=100):
        known = KeySet(lambda: keys_of_file(folder / "jwks.json"), every=1000, floor=0)
        known.refresh()
        self.now, self.remote = 0.0, Remote(seconds=2)
        point, breaker = DecisionPoint(self.remote, address, "", None), Breaker(clock=lambda: self.now)
        self.decisions = Decisions(self.remote.start, point.decide, remember_seconds, breaker=breaker)
        users = SystemUsers(self.decisions, RESOURCE, "read", frozenset({"regnskapssystem"}))
        tokens = Tokens(known, ISSUER, lambda claims: read_caller(claims, Maskinporten().consent_resource))
        both = frozenset({"finans", "regnskapssystem"})
        consumer = Consumer(
            organisasjonsnummer=CONSUMER,
            navn="test-only",
            rettighetspakker=both,
            requests_per_second=0.001,
            burst=burst,
            place=1,
        )
        gate = Secured(tokens, {CONSUMER: consumer}, Limits(2), Maskinporten().scope, None, users)
        self.app = app_over(home, gate, audit=audit)

    def ask(self, token, part=A, package="regnskapssystem"):
        self.waited = 0
        headers = {"authorization": f"Bearer {token}"}
        path = url("oversikt", part).replace("finans", package)
        handle = self.app.handle
        self.app.handle = lambda request: self._handle(handle, request)
        try:
            return ask(self.app, path, **headers)
        finally:
            self.app.handle = handle

    def _handle(self, handle, request):
        waited = None
        while True:
            try:
                return handle(request, waited)
            except Undecided as undecided:
                self.waited += 1
                assert self.waited <= MOST_SYSTEM_USERS
                undecided.decision.result(30)
                waited = undecided


@pytest.fixture
def door(home, keys):
    with stand_in(keys) as address:
        door = Door(home, keys, address, audit=str(keys / "audit"))
        yield door
        door.remote.close()


def test_a_system_user_sees_what_altinn_permits_and_no_more(door, keys):
    token = system_user_token(keys, organisation=A, part=A)
    assert door.ask(token).status == 200
    assert door.waited == 1
    assert door.ask(token).status == 200
    assert door.waited == 0
    assert kode(door.ask(token, part=B)) == "KB-005"
    assert kode(door.ask(system_user_token(keys, organisation=B, part=None), part=B)) == "KB-005"


def test_an_agents_system_user_sees_its_clients_and_not_others(door, keys):
    """An accountant: ``systemuser_org`` is its own number, the party that of who is asked for."""
    token = system_user_token(keys, organisation=AGENT, part=A)
    assert door.ask(token).status == 200
    assert [kode(door.ask(token, part=part)) for part in (B, AGENT)] == ["KB-005", "KB-005"]


def test_under_a_package_that_is_not_configured_for_it_nobody_is_asked(door, keys):
    token = system_user_token(keys, organisation=A, part=A)
    answer = door.ask(token, package="finans")
    assert kode(answer) == "KB-005"
    assert "no system user of the token may read it under this rettighetspakke" in answer.body.decode()
    assert door.waited == 0


def test_a_bare_entry_opens_nothing(door, keys):
    detail = {"type": "urn:altinn:systemuser", "systemuser_org": actor(A)}
    for package in ("finans", "regnskapssystem"):
        token = access_token(keys, part=None, authorization_details=[detail])
        assert (kode(door.ask(token, package=package)), door.waited) == ("KB-005", 0)


@pytest.mark.parametrize("remember_seconds", [100, 0])
def test_of_several_system_users_one_that_may_is_enough(home, keys, remember_seconds):
    """Each is asked about once for a request, however short a decision is remembered."""
    first, second = (
        jwt.decode(system_user_token(keys, organisation=one, part=part), options={"verify_signature": False})
        for one, part in ((B, B), (A, A))
    )
    both = first["authorization_details"] + second["authorization_details"]
    token = access_token(keys, part=None, authorization_details=both)
    with stand_in(keys) as address:
        door = Door(home, keys, address, remember_seconds=remember_seconds)
        assert (door.ask(token).status, door.waited) == (200, 2)
        door.remote.close()


def test_with_a_consent_nobody_is_asked(door, keys):
    token = access_token(keys, part=A)
    assert (door.ask(token).status, door.waited) == (200, 0)


def test_who_was_let_in_is_audited_once(door, keys):
    system_user = system_user_token(keys, organisation=AGENT, part=A)
    consent = access_token(keys, part=A)
    for token in (system_user, consent):
        door.ask(token)
    door.app._logs.flush()
    lines = [json.loads(line) for line in (keys / "audit").read_text().splitlines()]
    assert len(lines) == 2
    for line, token in zip(lines, (system_user, consent), strict=True):
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (line["jti"], line["client"]) in ((claims["jti"], "test-only"), (None, "test-only"))
        (detail,) = claims["authorization_details"]
        assert line["systemuser"] == detail.get("systemuser_id", [None])[0]
        assert (line["consent"] is None) == ("id" not in detail)
    assert not any(number in json.dumps(lines) for number in (A, AGENT, CONSUMER))


def test_a_request_that_waited_counts_once(home, keys):
    with stand_in(keys) as address:
        door = Door(home, keys, address, burst=2)
        token = system_user_token(keys, organisation=A, part=A)
        assert [door.ask(token).status for _ in range(3)] == [200, 200, 429]
        door.remote.close()


@pytest.mark.parametrize("fault", ["down", "slow", "rubbish", "not asked well"])
def test_when_altinn_does_not_decide_nobody_is_let_in_and_it_is_our_fault(home, keys, fault):
    with altinn() as server:
        address = f"{server.base}/authorize" if fault != "down" else "http://127.0.0.1:1/authorize"
        server.slow = 30.0 if fault == "slow" else 0.0
        server.answers["/authorize"] = (200, b"<html>" if fault == "rubbish" else INDETERMINATE)
        door = Door(home, keys, address)
        answer = door.ask(system_user_token(keys, organisation=A, part=A))
        assert (kode(answer), answer.status) == ("KB-002", 503)
        assert A not in answer.body.decode()
        assert door.ask(access_token(keys, part=A)).status == 200  # others are served
        door.remote.close()


INDETERMINATE = json.dumps({"Response": [{"Decision": "Indeterminate"}]}).encode()


@pytest.mark.parametrize("fault", ["slow", (200, b"<html>"), (401, b""), (403, b""), (503, PERMIT)], ids=str)
def test_nobody_waits_again_and_again_for_who_does_not_answer(home, keys, fault):
    """Nobody is let in meanwhile but by what was decided before; one asks after a pause, and then all do."""
    with altinn() as server:
        door = Door(home, keys, f"{server.base}/authorize")
        known, token = (system_user_token(keys, organisation=one, part=A) for one in (AGENT, B))
        assert door.ask(known).status == 200
        server.answers["/authorize"] = (200, PERMIT) if fault == "slow" else fault
        if fault == "slow":
            server.slow, door.remote.seconds = 30.0, 0.1
        assert [(door.ask(token).status, door.waited) for _ in range(FAILURES)] == [(503, 1)] * FAILURES
        before = len(server.asked)
        refused = door.ask(token)
        assert (kode(refused), header(refused, "retry-after"), door.waited) == ("KB-002", "60", 0)
        assert kode(door.ask(token, part=B)) == "KB-002"
        assert [door.ask(one).status for one in (known, access_token(keys, part=A))] == [200, 200]
        door.now = PAUSE_SECONDS
        assert [kode(door.ask(token)) for _ in range(3)] == ["KB-002"] * 3
        assert len(server.asked) == before + 1
        server.slow, door.remote.seconds, server.answers["/authorize"] = 0.0, 2, (200, PERMIT)
        door.now = 2 * PAUSE_SECONDS
        assert door.ask(token).status == 200
        assert door.decisions.counts | {"remembered": 0} == {
            "remembered": 0,
            "permit": 2,
            "no": 0,
            "failed": FAILURES + 1,
            "refused": 4,
        }
        door.remote.close()


@pytest.mark.parametrize("answer", [(200, INDETERMINATE), (400, b"")], ids=str)
def test_who_asks_what_cannot_be_decided_keeps_nobody_else_from_asking(home, keys, answer):
    with altinn() as server:
        server.answers["/authorize"] = answer
        door = Door(home, keys, f"{server.base}/authorize")
        token = system_user_token(keys, organisation=A, part=A)
        assert [(kode(door.ask(token)), door.waited) for _ in range(FAILURES + 1)] == [("KB-002", 1)] * (FAILURES + 1)
        door.remote.close()


def test_no_more_exchanges_go_on_at_a_time_than_there_are_connections():
    """The others wait outside of httpx, whose queue grows slower with each: 1,000 questions outlived their deadline."""

    class Held(Remote):
        now = most = 0

        async def _once(self, *_, **__):
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await asyncio.sleep(30)
            finally:
                self.now -= 1

    remote = Held(seconds=0.2)
    url = "http://127.0.0.1:1/authorize"
    waiting = [remote.start(remote.ask("POST", url)) for _ in range(MOST_CONNECTIONS + 50)]
    for one in waiting:
        with pytest.raises(RemoteError):
            one.result(30)
    assert (remote.most, remote.now) == (MOST_CONNECTIONS, 0)
    remote.close()


# The command


def token_of(*words):
    return CliRunner().invoke(main, ["token", *map(str, words)])


def test_tokens_of_system_users(keys):
    own, agents = (token_of("--keys", keys, "--part", A, "--system-user", *more) for more in ((), ("--agent", AGENT)))
    users = [
        jwt.decode(one.stdout.strip(), options={"verify_signature": False})["authorization_details"][0]
        for one in (own, agents)
    ]
    assert [user["systemuser_org"]["ID"] for user in users] == [f"0192:{A}", f"0192:{AGENT}"]
    rights = json.loads((keys / "delegations.json").read_bytes())
    assert [(right["system_user"], right["part"]) for right in rights] == [
        (user["systemuser_id"][0], A) for user in users
    ]


@pytest.mark.parametrize("words", [[], ["--part", "01810001050"], ["--part", A, "--altinn"]], ids=str)
def test_system_users_that_there_are_none_of(keys, words):
    done = token_of("--keys", keys, "--system-user", *words)
    assert (done.exit_code, "--system-user" in done.output) == (2, True)
