"""A group's members while a request is being worked out: 404 and 413 at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.simulator.errors import ScimError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Roster:
    """A copy of a group's members that a request edits; it is thrown away if the request fails.

    The limit holds after each operation, not only at the end: the documentation says requests that
    "create or project" more than 1,000 members, so the harder reading is kept.
    """

    def __init__(
        self, members: Mapping[str, None], known: Callable[[str], bool], limit: int
    ) -> None:
        self.members = dict(members)
        self._known = known
        self._limit = limit

    def add(self, ids: Iterable[str]) -> None:
        """Add users; those already in stay where they are.

        Raises:
            ScimError: 413 past the limit, 404 for an id that is no user's.
        """
        wanted = dict.fromkeys(ids)
        projected = len(self.members) + sum(ident not in self.members for ident in wanted)
        if projected > self._limit:
            raise ScimError(
                413, f"group would have {projected} members, the limit is {self._limit}"
            )
        for ident in wanted:
            if not self._known(ident):
                raise not_found("member", ident)
        self.members.update(wanted)

    def remove(self, ident: str) -> None:
        """Remove one user; that it was no member is no error."""
        self.members.pop(ident, None)

    def replace(self, ids: Iterable[str]) -> None:
        """Make these the members; the same errors as `add`."""
        self.members = {}
        self.add(ids)
