"""Inboxes that several tests read."""

from pathlib import Path

import pytest
from plain_books import FIRST, NIGHTS

from synthetic.generate import generate


@pytest.fixture(scope="session")
def parquet_inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three nights of 300 parts, in Parquet."""
    inbox = tmp_path_factory.mktemp("parquet")
    generate(inbox, 300, 5, NIGHTS, date=FIRST, chunk=160)
    return inbox


@pytest.fixture(scope="session")
def csv_inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in CSV, and in one chunk where the other has two."""
    inbox = tmp_path_factory.mktemp("csv")
    generate(inbox, 300, 5, NIGHTS, date=FIRST, format="csv")
    return inbox
