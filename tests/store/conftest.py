"""A lab: store, delivery's decisions and the stand-in, without sockets."""

import pytest
from support.lab import lab_in


@pytest.fixture
async def lab(tmp_path):
    async with lab_in(tmp_path) as lab:
        yield lab


@pytest.fixture
def lab_of(tmp_path):
    """`async with lab_of(name) as lab`: several labs in one test."""

    def opened(name):
        folder = tmp_path / name
        folder.mkdir()
        return lab_in(folder)

    return opened
