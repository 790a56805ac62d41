import shutil
from pathlib import Path

import pytest

from tests.nights import Nights
from tests.ordinary.statement import FIRST
from tests.plain.write import write_delivery


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with FIRST delivered, and published for S by one night."""
    nights = Nights(tmp_path_factory.mktemp("published"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", FIRST)
    nights.publish()
    return nights.folder


@pytest.fixture
def home(published: Path, nights: Nights) -> Nights:
    """A copy of it: a home with FIRST published for S."""
    shutil.copytree(published, nights.folder, symlinks=True, dirs_exist_ok=True)
    nights.count = 1
    return nights
