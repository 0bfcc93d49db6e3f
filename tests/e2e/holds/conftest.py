import pytest
from support.targets import target


@pytest.fixture
async def tfe():
    """A TFE that can be stopped and started, without a rate limit, its bodies logged."""
    async with target() as tfe:
        yield tfe
