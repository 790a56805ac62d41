import gc
import os
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.fence import fence
from tests.nights import Nights
from tests.small import Small
from transforms.home.snapshot import ANALYTICS
from transforms.night import Night
from transforms.publish import stage as publish_stage

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("default")


def examples(usual: int) -> int:
    """How many random examples a property is tried on; KRAVOVERSIKT_EXAMPLES multiplies it.

    They are the same every time, so of `make test` it is the time, and not the chance, that is more with more of them.
    """
    return max(1, int(usual * float(os.environ.get("KRAVOVERSIKT_EXAMPLES", "0.6"))))


WITHOUT_ANALYSTS = (
    *("test_laws", "test_held_back", "test_level3", "test_reconcile", "test_reported", "test_verdicts", "test_whose"),
    *("test_balances", "test_golden", "test_stops", "test_serving", "test_way_back", "test_every_code", "tests.api."),
    *("tests.ordinary.", "test_survival", "test_publish_guard", "test_alarms_sent", "test_faults", "test_crash"),
)
"""Modules that run many nights, and read nothing of the analysts' database."""


@pytest.fixture(autouse=True, scope="module")
def without_analysts(request: pytest.FixtureRequest) -> Iterator[None]:
    """There the analysts' database is an empty file, or less: it takes as long as the rest of a night of a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        if any(name in request.module.__name__ for name in WITHOUT_ANALYSTS):
            patch.setattr(publish_stage, "write_analytics", lambda of, *_: (of.snapshot / ANALYTICS).write_bytes(b""))
        yield


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


@pytest.fixture(scope="module")
def fenced_loops() -> Iterator[None]:
    """Whatever a compiled loop of text writes or reads outside its arrays fails the test."""
    with pytest.MonkeyPatch.context() as patch:
        fence(patch)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: workers take whole files, and the last to be taken should not be long ones."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """What makes a test slow, it and its fixtures start only when it is marked ``slow`` (``make test-fast``)."""
    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("slow"):
            for what, start in _starts_something():
                patch.setattr(what, start, _refuse)
        return (yield)


def _starts_something() -> Iterator[tuple[Any, str]]:
    """What starts a night, a process, a server, a Dagster run."""
    yield from ((Night, "__init__"), (subprocess.Popen, "__init__"), (os, "fork"), (socket.socket, "listen"))
    if dagster := sys.modules.get("dagster"):
        yield dagster.DagsterInstance, "__init__"


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("a test that starts a night, a process, a server or a Dagster run is to be marked slow")


def pytest_unconfigure() -> None:
    """Lets go of what is called when garbage is collected, which Hypothesis leaves there.

    It outlives the modules, and through it all that the tests have loaded: DuckDB's binding (nanobind) then finds its
    types alive at the very end, and says so behind pytest's last line.
    """
    gc.callbacks.clear()
