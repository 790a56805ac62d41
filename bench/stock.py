"""Our application behind a stock server, uvicorn, for ``python -m bench.serve --stock``: one process, the same logs."""

import sys
from pathlib import Path
from typing import Any

import uvicorn

from serving.asgi import Asgi
from serving.consumers import MOST, read_consumers
from serving.limits import Limits
from serving.server import Worker
from serving.settings import hash_key, read_settings
from serving.throwaway import settings_for

HOW: dict[str, Any] = {"http": "httptools", "ws": "none", "log_config": None, "proxy_headers": False}
"""uvicorn's own look at ``X-Forwarded-For`` is off: it believes all of this machine, whatever ``log.proxies`` says."""


def main(home: str, keys: str, port: str) -> None:
    """Serves until SIGTERM."""
    settings = read_settings(None, home=home, port=int(port), **settings_for(Path(keys)))
    agreed = read_consumers(settings.consumers_file) if settings.consumers_file else {}
    worker = Worker(settings, agreed, Limits(MOST + 1), hash_key(settings), None)
    application = Asgi(worker.app, worker.start, worker.stop)
    uvicorn.run(application, port=settings.port, loop="uvloop", **HOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
