"""What changes while the directory is still being filled from TFE (semantics K6).

Until then a miss is no answer: the identity provider would create everybody again. What is asked
for by id or by an indexed name is looked up in TFE first; what cannot be looked up is a 503.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import NotKnown, Unavailable
from relay.rules.types import Kind
from relay.store.state.records import ListQuery

if TYPE_CHECKING:
    from relay.front.ports import Directory, Upstream
    from relay.store.state.records import Page, Resource

_MAX_FETCHES: Final = 20  # look-ups one request may cause: two seconds at TFE's rate
_RETRY_S: Final = 10


class Completer:
    """Asks TFE for what the directory misses while the import is incomplete."""

    def __init__(self, directory: Directory, upstream: Upstream) -> None:
        self._directory = directory
        self._upstream = upstream

    @property
    def needed(self) -> bool:
        """Whether a miss in the directory proves nothing yet."""
        return not self._upstream.import_complete()

    async def get(self, kind: Kind, resource_id: str, *, members: bool) -> Resource | None:
        """One resource, asked of TFE if the directory misses it.

        Raises:
            Unavailable: TFE cannot be asked.
        """
        resource = await self._directory.get(kind, resource_id, members=members)
        if resource is not None or not self.needed:
            return resource
        await self._upstream.fetch(kind, "id", resource_id)
        return await self._directory.get(kind, resource_id, members=members)

    async def list(self, kind: Kind, query: ListQuery) -> Page:
        """A page; a look-up that finds nothing is asked of TFE, a plain list waits for the import.

        Raises:
            Unavailable: TFE cannot be asked, or the list would not be whole.
        """
        if query.equals is None or query.equals[0] == "members.value":
            self.require_whole()
        page = await self._directory.list(kind, query)
        if page.total or query.equals is None or not self.needed:
            return page
        await self._upstream.fetch(kind, *query.equals)
        return await self._directory.list(kind, query)

    def require_whole(self) -> None:
        """Raise `Unavailable` while a list of everything would not be one."""
        if self.needed:
            raise Unavailable("the directory is still being filled from TFE", _RETRY_S)

    async def look_for(self, kind: Kind, name: str) -> None:
        """Take in from TFE who has a name there, before somebody creates it as its own.

        Raises:
            Unavailable: TFE cannot be asked.
        """
        query = ListQuery(equals=(kind.name_attribute, name), count=0)
        await self.list(kind, query)

    async def fetch_all(self, miss: NotKnown) -> None:
        """Look up in TFE the ids that a write names and the directory does not know.

        Raises:
            Unavailable: TFE cannot be asked, or there are too many: what was found is kept, so that
                the repeat gets further.
        """
        for resource_id in miss.ids[:_MAX_FETCHES]:
            await self._upstream.fetch(Kind(miss.kind), "id", resource_id)
        if len(miss.ids) > _MAX_FETCHES:
            raise Unavailable("many members are still to be looked up in TFE", _RETRY_S)
