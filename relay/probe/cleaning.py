"""Takes away what a probe made, its own or one that was interrupted."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from relay.errors import RelayError
from relay.probe.session import PREFIX

if TYPE_CHECKING:
    from relay.probe.session import Session

_KINDS: Final = (("/Groups", "displayName"), ("/Users", "userName"))
"""Groups first: a user's end costs its groups nothing then."""


async def clean(tfe: Session) -> int:
    """Delete what this session remembers; then, if something may be there unseen, `sweep`.

    Returns:
        How many resources were deleted.
    """
    unseen = [path for path in tfe.made if path.endswith("/?")]
    for path in unseen:
        del tfe.made[path]
    paths = sorted(tfe.made)  # Groups before Users
    for path in paths:
        await tfe.delete(path)
    return len(paths) + (await sweep(tfe) if unseen else 0)


async def sweep(tfe: Session) -> int:
    """Delete whatever in TFE's lists has a throw-away name; how many there were.

    Names are compared here: a filter that TFE ignores must not make this delete a user.

    Raises:
        RelayError: TFE does not list, or does not delete what was found.
    """
    found = [path for kind in _KINDS for path in await _named(tfe, *kind)]
    for path in found:
        reply = await tfe.delete(path)
        if reply.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
            raise RelayError(f"cannot delete {path}: {reply}; delete it by hand")
    return len(found)


async def _named(tfe: Session, path: str, attribute: str) -> list[str]:
    found: list[str] = []
    seen, total = 0, 1
    while seen < total:
        reply = await tfe.get(
            path, startIndex=str(seen + 1), count="200", excludedAttributes="members"
        )
        listed, told = reply.body.get("Resources"), reply.body.get("totalResults")
        if reply.status != HTTPStatus.OK or not isinstance(told, int):
            raise RelayError(f"cannot list {path}: {reply}")
        if not isinstance(listed, list) or not listed:
            break
        found += [
            f"{path}/{one['id']}"
            for one in listed
            if isinstance(one, dict) and str(one.get(attribute)).startswith(PREFIX)
        ]
        seen, total = seen + len(listed), told
    return found
