"""The same application for any server that speaks ASGI (3.0), in place of our own ``http`` and ``processes``.

What such a server answers by itself (a malformed request, what it thinks too long) it answers in its own form. All else
is as it is with ours, held by ``tests/api/test_conformance.py``.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.app import App, Heavy
from serving.decisions import Undecided
from serving.documents import Response
from serving.head import fault_of, has_body, joined
from serving.request import Request
from serving.routes import HEADER_WEIGHT

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Asgi:
    """What a server calls for each request. ``start`` and ``stop``: of the worker that the application is of."""

    def __init__(self, app: App, start: Callable[[], None] | None = None, stop: Callable[[], None] | None = None):
        self._app = app
        self._told = {"startup": start, "shutdown": stop}
        self._apart = ThreadPoolExecutor(1, "heavy")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, or the life of the server. No other protocol is spoken."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        for _ in self._told:
            what = (await receive())["type"].removeprefix("lifespan.")
            if tell := self._told[what]:
                tell()
            await send({"type": f"lifespan.{what}.complete"})

    async def _answer(self, scope: Message, send: Send) -> None:
        """A request whose body is not read, or that could be read in another way, is its connection's last."""
        request = _request(scope)
        answer = await self._begin(request)
        if isinstance(answer, Heavy):
            await asyncio.get_running_loop().run_in_executor(self._apart, answer.work)
            answer = answer.response()
        last = request.fault is not None or has_body(request.headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": _encoded(answer, last)})
        await send({"type": "http.response.body", "body": answer.body})

    async def _begin(self, request: Request) -> Response | Heavy:
        """What the application begins with, when the decisions are there that it waits for."""
        waited: Undecided | None = None
        while True:
            try:
                return self._app.begin(request, waited)
            except Undecided as undecided:
                waited = undecided
                # Others may wait for the same one: a request that is cancelled must not take it with it.
                await asyncio.shield(asyncio.wrap_future(undecided.decision))


def _request(scope: Message) -> Request:
    """The request as it came, as far as the server tells."""
    headers = joined(scope["headers"])
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    url_length = len(path) + len(query) + bool(query)
    headers_length = sum(len(name) + len(value) + HEADER_WEIGHT for name, value in scope["headers"])
    fault = fault_of(scope["http_version"], url_length, headers_length, headers)
    peer = scope["client"][0] if scope.get("client") else ""
    return Request(scope["method"], path, query, headers, fault, peer, scope["http_version"])


def _encoded(response: Response, last: bool) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    return [*headers, (b"connection", b"close")] if last else headers
