"""The application over a small home, without a server: for tests that need only requests and answers."""

from pathlib import Path

from serving.access import Gate, Open
from serving.app import App
from serving.documents import Response
from serving.logs import Logs
from serving.metrics import Metrics
from serving.request import Request
from serving.switch import Published

KEY = b"k" * 32


def app_over(home: Path, gate: Gate | None = None, access: str = "", audit: str = "") -> App:
    """An application that has taken the home's snapshot into use, if there is one."""
    published = Published(home)
    published.follow()
    return App(published, gate or Open(), Logs(access, audit, KEY), Metrics(), {})


def ask(app: App, url: str, method: str = "GET", **headers: str) -> Response:
    """The answer to a URL; a header's name is given with underscores."""
    path, _, query = url.partition("?")
    given = {"host": "localhost"} | {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return app.handle(Request(method, path, query, given))


def header(response: Response, name: str) -> str | None:
    """The header's value, once or not at all."""
    values = [value for key, value in response.headers if key.lower() == name]
    assert len(values) <= 1
    return values[0] if values else None
