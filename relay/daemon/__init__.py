"""A running relay, put together: parts from settings, loops, upkeep, and what may end it."""
