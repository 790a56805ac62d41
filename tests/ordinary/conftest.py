import pytest

from tests.nights import Nights
from tests.ordinary.statement import FIRST
from tests.plain.write import write_delivery


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """FIRST delivered, and published for S by one night."""
    nights = Nights(tmp_path_factory.mktemp("published"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", FIRST)
    nights.publish()
    return nights


@pytest.fixture
def home(published: Nights, nights: Nights) -> Nights:
    """A copy of it: a home with FIRST published for S."""
    return nights.take_over(published)
