"""HTTP to the servers of others: connections that are kept, and a deadline for the whole of an answer.

Everything runs on one thread, begun at the first question, so whoever is slow keeps no other waiting. Redirects are not
followed: what all trust hangs on is fetched from where it was said to be, or not at all.
"""

import asyncio
import json
import ssl
import threading
import urllib.parse
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import httpx

SECONDS = 5.0
"""How long a whole answer may take: name, connection, headers and every byte."""

CLOSE_SECONDS = 1.0
"""How long closing waits for its end at most."""

MOST_BYTES = 1_000_000

MOST_CONNECTIONS = 100
"""Of a client, and so exchanges at a time. Others wait before they come to httpx: its own queue takes the square of its
length, and with 1,000 in it no deadline held."""

_HERE = ("127.0.0.1", "localhost", "::1")
_RETRIED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""What a kept connection that the other has just closed ends in. All that is asked here may be asked again."""

Answer = TypeVar("Answer")


class RemoteError(Exception):
    """There is no answer, or none that is good; the message has the host and why, and nothing of what was said."""

    def __init__(self, said: str, status: int | None = None) -> None:
        super().__init__(said)
        self.status = status


class Remote:
    """A client that is kept."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """``seconds``: the deadline of an answer."""
        self.seconds = seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx.AsyncClient | None = None
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)

    def start(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        """Runs what asks, on the client's own thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name="remote", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def object(self, url: str) -> dict[str, Any]:
        """The JSON object at an address; waits for it. Raises ``RemoteError``."""
        return self.start(self.ask_object("GET", url)).result()

    async def ask_object(self, method: str, url: str, **what: Any) -> dict[str, Any]:
        """A JSON object. Raises ``RemoteError``."""
        text = await self.ask(method, url, **what)
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RemoteError(f"{_host(url)} gave no JSON ({type(error).__name__})") from error
        if not isinstance(content, dict):
            raise RemoteError(f"{_host(url)} gave no JSON object")
        return content

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, json: Any = None, form: Any = None
    ) -> bytes:
        """What answers with 200 says, over HTTPS, or over HTTP from this machine. Raises ``RemoteError``."""
        host = check_address(url)
        given = {"accept-encoding": "identity", **(headers or {})}
        try:
            async with asyncio.timeout(self.seconds), self._room:
                return await self._twice(method, url, headers=given, json=json, data=form)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError) as error:
            raise RemoteError(f"{host} gave no answer ({type(error).__name__})") from error

    async def _twice(self, method: str, url: str, **what: Any) -> bytes:
        with suppress(*_RETRIED):
            return await self._once(method, url, **what)
        return await self._once(method, url, **what)

    async def _once(self, method: str, url: str, **what: Any) -> bytes:
        if self._client is None:
            self._client = _client()
        async with self._client.stream(method, url, **what) as answer:
            host = answer.url.host
            if answer.status_code != 200:
                raise RemoteError(f"{host} answered {answer.status_code}", answer.status_code)
            if "content-encoding" in answer.headers:
                raise RemoteError(f"{host} gave something packed")
            text = b""
            async for piece in answer.aiter_raw():
                text += piece
                if len(text) > MOST_BYTES:
                    raise RemoteError(f"{host} gave more than {MOST_BYTES} bytes")
            return text

    def close(self) -> None:
        """Ends what is asked for, the connections and the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._close(), loop)
            self._thread.join(CLOSE_SECONDS)

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        asyncio.get_running_loop().stop()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _client() -> httpx.AsyncClient:
    """The deadline is ours. Certificates are those that the machine trusts; a proxy never stands before itself."""
    limits = httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=20, keepalive_expiry=60)
    trusted = ssl.create_default_context()
    here = httpx.AsyncHTTPTransport(limits=limits)
    return httpx.AsyncClient(timeout=None, limits=limits, verify=trusted, mounts={"http://": here})  # noqa: S113


def check_address(url: str) -> str:
    """The host of an address that may be asked. Raises ``RemoteError``."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise RemoteError("the address is none") from error
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _HERE)):
        raise RemoteError("the address must begin with https://")
    return host


def is_here(url: str) -> bool:
    """Whether the address is on this machine."""
    return urllib.parse.urlsplit(url).hostname in _HERE


def _host(url: str) -> str | None:
    return urllib.parse.urlsplit(url).hostname
