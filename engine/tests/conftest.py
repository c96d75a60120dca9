"""Lets tests import their helpers, which live beside them, and share what many need."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_master import FakeMaster


@pytest.fixture
async def master() -> AsyncIterator[FakeMaster]:
    """A master of the tests' own, started."""
    master = FakeMaster()
    await master.start()
    yield master
    await master.stop()
