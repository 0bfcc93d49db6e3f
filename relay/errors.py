"""The one tree of errors, by whose fault it is and what can be done about it.

`Refused` is the client's fault and has a SCIM status; `Unavailable` is ours and is a 503;
`TargetError` says how far a request to TFE got, which decides whether it may have had an effect.
Callers act on the type and its fields, never on the text.
"""

from __future__ import annotations


class RelayError(Exception):
    """Anything the relay itself raises."""


class Refused(RelayError):
    """What was asked can never succeed; the client is told so now (RFC 7644 section 3.12).

    Attributes:
        status: the HTTP status.
        scim_type: a `scimType` of RFC 7644 table 9, or None.
        detail: a sentence for the IdP's administrator, naming what is wrong.
    """

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type


class NotKnown(Refused):
    """An id that no resource of the directory has: 404, or a question to TFE during the import.

    Attributes:
        kind: the resource type that was looked for, `User` or `Group`.
        ids: the ids that were not found.
    """

    def __init__(self, kind: str, ids: list[str], detail: str) -> None:
        super().__init__(404, detail)
        self.kind = kind
        self.ids = ids


class NotOwned(Refused):
    """A connection with `scope = "own"` writes to what is another's, or nobody's: 403.

    Attributes:
        resource: the store's key of what it wrote to.
    """

    def __init__(self, detail: str, resource: int) -> None:
        super().__init__(403, detail)
        self.resource = resource


class ParkedBefore(Refused):
    """The IdP repeats what TFE refused: it hears TFE's own status and words, once.

    Attributes:
        resource: the store's key of the resource that keeps the note.
        key: the effect's key of the note.
    """

    def __init__(self, reason: dict[str, object], resource: int, key: int) -> None:
        super().__init__(
            int(str(reason["status"])),
            str(reason["detail"]),
            None if reason["scim_type"] is None else str(reason["scim_type"]),
        )
        self.resource = resource
        self.key = key


class Unavailable(RelayError):
    """The relay cannot do it now; the client is told to come back (503 with `Retry-After`).

    Attributes:
        detail: why, for the IdP's administrator.
        retry_after_s: whole seconds to wait.
    """

    def __init__(self, detail: str, retry_after_s: int = 30) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class LaneFault(RelayError):
    """A lane's rows cannot be made a request of, by a fault of ours: its `__cause__`.

    Attributes:
        resource: the store's key of the lane.
    """

    def __init__(self, resource: int) -> None:
        super().__init__(f"cannot claim lane {resource}")
        self.resource = resource


class SettingsError(RelayError):
    """The configuration cannot be used; each problem names key, fault and cure."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreRefused(RelayError):
    """The database cannot be opened as it is; the message names the cure."""


class AlreadyRunning(StoreRefused):
    """Another daemon has the database (L2); the message names the file."""


class TargetError(RelayError):
    """A request to TFE brought no whole answer."""


class NotSent(TargetError):
    """No byte of the request reached TFE: it had no effect."""


class MaybeSent(TargetError):
    """Bytes left, no whole answer came back: it may have had its effect."""
