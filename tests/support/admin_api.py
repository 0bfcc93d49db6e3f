"""TFE's admin API in memory, for readers in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from relay.rules.verdict import Answered
from relay.simulator.admin.routes import ROOT
from relay.simulator.admin.surface import MEDIA_TYPE, AdminSurface
from relay.simulator.log import Arrival
from relay.simulator.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.simulator.tfe import Tfe


class MemoryAdmin:
    """A transport to the stand-in: each request takes `there_s` to arrive, its answer `back_s`."""

    def __init__(self, tfe: Tfe, there_s: float = 0.0, back_s: float = 0.0) -> None:
        self._service = Service(tfe, AdminSurface(tfe))
        self._token = tfe.site.people.issue()
        self._clock = tfe.clock
        self._ways = there_s, back_s

    async def send(
        self, request: Any, attempt_id: str, *, query: Mapping[str, str] | None = None
    ) -> Answered:
        there_s, back_s = self._ways
        await asyncio.sleep(there_s)
        reply = await self._service.exchange(
            Arrival(
                method=request.method,
                path=ROOT + unquote(request.path),
                query=dict(query or {}),
                body=b"" if request.body is None else orjson.dumps(request.body),
                content_type=MEDIA_TYPE,
                authorization=f"Bearer {self._token}",
                request_id=attempt_id,
            )
        )
        await asyncio.sleep(back_s)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        body = orjson.loads(reply.body) if reply.body else None
        return Answered(reply.status, headers, body, self._clock.wall())
