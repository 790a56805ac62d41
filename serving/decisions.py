"""Altinn's policy decision point: whether a system user may do something with a resource for a party.

A token with a system user says that one exists, not what for; "the API provider must call Altinn PDP", as Altinn's
guide for API providers says. Asked as in its example: XACML 3.0 in JSON, one question a request. Anything but a plain
``Permit`` whose obligations are understood lets nobody in.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, NamedTuple

from serving.breaker import Breaker
from serving.own_token import OwnToken
from serving.remote import Remote, RemoteError

SYSTEM_USER = "urn:altinn:systemuser:uuid"
ACTION = "urn:oasis:names:tc:xacml:1.0:action:action-id"
RESOURCE = "urn:altinn:resource"
ORGANISATION = "urn:altinn:organization:identifier-no"
PERSON = "urn:altinn:person:identifier-no"
_TEXT = "http://www.w3.org/2001/XMLSchema#string"

AUTHENTICATION_LEVEL = 3
"""Of a system user, in Altinn; an obligation that asks for a higher one can't be met."""

MOST_ASKED = 1_000
"""Questions under way at a time in a worker; one more is refused. Each holds a request at least, and its connection."""

_OF_THE_QUESTION = (400, 422)
"""Statuses that refuse this question, and tell nothing of others."""

_LEVELS = ("urn:altinn:minimum-authenticationlevel", "urn:altinn:minimum-authenticationlevel-org")

log = logging.getLogger("kravoversikt.altinn")


class Question(NamedTuple):
    """May this system user (its UUID) do this with the resource, for this party?"""

    system_user: str
    resource: str
    action: str
    part: str


class Undecided(Exception):  # noqa: N818  # nothing is wrong
    """The answer to a request waits for a decision: ``App.handle`` is called again with this, once it is there."""

    def __init__(self, question: Question, decision: "Future[bool | None]", before: "Undecided | None" = None) -> None:
        """``before``: what the same request has waited for already."""
        super().__init__("a decision is asked for")
        self.decision = decision
        """True or False, or None when it could not be had."""
        self.asked: dict[Question, Future[bool | None]] = {**(before.asked if before else {}), question: decision}
        """All that was asked for this request: nothing twice, however short a decision is remembered."""
        self.began: float | None = None
        """When the request came, by ``time.perf_counter``."""


class UndecidableError(RemoteError):
    """This question can't be decided. Whoever can make us ask such ones must not keep others from asking theirs."""


class Decisions:
    """What was decided, remembered for a while; each question is asked once at a time, and never waited for here.

    While the decision point doesn't answer, nobody is kept waiting: ``breaker``.
    """

    def __init__(
        self,
        start: Callable[[Coroutine[Any, Any, bool]], "Future[bool]"],
        ask: Callable[[Question], Coroutine[Any, Any, bool]],
        remember_seconds: float,
        most_remembered: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
        breaker: Breaker | None = None,
    ) -> None:
        """``ask`` raises ``RemoteError`` when there is no decision; ``start`` runs it on another thread."""
        self.breaker = breaker or Breaker()
        self._start = start
        self._ask = ask
        self._remember_seconds = remember_seconds
        self._most = most_remembered
        self._clock = clock
        self._known: dict[Question, tuple[float, bool]] = {}
        self._asking: dict[Question, Future[bool | None]] = {}
        self._lock = threading.Lock()
        self._failing = False
        self.counts = {"remembered": 0, "permit": 0, "no": 0, "failed": 0, "refused": 0}
        """How often a question was answered, and by what."""

    def known(self, question: Question) -> bool | None:
        """What was decided a short while ago."""
        until, permitted = self._known.get(question, (0.0, False))
        if self._clock() >= until:
            return None
        self.counts["remembered"] += 1
        return permitted

    def ask(self, question: Question) -> "Future[bool | None] | None":
        """The decision when it comes, None when it can't be had; None at once when nobody is to be asked now.

        Those who ask the same at once share it. Raises what ``start`` does.
        """
        with self._lock:
            asked = self._asking.get(question)
            if asked and self.breaker.state() == "closed":
                return asked
            if asked or len(self._asking) >= MOST_ASKED or not self.breaker.lets():
                self.counts["refused"] += 1
                return None
            asked = self._asking[question] = Future()
        try:
            self._start(self._ask(question)).add_done_callback(lambda done: self._decided(question, done))
        except BaseException:  # or all who ask the same would wait for ever
            self.breaker.told(False)
            self._asking.pop(question).set_result(None)
            raise
        return asked

    def _decided(self, question: Question, done: "Future[bool]") -> None:
        permitted = self._judged(done)
        with self._lock:
            asked = self._asking.pop(question)
            if permitted is not None:
                self._known.pop(question, None)
                while len(self._known) >= self._most:
                    del self._known[next(iter(self._known))]
                self._known[question] = (self._clock() + self._remember_seconds, permitted)
        self.counts["failed" if permitted is None else "permit" if permitted else "no"] += 1
        asked.set_result(permitted)

    def _judged(self, done: "Future[bool]") -> bool | None:
        """The decision; that there is none is told once, not for every question."""
        if done.cancelled():  # at the end of the server; whatever else could cancel it must not leave it half open
            self.breaker.told(False)
            return None
        error = done.exception()
        self.breaker.told(error is None or isinstance(error, UndecidableError))
        if error is None:
            if self._failing:
                log.warning("Altinn decides over system users again")
            self._failing = False
            return done.result()
        if not self._failing:
            said = str(error) if isinstance(error, RemoteError) else type(error).__name__  # else it may hold anything
            log.error("Altinn does not decide over system users, who are answered KB-002: %s", said)
        self._failing = True
        return None


