"""What holds for every test."""

import asyncio

# pytest-asyncio asks for the main thread's loop before the first test; where none was ever set,
# Python 3.11 makes one that nobody closes, and its ResourceWarning fails whichever test is next.
asyncio.set_event_loop(None)
