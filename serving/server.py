"""The server: granian's workers, each with an ``App``, and a thread that keeps it up to date."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, TaskImpl
from granian.http import HTTP1Settings
from granian.rsgi import HTTPProtocol, Scope
from granian.server import Server

from serving.access import Altinn, Caller, Gate, Open, Secured, read_caller
from serving.app import App, Page
from serving.consent import Consents, consent_of_altinn
from serving.consumers import MOST, Consumer, ConsumersError, read_consumers
from serving.docs_page import content_security_policy, docs_page
from serving.keys import KeySet, keys_by_discovery, keys_of_file
from serving.limits import Limits
from serving.logs import HELD_SECONDS, Logs
from serving.metrics import Metrics
from serving.openapi import openapi
from serving.request import Request
from serving.settings import Issuer, Settings, SettingsError, hash_key
from serving.switch import Published
from serving.tokens import Tokens

log = logging.getLogger("kravoversikt")

FIRST_KEYS_SECONDS = 1.0
"""How long a new worker waits for keys at most, so that it doesn't begin with refusals when the issuer is quick."""


def serve(settings: Settings, metrics_folder: Path) -> None:
    """Serves until SIGTERM or SIGINT; then finishes what is under way.

    SIGHUP starts new workers, which read the file of consumers again, and stops the old ones when they have finished.
    """
    server = Server(
        "kravoversikt",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.workers,
        runtime_mode=RuntimeModes.mt,
        loop=Loops.auto,
        task_impl=TaskImpl.asyncio,
        http=HTTPModes.http1,
        websockets=False,
        backlog=4096,
        backpressure=settings.connections,
        http1_settings=HTTP1Settings(header_read_timeout=1000 * settings.header_seconds, max_buffer_size=64 * 1024),
        respawn_failed_workers=True,
        workers_kill_timeout=settings.shutdown_seconds,
        log_dictconfig=_LOGGING,
    )
    agreed = Agreements(settings.consumers_file)
    server.on_reload(agreed.read_again)
    load = partial(_load, settings, agreed, Limits(MOST + 1), hash_key(settings), metrics_folder)
    server.serve(target_loader=load, wrap_loader=False)  # type: ignore[arg-type]  # it takes RSGI's objects too


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


def _load(settings: Settings, agreed: Agreements, limits: Limits, key: bytes, metrics_folder: Path) -> "Application":
    """The application of one worker, called in its process."""
    return Application(Worker(settings, agreed.consumers, limits, key, metrics_folder))


_LOGGING = {
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}},
    "loggers": {
        name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in ("_granian", "kravoversikt")
    },
}
"""The server's own messages go to standard error; standard output is for the JSON lines."""


class Worker:
    """What one process has: the application, and what must be looked after beside it."""

    def __init__(
        self, settings: Settings, consumers: Consumers, limits: Limits, key: bytes, metrics_folder: Path | None
    ) -> None:
        self.published = Published(settings.home)
        self.metrics = Metrics(metrics_folder)
        self.logs = Logs(settings.log.access, settings.log.audit, key)
        self.keys: list[KeySet] = []
        self.tokens: list[Tokens[Any]] = []
        self._seconds = settings.poll_seconds
        self._counted = [0, 0]
        self._ended = threading.Event()
        self.app = App(self.published, self._gate(settings, consumers, limits), self.logs, self.metrics, pages())

    def _gate(self, settings: Settings, consumers: Consumers, limits: Limits) -> Gate:
        if settings.no_auth:
            return Open()
        first, second = settings.maskinporten, settings.altinn
        if not first:
            raise SettingsError("nothing says how callers are known")
        read = partial(read_caller, consent_resource=first.consent_resource)
        callers: Tokens[Caller] = Tokens(self._keys(first), first.issuer, read, audience=first.audience)
        self.tokens.append(callers)
        altinn = None
        if second:
            consent = partial(consent_of_altinn, service_code=second.service_code)
            consents: Tokens[Consents] = Tokens(
                self._keys(second), second.issuer, consent, audience=second.audience, required=("iss", "exp")
            )
            self.tokens.append(consents)
            altinn = Altinn(consents)
        return Secured(callers, consumers, limits, first.scope, altinn)

    def _keys(self, issuer: Issuer) -> KeySet:
        if issuer.jwks_file:
            read = partial(keys_of_file, issuer.jwks_file)
        else:
            read = partial(keys_by_discovery, issuer.address(), issuer.issuer)
        self.keys.append(KeySet(read, issuer.refresh_seconds, issuer.refresh_floor_seconds))
        return self.keys[-1]

    def start(self) -> None:
        """Opens what is published and reads the keys; then threads look after both, and write the logs.

        Each issuer's keys have a thread of their own: a slow issuer keeps neither a snapshot nor other keys waiting. So
        has each log: one that nobody reads doesn't keep the other.
        """
        for keys in self.keys:
            self._thread("keys", keys.refresh, self._seconds)
        self._try(self.upkeep)
        self._thread("upkeep", self.upkeep, self._seconds)
        self._thread("audit", self.logs.audit.flush, HELD_SECONDS)
        self._thread("access", self.logs.access.flush, HELD_SECONDS)
        until = time.monotonic() + FIRST_KEYS_SECONDS
        for keys in self.keys:
            keys.tried.wait(max(0, until - time.monotonic()))

    def stop(self) -> None:
        """Writes and counts what is held."""
        self._ended.set()
        self.metrics.flush()
        self.logs.flush()

    def _thread(self, name: str, work: Callable[[], None], seconds: float) -> None:
        threading.Thread(target=self._again, args=(work, seconds), name=name, daemon=True).start()

    def _again(self, work: Callable[[], None], seconds: float) -> None:
        self._try(work)
        while not self._ended.wait(seconds):
            self._try(work)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("upkeep failed; it is tried again")

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
        self.metrics.flush()


def pages() -> dict[str, Page]:
    """The pages that are the same for everyone."""
    plain = (("cache-control", "no-cache"), ("x-content-type-options", "nosniff"))
    html = (("content-type", "text/html; charset=utf-8"), ("content-security-policy", content_security_policy()))
    return {
        "/openapi.json": Page(openapi(), (("content-type", "application/json"), *plain)),
        "/docs": Page(docs_page(), (*html, *plain)),
    }


class Application:
    """The application as granian calls it, by its own protocol (RSGI): docs/decisions/0010-http.md tells why."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._handle = worker.app.handle

    def __rsgi_init__(self, loop: object) -> None:
        """The start of the worker."""
        self._worker.start()

    def __rsgi_del__(self, loop: object) -> None:
        """Its end, when what was under way is answered."""
        self._worker.stop()

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """One request. The path comes decoded; a header whose value isn't ASCII doesn't come."""
        headers: dict[str, str] = {}
        for name, value in scope.headers.items():
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        request = Request(scope.method, scope.path, scope.query_string, headers)
        protocol.response_bytes(*self._handle(request))
