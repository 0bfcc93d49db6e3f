"""What holds for every test: no token of the tests is seen in what it printed or left (S1)."""

import asyncio

import pytest
from support.canaries import left_in, seen_in

# pytest-asyncio asks for the main thread's loop before the first test; where none was ever set,
# Python 3.11 makes one that nobody closes, and its ResourceWarning fails whichever test is next.
asyncio.set_event_loop(None)

EXEMPT = "leaks_on_purpose"


@pytest.fixture(autouse=True)
def _no_token_left(request):
    """The folder of every test is searched when it ends."""
    yield
    folder = request.node.funcargs.get("tmp_path")
    if folder is not None and EXEMPT not in request.keywords:
        assert left_in(folder) == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What a test's relay logged and its commands printed is searched."""
    report = yield
    printed = "".join(text for name, text in report.sections if name.startswith("Captured"))
    if call.when == "call" and report.passed and EXEMPT not in item.keywords and seen_in(printed):
        report.outcome = "failed"
        report.longrepr = "a token was printed: see the captured output (S1)"
    return report