class DecisionPoint:
    """Altinn's decision point over HTTP."""

    def __init__(self, remote: Remote, url: str, subscription_key: str, token: OwnToken | None) -> None:
        """``token``: ours, when the decision point asks for one."""
        self._remote = remote
        self._url = url
        self._subscription_key = subscription_key
        self._token = token

    async def decide(self, question: Question) -> bool:
        """Whether it is permitted. Raises ``RemoteError`` when that isn't said within the client's deadline."""
        try:
            async with asyncio.timeout(self._remote.seconds):
                return permitted(await self._asked(question))
        except TimeoutError as error:
            raise RemoteError(f"no decision within {self._remote.seconds:g} s") from error

    async def _asked(self, question: Question) -> dict[str, Any]:
        headers = {"Ocp-Apim-Subscription-Key": self._subscription_key} if self._subscription_key else {}
        if self._token:
            headers["Authorization"] = f"Bearer {await self._token.get()}"
        try:
            return await self._remote.ask_object("POST", self._url, headers=headers, json=request_of(question))
        except RemoteError as error:
            if self._token and error.status == 401:
                self._token.forget()
            if error.status in _OF_THE_QUESTION:
                raise UndecidableError(str(error), error.status) from error
            raise


def request_of(question: Question) -> dict[str, Any]:
    """The question as Altinn's guide writes it."""
    party = ORGANISATION if len(question.part) == 9 else PERSON
    return {
        "Request": {
            "ReturnPolicyIdList": False,
            "AccessSubject": [_attributes((SYSTEM_USER, question.system_user))],
            "Action": [{"Attribute": [{"AttributeId": ACTION, "Value": question.action, "DataType": _TEXT}]}],
            "Resource": [_attributes((RESOURCE, question.resource), (party, question.part))],
        }
    }


def _attributes(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"Attribute": [{"AttributeId": name, "Value": value} for name, value in pairs]}


def permitted(answer: dict[str, Any]) -> bool:
    """Whether the one result is a ``Permit``. Raises ``RemoteError`` for what is no decision, and for ``Indeterminate``
    the one that is ``UndecidableError``.

    Of XACML's four ``NotApplicable`` and ``Deny`` are a no. ``Indeterminate`` is a fault in the asking, as when the
    resource isn't known. A permit with an obligation that isn't understood is none (XACML 3.0, 7.18).
    """
    results = _named(answer, "Response")
    if not isinstance(results, list) or len(results) != 1 or not isinstance(results[0], dict):
        raise RemoteError("the decision point gave no decision")
    decision = _named(results[0], "Decision")
    if decision in ("Deny", "NotApplicable"):
        return False
    if decision == "Indeterminate":
        raise UndecidableError("the decision point could not decide: is the resource known to Altinn?")
    if decision != "Permit":
        raise RemoteError("the decision point gave no decision")
    return _can_be_met(_named(results[0], "Obligations"))


def _named(said: dict[str, Any], name: str) -> Any:
    """A field as XACML's JSON profile spells it, or as Altinn's own JSON does, which begins with a small letter."""
    return said.get(name, said.get(name[0].lower() + name[1:]))


def _can_be_met(obligations: Any) -> bool:
    if obligations is None:
        return True
    if not isinstance(obligations, list):
        return False
    return all(isinstance(one, dict) and _is_low_enough(_named(one, "AttributeAssignment")) for one in obligations)


def _is_low_enough(assigned: Any) -> bool:
    """Whether an obligation asks for nothing but an authentication level that a system user has."""
    if not isinstance(assigned, list) or not assigned:
        return False
    return all(
        isinstance(one, dict)
        and _named(one, "Category") in _LEVELS
        and str(_named(one, "Value")) in map(str, range(AUTHENTICATION_LEVEL + 1))
        for one in assigned
    )
