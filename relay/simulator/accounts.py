"""TFE's own users behind the SCIM identities: linked by address, suspended, never deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Account:
    """A user of TFE itself.

    Attributes:
        username: TFE's own name of it, shown as `name.formatted`.
        email: its address.
        suspended: it cannot sign in.
        scim_id: the SCIM identity it is linked to, or None for a manual user.
    """

    username: str
    email: str
    suspended: bool = False
    scim_id: str | None = None


class Accounts:
    """All TFE users. They outlive SCIM: deleting an identity suspends, disabling SCIM unlinks."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._by_email: dict[str, dict[str, None]] = {}
        self._tried: dict[str, int] = {}

    def all(self) -> list[Account]:
        """Every account in order of creation."""
        return list(self._accounts.values())

    def get(self, username: str) -> Account:
        """The account of this name; `KeyError` if there is none."""
        return self._accounts[username]

    def add_manual(self, email: str, username: str | None = None) -> Account:
        """A user made by hand, before or beside SCIM."""
        account = Account(self._free_name(username or email), email)
        self._put(account)
        return account

    def link(self, email: str, scim_id: str, *, active: bool) -> str:
        """Link the unlinked user of this address, else a new one; returns the username."""
        same = (self._accounts[name] for name in self._by_email.get(email.casefold(), ()))
        found = next((account for account in same if account.scim_id is None), None)
        account = found or Account(self._free_name(email), email)
        self._put(replace(account, scim_id=scim_id, suspended=not active))
        return account.username

    def follow(self, username: str, email: str, *, active: bool) -> None:
        """The identity was changed: so are address and suspension."""
        self._put(replace(self._accounts[username], email=email, suspended=not active))

    def release(self, username: str, *, suspend: bool = True) -> None:
        """The identity is gone; the user stays, suspended after a DELETE."""
        account = self._accounts[username]
        self._put(replace(account, scim_id=None, suspended=suspend or account.suspended))

    def suspend(self, username: str, *, suspended: bool) -> None:
        """An administrator suspends a manual user, or lets them in again."""
        self._put(replace(self._accounts[username], suspended=suspended))

    def _put(self, account: Account) -> None:
        before = self._accounts.get(account.username)
        if before is not None:
            del self._by_email[before.email.casefold()][before.username]
        self._accounts[account.username] = account
        self._by_email.setdefault(account.email.casefold(), {})[account.username] = None

    def _free_name(self, hint: str) -> str:
        base = re.sub(r"[^a-z0-9_-]+", "-", hint.partition("@")[0].lower()).strip("-") or "user"
        name = base
        while name in self._accounts:
            self._tried[base] = self._tried.get(base, 0) + 1
            name = f"{base}-{self._tried[base]}"
        return name
