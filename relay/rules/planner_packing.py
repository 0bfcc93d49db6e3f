"""Fills PATCH requests up to the limits on operations and on bytes.

In charge of cutting one ordered list of steps into as few requests as an unchanged order allows:
filling each request before opening the next is optimal for that. Sizes are counted while packing
(envelope, plus each piece, plus one comma each: never below the encoded length), so that packing
a thousand steps costs a thousand small measurements and not a thousand whole bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.rules import planner_forms as forms
from relay.rules.planner_types import Request

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile
    from relay.rules.types import Field, JsonObject

_COMMA: Final = 1
_ENVELOPE_BYTES: Final = forms.encoded_size(forms.patch([]))
_EMPTY_ADD_BYTES: Final = forms.encoded_size(forms.add_members(())) + _COMMA


class Packer:
    """Takes steps in order, gives PATCH requests for one resource.

    Field operations come first, then removals, then additions; within a request as across them,
    so that a full group makes room before it takes anybody in (413 is judged on the roster after
    the request; no reading of "create or project" makes this order illegal).
    """

    __slots__ = ("_adds", "_bytes", "_done", "_fields", "_operations", "_path", "_profile",
                 "_removes")  # fmt: skip

    def __init__(self, path: str, profile: TargetProfile) -> None:
        self._path = path
        self._profile = profile
        self._done: list[Request] = []
        self._open()

    def operation(self, operation: JsonObject, fields: frozenset[Field]) -> None:
        """Append an operation on attributes; raises ValueError if no request can hold it."""
        self._take(operation)
        self._fields |= fields

    def remove(self, member: str) -> None:
        """Append the removal of a member; raises ValueError if no request can hold it."""
        self._take(forms.remove_member(member))
        self._removes.append(member)

    def add(self, member: str) -> None:
        """Append the addition of a member; raises ValueError if no request can hold it."""
        size = forms.encoded_size({"value": member}) + _COMMA
        if not self._room(size if self._adds else size + _EMPTY_ADD_BYTES, not self._adds):
            self._next(size + _EMPTY_ADD_BYTES)
        self._bytes += size if self._adds else size + _EMPTY_ADD_BYTES
        self._adds.append(member)

    def finish(self) -> tuple[Request, ...]:
        """All requests, the last one closed."""
        self._close()
        return tuple(self._done)

    def _take(self, operation: JsonObject) -> None:
        size = forms.encoded_size(operation) + _COMMA
        if not self._room(size, True):
            self._next(size)
        self._operations.append(operation)
        self._bytes += size

    def _room(self, size: int, one_more_operation: bool) -> bool:
        """Whether so many bytes, and an operation more if asked, fit the open request."""
        operations = len(self._operations) + bool(self._adds) + one_more_operation
        return (
            operations <= self._profile.max_operations
            and self._bytes + size <= self._profile.max_body_bytes
        )

    def _next(self, size: int) -> None:
        """Open a new request; raises ValueError if even an empty one has no room for `size`."""
        self._close()
        self._open()
        if not self._room(size, True):
            raise ValueError(
                f"cannot plan a PATCH of {self._path}: one operation takes {size} bytes, "
                f"the target allows bodies of {self._profile.max_body_bytes}"
            )

    def _open(self) -> None:
        self._operations: list[JsonObject] = []
        self._bytes = _ENVELOPE_BYTES
        self._fields: frozenset[Field] = frozenset()
        self._adds: list[str] = []
        self._removes: list[str] = []

    def _close(self) -> None:
        operations = self._operations
        if self._adds:
            operations = [*operations, forms.add_members(self._adds)]
        if operations:
            self._done.append(
                Request(
                    "PATCH",
                    self._path,
                    forms.patch(operations),
                    self._fields,
                    tuple(self._adds),
                    tuple(self._removes),
                )
            )
