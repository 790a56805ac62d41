"""The server: its workers, each with an ``App`` that answers, and threads that keep it up to date."""

import asyncio
import logging
import logging.config
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from serving.access import Altinn, Caller, Gate, Open, Secured, SystemUsers, read_caller
from serving.app import App, Page
from serving.beats import Beats
from serving.breaker import Breaker
from serving.consent import Consents, consent_of_altinn
from serving.consumers import MOST, Consumer, ConsumersError, read_consumers
from serving.decisions import DecisionPoint, Decisions
from serving.docs_page import content_security_policy, docs_page
from serving.http import Connection, Connections
from serving.keys import KeySet, keys_by_discovery, keys_of_file
from serving.limits import Limits
from serving.listeners import Listeners
from serving.logs import HELD_SECONDS, Logs, where
from serving.metrics import Metrics
from serving.openapi import openapi
from serving.own_token import Client, OwnToken
from serving.processes import Call, Processes
from serving.remote import SECONDS, Remote
from serving.settings import Issuer, Settings, SettingsError, hash_key, private_key, subscription_key, with_room
from serving.settings import SystemUsers as AskedAbout
from serving.switch import Published
from serving.tokens import Tokens

log = logging.getLogger("kravoversikt")

FIRST_KEYS_SECONDS = 1.0
"""How long a new worker waits for keys at most, so that it doesn't begin with refusals when the issuer is quick."""

LAST_LINES_SECONDS = 3.0
"""How long the last lines of the logs may take to be written at the end, when nobody reads them."""

ADMIN_CONNECTIONS = 100
"""Connections to the listener of health and figures, in each worker: callers can't take them."""


def serve(settings: Settings, metrics_folder: Path) -> None:
    """Serves until SIGTERM or SIGINT; then finishes what is under way.

    SIGHUP starts new workers, which have the file of consumers as it is now, and ends the old ones when they have
    finished. Raises ``SettingsError``.
    """
    logging.config.dictConfig(_LOGGING)
    agreed, limits, key = Agreements(settings.consumers_file), Limits(MOST + 1), hash_key(settings)
    settings, first, beats = with_room(settings), os.getpid(), Beats(2 * settings.workers)
    listeners = Listeners(settings)

    def work(place: int, ready: Call, beat: Call) -> None:
        listeners.keep(place)
        worker = Worker(settings, agreed.consumers, limits, key, metrics_folder, beats)
        uvloop.run(_answer(worker, listeners, place, settings, first, ready, beat))

    end_seconds = settings.shutdown_seconds + LAST_LINES_SECONDS + 1
    start_seconds = settings.start_seconds
    Processes(work, beats, settings.workers, agreed.read_again, start_seconds, end_seconds).run(listeners.close)


async def _answer(
    worker: "Worker", listeners: Listeners, place: int, settings: Settings, first: int, ready: Call, beat: Call
) -> None:
    """What a worker does: answers until SIGTERM, or until the first process is gone; then ends what is under way."""
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    worker.start()
    app, admin = (worker.app.outside(), worker.app.inside()) if settings.admin_port else (worker.app, None)
    all_of_them = [Connections(app, settings.connections, settings.header_seconds)]
    servers = [await listeners.listen(place, partial(Connection, all_of_them[0]))]
    if admin:
        all_of_them.append(Connections(admin, ADMIN_CONNECTIONS, settings.header_seconds))
        servers.append(await listeners.listen_for_admin(place, partial(Connection, all_of_them[1])))
    beat()
    ready()
    while not ending.is_set() and os.getppid() == first:
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), 1)
        beat()
        for one in all_of_them:
            one.look()
    for server in servers:
        server.close()
    await _end(all_of_them, settings.shutdown_seconds)
    worker.stop()


async def _end(all_of_them: list[Connections], seconds: float) -> None:
    """Ends connections when they have what is due, or after so long."""
    for one in all_of_them:
        one.end()
    until = time.monotonic() + seconds
    while any(one.open for one in all_of_them) and time.monotonic() < until:
        await asyncio.sleep(0.05)
        for one in all_of_them:
            one.look()
    for one in all_of_them:
        one.abort()


