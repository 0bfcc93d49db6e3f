"""GET and `.search`: everything from the directory, nothing from TFE (A5)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from relay.errors import Refused
from relay.front.answers import Answer, found
from relay.front.queries import Query, from_search
from relay.front.render import rendered, whole
from relay.rules import filters, sorting
from relay.rules.filter_ids import ids_of, with_public_ids
from relay.rules.types import Kind
from relay.rules.view import list_body
from relay.store.state.records import ListQuery, Page, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from relay.front.asked import Asked
    from relay.front.imports import Completer
    from relay.front.ports import Directory
    from relay.front.settings import FrontSettings
    from relay.rules.types import JsonObject


PAGES_AT_ONCE: Final = 2
"""Pages read at the same time; look-ups by an index, which are what identity providers wait for,
overtake the rest: a page of 200 takes ten milliseconds, a hundred of them a second."""

_ALL: Final = 1 << 31  # the scan has a limit of its own
_SHOWN: Final = 100
"""Characters of an id that an error repeats."""


class Reads:
    """Answers reads."""

    def __init__(self, settings: FrontSettings, directory: Directory, completer: Completer) -> None:
        self._max_page = settings.max_page
        self._directory = directory
        self._completer = completer
        self._turns = asyncio.Semaphore(PAGES_AT_ONCE)

    async def get(self, asked: Asked) -> Answer:
        """One resource by id.

        Raises:
            Refused: 404.
            Unavailable: it is not known yet and TFE cannot be asked.
        """
        resource_id = asked.route.id or ""
        resource = await self._completer.get(
            asked.kind, resource_id, members=asked.query.wants_members(asked.kind)
        )
        if resource is None:
            raise Refused(404, await self._why_missing(asked.kind, resource_id))
        return found(rendered(resource, asked.base_url, asked.query))

    async def _why_missing(self, kind: Kind, resource_id: str) -> str:
        """A parked creation's id answers 404 with TFE's words (semantics S5)."""
        reason = await self._directory.why_missing(kind, resource_id)
        missing = f"{kind.value} {resource_id[:_SHOWN]} not found"
        if reason is None:
            return missing
        return f"{missing}: Terraform Enterprise refused to create it: {reason.get('detail')}"

    async def list(self, asked: Asked) -> Answer:
        """A page of Users or Groups.

        Raises:
            Refused: 400 `invalidFilter` or `tooMany`.
            Unavailable: the directory is not whole yet.
        """
        page = await self._page(asked.kind, asked.query, asked.base_url)
        return found(_list_of(page.total, asked.query, page.resources, asked.base_url))

    async def search(self, asked: Asked) -> Answer:
        """A `.search` request (RFC 7644 section 3.4.3); at the root it goes through both types."""
        query = from_search(asked.body or {}, self._max_page)
        if asked.route.kind is not None:
            page = await self._page(asked.route.kind, query, asked.base_url)
        else:
            page = await self._everywhere(query, asked.base_url)
        return found(_list_of(page.total, query, page.resources, asked.base_url))

    async def _everywhere(self, query: Query, base_url: str) -> Page:
        """Users, then groups, as one list."""
        users = await self._page(Kind.USER, query, base_url)
        start = max(query.start - users.total, 1)
        rest = replace(query, start=start, count=query.count - len(users.resources))
        groups = await self._page(Kind.GROUP, rest, base_url)
        return Page(users.total + groups.total, users.resources + groups.resources)

    async def _page(self, kind: Kind, query: Query, base_url: str) -> Page:
        members = query.wants_members(kind)
        parsed = None if query.filter is None else filters.parse(kind, query.filter)
        if parsed is not None and parsed.lookup is not None:
            return await self._completer.list(
                kind, ListQuery(parsed.lookup, query.start, query.count, members)
            )
        key = sorting.order(kind, query.sort_by) if query.sort_by else None
        async with self._turns:
            if key is not None:
                page = await self._sorted(kind, parsed, key, query, base_url)
                if page is not None:
                    return page
            if parsed is not None:
                return await self._filtered(parsed, query, base_url)
            return await self._completer.list(
                kind, ListQuery(None, query.start, query.count, members)
            )

    async def _sorted(
        self,
        kind: Kind,
        parsed: filters.Filter | None,
        key: Callable[[JsonObject], sorting.Order],
        query: Query,
        base_url: str,
    ) -> Page | None:
        """A page in the order asked for; None where there is too much to sort: it is not promised.

        Rosters are read for the page only, unless filter or order go by them.
        """
        if parsed is not None and (ids := ids_of(parsed)):
            parsed = with_public_ids(parsed, await self._directory.public_ids(ids))
        accepts = _everybody if parsed is None else _predicate(parsed, base_url)
        named = "members" if kind is Kind.GROUP else "groups"
        members = named in f"{query.filter or ''} {query.sort_by}".lower()
        self._completer.require_whole()
        try:
            found = await self._directory.scan(kind, accepts, ListQuery(None, 1, _ALL, members))
        except Refused:
            return None
        ordered = sorted(
            found.resources, key=lambda one: key(whole(one, base_url)), reverse=query.descending
        )
        page = _slice(ordered, query)
        if members or not query.wants_members(kind):
            return page
        shown = [
            await self._directory.get(kind, one.public_id, members=True) or one
            for one in page.resources
        ]
        return Page(page.total, tuple(shown))

    async def _filtered(self, parsed: filters.Filter, query: Query, base_url: str) -> Page:
        """What no index answers alone; memberships are read if filter or answer needs them."""
        kind, text = parsed.kind, (query.filter or "").lower()
        named = "members" if kind is Kind.GROUP else "groups"
        members = query.wants_members(kind) or named in text
        if ids := ids_of(parsed):
            parsed = with_public_ids(parsed, await self._directory.public_ids(ids))
        accepts = _predicate(parsed, base_url)
        if parsed.narrowed_by is not None:
            few = ListQuery(parsed.narrowed_by, 1, self._max_page, members)
            proposed = await self._completer.list(kind, few)
            if proposed.total <= len(proposed.resources):
                return _slice([one for one in proposed.resources if accepts(one)], query)
        self._completer.require_whole()
        wanted = ListQuery(None, query.start, query.count, members)
        return await self._directory.scan(kind, accepts, wanted)


def _everybody(_resource: Resource) -> bool:
    return True


def _slice(found: list[Resource], query: Query) -> Page:
    first = query.start - 1
    return Page(len(found), tuple(found[first : first + query.count]))


def _predicate(parsed: filters.Filter, base_url: str) -> Callable[[Resource], bool]:
    def accepts(resource: Resource) -> bool:
        return parsed.matches(whole(resource, base_url))

    return accepts


def _list_of(
    total: int, query: Query, resources: tuple[Resource, ...], base_url: str
) -> JsonObject:
    bodies = [rendered(resource, base_url, query) for resource in resources]
    return list_body(total, query.start, bodies)
