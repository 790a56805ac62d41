"""What the server listens on: a port, or a Unix socket; and a port for those who look after it, if there is one."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from serving.settings import Settings

BACKLOG = 4096
"""Connections that wait to be accepted, by each worker."""

Protocol = Callable[[], asyncio.Protocol]


class Listeners:
    """The sockets of all workers, made before these are.

    The first process keeps them open, so what has connected to a worker that dies waits for the next one. Those of a
    port have the same address, and the kernel deals out connections among them; of a Unix socket all have the same.
    """

    def __init__(self, settings: Settings) -> None:
        self._path, places = settings.socket, range(settings.workers)
        if settings.socket:
            self._own = [_unix(settings.socket)] * settings.workers
        else:
            self._own = [_tcp(settings.host, settings.port, settings.header_seconds) for _ in places]
        admin, seconds = settings.admin_port, settings.header_seconds
        self._admin = [_tcp(settings.admin_host, admin, seconds) for _ in places] if admin else []

    def keep(self, place: int) -> None:
        """In a worker: closes those of the others."""
        for sockets in (self._own, self._admin):
            for one in sockets:
                if one is not sockets[place]:
                    one.close()

    async def listen(self, place: int, protocol: Protocol) -> asyncio.AbstractServer:
        """Begins to accept callers' connections."""
        loop = asyncio.get_running_loop()
        if self._path:
            return await loop.create_unix_server(protocol, sock=self._own[place], backlog=BACKLOG)
        return await loop.create_server(protocol, sock=self._own[place], backlog=BACKLOG)

    async def listen_for_admin(self, place: int, protocol: Protocol) -> asyncio.AbstractServer:
        """Begins to accept connections of those who look after it."""
        return await asyncio.get_running_loop().create_server(protocol, sock=self._admin[place], backlog=BACKLOG)

    def close(self) -> None:
        """In the first process, at the end."""
        for one in (*self._own, *self._admin):
            one.close()
        if self._path:
            self._path.unlink(missing_ok=True)


def _tcp(host: str, port: int, most_seconds: int) -> socket.socket:
    """Of a client that takes nothing of its answer for ``most_seconds`` the kernel cuts the connection off."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, most_seconds * 1000)
    made.bind((host, port))
    return made


def _unix(path: Path) -> socket.socket:
    """For its owner and group. One that a server left behind is removed: ``settings.check_port`` found nobody there."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    path.chmod(0o660)
    return made
