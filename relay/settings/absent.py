"""Values of the design that this release does not carry out: refused by name, never ignored."""

from __future__ import annotations

from pydantic import AfterValidator


def not_built(value: str) -> AfterValidator:
    """Refuses a value of the design that this release does not carry out."""

    def refuse(given: str) -> str:
        if given == value:
            raise ValueError(f'"{value}" is not built yet; leave the default')
        return given

    return AfterValidator(refuse)
