"""Replacing the relay's SCIM token: make a new one, switch, verify, delete the old one.

TFE takes several SCIM tokens at a time, so nothing waits for it. Each step is noted before the
next; a rotation that was interrupted is finished, or taken back if its token was not in the file
yet. Of secrets only a hash is noted.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import RelayError
from relay.store.compare.binding import note
from relay.store.state.holds import HoldName
from relay.target.admin import AdminFailed, Reason, SiteState
from relay.target.token_writing import discard_unfinished, refuse_unwritable, replace_token
from relay.telemetry import events

if TYPE_CHECKING:
    from pathlib import Path

    from relay.clock import Clock, Ids
    from relay.delivery.keeper import Keeper
    from relay.store import Store
    from relay.store.file.transaction import Transaction
    from relay.target.admin import AdminReader, AdminWriter, ScimToken

log = structlog.get_logger(__name__)

NOTE: Final = "token rotation"
"""Where a rotation stands, and which token is ours since."""

ORDERED: Final = "token rotation ordered"
"""By whom and why, until it is done: whoever finishes it after a restart tells the audit log."""

RECENT_S: Final = 120.0
"""A token was used lately: `last-used-at` moves once a minute (contract, *Admin API*)."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a rotation stands.

    Attributes:
        description: of the new token: it names the token while its id is not known.
        new: the new token's id; None: it may have been made, or not.
        digest: of the new token's secret.
        old: the id of the token that is to go; None: TFE does not say which it is.
        done: the old one is gone.
    """

    description: str
    new: str | None = None
    digest: str | None = None
    old: str | None = None
    done: bool = False


class Rotation:
    """Rotates the token in one file.

    Args:
        reader: lists tokens.
        writer: makes and deletes them.
        store: keeps where it stands.
        keeper: whether TFE takes the new token.
        path: the file; None: the token comes from elsewhere.
        clock: time.
        ids: tells one new token from another.
    """

    def __init__(
        self,
        *,
        reader: AdminReader,
        writer: AdminWriter,
        store: Store,
        keeper: Keeper,
        path: Path | None,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._store = store
        self._keeper = keeper
        self._path = path
        self._clock = clock
        self._ids = ids
        self._one = asyncio.Lock()

    async def rotate(self, ordered: str) -> Step:
        """Rotate now; `ordered`: by whom, and why.

        Raises:
            RelayError: it cannot be done, or could not be finished; it is finished later.
        """
        async with self._one:
            path = self._writable()
            step = await self._unfinished(path)
            if step is None:
                await self._refuse_unless_running()
                step = await self._made(path, ordered)
            return await self._finished(path, step, ordered)

    async def resume(self) -> None:
        """Finish what an earlier process began.

        Raises:
            RelayError: it could not be finished; it is tried again.
        """
        async with self._one:
            if self._path is None or (step := await self._unfinished(self._path)) is None:
                return
            ordered = await self._store.noted(ORDERED) or "the rotation before the restart"
            await self._finished(self._path, step, ordered)

    async def ours(self) -> ScimToken | None:
        """Which of the live tokens is the relay's, or None if that cannot be told.

        The one a rotation made; else, if TFE has just taken ours, the only one used lately. A token
        that is the only one may be another program's, when ours has ended.
        """
        step = await self._step()
        tokens = await self._reader.tokens()
        known = [one for one in tokens if step is not None and one.id == step.new]
        if known:
            return known[0]
        if await self._is_refused():
            return None
        now = self._clock.wall()
        recent = [
            one
            for one in await self._reader.tokens()
            if one.last_used is not None and now - one.last_used < RECENT_S
        ]
        return recent[0] if len(recent) == 1 else None

    def _writable(self) -> Path:
        if self._path is None:
            raise RelayError("cannot rotate: the SCIM token is not in target.token_file")
        refuse_unwritable(self._path)
        return self._path

    async def _refuse_unless_running(self) -> None:
        settings = await self._reader.settings()
        if settings.state is not SiteState.RUNNING:
            raise RelayError(f"cannot rotate: SCIM is {settings.state.value} in TFE")

    async def _step(self) -> Step | None:
        noted = await self._store.noted(NOTE)
        return None if noted is None else Step(**json.loads(noted))

    async def _note(self, step: Step) -> Step:
        await self._store.note(NOTE, json.dumps(asdict(step)))
        return step

    async def _unfinished(self, path: Path) -> Step | None:
        """What is to be finished; a new token that never came into the file is deleted."""
        step = await self._step()
        if step is None or step.done:
            return None
        await asyncio.to_thread(_tidied, path)
        if step.digest is not None and step.digest == _digest(_read(path)):
            return step
        for token in await self._reader.tokens():
            if token.description == step.description:
                await self._delete(token.id)
        await self._store.run(lambda tx: _ended(tx, replace(step, new=step.old)))
        return None

    async def _made(self, path: Path, ordered: str) -> Step:
        """Make a new token and put it in the file."""
        await self._store.note(ORDERED, ordered)
        old = await self.ours()
        day = datetime.fromtimestamp(self._clock.wall(), UTC).date().isoformat()
        description = f"tfe-scim-relay {day} {self._ids.new_id()[:8]}"
        step = await self._note(Step(description, old=None if old is None else old.id))
        made, secret = await self._writer.create_token(description)
        step = await self._note(replace(step, new=made.id, digest=_digest(secret)))
        before = _read(path)
        try:
            await asyncio.to_thread(replace_token, path, secret)
        except OSError as error:
            raise RelayError(f"cannot write {path}: {error.strerror}") from error
        if await self._is_refused():
            await asyncio.to_thread(replace_token, path, before)
            raise RelayError("cannot rotate: TFE refuses the token it has just made; taken back")
        return step

    async def _is_refused(self) -> bool:
        trouble = await self._keeper.troubled()
        return trouble is not None and trouble.name is HoldName.TOKEN

    async def _finished(self, path: Path, step: Step, ordered: str) -> Step:
        """Verify, and delete the old token."""
        trouble = await self._keeper.troubled()
        if trouble is not None and trouble.name is not HoldName.PAUSED:
            raise RelayError(
                f"the new token is in {path}, but TFE did not take it yet ({trouble.reason});"
                " the old one is kept, type it again"
            )
        if step.old is not None:
            await self._delete(step.old)
        done = await self._store.run(lambda tx: _ended(tx, step, ordered))
        log.info(events.TOKEN_ROTATED, new=done.new, old=done.old, ordered=ordered)
        return done

    async def _delete(self, ident: str) -> None:
        """Delete a token; one that is gone already is fine."""
        try:
            await self._writer.delete_token(ident)
        except AdminFailed as error:
            if error.reason is not Reason.MISSING:
                raise


def _ended(tx: Transaction, step: Step, rotated: str | None = None) -> Step:
    """Keep that nothing is left to do; and, with who ordered it, that the token was replaced."""
    done = replace(step, done=True)
    note(tx, NOTE, json.dumps(asdict(done)))
    note(tx, ORDERED, "")
    if rotated is not None:
        tx.audit("token rotated", rotated, what={"old": done.old, "new": done.new})
    return done


def _tidied(path: Path) -> None:
    try:
        discard_unfinished(path)
    except OSError as error:
        raise RelayError(f"cannot tidy up beside {path}: {error.strerror}") from error


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
