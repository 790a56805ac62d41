"""A stand-in of Altinn's decision point, over HTTP, for tests and for trying out: it answers as Altinn's guide shows.

It permits what ``delegations.json`` in the folder of the throwaway keys says, which ``kravoversikt token
--system-user`` writes: a list of ``{"system_user": UUID, "resource": …, "action": …, "part": number}``. It listens on
this machine only.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from serving.decisions import ACTION, ORGANISATION, PERSON, RESOURCE, SYSTEM_USER

AUTHORIZE = "/authorization/api/v1/authorize"
DELEGATIONS = "delegations.json"


@contextmanager
def stand_in(folder: Path) -> Iterator[str]:
    """Answers until the end; gives the address of the decision point."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.folder = folder
    threading.Thread(target=server.serve_forever, args=(0.05,), name="stand-in", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{AUTHORIZE}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    folder: Path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """One question."""
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, said = (200, _response(self.server.folder, asked)) if self.path == AUTHORIZE else (404, {})
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def _response(folder: Path, asked: bytes) -> dict[str, Any]:
    decision = _decision(folder, asked)
    status = {"StatusCode": {"Value": "urn:oasis:names:tc:xacml:1.0:status:ok"}}
    result: dict[str, Any] = {"Decision": decision, "Status": status}
    if decision == "Permit":
        level = {"attributeId": "urn:altinn:obligation-assignment:1", "value": "2"}
        level["category"] = "urn:altinn:minimum-authenticationlevel"
        result["Obligations"] = [{"id": "urn:altinn:obligation:authenticationLevel1", "attributeAssignment": [level]}]
    return {"Response": [result]}


def _decision(folder: Path, asked: bytes) -> str:
    """Altinn's: a question that isn't whole can't be decided, a right that isn't there doesn't apply."""
    try:
        request = json.loads(asked)["Request"]
        said = {
            one["AttributeId"]: one["Value"]
            for category in ("AccessSubject", "Action", "Resource")
            for one in request[category][0]["Attribute"]
        }
        part = said.get(ORGANISATION) or said[PERSON]
        right = {"system_user": said[SYSTEM_USER], "resource": said[RESOURCE], "action": said[ACTION], "part": part}
    except (ValueError, KeyError, IndexError, TypeError):
        return "Indeterminate"
    return "Permit" if right in delegations(folder) else "NotApplicable"


def delegations(folder: Path) -> list[dict[str, str]]:
    """Who may what, as the folder says."""
    try:
        listed: list[dict[str, str]] = json.loads((folder / DELEGATIONS).read_bytes())
    except FileNotFoundError:
        return []
    return listed