Consumers = Mapping[str, Consumer]


class Agreements:
    """The consumers as their file was when it was last right: kept in the parent, inherited by each worker it forks."""

    def __init__(self, file: Path | None) -> None:
        """Raises ``ConsumersError``."""
        self._file = file
        self.consumers: Consumers = read_consumers(file) if file else {}

    def read_again(self) -> None:
        """Reads the file; while it is wrong nothing changes, so that no right comes back that was taken away."""
        try:
            self.consumers = read_consumers(self._file) if self._file else {}
        except ConsumersError as error:
            log.error("the consumers stay as they were: %s", error)


_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}},
    "loggers": {"kravoversikt": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}
"""The server's own messages go to standard error; standard output is for the JSON lines."""


class Worker:
    """What one process has: the application, and what must be looked after beside it."""

    def __init__(
        self,
        settings: Settings,
        consumers: Consumers,
        limits: Limits,
        key: bytes,
        metrics_folder: Path | None,
        beats: Beats | None = None,
    ) -> None:
        """``limits`` and ``beats`` are shared by all workers."""
        self.beats = beats or Beats(1)
        self.published = Published(settings.home)
        self.metrics = Metrics(metrics_folder)
        self.logs = Logs(settings.log.access, settings.log.audit, key, settings.log.proxies)
        if metrics_folder:
            self.logs.audit.keep_in(metrics_folder)
        self.keys: dict[str, KeySet] = {}
        self.tokens: list[Tokens[Any]] = []
        self.decisions: Decisions | None = None
        self._remotes: list[Remote] = []
        self._seconds = settings.poll_seconds
        self._counted = [0, 0]
        self._decided: Counter[str] = Counter()
        self._ended = threading.Event()
        gate, counted = self._gate(settings, consumers, limits), None if settings.no_auth else limits
        self.app = App(self.published, gate, self.logs, self.metrics, pages(), counted, self.beats)

    def _gate(self, settings: Settings, consumers: Consumers, limits: Limits) -> Gate:
        if settings.no_auth:
            return Open()
        first, second = settings.maskinporten, settings.altinn
        if not first:
            raise SettingsError("nothing says how callers are known")
        day = 24 * 3600
        caller = partial(
            read_caller, consent_resource=first.consent_resource, longest_consent=first.longest_consent_days * day
        )
        callers: Tokens[Caller] = self._tokens("maskinporten", first, caller, ("iss", "exp", "iat"))
        altinn = None
        if second:
            consent = partial(
                consent_of_altinn, service_code=second.service_code, longest=second.longest_consent_days * day
            )
            consents: Tokens[Consents] = self._tokens("altinn", second, consent, ("iss", "exp"))
            altinn = Altinn(consents)
        users = self._system_users(settings.system_users) if settings.system_users else None
        return Secured(callers, consumers, limits, first.scope, altinn, users)

    def _tokens(self, name: str, issuer: Issuer, read: Callable[..., Any], required: tuple[str, ...]) -> Tokens[Any]:
        if issuer.jwks_file:
            keys = partial(keys_of_file, issuer.jwks_file)
        else:
            keys = partial(keys_by_discovery, self._remote(), issuer.address(), issuer.issuer)
        held = KeySet(keys, issuer.refresh_seconds, issuer.refresh_floor_seconds, issuer.trusted_seconds)
        longest = issuer.longest_token_seconds
        made = Tokens(held, issuer.issuer, read, audience=issuer.audience, required=required, longest=longest)
        self.keys[name] = held
        self.tokens.append(made)
        return made

    def _system_users(self, asked: AskedAbout) -> SystemUsers:
        remote, token = self._remote(asked.seconds), None
        if asked.client_id and asked.client_key_file and asked.client_kid:
            key, audience = private_key(asked.client_key_file), asked.token_audience
            client = Client(
                asked.client_id,
                key,
                asked.client_kid,
                asked.client_scope,
                asked.token_url,
                audience,
                asked.exchange_url,
            )
            token = OwnToken(remote, client)
        point = DecisionPoint(remote, asked.url, subscription_key(asked), token)
        breaker = Breaker(asked.pause_seconds)
        self.decisions = Decisions(remote.start, point.decide, asked.remember_seconds, breaker=breaker)
        return SystemUsers(self.decisions, asked.resource, asked.action, asked.rettighetspakker)

    def _remote(self, seconds: float = SECONDS) -> Remote:
        self._remotes.append(Remote(seconds))
        return self._remotes[-1]

    def start(self) -> None:
        """Opens what is published and reads the keys; then threads look after both, and write the logs.

        Each issuer's keys have a thread of their own: a slow issuer keeps neither a snapshot nor other keys waiting. So
        has each log: one that nobody reads doesn't keep the other.
        """
        for keys in self.keys.values():
            self._thread("keys", keys.refresh, self._seconds)
        self._try(self.upkeep)
        self._thread("upkeep", self.upkeep, self._seconds)
        self._thread("audit", self.logs.audit.flush, HELD_SECONDS)
        self._thread("access", self.logs.access.flush, HELD_SECONDS)
        until = time.monotonic() + FIRST_KEYS_SECONDS
        for keys in self.keys.values():
            keys.tried.wait(max(0, until - time.monotonic()))

    def stop(self) -> None:
        """Writes and counts what is held. A log that nobody reads is not waited for: it is told what is lost."""
        self._ended.set()
        self.metrics.flush()
        for remote in self._remotes:
            remote.close()
        logs = {"audit": self.logs.audit, "access": self.logs.access}
        writing = [threading.Thread(target=one.flush, daemon=True) for one in logs.values()]
        for thread in writing:
            thread.start()
        until = time.monotonic() + LAST_LINES_SECONDS
        for thread in writing:
            thread.join(max(0, until - time.monotonic()))
        for name, one in logs.items():
            if left := one.held():
                log.error("%d lines of the %s log could not be written and are lost", left, name)

    def _thread(self, name: str, work: Callable[[], None], seconds: float) -> None:
        threading.Thread(target=self._again, args=(work, seconds), name=name, daemon=True).start()

    def _again(self, work: Callable[[], None], seconds: float) -> None:
        self._try(work)
        while not self._ended.wait(seconds):
            self._try(work)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # its message could hold anything
            log.error("upkeep failed and is tried again: %s at %s", type(error).__name__, " < ".join(where(error)))

    def upkeep(self) -> None:
        """Whatever must be done now and then and would keep a request waiting."""
        if self.published.follow() and self.published.snapshot:
            snapshot = self.published.snapshot
            self.metrics.switched(len(snapshot), snapshot.made_for)
        self.metrics.refused(self.published.refused is not None)
        self.metrics.logs(self.logs.audit.behind(), self.logs.access.dropped(), self.logs.audit.dropped())
        hits, misses = (sum(getattr(t, what) for t in self.tokens) for what in ("hits", "misses"))
        self.metrics.tokens(hits - self._counted[0], misses - self._counted[1])
        self._counted = [hits, misses]
        for name, keys in self.keys.items():
            self.metrics.keys(name, keys.age())
        for reason, many in self.beats.how_many_replaced().items():
            self.metrics.replaced(reason, many)
        if self.decisions:
            self.metrics.breaker(self.decisions.breaker.state())
            for decision, count in self.decisions.counts.items():
                self.metrics.decisions(decision, count - self._decided[decision])
                self._decided[decision] = count
        self.metrics.flush()


def pages() -> dict[str, Page]:
    """The pages that are the same for everyone."""
    plain = (("cache-control", "no-cache"), ("x-content-type-options", "nosniff"))
    html = (("content-type", "text/html; charset=utf-8"), ("content-security-policy", content_security_policy()))
    return {
        "/openapi.json": Page(openapi(), (("content-type", "application/json"), *plain)),
        "/docs": Page(docs_page(), (*html, *plain)),
    }
