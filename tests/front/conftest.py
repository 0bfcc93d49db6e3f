from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.front_fakes import Site, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(autouse=True, scope="session")
def _no_loop_out_of_nowhere() -> None:
    """looptime asks for the loop of synchronous tests too, and would leave a new one unclosed."""
    asyncio.set_event_loop(None)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running() as started:
        yield started
