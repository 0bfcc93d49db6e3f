"""What the front may ask of delivery: the gate at first start, and look-ups during the import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.errors import Unavailable

if TYPE_CHECKING:
    from relay.delivery.holds import Holds
    from relay.delivery.importer import Importer
    from relay.orders.draining import Draining
    from relay.rules.types import Kind


class DeliveryUpstream:
    """The front's `Upstream`, answered by delivery's parts."""

    def __init__(self, importer: Importer, holds: Holds, draining: Draining) -> None:
        self._importer = importer
        self._holds = holds
        self._draining = draining

    def gate(self, *, writing: bool) -> str | None:
        """Why provisioning is 503: no token was ever accepted, or writes are not taken; or None."""
        if writing and self._draining.reason is not None:
            return f"the relay takes no writes now: {self._draining.reason}"
        if self._importer.token_accepted:
            return None
        standing = "; ".join(f"{hold.name.value}: {hold.reason}" for hold in self._holds.standing)
        return (
            f"Terraform Enterprise has not accepted the relay's token yet ({standing or 'asking'})"
        )

    def import_complete(self) -> bool:
        """Whether a miss in the directory is a true miss."""
        return self._importer.complete

    def silent_s(self) -> float:
        """Seconds for which TFE asked not to be asked; 0 if it did not."""
        return self._holds.throttled_s

    async def fetch(self, kind: Kind, key: str, value: str, /) -> None:
        """Take one resource of TFE in, if it is there.

        Raises:
            Unavailable: TFE cannot be asked, so nobody knows.
        """
        if not await self._importer.fetch(kind, key, value):
            raise Unavailable(
                "the relay has not read Terraform Enterprise completely yet and cannot ask it now"
            )
