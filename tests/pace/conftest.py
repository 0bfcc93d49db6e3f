"""Virtual time for the pacer: the loop's, and the window's, which reads `time.monotonic`."""

import asyncio
from types import SimpleNamespace

import asyncio_throttle.throttler
import pytest


@pytest.fixture
def virtual(monkeypatch):
    """Let asyncio-throttle read the loop's (virtual) time."""
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    monkeypatch.setattr(asyncio_throttle.throttler, "time", clock)
