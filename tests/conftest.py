import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fence import fence
from tests.nights import Nights

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("default")


def examples(usual: int) -> int:
    """How many random examples a property is tried on; KRAVOVERSIKT_EXAMPLES multiplies it."""
    return max(1, int(usual * float(os.environ.get("KRAVOVERSIKT_EXAMPLES", "1"))))


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


@pytest.fixture(scope="module")
def fenced_loops() -> Iterator[None]:
    """Whatever a compiled loop of text writes or reads outside its arrays fails the test."""
    with pytest.MonkeyPatch.context() as patch:
        fence(patch)
        yield
