"""Who may use the admin API: tokens of users, and which users are site administrators.

Somebody is one by hand, through membership of the site-admin group, or because SCIM was disabled
while they were: disabling does not revoke what SCIM granted, unlinking the group does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.clock import Clock, Ids
    from relay.simulator.accounts import Account
    from relay.simulator.directory import Directory
    from relay.simulator.records import Group


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A user's token for the admin API.

    Attributes:
        secret: what is sent as bearer.
        username: whose it is.
        expires: seconds since the epoch from when on it is refused, or None.
    """

    secret: str = field(repr=False)
    username: str
    expires: float | None = None


class People:
    """Tokens of the admin API and the rights of those who have them.

    Attributes:
        site_admin_group: id of the SCIM group whose members are site administrators, or None.
    """

    def __init__(self, clock: Clock, ids: Ids, directory: Directory) -> None:
        self.site_admin_group: str | None = None
        self._clock = clock
        self._ids = ids
        self._directory = directory
        self._tokens: dict[str, ApiToken] = {}
        self._appointed: set[str] = set()
        directory.observe(self._follow)

    def issue(
        self,
        username: str = "site-admin",
        *,
        token: str | None = None,
        site_admin: bool = True,
        lifetime_s: float | None = None,
    ) -> str:
        """A token for a user, who is made by hand if need be; returns it.

        `site_admin`: appoint the user by hand, or take that away. None for `lifetime_s`: no end.
        """
        accounts = self._directory.accounts
        if username not in {account.username for account in accounts.all()}:
            accounts.add_manual(f"{username}@tfe.example.com", username)
        self.appoint(username) if site_admin else self.dismiss(username)
        secret = token or f"user-token-{self._ids.new_id()}"
        end = None if lifetime_s is None else self._clock.wall() + lifetime_s
        self._tokens[secret] = ApiToken(secret, username, end)
        return secret

    def revoke(self, token: str) -> None:
        """End a token; no error if there is none such."""
        self._tokens.pop(token, None)

    def caller(self, authorization: str | None) -> Account | None:
        """Whose token this is, or None: no token, an ended one, a suspended user's."""
        scheme, _, secret = (authorization or "").partition(" ")
        token = self._tokens.get(secret.strip())
        if scheme.lower() != "bearer" or token is None:
            return None
        if token.expires is not None and self._clock.wall() >= token.expires:
            return None
        account = self._directory.accounts.get(token.username)
        return None if account.suspended else account

    def appoint(self, username: str) -> None:
        """Make a user site administrator by hand."""
        self._appointed.add(username)

    def dismiss(self, username: str) -> None:
        """Take away what was given by hand, or left over by SCIM."""
        self._appointed.discard(username)

    def is_admin(self, account: Account) -> bool:
        """Whether a user is site administrator now."""
        return account.username in self.admins()

    def admins(self) -> set[str]:
        """Usernames of all site administrators now, by hand or through SCIM."""
        return self._appointed | self._through_scim()

    def keep_grants(self) -> None:
        """SCIM is about to be disabled: whoever is administrator through it stays one."""
        self._appointed |= self._through_scim()

    def _through_scim(self) -> set[str]:
        """Suspended users are not: suspending revokes what SCIM granted."""
        if self.site_admin_group is None:
            return set()
        users = map(
            self._directory.user, self._directory.group(self.site_admin_group).fields.members
        )
        return {user.account for user in users if user.fields.active}

    def _follow(self, before: Group | None, after: Group | None) -> None:
        if before is not None and after is None and before.stamp.id == self.site_admin_group:
            self.site_admin_group = None


def user_id(username: str) -> str:
    """The admin API's id of a user, `user-...`; follows from the username, which never changes."""
    return f"user-{sha256(username.encode()).hexdigest()[:16]}"
